"""A provider on a real socket that answers what a test's function says and 404 to everything else.

For tests of providers that serve the paths of one document and nothing else. Every request is kept; a picture whose
address is handed out is billed.
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
from typing import Any

from dialect_driver import PNG
from pack.tests.raw_server import Connection, RawServer

Answer = tuple[int, Any]
"""Status and JSON value, or bytes as they are."""
NOT_FOUND: Answer = (404, {"error": {"message": "Not Found"}})


@dataclass
class ReceivedRequest:
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
class StubProvider:
    """What the provider was asked, and what it billed."""

    serve: Callable[[ReceivedRequest], Answer | None]
    asked: list[ReceivedRequest] = field(default_factory=list)
    bills: int = 0
    seen: list[bytes] = field(default_factory=list)
    """References that the function was given, as it noted them."""
    url: str = ""

    def picture(self) -> str:
        """The address of a picture that was made; it is billed."""
        self.bills += 1
        return f"{self.url}/served/{self.bills}.png"

    def paths(self, method: str = "POST") -> list[str]:
        return [one.path for one in self.asked if one.method == method]

    def forget(self) -> None:
        self.asked.clear()
        self.bills = 0


@contextlib.contextmanager
def stub_provider(serve: Callable[[StubProvider, ReceivedRequest], Answer | None]) -> Iterator[StubProvider]:
    """A running provider that answers with `serve`; closed afterwards."""
    lock = threading.Lock()

    def script(connection: Connection) -> None:
        while head := connection.read_head():
            body = connection.read_body()
            method, path, _ = head.decode("latin-1").split(" ", 2)
            kind = connection.header("content-type") or ""
            asked = ReceivedRequest(method, path, kind, body, connection.header("authorization") is not None)
            if path.startswith("/served/"):
                status, value = 200, PNG
            else:
                with lock:
                    status, value = provider.serve(asked) or NOT_FOUND
                    asked.status = status
                    provider.asked.append(asked)
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            media_type = "image/png" if value is PNG else "application/json"
            connection.answer(content, f"{status} Status", f"Content-Type: {media_type}")

    server = RawServer(script)
    provider = StubProvider(lambda asked: serve(provider, asked), url=server.url)
    try:
        yield provider
    finally:
        server.close()
