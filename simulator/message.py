"""One HTTP request as it came in, and the reply to it. Plain data; sent and received by `connection.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

JSON_TYPE = "application/json"


@dataclass
class Request:
    """A request; `body` is empty until it has been read completely."""

    method: str
    path: str
    query: str
    headers: Message
    at: float
    """Monotonic seconds at which the request line had been read."""
    body: bytes | bytearray = b""
    record: Any = None
    """What a server that builds on this one keeps about the request."""

    def header(self, name: str) -> str | None:
        """The header's value, or None when it was not sent."""
        value = self.headers.get(name)
        return None if value is None else str(value)


@dataclass
class Reply:
    """A reply; `headers` come on top of Content-Type, Content-Length and Date."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: list[tuple[str, str]] = field(default_factory=list)
    delivery: Any = None
    """How a server that builds on this one is to send it."""


def json_reply(status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """A JSON reply in UTF-8, compact."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Reply(status, text.encode("utf-8"), headers=list(headers))
