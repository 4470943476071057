-- Reads what a client sends before it is refused: one that is cut off while it sends does not read why.
local most = 16 * 1024 * 1024

core.register_service("refuse_upload", "http", function(applet)
  local left = most
  while left > 0 do
    local chunk = applet:receive(16384)
    if chunk == nil or #chunk == 0 then break end
    left = left - #chunk
  end
  local body = os.getenv("SENRYU_BUCKET_FULL")
  applet:set_status(403)
  applet:add_header("content-type", "application/xml")
  applet:add_header("content-length", string.len(body))
  applet:add_header("access-control-allow-origin", "*")
  applet:start_response()
  applet:send(body)
end)
