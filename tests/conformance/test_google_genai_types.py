"""Every request that the gemini dialect sends, read by the types of google-genai and written again by its client.

The types forbid unknown fields. The client drops or refuses what the API in question doesn't take, so what it writes has
to be what we sent: to the same path, with the key in the same header. An enum value that it doesn't know fails.
"""

from __future__ import annotations

import base64
import io
import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from dialect_driver import job, play, reply, request, sent_json
from judging import judged
from pack.core.dialects.base.step import SentTurn
from pack.core.images.picture import Encoded, encode
from pack.core.providers import BUILT_IN
from pack.core.request.conversation import Part
from sent_requests import Sent, sent_job, sent_requests

genai = pytest.importorskip("google.genai")

import httpx2  # noqa: E402
from google.genai import types  # noqa: E402
from google.oauth2.credentials import Credentials  # noqa: E402

HOST = "https://api.example.com"


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    """An enum value that the SDK doesn't know is a warning there, and a failure here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".* is not a valid .*")
        yield


class Written:
    """The vendor's client, whose requests go no further than here."""

    def __init__(self, provider: str, version: str) -> None:
        self.requests: list[Any] = []
        http = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        options = types.HttpOptions(base_url=HOST, api_version=version, httpx_client=http)
        if provider == "google":
            self.client = genai.Client(api_key="KEY", http_options=options)
        else:
            self.client = genai.Client(
                vertexai=True,
                project="sim-project",
                location="global",
                credentials=Credentials("KEY"),
                http_options=options,
            )

    def _answer(self, request: Any) -> Any:
        self.requests.append(request)
        return httpx2.Response(200, json={"candidates": []})

    def again(self, sent: Sent) -> Any:
        """What the client sends for the same request."""
        body = dict(sent.body)
        contents = [types.Content.model_validate(turn) for turn in body.pop("contents")]
        config = types.GenerationConfig.model_validate(_without(body.get("generationConfig", {}), "imageConfig"))
        config_fields: dict[str, Any] = config.model_dump(exclude_none=True)
        config_fields["image_config"] = body.pop("generationConfig", {}).get("imageConfig")
        config_fields["safety_settings"] = body.pop("safetySettings", None)
        config_fields["tools"] = body.pop("tools", None)
        config_fields["system_instruction"] = body.pop("systemInstruction", None)
        assert not body, f"fields that the SDK doesn't know: {sorted(body)}"
        self.client.models.generate_content(
            model=sent.job.model, contents=contents, config=types.GenerateContentConfig.model_validate(config_fields)
        )
        return self.requests.pop()


def _without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}


def plain(value: Any, name: str = "") -> Any:
    """The same JSON in one spelling: camel case, bytes decoded, enum values in capitals, no role of an instruction."""
    if isinstance(value, list):
        return [plain(entry, name) for entry in value]
    if isinstance(value, dict):
        spelled = {_camel(key): item for key, item in value.items()}
        if name == "systemInstruction":
            spelled.pop("role", None)
        return {key: plain(item, key) for key, item in spelled.items()}
    if name in ("data", "thoughtSignature"):
        return base64.urlsafe_b64decode(value.replace("+", "-").replace("/", "_"))
    return value.upper() if name == "thinkingLevel" else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@pytest.mark.parametrize(("provider", "version"), [("google", "v1beta"), ("vertex", "v1")])
def test_every_request_is_what_the_sdk_would_send(provider: str, version: str) -> None:
    written = Written(provider, version)
    for sent in sent_requests(provider):
        theirs = written.again(sent)
        assert plain(json.loads(theirs.content)) == plain(sent.body), str(sent)
        assert (theirs.method, theirs.url.raw_path.decode()) == (sent.method, sent.path), str(sent)
        name, value = sent.key_header
        assert theirs.headers[name] == value
        assert theirs.headers["content-type"] == sent.headers["Content-Type"]
    judged(provider, "google-genai", "", "every request read and written again by its types")


