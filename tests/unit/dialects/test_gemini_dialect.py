"""Gemini's generateContent with replies by hand: bodies, thoughts, uploads, every way to decline, every error."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from dialect_driver import BASE, PNG, Played, job, play, reply, request, sent_json
from pack.core.dialects.base.step import ImageRef, Reply
from pack.core.dialects.gemini import CATEGORIES
from pack.core.dialects.parsing.gemini_errors import REASONS
from pack.core.errors import provider_error
from pack.core.execution.result_choice import choose_results
from pack.core.execution.retry_policy import GiveUp, Retry, after_failure, charged_by
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import ProviderSpec

SPEC, VERTEX = BUILT_IN["google"], BUILT_IN["vertex"]
B64 = base64.b64encode(PNG).decode()
OTHER = PNG[:-12] + b"\0\0\0\0tEXt" + PNG[-12:]
"""Another picture by its bytes; nobody decodes it here."""
RPC = "type.googleapis.com/google.rpc."


def inline(data: str = B64, **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": data}, **more}


def answer(*parts: dict[str, Any], reason: str = "STOP", **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": reason, **more}]}


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"code": code, "status": status, "message": message}
    return {"error": {**found, "details": list(details)} if details else found}


def asked(value: Any, status: int = 200) -> Played:
    """One picture asked for, answered with `value`."""
    return play(job(SPEC, request()), reply(status, value))


# ------------------------------------------------------------------------------------------------- what is sent


def test_a_plain_prompt_asks_for_a_picture_and_nothing_else() -> None:
    """No ratio, no size, no words: the provider's own defaults. The seed always goes."""
    played = asked(answer(inline()))
    assert played.paths == ["POST /v1beta/models/gemini-nano-banana-2.1:generateContent"]
    assert played.sends[0].paid and sent_json(played.sends[0]) == {
        "contents": [{"role": "user", "parts": [{"text": "a fox in snow"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "seed": 0},
    }
    assert played.done.images == (ImageRef(data=PNG),)


def test_every_option_has_its_place() -> None:
    """Nested names, the size's own spelling, and the four that are lists or objects."""
    work = job(
        SPEC,
        request(
            aspect_ratio="8:1",
            resolution="0.5K",
            seed=7,
            web_search=True,
            safety_tolerance="4",
            thinking="high",
            system_prompt="Be brief.",
            with_text=True,
            temperature=0.0,
            top_p=0.95,
        ),
        "nano-banana-2",
    )
    value = sent_json(play(work).sends[0])
    assert value["generationConfig"] == {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "8:1", "imageSize": "512"},
        "seed": 7,
        "temperature": 0.0,
        "topP": 0.95,
        "thinkingConfig": {"thinkingLevel": "high"},
    }
    assert value["tools"] == [{"googleSearch": {}}]
    assert value["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert value["safetySettings"] == [{"category": name, "threshold": "BLOCK_ONLY_HIGH"} for name in CATEGORIES]


def test_a_higher_tolerance_is_never_stricter() -> None:
    """Six levels on five thresholds, from the strictest to none."""
    order = ["BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"]
    spelled = [
        sent_json(play(job(SPEC, request(safety_tolerance=str(level)))).sends[0])["safetySettings"][0]["threshold"]
        for level in range(1, 7)
    ]
    ranks = [order.index(threshold) for threshold in spelled]
    assert ranks == sorted(ranks) and (ranks[0], ranks[-1]) == (0, len(order) - 1)


@pytest.mark.parametrize("model", ["nano-banana", "nano-banana-lite"])
def test_a_model_with_one_size_is_never_told_a_size(model: str) -> None:
    """It answers an error to the mere field."""
    value = sent_json(play(job(SPEC, request(resolution="1K", aspect_ratio="4:3"), model)).sends[0])
    assert value["generationConfig"]["imageConfig"] == {"aspectRatio": "4:3"}


def test_the_file_format_is_vertex_s_alone() -> None:
    """And Vertex names the project in its address."""
    wanted = request(output_format="jpeg")
    played = play(job(VERTEX, wanted))
    assert played.paths == [
        "POST /v1/projects/sim-project/locations/global/publishers/google/models/gemini-nano-banana-2.1:generateContent"
    ]
    options = sent_json(played.sends[0])["generationConfig"]["imageConfig"]["imageOutputOptions"]
    assert options == {"mimeType": "image/jpeg"}
    assert "imageConfig" not in sent_json(play(job(SPEC, wanted)).sends[0])["generationConfig"]


def test_references_go_inside_in_their_order_after_the_prompt() -> None:
    """Bare base64 with the type of the file."""
    work = job(SPEC, request("edit", 3))
    parts = sent_json(play(work).sends[0])["contents"][0]["parts"]
    assert parts[0] == {"text": "a fox in snow"}
    assert [base64.b64decode(part["inlineData"]["data"]) for part in parts[1:]] == [p.data for p in work.references]
    assert {part["inlineData"]["mimeType"] for part in parts[1:]} == {"image/webp"}


def test_the_ratio_of_a_lone_reference_is_left_to_the_provider() -> None:
    """Of several, nobody knows whose it would take: the first one's is named."""
    alone = sent_json(play(job(SPEC, request("edit", 1))).sends[0])
    assert "imageConfig" not in alone["generationConfig"]
    several = sent_json(play(job(SPEC, request("edit", 2))).sends[0])
    assert several["generationConfig"]["imageConfig"] == {"aspectRatio": "5:4"}, "5x4 pixels"


def test_a_spec_with_another_address_has_the_same_body() -> None:
    """A reseller: another prefix and another header, no code."""
    routes = {
        name: replace(route, path="/gemini/v1beta/models/{model}:generateContent")
        for name, route in SPEC.endpoints.items()
    }
    spec = replace(SPEC, id="reseller", endpoints=routes, reference_encoding="base64", auth_header="Authorization")
    played = play(job(spec, request()), reply(value=answer(inline())))
    assert played.paths == ["POST /gemini/v1beta/models/gemini-nano-banana-2.1:generateContent"] and played.done


# ----------------------------------------------------------------------------------------------------- uploads


def announced(number: int) -> Reply:
    return reply(raw=b"", x_goog_upload_url=f"{BASE}/upload/v1beta/files?upload_id={number}&upload_protocol=resumable")


def finished(number: int, stage: str = "ACTIVE") -> Reply:
    file = {
        "name": f"files/f{number}",
        "uri": f"{BASE}/v1beta/files/f{number}",
        "mimeType": "image/webp",
        "state": stage,
    }
    return reply(value={"file": file})


SMALL = replace(SPEC, upload_above=10)
"""A spec for which every picture is too large to go inside."""


def test_what_is_too_large_is_uploaded_first_for_nothing() -> None:
    """Two free requests a file: one with its length and type, one with its bytes and without the key."""
    work = job(SMALL, request("edit", 2))
    played = play(work, announced(0), finished(0), announced(1), finished(1), reply(value=answer(inline())))
    assert [send.paid for send in played.sends] == [False] * 4 + [True]
    assert [send.with_key for send in played.sends] == [True, False, True, False, True]
    for index in (0, 1):
        opening, filling = played.sends[2 * index], played.sends[2 * index + 1]
        picture = work.references[index]
        assert opening.url == f"{BASE}/upload/v1beta/files"
        assert opening.headers == {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(len(picture.data)),
            "X-Goog-Upload-Header-Content-Type": picture.mime,
        }
        assert sent_json(opening) == {"file": {"display_name": f"reference-{index + 1}"}}
        assert filling.url == f"{BASE}/upload/v1beta/files?upload_id={index}&upload_protocol=resumable"
        assert filling.headers == {"X-Goog-Upload-Offset": "0", "X-Goog-Upload-Command": "upload, finalize"}
        assert filling.body is not None and b"".join(bytes(piece) for piece in filling.body) == picture.data
    parts = sent_json(played.sends[-1])["contents"][0]["parts"]
    assert [part["fileData"] for part in parts[1:]] == [
        {"mimeType": "image/webp", "fileUri": f"{BASE}/v1beta/files/f{number}"} for number in (0, 1)
    ]
    assert [send.uploaded for send in played.sends if send.uploaded] == [
        (0, f"{BASE}/v1beta/files/f0"),
        (1, f"{BASE}/v1beta/files/f1"),
    ]


def test_only_the_largest_are_uploaded() -> None:
    """As many as it takes for the rest to fit inside; the order in the body stays."""
    work = job(SPEC, request("edit", 3))
    large = replace(work.references[1], data=b"x" * 16_000_000)
    work = replace(work, references=(work.references[0], large, work.references[2]))
    played = play(work, announced(1), finished(1), reply(value=answer(inline())))
    kinds = [next(iter(part)) for part in sent_json(played.sends[-1])["contents"][0]["parts"]]
    assert kinds == ["text", "inlineData", "fileData", "inlineData"]


def test_a_request_that_just_fits_is_not_uploaded() -> None:
    """To the byte: the limit is the whole body's."""
    work = job(SPEC, request("edit", 1))
    body = play(work).sends[0].body
    assert body is not None
    exact = replace(work, spec=replace(SPEC, upload_above=len(body)))
    assert len(play(exact).sends) == 1 and play(exact).sends[0].paid
    assert not play(replace(work, spec=replace(SPEC, upload_above=len(body) - 1))).sends[0].paid


def test_what_is_uploaded_already_is_named_again() -> None:
    """Without a request."""
    work = job(SMALL, request("edit", 1), uploaded={0: f"{BASE}/v1beta/files/old"})
    played = play(work, reply(value=answer(inline())))
    assert len(played.sends) == 1
    assert sent_json(played.sends[0])["contents"][0]["parts"][1]["fileData"]["fileUri"].endswith("/old")


def test_a_file_that_is_looked_at_is_waited_for() -> None:
    """And asked for by its name below our own address, with the key."""
    ready = reply(value={"name": "files/f0", "uri": f"{BASE}/v1beta/files/f0", "state": "ACTIVE"})
    played = play(
        job(SMALL, request("edit", 1)),
        announced(0),
        finished(0, "PROCESSING"),
        reply(value={"name": "files/f0", "uri": f"{BASE}/v1beta/files/f0", "state": "PROCESSING"}),
        ready,
        reply(value=answer(inline())),
    )
    assert played.paths[2:4] == ["GET /v1beta/files/f0"] * 2 and len(played.waits) == 2
    assert [send.paid for send in played.sends] == [False] * 4 + [True] and played.done


def test_a_file_that_is_never_ready_is_given_up() -> None:
    """Nothing is paid by then."""
    stuck = reply(value={"name": "files/f0", "uri": f"{BASE}/v1beta/files/f0", "state": "PROCESSING"})
    played = play(job(SMALL, request("edit", 1)), announced(0), finished(0, "PROCESSING"), *[stuck] * 30)
    assert played.failed.failure.kind == "task" and not any(send.paid for send in played.sends)


@pytest.mark.parametrize(
    "replies",
    [
        [reply(raw=b"")],
        [reply(raw=b"", x_goog_upload_url="ftp://x")],
        [announced(0), reply(raw=b"<html>")],
        [announced(0), reply(value={})],
        [announced(0), reply(value={"file": {"uri": 3}})],
        [announced(0), finished(0, "FAILED")],
        [announced(0), reply(value={"file": {"name": "../x", "uri": "https://x", "state": "PROCESSING"}})],
    ],
)
def test_an_upload_that_goes_wrong_pays_nothing(replies: list[Reply]) -> None:
    """Whatever comes in place of an address or a file."""
    played = play(job(SMALL, request("edit", 1)), *replies)
    assert played.failed.failure.kind in ("unreadable", "task") and not any(send.paid for send in played.sends)


def test_a_key_in_the_address_of_an_upload_is_taken_out() -> None:
    """It would be in the log of everything in between; the address is good without it."""
    address = f"{BASE}/upload/v1beta/files?key=...&upload_id=4"
    played = play(job(SMALL, request("edit", 1)), reply(raw=b"", x_goog_upload_url=address))
    assert played.sends[1].url == f"{BASE}/upload/v1beta/files?upload_id=4"


# ----------------------------------------------------------------------------------------------------- answers


def test_drafts_and_thoughts_are_not_results() -> None:
    """Neither pictures nor words."""
    played = asked(
        answer(
            {"text": "let me see", "thought": True},
            inline(base64.b64encode(OTHER).decode(), thought=True),
            {"text": "A fox."},
            inline(thoughtSignature="abc"),
        )
    )
    assert played.done.images == (ImageRef(data=PNG),) and played.done.text == "A fox."


def test_drafts_go_with_the_picture_they_came_before() -> None:
    """All of them, in their order; of a picture that is itself a draft, those before it."""
    first, second = (base64.b64encode(PNG + bytes([n])).decode() for n in (1, 2))
    drawn = asked(answer(inline(first, thought=True), inline(second, thought=True), inline()))
    assert [draft.data for draft in drawn.done.images[0].drafts] == [PNG + b"\1", PNG + b"\2"]
    only = asked(answer(inline(first, thought=True), inline(second, thought=True)))
    assert [only.done.images[0].data, *(draft.data for draft in only.done.images[0].drafts)] == [
        PNG + b"\2",
        PNG + b"\1",
    ]


@pytest.mark.parametrize("spec", [SPEC, VERTEX])
@pytest.mark.parametrize(
    "model", ["nano-banana-2.1", "nano-banana-pro", "nano-banana-2", "nano-banana-lite", "nano-banana"]
)
def test_drafts_are_asked_for_where_somebody_wants_them_and_the_model_thinks(spec: ProviderSpec, model: str) -> None:
    """Beside the level that the graph names. The first model doesn't think, and refuses the field."""
    work = job(spec, request(thinking="high"), model, wants_drafts=True)
    thinking = {} if model == "nano-banana-pro" else {"thinkingLevel": "high"}
    wanted = None if model == "nano-banana" else {**thinking, "includeThoughts": True}
    assert sent_json(play(work).sends[0])["generationConfig"].get("thinkingConfig") == wanted
    unwatched = sent_json(play(job(spec, request(thinking="high"), model)).sends[0])["generationConfig"]
    assert "includeThoughts" not in unwatched.get("thinkingConfig", {})


def test_the_last_draft_is_taken_where_there_is_nothing_else() -> None:
    """It was paid."""
    other = base64.b64encode(OTHER).decode()
    played = asked(answer(inline(other, thought=True), {"text": "hm", "thought": True}, inline(thought=True)))
    assert played.done.images == (ImageRef(data=PNG),) and played.done.text == ""


def test_of_several_final_pictures_the_last_is_the_result() -> None:
    """A draft that lost its mark on the way comes before it; what was paid for is kept all the same."""
    value = answer(inline(), inline(), inline(base64.b64encode(OTHER).decode()))
    assert [found.data for found in asked(value).done.images] == [PNG, PNG, OTHER]
    results, extras = choose_results(asked(value).done.images, 1)
    assert [found.data for found in results] == [OTHER] and [found.data for found in extras] == [PNG]
    value["candidates"] += answer(inline())["candidates"]
    results, extras = choose_results(asked(value).done.images, 1)
    assert [found.data for found in results] == [PNG] and [found.data for found in extras] == [OTHER]


@pytest.mark.parametrize(
    "part",
    [
        {"inline_data": {"mime_type": "image/png", "data": B64}},
        inline(f"data:image/png;base64,{B64}"),
        inline(base64.b64encode(B64.encode()).decode()),
        inline(B64.replace("+", "-").replace("/", "_").rstrip("=")),
    ],
)
def test_the_picture_is_found_however_it_is_wrapped(part: dict[str, Any]) -> None:
    """snake_case, a data URI, base64 of base64, the other alphabet."""
    assert asked(answer(part)).done.images == (ImageRef(data=PNG),)


def test_a_picture_may_be_an_address() -> None:
    """As some resellers answer."""
    url = "https://cdn.example.com/1.png"
    assert asked(answer({"fileData": {"fileUri": url}})).done.images == (ImageRef(url=url),)
    assert asked(answer({"file_data": {"file_uri": url}})).done.images == (ImageRef(url=url),)


def test_the_sources_of_a_search_follow_the_words() -> None:
    """Each once, with its title; nonsense between them is passed over."""
    web = [
        {"web": {"uri": "https://a.example/1", "title": "One"}},
        {"web": {"uri": "https://a.example/1", "title": "One"}},
        {"web": {"uri": "https://b.example/2"}},
        {"web": {"title": "no address"}},
        {"image": {"uri": "x"}},
        None,
    ]
    value = answer({"text": "Done."}, inline(), groundingMetadata={"groundingChunks": web})
    done = asked(value).done
    assert done.text == "Done.\nSources:\n- One: https://a.example/1\n- https://b.example/2"
    assert done.sources == (("One", "https://a.example/1"), ("", "https://b.example/2"))


def test_the_answer_s_own_id_is_the_request_s() -> None:
    """Unless a header names one."""
    assert asked({**answer(inline()), "responseId": "r-1"}).done.request_id == "r-1"


def test_data_that_is_no_picture_may_have_been_paid() -> None:
    """Unlike an answer without any."""
    failure = asked(answer(inline(base64.b64encode(b"<html>").decode()))).failed.failure
    assert failure.kind == "unreadable" and charged_by(SPEC, failure, accepted=False) == "maybe"


# ------------------------------------------------------------------------------------------- a 200 that declines


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason != "STOP"])
def test_every_reason_is_told_in_plain_words_beside_the_model_s_own(reason: str) -> None:
    """As the end of an answer, and as a prompt that was blocked."""
    kind, meaning = REASONS[reason]
    ended = asked(answer({"text": "Sorry, no."}, reason=reason, finishMessage="Unable to show it.")).failed.failure
    assert ended.kind == kind and ended.cure == meaning
    assert ended.message == f"{reason}; Unable to show it.; Sorry, no."
    blocked = asked({"promptFeedback": {"blockReason": reason}}).failed.failure
    assert blocked.kind == kind and blocked.cure == meaning and reason in blocked.message


FINISH_REASONS = (
    "FINISH_REASON_UNSPECIFIED STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII "
    "MALFORMED_FUNCTION_CALL IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_OTHER NO_IMAGE IMAGE_RECITATION "
    "UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE ESCALATION "
    "PUP_LIMITED_DISABLED CONTINUATION MODEL_ARMOR"
).split()
BLOCKED_REASONS = (
    "BLOCKED_REASON_UNSPECIFIED SAFETY OTHER BLOCKLIST PROHIBITED_CONTENT IMAGE_SAFETY MODEL_ARMOR JAILBREAK"
).split()
"""The enums FinishReason and BlockedReason of google-genai 3.6.1."""


@pytest.mark.parametrize("reason", [*FINISH_REASONS, *BLOCKED_REASONS])
def test_every_reason_of_google_s_sdk_has_words_of_its_own(reason: str) -> None:
    """Of those that give no reason the model's words count."""
    unnamed = reason.endswith("_UNSPECIFIED")
    assert unnamed or REASONS[reason][1]
    failure = asked(answer({"text": "Sorry."}, reason=reason)).failed.failure
    assert failure.message == ("Sorry." if unnamed or reason == "STOP" else f"{reason}; Sorry.")


def test_a_disabled_account_is_not_an_empty_answer() -> None:
    """It is told as the account's trouble, and what was made by then may have been charged."""
    failure = asked(answer(reason="PUP_LIMITED_DISABLED")).failed.failure
    error = provider_error(failure, SPEC.label, charged_by(SPEC, failure, accepted=False))
    assert error.kind == "account" and error.charged == "maybe"
    assert "limited or disabled this account" in error.what and "Prohibited Use Policy" in error.cure


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("USER_DISABLED", "account"),
        ("IMAGE_CELEBRITY_SAFETY", "content"),
        ("PROHIBITED_2027", "content"),
        ("TOO_HOT", "empty"),
        ("FINISHED", "empty"),
    ],
)
def test_a_reason_of_next_year_is_named(reason: str, kind: str) -> None:
    """And sorted by what it sounds like."""
    failure = asked(answer(reason=reason)).failed.failure
    assert failure.kind == kind and reason in failure.message


