"""Replicate with replies by hand: predictions and their ends, files, cancelling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dialect_driver import BASE, job, negotiated, play, reply, request, sent_json
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Cancels, Done, ImageRef, Reply, Send, Wait
from pack.core.dialects.replicate import DIALECT as replicate
from pack.core.execution import charge, retry_policy
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["replicate"]
URL = "https://replicate.delivery/xezq/out.jpg"
ONE = f"{BASE}/v1/predictions/p1"
MADE: dict[str, Any] = {
    "id": "p1",
    "model": "google/nano-banana-2",
    "input": {"prompt": "a fox", "image_input": ["https://mine.example.com/in.png"]},
    "output": None,
    "error": None,
    "status": "starting",
    "started_at": None,
    "urls": {"get": ONE, "cancel": f"{ONE}/cancel"},
}
STARTED = {**MADE, "status": "processing", "started_at": "2026-11-21T10:00:00Z"}
SUCCEEDED = {**STARTED, "status": "succeeded", "output": URL}


def ended(value: dict[str, Any]) -> Any:
    """How a prediction ends that is next seen as `value`."""
    return play(job(SPEC, request()), reply(201, MADE), reply(200, value)).end


def test_a_prediction_is_made_and_asked_for() -> None:
    """`input` holds everything; one picture a call, no seed, and no model of another maker."""
    asked = request(resolution="0.5K", web_search=True, output_format="jpeg", aspect_ratio="16:9", seed=5)
    played = play(job(SPEC, asked), reply(201, MADE), reply(200, STARTED), reply(200, SUCCEEDED))
    assert played.paths == ["POST /v1/models/google/nano-banana-2/predictions", *["GET /v1/predictions/p1"] * 2]
    assert [send.paid for send in played.sends] == [True, False, False]
    assert not any(send.headers for send in played.sends), "no Prefer: wait"
    assert sent_json(played.sends[0]) == {
        "input": {
            "prompt": "a fox in snow",
            "aspect_ratio": "16:9",
            "resolution": "512px",
            "google_search": True,
            "output_format": "jpg",
        }
    }
    assert played.done.images == (ImageRef(url=URL),), "an echoed input is no result"
    assert played.done.request_id == "p1"


def test_pro_s_own_spellings() -> None:
    """2K unless told otherwise; six levels of tolerance are three filters; never a fallback model."""
    filters = []
    for level in "123456":
        sent = sent_json(play(job(SPEC, request(safety_tolerance=level), "nano-banana-pro")).sends[0])["input"]
        assert set(sent) == {"prompt", "safety_filter_level"}
        filters.append(sent["safety_filter_level"])
    low, medium, high = "block_low_and_above", "block_medium_and_above", "block_only_high"
    assert filters == [low, low, medium, medium, high, high]
    assert negotiated(SPEC, request(), "nano-banana-pro").resolution == "2K"


def test_an_edit_asks_for_the_first_picture_s_ratio_in_its_own_word() -> None:
    sent = sent_json(play(job(SPEC, request("edit", 2), "nano-banana")).sends[0])["input"]
    assert sent["aspect_ratio"] == "match_input_image" and len(sent["image_input"]) == 2
    assert all(one.startswith("data:image/png;base64,") for one in sent["image_input"])


@pytest.mark.parametrize("output", [URL, [URL], [{"url": URL}], {"url": URL}])
def test_an_output_is_a_string_or_a_list(output: Any) -> None:
    assert ended({**SUCCEEDED, "output": output}).images == (ImageRef(url=URL),)


@pytest.mark.parametrize(
    "urls",
    [
        {"get": "https://evil.example/p1", "cancel": "https://evil.example/p1/cancel"},
        {"get": "http://api.example.com/v1/predictions/p1", "cancel": 3},
        {"get": None},
        {},
        "none",
        None,
    ],
)
def test_addresses_elsewhere_are_not_used(urls: Any) -> None:
    """The key goes to Replicate alone: the documented address is built from the id."""
    played = play(job(SPEC, request()), reply(201, {**MADE, "urls": urls}))
    assert played.sends[-1].url == ONE
    drop = replicate.cancel(job(SPEC, request()), played.sends[-1].accepted or {})
    assert drop is not None and drop.url == f"{ONE}/cancel"


def test_the_given_address_is_used_as_it_is() -> None:
    """At the provider's own origin."""
    urls = {"get": f"{BASE}/v1/deployments/x/p1", "cancel": f"{BASE}/v1/deployments/x/p1/cancel"}
    played = play(
        job(SPEC, request()), reply(201, {**MADE, "urls": urls}), reply(200, {"id": "p1", "status": "starting"})
    )
    assert played.paths[1:] == ["GET /v1/deployments/x/p1"] * 2, "also when a later answer leaves it out"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("The input or output was flagged as sensitive. Please try again. (E005) (abc)", "content"),
        ("Prediction failed: E005", "content"),
        ("NSFW content detected", "content"),
        ("E003 google.ModelRateLimitError: quota", "task"),
        ("E004 Service is temporarily unavailable", "task"),
        ("", "task"),
        (None, "task"),
    ],
)
def test_a_failed_prediction_by_its_words(error: str | None, kind: str) -> None:
    """It ends the call whatever the words are: a rate limit in them is not ours to wait for."""
    failed = ended({**STARTED, "status": "failed", "error": error})
    assert failed.failure.kind == kind and failed.task == "p1"
    assert (error or "")[:20] in failed.failure.message
    decision = retry_policy.after_failure(SPEC, failed.failure, {}, paid=False, attempt=1, now=0, jitter=0)
    assert isinstance(decision, retry_policy.GiveUp) and charge.disposition_of(failed.failure, accepted=True) == "final"
    assert charge.charged_by(SPEC, failed.failure, accepted=True) == "maybe"


