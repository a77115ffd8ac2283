"""One HTTP request as it came in, and one reply with the manner in which it is to be sent.

Plain data: read by the APIs, written by them, sent by `connection.py`. Knows nothing of any provider.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from email.message import Message

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

    def header(self, name: str) -> str | None:
        """The header's value, or None when it was not sent."""
        value = self.headers.get(name)
        return None if value is None else str(value)


@dataclass
class Manner:
    """How a reply is sent; the defaults are good behaviour."""

    slow: float = 0.0
    """Seconds before the status line."""
    held: threading.Event | None = None
    """What the status line waits for."""
    slow_body: float = 0.0
    """Seconds over which the body trickles out."""
    drop: str = ""
    """`headers`: close without any answer; `body`: close in the middle of the body."""
    reset: bool = False
    """Close with a TCP reset instead of an orderly end."""
    silent_close: bool = False
    """Close after the reply without having announced it."""
    declared_length: int | None = None
    """Content-Length to claim when it isn't the body's."""
    zeros: int = 0
    """Bytes of zeros to stream after the body."""


@dataclass
class Reply:
    """A reply; `headers` come on top of Content-Type, Content-Length and Date."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: list[tuple[str, str]] = field(default_factory=list)
    manner: Manner = field(default_factory=Manner)


def json_reply(status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """A JSON reply in UTF-8, compact."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Reply(status, text.encode("utf-8"), headers=list(headers))
