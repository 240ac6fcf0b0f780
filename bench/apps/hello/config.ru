run ->(_env) { [200, { "content-type" => "text/plain; charset=utf-8" }, ["Hello, world\n"]] }
