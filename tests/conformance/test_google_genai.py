"""Google's own SDK, google-genai, makes and edits pictures at the doubles of the Gemini API and of Vertex AI.

What its client sends has to be taken, and what the double answers has to be read by its types without an unknown field
value. Errors have to become its own exceptions with the right code, status and message.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judging import judged
from pack.tests.doubles.server import Doubles
from PIL import Image

genai = pytest.importorskip("google.genai")

from google.genai import errors, types  # noqa: E402
from google.oauth2.credentials import Credentials  # noqa: E402

MODEL, PRO = "gemini-nano-banana-2.1", "gemini-3-pro-image"
VERSIONS = [("google", "v1"), ("google", "v1beta"), ("vertex", "v1"), ("vertex", "v1beta1")]


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    """An enum value that the SDK doesn't know is a warning there, and a failure here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".* is not a valid .*")
        yield


def client_of(doubles: Doubles, provider: str = "google", version: str = "", key: str = "sim-sdk") -> Any:
    """The vendor's client, pointed at the double; without a version it uses its own."""
    options = types.HttpOptions(base_url=doubles.base_url(provider), api_version=version or None, timeout=60_000)
    if provider == "google":
        return genai.Client(api_key=key, http_options=options)
    return genai.Client(
        vertexai=True, project="sim-project", location="global", credentials=Credentials(key), http_options=options
    )


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """A picture whose base64 has both letters in which the two alphabets differ."""
    return Image.effect_noise((width, height), 90).convert("RGB")


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def result(answer: Any) -> Image.Image:
    """The one finished picture of an answer, read by the SDK's own function."""
    (found,) = [part for part in answer.candidates[0].content.parts if part.inline_data and not part.thought]
    assert found.thought_signature
    image = Image.open(io.BytesIO(found.as_image().image_bytes))
    image.load()
    return image


@pytest.mark.parametrize(("provider", "version"), VERSIONS)
def test_makes_a_picture(doubles: Doubles, provider: str, version: str) -> None:
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"],
        image_config=types.ImageConfig(aspect_ratio="16:9", image_size="2K"),
        seed=3,
        temperature=0.5,
        top_p=0.9,
        thinking_config=types.ThinkingConfig(thinking_level="high", include_thoughts=True),
        tools=[types.Tool(google_search=types.GoogleSearch())],
        safety_settings=[types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="OFF")],
        system_instruction="Draw nothing but animals.",
    )
    if provider == "vertex":
        config.image_config.output_mime_type = "image/jpeg"
    client = client_of(doubles, provider, version)
    answer = client.models.generate_content(model=MODEL, contents="a fox", config=config)
    assert result(answer).size == (2752, 1536)
    assert result(answer).format == ("JPEG" if provider == "vertex" else "PNG")
    (candidate,) = answer.candidates
    assert candidate.finish_reason == types.FinishReason.STOP
    assert any(part.thought for part in candidate.content.parts)
    assert candidate.grounding_metadata.grounding_chunks[0].web.uri
    assert answer.usage_metadata.total_token_count and answer.model_version == MODEL and answer.response_id
    judged(provider, "google-genai", "", "makes a picture at the double")


@pytest.mark.parametrize(("provider", "version"), VERSIONS)
def test_makes_a_picture_in_a_stream(doubles: Doubles, provider: str, version: str) -> None:
    """Drafts come whole, each in a chunk of its own and before the picture; the use of tokens comes last."""
    doubles.reset()
    doubles.fault("drafts=2", provider=provider)
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"], thinking_config=types.ThinkingConfig(include_thoughts=True)
    )
    client = client_of(doubles, provider, version)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="a fox", config=config))
    doubles.clear_faults()
    parts = [part for chunk in chunks if chunk.candidates[0].content for part in chunk.candidates[0].content.parts]
    assert [(bool(part.thought), bool(part.inline_data)) for part in parts] == [
        (True, False), (True, True), (True, True), (False, True),
    ]  # fmt: skip
    for part in parts[1:]:
        Image.open(io.BytesIO(part.inline_data.data)).load()
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]
    assert reasons[-1] == types.FinishReason.STOP and not any(reasons[:-1])
    assert chunks[-1].usage_metadata.total_token_count and not any(chunk.usage_metadata for chunk in chunks[:-1])
    (entry,) = doubles.request_log()["requests"]
    assert entry["route_name"] == "stream" and entry["query"] == "alt=sse"
    judged(provider, "google-genai", "", "makes a picture in a stream at the double")


@pytest.mark.parametrize(("provider", "version"), VERSIONS)
def test_edits_pictures(doubles: Doubles, provider: str, version: str) -> None:
    """Nothing but a list, as in the vendor's guide: words, a Pillow picture, bytes, words; no configuration at all."""
    second = picture(40, 60)
    contents = ["put this", picture(), types.Part.from_bytes(data=png(second), mime_type="image/png"), "in a garden"]
    doubles.reset()
    client = client_of(doubles, provider, version)
    answer = client.models.generate_content(model=MODEL, contents=contents)
    assert result(answer).width
    assert answer.text
    (entry,) = doubles.request_log()["requests"]
    assert [(found["width"], found["height"]) for found in entry["references"]] == [(64, 48), (40, 60)]
    judged(provider, "google-genai", "", "edits pictures at the double")


