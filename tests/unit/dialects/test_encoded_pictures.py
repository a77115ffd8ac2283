"""A paid picture is found however its bytes are written in the answer, and however many of them are in one text."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from engine_play import answering, engine_at, play
from long_rows import every_value
from noise_pictures import b64, png
from pack.core.dialects.parsing.base64_text import decode_base64
from pack.core.dialects.parsing.text_images import images_of
from pack.core.http.long_text import LongText

FIRST, SMALL, LARGE = png(24), png(40), png(360)
"""A short text, and one that stays where it is in the body."""


SPELLINGS: dict[str, Callable[[bytes], str]] = {
    "hex": lambda data: data.hex(),
    "hex in capitals": lambda data: data.hex().upper(),
    "hex with its sign": lambda data: "0x" + data.hex(),
    "hex in lines": lambda data: "\n".join(textwrap.wrap(data.hex(), 80)),
    "hex in a data URI": lambda data: "data:image/png;hex," + data.hex(),
    "the URL-safe alphabet": lambda data: base64.urlsafe_b64encode(data).decode(),
    "no padding": lambda data: b64(data).rstrip("="),
    "lines": lambda data: "\r\n".join(textwrap.wrap(b64(data), 76)),
    "spaces": lambda data: " ".join(textwrap.wrap(b64(data), 64)),
    "lines escaped twice": lambda data: "\\n".join(textwrap.wrap(b64(data), 76)),
    "slashes escaped twice": lambda data: b64(data).replace("/", "\\/"),
    "parameters": lambda data: "data:image/png;charset=utf-8;name=a.png;base64," + b64(data),
    "a quoted parameter": lambda data: 'data:image/png;name="a, b (1).png";base64,' + b64(data),
    "no type": lambda data: "data:;base64," + b64(data),
    "another type": lambda data: "data:application/octet-stream;base64," + b64(data),
    "spaces in the URI": lambda data: "data:image/png; base64, " + b64(data),
    "percents": lambda data: "data:image/png," + quote(data),
    "a label": lambda data: "base64," + b64(data),
    "a label with a colon": lambda data: "base64:" + b64(data),
    "half a data URI": lambda data: "image/png;base64," + b64(data),
    "quotes": lambda data: f'"{b64(data)}"',
    "Python's bytes": lambda data: f"b'{b64(data)}'",
    "characters": lambda data: data.decode("latin-1"),
    "after another": lambda data: f"{b64(FIRST)},{b64(data)}",
    "on the next line": lambda data: f"{b64(FIRST)}\n{b64(data)}",
    "after another's URI": lambda data: f"data:image/png;base64,{b64(FIRST)}, data:image/png;base64,{b64(data)}",
}
SIZES = {"short": SMALL, "long": LARGE}
PLACES: dict[str, Callable[[str], Any]] = {
    "nanobanana": lambda text: {"data": [{"b64_json": text}]},
    "google": lambda text: {"candidates": [{"content": {"parts": [{"inlineData": {"data": text}}]}}]},
    "openrouter": lambda text: {"choices": [{"message": {"images": [{"image_url": {"url": text}}]}}]},
    "wavespeed": lambda text: {"data": {"status": "completed", "outputs": [text]}},
}


@pytest.mark.parametrize(("spelling", "size"), every_value([*SPELLINGS], [*SIZES], most=14))
def test_a_picture_is_read_however_it_is_spelled(spelling: str, size: str, tmp_path: Path) -> None:
    """Paid once, at one provider after the other."""
    data = SIZES[size]
    provider = list(PLACES)[list(SPELLINGS).index(spelling) % len(PLACES)]
    with answering({"status": 200, "body": PLACES[provider](SPELLINGS[spelling](data))}) as server:
        run = play(engine_at(tmp_path, provider, server.url), provider)
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == data and len(server.posts) == 1


@pytest.mark.parametrize("between", [",", ", ", "\n", " ", ";", "|"])
def test_several_addresses_in_one_text_are_several_pictures(between: str) -> None:
    first, second = "https://a.example/1.png?a=1,2", "https://a.example/2.png"
    assert [each.url for each in images_of(first + between + second)] == [first, second]


def test_a_picture_behind_a_short_address_is_found() -> None:
    """The only separator is in the first 64 bytes of the text."""
    first = f"https://a.example/{'a' * 41}.png"
    for between in (",", "\n"):
        address, coded = images_of(LongText.of(f"{first}{between}{b64(LARGE)}"))
        assert address.url == first and coded.read() == LARGE


def test_a_line_of_base64_that_looks_like_a_beginning_stays_a_part() -> None:
    """What is before it has no end."""
    coded = b64(LARGE)
    at = coded.find("/9j/")
    text = f"{coded[:400]}\n/9j/{coded[404:]}" if at < 0 else f"{coded[:at]}\n{coded[at:]}"
    for way in (text, LongText.of(text)):
        assert len(images_of(way)) == 1


@pytest.mark.parametrize(
    "text",
    ["89504e470d0a1a0a0", "0x", "data:image/png,%89PN", "base64,", "b''", '"', "data:image/png;hex,zz", "\x89PNX"],
)
def test_what_only_begins_like_a_picture_is_none(text: str) -> None:
    assert not decode_base64(text) and images_of(text) == [] and images_of(LongText.of(text)) == []


IN_WORDS: dict[str, Callable[[bytes], str]] = {
    "between words": lambda data: f"Image: {b64(data)} done.",
    "without padding": lambda data: f"Image: {b64(data).rstrip('=')} done.",
    "in lines": lambda data: "Here it is:\n" + "\n".join(textwrap.wrap(b64(data), 76)),
    "in lines and more": lambda data: "Here it is:\n" + "\n".join(textwrap.wrap(b64(data), 76)) + "\n\nEnjoy!",
    "in a tag": lambda data: f"<image>{b64(data)}</image>",
    "in a dictionary": lambda data: repr({"image": b64(data)}),
    "a quoted parameter": lambda data: f'![x](data:image/png;name="a (1).png";base64,{b64(data)})',
    "a parameter": lambda data: f"![x](data:image/png;charset=utf-8;base64,{b64(data)})",
    "hex": lambda data: f"```\n{data.hex()}\n```",
}


@pytest.mark.parametrize(("place", "size"), every_value([*IN_WORDS], [*SIZES], most=5))
def test_a_picture_between_words_is_read(place: str, size: str, tmp_path: Path) -> None:
    data = SIZES[size]
    value = {"choices": [{"finish_reason": "stop", "message": {"content": IN_WORDS[place](data)}}]}
    with answering({"status": 200, "body": value}) as server:
        run = play(engine_at(tmp_path, "openrouter", server.url), "openrouter")
        assert run.tasks[0].result is not None, run.tasks[0].error
        assert run.tasks[0].result.data == data and len(server.posts) == 1


def test_events_that_are_base64_alone_are_joined(tmp_path: Path) -> None:
    pieces = textwrap.wrap(b64(SMALL), 1000)
    raw = "".join(f"data: {piece}\n\n" for piece in [*pieces, "[DONE]"]).encode()
    with answering({"status": 200, "raw": raw, "headers": {"Content-Type": "text/event-stream"}}) as server:
        run = play(engine_at(tmp_path, "nanobanana", server.url), "nanobanana")
        assert run.tasks[0].result is not None and run.tasks[0].result.data == SMALL
