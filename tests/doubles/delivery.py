"""How a reply is sent: slowly, cut, or not at all. Acted on by `connection.py`."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from pack.simulator.message import Reply


@dataclass
class Delivery:
    """How a reply is sent; the defaults are good behaviour."""

    slow: float = 0.0
    """Seconds from the end of the request to the status line, what it takes to make the answer included."""
    held: threading.Event | None = None
    """What the status line waits for."""
    events: tuple[int, ...] = ()
    """Where the events of a stream end, in bytes of its body."""
    paused_at: int = 0
    """Where in the body `paused` is waited for; 0 = nowhere."""
    paused: threading.Event | None = None
    cut_at: int = 0
    """Where in the body the connection is closed; 0 = nowhere."""
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


def delivery_of(reply: Reply) -> Delivery:
    """How this reply is to be sent; the defaults where nothing was said."""
    if reply.delivery is None:
        reply.delivery = Delivery()
    delivery: Delivery = reply.delivery
    return delivery
