import threading
import time

CONNECTIONS = threading.Semaphore(20)


def app(environ, start_response):
    if environ["PATH_INFO"] == "/compute":
        end = time.perf_counter() + 0.005
        while time.perf_counter() < end:
            pass
    elif environ["PATH_INFO"] == "/query":
        with CONNECTIONS:
            time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"done\n"]
