"""Feeds the readers of very long texts, and of images inside an answer, with short ones: their limits are a few bytes here.

An input is a status and headers, an empty line and a body, as one answer of `fuzz_answers`. What is read in slices has to be
what is read at once, and an image has to be its bytes each time that it is read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import fuzz_answers
import fuzz_replies
import inputs
from harness import Harness
from pack.core.dialects.base.step import ImageRef
from pack.core.dialects.parsing import data_uris
from pack.core.dialects.parsing.coded_image import CodedImage
from pack.core.dialects.parsing.event_stream import join_chunks, parse_events, parse_json_lines
from pack.core.dialects.parsing.reading import NotJson, read_json
from pack.core.dialects.parsing.result_images import result_images, text_beside_images
from pack.core.dialects.parsing.text_images import image_of, split_text
from pack.core.http import long_json, long_text
from pack.core.http.long_json import LongJson
from pack.core.http.long_text import LongText
from pack.core.images.picture import sniff

LIMITS: tuple[tuple[Any, str, int], ...] = (
    (long_json, "MOST_SMALL", 250),
    (long_json, "LONG", 24),
    (long_json, "_KEPT_SHORT", 0),
    (long_json, "_STEP", 7),
    (long_text, "SLICE", 13),
    (long_text, "_STEP", 3),
    (data_uris, "_STEP", 64),
)


@contextmanager
def small_limits() -> Iterator[None]:
    """What is long elsewhere begins at a few bytes, and the edges of slices are everywhere."""
    usual = [(module, name, getattr(module, name)) for module, name, _ in LIMITS]
    for module, name, limit in LIMITS:
        setattr(module, name, limit)
    try:
        yield
    finally:
        for module, name, limit in usual:
            setattr(module, name, limit)


def run(data: bytes) -> None:
    """Reads the answer as a value, as a stream, and as a text."""
    body = fuzz_answers.reply_of(data).body
    with small_limits():
        try:
            value = read_json(body)
        except NotJson:
            value = None
        for image in result_images(value).images:
            check_image(image)
        assert isinstance(text_beside_images(value), str), "words that are no text"
        source = LongJson(body)
        join_chunks(parse_events(source))
        join_chunks(parse_json_lines(source, source.text()))
        whole = LongText(long_text.Span(body, 0, len(body), False))
        images, words = split_text(whole)
        for image in images:
            check_image(image)
        assert isinstance(words, str), "words that are no text"
        for text in (whole, *long_texts(value)):
            check_text(text)


def check_image(image: ImageRef) -> None:
    """Raises AssertionError for an image that has neither an address nor the bytes of a picture."""
    assert bool(image.url) != bool(image.read()), "neither an address nor bytes"
    if image.coded is not None:
        data = image.coded.read()
        assert len(data) == image.coded.size and sniff(data), "bytes that are no picture, or not all of them"
        assert b"".join(image.coded.slices()) == data and image.coded == image.coded, "other bytes the second time"


def check_text(text: LongText) -> None:
    """Raises AssertionError where slices are not the text, or the text is an image in one reading only."""
    try:
        pieces = b"".join(text.slices())
    except ValueError:  # an escape that is none
        assert CodedImage.of(text) is None, "an image out of a text that can't be read"
        return
    assert pieces == text.read() and pieces.startswith(text.head(10)), "slices are not the text"
    (span,) = text.spans
    inside = span.body[span.start : span.end]
    if span.escaped and inside.decode("utf-8", "ignore").encode() == inside:
        assert pieces == long_text.unescaped(inside), "an escape was cut"
    found, again = image_of(text), CodedImage.of(LongText.of(pieces.decode("utf-8", "replace")))
    assert found is None or again is None or again.read() == found.read(), "another image the second time"


def long_texts(value: Any) -> Iterator[LongText]:
    """The long strings of a parsed value."""
    if isinstance(value, LongText):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from long_texts(each)


def made_text(rng: Random) -> str:
    """Words, base64, and data URIs of pictures, some of them broken."""
    pieces = []
    for _ in range(rng.choice((1, 1, 2, 4))):
        picture = base64.b64encode(inputs.tiny_png(rng.randrange(1, 4)) + rng.randbytes(rng.randrange(60))).decode()
        for _ in range(rng.choice((0, 0, 0, 1))):
            picture = base64.b64encode(picture.encode()).decode()
        cut = rng.randrange(len(picture)) if rng.random() < 0.1 else 0
        picture = picture[:cut] + rng.choice(("*", "\n", "=", "\\", "\u00e9")) + picture[cut:] if cut else picture
        head = rng.choice(("", "data:image/png;base64,", "data:image/png;a=b;base64,", "![a](data:image/png;base64,"))
        pieces += [rng.choice(("", " ", "\n", inputs.text(rng))), head + picture, rng.choice(("", ")", "\n", '"'))]
    return "".join(pieces)


def make(rng: Random) -> bytes:
    if rng.random() < 0.2:
        return fuzz_replies.make(rng)
    text = made_text(rng)
    body: Any = rng.choice((
        text,
        {"data": [{"b64_json": text}]},
        {"choices": [{"message": {"content": text}}]},
        {"candidates": [{"content": {"parts": [{"text": made_text(rng)}, {"inlineData": {"data": text}}]}}]},
        {inputs.name(rng): [text, inputs.value(rng, 1)]},
    ))  # fmt: skip
    data = json.dumps(body, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    if rng.random() < 0.5:
        data = data.replace(b"/", b"\\/")
    if rng.random() < 0.2:
        data = b"data: " + data + b"\n\n"
    return b"200\n\n" + (text.encode("utf-8", "surrogatepass") if rng.random() < 0.1 else data)


HARNESS = Harness(
    "long_answers",
    run,
    make,
    fuzz_replies.mutate,
    (
        *(f"core/dialects/parsing/{name}.py" for name in ("base64_text", "coded_image", "data_uris", "text_images")),
        "core/http/long_json.py",
        "core/http/long_text.py",
    ),
    inputs_in_suite=1500,
)
