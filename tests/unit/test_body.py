"""Request bodies: what json.dumps would have made, byte for byte; multipart as the standard library reads it."""

from __future__ import annotations

import base64
import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.http.body import CHUNK, Base64, Inline, Raw, json_body, multipart_body
from pack.core.images.picture import Encoded


def content(body: Any) -> bytes:
    return b"".join(bytes(piece) for piece in body)


def encoded(data: bytes, form: Any = "png") -> Encoded:
    return Encoded(data, form, 1, 1)


encodings = st.builds(encoded, st.binary(max_size=50), st.sampled_from(["png", "webp", "jpeg"]))
inlines = st.builds(Inline, encodings, st.booleans())
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | inlines,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def plain(value: Any) -> Any:
    """The value with each picture as the string that stands for it."""
    if isinstance(value, Inline):
        head = f"data:image/{value.picture.format};base64," if value.data_uri else ""
        return head + base64.b64encode(value.picture.data).decode()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=examples(200))
@given(values)
def test_a_json_body_is_what_json_dumps_makes(value: Any) -> None:
    """Byte for byte, with pictures anywhere in it."""
    body = json_body(value)
    assert content(body) == json.dumps(plain(value), separators=(",", ":")).encode()
    assert len(body) == len(content(body)) and body.content_type == "application/json"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError):
        json_body(value)


@pytest.mark.parametrize("size", [0, 1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 2])
def test_pictures_are_streamed_in_small_pieces(size: int) -> None:
    """Padding only at the end; no piece above the chunk; the same again at a second reading."""
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    for part, wanted in ((Base64(data), base64.b64encode(data)), (Raw(data), data)):
        assert content(part) == wanted == content(part) and len(part) == len(wanted)
        assert all(0 < len(piece) <= CHUNK // 3 * 4 for piece in part)


def test_a_picture_is_not_copied_into_the_body() -> None:
    """The part holds the very bytes of the file."""
    picture = encoded(bytes(1000))
    body = json_body({"image": Inline(picture)})
    assert any(isinstance(part, Base64) and part.data is picture.data for part in body.parts)
    form = multipart_body([("image", picture)])
    assert any(isinstance(part, Raw) and part.data is picture.data for part in form.parts)


def parsed(body: Any) -> list[tuple[Any, str | None, str, Any]]:
    message: Any = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + body.content_type.encode() + b"\r\n\r\n" + content(body)
    )
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=examples(150))
@given(
    st.lists(st.tuples(st.sampled_from(["prompt", "image", "n", "model"]), texts | encodings), min_size=1, max_size=8)
)
def test_a_multipart_body_reads_back(fields: list[tuple[str, Any]]) -> None:
    """By the standard library's parser: names in order, repeats kept, texts and files exactly."""
    body = multipart_body(fields)
    found = parsed(body)
    assert [part[0] for part in found] == [name for name, _ in fields]
    files = 0
    for (name, value), part in zip(fields, found, strict=True):
        if isinstance(value, Encoded):
            assert part[3] == value.data and part[2] == value.mime, name
            assert part[1] and part[1].endswith("." + value.name.rpartition(".")[2])
            files += 1
        else:
            assert part[1] is None and part[3] == value.encode()
    assert len({part[1] for part in found if part[1]}) == files
    assert len(body) == len(content(body)) and content(body) == content(body)


def test_the_boundary_is_nowhere_in_the_content() -> None:
    """Not even when somebody puts an old one there."""
    first = multipart_body([("prompt", "x")])
    boundary = first.content_type.partition("boundary=")[2]
    second = multipart_body([("prompt", f"x\r\n--{boundary}--\r\n"), ("image", encoded(f"--{boundary}".encode()))])
    found = second.content_type.partition("boundary=")[2]
    assert found != boundary and content(second).count(b"--" + found.encode()) == 3
    assert len(parsed(second)) == 2


@pytest.mark.parametrize(
    "make", [lambda text: json_body({"prompt": text}), lambda text: multipart_body([("prompt", text)])]
)
def test_half_a_surrogate_in_a_prompt_is_no_crash(make: Any) -> None:
    """An API prompt may hold one (JSON's \\ud83d alone); it goes out as something, or is refused in words."""
    body = make("a fox \ud83d in snow")
    assert len(body) == len(content(body))
