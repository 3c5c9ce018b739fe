"""A server on loopback that hands over ten bytes, whatever is asked for, and breaks off as often as it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = b"0123456789"


class Server(ThreadingHTTPServer):
    breaks = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        ranged = "x-ms-range" in self.headers
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes 0-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header("Last-Modified", "Wed, 01 Apr 2026 00:00:00 GMT")
        self.send_header("x-ms-blob-type", "BlockBlob")
        self.send_header("ETag", '"e"')
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(BODY[:5] if self.server.breaks > 0 else BODY)
        self.server.breaks -= 1
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def breaking() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield http
        finally:
            http.shutdown()
            thread.join()
