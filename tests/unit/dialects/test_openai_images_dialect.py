"""The DALL-E-compatible dialect with replies by hand: JSON, multipart, both ways of references, and tasks."""

from __future__ import annotations

import base64
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
from dialect_driver import PNG, job, play, reply, request, sent_json
from pack.core.dialects.base.step import ImageRef, Send
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["nanobanana"]
URL = "https://example.com/generated-image.png"
DOCUMENTED = {"created": 1234567890, "data": [{"url": URL}]}
B64 = base64.b64encode(PNG).decode()


def form_parts(send: Send) -> list[tuple[str, str | None, str, Any]]:
    """Name, file name, content type and content of each part, read by the standard library."""
    assert send.body is not None
    content = b"".join(bytes(piece) for piece in send.body)
    message: Any = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + send.body.content_type.encode() + b"\r\n\r\n" + content
    )
    found: list[Any] = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found.append((name, part.get_filename(), part.get_content_type(), part.get_payload(decode=True)))
    return found


def test_a_generation_as_documented() -> None:
    """JSON to /generations, addresses asked for, the sample answer read."""
    played = play(job(SPEC, request(aspect_ratio="16:9", resolution="4K")), reply(value=DOCUMENTED))
    assert played.paths == ["POST /v1/images/generations"]
    assert sent_json(played.sends[0]) == {
        "model": "nano-banana-2",
        "prompt": "a fox in snow",
        "response_format": "url",
        "aspect_ratio": "16:9",
        "image_size": "4K",
    }
    assert played.done.images == (ImageRef(url=URL),)


def test_an_edit_is_multipart_with_image_repeated_in_order() -> None:
    """Each reference a file part named `image`, never `image[]`; the text parts as they are."""
    work = job(SPEC, request("edit", 3, prompt='über "fox"\r\nin snow — 雪', aspect_ratio="4:3"))
    played = play(work, reply(value=DOCUMENTED))
    assert played.paths == ["POST /v1/images/edits"]
    parts = form_parts(played.sends[0])
    files = [part for part in parts if part[1]]
    assert [part[0] for part in files] == ["image"] * 3
    assert [part[3] for part in files] == [picture.data for picture in work.references]
    assert [part[2] for part in files] == [picture.mime for picture in work.references]
    assert len({part[1] for part in files}) == 3
    texts = {part[0]: part[3].decode() for part in parts if not part[1]}
    assert texts == {
        "model": "nano-banana-2",
        "prompt": 'über "fox"\r\nin snow — 雪',
        "response_format": "url",
        "aspect_ratio": "4:3",
    }


@pytest.mark.parametrize("status", [404, 405])
def test_no_edits_route_leads_to_references_in_the_generation(status: int) -> None:
    """The other form is asked, and named as learned so that the next call begins with it."""
    work = job(SPEC, request("edit", 2))
    played = play(work, reply(status, {"error": {"message": "Invalid URL"}}), reply(value=DOCUMENTED))
    assert played.paths == ["POST /v1/images/edits", "POST /v1/images/generations"]
    assert sent_json(played.sends[1])["image"] == [
        f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}" for picture in work.references
    ]
    assert played.done.api_variant == "json"
    assert play(job(SPEC, request("edit", 2), api_variant="json"), reply(value=DOCUMENTED)).paths == played.paths[1:]


def test_a_404_of_both_routes_ends_it() -> None:
    """The second 404 is the answer: no third try."""
    missing = reply(404, {"error": {"message": "nope"}})
    played = play(job(SPEC, request("edit")), missing, missing)
    assert len(played.sends) == 2 and played.failed.failure.kind == "model"


def test_a_404_about_the_model_is_not_about_the_route() -> None:
    """With the code `model_not_found` the other route would say the same; generations have no other route."""
    unknown = reply(404, {"error": {"message": "no such model", "type": "invalid", "code": "model_not_found"}})
    assert len(play(job(SPEC, request("edit")), unknown).sends) == 1
    assert len(play(job(SPEC, request()), reply(404, {})).sends) == 1


def test_offline_has_no_other_variant() -> None:
    """A spec without variants has nothing else to try."""
    assert len(play(job(BUILT_IN["offline"], request("edit")), reply(405, {})).sends) == 1


def task_reply(status: str, inner: Any = None, **more: Any) -> Any:
    return reply(value={"code": "success", "data": {"status": status, "data": inner, **more}})


