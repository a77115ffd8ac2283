"""How replies are read, whatever dialect they come through: every known shape of results, and hostile JSON."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from dialect_driver import PNG, job, play, reply, request
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.dialects.base.step import Done, ImageRef, Send
from pack.core.dialects.base.task_status import FAILED, RUNNING, SUCCEEDED, status_of, task_id_of
from pack.core.dialects.parsing.error_message import message_and_codes
from pack.core.dialects.parsing.error_parsing import failure_of
from pack.core.dialects.parsing.reading import read_json
from pack.core.dialects.parsing.result_images import decode_base64, text_beside_images
from pack.core.dialects.parsing.result_images import images_in as pictures_in
from pack.core.dialects.parsing.text_images import split_text
from pack.core.providers import BUILT_IN

B64 = base64.b64encode(PNG).decode()
URL = "https://files.example.com/1.png"

SHAPES: dict[str, Any] = {
    "data url": {"data": [{"url": URL}]},
    "data b64": {"data": [{"b64_json": B64}]},
    "data strings": {"data": [URL]},
    "images objects": {"images": [{"url": URL}]},
    "images strings": {"images": [URL]},
    "image_urls": {"image_urls": [URL]},
    "one image": {"image": {"url": URL}},
    "one image_url": {"image_url": URL},
    "chat image_url": {"images": [{"type": "image_url", "image_url": {"url": URL}}]},
    "output string": {"output": URL},
    "output list": {"output": [URL]},
    "output outputs": {"output": {"outputs": [{"url": URL}]}},
    "data outputs": {"data": {"outputs": [URL]}},
    "triple data": {"data": {"data": {"data": [{"url": URL}]}}},
    "result": {"result": {"images": [URL]}},
    "base64 twice": {"data": [{"b64_json": base64.b64encode(B64.encode()).decode()}]},
    "data uri": {"data": [{"url": f"data:image/png;base64,{B64}"}]},
    "url-safe base64": {"data": [{"b64_json": base64.urlsafe_b64encode(PNG).decode()}]},
    "base64 in lines": {"data": [{"b64_json": "\n".join(B64[i : i + 20] for i in range(0, len(B64), 20))}]},
    "base64 unpadded": {"data": [{"b64_json": B64.rstrip("=")}]},
    "empty url beside b64": {"data": [{"url": "", "b64_json": B64}]},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_picture_is_found_in_every_shape(shape: str) -> None:
    """One picture, by address or as exactly its bytes."""
    assert pictures_in(SHAPES[shape]) in ([ImageRef(url=URL)], [ImageRef(data=PNG)])


@pytest.mark.parametrize("dialect", ["google", "onerouter", "apiframe", "nanobanana", "runflow", "offline"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_dialect_takes_every_shape(dialect: str, shape: str) -> None:
    """A provider that changes its wrapping still delivers what was paid."""
    played = play(job(BUILT_IN[dialect], request()), reply(value=SHAPES[shape]))
    assert isinstance(played.end, Done) and len(played.done.images) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"input": {"image_urls": [URL]}},
        {"urls": {"get": URL}},
        {"status": "done", "message": URL},
        {"data": [{"url": "ftp://x/y"}]},
        {"data": [{"b64_json": base64.b64encode(b"<html>not a picture</html>").decode()}]},
        {"images": [None, {}, 3, True, ""]},
        {"output": None},
        {"webhook": URL, "logs": [URL]},
    ],
)
def test_what_is_no_result_is_not_taken_for_one(value: object) -> None:
    """Echoed inputs, links to the task, texts in base64."""
    assert pictures_in(value) == []


def test_several_pictures_keep_their_order() -> None:
    """Mixed transports too."""
    value = {"data": [{"url": URL}, {"b64_json": B64}, {"url": URL + "3"}]}
    assert pictures_in(value) == [ImageRef(url=URL), ImageRef(data=PNG), ImageRef(url=URL + "3")]


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 5), st.integers(0, 900_000))
def test_base64_of_any_length_is_decoded_exactly(rest: int, size: int) -> None:
    """Across the edges of the pieces in which it is decoded."""
    data = PNG + bytes([rest]) * size
    assert decode_base64(base64.b64encode(data).decode()) == data


@pytest.mark.parametrize(
    "raw",
    [b'\xef\xbb\xbf{"a":1}', b'{"a":1}\n\x00<!-- cache -->}', b' \r\n\t{"a":1}', b'{"a":1}{"b":2}', b'{"a":1}\xff'],
)
def test_json_with_dirt_around_it_is_read(raw: bytes) -> None:
    """A BOM before, anything after."""
    assert read_json(raw) == {"a": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(URL) | st.just(B64),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "data images output outputs url b64_json status state id task_id error errors message code detail "
                "retry_after status_code cost result image_urls upload_url asset_id revised_prompt progress "
                "candidates content parts inlineData thought text finishReason promptFeedback details reason".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=examples(250), deadline=None)
@given(JSON, st.sampled_from([200, 201, 202, 400, 401, 403, 404, 422, 429, 500, 503]))
def test_no_json_makes_a_dialect_crash(value: Any, status: int) -> None:
    """Whatever a provider answers is a step; a crash would lose a paid picture's trace."""
    raw = json.dumps(value).encode()
    for name in ("google", "onerouter", "apiframe", "nanobanana", "runflow"):
        work = job(BUILT_IN[name], request())
        end = play(work, reply(status, raw=raw)).end
        assert end is not None
        if isinstance(end, Send) and not end.paid:
            # A running task: the same answer to its poll must not crash either.
            play(work, reply(raw=raw), accepted=end.accepted)


