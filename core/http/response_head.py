"""The head of an HTTP answer (status line and headers), bounded and cleaned before any library reads it.

`http.client`, `urllib3` and `requests` each read the framing headers on their own, and fail in different ways on values
that are no numbers, that contradict one another, or that hold control characters. Here they are read once, by RFC 9112
(sections 4, 5 and 6), and what the libraries then see is one clear framing. Pure but for the given `readline`. Called by
`connections`.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors.messages import msg
from ..redaction.text import redact

HEAD_BYTES = 256 << 10
"""The longest head of an answer that is read, all lines together."""
_MOST_FIELDS = 90
"""`http.client` takes 100 lines."""
_LONGEST_NUMBER = 18
"""Digits of a Content-Length; a longer one is longer than any answer."""

_STATUS_LINE = re.compile(rb"HTTP/(\d)\.?(\d?)[ \t]+(\d{3})(?:[ \t]+(.*))?")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DIGITS = re.compile(rb"[0-9]+")
_CONTROLS = bytes(range(32)) + b"\x7f"
_BLANKS = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))
_DROPPED = frozenset({b"set-cookie", b"set-cookie2"})
"""Never kept, and their dates are slow to read."""
_READ_HERE = frozenset({b"content-length", b"transfer-encoding", b"content-encoding"})
_FIRST = frozenset(
    {b"content-type", b"location", b"retry-after", b"retry-after-ms", b"content-range", b"etag", b"connection"}
)
"""Headers with a meaning for the pack: they stay when there are too many."""


class BadAnswer(http.client.HTTPException):
    """What came back is no HTTP answer that can be read; its text is for the user."""


@dataclass(frozen=True)
class Head:
    """The cleaned header lines of one answer."""

    lines: tuple[bytes, ...]
    """With line ends, the empty line at the end included."""
    length_known: bool
    """False when the headers name a length of the body that can't be one: then its end is the connection's."""


def read_status_line(line: bytes) -> tuple[str, int, str]:
    """Version, status and reason of the first line. Raises BadAnswer when it is none of HTTP."""
    found = _STATUS_LINE.fullmatch(line.strip(b"\r\n"))
    if found is None or int(found[3]) < 100:
        shown = redact(line[:60].decode("latin-1"), 40).strip()
        raise BadAnswer(
            msg("response_head.not_an_http_answer")
            + (msg("response_head.answer_begins_with", shown=shown) if shown else "")
        )
    old = (found[1], found[2]) in ((b"1", b"0"), (b"0", b"9"))
    reason = (found[4] or b"").translate(_BLANKS).decode("latin-1").strip()
    return "HTTP/1.0" if old else "HTTP/1.1", int(found[3]), reason


def read_header_lines(readline: Callable[[int], bytes], *, may_be_cut: bool = False) -> list[bytes]:
    """The header lines up to the empty one.

    Raises BadAnswer beyond HEAD_BYTES, and IncompleteRead where they are cut, unless that doesn't matter (`may_be_cut`).
    """
    lines: list[bytes] = []
    most = HEAD_BYTES
    remaining = most
    while True:
        line = readline(remaining + 1)
        remaining -= len(line)
        if remaining < 0:
            raise BadAnswer(msg("response_head.headers_too_long", most=most >> 10))
        if not line and may_be_cut:
            return lines
        if not line:
            raise http.client.IncompleteRead(b"")
        if line in (b"\r\n", b"\n"):
            return lines
        lines.append(line)


def clean_head(lines: Iterable[bytes]) -> Head:
    """Header lines with one clear framing: no control characters, no folds, one length or one chunked coding."""
    fields = _fields(lines)
    framing, length_known = _framing(fields)
    rest = [(name, value) for name, value in fields if name not in _READ_HERE and name not in _DROPPED]
    rest.sort(key=lambda field: field[0] not in _FIRST)
    kept = [b"%s: %s\r\n" % field for field in [*framing, *rest][:_MOST_FIELDS]]
    return Head((*kept, b"\r\n"), length_known)


def _fields(lines: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Names in lower case and values; a line that continues the one before is joined to it, nonsense is left out."""
    found: list[tuple[bytes, list[bytes]]] = []
    current: list[bytes] | None = None
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if current is not None:
                current.append(line.strip())
            continue
        name, colon, value = line.partition(b":")
        name = name.strip(b" \t").lower()
        current = None
        if colon and _TOKEN.fullmatch(name):
            current = [value.strip()]
            found.append((name, current))
    return [(name, b" ".join(parts).translate(_BLANKS).strip()) for name, parts in found]


def _framing(fields: list[tuple[bytes, bytes]]) -> tuple[list[tuple[bytes, bytes]], bool]:
    """The headers that say where the body ends and how it is packed, and whether its length is as they say."""
    lengths, transfer, content = (
        [part.strip() for name, value in fields if name == wanted for part in value.split(b",")]
        for wanted in (b"content-length", b"transfer-encoding", b"content-encoding")
    )
    coded = [part.lower() for part in transfer if part and part.lower() != b"identity"]
    chunked = bool(coded) and coded[-1] == b"chunked"
    # What a server packs for the way is unpacked like what it packs for good: first of all, so it comes last in the list.
    packed = [part for part in content if part] + [part for part in coded if part != b"chunked"]
    framing = [(b"content-encoding", b", ".join(packed))] if packed else []
    if coded:  # it goes before any length (RFC 9112, 6.3)
        return (framing + [(b"transfer-encoding", b"chunked")] if chunked else framing), True
    if not lengths:
        return framing, True
    if not all(_DIGITS.fullmatch(length) for length in lengths):
        return framing, False
    numbers = {length.lstrip(b"0") or b"0" for length in lengths}
    if len(numbers) > 1:
        return framing, False
    return [*framing, (b"content-length", min(numbers.pop(), b"9" * _LONGEST_NUMBER, key=len))], True