@pytest.mark.parametrize("provider", ["google", "vertex"])
def test_talks_about_a_picture(doubles: Doubles, provider: str) -> None:
    """A chat sends the first picture back with its signature."""
    client = client_of(doubles, provider)
    chat = client.chats.create(model=PRO)
    chat.send_message("a fox")
    doubles.reset()
    assert result(chat.send_message("make it blue")).width
    (entry,) = doubles.request_log()["requests"]
    assert (entry["prompt"], len(entry["references"])) == ("make it blue", 1)
    history = chat.get_history(curated=True)
    assert [turn.role for turn in history] == ["user", "model", "user", "model"]
    chat.send_message("and now at night")
    signed = next(part for part in history[1].parts if part.inline_data and not part.thought)
    for altered in (None, signed.thought_signature[:-1], b"made up"):
        signed.thought_signature = altered
        again = client.chats.create(model=PRO, history=history)
        with pytest.raises(errors.ClientError) as caught:
            again.send_message("and once more")
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
        assert "thought" in caught.value.message
    judged(provider, "google-genai", "", "edits in a chat at the double")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_uploads_a_file(doubles: Doubles, tmp_path: Path, version: str) -> None:
    """By path and from memory; names it in a request, looks at it, deletes it."""
    path = tmp_path / "one.png"
    path.write_bytes(png(picture()))
    client = client_of(doubles, version=version)
    one = client.files.upload(file=path)
    two = client.files.upload(
        file=io.BytesIO(png(picture(30, 20))), config={"mime_type": "image/png", "display_name": "two"}
    )
    assert (one.state, one.mime_type, one.size_bytes) == (types.FileState.ACTIVE, "image/png", path.stat().st_size)
    assert client.files.get(name=one.name) == one and one.expiration_time > one.create_time
    prompt = f"both, at {version}"
    assert result(client.models.generate_content(model=MODEL, contents=[prompt, one, two])).width
    (entry,) = doubles.request_log(prompt)["requests"]
    assert [found["encoding"] for found in entry["references"]] == ["url", "url"]
    client.files.delete(name=one.name)
    with pytest.raises(errors.ClientError) as caught:
        client.files.get(name=one.name)
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
    judged("google", "google-genai", "", "uploads references at the double")


def test_lists_models(doubles: Doubles) -> None:
    client = client_of(doubles)
    names = [model.name for model in client.models.list(config={"page_size": 2})]
    assert f"models/{MODEL}" in names and len(set(names)) == len(names) > 2
    assert "generateContent" in client.models.get(model=MODEL).supported_actions


def refused(client: Any, prompt: str = "a fox", **more: Any) -> Any:
    """The exception that a request ends with."""
    with pytest.raises(errors.APIError) as caught:
        client.models.generate_content(model=more.pop("model", MODEL), contents=prompt, **more)
    return caught.value


@pytest.mark.parametrize("provider", ["google", "vertex"])
@pytest.mark.parametrize(
    ("words", "kind", "code", "status", "answer_text"),
    [
        ("status=400", errors.ClientError, 400, "INVALID_ARGUMENT", "not valid"),
        ("status=402", errors.ClientError, 429, "RESOURCE_EXHAUSTED", "quota"),
        ("status=403", errors.ClientError, 403, "PERMISSION_DENIED", "may not"),
        ("status=429 retry_after=7", errors.ClientError, 429, "RESOURCE_EXHAUSTED", "many requests"),
        ("status=451", errors.ClientError, 400, "FAILED_PRECONDITION", "location"),
        ("status=500", errors.ServerError, 500, "INTERNAL", "server error"),
        ("status=503", errors.ServerError, 503, "UNAVAILABLE", "overloaded"),
        ("status=504", errors.ServerError, 504, "DEADLINE_EXCEEDED", "too long"),
    ],
)
def test_errors_are_read(
    doubles: Doubles, provider: str, words: str, kind: Any, code: int, status: str, answer_text: str
) -> None:
    error = refused(client_of(doubles, provider), f"refused [[sim: {words}]]")
    assert isinstance(error, kind) and (error.code, error.status) == (code, status)
    assert answer_text in error.message.lower()
    if "retry_after" in words:
        assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"} in error.details["error"][
            "details"
        ]
    judged(provider, "google-genai", "", "reads the double's errors")


def test_wrong_keys_models_and_options_are_read(doubles: Doubles) -> None:
    error = refused(client_of(doubles, key="AIza-wrong"))
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT")
    assert error.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    error = refused(client_of(doubles, "vertex", key="wrong"))
    assert (error.code, error.status) == (401, "UNAUTHENTICATED")
    for provider in ("google", "vertex"):
        error = refused(client_of(doubles, provider), model="gemini-9-image")
        assert (error.code, error.status) == (404, "NOT_FOUND")
        wrong = types.GenerateContentConfig(image_config=types.ImageConfig(aspect_ratio="7:3"))
        error = refused(client_of(doubles, provider), config=wrong)
        assert (error.code, error.status) == (400, "INVALID_ARGUMENT") and "aspectRatio" in error.message


@pytest.mark.parametrize("provider", ["google", "vertex"])
def test_declined_pictures_are_read(doubles: Doubles, provider: str) -> None:
    """Every reason of the SDK's own lists."""
    client = client_of(doubles, provider)
    reasons = [reason for reason in types.FinishReason if reason.value.startswith("IMAGE_") or reason.value == "SAFETY"]
    for reason in reasons:
        answer = client.models.generate_content(model=MODEL, contents=f"no [[sim: refuse reason={reason.value}]]")
        assert answer.candidates[0].finish_reason is reason
        # The SDK's own reading of the Gemini API drops the message.
        assert answer.candidates[0].finish_message or provider == "google"
    for block in types.BlockedReason:
        answer = client.models.generate_content(model=MODEL, contents=f"no [[sim: refuse reason=block:{block.value}]]")
        assert answer.prompt_feedback.block_reason is block and not answer.candidates
