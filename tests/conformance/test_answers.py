"""Answers made with the vendors' own types, read by our dialects: what their clients can read, ours can.

The SDKs write bytes in the URL-safe alphabet, leave out or null what isn't there, and put pictures where their types
allow them.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from dialect_driver import job, play, reply, request
from judging import judged
from pack.core.dialects.base.step import Done, Failed
from pack.core.images.picture import encode
from pack.core.providers import BUILT_IN

np = pytest.importorskip("numpy")

PICTURE = encode(np.random.default_rng(7).integers(0, 256, (40, 40, 3), dtype=np.uint8), "png")
URI = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
assert set(base64.b64encode(PICTURE)) >= set(b"+/"), "the two alphabets have to differ"

HELD_BACK = "SAFETY PROHIBITED BLOCKLIST RECITATION SPII ARMOR JAILBREAK ESCALATION"
"""What the names of reasons about content have in them."""


def read(provider: str, value: Any, status: int = 200) -> Any:
    """The step that the dialect ends with."""
    return play(job(BUILT_IN[provider], request()), reply(status, value)).end


def bytes_of(end: Any) -> list[bytes]:
    assert isinstance(end, Done), end
    return [found.data for found in end.images]


# ----------------------------------------------------------------------------------------------------- google-genai


def gemini(**fields: Any) -> Any:
    """An answer as the SDK writes it."""
    types = pytest.importorskip("google.genai.types")
    made = types.GenerateContentResponse.model_validate(fields)
    return json.loads(made.model_dump_json(by_alias=True, exclude_none=True, exclude={"sdk_http_response"}))


@pytest.mark.parametrize("provider", ["google", "vertex"])
def test_gemini_answers_with_a_picture(provider: str) -> None:
    picture = {"inline_data": {"mime_type": "image/png", "data": PICTURE}, "thought_signature": b"\xfb\xff"}
    draft = {"inline_data": {"mime_type": "image/png", "data": PICTURE[:60]}, "thought": True}
    code = {"executable_code": {"language": "PYTHON", "code": "1"}}
    for parts in (
        [picture],
        [{"text": "thinking", "thought": True}, draft, {"text": "Here."}, picture],
        [code, picture],
    ):
        answer = gemini(candidates=[{"content": {"role": "model", "parts": parts}, "finish_reason": "STOP"}])
        assert "-" in str(answer) and "_" in str(answer)
        assert bytes_of(read(provider, answer)) == [PICTURE]
    judged(provider, "google-genai", "", "answers of its types read by the dialect")


def test_gemini_gives_every_reason_for_no_picture() -> None:
    types = pytest.importorskip("google.genai.types")
    answers = [(reason, gemini(candidates=[{"finish_reason": reason}])) for reason in types.FinishReason]
    answers += [(block, gemini(prompt_feedback={"block_reason": block})) for block in types.BlockedReason]
    for reason, answer in answers:
        end = read("google", answer)
        assert isinstance(end, Failed), (reason, end)
        about_content = any(word in reason.value for word in HELD_BACK.split())
        assert (end.failure.kind == "content") >= about_content, (reason, end.failure)
        assert end.failure.kind != "unreadable", (reason, end.failure)
        assert reason.value in end.failure.message or reason.value in ("STOP", *_unspecified(types))


def _unspecified(types: Any) -> tuple[str, ...]:
    return types.FinishReason.FINISH_REASON_UNSPECIFIED.value, types.BlockedReason.BLOCKED_REASON_UNSPECIFIED.value


def test_gemini_errors_in_a_list_are_errors() -> None:
    """The SDK unpacks a list of one, which streaming addresses send."""
    error = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}
    for value in (error, [error]):
        end = read("google", value, 429)
        assert isinstance(end, Failed) and (end.failure.kind, end.failure.message) == ("rate", "Quota exceeded.")


# ------------------------------------------------------------------------------------------------------- openrouter


def chat(message: dict[str, Any], **choice: Any) -> Any:
    """An answer of the chat API as the SDK writes it."""
    components = pytest.importorskip("openrouter.components")
    made = components.ChatResult.model_validate(
        {
            "id": "gen-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "system_fingerprint": None,
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}, **choice},
            ],
            "usage": {"completion_tokens": 1, "prompt_tokens": 1, "total_tokens": 2, "cost": 0.04, "is_byok": False},
        }
    )
    return json.loads(made.model_dump_json(by_alias=True))


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Here.", "images": [{"image_url": {"url": URI}}]},
        {"content": None, "images": [{"image_url": {"url": URI}}], "reasoning": "a thought"},
        {"content": [{"type": "text", "text": "Here."}], "images": [{"image_url": {"url": URI}}]},
        {"content": [{"type": "text", "text": "Here."}, {"type": "image_url", "image_url": {"url": URI}}]},
    ],
)
def test_openrouter_answers_in_chat(message: dict[str, Any]) -> None:
    end = read("openrouter", chat(message))
    assert bytes_of(end) == [PICTURE] and end.usd == pytest.approx(0.04)
    judged("openrouter", "openrouter", "", "answers of its models read by the dialect")


def test_openrouter_answers_of_the_images_api() -> None:
    components = pytest.importorskip("openrouter.components")
    usage = {"completion_tokens": 1, "prompt_tokens": 1, "total_tokens": 2, "cost": None}
    for data in ({"b64_json": URI.partition(",")[2]}, {"b64_json": URI.partition(",")[2], "media_type": "image/png"}):
        made = components.ImageGenerationResponse.model_validate({"created": 1, "data": [data], "usage": usage})
        assert bytes_of(read("openrouter", json.loads(made.model_dump_json()))) == [PICTURE]


def test_openrouter_gives_every_reason_for_no_picture() -> None:
    for reason in ("tool_calls", "stop", "length", "content_filter", "error"):
        end = read("openrouter", chat({"content": ""}, finish_reason=reason))
        assert isinstance(end, Failed), end
        assert (end.failure.kind == "content") == (reason == "content_filter") and end.failure.kind != "unreadable"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("UnauthorizedResponse", {"key"}),
        ("PaymentRequiredResponse", {"credit"}),
        ("PayloadTooLargeResponse", {"too_large"}),
        ("TooManyRequestsResponse", {"rate"}),
        ("ServiceUnavailableResponse", {"busy"}),
        ("ProviderOverloadedResponse", {"busy"}),
        ("EdgeNetworkTimeoutResponse", {"server"}),
    ],
)
def test_openrouter_errors(name: str, kinds: set[str]) -> None:
    """Each error that the SDK has a class for."""
    components = pytest.importorskip("openrouter.components")
    statuses = {"Unauthorized": 401, "PaymentRequired": 402, "PayloadTooLarge": 413}
    statuses |= {
        "TooManyRequests": 429,
        "ServiceUnavailable": 503,
        "ProviderOverloaded": 529,
        "EdgeNetworkTimeout": 524,
    }
    status = statuses[name.removesuffix("Response")]
    model = getattr(components, f"{name}ErrorData")
    error = json.loads(model.model_validate({"code": status, "message": "No."}).model_dump_json())
    end = read("openrouter", {"error": error, "user_id": "u"}, status)
    assert isinstance(end, Failed) and end.failure.kind in kinds, end


# ----------------------------------------------------------------------------------------------------------- openai


@pytest.mark.parametrize("provider", ["nanobanana", "onerouter"])
def test_images_as_the_client_openai_reads_them(provider: str) -> None:
    """Everything that its type may have beside the pictures; nulls where there is nothing."""
    images = pytest.importorskip("openai.types.images_response")
    tokens = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    usage = {**tokens, "input_tokens_details": {"image_tokens": 0, "text_tokens": 1}}
    picture = {"b64_json": URI.partition(",")[2], "revised_prompt": "a red fox", "url": None}
    made = images.ImagesResponse.model_validate(
        {
            "created": 1,
            "data": [picture],
            "size": "1024x1024",
            "quality": "high",
            "output_format": "png",
            "usage": usage,
        }
    )
    end = read(provider, json.loads(made.model_dump_json()))
    assert bytes_of(end) == [PICTURE] and end.text == "a red fox"
    end = read(provider, json.loads(images.ImagesResponse(created=1).model_dump_json()))
    assert isinstance(end, Failed) and end.failure.kind == "empty"
    judged(provider, "openai", "", "answers of its types read by the dialect")
