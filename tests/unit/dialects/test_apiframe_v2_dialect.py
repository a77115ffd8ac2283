"""APIFRAME's second API with replies by hand: uploads, jobs, results of any shape, and what a replay says."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from dialect_driver import PNG, job, play, reply, request, sent_json
from pack.core.dialects.base.step import ImageRef, Reply
from pack.core.execution.charge import charged_by, disposition_of
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["apiframe_v2"]
URL = "https://cdn.apiframe.ai/out/1.png"
ACCEPTED = reply(202, {"jobId": "5b1c", "status": "QUEUED"})
URI = "data:image/png;base64," + base64.b64encode(PNG).decode()


def looked(status: str, **more: Any) -> Reply:
    """The answer to a poll."""
    return reply(
        value={"id": "5b1c", "status": status, "model": "nano-banana-2", "result": None, "error": None, **more}
    )


def uploaded(number: int) -> Reply:
    return reply(201, {"id": f"u{number}", "url": f"https://up.apiframe.ai/{number}.webp", "kind": "image"})


def test_a_job_is_asked_for_with_one_block_of_fields() -> None:
    """Its own names and spellings: `512px`, `jpg`, `google_search`. Everything hangs below `nanoBananaParams`."""
    asked = request(aspect_ratio="4:5", resolution="0.5K", output_format="jpeg", web_search=True)
    played = play(job(SPEC, asked), ACCEPTED, looked("PROCESSING", progress=40), looked("COMPLETED", result=[URL]))
    assert played.paths == ["POST /v2/images/generate", "GET /v2/jobs/5b1c", "GET /v2/jobs/5b1c"]
    assert sent_json(played.sends[0]) == {
        "model": "nano-banana-2",
        "prompt": "a fox in snow",
        "nanoBananaParams": {
            "aspect_ratio": "4:5",
            "resolution": "512px",
            "output_format": "jpg",
            "google_search": True,
        },
    }
    assert [send.paid for send in played.sends] == [True, False, False]
    assert played.done.images == (ImageRef(url=URL),) and played.done.request_id == "5b1c"
    assert "40%" in [wait.progress for wait in played.waits]


def test_without_options_the_block_is_left_out() -> None:
    """Nothing is sent that nobody asked for; the small model is not told its only size."""
    body = sent_json(play(job(SPEC, request(resolution="1K"), "nano-banana-lite")).sends[0])
    assert body == {"model": "nano-banana-2-lite", "prompt": "a fox in snow"}


def test_references_are_uploaded_and_sent_as_addresses() -> None:
    """One form with one `file` each, with the key; the ratio of the first picture is the nearest there is."""
    work = job(SPEC, request("edit", 2))
    played = play(work, uploaded(0), uploaded(1), ACCEPTED)
    assert played.paths[:3] == ["POST /v2/uploads", "POST /v2/uploads", "POST /v2/images/generate"]
    assert all(send.with_key for send in played.sends)
    for send, picture in zip(played.sends, work.references, strict=False):
        assert send.body is not None and send.body.content_type.startswith("multipart/form-data")
        form = b"".join(bytes(piece) for piece in send.body)
        assert picture.data in form and form.count(b"Content-Disposition") == 1 and b'name="file"' in form
    params = sent_json(played.sends[2])["nanoBananaParams"]
    assert params == {
        "aspect_ratio": "5:4",
        "image_input": ["https://up.apiframe.ai/0.webp", "https://up.apiframe.ai/1.webp"],
    }
    assert [send.uploaded for send in played.sends if send.uploaded] == [
        (0, "https://up.apiframe.ai/0.webp"),
        (1, "https://up.apiframe.ai/1.webp"),
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(502, {"error": "CDN upload failed"}), "server"),
        (reply(401, {"error": "Invalid API key"}), "key"),
        (reply(201, {"id": "u"}), "unreadable"),
        (reply(201, {"url": 7}), "unreadable"),
    ],
)
def test_a_failed_upload_ends_before_anything_is_paid(answer: Reply, kind: str) -> None:
    """Nothing is paid on a guess."""
    played = play(job(SPEC, request("edit")), answer)
    assert played.failed.failure.kind == kind and not any(send.paid for send in played.sends)


@pytest.mark.parametrize(
    "result",
    [
        [URL],
        URL,
        {"url": URL},
        {"images": [{"url": URL}]},
        {"image_urls": [URL]},
        {"output": URL},
        {"files": {"thumbnail": "https://cdn.apiframe.ai/small.png", "full": [URL]}},
        {"assets": [{"kind": "image", "src": URL}]},
        {
            "input": {"image_input": ["https://up.apiframe.ai/0.webp"]},
            "artifacts": {"main": {"href": URL, "again": URL}},
        },
        {"meta": {"note": "see https"}, "picture": URL},
    ],
)
def test_a_result_of_any_shape_is_walked_for_its_picture(result: Any) -> None:
    """The documents give none. What was sent, and smaller copies, are no results; one address is one picture."""
    assert play(job(SPEC, request()), ACCEPTED, looked("COMPLETED", result=result)).done.images == (ImageRef(url=URL),)


def test_a_result_may_be_the_picture_itself() -> None:
    """As a data URI, wherever it is."""
    for result in (URI, {"images": [URI]}, {"deep": [{"er": URI}]}):
        done = play(job(SPEC, request()), ACCEPTED, looked("COMPLETED", result=result)).done
        assert done.images == (ImageRef(data=PNG),)


@pytest.mark.parametrize("state", ["QUEUED", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED", "", None, 7])
def test_the_state_in_the_answer_to_a_submission_is_never_the_end(state: object) -> None:
    """A replay names the state that the first one's job has reached: only a poll has its pictures and its error."""
    played = play(
        job(SPEC, request()), reply(202, {"jobId": "5b1c", "status": state}), looked("COMPLETED", result=[URL])
    )
    assert played.paths[1:] == ["GET /v2/jobs/5b1c"] and played.done.images == (ImageRef(url=URL),)


