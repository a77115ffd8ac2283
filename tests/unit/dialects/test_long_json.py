"""Long answers: parsed like short ones, with their long strings left in the body and pictures decoded when they are taken."""

from __future__ import annotations

import base64
import gc
import json
from typing import Any

import pytest
from dialect_driver import PNG
from example_count import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from linear_time import assert_linear
from long_rows import every_value
from pack.core.dialects.base.step import ImageRef, Reply
from pack.core.dialects.parsing import base64_text, images_by_content, text_images
from pack.core.dialects.parsing.coded_image import CodedImage
from pack.core.dialects.parsing.event_stream import parse_events
from pack.core.dialects.parsing.images_by_content import images_in_bytes
from pack.core.dialects.parsing.reading import NotJson, read_json, read_object
from pack.core.dialects.parsing.result_images import ResultImages, result_images
from pack.core.dialects.parsing.text_images import image_of, split_text
from pack.core.execution.result_choice import choose_results
from pack.core.http import long_json, long_text
from pack.core.http.long_json import LongJson, TooMuch
from pack.core.http.long_text import LongText, Spans

BIG = PNG + bytes(range(256)) * 3000
"""Bytes that begin as a picture does: a base64 string of 1 MB."""
B64 = base64.b64encode(BIG).decode()
HELD = settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """All edges of the slices and limits within a few bytes."""
    monkeypatch.setattr(long_json, "MOST_SMALL", 250)
    monkeypatch.setattr(long_json, "LONG", 6)
    monkeypatch.setattr(long_json, "_KEPT_SHORT", 0)
    monkeypatch.setattr(long_json, "_STEP", 7)
    monkeypatch.setattr(long_text, "SLICE", 13)
    monkeypatch.setattr(long_text, "_STEP", 3)


def plain(value: Any) -> Any:
    """A parsed value with its long strings as strings."""
    if isinstance(value, LongText):
        return b"".join(value.slices()).decode("utf-8", "surrogatepass")
    if isinstance(value, list):
        return [plain(each) for each in value]
    return {name: plain(each) for name, each in value.items()} if isinstance(value, dict) else value


def answer(raw: bytes) -> Reply:
    return Reply(200, {}, raw)


# ----------------------------------------------------------------------------------------------------------- parsing

TEXT = st.text(st.sampled_from('ab"\\/\n\té€😀[]{}:,'), max_size=60)


@HELD
@given(st.lists(TEXT, max_size=3), st.booleans(), st.booleans())
def test_long_strings_are_read_as_json_reads_them(
    small_limits: None, texts: list[str], ascii_only: bool, slashes: bool
) -> None:
    """Quotes, runs of backslashes, escapes and characters of several bytes across the edge of every slice."""
    for text in texts:
        raw = json.dumps([text, 1.5, 7], ensure_ascii=ascii_only)
        raw = raw.replace("/", "\\/") if slashes else raw
        # A pair of surrogates that is cut in two is joined again where the text is read.
        joined = plain(read_json(raw.encode() + b" " * 250))
        assert joined[1:] == [1.5, 7]
        assert joined[0].encode("utf-16", "surrogatepass").decode("utf-16") == text


def test_only_the_small_rest_is_parsed() -> None:
    """The strings of a large answer are references to its body; what is short is a string as ever."""
    raw = json.dumps({"a": B64, "b": ["x" * 20_000, 0.5, {"c": B64}]}).encode()
    value = read_json(raw)
    assert isinstance(value["a"], LongText) and isinstance(value["b"][2]["c"], LongText)
    assert value["a"].spans[0].body is raw
    assert value["b"][:2] == ["x" * 20_000, 0.5] and plain(value) == json.loads(raw)


@pytest.mark.parametrize("tail", [b"", b"\n\x00<!-- cache -->}", b' "never closed', b'{"b":2}'])
def test_dirt_after_a_large_value_is_ignored(tail: bytes) -> None:
    """As after a small one."""
    assert plain(read_json(b"\xef\xbb\xbf " + json.dumps({"a": B64}).encode() + tail)) == {"a": B64}


