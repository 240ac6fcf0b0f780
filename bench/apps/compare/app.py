"""The app of `npm run compare` for gunicorn."""
import os


def application(environ, start_response):
    while environ["PATH_INFO"] == "/block":
        pass
    content = f"ok {os.getpid()}".encode()
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return [content]