def test_the_asynchronous_variant_asks_for_a_task_and_follows_it() -> None:
    """`?async=true`, then the task until the pictures are three `data` deep."""
    played = play(
        job(SPEC, request("edit"), api_variant="multipart async"),
        reply(value={"task_id": "t1"}),
        task_reply("NOT_START", None, progress="0%"),
        task_reply("IN_PROGRESS", None, progress="50%"),
        task_reply("SUCCESS", {"data": [{"url": URL}, {"b64_json": B64}]}, progress="100%"),
    )
    assert played.paths == ["POST /v1/images/edits?async=true"] + ["GET /v1/images/tasks/t1"] * 3
    assert [send.paid for send in played.sends] == [True, False, False, False]
    assert [wait.progress for wait in played.waits][1:] == ["0%", "50%"]
    assert played.sends[1].api_variant == "multipart async"
    assert played.done.images == (ImageRef(url=URL), ImageRef(data=PNG))


def test_the_flat_task_is_read_as_well() -> None:
    """`{status, data: [...]}`."""
    played = play(
        job(SPEC, request(), api_variant="json async"),
        reply(value={"task_id": "t1"}),
        reply(value={"status": "completed", "data": [{"url": URL}]}),
    )
    assert played.paths[0] == "POST /v1/images/generations?async=true"
    assert played.done.images == (ImageRef(url=URL),)


def test_a_task_in_a_reply_that_nobody_asked_for_is_followed() -> None:
    """Paid for all the same; found again from its state after a restart."""
    first = play(job(SPEC, request()), reply(value={"data": {"task_id": "t9", "status": "queued"}}))
    assert first.paths[-1] == "GET /v1/images/tasks/t9"
    again = play(job(SPEC, request()), reply(value=DOCUMENTED), accepted=first.sends[-1].accepted)
    assert again.paths == ["GET /v1/images/tasks/t9"] and again.done.images == (ImageRef(url=URL),)


def test_a_failed_task_says_why_and_is_named() -> None:
    """`fail_reason` of the triple shape."""
    ended = play(
        job(SPEC, request(), api_variant="json async"),
        reply(value={"task_id": "t1"}),
        task_reply("FAILURE", None, fail_reason="pre_consume_token_quota_failed"),
    ).failed
    assert (ended.failure.kind, ended.failure.message, ended.task) == ("credit", "pre_consume_token_quota_failed", "t1")


def test_a_finished_answer_that_names_its_request_is_no_task() -> None:
    """`request_id` beside an empty list: it would be polled until the deadline."""
    assert play(job(SPEC, request()), reply(value={"request_id": "r-1", "data": []})).failed.failure.kind == "empty"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_parameter", "invalid"),
        (400, "content_policy_violation", "content"),
        (401, "invalid_api_key", "key"),
        (403, "insufficient_user_quota", "credit"),
        (403, "pre_consume_token_quota_failed", "credit"),
        (429, "rate_limit_exceeded", "rate"),
        (429, "insufficient_quota", "credit"),
        (503, "model_not_found", "model"),
        (503, "no_available_channel", "busy"),
        (524, "", "server"),
    ],
)
def test_errors_in_the_documented_shape(status: int, code: str, kind: str) -> None:
    """`{"error": {"message", "type", "code"}}`; a reseller's 403 is usually about money, not about the key."""
    body = {"error": {"message": "Sorry", "type": "new_api_error", "code": code}}
    failure = play(job(SPEC, request()), reply(status, body)).failed.failure
    assert failure.kind == kind and "Sorry" in failure.message


def error_answer(message: str, status: int = 400) -> Any:
    return reply(status, {"error": {"message": message, "type": "invalid_request_error"}})


def test_a_field_that_is_refused_of_several_is_a_fact_about_several() -> None:
    """The form of the base stays: one reference still goes as a file. The prompt's own words blame nothing."""
    played = play(job(SPEC, request("edit", 2)), error_answer("Unexpected field"), reply(value=DOCUMENTED))
    assert played.paths == ["POST /v1/images/edits", "POST /v1/images/generations"]
    assert (played.done.api_variant, played.done.variants) == ("multipart", {"several references": "json"})
    echoed = replace(error_answer("Could not do: only one image please"), prompt="only one image please")
    assert len(play(job(SPEC, request("edit", 2)), echoed).sends) == 1


def test_the_spelling_of_the_spec_is_the_first() -> None:
    """A spec that says base64 begins with it, and data URIs follow when they are asked for."""
    spec = replace(SPEC, reference_encoding="base64", api_variants=("json", "multipart"))
    work = job(spec, request("edit", 1))
    played = play(work, error_answer("image[0]: expected a data URI"), reply(value=DOCUMENTED))
    first, second = (sent_json(send)["image"][0] for send in played.sends)
    assert second.endswith(first) and second.startswith("data:image/") and not first.startswith("data:")
    assert played.done.variants == {"encoding": "data_uri"}
