"""OneRouter's dialect with replies by hand: what is asked, how each answer is read, how an accepted task is found again."""

from __future__ import annotations

import base64
import json

import pytest
from dialect_driver import PNG, job, play, reply, request, sent_json
from pack.core.dialects.base.step import ImageRef, Reply
from pack.core.providers import BUILT_IN
from pack.core.request import Request

SPEC = BUILT_IN["onerouter"]
B64 = base64.b64encode(PNG).decode()
ADDRESS = "https://files.example.com/a.png?sig=1"
TASK = {
    "code": 200,
    "message": "success",
    "data": {"task_id": "t-77", "status": "created", "urls": {"query": "https://x.example/y"}},
}


def test_a_generation_is_one_paid_post_with_the_documented_fields() -> None:
    """Names and types as in the document of /generations."""
    work = job(
        SPEC,
        request(
            seed=7,
            aspect_ratio="16:9",
            resolution="2K",
            safety_tolerance="5",
            limit_generations="off",
            web_search=True,
        ),
        "nano-banana-pro",
        count=2,
    )
    played = play(work, reply(value={"created": 1, "data": [{"url": ADDRESS}, {"b64_json": B64}], "request_id": "r1"}))
    assert played.paths == ["POST /v1/images/generations"] and played.sends[0].paid
    assert sent_json(played.sends[0]) == {
        "model": "google/nano-banana-pro-text-to-image",
        "prompt": "a fox in snow",
        "output_format": "url",
        "aspect_ratio": "16:9",
        "resolution": "2K",
        "safety_tolerance": "5",
        "limit_generations": False,
        "enable_web_search": True,
        "seed": 7,
        "n": 2,
    }
    assert played.done.images == (ImageRef(url=ADDRESS), ImageRef(data=PNG)) and played.done.request_id == "r1"


def test_an_edit_calls_the_ratio_size_and_sends_data_uris_in_order() -> None:
    """/edits has no seed; references are strings in image_urls; ratio auto is the provider's own word."""
    work = job(SPEC, request("edit", 3, seed=9))
    played = play(work, reply(value={"created": 1, "data": [{"url": ADDRESS, "revised_prompt": "a red fox"}]}))
    body = sent_json(played.sends[0])
    assert played.paths == ["POST /v1/images/edits"]
    assert body.pop("image_urls") == [
        f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}" for picture in work.references
    ]
    assert body == {
        "model": "google/nano-banana-2-image-to-image",
        "prompt": "a fox in snow",
        "output_format": "url",
        "size": "auto",
        "n": 1,
    }
    assert played.done.text == "a red fox"


def test_a_task_is_followed_with_growing_pauses() -> None:
    """created, in_progress, a word nobody knows, completed: polls are free and the pause is bounded."""
    running = [
        reply(value={"code": 200, "data": {"task_id": "t-77", "status": word}})
        for word in ("created", "in_progress", "warming_up", *["in_progress"] * 8)
    ]
    ended = reply(value={"code": 200, "data": {"task_id": "t-77", "status": "completed", "outputs": [ADDRESS]}})
    played = play(job(SPEC, request()), reply(value=TASK), *running, ended)
    assert set(played.paths[1:]) == {"GET /v1/images/tasks/t-77"} and len(played.sends) == 13
    assert [send.paid for send in played.sends] == [True] + [False] * 12
    pauses = [wait.seconds for wait in played.waits]
    assert pauses == sorted(pauses) and pauses[0] == SPEC.poll_seconds[0] and pauses[-1] == SPEC.poll_seconds[1]
    assert all(wait.then.accepted for wait in played.waits)
    assert played.done.images == (ImageRef(url=ADDRESS),) and played.done.request_id == "t-77"


def test_an_accepted_task_is_found_again_after_a_restart() -> None:
    """`resume` needs nothing but the JSON of the accepted state, and no references."""
    first = play(job(SPEC, request("edit", 2)), reply(value=TASK))
    accepted = first.sends[-1].accepted
    assert accepted is not None and len(json.dumps(accepted)) < 500
    again = play(
        job(SPEC, request()), reply(value={"data": {"status": "completed", "outputs": [ADDRESS]}}), accepted=accepted
    )
    assert again.paths == ["GET /v1/images/tasks/t-77"] and not again.sends[0].paid
    assert again.done.images == (ImageRef(url=ADDRESS),)


def test_a_failed_task_is_a_failure_with_its_words() -> None:
    """fail_reason is shown, the task is named, and a failed task is no success."""
    failed = {
        "code": 200,
        "data": {"task_id": "t-77", "status": "failed", "fail_reason": "the model returned no image"},
    }
    ended = play(job(SPEC, request()), reply(value=TASK), reply(value=failed)).failed
    assert (
        ended.failure.kind == "task" and ended.failure.message == "the model returned no image" and ended.task == "t-77"
    )


