"""OpenRouter with replies by hand: both forms, what they cost, and every way of not giving a picture."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from dialect_driver import PNG, job, play, reply, request, sent_json
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Done, Failed, ImageRef
from pack.core.execution.charge import disposition_of
from pack.core.execution.retry_policy import charged_by
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["openrouter"]
URI = "data:image/png;base64," + base64.b64encode(PNG).decode()
CHAT = ["POST /v1/chat/completions"]
IMAGES = ["POST /v1/images"]
NO_PICTURES: dict[str, Any] = {"role": "assistant", "content": ""}


def chat(message: dict[str, Any] | None = None, cost: object = 0.067, **choice: Any) -> dict[str, Any]:
    """An answer of chat completions; with a picture unless told otherwise."""
    pictures = [{"type": "image_url", "index": 0, "image_url": {"url": URI}}]
    message = {"role": "assistant", "content": "Here you are.", "images": pictures} if message is None else message
    choices = [{"index": 0, "finish_reason": "stop", "message": message, **choice}]
    usage = {"prompt_tokens": 9} if cost is None else {"prompt_tokens": 9, "cost": cost}
    return {"id": "gen-17", "model": SPEC.models[1].name, "choices": choices, "usage": usage}


def test_text_goes_as_a_chat_that_wants_both_modalities() -> None:
    """The documented form, `image_config` with its own names; the picture, the words, the cost and the id are read."""
    played = play(job(SPEC, request(aspect_ratio="16:9", resolution="2K"), "nano-banana-pro"), reply(value=chat()))
    assert played.paths == CHAT and played.sends[0].paid
    assert sent_json(played.sends[0]) == {
        "model": "google/gemini-3-pro-image",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a fox in snow"}]}],
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "16:9", "image_size": "2K"},
    }
    done = played.done
    assert done.images == (ImageRef(data=PNG),) and done.text == "Here you are."
    assert (done.usd, done.request_id, done.api_variant) == (0.067, "gen-17", "chat")


def test_without_options_there_is_no_image_config() -> None:
    """`auto` means the provider's own, and is not sent; the first model has one size and is not told it."""
    for asked, model in ((request(), "nano-banana-2"), (request(resolution="1K"), "nano-banana")):
        assert "image_config" not in sent_json(play(job(SPEC, asked, model)).sends[0])


def test_chat_alone_carries_words_and_temperature() -> None:
    """Chat asks for words anyway; through the images API they are left out, which is told."""
    asked = request(with_text=True, temperature=0.4, top_p=1.0)
    body = sent_json(play(job(SPEC, asked)).sends[0])
    assert (body["modalities"], body["temperature"], body["top_p"]) == (["image", "text"], 0.4, 1.0)
    played = play(job(SPEC, asked, api_variant="images"), reply(value={"data": [{"b64_json": URI.partition(",")[2]}]}))
    assert set(sent_json(played.sends[0])) == {"model", "prompt"}
    (notice,) = played.done.notices
    assert "with_text, temperature, top_p" in notice
    plain = play(
        job(SPEC, request(), api_variant="images"), reply(value={"data": [{"b64_json": URI.partition(",")[2]}]})
    )
    assert plain.done.notices == ()


def test_references_follow_the_text_in_their_order() -> None:
    """As data URIs, lossless."""
    work = job(SPEC, request("edit", 3))
    content = sent_json(play(work, reply(value=chat())).sends[0])["messages"][0]["content"]
    assert content[0]["type"] == "text" and [part["type"] for part in content[1:]] == ["image_url"] * 3
    sent = [base64.b64decode(part["image_url"]["url"].partition(",")[2]) for part in content[1:]]
    assert sent == [picture.data for picture in work.references]


