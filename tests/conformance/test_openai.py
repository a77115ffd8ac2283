"""The client `openai`, which the documents of images APIs and of chat APIs name, at the doubles that copy its API.

No vendor of the images APIs publishes a client of its own: this one is what their users point at them. What is not in its
methods (a ratio, a size by name) travels in `extra_body`, as their documents say.
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from dialect_driver import PNG
from judging import judged
from pack.simulator.multipart import Part, parse_multipart
from pack.tests.doubles.server import Doubles
from PIL import Image
from sent_requests import Sent, sent_requests, text_fields

openai = pytest.importorskip("openai")

import httpx2  # noqa: E402

FLASH = "google/gemini-3.1-flash-image"


def client_of(doubles: Doubles, provider: str, key: str = "sim-sdk") -> Any:
    """The client, pointed at a double. It would send a refused paid request again: that is switched off."""
    return openai.OpenAI(api_key=key, base_url=doubles.base_url(provider) + "/v1", max_retries=0, timeout=60)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def fetched(address: str) -> Image.Image:
    return opened(httpx2.get(address, trust_env=False).raise_for_status().content)


def named(name: str) -> io.BytesIO:
    """A picture file with a name, as opened from a disk."""
    file = io.BytesIO(PNG)
    file.name = name
    return file


# ------------------------------------------------------------------------------------------------- at the doubles


def test_makes_a_picture(doubles: Doubles) -> None:
    client = client_of(doubles, "nanobanana")
    wide = {"aspect_ratio": "16:9", "image_size": "2K"}
    made = client.images.generate(model="nano-banana-2", prompt="a fox", response_format="b64_json", extra_body=wide)
    assert opened(base64.b64decode(made.data[0].b64_json)).size == (2752, 1536) and made.created
    made = client.images.generate(model="nano-banana", prompt="a fox", response_format="url")
    assert fetched(made.data[0].url).width
    judged("nanobanana", "openai", "", "makes a picture at the double")


def test_edits_pictures(doubles: Doubles) -> None:
    """One file as `image`; a list as `image[]`; addresses in the JSON of generations."""
    client = client_of(doubles, "nanobanana")
    doubles.reset()
    edited = client.images.edit(model="nano-banana", prompt="one", image=named("one.png"), response_format="url")
    assert fetched(edited.data[0].url).width
    both = [named("one.png"), ("two.png", PNG, "image/png")]
    edited = client.images.edit(model="nano-banana-2", prompt="two", image=both, extra_body={"image_size": "1K"})
    assert fetched(edited.data[0].url).width
    inline = {"image": [base64.b64encode(PNG).decode()]}
    edited = client.images.generate(model="nano-banana", prompt="inline", extra_body=inline)
    assert fetched(edited.data[0].url).width
    assert [len(entry["references"]) for entry in doubles.request_log()["requests"]] == [1, 2, 1]
    judged("nanobanana", "openai", "", "edits pictures at the double")


def test_follows_a_task(doubles: Doubles) -> None:
    """The asynchronous form of the resellers, which the client's methods know as a query."""
    client = client_of(doubles, "nanobanana")
    begun = client.images.generate(model="nano-banana", prompt="a fox", extra_query={"async": "true"})
    task = begun.model_extra["task_id"]
    for _ in range(20):
        found = client.get(f"/images/tasks/{task}", cast_to=object)
        if found["data"]["status"] == "SUCCESS":
            break
    assert fetched(found["data"]["data"]["data"][0]["url"]).width


def test_makes_a_picture_at_onerouter(doubles: Doubles) -> None:
    """Its generations are those of the client; its edits are JSON, which the client's are not."""
    client = client_of(doubles, "onerouter")
    model = "google/nano-banana-pro-text-to-image"
    made = client.images.generate(model=model, prompt="a fox", extra_body={"aspect_ratio": "1:1", "resolution": "1K"})
    assert fetched(made.data[0].url).size == (1024, 1024)
    judged("onerouter", "openai", "", "makes a picture at the double")


def test_makes_and_edits_pictures_in_chat(doubles: Doubles) -> None:
    """OpenRouter's chat is the client's; the pictures are beside the content."""
    client = client_of(doubles, "openrouter")
    address = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(PNG).decode()}}
    for content in ("a fox", [{"type": "text", "text": "put this"}, address]):
        answer = client.chat.completions.create(
            model=FLASH,
            messages=[{"role": "user", "content": content}],
            modalities=["image", "text"],
            extra_body={"image_config": {"aspect_ratio": "1:1"}},
        )
        (choice,) = answer.choices
        uri = choice.message.images[0]["image_url"]["url"]
        assert opened(base64.b64decode(uri.partition(",")[2])).size == (1024, 1024)
        assert choice.finish_reason == "stop" and answer.usage.total_tokens and answer.created
    judged("openrouter", "openai", "", "makes and edits a picture at the double in chat")


