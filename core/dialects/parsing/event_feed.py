"""Takes server-sent events apart as their bytes arrive, so that the first is read before the last has come.

Pure and incremental: however the bytes are split, the same events come out as `event_stream.parse_events` finds in the whole
body, but for a last one that no blank line has ended. An event that is larger than any draft is passed over here; the whole
answer is read at its end in any case. Source: the WHATWG page on server-sent events.
"""

from __future__ import annotations

from typing import Any

from ...http.long_json import LongJson, TooMuch
from .event_stream import MOST_EVENTS, event_values, line_end

EVENT_BYTES = 32 << 20
"""A larger event is passed over: a picture of 2K as base64 has 10 MB."""
_BOM = b"\xef\xbb\xbf"
_DATA = b"data:"
_BLANK = 64
"""A line of at most so many characters is blank where it holds nothing but spaces."""


class EventFeed:
    """The events of one stream."""

    def __init__(self, most_bytes: int = EVENT_BYTES) -> None:
        """`most_bytes`: of one event; a larger one is passed over."""
        self._most = most_bytes
        self._start: bytes | None = b""
        """The first bytes, while they may still be a byte order mark; None from then on."""
        self._line: list[bytes] = []
        """The pieces of the line that has not ended yet."""
        self._event: list[bytes] = []
        """The data lines of the event that has not ended yet."""
        self._size = 0
        """Bytes of both."""
        self._skipped = False
        """Whether the event is too large."""
        self._after_return = False
        self._lines = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that end in `piece`, in order."""
        if self._start is not None:
            self._start += piece
            if len(self._start) < len(_BOM) and _BOM.startswith(self._start):
                return []
            piece, self._start = self._start.removeprefix(_BOM), None
        events: list[bytes] = []
        at = 0
        while at < len(piece) and self._lines < MOST_EVENTS:
            if self._after_return and piece[at : at + 1] == b"\n":
                at += 1  # the second half of a line end
                self._after_return = False
                continue
            self._after_return = False
            end = line_end(piece, at)
            self._add(piece[at:end])
            at = end + 1
            if end < len(piece):
                self._after_return = piece[end : end + 1] == b"\r"
                events += self._ended_line()
        return events

    def _add(self, piece: bytes) -> None:
        """Adds a piece to the line."""
        self._size += len(piece)
        if self._size > self._most:
            self._skipped = True
        if not self._skipped:
            self._line.append(piece)
            return
        # Of what is passed over only the beginning of the line counts: whether it is blank.
        self._event = []
        self._line = [b"".join((*self._line, piece[: _BLANK + 1]))[: _BLANK + 1]]

    def _ended_line(self) -> list[bytes]:
        """Takes the line into the event; the event where the line is the blank one that ends it."""
        self._lines += 1
        line, self._line = b"".join(self._line), []
        if len(line) <= _BLANK and not line.strip():
            return self._ended_event()
        if self._skipped:
            return []
        if line.startswith(_DATA):
            self._event.append(line[len(_DATA) :].removeprefix(b" "))
        else:
            self._size -= len(line)
        return []

    def _ended_event(self) -> list[bytes]:
        event, skipped = self._event, self._skipped
        self._event, self._size, self._skipped = [], 0, False
        return [b"\n".join(event)] if event and not skipped else []


def event_value(data: bytes) -> Any:
    """The JSON value of an event; None for any other text."""
    source = LongJson(data)
    try:
        return next(iter(event_values(source, [source.text()])), None)
    except TooMuch:
        return None
