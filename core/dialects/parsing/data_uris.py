"""Finds the data URIs of images in a long text, without a copy of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...http.long_text import Span

MOST_IMAGES = 1000
"""Images that a text may hold; what follows is words."""
_STEP = 1 << 20
_NOT_SLASH = re.compile(rb"\\[^/]")
PARAMETERS = r"(?:;\s{0,2}[\w.+-]{1,60}(?:=(?:\\?\"[^\"\\\n]{0,100}\\?\"|[\w.+-]{0,60}))?){0,4}"
"""Those of a data URI, with quoted values; in a JSON string the quotes are escaped."""
_DATA_HEAD = re.compile(rb"data:image\\?/[\w.+-]{1,40}" + PARAMETERS.encode() + rb"\s{0,2},")
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/=_%\\-]*")


def search_in_steps(
    pattern: re.Pattern[bytes], data: bytes, at: int, *, step: int, overlap: int
) -> re.Match[bytes] | None:
    """The first match from `at` on. `step` bytes at a time, because a search holds the interpreter.

    `overlap`: more bytes than a match takes; so many are searched again with the next ones.
    """
    while at < len(data):
        match = pattern.search(data, at, min(at + step, len(data)))
        if match is not None:
            return match
        at += step - overlap
    return None


def data_uris(span: Span) -> Iterator[tuple[int, int]]:
    """Where what looks like the data URI of an image begins and ends."""
    body, at, found = span.body, span.start, 0
    while at < span.end and found < MOST_IMAGES:
        start = body.find(b"data:image", at, min(at + _STEP, span.end))
        if start < 0:
            at = at + _STEP - len(b"data:image")
            continue
        head = _DATA_HEAD.match(body, start, span.end)
        at = end_of_run(span, head.end()) if head else start + 1
        if head:
            found += 1
            yield start, at


def end_of_run(span: Span, at: int) -> int:
    """Where base64 that begins at `at` ends; in a JSON string its slashes may be escaped."""
    body = span.body
    while at < span.end:
        stop = min(at + _STEP, span.end)
        run = _BASE64_RUN.match(body, at, stop)
        end = run.end() if run else at
        if span.escaped:
            wrong = _NOT_SLASH.search(body, at, end)
            stray = wrong.start() if wrong else end - 1 if body[at:end].endswith(b"\\") else -1
        else:
            stray = body.find(b"\\", at, end)
        if stray >= 0:
            if stray == end - 1 and end == stop < span.end and stray > at:
                at = stray  # an escape across the edge of two steps
                continue
            return stray
        if end < stop:
            return end
        at = end
    return span.end