def test_an_acceptance_without_a_job_is_unreadable() -> None:
    """With the idempotency key it may be asked for again."""
    for value in ({}, {"status": "QUEUED"}, {"jobId": ""}, {"jobId": None}):
        assert play(job(SPEC, request()), reply(202, value)).failed.failure.kind == "unreadable"


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
@pytest.mark.parametrize(("cost", "unbilled"), [(0, True), (12, None), (None, None), (False, None)])
def test_a_failed_job_says_why(status: str, cost: object, unbilled: bool | None) -> None:
    """`error` is a string; a cost of nothing is the provider's word that nothing was charged."""
    failed = play(job(SPEC, request()), ACCEPTED, looked(status, error="NSFW content", creditCost=cost)).failed
    assert (failed.failure.kind, failed.failure.unbilled, failed.task) == ("content", unbilled, "5b1c")
    assert "NSFW content" in failed.failure.message


def test_a_purged_result_was_paid_and_is_gone() -> None:
    """After 24 hours. An address that is still there is tried all the same."""
    gone = play(job(SPEC, request()), ACCEPTED, looked("COMPLETED", expired=True)).failed
    assert "24 hours" in gone.failure.message and disposition_of(gone.failure, accepted=True) == "unresolved"
    assert charged_by(SPEC, gone.failure, accepted=True) == "yes"
    assert play(job(SPEC, request()), ACCEPTED, looked("COMPLETED", expired=True, result=[URL])).done.images


def test_a_completed_job_without_pictures_is_empty() -> None:
    """Not polled for ever."""
    nothings: list[Any] = [None, [], {}, {"text": "I would rather not"}, 7]
    for result in nothings:
        ended = play(job(SPEC, request()), ACCEPTED, looked("COMPLETED", result=result)).failed
        assert (ended.failure.kind, ended.task) == ("empty", "5b1c")
    for cost, unbilled in ((0, True), (8, None), (None, None), (False, None)):
        ended = play(job(SPEC, request()), ACCEPTED, looked("COMPLETED", creditCost=cost)).failed
        assert ended.failure.unbilled is unbilled, "what it says that it cost counts here, too"


@pytest.mark.parametrize(
    ("status", "value", "kind", "words"),
    [
        (
            400,
            {"error": "Validation failed", "details": {"prompt": ["too long", "odd"]}},
            "invalid",
            "prompt: too long, odd",
        ),
        (400, {"error": "Validation failed", "details": "x"}, "invalid", "Validation failed"),
        (401, {"error": "Invalid API key"}, "key", "Invalid API key"),
        (
            402,
            {"error": "Insufficient credits", "creditsRequired": 12, "creditsAvailable": 3},
            "credit",
            "takes 12 credits",
        ),
        (403, {"error": "Forbidden"}, "key", "Forbidden"),
        (404, {"error": "Unknown model"}, "model", "Unknown model"),
        (409, {"error": "Idempotency key reused"}, "server", "reused"),
        (429, {"error": "Too many requests"}, "rate", "Too many"),
        (503, {"error": "Unavailable"}, "busy", "Unavailable"),
    ],
)
def test_documented_errors(status: int, value: dict[str, Any], kind: str, words: str) -> None:
    """`{error, details}`, and the credits that are missing."""
    failure = play(job(SPEC, request()), reply(status, value)).failed.failure
    assert (failure.kind, failure.status) == (kind, status) and words in failure.message


@pytest.mark.parametrize("raw", [b"", b"<html><title>Bad gateway</title>", b"[1]", b'"x"'])
def test_an_error_that_is_no_object_is_told_by_its_status(raw: bytes) -> None:
    """A gateway's page, or nothing."""
    assert play(job(SPEC, request()), reply(502, raw=raw)).failed.failure.kind == "server"


def test_a_job_that_is_not_known_any_more_is_lost() -> None:
    """The 404 of a poll is about the job."""
    lost = play(job(SPEC, request()), ACCEPTED, reply(404, {"error": "Job not found"})).failed
    assert "5b1c" in lost.failure.message and disposition_of(lost.failure, accepted=True) == "unresolved"


def test_a_job_is_found_again_after_a_restart() -> None:
    """From the accepted state alone; an odd id stays one segment of the path."""
    accepted = play(job(SPEC, request("edit")), uploaded(0), ACCEPTED).sends[-1].accepted
    again = play(job(SPEC, request()), looked("COMPLETED", result=[URL]), accepted=accepted)
    assert again.paths == ["GET /v2/jobs/5b1c"] and again.done.images == (ImageRef(url=URL),)
    odd = play(job(SPEC, request()), reply(202, {"jobId": "../a b?c", "status": "QUEUED"}))
    assert odd.paths[-1] == "GET /v2/jobs/..%2Fa%20b%3Fc"
