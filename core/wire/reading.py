"""Reads the JSON of replies with tolerance: it is not always clean, and not always one object.

What a result is says `result_images`; errors are read in `error_parsing`.
"""

from __future__ import annotations

from typing import Any

from .event_stream import is_chunk, is_event_stream, join_chunks, parse_events, parse_json_lines
from .long_json import LongJson
from .result_images import image_of, images_in
from .step import Reply


class NotJson(ValueError):
    """The reply is not JSON at all, or cut short."""


def read_json(body: bytes) -> Any:
    """The first JSON value in `body`; a BOM before it and garbage after it are ignored. Raises NotJson."""
    source = LongJson(body)
    try:
        return source.parse(source.text().lstrip())[0]
    except (ValueError, RecursionError):
        raise NotJson("not JSON") from None


def read_object(reply: Reply) -> dict[str, Any]:
    """The JSON object of a reply; one that came as a stream of pieces is joined first. Raises NotJson."""
    source = LongJson(reply.body)
    if is_event_stream(reply.body):
        joined = join_chunks(parse_events(source))
        if joined is None:
            raise NotJson("not JSON")
        return joined
    text = source.text().lstrip()
    try:
        value, end = source.parse(text)
    except (ValueError, RecursionError):
        if image_of(source.whole):
            return {"data": [source.whole]}  # an address or base64 as the whole body
        raise NotJson("not JSON") from None
    if isinstance(value, list) and value and isinstance(value[0], dict):
        # Some gateways wrap an error into a list; a stream that is read to its end is a list of chunks.
        value = join_chunks(value) if any(is_chunk(each) for each in value) else value[0]
    elif is_chunk(value) and text[end : end + 2].strip():
        more = parse_json_lines(source, text[end:].lstrip())
        value = join_chunks([value, *(each for each in more if is_chunk(each))])
    elif not isinstance(value, dict) and images_in(value):
        value = {"data": value}
    if not isinstance(value, dict):
        raise NotJson("not a JSON object")
    return value
