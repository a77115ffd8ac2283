"""A base over a real socket that serves what a test says and nothing else: for tests of bases that serve their document alone.

Every request is written down; a picture that is handed out is a bill. What it serves is a function from a request to an
answer; a request that the function doesn't know is a 404.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dialect_driver import PNG

Answer = tuple[int, Any]
"""Status and JSON value, or bytes as they are."""
NOT_FOUND: Answer = (404, {"error": {"message": "Not Found"}})


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    content_type: str
    body: bytes
    authorized: bool
    status: int = 0

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def parts(self) -> list[tuple[str, bytes]]:
        """Name and content of each part of a form, in order."""
        head = b"Content-Type: " + self.content_type.encode() + b"\r\n\r\n"
        message: Any = BytesParser(policy=HTTP).parsebytes(head + self.body)
        parts = message.iter_parts()
        return [(part.get_param("name", header="content-disposition"), part.get_payload(decode=True)) for part in parts]

    def files(self, name: str) -> list[bytes]:
        return [content for part, content in self.parts if part == name]


def unwrapped(text: str) -> bytes:
    """The bytes of a data URI or of base64 alone."""
    return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text)


@dataclass
class Base:
    """A provider's host."""

    serve: Callable[[Asked], Answer | None]
    asked: list[Asked] = field(default_factory=list)
    bills: int = 0
    seen: list[bytes] = field(default_factory=list)
    """What the function noted of the references that it was given."""
    url: str = ""

    def picture(self) -> str:
        """The address of a picture that was made, and is paid."""
        self.bills += 1
        return f"{self.url}/served/{self.bills}.png"

    def paths(self, method: str = "POST") -> list[str]:
        return [one.path for one in self.asked if one.method == method]

    def forget(self) -> None:
        self.asked.clear()
        self.bills = 0


@contextlib.contextmanager
def serving(serve: Callable[[Base, Asked], Answer | None]) -> Iterator[Base]:
    """A base for the length of a `with`."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            kind = self.headers.get("content-type") or ""
            asked = Asked(self.command, self.path, kind, body, "authorization" in self.headers)
            if self.path.startswith("/served/"):
                status, value = 200, PNG
            else:
                with lock:
                    status, value = base.serve(asked) or NOT_FOUND
                    asked.status = status
                    base.asked.append(asked)
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "image/png" if value is PNG else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    base = Base(lambda asked: serve(base, asked))
    base.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield base
    finally:
        server.shutdown()
        server.server_close()
