"""OpenRouter's own SDK makes and edits pictures at the double, and its models read every request that we send.

The SDK's models ignore unknown fields and take any word where a list of words is given; here both are refused.
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any, get_args, get_origin

import pytest
from dialect_driver import PNG
from judging import judged
from pack.tests.doubles.server import Doubles
from PIL import Image
from pydantic import BaseModel
from sent_requests import sent_requests

openrouter = pytest.importorskip("openrouter")

import httpx  # noqa: E402
from openrouter import components, errors, utils  # noqa: E402

FLASH, FIRST = "google/gemini-3.1-flash-image", "google/gemini-2.5-flash-image"
ADDRESS = "data:image/png;base64," + base64.b64encode(PNG).decode()
NO_RETRY = utils.RetryConfig("none", utils.BackoffStrategy(1, 1, 1, 1), False)


def client_of(doubles: Doubles, key: str = "sim-sdk") -> Any:
    """The vendor's client, pointed at the double. It would send a refused paid request again: that is switched off."""
    address = doubles.base_url("openrouter") + "/v1"
    return openrouter.OpenRouter(api_key=key, server_url=address, retry_config=NO_RETRY, timeout_ms=60_000)


def opened(address: str) -> Image.Image:
    """The picture in a data URI or in base64."""
    image = Image.open(io.BytesIO(base64.b64decode(address.rpartition(",")[2])))
    image.load()
    return image


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


# ------------------------------------------------------------------------------------------------- at the double


def test_makes_and_edits_pictures_in_chat(doubles: Doubles) -> None:
    client = client_of(doubles)
    made = client.chat.send(
        model=FLASH,
        messages=user("a fox"),
        modalities=["image", "text"],
        image_config={"aspect_ratio": "16:9", "image_size": "2K"},
    )
    (choice,) = made.choices
    assert opened(choice.message.images[0].image_url.url).size == (2752, 1536)
    assert choice.finish_reason == "stop" and made.usage.cost == 0.067
    doubles.reset()
    content = [
        {"type": "image_url", "image_url": {"url": ADDRESS}},
        {"type": "text", "text": "put this"},
        {"type": "image_url", "image_url": {"url": ADDRESS, "detail": "auto"}},
    ]
    edited = client.chat.send(model=FIRST, messages=user(content), modalities=["image", "text"])
    assert opened(edited.choices[0].message.images[0].image_url.url).width
    (entry,) = doubles.request_log()["requests"]
    assert (entry["prompt"], len(entry["references"])) == ("put this", 2)
    judged("openrouter", "openrouter", "", "makes and edits a picture at the double in chat")


def test_makes_and_edits_pictures_with_the_images_api(doubles: Doubles) -> None:
    client = client_of(doubles)
    made = client.images.generate(model=FLASH, prompt="a fox", aspect_ratio="4:1", resolution="1K", n=1, seed=3)
    assert opened(made.data[0].b64_json).width and made.data[0].media_type == "image/png"
    assert made.usage.cost == 0.067 and made.created
    doubles.reset()
    references = [{"type": "image_url", "image_url": {"url": ADDRESS}}] * 2
    edited = client.images.generate(model=FIRST, prompt="put this", input_references=references, output_format="jpeg")
    assert opened(edited.data[0].b64_json).format == "JPEG" and edited.data[0].media_type == "image/jpeg"
    (entry,) = doubles.request_log()["requests"]
    assert len(entry["references"]) == 2
    judged("openrouter", "openrouter", "", "makes and edits a picture at the double's images API")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_looks_at_its_key(doubles: Doubles) -> None:
    found = client_of(doubles).api_keys.get_current_key_metadata()
    assert found.data.label == "sim" and found.data.usage == 0


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        ("status=400", errors.BadRequestResponseError, 400),
        ("status=402", errors.PaymentRequiredResponseError, 402),
        ("status=403", errors.ForbiddenResponseError, 403),
        ("status=429 retry_after=7", errors.TooManyRequestsResponseError, 429),
        ("status=500", errors.InternalServerResponseError, 500),
        ("status=502", errors.BadGatewayResponseError, 502),
        ("refuse=403", errors.ForbiddenResponseError, 403),
    ],
)
@pytest.mark.parametrize("api_variant", ["chat", "images"])
def test_errors_are_read(doubles: Doubles, api_variant: str, words: str, kind: Any, code: int) -> None:
    client, prompt = client_of(doubles), f"refused [[sim: {words}]]"
    with pytest.raises(errors.OpenRouterError) as caught:
        if api_variant == "chat":
            client.chat.send(model=FLASH, messages=user(prompt), modalities=["image", "text"])
        else:
            client.images.generate(model=FLASH, prompt=prompt)
    error: Any = caught.value
    assert type(error) is kind and error.status_code == error.data.error.code == code
    assert error.data.error.message
    if words == "refuse=403":
        assert error.data.error.metadata["reasons"] == ["violence"]
    judged("openrouter", "openrouter", "", "reads the double's errors")


