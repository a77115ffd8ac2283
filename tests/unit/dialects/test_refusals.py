"""What refusals say about the variant of a request: words as they are reported, and whatever else a base may answer."""

from __future__ import annotations

from typing import Any

import pytest
from dialect_driver import reply
from hypothesis import given
from hypothesis import strategies as st
from pack.core.dialects.parsing.error_parsing import failure_of
from pack.core.dialects.parsing.refusals import (
    named_fields,
    names_model,
    names_nothing,
    wants_addresses,
    wants_other_body,
    wants_other_encoding,
)


def error(message: str, status: int = 400, **more: Any) -> Any:
    return reply(status, {"error": {"message": message, **more}})


@pytest.mark.parametrize(
    "message",
    [
        "image_urls must be http(s) URLs",
        "media URL must use HTTP(S)",
        "images must be a list of URLs",
        "URL scheme should be 'http' or 'https'",
        "image must be a valid URL",
        "base64 images are not supported",
    ],
)
def test_addresses_are_wanted(message: str) -> None:
    """As validators and reports word it."""
    assert wants_addresses(error(message), failure_of(error(message)))


@pytest.mark.parametrize(
    "message",
    ["media URL must use HTTP(S) or data URI, got 'runflow'", "image must be a URL or base64", "invalid size"],
)
def test_what_takes_bytes_too_does_not_want_addresses(message: str) -> None:
    """It would be told that there is no way."""
    assert not wants_addresses(error(message), failure_of(error(message)))


@pytest.mark.parametrize(
    "message",
    [
        "illegal base64 data at input byte 4",
        "Incorrect padding",
        "invalid base64",
        "expected data:image/png;base64,...",
    ],
)
def test_another_encoding_is_wanted(message: str) -> None:
    """Go's and Python's decoders, and who wants a data URI."""
    assert wants_other_encoding(error(message), failure_of(error(message)))


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"error": {"message": "x", "param": "prompt"}}, ["prompt"]),
        ({"detail": [{"loc": ["body", "image", 0], "msg": "x"}]}, ["image"]),
        ({"errors": {"seed": ["x"], "message": "y"}}, ["seed"]),
        ({"errors": [{"field": "size", "message": "x"}]}, ["size"]),
        ({"issues": [{"path": ["aspect_ratio"]}]}, ["aspect_ratio"]),
        ({"errors": [{"pointer": "/input/prompt"}]}, ["prompt"]),
        ({"status": 400, "path": "/v1/images/edits"}, []),
        ("text", []),
    ],
)
def test_fields_that_are_named_apart(value: Any, names: list[str]) -> None:
    """In the shapes of OpenAI, pydantic, Laravel, zod and JSON:API; the address of the request is none."""
    assert named_fields(value) == names


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (error("The model `google/x` does not exist", 404), True),
        (error("nope", 400, code="model_not_found"), True),
        (error("Unknown model", 422), True),
        (error("Not Found", 404), False),
        (error("the model does not support 4K", 400), False),
        (error("no channel", 503, code="model_not_found"), False),
    ],
)
def test_a_model_that_is_not_there(answer: Any, missing: bool) -> None:
    """An address that isn't there says nothing about the model, and a 5xx leads nowhere."""
    assert names_model(answer, failure_of(answer)) == missing


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "message", "errors", "loc", "path", "param", "code", "x"]), inner)
    ),
    max_leaves=20,
)


@given(
    st.one_of(JSON.map(lambda value: (value, None)), st.binary(max_size=200).map(lambda raw: (None, raw))), st.text()
)
def test_whatever_a_base_answers_is_read(answer: tuple[Any, bytes | None], sent: str) -> None:
    """Never a crash; and only what is about the request leads on."""
    for status in (400, 404, 409, 500):
        refusal = reply(status, answer[0], raw=answer[1])
        failure = failure_of(refusal)
        verdicts = [
            names_nothing(refusal, failure),
            names_model(refusal, failure),
            wants_other_body(refusal, failure, "image"),
        ]
        verdicts += [wants_addresses(refusal, failure), wants_other_encoding(refusal, failure)]
        assert not (any(verdicts) and (status in (409, 500) or failure.kind not in ("invalid", "model")))


def test_an_error_as_long_as_a_book_is_not_looked_into() -> None:
    """It says something, and reading it would hold the interpreter."""
    long = reply(400, {"error": {"message": "invalid request", "loc": ["error"] * 20_000}})
    assert not names_nothing(long, failure_of(long)) and not names_model(long, failure_of(long))
