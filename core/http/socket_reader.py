"""Reads an answer from its socket, line by line and piece by piece, never past the deadline of its exchange.

`http.client` sets a timeout per read only: a server that sends a byte now and then would hold a thread for ever. Here
every read waits at most for what is left of the whole exchange. Called by `connections`.
"""

from __future__ import annotations

import io
import math
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ..errors.messages import msg
from .response_head import BadAnswer

LINE_BYTES = 64 << 10
"""The longest line inside a body (a chunk's size and its extensions, a trailer)."""
SILENCE_SECONDS = 10.0
"""A body whose length the headers don't tell ends after this silence, if not before with its connection."""

seconds_remaining: ContextVar[Callable[[], float]] = ContextVar("seconds_remaining", default=lambda: math.inf)
"""How long the exchange under way may still take. Set by whoever sends, on the thread that sends."""

silent_end: ContextVar[SilentEnd | None] = ContextVar("silent_end", default=None)
"""Asked when the body of the exchange under way is silent; None where only the connection ends it. Set like the one above."""


@dataclass(frozen=True)
class SilentEnd:
    """What may end a body whose connection stays open."""

    seconds: float
    """How long nothing has to come."""
    has_come: Callable[[], bool]
    """Whether the body is whole. Asked once in a silence."""


def wait_on(sock: Any, patience: float | None) -> None:
    """Lets the next operation of `sock` wait for `patience` seconds at most, and not past the deadline.

    Raises TimeoutError when that is over.
    """
    remaining = seconds_remaining.get()()
    if remaining <= 0:
        raise TimeoutError("timed out")
    wait = remaining if patience is None else min(remaining, patience)
    sock.settimeout(None if math.isinf(wait) else wait)


class DeadlineReader(io.RawIOBase):
    """The bytes of a socket, as a raw file."""

    def __init__(self, sock: socket.socket, owner: io.RawIOBase) -> None:
        """`owner`: the socket's own file, which keeps it open until it is closed."""
        self._sock, self._owner = sock, owner
        self._patience = sock.gettimeout()
        self.silence_ends = False
        """Whether a silence is the end, and not a timeout."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.silence_ends:
            return self._received(buffer)
        try:
            wait_on(self._sock, SILENCE_SECONDS)
            return self._sock.recv_into(buffer)
        except TimeoutError:
            if seconds_remaining.get()() <= 0:
                raise
            return 0

    def _received(self, buffer: Any) -> int:
        """Raises TimeoutError at the deadline, and in a silence that ends the body."""
        silent = silent_end.get()
        if silent is not None:
            patience = silent.seconds if self._patience is None else min(silent.seconds, self._patience)
            try:
                wait_on(self._sock, patience)
                return self._sock.recv_into(buffer)
            except TimeoutError:
                if seconds_remaining.get()() <= 0 or silent.has_come():
                    raise
        wait_on(self._sock, self._patience)
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._owner.close()
        super().close()


class LineReader(io.BufferedReader):
    """An answer's file: lines that were put back are read first, and no line is longer than LINE_BYTES."""

    def __init__(self, raw: DeadlineReader) -> None:
        super().__init__(raw)
        self._put_back: deque[bytes] = deque()

    def put_back(self, lines: Iterable[bytes]) -> None:
        """Returns `lines` from the next calls of `readline`."""
        self._put_back.extend(lines)

    def readline(self, size: int | None = -1) -> bytes:
        if self._put_back:
            return self._put_back.popleft()
        if size is not None and size >= 0:
            return super().readline(size)
        line = super().readline(LINE_BYTES + 1)
        if len(line) > LINE_BYTES:
            raise BadAnswer(msg("socket_reader.line_too_long"))
        return line
