-- Holds a request up until its app serves and has a dyno, is no longer waited for, or the time is up.
-- Runs only for requests that have nowhere to go at the moment; all others stay in C.
-- `await_platform` does the same for requests to the platform itself: connecting to a Unix socket fails at once, and HAProxy's retries
-- would all be used up in that instant.
-- Environment: SENRYU_APPS_MAP, the map of apps by slot; SENRYU_HOLD_MS, the longest wait;
-- SENRYU_PLATFORM and SENRYU_PLATFORM_MS, the platform's socket and the longest wait for it.
local LOOK_EVERY_MS = 50
local HOLD_MS = tonumber(os.getenv("SENRYU_HOLD_MS"))
local PLATFORM_MS = tonumber(os.getenv("SENRYU_PLATFORM_MS"))
local platform = os.getenv("SENRYU_PLATFORM")
local apps = Map.new(os.getenv("SENRYU_APPS_MAP"), Map._str)

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
    if mode ~= "boot" and (mode ~= "serve" or txn.f:nbsrv() > 0) then
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
