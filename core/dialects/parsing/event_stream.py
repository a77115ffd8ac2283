"""Joins an answer that came in pieces although no stream was requested: server-sent events, JSON lines, a list of chunks.

Some copies of an API stream whatever is requested. The pieces become one answer of the shape that the same API gives
without a stream, so that dialects read one shape only. Sources: the WHATWG page on server-sent events; the chunk types of
google-genai (`GenerateContentResponse`) and openai (`ChatCompletionChunk`, `ImageGenStreamEvent`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...http.long_json import LongJson, TooMuch
from ...http.long_text import LongText, Spans
from .result_images import images_in
from .split_images import continued

BROKEN_OFF = "STREAM_BROKE_OFF"
"""The finish reason of a stream that names none; no provider has it. What came before may have been paid."""
MOST_EVENTS = 100_000
"""More than any model sends for one answer; what follows is not read."""
_STEP = 1 << 20
_HEAD = 1024


def parse_events(source: LongJson) -> Iterator[Any]:
    """The JSON values of server-sent events, in order; events without JSON (`[DONE]`, comments) are passed over.

    Raises TooMuch: a part of a stream would be a part of a picture.
    """
    data: list[str] = []
    for start, end in _lines(source.body):
        first = source.body[start : min(end, start + 64)]
        if not first.strip() and end - start <= 64:
            yield from event_values(source, data)
            source.end_part()
            data = []
        elif first.startswith(b"data:"):
            data.append(source.text(start + 5, end).removeprefix(" "))
    yield from event_values(source, data)


def _lines(body: bytes) -> Iterator[tuple[int, int]]:
    """Where lines begin and end. They end in LF, CR or both, and nowhere else: JSON strings may hold other line ends."""
    at, ended = 3 if body.startswith(b"\xef\xbb\xbf") else 0, 0
    while at < len(body) and ended < MOST_EVENTS:
        end = line_end(body, at)
        yield at, end
        ended += 1
        at = end + (2 if body[end : end + 2] == b"\r\n" else 1)


def line_end(body: bytes, at: int) -> int:
    while at < len(body):
        stop = min(at + _STEP, len(body))
        feed = body.find(b"\n", at, stop)
        back = body.find(b"\r", at, stop if feed < 0 else feed)
        if back >= 0 or feed >= 0:
            return back if back >= 0 else feed
        at = stop
    return len(body)


def parse_json_lines(source: LongJson, text: str) -> list[Any]:
    """The JSON values that follow each other in `text`, up to the first thing that is none."""
    at = 0
    values: list[Any] = []
    while at < len(text) and len(values) < MOST_EVENTS:
        try:
            value, at = source.parse(text, at)
        except (ValueError, RecursionError):
            break
        values.append(value)
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
    return values


def is_event_stream(body: bytes) -> bool:
    """Whether a body is server-sent events, by its first line."""
    head = body[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    # A data URI as the whole body begins with the same word.
    return head.startswith((b"data:", b"event:", b"id:", b"retry:", b":")) and not head.startswith(b"data:image/")


def is_chunk(value: Any) -> bool:
    """Whether a value is a piece of an answer: of a Gemini stream, of a chat, or an event such as `image_edit.completed`."""
    if not isinstance(value, dict):
        return False
    return "candidates" in value or "choices" in value or "." in str(value.get("type", ""))


def join_chunks(values: Iterable[Any]) -> dict[str, Any] | None:
    """One answer out of its pieces; None where no piece is a JSON object."""
    joining = _ChunkJoiner()
    for value in values:
        if isinstance(value, dict):
            joining.add(value)
    return joining.answer()


class _ChunkJoiner:
    """Joins pieces one by one, so that those which are joined need no memory any more."""

    def __init__(self) -> None:
        self._joined: dict[str, Any] | None = None
        self._candidates: dict[int, dict[str, Any]] | None = None
        self._choices: dict[int, dict[str, Any]] | None = None
        self._completed: list[dict[str, Any]] = [{}, {}, {}]
        """The last event that is finished, the last of those with an error, the last with an image."""

    def add(self, chunk: dict[str, Any]) -> None:
        self._joined = self._joined or {}
        self._joined.update({name: value for name, value in chunk.items() if value is not None})
        if "candidates" in chunk:
            self._candidates = self._candidates or {}
            _add_entries(self._candidates, chunk["candidates"], _add_candidate)
        if "choices" in chunk:
            self._choices = self._choices or {}
            _add_entries(self._choices, chunk["choices"], _add_choice)
        if "partial" not in str(chunk.get("type", "")):  # partial images are drafts
            self._add_completed(chunk)

    def _add_completed(self, chunk: dict[str, Any]) -> None:
        for earlier in (self._completed[2], self._completed[0]):
            if (longer := continued(earlier, chunk)) is not None:
                self._completed[0] = self._completed[2] = longer
                return
        self._completed[0] = chunk
        if chunk.get("error"):
            self._completed[1] = chunk
        if images_in(chunk):
            self._completed[2] = chunk

    def answer(self) -> dict[str, Any] | None:
        joined = self._joined
        if joined is None:
            return None
        if self._candidates is not None:
            joined["candidates"] = [self._candidates[index] for index in sorted(self._candidates)]
            for candidate in joined["candidates"]:
                if not (candidate.get("finishReason") or candidate.get("finish_reason")):
                    # A stream names its end in its last piece: without one it broke off, and a draft in it is no result.
                    candidate["finishReason"] = BROKEN_OFF
            return joined
        if self._choices is not None:
            joined["choices"] = [self._choices[index] for index in sorted(self._choices)]
            for choice in joined["choices"]:
                message = choice["message"]
                choice["finish_reason"] = choice.get("finish_reason") or BROKEN_OFF
                message.update({name: text.joined() for name, text in message.items() if isinstance(text, _Texts)})
            return joined
        last, error, image = self._completed
        if error and not image:
            # An error after them came while the model was at work.
            begun: dict[str, Any] = {name: joined[name] for name in ("usageMetadata", "modelVersion") if name in joined}
            return {**begun, **error}
        return image or last


def _add_entries(entries: dict[int, dict[str, Any]], listed: Any, add: Callable[[Any, Any], None]) -> None:
    """Adds the entries of a list that all pieces have to those before, by their index."""
    for position, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, dict):
            index = entry.get("index")
            known = index if isinstance(index, int) and not isinstance(index, bool) else position
            add(entries.setdefault(known, {}), entry)


def _add_candidate(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    content = piece.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    known = whole.setdefault("content", {"role": "model", "parts": []})["parts"]
    known += parts if isinstance(parts, list) else []
    whole.update({name: value for name, value in piece.items() if name != "content" and value is not None})


class _Texts:
    """The pieces of a text, joined at the end: joined one by one they would be copied again and again."""

    def __init__(self, first: str | LongText) -> None:
        self._short: list[str] = []
        """The pieces, while none of them is long."""
        self._spans: Spans | None = None
        self.append(first)

    def append(self, piece: str | LongText) -> None:
        if self._spans is None and isinstance(piece, str):
            self._short.append(piece)
            return
        if self._spans is None:
            self._spans = Spans()
            before, self._short = self._short, []
            self.append("".join(before))
        for span in (LongText.of(piece) if isinstance(piece, str) else piece).spans:
            self._spans.add(span)

    def joined(self) -> str | LongText:
        return "".join(self._short) if self._spans is None else LongText.joined(self._spans)


def _add_choice(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    message = whole.setdefault("message", {})
    for name in ("message", "delta"):
        part = piece.get(name)
        for field, value in (part if isinstance(part, dict) else {}).items():
            known = message.get(field)
            if isinstance(value, (str, LongText)) and field != "role":
                if isinstance(known, _Texts):
                    known.append(value)
                else:
                    message[field] = _Texts(value)
            elif isinstance(value, list) and isinstance(known, list):
                known += value
            elif value is not None:
                message[field] = list(value) if isinstance(value, list) else value
    whole.update({n: value for n, value in piece.items() if n not in ("message", "delta") and value is not None})


def event_values(source: LongJson, data: list[str]) -> list[Any]:
    """The JSON value of an event with these lines of data; [] where it has none. Raises TooMuch."""
    if not data:
        return []
    text = "\n".join(data).strip()
    try:
        value, end = source.parse(text)
    except TooMuch:
        raise
    except (ValueError, RecursionError):
        return []
    return [value] if end == len(text) else []
