"""Joins the base64 of an image that is cut into pieces: over the parts of one list, or over the events of a stream.

Two neighbours belong together where a text of the first ends within base64 that began as an image and is not whole, and the
text at the same place in the second goes on with base64. Everything else stays as it is. No I/O; a text that is joined already
is lengthened where it is, because pieces may be thousands.
"""

from __future__ import annotations

import re
from typing import Any

from ...http.long_text import LongText, Spans
from ...images.header import ends_whole
from .base64_text import HEAD, decode_base64, layers_of
from .coded_image import CodedImage
from .text_images import Text

_DEEPEST = 10
_MOST_NODES = 20_000
_MOST_NAMES = 64
"""Fields of one object that are compared."""
_EDGE = 48
"""Characters at the cut that have to be base64; a last piece may be shorter."""
_MOST_TEXT = 16 << 20
"""Characters of a text in memory that is looked at."""
_MOST_COPIED = 16 << 10
"""Characters of a text that is copied for each of its pieces; a longer one is a row of spans."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+")
_GOES_ON = re.compile(rb"[A-Za-z0-9+/_-]*={0,2}")
_CLOSED = frozenset((b")", b'"', b"'", b">", b"`", b"]"))
"""What may be right behind a last piece, in the markup around it."""
_START = re.compile(rb"data:[\w.+-]{0,40}(?:/[\w.+-]{1,40})?[^,\s]{0,200},|iVBORw0KGgo|/9j/|UklGR")


def with_joined_images(value: Any) -> Any:
    """`value` with the pieces of images in its lists joined; itself where there are none."""
    return _joined(value, [_MOST_NODES], 0)


def continued(first: Any, second: Any) -> Any:
    """`first` with the piece of an image in `second` at its end; None where `second` does not go on with one."""
    return _continued(first, second, 0)


def _joined(node: Any, remaining: list[int], depth: int) -> Any:
    remaining[0] -= 1
    if depth > _DEEPEST or remaining[0] <= 0:
        return node
    if isinstance(node, dict):
        changed = {name: new for name, item in node.items() if (new := _joined(item, remaining, depth + 1)) is not item}
        return {**node, **changed} if changed else node
    if not isinstance(node, list) or (node and isinstance(node[0], int)):
        return node
    items: list[Any] = []
    for item in node:
        remaining[0] -= 1
        new = _continued(items[-1], item, depth) if items and remaining[0] > 0 else None
        if new is None:
            items.append(_joined(item, remaining, depth + 1))
        else:
            items[-1] = new
    same = len(items) == len(node) and all(new is old for new, old in zip(items, node, strict=True))
    return node if same else items


def _continued(first: Any, second: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return None
    if isinstance(first, Text) and isinstance(second, Text):
        if not _goes_on(second):
            return None
        # Whether it is whole is not asked for each of many pieces, but before what may be a word.
        known = isinstance(first, LongText) and isinstance(first.spans, Spans) and len(second) >= _EDGE
        is_cut = _ends_in_base64(first) if known else _is_cut(first)
        return _append(first, second) if is_cut else None
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second) == 1:
        new = _continued(first[0], second[0], depth + 1)
        return None if new is None else [new]
    if not isinstance(first, dict) or not isinstance(second, dict) or len(second) > _MOST_NAMES:
        return None
    for name, item in second.items():
        if name in first and (new := _continued(first[name], item, depth + 1)) is not None:
            return {**first, name: new}
    return None


def _goes_on(text: Text) -> bool:
    """Whether a text begins within base64, and not with an image of its own."""
    head = text[:HEAD].encode("utf-8", "replace") if isinstance(text, str) else text.head(HEAD)
    run = _GOES_ON.match(head)
    length = run.end() if run else 0
    if length < 4 or layers_of(head) or head.startswith(b"data:"):
        return False
    return length >= _EDGE or length == len(head) or head[length : length + 1] in _CLOSED


def _is_cut(text: Text) -> bool:
    """Whether a text ends within the base64 of an image that is not whole."""
    if isinstance(text, str):
        data = text.encode("utf-8", "replace") if len(text) <= _MOST_TEXT else b""
        start = _START.search(data)
        if start is None or not _ends_in_base64(text):
            return False
        coded = data[start.start() :].decode("utf-8", "replace")
        # Padded with zeros where it is cut within four characters.
        found = next((part for cut in range(4) if (part := decode_base64(coded[: len(coded) - cut]))), b"")
        return bool(found) and not ends_whole(found)
    if not _ends_in_base64(text):
        return False
    head = text.head(HEAD)
    start = _START.search(head)
    if start is None:
        return False
    if layers_of(head):
        image = CodedImage.of(text)
        return image is None or not ends_whole(image.read())
    return True  # in the middle of a text: what follows is base64, too


def _ends_in_base64(text: Text) -> bool:
    if isinstance(text, str):
        return bool(_BASE64.fullmatch(text[-_EDGE:].encode("utf-8", "replace")))
    last = text.spans[len(text.spans) - 1] if len(text.spans) else None
    return last is not None and bool(_BASE64.fullmatch(last.body[max(last.start, last.end - _EDGE) : last.end]))


def _append(first: Text, second: Text) -> Text:
    if isinstance(first, str) and isinstance(second, str) and len(first) + len(second) <= _MOST_COPIED:
        return first + second
    first = LongText.of(first) if isinstance(first, str) else first
    if isinstance(first.spans, Spans):
        spans = first.spans
    else:
        spans = Spans()
        for span in first.spans:
            spans.add(span)
    for span in (LongText.of(second) if isinstance(second, str) else second).spans:
        spans.add(span)
    return LongText.joined(spans)
