"""APIFRAME's first API with replies by hand, its document's own samples first."""

from __future__ import annotations

import base64

import pytest
from dialect_driver import PNG, job, play, reply, request, sent_json
from pack.core.dialects.base.step import ImageRef
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["apiframe"]
URL = "https://cdn.apiframe.pro/images/xxxxxxxxxxxxxxxxxxxx.png"
FINISHED = {
    "task_id": "34f439ce-b545-4c57-a5bd-a3xxxxxxxx",
    "image_urls": [URL],
    "status": "finished",
    "task_type": "nano-banana-pro",
}


def test_the_documented_answer_is_finished_at_once() -> None:
    """The sample of the document: one POST to the model's path, its picture taken, no poll."""
    played = play(job(SPEC, request(aspect_ratio="9:16", resolution="4K")), reply(value=FINISHED))
    assert played.paths == ["POST /nano-banana-pro"] and played.sends[0].paid
    assert sent_json(played.sends[0]) == {"prompt": "a fox in snow", "aspect_ratio": "9:16", "resolution": "4K"}
    assert played.done.images == (ImageRef(url=URL),)
    assert played.done.request_id == FINISHED["task_id"]


def test_an_edit_sends_images_and_the_provider_s_own_word_for_auto() -> None:
    """References are data URIs in `images`; ratio auto is `match_input_image`."""
    work = job(SPEC, request("edit", 2))
    body = sent_json(play(work, reply(value=FINISHED)).sends[0])
    assert body["aspect_ratio"] == "match_input_image" and set(body) == {"prompt", "images", "aspect_ratio"}
    assert [base64.b64decode(uri.partition(",")[2]) for uri in body["images"]] == [p.data for p in work.references]


def test_the_sibling_has_one_resolution_and_is_not_told_it() -> None:
    """nano-banana has no resolution field: asking for its only one sends nothing."""
    played = play(job(SPEC, request("edit", resolution="1K"), "nano-banana"), reply(value=FINISHED))
    assert played.paths == ["POST /nano-banana"] and "resolution" not in sent_json(played.sends[0])


def test_a_submitted_task_is_fetched_until_it_is_finished() -> None:
    """staged, pending, processing with a percentage, an unknown word; the fetch is a free POST with the id."""
    task = {"task_id": "abc", "task_type": "nano-banana-pro"}
    played = play(
        job(SPEC, request()),
        reply(value={**task, "status": "pending"}),
        reply(value={**task, "status": "staged"}),
        reply(value={**task, "status": "processing", "percentage": "40"}),
        reply(value={**task, "status": "simmering"}),
        reply(value={**task, "status": "finished", "image_urls": [URL, URL + "2"]}),
    )
    assert played.paths == ["POST /nano-banana-pro"] + ["POST /fetch"] * 4
    assert [send.paid for send in played.sends] == [True, False, False, False, False]
    assert all(sent_json(send) == {"task_id": "abc"} for send in played.sends[1:])
    assert "40%" in [wait.progress for wait in played.waits]
    assert played.done.images == (ImageRef(url=URL), ImageRef(url=URL + "2"))


def test_an_accepted_task_is_fetched_again_after_a_restart() -> None:
    """From the accepted state alone."""
    accepted = play(job(SPEC, request()), reply(value={"task_id": "abc", "status": "pending"})).sends[-1].accepted
    again = play(job(SPEC, request()), reply(value=FINISHED), accepted=accepted)
    assert again.paths == ["POST /fetch"] and sent_json(again.sends[0]) == {"task_id": "abc"}
    assert not again.sends[0].paid and again.done.images == (ImageRef(url=URL),)


def test_a_failed_task_says_why() -> None:
    """Moderation inside a task is about content, anything else about the task."""
    submitted = reply(value={"task_id": "abc", "status": "pending"})
    nsfw = reply(value={"task_id": "abc", "status": "failed", "message": "NSFW content detected"})
    plain = reply(value={"task_id": "abc", "status": "FAILED", "errors": [{"msg": "upstream fell over"}]})
    assert play(job(SPEC, request()), submitted, nsfw).failed.failure.kind == "content"
    failure = play(job(SPEC, request()), submitted, plain).failed.failure
    assert (failure.kind, failure.message) == ("task", "upstream fell over")


def test_the_documented_400_is_not_json_and_still_read() -> None:
    """`{ msg: ... }` without quotes, comment and all, as the document prints it."""
    raw = b'// Bad request\n{\n  "errors": [{ msg: "Invalid request" }]\n}\n'
    failure = play(job(SPEC, request()), reply(400, raw=raw)).failed.failure
    assert (failure.kind, failure.status) == ("invalid", 400) and "Invalid request" in failure.message


@pytest.mark.parametrize(("status", "kind"), [(401, "key"), (500, "server")])
def test_empty_objects_are_read_by_their_status(status: int, kind: str) -> None:
    """401 and 500 come as `{}`, sometimes after a comment, sometimes as nothing."""
    for raw in (b"{}", b"", b"// A server error occured\n{}\n"):
        assert play(job(SPEC, request()), reply(status, raw=raw)).failed.failure.kind == kind


def test_the_result_may_come_inline() -> None:
    """Base64 or a data URI where the document shows addresses."""
    text = base64.b64encode(PNG).decode()
    for entry in (text, f"data:image/png;base64,{text}"):
        done = play(job(SPEC, request()), reply(value={**FINISHED, "image_urls": [entry]})).done
        assert done.images == (ImageRef(data=PNG),)


def test_a_finished_task_without_pictures_is_empty_and_names_the_task() -> None:
    """Not polled for ever, not a success."""
    ended = play(job(SPEC, request()), reply(value={**FINISHED, "image_urls": []})).failed
    assert ended.failure.kind == "empty" and ended.task == FINISHED["task_id"]
