"""kie.ai with replies by hand: the upload at its other address, tasks, and errors inside a 200."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from dialect_driver import BASE, job, play, reply, request, sent_json
from pack.core.dialects.base.step import ImageRef, Reply, Send
from pack.core.execution.charge import charged_by, disposition_of
from pack.core.execution.retry_policy import GiveUp, after_failure
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["kie"]
URL = "https://tempfile.example.com/out.png"
CREATED = {"code": 200, "msg": "success", "data": {"taskId": "task_12"}}
POLL = "GET /api/v1/jobs/recordInfo?taskId=task_12"


def record(state: str, **more: Any) -> Reply:
    """The answer to a poll."""
    data = {"taskId": "task_12", "state": state, "param": '{"input":{"image_input":["https://mine.example/in.png"]}}'}
    return reply(value={"code": 200, "msg": "success", "data": {**data, **more}})


def success(*urls: str) -> Reply:
    """A finished task."""
    return record("success", resultJson=json.dumps({"resultUrls": list(urls)}), creditsConsumed=8)


def uploaded(number: int, name: str = "downloadUrl") -> Reply:
    """The answer to an upload."""
    return reply(
        value={"success": True, "code": 200, "msg": "ok", "data": {name: f"https://tempfile.example.com/{number}"}}
    )


def sent_form(send: Send) -> bytes:
    assert send.body is not None and send.body.content_type.startswith("multipart/form-data")
    return b"".join(bytes(piece) for piece in send.body)


def test_a_task_is_created_and_followed_to_what_it_made() -> None:
    """`resultJson` is JSON inside a string; what the record repeats of the request is no result."""
    work = job(SPEC, request(aspect_ratio="9:16", resolution="4K", output_format="jpeg"), "nano-banana-pro")
    played = play(work, reply(value=CREATED), record("waiting"), record("queuing"), record("generating"), success(URL))
    assert played.paths == ["POST /api/v1/jobs/createTask", *[POLL] * 4]
    assert [send.paid for send in played.sends] == [True, False, False, False, False]
    assert sent_json(played.sends[0]) == {
        "model": "nano-banana-pro",
        "input": {"prompt": "a fox in snow", "aspect_ratio": "9:16", "resolution": "4K", "output_format": "jpg"},
    }
    assert played.done.images == (ImageRef(url=URL),) and played.done.request_id == "task_12"
    assert played.done.usd is None, "credits are no dollars"
    assert played.sends[1].accepted and played.waits[-1].progress == "generating"


@pytest.mark.parametrize(
    ("model", "ratio", "references", "wire"),
    [
        ("nano-banana-pro", "aspect_ratio", "image_input", "nano-banana-pro"),
        ("nano-banana-2", "aspect_ratio", "image_input", "nano-banana-2"),
        ("nano-banana-2.1", "aspect_ratio", "image_input", "nano-banana-2-1"),
        ("nano-banana-lite", "aspect_ratio", "image_urls", "nano-banana-2-lite"),
        ("nano-banana", "aspect_ratio", "image_urls", "google/nano-banana-edit"),
    ],
)
def test_every_model_has_its_own_names(model: str, ratio: str, references: str, wire: str) -> None:
    """Wrong ones are ignored without a word by the real one. `image_size` is the first model's older name of the ratio."""
    body = sent_json(play(job(SPEC, request("edit", aspect_ratio="3:2"), model), uploaded(0)).sends[-1])
    assert body["model"] == wire
    assert body["input"] == {
        "prompt": "a fox in snow",
        ratio: "3:2",
        references: ["https://tempfile.example.com/0"],
    }


def test_references_go_up_to_the_other_address_with_the_key() -> None:
    """One form each: the file, the folder, a name that no other picture has; then the paid request at the API."""
    work = replace(job(SPEC, request("edit", 2)), base_url=SPEC.base_url)
    played = play(work, uploaded(0), uploaded(1, "fileUrl"), reply(value=CREATED))
    assert [send.url for send in played.sends[:3]] == [
        "https://kieai.redpandaai.co/api/file-stream-upload",
        "https://kieai.redpandaai.co/api/file-stream-upload",
        "https://api.kie.ai/api/v1/jobs/createTask",
    ]
    assert [(send.paid, send.with_key) for send in played.sends[:3]] == [(False, True), (False, True), (True, True)]
    forms = [sent_form(send) for send in played.sends[:2]]
    for form, picture in zip(forms, work.references, strict=True):
        assert picture.data in form and b'name="file"' in form and b'name="uploadPath"' in form
    names = [form.partition(b'name="fileName"')[2].split(b"\r\n")[2] for form in forms]
    assert names[0] != names[1] and all(name.endswith(b".png") for name in names), "one would overwrite the other"
    assert sent_json(played.sends[2])["input"]["image_input"] == [
        "https://tempfile.example.com/0",
        "https://tempfile.example.com/1",
    ]


