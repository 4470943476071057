-- Holds a request up until its app serves and has a dyno, is no longer waited for, or the time is up.
-- Runs only for requests that have nowhere to go at the moment; all others stay in C.
-- Environment: SENRYU_APPS_MAP, the map of apps by slot; SENRYU_HOLD_MS, the longest wait.
local LOOK_EVERY_MS = 50
local longest_ms = tonumber(os.getenv("SENRYU_HOLD_MS"))
local apps = Map.new(os.getenv("SENRYU_APPS_MAP"), Map._str)

local function now_ms()
  local now = core.now()
  return now.sec * 1000 + now.usec // 1000
end

core.register_action("hold", { "http-req" }, function(txn)
  local slot = txn:get_var("txn.slot")
  local until_ms = now_ms() + longest_ms
  repeat
    local app = apps:lookup(slot) or "gone"
    local mode = string.match(app, "^[^:]*")
    if mode ~= "boot" and (mode ~= "serve" or txn.f:nbsrv() > 0) then
      txn:set_var("txn.app", app)
      txn:set_var("txn.mode", mode)
      return
    end
    core.msleep(LOOK_EVERY_MS)
  until now_ms() >= until_ms
  txn:set_var("txn.mode", "late")
end)