@pytest.mark.parametrize(
    "raw",
    [
        b'["' + b'a","' * 400_000 + b'"]',
        b"[" + b"[]," * 60_000 + b"0]",
        b'"' + b'\\"' * 2_000_000 + b'"x',
        b'{"a":"' + b"x" * 2_000_000,
        b'"' + b"\\" * 2_000_000,
        b"[" * 2_000_000,
        b"{" + b'"' * 2_000_000,
        b"1" * 2_000_000,
    ],
    ids=["small strings", "lists", "quotes", "no end", "backslashes", "deep", "only quotes", "a long number"],
)
def test_too_much_json_is_unreadable(raw: bytes) -> None:
    """Nothing that an API answers; not taken apart to its end."""
    with pytest.raises(NotJson):
        read_json(raw)


def test_a_stream_of_too_much_json_is_unreadable() -> None:
    """Whatever came before: a part of a stream could be a part of a picture."""
    event = b"data: " + json.dumps({"type": "a.b", "list": [0] * 100_000}).encode() + b"\n\n"
    assert len(list(parse_events(LongJson(event * 4)))) == 4
    with pytest.raises(NotJson):
        read_object(answer(event * 60))
    with pytest.raises(TooMuch):
        LongJson(b"").parse("[" + "[]," * long_json.MOST_CONTAINERS + "0]")


@pytest.mark.long
@pytest.mark.parametrize(
    "make",
    [
        lambda size: b'{"data":[{"b64_json":"' + base64.b64encode(PNG + bytes(size)) + b'"}]}',
        lambda size: b'["' + b'a","' * (size // 4) + b'"]',
        lambda size: b'{"text":"' + b'\\"' * (size // 2) + b'"}',
        lambda size: b'{"text":"' + b"![" * (size // 2) + b'"}',
        lambda size: b'{"text":"' + b"data:image/png;base64," * (size // 22) + b'"}',
        lambda size: b'{"text":"' + b"<img " * (size // 5) + b'"}',
        lambda size: b"data: {}\n\n" * (size // 10),
        lambda size: b'data: {"choices":[{"delta":{"content":"' + b"x" * 4000 + b'"}}]}\n\n' * (size // 4000),
        lambda size: base64.b64encode(PNG + bytes(size)),
    ],
    ids=["picture", "strings", "quotes", "markdown", "data URIs", "html", "events", "deltas", "bare base64"],
)
def test_twice_the_answer_takes_twice_the_time(make: Any) -> None:

    def read(raw: bytes) -> None:
        try:
            result_images(read_object(answer(raw)))
        except NotJson:
            pass

    assert_linear(read, make(2_000_000), make(4_000_000), slack=0.01, tries=4)


# ---------------------------------------------------------------------------------------------------------- pictures


def gemini(data: str) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"inlineData": {"data": data}}]}, "finishReason": "STOP"}]}


def chat(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}}]}


def lines(text: str, width: int = 76) -> str:
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


URI = f"data:image/png;base64,{B64}"
SPELLED = {
    "base64": B64,
    "data URI": URI,
    "in lines": lines(B64),
    "without padding": B64.rstrip("="),
    "padding in percent": B64.rstrip("=") + "%3D",
    "URL-safe": base64.urlsafe_b64encode(BIG).decode(),
    "twice": base64.b64encode(B64.encode()).decode(),
    "a data URI in base64": base64.b64encode(URI.encode()).decode(),
}


@pytest.mark.parametrize(("spelled", "slashes"), every_value([*SPELLED], [False, True]))
def test_a_large_picture_is_found_in_every_spelling(spelled: str, slashes: bool) -> None:
    """And gives exactly its bytes, though none of them were decoded for good before."""
    for value in ({"data": [{"b64_json": SPELLED[spelled]}]}, gemini(SPELLED[spelled]), chat(SPELLED[spelled])):
        raw = json.dumps(value)
        raw = raw.replace("/", "\\/") if slashes else raw
        (found,) = result_images(read_object(answer(raw.encode()))).images
        assert isinstance(found.coded, CodedImage) and not found.data
        assert found.read() == BIG


