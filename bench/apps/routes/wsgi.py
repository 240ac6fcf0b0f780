import os

PIECE = b"0123456789abcdef" * 2**16


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/100m":
        start_response("200 OK", [("Content-Length", str(100 * len(PIECE)))])
        return (PIECE for _ in range(100))
    if path == "/upload":
        content = b"%d" % len(environ["wsgi.input"].read())
    elif path == "/pid":
        content = b"%d" % os.getpid()
    else:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
    return [content]
