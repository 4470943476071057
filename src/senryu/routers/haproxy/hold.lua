-- Holds a request up until its app serves and has a dyno, is no longer waited for, or the time is up.
-- Runs only for requests that have nowhere to go at the moment; all others stay in C.
-- `await_platform` does the same for requests to the platform itself: connecting to a Unix socket fails at once, and HAProxy's retries
-- would all be used up in that instant.
-- Environment: SENRYU_APPS_MAP and SENRYU_DYNOS_MAP, the maps of apps and of their dynos' addresses by slot; SENRYU_HOLD_MS, the longest wait;
-- SENRYU_FIRST_BYTE_MS, that for a response; SENRYU_ERROR_PAGE, with BODY for SENRYU_ERROR_TEXT or the app's own of SENRYU_ERROR_PAGES_MAP;
-- SENRYU_WAITING, the socket that is told which sleeping app somebody waits for;
-- SENRYU_PLATFORM and SENRYU_PLATFORM_MS, the platform's socket and the longest wait for it.
local sockets = require("socket.core")
local LOOK_EVERY_MS = 50
local CONNECT_MAX_S = 0.02 -- all wait for it; to a dyno, on this machine, it is decided at once
local HOLD_MS = tonumber(os.getenv("SENRYU_HOLD_MS"))
local FIRST_BYTE_MS = tonumber(os.getenv("SENRYU_FIRST_BYTE_MS"))
local PLATFORM_MS = tonumber(os.getenv("SENRYU_PLATFORM_MS"))
local TELL_EVERY_MS = 1000
local waiting = os.getenv("SENRYU_WAITING")
local told_ms = {}
local platform = os.getenv("SENRYU_PLATFORM")
local apps = Map.new(os.getenv("SENRYU_APPS_MAP"), Map._str)
local dynos = Map.new(os.getenv("SENRYU_DYNOS_MAP"), Map._str)
local error_pages = Map.new(os.getenv("SENRYU_ERROR_PAGES_MAP"), Map._str)

local function now_ms()
  local now = core.now()
  return now.sec * 1000 + now.usec // 1000
end

local function platform_is_there()
  local socket = core.tcp()
  socket:settimeout(1)
  local is_there = socket:connect("unix@" .. platform)
  socket:close()
  return is_there
end

-- Once a second for each app: the platform may have been away.
local function tell_who_is_waited_for(slot, is)
  local now = now_ms()
  if now - (told_ms[slot] or 0) < TELL_EVERY_MS then
    return
  end
  told_ms[slot] = now
  local socket = core.tcp()
  socket:settimeout(1)
  if socket:connect("unix@" .. waiting) then
    socket:send(string.match(is, "^[^:]*") .. "\n")
  else
    told_ms[slot] = nil
  end
  socket:close()
end

core.register_action("hold", { "http-req" }, function(txn)
  local slot = txn:get_var("txn.slot")
  local asked_for = string.match(txn:get_var("txn.app"), "^[^:]*:(.*)")
  local until_ms = now_ms() + HOLD_MS
  repeat
    local app = apps:lookup(slot) or "gone"
    local mode, is = string.match(app, "^([^:]*):?(.*)")
    if is ~= asked_for then
      mode = "gone" -- the slot may be another app's by now
    end
    if mode == "idle" then
      tell_who_is_waited_for(slot, is)
    end
    if mode ~= "boot" and mode ~= "idle" and (mode ~= "serve" or txn.f:nbsrv() > 0) then
      txn:set_var("txn.app", app)
      txn:set_var("txn.mode", mode)
      return
    end
    core.msleep(LOOK_EVERY_MS)
  until now_ms() >= until_ms
  txn:set_var("txn.mode", platform_is_there() and "late" or "lost") -- who is not there starts nothing
end)

core.register_action("await_platform", { "http-req" }, function(txn)
  local until_ms = now_ms() + PLATFORM_MS
  repeat
    if platform_is_there() then
      return
    end
    core.msleep(LOOK_EVERY_MS)
  until now_ms() >= until_ms
end)

-- Waits for the first byte of the response to a request that may be sent again. HAProxy 2.6 sends nothing again when a dyno closes while its
-- own tcp-response rules wait: it has then closed towards the visitor too. It has not while Lua waits. Whatever wakes this up is for the
-- rules behind it to judge: an answer, one that is no HTTP, an end, the time. Lua's own `yield` and not `act.YIELD`, which begins the action
-- from its start, with a new `txn`, for twice the processor time; what it is given is what HAProxy gives back.
core.register_action("watch", { "tcp-res" }, function(txn)
  if not txn.f:status() and txn.res:may_recv() then
    coroutine.yield(true)
  end
end)

-- Whether a second try is sure to be refused: none of the app's dynos is there. HAProxy would close the visitor's connection without a word
-- then, as the first try went over a kept connection. Its own sockets cannot be asked: after RST nothing may wait.
local function are_gone(slot)
  local addresses = dynos:lookup(slot)
  if not addresses then
    return false
  end
  for address, port in string.gmatch(addresses, "%[?([%x.:]+)%]?:(%d+)") do
    local socket = (address:find(":") and sockets.tcp6 or sockets.tcp)()
    socket:settimeout(CONNECT_MAX_S)
    local is_there, failure = socket:connect(address, tonumber(port))
    socket:close()
    if is_there or failure == "timeout" then
      return false
    end
  end
  return true
end

-- No byte came: the dyno closed (H13), is no more (H21), or the time is up (H12). HAProxy's own way closes the connection of a visitor who
-- was answered before without a page and without a line in the log. It is left to HAProxy to send once more what only reads, and to wait
-- for a body that streams.
core.register_action("answer", { "tcp-res" }, function(txn)
  local is_late = txn.f:date(0, "ms") - txn:get_var("txn.since") >= FIRST_BYTE_MS -- not core.now(): that clock is another
  local code = is_late and "H12" or "H13"
  if txn:get_var("txn.plain") and not txn:get_var("txn.again") and not is_late then
    if not are_gone(txn:get_var("txn.slot")) then
      txn:set_var("txn.fresh", txn:get_var("txn.id")) -- not over another connection that is just ending
      return act.CONTINUE
    end
    code = "H21"
  elseif is_late and txn:get_var("txn.streams") then
    return act.CONTINUE
  end
  txn:set_var("txn.code", code)
  local text = error_pages:lookup(txn:get_var("txn.slot")) or os.getenv("SENRYU_ERROR_TEXT")
  local before, after = string.match(os.getenv("SENRYU_ERROR_PAGE"), "^(.*)BODY(.*)$")
  local reply = txn:reply{ status = 503, body = before .. text .. after }
  reply:add_header("content-type", "text/html;charset=utf-8")
  txn:done(reply)
end)