def test_words_alone_are_the_message() -> None:
    """Asked back, or declined in prose."""
    asking = asked(answer({"text": "Which fox do you mean?"})).failed.failure
    assert asking.kind == "empty" and asking.message == "Which fox do you mean?"
    declining = asked(answer({"text": "That would violate the content policy."})).failed.failure
    assert declining.kind == "content"


@pytest.mark.parametrize(
    "value",
    [{}, {"candidates": []}, {"candidates": None}, {"candidates": [{}]}, {"candidates": [None]}, answer(), answer({})],
)
def test_an_empty_answer_is_empty(value: dict[str, Any]) -> None:
    """And may have been charged: nobody says."""
    failure = asked(value).failed.failure
    assert failure.kind == "empty" and charged_by(SPEC, failure, accepted=False) == "maybe"


def test_an_error_in_a_200_keeps_its_words() -> None:
    """A gateway's."""
    assert asked({"error": {"message": "upstream is away"}}).failed.failure.message == "upstream is away"


# ------------------------------------------------------------------------------------------------------ errors

BAD_KEY = error(
    400,
    "INVALID_ARGUMENT",
    "API key not valid. Please pass a valid API key.",
    {"@type": f"{RPC}ErrorInfo", "reason": "API_KEY_INVALID"},
)
REGION = error(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
SPENT = "You exceeded your current quota, please check your plan and billing details."


def quota(*names: str, delay: str = "") -> dict[str, Any]:
    details: list[dict[str, Any]] = [{"@type": f"{RPC}QuotaFailure", "violations": [{"quotaId": n} for n in names]}]
    if delay:
        details.append({"@type": f"{RPC}RetryInfo", "retryDelay": delay})
    return error(429, "RESOURCE_EXHAUSTED", SPENT, *details)


@pytest.mark.parametrize(
    ("status", "value", "kind"),
    [
        (400, BAD_KEY, "key"),
        (400, error(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."), "key"),
        (
            400,
            error(400, "INVALID_ARGUMENT", "Unknown name \"x\" at 'safety_settings[0]': Cannot find field."),
            "invalid",
        ),
        (400, error(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."), "too_large"),
        (400, REGION, "region"),
        (400, error(400, "FAILED_PRECONDITION", "Enable billing on your project."), "credit"),
        (401, error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), "key"),
        (403, error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers."), "key"),
        (403, error(403, "PERMISSION_DENIED", "x", {"reason": "SERVICE_DISABLED"}), "key"),
        (403, error(403, "PERMISSION_DENIED", "x", {"reason": "BILLING_DISABLED"}), "credit"),
        (403, error(403, "PERMISSION_DENIED", "You may not access the File f or it may not exist."), "invalid"),
        (404, error(404, "NOT_FOUND", "models/x is not found for API version v1beta."), "model"),
        (429, quota("GenerateRequestsPerMinutePerProjectPerModel", delay="37s"), "rate"),
        (429, error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."), "rate"),
        (429, quota("GenerateRequestsPerDayPerProjectPerModel"), "quota"),
        (429, quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", delay="2s"), "quota"),
        (429, error(429, "RESOURCE_EXHAUSTED", f"{SPENT} Quota exceeded for metric: m, limit: 0"), "quota"),
        (499, error(499, "CANCELLED", "The operation was cancelled."), "server"),
        (500, error(500, "INTERNAL", "An internal error has occurred."), "server"),
        (503, error(503, "UNAVAILABLE", "The model is overloaded."), "busy"),
        (504, error(504, "DEADLINE_EXCEEDED", "Deadline expired."), "server"),
    ],
)
def test_errors_by_their_words(status: int, value: dict[str, Any], kind: str) -> None:
    """Bare, and in a list as Google's newer routes send them."""
    for shape in (value, [value]):
        failure = asked(shape, status).failed.failure
        assert failure.kind == kind and failure.status == status
        assert failure.message.startswith(value["error"]["message"][:12])


@pytest.mark.parametrize("delay", ["37s", "0.5s", "2.250s"])
def test_the_pause_that_a_body_asks_for_is_kept(delay: str) -> None:
    """A refusal before work: it is sent again after that."""
    failure = asked(quota("PerMinute", delay=delay), 429).failed.failure
    assert failure.retry_after == float(delay[:-1])
    again = after_failure(SPEC, failure, {}, paid=True, attempt=1, now=0, jitter=0)
    assert again == Retry(float(delay[:-1]))


@pytest.mark.parametrize("delay", ["", "s", "-1s", "1e9s", "soon", "12", "9999999999s", 5, None, {"seconds": 3}])
def test_a_pause_that_makes_no_sense_is_none(delay: Any) -> None:
    """Nor a crash."""
    detail = {"@type": f"{RPC}RetryInfo", "retryDelay": delay}
    assert asked(error(429, "RESOURCE_EXHAUSTED", SPENT, detail), 429).failed.failure.retry_after is None


def test_a_key_without_billing_is_not_asked_again() -> None:
    """However short the pause it names: image models have no free tier. Nothing was charged, and the key is fine."""
    failure = asked(quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", delay="1s"), 429).failed.failure
    assert isinstance(after_failure(SPEC, failure, {}, paid=True, attempt=1, now=0, jitter=0), GiveUp)
    assert charged_by(SPEC, failure, accepted=False) == "no"
    assert "key is fine" in failure.cure and "billing" in failure.cure
    daily = asked(quota("GenerateRequestsPerDayPerProjectPerModel"), 429).failed.failure
    assert "key is fine" in daily.cure and "billing" not in daily.cure


def test_a_region_that_is_not_served_is_said_with_the_way_out() -> None:
    """Without blaming the key."""
    failure = asked(REGION, 400).failed.failure
    assert "where this machine is" in failure.cure and "key is fine" in failure.cure and "vertex" in failure.cure


def test_a_cancelled_operation_may_have_been_charged() -> None:
    """Nobody here cancels: what stood behind it may have finished."""
    failure = asked(error(499, "CANCELLED", "x"), 499).failed.failure
    assert charged_by(SPEC, failure, accepted=False) == "maybe"
    assert asked("nonsense", 499).failed.failure.kind == "server"


def test_a_reseller_s_own_errors_are_read_as_everybody_s() -> None:
    """The shape of the images family in front of Google's API."""
    value = {"error": {"message": "quota", "type": "new_api_error", "code": "insufficient_user_quota"}}
    assert asked(value, 403).failed.failure.kind == "credit"
    assert asked({"message": "Invalid token"}, 401).failed.failure.kind == "key"