def test_a_number_beyond_every_float_is_no_crash() -> None:
    """`retry_after` with 400 digits, as JSON allows."""
    raw = b'{"message":"slow down","retry_after":1' + b"0" * 400 + b"}"
    assert failure_of(reply(429, raw=raw)).kind == "rate"


def test_deep_nesting_is_no_crash() -> None:
    """A body made to exhaust the stack is unreadable, like any other nonsense."""
    failure = play(job(BUILT_IN["onerouter"], request()), reply(raw=b"[" * 200_000)).failed.failure
    assert failure.kind == "unreadable"


def test_status_words_mean_one_thing_each() -> None:
    """No word is in two of the sets."""
    assert not SUCCEEDED & FAILED and not SUCCEEDED & RUNNING and not FAILED & RUNNING


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"status": "Processing"}, "processing"),
        ({"data": {"status": "SUCCESS"}}, "success"),
        ({"status_code": "queued", "status": 3}, "queued"),
        ({"state": " fail "}, "fail"),
        ({"status": 200}, ""),
        ({"data": [{"status": "done"}]}, "done"),
        ({"data": [{"status": "done"}, {"status": "queued"}]}, ""),
    ],
)
def test_the_status_word_is_found(value: dict[str, Any], word: str) -> None:
    """Its places and spellings; numbers are no words."""
    assert status_of(value) == word


@pytest.mark.parametrize(
    ("value", "task"),
    [
        ({"task_id": "a"}, "a"),
        ({"taskId": 12}, "12"),
        ({"data": {"taskId": "a"}}, "a"),
        ({"data": "0f3c1b22-aaaa"}, "0f3c1b22-aaaa"),
        ({"data": "hello world"}, ""),
        ({"id": True}, ""),
        ({"task_id": " "}, ""),
        ({"data": [{"task_id": "a"}]}, "a"),
        ({"data": [{"task_id": "a"}, {"task_id": "b"}]}, ""),
    ],
)
def test_the_task_id_is_found(value: dict[str, Any], task: str) -> None:
    """Its places; booleans and sentences are no ids."""
    assert task_id_of(value) == task


def test_words_and_codes_of_the_common_error_shapes() -> None:
    """In order, without repeats, and without what isn't text."""
    assert message_and_codes({"error": {"message": "a", "code": "c", "type": "t"}}) == ("a", "c t")
    assert message_and_codes({"detail": [{"loc": ["body", "n"], "msg": "must be 1"}]})[0] == "must be 1; body.n"
    assert message_and_codes({"message": "a", "error": "a"})[0] == "a"
    assert message_and_codes({"errors": [{"msg": "x"}, "y"]})[0] == "x; y"
    assert message_and_codes(None) == ("", "")


def test_the_model_s_words_come_once_and_from_results_only() -> None:
    """Two pictures with the same revised prompt say it once; the input's prompt is not the model's."""
    value = {"input": {"text": "mine"}, "data": [{"revised_prompt": "A"}, {"revised_prompt": "A"}, {"text": "B"}]}
    assert text_beside_images(value) == "A\nB"


@pytest.mark.parametrize("name", ["urls", "image", "content", "data", "response"])
def test_an_answer_nested_without_end_is_given_up(name: str) -> None:
    """In time, and without a failure of the pack's own."""
    value: Any = [URL] * 3
    for _ in range(200):
        value = {name: [value], "choices": [{"message": {"content": [value]}}]} if name == "content" else {name: value}
    assert pictures_in(value) == []


def test_thousands_of_addresses_in_a_text_take_linear_time() -> None:
    """One on each line: CPU time, so that other processes don't count."""
    text = "look:\n" + "https://x.example/page\n" * 20_000
    began = time.process_time()
    found, _ = split_text(text)
    assert not found and time.process_time() - began < 3