@pytest.mark.parametrize(
    "text",
    [
        f"Here it is:\n![a fox]({URI})\nEnjoy!",
        f'Here it is:\n![a fox](  {URI} "a fox" )\nEnjoy!',
        f'Here it is:\n<img alt="x" src="{URI}">\nEnjoy!',
        f"Here it is:\n{URI}\nEnjoy!",
        f"Here it is:\n![a fox]({URI}) ![](https://a.example/b.png)\nEnjoy!",
        f"{URI}",
        f"Here it is: data:image/none {URI}\nEnjoy!",
        "x" * 600_000 + f" {URI}",
    ],
)
@pytest.mark.parametrize("slashes", [False, True], ids=["", "escaped slashes"])
def test_a_picture_in_a_long_text_is_found_as_in_a_short_one(text: str, slashes: bool) -> None:
    """The same images in the same order, and the same words, as where the text is short enough for a string."""
    raw = json.dumps({"text": text})
    long = read_json((raw.replace("/", "\\/") if slashes else raw).encode())["text"]
    assert isinstance(long, LongText)
    images, words = split_text(text)
    found, message = split_text(long)
    assert [each.read() or each.url for each in found] == [each.read() or each.url for each in images]
    assert message == words[: long_text.MOST_TEXT].rstrip() or message == words
    assert len(found) >= 1


@pytest.mark.parametrize("before", range(14))
def test_the_two_escapes_of_a_character_are_read_together(before: int, small_limits: None) -> None:
    """Wherever a slice ends; the half of a character is none in UTF-8."""
    text = "x" * before + "\U0001f600" * 40
    value = read_json(json.dumps({"text": text}).encode())["text"]
    assert isinstance(value, LongText) and value.text() == text


@pytest.mark.parametrize("wrong", ["*", "\u00e9", '"', "====", "\\"])
def test_what_is_not_base64_to_its_end_is_no_picture(wrong: str) -> None:
    """Found out before it is taken for a result: such an answer is kept as it came."""
    text = B64[:700_000] + wrong + B64[700_001:]
    value = read_json(json.dumps({"a": text}).encode())
    assert image_of(value["a"]) is None and image_of(text) is None
    found = result_images(read_object(answer(json.dumps(gemini(text)).encode())))
    assert found == ResultImages((), "", has_broken_image=True)


@HELD
@given(
    st.binary(max_size=80), st.integers(1, 3), st.integers(1, 20), st.sampled_from(["", "\n", "data:image/png;base64,"])
)
def test_base64_is_decoded_exactly_however_it_is_cut(extra: bytes, layers: int, size: int, before: str) -> None:
    """Across the edges of slices of any size, in any number of layers."""
    data = text = PNG + extra
    for _ in range(layers):
        text = before.encode() + base64.b64encode(text)
    assert base64_text.decode_base64(text.decode()) == data
    slices = [text[at : at + size] for at in range(0, len(text), size)]
    assert base64_text.layers_of(text) == layers
    assert b"".join(base64_text.unwrapped(slices, layers)) == data


@pytest.mark.parametrize("size", [90, 4000, 40_000])
def test_a_stream_of_pieces_is_joined_to_one_picture(size: int) -> None:
    """A data URI in thousands of pieces, short and long ones."""
    cuts = [0, *range(30, 30_000, 900), *range(30_000, 500_000, 50_000), *range(500_000, len(URI), size), len(URI)]
    pieces = ["Here: ![](", *(URI[a:b] for a, b in zip(cuts, cuts[1:], strict=False)), ")"]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    raw = "".join(f"data: {json.dumps(each)}\n\n" for each in events) + "data: [DONE]\n\n"
    found = result_images(read_object(answer(raw.encode())))
    assert [each.read() for each in found.images] == [BIG] and found.text == "Here:"


