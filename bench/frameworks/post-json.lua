-- The requests of `bench:frameworks --requests post`, for wrk.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"name":"Ada Lovelace","email":"ada@example.com","tags":["one","two","three"],"active":true}'