@pytest.mark.parametrize(
    ("value", "charged"),
    [
        ({**MADE, "status": "canceled"}, "no"),
        ({**MADE, "status": "cancelled"}, "no"),
        ({**STARTED, "status": "canceled"}, "maybe"),
        ({"id": "p1", "status": "canceled"}, "maybe"),
        ({"id": "p1", "status": "aborted"}, "no"),
    ],
)
def test_what_a_cancelled_prediction_costs(value: dict[str, Any], charged: str) -> None:
    """Nothing when it never started, which it has to say; nobody is asked about it afterwards."""
    failure = ended(value).failure
    assert charge.charged_by(SPEC, failure, accepted=True) == charged
    assert charge.disposition_of(failure, accepted=True) == "final"


def test_an_output_that_was_deleted_was_paid_and_is_lost() -> None:
    """An hour later: the next run asks before it pays again."""
    failure = ended({**SUCCEEDED, "output": None, "data_removed": True}).failure
    assert (
        charge.charged_by(SPEC, failure, accepted=True) == "yes"
        and charge.disposition_of(failure, accepted=True) == "unresolved"
    )
    assert "an hour" in failure.cure


def test_a_success_without_an_output() -> None:
    """The picture was declined without a word, or never was."""
    failure = ended({**SUCCEEDED, "output": None}).failure
    assert failure.kind == "empty" and charge.charged_by(SPEC, failure, accepted=True) == "maybe"


def test_a_prediction_is_found_again_after_a_restart() -> None:
    accepted = play(job(SPEC, request("edit")), reply(201, MADE), reply(200, STARTED)).sends[-1].accepted
    again = play(job(SPEC, request()), reply(200, SUCCEEDED), accepted=accepted)
    assert again.paths == ["GET /v1/predictions/p1"] and again.done.images == (ImageRef(url=URL),)


def test_a_prediction_that_is_not_known_any_more_is_lost() -> None:
    failed = play(job(SPEC, request()), reply(201, MADE), reply(404, {"detail": "Not found"})).failed
    assert failed.task == "p1" and charge.disposition_of(failed.failure, accepted=True) == "unresolved"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (reply(401, {"title": "Unauthenticated", "detail": "No valid token", "status": 401}), "key", "No valid token"),
        (reply(402, {"title": "Insufficient credit", "detail": "Buy some", "status": 402}), "credit", "Buy some"),
        (reply(404, {"detail": "The requested resource could not be found."}), "model", "requested resource"),
        (reply(422, {"title": "Input validation failed", "detail": "- input.resolution: no"}), "invalid", "resolution"),
        (reply(429, {"detail": "Request was throttled."}), "rate", "throttled"),
        (reply(503, {"detail": "Down"}), "busy", "Down"),
    ],
)
def test_a_submission_that_is_refused(answer: Reply, kind: str, words: str) -> None:
    """Problem-style, with what of it is there."""
    failure = play(job(SPEC, request()), answer).failed.failure
    assert failure.kind == kind and words in failure.message
    assert charge.charged_by(SPEC, failure, accepted=False) == "no"


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"detail": "Request was throttled. Your rate limit resets in ~30s.", "retry_after": 7}, {}, 7.0),
        ({"detail": "Request was throttled. Your rate limit resets in ~30s."}, {}, 30.0),
        ({"detail": "Request was throttled. Your rate limit resets in ~30s."}, {"retry_after": "4"}, 4.0),
        ({"detail": "Request was throttled. It resets in a while."}, {}, None),
    ],
)
def test_how_long_a_throttled_request_waits(body: Any, headers: dict[str, str], seconds: float | None) -> None:
    """The field, the header, or the seconds in the sentence; without any, the usual backoff."""
    answer = reply(429, body, **headers)
    failure = play(job(SPEC, request()), answer).failed.failure
    decision = retry_policy.after_failure(SPEC, failure, answer.headers, paid=True, attempt=1, now=0, jitter=0)
    assert isinstance(decision, retry_policy.Retry)
    assert decision.seconds == (pytest.approx(seconds) if seconds else retry_policy.DEFAULT_WAITS.first_pause)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html></html>", b"{}", b'{"status": "succeeded"}'])