@pytest.mark.parametrize("kept_short", [0, 32 << 10], ids=["long strings", "short ones"])
def test_a_stream_of_thousands_of_pieces_leaves_no_object_for_each(
    kept_short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would look through all objects of the process for garbage, and hold the interpreter meanwhile."""
    monkeypatch.setattr(long_json, "_KEPT_SHORT", kept_short)
    text = URI * 4
    pieces = [text[at : at + 1500] for at in range(0, len(text), 1500)]
    raw = "".join(f'data: {{"choices":[{{"index":0,"delta":{{"content":"{piece}"}}}}]}}\n\n' for piece in pieces)
    reply = answer(raw.encode())
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        value = read_object(reply)
        kept = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert len(pieces) > 2500 and kept < 500
    content = value["choices"][0]["message"]["content"]
    assert (content.read() if isinstance(content, LongText) else content.encode()) == text.encode()


def test_pictures_of_a_stream_are_found_by_their_events() -> None:
    """Gemini's chunks as server-sent events, as JSON lines and as one list."""
    chunks = [gemini(base64.b64encode(BIG + bytes([n])).decode()) for n in range(3)]
    texts = [json.dumps(chunk) for chunk in chunks]
    for raw in ("".join(f"data: {text}\r\n\r\n" for text in texts), "\n".join(texts), f"[{','.join(texts)}]"):
        found = result_images(read_object(answer(raw.encode())))
        assert [each.read() for each in found.images] == [BIG + bytes([n]) for n in range(3)]


def test_a_picture_as_the_whole_body_is_found() -> None:
    """Base64 or a data URI without any JSON around it, and as a JSON string."""
    for raw in (B64, f" {B64}\n", URI, json.dumps(B64)):
        (found,) = result_images(read_object(answer(raw.encode()))).images
        assert found.read() == BIG


def test_of_many_pictures_none_is_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """400 pictures for one that was asked for: only those that are taken are decoded for good, and repeats are known."""
    read: list[CodedImage] = []
    whole = CodedImage.read

    def reading(self: CodedImage) -> bytes:
        read.append(self)
        return whole(self)

    monkeypatch.setattr(CodedImage, "read", reading)
    files = [PNG + bytes([n % 200]) * 3000 for n in range(400)]
    raw = json.dumps({"data": [{"b64_json": base64.b64encode(file).decode()} for file in files]}).encode()
    monkeypatch.setattr(long_json, "_KEPT_SHORT", 0)
    found = result_images(read_object(answer(raw))).images
    assert len(found) == 400 and all(each.coded for each in found)
    results, extras = choose_results(found, 1)
    assert len(results) == 1 and len(extras) == 199 and read == []
    assert results[0].read() == files[-1] and len(read) == 1


def test_images_are_equal_where_their_bytes_are() -> None:
    """However they are spelled in the answer."""
    one, two = (CodedImage.of(LongText.of(text)) for text in (B64, SPELLED["twice"]))
    other = CodedImage.of(LongText.of(base64.b64encode(BIG[:-1] + b"x").decode()))
    assert ImageRef(coded=one) == ImageRef(coded=two) != ImageRef(coded=other)
    assert hash(one) == hash(two)


def test_a_text_in_many_pieces_that_is_too_long_is_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joining it would take its whole length again."""
    monkeypatch.setattr(text_images, "_MOST_JOINED", 1000)
    spans = Spans()
    for piece in (f"Here: {URI[:600]}", URI[600:900_000]):
        spans.add(*LongText.of(piece).spans)
    images, words = split_text(LongText.joined(spans))
    assert images == [] and words.startswith("Here: data:")


# ------------------------------------------------------------------------------------------------- bodies that are no JSON

MARKS = ("", f"data:image/svg+{'x' * 35};" + ";".join(["a=" + "b" * 58] * 4) + ",", "data:image\\/png;base64,")
"""What may be before the base64 of an image: nothing, the longest start of a data URI that is known, an escaped one."""


@given(mark=st.sampled_from(MARKS), at=st.integers(-700, 20))
@settings(max_examples=examples(150), deadline=None)
def test_an_image_is_found_wherever_its_start_is_cut_by_the_steps_of_the_search(mark: str, at: int) -> None:
    coded = base64.b64encode(PNG + bytes(300)).decode()
    before = b"not JSON " + b"x" * (images_by_content._SEARCHED + at - 9)
    (found,) = images_in_bytes(before + f'"{mark}{coded}"'.encode())
    assert image_of(found) == image_of(LongText.of(f"{mark}{coded}")) or image_of(found) == image_of(LongText.of(coded))