def test_at_another_address_the_uploads_go_there_too() -> None:
    """A key that was entered for a stand-in is not sent to the real one."""
    assert play(job(SPEC, request("edit"))).sends[0].url == f"{BASE}/api/file-stream-upload"


def test_the_same_picture_has_the_same_name() -> None:
    """Overwriting it with itself does no harm; and what is up already isn't sent again."""
    work = replace(job(SPEC, request("edit")), references=job(SPEC, request("edit", 2)).references[:1] * 2)
    first, second = (sent_form(send) for send in play(work, uploaded(0), uploaded(1)).sends[:2])
    assert first == second
    known = job(SPEC, request("edit", 2), uploaded={0: "https://tempfile.example.com/a"})
    assert len(play(known, uploaded(1), reply(value=CREATED)).sends) == 3


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"success": False, "code": 401, "msg": "Unauthorized"}, "key"),
        ({"success": False, "code": 500, "msg": "disk"}, "server"),
        ({"success": True, "code": 200, "data": {}}, "unreadable"),
        ({"success": True, "code": 200, "data": {"downloadUrl": "file:///x"}}, "unreadable"),
        ({"success": True, "code": 200}, "unreadable"),
    ],
)
def test_a_failed_upload_ends_before_anything_is_paid(value: dict[str, Any], kind: str) -> None:
    """Nothing is paid on a guess."""
    played = play(job(SPEC, request("edit")), reply(value=value))
    assert played.failed.failure.kind == kind and not any(send.paid for send in played.sends)


