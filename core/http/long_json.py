"""Parses the JSON of an answer of any size with bounded pauses: long strings stay where they are, in the body.

`json` holds the interpreter from the first to the last character. So in a body of over `MOST_SMALL` bytes the long strings
are found first and replaced by numbers that stand for them; what is left is small, or the answer is none that any API gives.
Pure functions.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from ..errors.messages import msg
from .long_text import LongText, Span, backslashes_before

MOST_SMALL = 512 << 10
"""Bytes of JSON without its long strings that are parsed at a time."""
MOST_CONTAINERS = 30_000
"""Objects and lists in them: more of them would make Python look through all objects of the process for garbage, and
nothing else runs in that time."""
MOST_IN_ALL = 4 << 20
"""Bytes without long strings that are parsed of a stream: what they become takes twenty times as much memory."""
LONG = 1024
"""Bytes from which a string is long."""
_KEPT_SHORT = 32 << 10
_MOST_SHORT = 8 << 20
_MOST_QUOTES = 300_000
_BACKSLASH = ord("\\")
_STEP = 1 << 20


class TooMuch(ValueError):
    """More JSON than any answer has beside its pictures."""


class LongJson:
    """The JSON in one body."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._long: list[LongText] = []
        self._mark = f"0.{secrets.randbelow(10**18):018}e"
        """A number that no answer holds: it stands for a long string, whose index follows."""
        self._decoder = json.JSONDecoder(
            parse_float=self._number, strict=False
        )  # some servers leave line ends in strings
        self._remaining = MOST_IN_ALL
        self._short = _MOST_SHORT
        self._quotes = _MOST_QUOTES

    def text(self, start: int = 0, end: int | None = None) -> str:
        """The JSON between two places of the body; of a body over `MOST_SMALL` it has numbers for its long strings.

        What is beyond the limits is cut off.
        """
        end = len(self.body) if end is None else end
        long = len(self.body) > MOST_SMALL and end - start > LONG
        return _decoded(self._shortened(start, end) if long else self.body[start:end])

    def parse(self, text: str, at: int = 0) -> tuple[Any, int]:
        """The value at a place of a text that `text` gave, and where it ends. Raises ValueError or RecursionError."""
        if len(text) > MOST_SMALL // 8 and text.count("[") + text.count("{") > MOST_CONTAINERS:
            raise TooMuch(msg("long_json.too_many_objects"))
        value, end = self._decoder.raw_decode(text, at)
        self._remaining -= end - at
        if self._remaining < 0:
            raise TooMuch(msg("long_json.too_much_json"))
        return value, end

    def end_part(self) -> None:
        """Forgets the long strings of what was parsed so far: nothing is parsed any more of what `text` has given."""
        self._long.clear()

    @property
    def whole(self) -> str | LongText:
        """The body as a text."""
        if len(self.body) <= MOST_SMALL:
            return _decoded(self.body).strip()
        return LongText(Span(self.body, 0, len(self.body), False))

    def _number(self, text: str) -> Any:
        if not text.startswith(self._mark):
            return float(text)
        long = self._long[int(text[len(self._mark) :])]
        if len(long) <= _KEPT_SHORT and len(long) <= self._short:
            self._short -= len(long)
            return json.JSONDecoder(strict=False).decode(_decoded(b'"%b"' % long.spans[0].body[_inside(long)]))
        return long

    def _shortened(self, start: int, end: int) -> bytes:
        body, pieces, size, kept = self.body, [], 0, start
        at = start
        while size + at - kept <= MOST_SMALL:
            opened = body.find(b'"', at, min(at + MOST_SMALL + 1, end))
            closed = self._closing(opened + 1, end) if opened >= 0 else -1
            if closed < 0:
                at = end
                break
            if closed - opened > LONG:
                pieces.append(body[kept:opened] + b"%b%d" % (self._mark.encode(), len(self._long)))
                size += len(pieces[-1])
                self._long.append(LongText(Span(body, opened + 1, closed, True)))
                kept = closed + 1
            at = closed + 1
        pieces.append(body[kept : min(at, kept + max(0, MOST_SMALL - size))])
        return b"".join(pieces)

    def _closing(self, start: int, end: int) -> int:
        """Where the quote is that ends the string whose inside begins at `start`; -1 where none does."""
        at = start
        while at < end and self._quotes > 0:
            quote = self.body.find(b'"', at, min(at + _STEP, end))
            if quote < 0:
                at += _STEP
                continue
            self._quotes -= 1
            if self.body[quote - 1] != _BACKSLASH or backslashes_before(self.body, quote, start) % 2 == 0:
                return quote
            at = quote + 1
        return -1


def _inside(long: LongText) -> slice:
    return slice(long.spans[0].start, long.spans[0].end)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").removeprefix("\ufeff")


class NotJson(ValueError):
    """The reply is not JSON at all, or cut short."""


def read_json(body: bytes) -> Any:
    """The first JSON value in `body`; a BOM before it and garbage after it are ignored. Raises NotJson."""
    source = LongJson(body)
    try:
        return source.parse(source.text().lstrip())[0]
    except (ValueError, RecursionError):
        raise NotJson("not JSON") from None
