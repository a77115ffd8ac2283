"""A long string of an answer, left where it is in the body until it is needed, and then read in slices.

A picture of 4K is a string of 67 MB: each copy of it holds the interpreter for tens of ms and fills memory. Pure functions.
"""

from __future__ import annotations

import io
import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

SLICE = 192 << 10
"""Bytes that are read at a time."""
MOST_TEXT = 256 << 10
"""Characters of a long string that are taken for words."""
_STEP = 64 << 10
_FEW = 16
"""Bytes before a quote that are looked at first: a text that quotes a lot has thousands of them."""
_HIGH_SURROGATE = re.compile(rb"\\u[dD][89abAB]")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a body."""

    body: bytes
    start: int
    end: int
    escaped: bool
    """Whether it is the inside of a JSON string, with JSON's escapes."""


class Spans:
    """Many spans in a row, without an object for each.

    A picture can come in thousands of pieces, and so many objects make Python look through all of the process for garbage,
    which holds the interpreter.
    """

    __slots__ = ("_bodies", "_numbers")

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._numbers = array("q")
        """Of each span: the index of its body, its start, its end, and whether it is escaped."""

    def add(self, span: Span) -> None:
        if not self._bodies or self._bodies[-1] is not span.body:
            self._bodies.append(span.body)
        self._numbers.extend((len(self._bodies) - 1, span.start, span.end, span.escaped))

    def __len__(self) -> int:
        return len(self._numbers) // 4

    def __iter__(self) -> Iterator[Span]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> Span:
        body, start, end, escaped = self._numbers[index * 4 : index * 4 + 4]
        return Span(self._bodies[body], start, end, bool(escaped))


class LongText:
    """The text of some spans, one after the other. It is no `str`: what doesn't know it passes it over."""

    __slots__ = ("spans",)

    def __init__(self, *spans: Span) -> None:
        self.spans: tuple[Span, ...] | Spans = spans

    @classmethod
    def of(cls, text: str) -> LongText:
        """A text that is in memory already."""
        data = text.encode("utf-8", "surrogatepass")
        return cls(Span(data, 0, len(data), False))

    @classmethod
    def joined(cls, spans: Spans) -> LongText:
        found = cls()
        found.spans = spans
        return found

    def slices(self) -> Iterator[bytes]:
        """The text as UTF-8. Raises ValueError where an escape is none."""
        for span in self.spans:
            at = span.start
            while at < span.end:
                end = _end_of_slice(span, at)
                piece = span.body[at:end]
                yield unescaped(piece) if span.escaped and b"\\" in piece else piece
                at = end

    def head(self, size: int) -> bytes:
        """The first bytes of the text, b"" where they can't be read."""
        found = bytearray()
        try:
            for piece in self.slices():
                found += piece[:size]
                if len(found) >= size:
                    break
        except ValueError:
            return b""
        return bytes(found[:size])

    def text(self) -> str:
        """The text, cut to `MOST_TEXT` characters."""
        return self.head(MOST_TEXT).decode("utf-8", "replace")

    def read(self) -> bytes:
        """The whole text as UTF-8. Raises ValueError."""
        out = io.BytesIO()
        for piece in self.slices():
            out.write(piece)
        return out.getvalue()  # without a copy: it is the buffer itself

    @property
    def fills_body(self) -> bool:
        """Whether it is one piece, and more than half of its body: there is no other such text in it."""
        return len(self.spans) == 1 and 2 * len(self) > len(self.spans[0].body)

    def __len__(self) -> int:
        """Bytes in the body."""
        return sum(span.end - span.start for span in self.spans)

    def __repr__(self) -> str:
        return f"LongText({len(self)} bytes)"


def unescaped(piece: bytes) -> bytes:
    """The inside of a JSON string as UTF-8. Raises ValueError."""
    text = json.JSONDecoder(strict=False).decode(f'"{piece.decode("utf-8", "replace")}"')
    return text.encode("utf-8", "surrogatepass")


def backslashes_before(body: bytes, end: int, first: int) -> int:
    """How many backslashes are in a row right before `end`; those before `first` don't count."""
    count, step = 0, _FEW
    while end > first:
        start = max(first, end - step)
        piece = body[start:end]
        run = len(piece) - len(piece.rstrip(b"\\"))
        count += run
        if run < len(piece):
            break
        end, step = start, _STEP
    return count


def _end_of_slice(span: Span, at: int) -> int:
    """Where the slice that begins at `at` ends: never inside an escape, nor inside a character or its two escapes."""
    end = min(at + SLICE, span.end)
    if end == span.end:
        return end
    for back in range(4):
        if span.body[end - back] & 0xC0 != 0x80:
            end -= back
            break
    if not span.escaped:
        return end
    last = span.body.rfind(b"\\", end - 6, end)
    if last < 0 or backslashes_before(span.body, last + 1, at) % 2 == 0:
        return end
    length = 6 if span.body[last + 1 : last + 2] == b"u" else 2
    end = end if last + length <= end else last
    # The two escapes of one character stay together.
    high = end - 6 > at and _HIGH_SURROGATE.match(span.body, end - 6, end)
    return end - 6 if high and backslashes_before(span.body, end - 5, at) % 2 else end