@pytest.mark.parametrize(
    ("code", "kind", "charged"),
    [
        (401, "key", "no"),
        (402, "credit", "no"),
        (404, "model", "no"),
        (422, "invalid", "no"),
        (429, "rate", "no"),
        (433, "credit", "no"),
        (455, "busy", "no"),
        (500, "server", "maybe"),
        ("501", "server", "maybe"),
        (505, "server", "maybe"),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_a_code_inside_a_200_is_an_error(code: int | str, kind: str, charged: str, inside: bool) -> None:
    """The same words as with a real status, and the same meaning for the bill."""
    value = {"code": code, "msg": "no such luck", "data": None}
    failure = play(job(SPEC, request()), reply(200 if inside else int(code), value)).failed.failure
    assert (failure.kind, failure.status) == (kind, int(code)) and "no such luck" in failure.message
    assert charged_by(SPEC, failure, accepted=False) == charged


@pytest.mark.parametrize(
    ("code", "words", "kind", "charged"),
    [(1001, "no such luck", "server", "maybe"), ("-1", "Insufficient credits", "credit", "no")],
)
@pytest.mark.parametrize("data", [None, {}])
def test_a_code_that_is_no_status_is_an_error_too(code: Any, words: str, kind: str, charged: str, data: Any) -> None:
    """Told in its own words; whether it was billed, nobody knows, unless the account had nothing to bill."""
    value = {"code": code, "msg": words, "data": data}
    failure = play(job(SPEC, request()), reply(value=value)).failed.failure
    assert (failure.kind, failure.message) == (kind, words) and charged_by(SPEC, failure, accepted=False) == charged
    upload = play(job(SPEC, request("edit")), reply(value=value))
    assert upload.failed.failure.message == words and not any(send.paid for send in upload.sends)


def test_a_success_without_a_task_is_unreadable() -> None:
    """It may have been taken: nobody knows."""
    nothings: list[Any] = [None, {}, {"taskId": ""}, [], "task_12"]
    for data in nothings:
        failure = play(job(SPEC, request()), reply(value={"code": 200, "msg": "success", "data": data})).failed.failure
        assert failure.kind == "unreadable" and charged_by(SPEC, failure, accepted=False) == "maybe"


@pytest.mark.parametrize(
    ("more", "kind", "unbilled"),
    [
        ({"failCode": "501", "failMsg": "Generation failed", "creditsConsumed": 0}, "task", True),
        ({"failCode": "501", "failMsg": "Generation failed", "creditsConsumed": 8}, "task", False),
        ({"failCode": "422", "failMsg": "Violates the content policy"}, "content", None),
        ({"failCode": None, "failMsg": None, "creditsConsumed": True}, "task", None),
    ],
)
def test_a_failed_task_says_why_and_whether_it_was_billed(
    more: dict[str, Any], kind: str, unbilled: bool | None
) -> None:
    """`failMsg` in the message, not the envelope's "success"; the credits decide about the money."""
    failed = play(job(SPEC, request()), reply(value=CREATED), record("fail", **more)).failed
    assert (failed.failure.kind, failed.failure.unbilled, failed.task) == (kind, unbilled, "task_12")
    assert (more["failMsg"] or "status fail") in failed.failure.message and "success" not in failed.failure.message
    assert disposition_of(failed.failure, accepted=True) == "final"


def test_a_poll_that_fails_is_not_a_task_that_fails() -> None:
    """Its error is asked about again; a task that it doesn't know is lost."""
    busy = play(job(SPEC, request()), reply(value=CREATED), reply(value={"code": 500, "msg": "later"})).failed
    assert busy.failure.status == 500 and disposition_of(busy.failure, accepted=True) == "resumable"
    for gone in (reply(value={"code": 404, "msg": "no"}), reply(404, {"code": 404, "msg": "no"})):
        lost = play(job(SPEC, request()), reply(value=CREATED), gone).failed
        assert "task_12" in lost.failure.message and disposition_of(lost.failure, accepted=True) == "unresolved"


def test_a_result_that_can_t_be_read_is_asked_for_again() -> None:
    """Broken JSON in the string is no empty result."""
    failed = play(job(SPEC, request()), reply(value=CREATED), record("success", resultJson='{"resultUrls":[')).failed
    assert failed.failure.kind == "unreadable" and disposition_of(failed.failure, accepted=True) == "resumable"


@pytest.mark.parametrize("made", ["", None, "{}", '{"resultUrls":[]}', '{"resultUrls":null}', "[]"])
def test_a_success_without_pictures_is_empty(made: str | None) -> None:
    """Not polled for ever."""
    ended = play(job(SPEC, request()), reply(value=CREATED), record("success", resultJson=made)).failed
    assert ended.failure.kind == "empty" and ended.task == "task_12"


@pytest.mark.parametrize(
    "made", [{"resultJson": URL}, {"response": {"resultImageUrl": URL}}, {"resultJson": "", "output": {"url": URL}}]
)
def test_a_picture_beside_the_known_field_is_found(made: dict[str, Any]) -> None:
    """What was sent, which the record repeats, is none."""
    played = play(job(SPEC, request()), reply(value=CREATED), record("success", **made))
    assert played.done.images == (ImageRef(url=URL),)


def test_a_task_whose_generation_failed_is_over() -> None:
    """Code 501 about a task says how it ended; it is not asked for until the time is up."""
    said = reply(value={"code": 501, "msg": "generate failed", "data": None})
    ended = play(job(SPEC, request()), reply(value=CREATED), said).failed
    assert (ended.failure.kind, ended.failure.final) == ("task", True) and "generate failed" in ended.failure.message
    decision = after_failure(SPEC, ended.failure, {}, paid=False, attempt=1, now=0.0, jitter=0.0)
    assert isinstance(decision, GiveUp)


def test_an_unknown_state_is_still_running() -> None:
    """Until the deadline."""
    played = play(job(SPEC, request()), reply(value=CREATED), record("reviewing"), success(URL))
    assert played.done.images == (ImageRef(url=URL),)


def test_a_task_is_found_again_after_a_restart() -> None:
    """From the accepted state alone; an odd id stays one parameter."""
    accepted = play(job(SPEC, request()), reply(value=CREATED)).sends[-1].accepted
    again = play(job(SPEC, request()), success(URL), accepted=accepted)
    assert again.paths == [POLL] and again.done.images == (ImageRef(url=URL),)
    odd = play(job(SPEC, request()), reply(value={"code": 200, "data": {"taskId": "a&b=c d"}}))
    assert odd.paths[-1].endswith("?taskId=a%26b%3Dc%20d")