def test_an_overloaded_chat_is_read(doubles: Doubles) -> None:
    """The SDK names this status for chat alone."""
    with pytest.raises(errors.ServiceUnavailableResponseError):
        client_of(doubles).chat.send(
            model=FLASH, messages=user("refused [[sim: status=503]]"), modalities=["image", "text"]
        )


def test_wrong_keys_and_models_are_read(doubles: Doubles) -> None:
    with pytest.raises(errors.UnauthorizedResponseError):
        client_of(doubles, "wrong").images.generate(model=FLASH, prompt="a fox")
    with pytest.raises(errors.NotFoundResponseError):
        client_of(doubles).images.generate(model="google/gemini-9", prompt="a fox")
    with pytest.raises(errors.BadRequestResponseError) as caught:
        client_of(doubles).images.generate(model=FLASH, prompt="a fox", n=2)
    assert "n: " in caught.value.data.error.message


# -------------------------------------------------------------------------------------------------- every request


class Refused(AssertionError):
    """A value that the SDK's models don't name."""


def known(annotation: Any, value: Any, where: str) -> None:
    """Walks `value` along a type of the SDK. Raises Refused for a field or a word that it doesn't name."""
    if isinstance(value, dict) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
        for name, item in value.items():
            if name not in fields:
                raise Refused(f"{where}: no field {name}")
            known(fields[name], item, f"{where}.{name}")
        annotation.model_validate(value)
        return
    annotation = getattr(annotation, "__value__", annotation)
    inner = get_args(annotation)
    origin = get_origin(annotation)
    if origin is list and isinstance(value, list):
        for item in value:
            known(inner[0], item, f"{where}[]")
    elif origin is dict and isinstance(value, dict):
        for name, item in value.items():
            known(inner[1], item, f"{where}.{name}")
    elif str(origin) == "typing.Literal":
        if value not in inner:
            raise Refused(f"{where}: {value!r} is none of {inner}")
    elif inner:
        _one_of(annotation, inner, value, where)
    elif isinstance(annotation, type) and issubclass(annotation, str) and annotation is not str:
        raise Refused(f"{where}: {value!r} is only taken as an unknown word")
    elif isinstance(annotation, type) and not isinstance(value, annotation):
        raise Refused(f"{where}: {value!r} is no {annotation.__name__}")


def _one_of(annotation: Any, inner: tuple[Any, ...], value: Any, where: str) -> None:
    """A union, or a type with remarks: one of its parts that are types has to take the value."""
    refusals = []
    for part in inner if not hasattr(annotation, "__metadata__") else inner[:1]:
        try:
            known(part, value, where)
            return
        except (Refused, ValueError) as refusal:
            refusals.append(str(refusal))
    raise Refused("; ".join(refusals))


MODELS = {
    "/v1/chat/completions": components.ChatRequest,
    "/v1/images": components.ImageGenerationRequest,
}


def test_every_request_is_one_of_the_sdk_s_models() -> None:
    for sent in sent_requests("openrouter"):
        known(MODELS[sent.path], sent.body, sent.path)
        assert sent.method == "POST", str(sent)
    judged("openrouter", "openrouter", "", "every request read by its models")


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/v1/chat/completions", {"prompt": "a"}),
        ("/v1/chat/completions", {"modalities": ["picture"]}),
        ("/v1/chat/completions", {"image_config": "16:9"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "image", "url": "a"}]}]}),
        ("/v1/images", {"aspect_ratio": "7:3"}),
        ("/v1/images", {"resolution": "3K"}),
        ("/v1/images", {"image_size": "1K"}),
        ("/v1/images", {"input_references": [{"type": "image_url", "image_url": ADDRESS}]}),
    ],
)
def test_the_judge_is_strict(path: str, change: dict[str, Any]) -> None:
    body = next(sent.body for sent in sent_requests("openrouter") if sent.path == path)
    known(MODELS[path], body, path)
    with pytest.raises((Refused, ValueError)):
        known(MODELS[path], {**body, **change}, path)


def test_every_request_goes_where_the_sdk_sends_it() -> None:
    """The same path and header of the key, and the same body but for what the SDK adds: `stream`, when it is off."""
    theirs: list[Any] = []

    def answer(request: Any) -> Any:
        theirs.append(request)
        return httpx.Response(400, json={"error": {"code": 400, "message": "seen"}})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    client = openrouter.OpenRouter(
        api_key="KEY", server_url="https://api.example.com/v1", client=http, retry_config=NO_RETRY
    )
    for sent in sent_requests("openrouter")[::7]:
        call = client.chat.send if sent.path == "/v1/chat/completions" else client.images.generate
        with pytest.raises(errors.BadRequestResponseError):
            call(**sent.body)
        request = theirs.pop()
        assert (request.method, request.url.raw_path.decode()) == (sent.method, sent.path)
        assert request.headers[sent.key_header[0]] == sent.key_header[1]
        body = json.loads(request.content)
        assert body.pop("stream", False) is False
        assert body == sent.body, str(sent)
