-- A JSON document of about 1 KB.
local items = {}
for i = 1, 20 do items[i] = string.format('{"id":%d,"name":"item number %d","price":%d.5}', i, i, i) end
wrk.method = "POST"
wrk.body = '{"items":[' .. table.concat(items, ",") .. "]}"
wrk.headers["Content-Type"] = "application/json"