def test_a_submission_answered_with_something_else_may_have_been_paid(body: bytes) -> None:
    failure = play(job(SPEC, request()), reply(201, raw=body)).failed.failure
    assert charge.charged_by(SPEC, failure, accepted=False) == "maybe"


# --------------------------------------------------------------------------------------------------- files


def test_large_references_are_uploaded_as_files() -> None:
    """One multipart part called `content` each, free; their addresses go in, in order."""
    work = job(replace(SPEC, upload_above=1), request("edit", 2))
    files = [reply(201, {"id": f"f{n}", "urls": {"get": f"{BASE}/v1/files/f{n}"}}) for n in range(2)]
    played = play(work, *files, reply(201, MADE))
    assert played.paths[:3] == [*["POST /v1/files"] * 2, "POST /v1/models/google/nano-banana-2/predictions"]
    assert [send.paid for send in played.sends[:3]] == [False, False, True]
    sizes = sorted(range(2), key=lambda n: -len(work.references[n].data))
    bodies = [send.body for send in played.sends[:2]]
    for body, index in zip(bodies, sizes, strict=True):
        whole = b"".join(bytes(piece) for piece in body or ())
        assert b'name="content"; filename="image_0.png"\r\nContent-Type: image/png' in whole
        assert work.references[index].data in whole
    wanted = {sizes[n]: f"{BASE}/v1/files/f{n}" for n in range(2)}
    assert sent_json(played.sends[2])["input"]["image_input"] == [wanted[0], wanted[1]]
    assert [send.uploaded for send in played.sends if send.uploaded] == [(n, wanted[n]) for n in sizes]


@pytest.mark.parametrize(
    "answer",
    [
        reply(413, {"detail": "Too large"}),
        reply(201, {"id": "f"}),
        reply(201, {"urls": {"get": 1}}),
        reply(201, raw=b"?"),
    ],
)
def test_a_failed_upload_ends_before_anything_is_paid(answer: Reply) -> None:
    played = play(job(replace(SPEC, upload_above=1), request("edit")), answer)
    assert played.failed and not any(send.paid for send in played.sends)


# --------------------------------------------------------------------------------------------------- cancelling


def test_only_what_is_starting_is_cancelled() -> None:
    """What runs could be billed without a picture."""
    work = job(SPEC, request())
    assert isinstance(dialect("replicate"), Cancels)
    starting = play(work, reply(201, MADE)).sends[-1].accepted
    drop = replicate.cancel(work, starting or {})
    assert drop is not None and (drop.method, drop.url, drop.paid) == ("POST", f"{ONE}/cancel", False)
    for seen in (STARTED, {"id": "p1", "status": "percolating"}):
        accepted = play(work, reply(201, MADE), reply(200, seen)).sends[-1].accepted
        assert replicate.cancel(work, accepted or {}) is None


@pytest.mark.parametrize("answer", [reply(200, {**MADE, "status": "canceled"}), reply(404, {}), reply(500, raw=b"?")])
def test_it_is_asked_for_whatever_was_said_about_cancelling(answer: Reply) -> None:
    work = job(SPEC, request())
    drop = replicate.cancel(work, play(work, reply(201, MADE)).sends[-1].accepted or {})
    assert isinstance(drop, Send)
    step = replicate.next(work, drop.state, answer)
    assert isinstance(step, Wait) and step.then.url == ONE
    assert isinstance(replicate.next(work, step.then.state, reply(200, SUCCEEDED)), Done)


def test_a_ratio_that_replicate_does_not_take_is_free_and_explained() -> None:
    """The extreme ratios are disputed: what it says about them reaches the user, and costs nothing."""
    work = job(SPEC, request(aspect_ratio="1:8", resolution="0.5K"), "nano-banana-2")
    text = "- input.aspect_ratio: input.aspect_ratio must be one of the following: match_input_image, 1:1"
    answer = {"title": "Input validation failed", "detail": text, "status": 422}
    played = play(work, reply(422, answer))
    assert sent_json(played.sends[0])["input"]["aspect_ratio"] == "1:8"
    failure = played.failed.failure
    assert "input.aspect_ratio" in failure.message and charge.charged_by(SPEC, failure, accepted=False) == "no"