def test_a_task_that_is_not_known_any_more_says_so() -> None:
    """A 404 on the poll isn't about the model."""
    ended = play(job(SPEC, request()), reply(value=TASK), reply(404, {"error": {"message": "task not found"}})).failed
    assert ended.failure.kind == "task_lost" and "t-77" in ended.failure.message and ended.task == "t-77"


def test_an_error_inside_a_200_is_an_error() -> None:
    """`{"code": 402, ...}` with status 200 is about credit, and nothing is polled."""
    played = play(job(SPEC, request()), reply(200, {"code": 402, "message": "insufficient balance", "data": None}))
    assert len(played.sends) == 1
    assert played.failed.failure.kind == "credit" and played.failed.failure.status == 402


TYPO = {"error": {"message": "aspect_ratio must be one of auto, 21:9", "type": "x", "code": "invalid_parameter"}}


def test_the_published_typo_of_the_ratio_is_tried_once() -> None:
    """3:2 that is refused is sent as " 3:2", once, and only the ratio changes."""
    played = play(job(SPEC, request(aspect_ratio="3:2", seed=3)), reply(400, TYPO), reply(400, TYPO))
    first, second = (sent_json(send) for send in played.sends)
    assert first["aspect_ratio"] == "3:2" and second == {**first, "aspect_ratio": " 3:2"}
    assert all(send.paid for send in played.sends)
    assert played.failed.failure.kind == "invalid"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (request(aspect_ratio="2:3"), reply(400, TYPO)),
        (request("edit", aspect_ratio="3:2"), reply(400, TYPO)),
        (request(aspect_ratio="3:2"), reply(500, TYPO)),
        (request(aspect_ratio="3:2"), reply(400, {"error": {"message": "prompt is too long"}})),
    ],
)
def test_nothing_else_is_taken_for_the_typo(asked: Request, answer: Reply) -> None:
    """Other ratios, edits, server faults and other words end it: a second paid request would be a guess."""
    played = play(job(SPEC, asked), answer)
    assert len(played.sends) == 1 and played.failed.failure.status


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"error":{"message":"Invalid API key","code":"invalid_api_key"}}', "key"),
        (402, b'{"error":{"message":"pay","type":"billing_error"}}', "credit"),
        (403, b'{"error":{"message":"blocked by safety","code":"content_policy_violation"}}', "content"),
        (403, b'{"error":{"message":"forbidden"}}', "key"),
        (413, b"too big", "too_large"),
        (429, b'{"error":{"message":"slow down"}}', "rate"),
        (500, b"{}", "server"),
        (502, b"<html><head><title>502 Bad Gateway</title></head>", "server"),
        (503, b'{"error":{"message":"no channel"}}', "busy"),
    ],
)
def test_statuses_are_read_as_kinds(status: int, body: bytes, kind: str) -> None:
    """What the retry table and the run decide by."""
    failure = play(job(SPEC, request()), reply(status, raw=body)).failed.failure
    assert (failure.kind, failure.status) == (kind, status)


def test_a_model_that_is_in_neither_spelling_is_a_model_that_is_not_there() -> None:
    """The documents write ids with and without `google/`, so the other spelling is asked for, once."""
    missing = reply(404, {"error": {"message": "model: x does not exist", "code": "model_not_found"}})
    played = play(job(SPEC, request()), missing, missing)
    assert [sent_json(send)["model"] for send in played.sends] == [
        "google/nano-banana-2-text-to-image",
        "nano-banana-2-text-to-image",
    ]
    assert (played.failed.failure.kind, played.failed.failure.status) == ("model", 404)


@pytest.mark.parametrize(
    "body", [b"", b"<html><title>Sign in</title>", b'{"data":[{"url":"htt', b"[]", b"null", b'"text"', b"\xff\xfe\x00"]
)
def test_a_success_that_cannot_be_read_is_unreadable(body: bytes) -> None:
    """Never a crash, never a picture, never a success."""
    failure = play(job(SPEC, request()), reply(raw=body)).failed.failure
    assert failure.kind == "unreadable" and failure.status == 200


def test_an_answer_without_pictures_keeps_the_model_s_words() -> None:
    """`data: []` and a refusal in revised_prompt are empty answers, told with the words."""
    assert play(job(SPEC, request()), reply(value={"created": 1, "data": []})).failed.failure.kind == "empty"
    answer_text = reply(value={"created": 1, "data": [{"revised_prompt": "I can't draw that."}]})
    failure = play(job(SPEC, request()), answer_text).failed.failure
    assert (failure.kind, failure.message) == ("empty", "I can't draw that.")