def test_the_images_variant_has_names_of_its_own() -> None:
    """`resolution`, `input_references`, and base64 in `data[]`."""
    work = job(SPEC, request("edit", 2, aspect_ratio="1:8", resolution="4K"), "nano-banana-2", api_variant="images")
    answer = {"created": 1, "data": [{"b64_json": URI.partition(",")[2], "media_type": "image/png"}]}
    played = play(work, reply(value={**answer, "usage": {"cost": 0.151}}))
    assert played.paths == IMAGES
    body = sent_json(played.sends[0])
    assert [part["type"] for part in body.pop("input_references")] == ["image_url"] * 2
    assert body == {
        "model": "google/gemini-3.1-flash-image",
        "prompt": "a fox in snow",
        "aspect_ratio": "1:8",
        "resolution": "4K",
    }
    assert played.done.images == (ImageRef(data=PNG),)
    assert (played.done.usd, played.done.api_variant) == (0.151, "images")


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(("form", "paths"), [("", CHAT + IMAGES), ("chat", CHAT + IMAGES), ("images", IMAGES + CHAT)])
def test_a_missing_variant_leads_to_the_other_once(status: int, form: str, paths: list[str]) -> None:
    """Either way round; a second refusal is the end."""
    missing = reply(status, {"error": {"message": "No endpoints found", "code": status}})
    played = play(job(SPEC, request(), api_variant=form), missing, missing)
    assert played.paths == paths and played.failed.failure.status == status


@pytest.mark.parametrize("status", [500, 502, 503, 408, 400])
def test_no_other_failure_is_asked_again_in_the_other_variant(status: int) -> None:
    """A 500 on chat may mean a model that makes pictures only, and may have been billed all the same: a hint, no request."""
    played = play(job(SPEC, request()), reply(status, {"error": {"message": "no", "code": status}}))
    assert played.paths == CHAT and isinstance(played.end, Failed)
    assert ("FORM=images" in played.failed.failure.cure) == (status == 500)


@pytest.mark.parametrize(
    ("status", "error", "kind", "words"),
    [
        (401, {"message": "No auth credentials found", "code": 401}, "key", "No auth credentials found"),
        (402, {"message": "Insufficient credits", "code": 402}, "credit", "Insufficient credits"),
        (403, {"message": "Key limit exceeded", "code": 403}, "key", "Key limit exceeded"),
        (
            403,
            {"message": "flagged", "code": 403, "metadata": {"reasons": ["gore", "x"]}},
            "content",
            "flagged; gore, x",
        ),
        (403, {"message": "Your input requires moderation and was flagged", "code": 403}, "content", "requires moder"),
        (429, {"message": "Rate limit exceeded: free", "code": 429}, "rate", "Rate limit"),
        (400, {"message": "Provider returned error", "metadata": {"raw": "prompt violates policy"}}, "content", "viol"),
        (400, {"message": "Provider returned error", "metadata": {"raw": "bad ratio"}}, "invalid", "bad ratio"),
        (503, {"message": "No provider", "code": 503}, "busy", "No provider"),
        (502, {"message": "Upstream", "metadata": {"raw": "x" * 9, "reasons": "odd"}}, "server", "xxxxxxxxx"),
    ],
)
def test_refusals_are_told_by_status_and_metadata(status: int, error: dict[str, Any], kind: str, words: str) -> None:
    """A 403 is moderation where it says so, and a key otherwise."""
    failure = play(job(SPEC, request()), reply(status, {"error": error})).failed.failure
    assert (failure.kind, failure.status) == (kind, status) and words in failure.message


def test_an_error_inside_a_200_is_as_good_as_the_status_it_names() -> None:
    """Before anything was chosen: an empty account and a full queue cost nothing, a lost upstream maybe."""
    charged = {}
    for code in (402, 429, 502):
        failure = play(job(SPEC, request()), reply(value={"error": {"message": "x", "code": code}})).failed.failure
        assert failure.status == code
        charged[code] = charged_by(SPEC, failure, accepted=False)
    assert charged == {402: "no", 429: "no", 502: "maybe"}


def test_an_error_inside_a_choice_came_too_late_to_be_free() -> None:
    """Work had begun: only the cost tells, whatever the code."""
    broken = {"error": {"code": 429, "message": "upstream overloaded"}, "finish_reason": "error"}
    for cost, unbilled, charged in ((None, None, "maybe"), (0, True, "no"), (0.01, False, "yes")):
        failure = play(job(SPEC, request()), reply(value=chat(NO_PICTURES, cost, **broken))).failed.failure
        assert (failure.kind, failure.status, failure.unbilled) == ("rate", 200, unbilled)
        assert charged_by(SPEC, failure, accepted=False) == charged and "upstream overloaded" in failure.message