ERRORS = [
    ("status=400", openai.BadRequestError, 400, "invalid_parameter"),
    ("status=401", openai.AuthenticationError, 401, "invalid_api_key"),
    ("status=402", openai.PermissionDeniedError, 403, "insufficient_user_quota"),
    ("status=429 retry_after=7", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("status=500", openai.InternalServerError, 500, "do_request_failed"),
    ("status=503", openai.InternalServerError, 503, "model_not_found"),
    ("refuse=400", openai.BadRequestError, 400, "content_policy_violation"),
]


@pytest.mark.parametrize(("words", "kind", "status", "code"), ERRORS)
def test_errors_are_read(doubles: Doubles, words: str, kind: Any, status: int, code: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client_of(doubles, "nanobanana").images.generate(model="nano-banana", prompt=f"refused [[sim: {words}]]")
    error: Any = caught.value
    assert type(error) is kind and (error.status_code, error.code) == (status, code)
    assert error.type and error.body["message"]
    if "retry_after" in words:
        assert error.response.headers["retry-after"] == "7"
    judged("nanobanana", "openai", "", "reads the double's errors")


def test_a_chat_s_errors_are_read(doubles: Doubles) -> None:
    """OpenRouter's codes are numbers; moderation says why."""
    for words, kind, code in (
        ("status=402", openai.APIStatusError, 402),
        ("status=429", openai.RateLimitError, 429),
        ("refuse=403", openai.PermissionDeniedError, 403),
    ):
        with pytest.raises(kind) as caught:
            client_of(doubles, "openrouter").chat.completions.create(
                model=FLASH,
                messages=[{"role": "user", "content": f"refused [[sim: {words}]]"}],
                modalities=["image", "text"],
            )
        assert caught.value.status_code == caught.value.body["code"] == code
    with pytest.raises(openai.AuthenticationError):
        client_of(doubles, "openrouter", "wrong").chat.completions.create(
            model=FLASH, messages=[{"role": "user", "content": "a fox"}]
        )


# -------------------------------------------------------------------------------------------------- every request

DOCUMENTED = {"model", "prompt", "image", "aspect_ratio", "response_format", "image_size"}
"""All fields of the Nano-Banana API Reference."""


class Written:
    """The client, whose requests go no further than here."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        http = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        self.client = openai.OpenAI(api_key="KEY", base_url="https://api.example.com/v1", http_client=http)

    def _answer(self, request: Any) -> Any:
        self.requests.append(request)
        return httpx2.Response(200, json={"created": 1, "data": []})

    def again(self, sent: Sent) -> Any:
        """What the client sends for the same picture."""
        fields = text_fields(sent.body) if isinstance(sent.body, list) else dict(sent.body)
        arguments = {name: fields.pop(name) for name in ("model", "prompt", "response_format") if name in fields}
        query = {"async": "true"} if "?async=true" in sent.path else None
        if isinstance(sent.body, list):
            files = [(part.filename, part.content, part.content_type) for part in pictures(sent.body)]
            image = files[0] if len(files) == 1 else files
            self.client.images.edit(**arguments, image=image, extra_body=fields, extra_query=query)
        else:
            self.client.images.generate(**arguments, extra_body=fields, extra_query=query)
        return self.requests.pop()


def pictures(parts: list[Part]) -> list[Part]:
    return [part for part in parts if part.filename is not None]


def test_every_request_is_what_the_client_would_send() -> None:
    """The same path, headers and fields; files travel in the same way, but for the name of several."""
    written = Written()
    for sent in sent_requests("nanobanana"):
        theirs = written.again(sent)
        assert (theirs.method, theirs.url.raw_path.decode()) == (sent.method, sent.path), str(sent)
        assert theirs.headers[sent.key_header[0]] == sent.key_header[1]
        kind = theirs.headers["content-type"]
        assert kind.partition(";")[0] == sent.headers["Content-Type"].partition(";")[0]
        if isinstance(sent.body, dict):
            assert json.loads(theirs.content) == sent.body, str(sent)
            assert set(sent.body) <= DOCUMENTED
            continue
        parts = parse_multipart(kind, theirs.content)
        assert text_fields(parts) == text_fields(sent.body), str(sent)
        ours, others = pictures(sent.body), pictures(parts)
        assert [(part.filename, part.content_type, part.content) for part in ours] == [
            (part.filename, part.content_type, part.content) for part in others
        ]
        # Several are `image[]` there. The document has `image` alone, gateways read `image` first, and clients of resellers
        # repeat it, so ours stay `image`.
        assert {part.name for part in others} == ({"image"} if len(others) == 1 else {"image[]"})
        assert {part.name for part in ours} == {"image"}
        assert {part.name for part in sent.body} <= DOCUMENTED
    judged("nanobanana", "openai", "", "every request written again, several files under another name")
