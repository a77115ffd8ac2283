"""Joins an answer that came in pieces although nobody asked for a stream: server-sent events, JSON lines, a list of chunks.

Some copies of an API stream whatever they are asked. The pieces become one answer of the shape that the same API gives
without a stream, so that dialects read one shape only. Sources: the WHATWG page on server-sent events; the chunk types of
google-genai (`GenerateContentResponse`) and openai (`ChatCompletionChunk`, `ImageGenStreamEvent`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from .result_images import images_in

MOST_EVENTS = 100_000
"""More than any model sends for one answer; what follows is not read."""
_LINE_END = re.compile(r"\r\n|\n|\r")
"""Not `splitlines`: it also cuts at characters that JSON strings may hold as they are."""


def parse_events(text: str) -> list[Any]:
    """The JSON values of server-sent events, in order; events without JSON (`[DONE]`, comments) are passed over."""
    values: list[Any] = []
    data: list[str] = []
    for line in _LINE_END.split(text, MOST_EVENTS):
        if not line.strip():
            values += _value(data)
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return [*values, *_value(data)]


def parse_json_lines(text: str) -> list[Any]:
    """The JSON values that follow each other in `text`, up to the first thing that is none."""
    decoder, at = json.JSONDecoder(), 0
    values: list[Any] = []
    while at < len(text) and len(values) < MOST_EVENTS:
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        values.append(value)
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
    return values


def is_event_stream(text: str) -> bool:
    """Whether a body is server-sent events, by its first line."""
    return text.lstrip().startswith(("data:", "event:", "id:", "retry:", ":"))


def is_chunk(value: Any) -> bool:
    """Whether a value is a piece of an answer: of a Gemini stream, of a chat, or an event such as `image_edit.completed`."""
    if not isinstance(value, dict):
        return False
    return "candidates" in value or "choices" in value or "." in str(value.get("type", ""))


def join_chunks(values: Iterable[Any]) -> dict[str, Any] | None:
    """One answer out of its pieces; None where no piece is a JSON object."""
    chunks = [value for value in values if isinstance(value, dict)]
    if not chunks:
        return None
    joined: dict[str, Any] = {}
    for chunk in chunks:
        joined.update({name: value for name, value in chunk.items() if value is not None})
    if any("candidates" in chunk for chunk in chunks):
        joined["candidates"] = _joined(chunks, "candidates", _add_candidate)
    elif any("choices" in chunk for chunk in chunks):
        joined["choices"] = _joined(chunks, "choices", _add_choice)
    else:
        return _completed(chunks)
    return joined


def _joined(chunks: list[dict[str, Any]], name: str, add: Any) -> list[dict[str, Any]]:
    """The entries of a list that all pieces have, by their index."""
    entries: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        listed = chunk.get(name)
        for place, entry in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(entry, dict):
                index = entry.get("index")
                known = index if isinstance(index, int) and not isinstance(index, bool) else place
                add(entries.setdefault(known, {}), entry)
    return [entries[index] for index in sorted(entries)]


def _add_candidate(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    content = piece.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    known = whole.setdefault("content", {"role": "model", "parts": []})["parts"]
    known += parts if isinstance(parts, list) else []
    whole.update({name: value for name, value in piece.items() if name != "content" and value is not None})


def _add_choice(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    message = whole.setdefault("message", {})
    for name in ("message", "delta"):
        part = piece.get(name)
        for field, value in (part if isinstance(part, dict) else {}).items():
            known = message.get(field)
            texts = isinstance(value, str) and isinstance(known, str) and field != "role"
            if texts or (isinstance(value, list) and isinstance(known, list)):
                message[field] = known + value
            elif value is not None:
                message[field] = value
    whole.update({n: value for n, value in piece.items() if n not in ("message", "delta") and value is not None})


def _completed(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The event that holds the finished image, else the error, else the last one; partial images are drafts."""
    finished = [chunk for chunk in chunks if "partial" not in str(chunk.get("type", ""))]
    with_image = [chunk for chunk in finished if images_in(chunk)]
    return (with_image or [chunk for chunk in finished if chunk.get("error")] or finished or [{}])[-1]


def _value(data: list[str]) -> list[Any]:
    if not data:
        return []
    try:
        return [json.loads("\n".join(data))]
    except (ValueError, RecursionError):
        return []