@pytest.mark.parametrize(
    ("message", "choice", "kind", "words"),
    [
        ({"content": "I can't draw that."}, {}, "empty", "I can't draw that."),
        ({"content": "", "refusal": "This violates the policy"}, {}, "content", "violates"),
        ({"content": ""}, {"finish_reason": "content_filter"}, "content", "content_filter"),
        ({"content": None}, {"native_finish_reason": "IMAGE_SAFETY"}, "content", "IMAGE_SAFETY"),
        ({"content": None}, {"native_finish_reason": "PROHIBITED_CONTENT"}, "content", "PROHIBITED_CONTENT"),
        ({"content": None, "images": []}, {"native_finish_reason": "NO_IMAGE"}, "empty", "NO_IMAGE"),
        (
            {"images": [{"image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"finish_reason": "length"},
            "empty",
            "length",
        ),
    ],
)
def test_a_200_without_a_picture_says_why(
    message: dict[str, Any], choice: dict[str, Any], kind: str, words: str
) -> None:
    """The model's words, else how it ended."""
    failure = play(job(SPEC, request()), reply(value=chat(message, **choice))).failed.failure
    assert failure.kind == kind and words in failure.message


@pytest.mark.parametrize("word", ["stop", "STOP", "end_turn", None])
def test_a_plain_end_is_no_reason(word: str | None) -> None:
    """It doesn't say that there is no picture: one may be there in a shape that isn't known, so it is asked about."""
    ends = {"finish_reason": word, "native_finish_reason": word}
    failure = play(job(SPEC, request()), reply(value=chat({"content": None}, **ends))).failed.failure
    assert failure.kind == "empty" and not failure.message
    assert disposition_of(failure, accepted=False) == "unresolved"


@pytest.mark.parametrize("value", [{"choices": []}, {"choices": [3]}, {"choices": {}}, {"data": []}, {"id": "x"}, {}])
def test_an_answer_with_nothing_in_it_is_empty(value: dict[str, Any]) -> None:
    """No crash, and no picture."""
    assert play(job(SPEC, request()), reply(value=value)).failed.failure.kind == "empty"


@pytest.mark.parametrize("cost", [None, "0.1", True, -1, 1e9, [], {}])
def test_a_cost_that_makes_no_sense_is_no_cost(cost: object) -> None:
    """It would end up in the user's sum."""
    value = chat()
    value["usage"] = {"cost": cost}
    assert play(job(SPEC, request()), reply(value=value)).done.usd is None


def test_what_is_not_json_is_unreadable() -> None:
    """A page in place of the answer."""
    assert play(job(SPEC, request()), reply(raw=b"<html>")).failed.failure.kind == "unreadable"


def test_there_is_nothing_to_go_on_with_after_a_restart() -> None:
    """It has no tasks: a state that claims one fails without a request."""
    assert isinstance(dialect("openrouter").resume(job(SPEC, request()), {"task": "x"}), Failed)


@pytest.mark.parametrize(("details", "usd"), [({"upstream_inference_cost": 0.06}, 0.063), ({}, None), (None, None)])
def test_a_picture_on_the_user_s_own_google_account_is_not_free(details: object, usd: float | None) -> None:
    """OpenRouter's cost is its fee alone then: the rest is billed elsewhere, and without its sum nothing is known."""
    value = chat()
    value["usage"] = {"cost": 0.003, "is_byok": True, "cost_details": details}
    done = play(job(SPEC, request()), reply(value=value)).end
    assert isinstance(done, Done) and done.usd == usd
    empty = chat(NO_PICTURES)
    empty["usage"] = {"cost": 0, "is_byok": True, "cost_details": details}
    failure = play(job(SPEC, request()), reply(value=empty)).failed.failure
    assert failure.unbilled is (None if usd is None else False)
