"""Reads the JSON of replies with tolerance: it is not always clean, and not always one object.

What a result is says `result_images`; errors are read in `error_parsing`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ...http.long_json import LongJson, NotJson, TooMuch
from ...http.long_json import read_json as read_json
from ..base.step import Reply
from .envelopes import unwrapped
from .event_stream import is_chunk, is_event_stream, join_chunks, parse_events, parse_json_lines
from .images_by_content import images_in_bytes
from .result_images import images_in, images_of, result_images

_MOST_COPIED = 100 << 20
"""Bytes of a body that is copied without what is before its JSON."""
_MOST_UTF16 = 4 << 20
_UTF16 = {
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"{\0": "utf-16-le",
    b"[\0": "utf-16-le",
    b"\0{": "utf-16-be",
    b"\0[": "utf-16-be",
}
"""How JSON in UTF-16 begins, with and without a byte order mark."""
_MOST_LINES = 1 << 20
_HEAD = 1 << 10
_MOST_BEFORE = 16 << 10
"""Bytes before the JSON of a body that begins with something else."""


def plain_text(body: bytes) -> bytes:
    """A body as UTF-8 without what some servers put before the JSON: UTF-16, and the prefix that guards against inclusion."""
    coding = _UTF16.get(body[:2])
    if coding and len(body) <= _MOST_UTF16:
        body = body.decode(coding, "replace").encode("utf-8", "replace")
    guarded = body[:5].startswith(b")]}'") and len(body) <= _MOST_COPIED
    return body.partition(b"\n")[2] if guarded else body


def _after_comments(body: bytes) -> bytes:
    """What follows the comments of a stream: OpenRouter sends some while it waits, also before plain JSON."""
    at = 0
    for _ in range(10_000):
        if body[at : at + 1] not in (b":", b"\r", b"\n"):
            break
        end = body.find(b"\n", at, at + 10_000)
        if end < 0:
            break
        at = end + 1
    return body[at:] if len(body) <= _MOST_COPIED else b""


def _of_events(source: LongJson) -> dict[str, Any]:
    """The answer that came as server-sent events. Raises NotJson."""
    image: Any = None

    def objects() -> Iterator[Any]:
        nonlocal image
        for value in parse_events(source):
            inner = unwrapped(value)
            yield inner
            if not isinstance(inner, dict) and images_in(value):
                image = value

    try:
        joined = join_chunks(objects())
    except TooMuch:
        raise NotJson("too much JSON") from None
    if joined is not None:
        # A last event that is cut off may have had its picture already.
        cut = [] if result_images(joined).images else images_in_bytes(source.body)
        return {**joined, "data": cut} if cut else joined
    if image is not None:
        return {"data": image}
    rest = _after_comments(source.body)
    if rest[:1] in (b"{", b"["):
        return read_object(Reply(200, {}, rest))
    lines = source.body.splitlines() if len(source.body) <= _MOST_LINES else []
    parts = [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
    data = b"\n".join(part for part in parts if part != b"[DONE]")
    if data and not is_event_stream(data):
        with contextlib.suppress(NotJson):
            return read_object(Reply(200, {}, data))  # an address as the data of an event
    return _behind_other_bytes(source.body)


def _behind_other_bytes(body: bytes) -> dict[str, Any]:
    """An answer behind what isn't JSON, such as the warning of a program or the name of a function; else its images alone.

    Raises NotJson.
    """
    is_json = body[:_HEAD].lstrip()[:1] in (b"{", b"[")
    start = -1 if is_json else body.find(b"{", 0, _MOST_BEFORE)
    if start > 0 and len(body) <= _MOST_COPIED:
        source = LongJson(body[start:])
        try:
            value = source.parse(source.text())[0]
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and images_in(unwrapped(value)):
            return dict(unwrapped(value))
    images = images_in_bytes(body)
    if not images:
        raise NotJson("not JSON")
    return {"data": images}


def read_object(reply: Reply) -> dict[str, Any]:
    """The JSON object of a reply; one that came as a stream of pieces is joined first. Raises NotJson."""
    source = LongJson(plain_text(reply.body))
    if is_event_stream(source.body):
        return _of_events(source)
    text = source.text().lstrip()
    try:
        value, end = source.parse(text)
    except (ValueError, RecursionError):
        if images_of(source.whole):
            return {"data": [source.whole]}  # an address or base64 as the whole body
        return _behind_other_bytes(source.body)
    value = unwrapped(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = [unwrapped(each) for each in value]
        # Some gateways wrap an error into a list; a stream that is read to its end is a list of chunks.
        value = join_chunks(value) if any(is_chunk(each) for each in value) else value[0]
    elif is_chunk(value) and text[end : end + 2].strip():
        more = parse_json_lines(source, text[end:].lstrip())
        value = join_chunks([value, *(each for each in map(unwrapped, more) if is_chunk(each))])
    elif isinstance(value, dict) and text[end : end + 400].lstrip().startswith("{"):
        value = join_chunks([value, *parse_json_lines(source, text[end:].lstrip())])
    elif not isinstance(value, dict) and images_in(value):
        value = {"data": value}
    return value if isinstance(value, dict) else _behind_other_bytes(source.body)
