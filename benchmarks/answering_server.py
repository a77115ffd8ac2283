"""A server that gives the same answer to every POST, for a process of its own: it must not share the measured interpreter."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answering(BaseHTTPRequestHandler):
    """Reads bodies of any size, and answers after as many seconds as the first part of the path says, at once without one."""

    protocol_version = "HTTP/1.1"
    answer = b""

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        time.sleep(self.latency())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def latency(self) -> float:
        try:
            return float(self.path.split("/")[1])
        except ValueError:
            return 0.0

    def log_message(self, *args: object) -> None:
        """Silence."""


class Server(ThreadingHTTPServer):
    request_queue_size = 64


def serve(answer: bytes) -> None:
    """Prints its port and answers until the process ends."""
    Answering.answer = answer
    server = Server(("127.0.0.1", 0), Answering)
    print(server.server_port, flush=True)
    server.serve_forever()
