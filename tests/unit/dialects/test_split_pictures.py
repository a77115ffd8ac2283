"""A picture whose base64 is cut into pieces is one picture: over the parts of a list, or over the events of a stream."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_play import answering, engine_at, play
from long_rows import every_value
from noise_pictures import png, uri
from pack.core.dialects.parsing.split_images import with_joined_images


def plain(data: bytes) -> str:
    return base64.b64encode(data).decode()


def chat(content: Any = "", **message: Any) -> dict[str, Any]:
    return {"choices": [{"finish_reason": "stop", "message": {"content": content, **message}}]}


def gemini(*parts: Any, reason: str | None = "STOP") -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": reason, "index": 0}]}


def drawn(piece: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": piece}}


def words(pieces: list[str]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": piece} for piece in pieces]


IN_ONE: dict[str, tuple[str, Callable[[bytes], str], Callable[[list[str]], Any]]] = {
    "parts of a chat": ("openrouter", uri, lambda pieces: chat(words(pieces))),
    "parts with markup": ("openrouter", lambda d: f"![x]({uri(d)})", lambda pieces: chat(words(pieces))),
    "parts and words": ("openrouter", uri, lambda pieces: chat([*words(pieces), *words(["Enjoy!"])])),
    "base64 alone": ("nanobanana", plain, lambda pieces: chat(words(pieces))),
    "images of a message": (
        "openrouter",
        uri,
        lambda pieces: chat(images=[{"image_url": {"url": piece}} for piece in pieces]),
    ),
    "a list of strings": ("nanobanana", plain, lambda pieces: {"data": pieces}),
    "Gemini's data": ("google", plain, lambda pieces: gemini(*map(drawn, pieces))),
    "Gemini's text": ("google", uri, lambda pieces: gemini(*({"text": piece} for piece in pieces))),
}
IN_EVENTS: dict[str, tuple[str, Callable[[bytes], str], Callable[[str], Any]]] = {
    "Gemini's data": ("google", plain, lambda piece: gemini(drawn(piece), reason=None)),
    "deltas": ("openrouter", uri, lambda piece: {"choices": [{"index": 0, "delta": {"content": words([piece])}}]}),
    "images of deltas": (
        "openrouter",
        uri,
        lambda piece: {"choices": [{"index": 0, "delta": {"images": [{"image_url": {"url": piece}}]}}]},
    ),
    "an images API": ("nanobanana", plain, lambda piece: {"type": "image.chunk", "b64_json": piece}),
    "its data": ("nanobanana", plain, lambda piece: {"data": [{"b64_json": piece}]}),
}


def cut(text: str, count: int) -> list[str]:
    size = len(text) // count + 1
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize(("shape", "count", "side"), every_value([*IN_ONE], [2, 7], [40, 360]))
def test_a_picture_in_parts_is_one(shape: str, count: int, side: int, tmp_path: Path) -> None:
    provider, spelled, shaped = IN_ONE[shape]
    with answering({"status": 200, "body": shaped(cut(spelled(png(side)), count))}) as server:
        run = play(engine_at(tmp_path, provider, server.url), provider)
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == png(side) and len(server.posts) == 1


@pytest.mark.parametrize(("shape", "count", "side"), every_value([*IN_EVENTS], [2, 7], [40, 360]))
def test_a_picture_in_events_is_one(shape: str, count: int, side: int, tmp_path: Path) -> None:
    provider, spelled, shaped = IN_EVENTS[shape]
    end = gemini({"text": ""}) if provider == "google" else {"choices": [{"index": 0, "finish_reason": "stop"}]}
    sent = [shaped(piece) for piece in cut(spelled(png(side)), count)] + ([] if provider == "nanobanana" else [end])
    raw = "".join(f"data: {json.dumps(event)}\n\n" for event in sent).encode()
    with answering({"status": 200, "raw": raw, "headers": {"Content-Type": "text/event-stream"}}) as server:
        run = play(engine_at(tmp_path, provider, server.url), provider)
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == png(side) and len(server.posts) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"data": [plain(png(40)), plain(png(41))]},
        {"data": [plain(png(40)), "Done"]},
        {"data": [plain(png(40))[:400], "not a piece of it, but a sentence"]},
        {"data": [plain(png(40))[:400], plain(png(41))]},
        {"data": ["words", "more"]},
        {"data": [{"b64_json": plain(png(40))[:400]}, {"url": plain(png(40))[400:]}]},
        {"data": [], "list": [1, 2, 3]},
    ],
)
def test_what_is_no_piece_stays(value: Any) -> None:
    assert with_joined_images(value) is value
