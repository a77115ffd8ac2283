"""Finds the images of an answer whose shape nobody has seen yet, by their own bytes.

The last thing that is tried before a paid answer counts as one without a picture. `result_images` knows the places of the
known APIs; here every field of a JSON value is looked at, and a body that is no JSON as well. Bytes that begin as an image
can't be anything else, but they can be another image: fields that name inputs, drafts or small versions are left out, and so
are addresses, which lead to anything. Pure functions.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...http.long_text import LongText, Span
from ...images.header import ends_whole
from ...images.picture import sniff
from ..base.step import ImageRef
from .data_uris import PARAMETERS, end_of_run, search_in_steps
from .image_names import has_other_role
from .text_images import Text, image_of, images_of, split_text

_DEEPEST = 12
_MOST_NODES = 20_000
_SHORTEST = 64
"""Characters of a text that can be an image."""
_OTHER_FIELDS = re.compile(
    r"(?i)input|request|message_?history|param|option|config|setting|prompt|arguments|tool_?calls|reference|mask|init"
    r"|source_?im|original|upload|thumb|preview|partial|draft|reason|think|thought|signature|avatar|logo|icon|error|encrypted|grounding|search|citation"
)
"""Fields that hold an echo of the request, a draft, a small version, or no result at all."""
_MARKUP = ("![", "<img", "<IMG", "data:image")
_CODED_START = re.compile(
    rb"(?:iVBORw0KGgo|(?:\\?/)9j(?:\\?/)|UklGR[A-P]|data:image\\?/[\w.+-]{1,40}" + PARAMETERS.encode() + rb"\s{0,2},)"
)
"""How the base64 of PNG, JPEG and WebP begins."""
_WORD_START = re.compile(rb"(?<![A-Za-z0-9+/=_-])(?:iVBORw0KGgo|/9j/|UklGR[A-P])")
_LINES = re.compile(
    rb"[A-Za-z0-9+/_-]+(?:[ \t]{0,9}\r?\n[ \t]{0,9}[A-Za-z0-9+/_-]{16,})*"
    rb"(?:[ \t]{0,9}\r?\n[ \t]{0,9}[A-Za-z0-9+/_-]{1,200})?={0,2}"
)
"""Base64, also in lines; a short last line may be one, or a word."""
_RAW_START = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff[\xc0-\xfe]|RIFF.{4}WEBP", re.S)
_DRAFT_MARKS = (b'"thought"', b"partial_image")
_LOOKED_AT = 4096
_MOST_RAW = 16 << 20
"""Bytes of an image behind others: it is coded at once, and nothing else runs in that time."""
_MOST_WORDS = 8 << 20
"""Bytes of a text with base64 between words: one match runs through all of it, and holds the interpreter."""
_MOST_IMAGES = 16
_STEP = 1 << 20
_SEARCHED = 128 << 10
"""Bytes that are searched for the start of base64 at a time: 3 ms or more, in which nothing else runs."""
_LONGEST_START = 1024
"""More bytes than `_CODED_START` ever takes: so many are searched again with the next ones."""


def images_by_content(value: Any) -> list[ImageRef]:
    """The images anywhere in a JSON value, in order."""
    return list(_walk(value))


def images_in_bytes(body: bytes) -> list[LongText]:
    """The images, as base64, in a body that is no JSON: base64 that ends in it, or the bytes of an image behind a few others.

    Nothing of a web page, whose images are its own, nor of a stream that marks drafts.
    """
    head = body[:_LOOKED_AT].lstrip()
    if (
        (head.startswith(b"<") and not head.startswith(b"<?xml"))
        or b"<html" in head.lower()
        or any(_holds(body, mark) for mark in _DRAFT_MARKS)
    ):
        return []
    raw = _RAW_START.search(body, 0, _LOOKED_AT)
    if raw and len(body) <= _MOST_RAW:
        coded = base64.b64encode(body[raw.start() :])
        return [LongText(Span(coded, 0, len(coded), escaped=False))]
    found: list[LongText] = []
    at = 0
    while len(found) < _MOST_IMAGES:
        match = search_in_steps(_CODED_START, body, at, step=_SEARCHED, overlap=_LONGEST_START)
        if match is None:
            break
        span = Span(body, match.start(), len(body), escaped=True)
        at = max(end_of_run(span, match.end()), match.end())
        text = LongText(replace(span, end=at))
        found += [text] if at < len(body) and image_of(text) else []  # else it is cut off
    return found


def _holds(body: bytes, mark: bytes) -> bool:
    """Whether `mark` is in a body, looked for in steps: a search holds the interpreter."""
    return any(body.find(mark, at, at + _STEP + len(mark)) >= 0 for at in range(0, len(body), _STEP))


def _walk(root: Any) -> Iterator[ImageRef]:
    pending: list[tuple[Any, int]] = [(root, 0)]
    for _ in range(_MOST_NODES):
        if not pending:
            return
        node, depth = pending.pop()
        if isinstance(node, (str, LongText)):
            yield from _of_text(node)
            continue
        image = _of_numbers(node)
        if image:
            yield image
        elif depth < _DEEPEST and isinstance(node, list):
            pending += [(item, depth + 1) for item in reversed(node[:_MOST_NODES])]
        elif depth < _DEEPEST and isinstance(node, dict) and not _is_other(node):
            pending += [(item, depth + 1) for name, item in reversed(node.items()) if not _OTHER_FIELDS.search(name)]


def _is_other(node: dict[str, Any]) -> bool:
    return node.get("thought") is True or "partial" in str(node.get("type", "")) or has_other_role(node)


def _of_text(text: Text) -> list[ImageRef]:
    images = images_of(text) if len(text) >= _SHORTEST else []
    if images:
        return [image for image in images if not image.url]
    marked = any(mark in text for mark in _MARKUP) if isinstance(text, str) else b"data:image" in text.head(_STEP)
    return (split_text(text)[0] if marked else []) or _between_words(text)


def _between_words(text: Text) -> list[ImageRef]:
    """The images whose base64 is between other words, also in lines, such as in a tag or in the notation of a program."""
    if len(text) < _SHORTEST or len(text) > _MOST_WORDS:
        return []
    try:
        data = text.encode("utf-8", "replace") if isinstance(text, str) else text.read()
    except ValueError:
        return []
    found: list[ImageRef] = []
    at = 0
    while len(found) < _MOST_IMAGES:
        match = search_in_steps(_WORD_START, data, at, step=_STEP, overlap=_SHORTEST)
        if match is None:
            break
        run = _LINES.match(data, match.start())
        at = run.end() if run else match.end()
        if at - match.start() >= _SHORTEST and (image := _of_run(data, match.start(), at)):
            found.append(image)
    return found


def _of_run(data: bytes, start: int, end: int) -> ImageRef | None:
    """The whole image in a run of base64, behind which a word or its letters may be."""
    last_line = data.rfind(b"\n", start, end)
    for stop in (end, last_line):
        for cut in range(4):
            image = image_of(LongText(Span(data, start, stop - cut, escaped=False))) if stop - cut > start else None
            if image is not None and ends_whole(image.read()):
                return image
    return None


def _of_numbers(node: Any) -> ImageRef | None:
    """Bytes as a list of numbers, or as an object with one for each index, as JavaScript writes its arrays of bytes."""
    if isinstance(node, dict) and len(node) >= _SHORTEST and "0" in node and str(len(node) - 1) in node:
        node = list(node.values())
    if not isinstance(node, list) or len(node) < _SHORTEST or not _are_bytes(node[:_SHORTEST]):
        return None
    if not sniff(bytes(node[:_SHORTEST])) or not _are_bytes(node):
        return None
    return ImageRef(data=bytes(node))


def _are_bytes(numbers: list[Any]) -> bool:
    return all(isinstance(each, int) and 0 <= each < 256 for each in numbers)