@pytest.mark.parametrize(("provider", "version"), [("google", "v1beta"), ("vertex", "v1")])
def test_a_conversation_is_what_the_sdk_would_send(provider: str, version: str) -> None:
    """The history of a chat: the answers part by part, each signature on its own part, byte for byte."""
    picture = encode(np.random.default_rng(2).integers(0, 256, (9, 9, 3), dtype=np.uint8), "png")
    signature = base64.b64encode(bytes(range(256)) * 40).decode()
    answer: tuple[Part[Encoded], ...] = (
        Part("Here:", signature=base64.b64encode(b"one").decode()),
        Part(picture=Encoded(picture, "png", 9, 9), mime="image/png", signature=signature),
        Part("", signature=base64.b64encode(b"two").decode()),
    )
    before = job(BUILT_IN[provider], request("edit"))
    work = replace(before, prompt="and now", turns=(SentTurn("first", before.references, answer),))
    sent = sent_job(work, "recommended", "", {})
    theirs = json.loads(Written(provider, version).again(sent).content)
    assert plain(theirs) == plain(sent.body)
    assert [turn["role"] for turn in sent.body["contents"]] == ["user", "model", "user"]
    assert sent.body["contents"][1]["parts"][1]["thoughtSignature"] == signature
    judged(provider, "google-genai", "", "a conversation read and written again by its types")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("generationConfig", "thinkingConfig"), {"thinkingLevel": "deepest"}),
        (("generationConfig", "imageConfig"), {"size": "1K"}),
        (("generationConfig", "responseModalities"), ["PICTURE"]),
        (("generationConfig", "imageConfig"), {"imageOutputOptions": {"mimeType": "image/png"}}),
        (("safetySettings",), [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "NEVER"}]),
        (("tools",), [{"googleSearching": {}}]),
        (("contents",), [{"role": "user", "parts": [{"words": "a"}]}]),
        (("model",), "x"),
    ],
)
def test_the_judge_is_strict(path: tuple[str, ...], value: Any) -> None:
    """A request with one thing wrong doesn't pass."""
    sent = sent_requests("google")[0]
    body = json.loads(json.dumps(sent.body))
    node = body
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    wrong = Sent(**{**vars(sent), "body": body})
    # A pydantic error is a ValueError; an unknown enum value a warning that is raised; a field left over an AssertionError.
    with pytest.raises((ValueError, UserWarning, AssertionError)):
        assert plain(json.loads(Written("google", "v1beta").again(wrong).content)) == plain(body)


def test_every_ratio_and_size_is_one_that_the_sdk_names() -> None:
    """`ImageConfig` takes any text; the same fields of the interactions API have lists."""
    interactions = pytest.importorskip("google.genai._gaos.types.interactions.imageconfig")
    ratios, sizes = (
        set(get_args(get_args(annotation)[0]))
        for annotation in (interactions.ImageConfigAspectRatio, interactions.ImageConfigImageSize)
    )
    assert "16:9" in ratios and "1K" in sizes
    for provider in ("google", "vertex"):
        images = [sent.body["generationConfig"].get("imageConfig", {}) for sent in sent_requests(provider)]
        assert {image["aspectRatio"] for image in images if "aspectRatio" in image} <= ratios
        assert {image["imageSize"] for image in images if "imageSize" in image} <= sizes
        judged(provider, "google-genai", "", "every ratio and size in its lists")


def test_an_upload_is_what_the_sdk_would_send() -> None:
    """Both requests: the announcement and the bytes."""
    answers = {"x-goog-upload-url": f"{HOST}/put", "x-goog-upload-status": "final"}
    theirs: list[Any] = []

    def answer(request: Any) -> Any:
        theirs.append(request)
        return httpx2.Response(200, json={"file": {"name": "files/a", "uri": f"{HOST}/a"}}, headers=answers)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = genai.Client(
        api_key="KEY", http_options=types.HttpOptions(base_url=HOST, api_version="v1beta", httpx_client=http)
    )
    work = job(replace(BUILT_IN["google"], upload_above=1), request("edit"))
    data = work.references[0].data
    client.files.upload(
        file=io.BytesIO(data), config={"mime_type": work.references[0].mime, "display_name": "reference-1"}
    )

    ours = play(work, reply(200, {}, x_goog_upload_url=f"{HOST}/put")).sends
    for mine, their in zip(ours, theirs, strict=True):
        assert mine.body is not None
        assert (mine.method, mine.url) == (their.method, str(their.url))
        for name, value in mine.headers.items():
            assert their.headers[name] == value
    assert types.File.model_validate(sent_json(ours[0])["file"]).display_name == "reference-1"
    assert json.loads(theirs[0].content)["file"]["display_name"] == "reference-1"
    assert b"".join(bytes(piece) for piece in ours[1].body or ()) == theirs[1].content == data
    judged("google", "google-genai", "", "uploads the same way")


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_pictures_survive(kind: Any) -> None:
    """Bytes that go through our base64 and the SDK's types are the same."""
    data = encode(np.random.default_rng(1).integers(0, 256, (9, 9, 3), dtype=np.uint8), kind)
    blob = types.Blob.model_validate({"mimeType": f"image/{kind}", "data": base64.b64encode(data).decode()})
    assert blob.data == data
