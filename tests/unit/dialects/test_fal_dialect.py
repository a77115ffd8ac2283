"""fal with replies by hand: submitting, following, results that are errors, uploads, cancelling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dialect_driver import BASE, job, play, reply, request, sent_json
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Cancels, Done, ImageRef, Reply, Send, Wait
from pack.core.dialects.fal import DIALECT as fal
from pack.core.execution import charge, retry_policy
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["fal"]
URL = "https://v3.fal.media/files/out.png"
PICTURES = {"images": [{"url": URL, "content_type": "image/png"}], "description": "A fox."}
APP = f"{BASE}/google/nano-banana-2.1/requests/r-1"
TAKEN = {
    "request_id": "r-1",
    "status": "IN_QUEUE",
    "queue_position": 2,
    "response_url": APP,
    "status_url": f"{APP}/status",
    "cancel_url": f"{APP}/cancel",
}
QUEUED = reply(202, {"status": "IN_QUEUE", "queue_position": 0})
WORKING = reply(202, {"status": "IN_PROGRESS", "logs": None})
COMPLETED = reply(200, {"status": "COMPLETED"})


def ended(result: Reply, completed: Reply = COMPLETED) -> Any:
    """How a request ends whose result is answered with `result`."""
    return play(job(SPEC, request()), reply(200, TAKEN), completed, result).end


# --------------------------------------------------------------------------------------------------- asking


def test_a_request_is_a_flat_body_at_its_endpoint() -> None:
    """With fal's names, and nothing that was not asked for."""
    asked = request(
        seed=4,
        resolution="2K",
        output_format="webp",
        safety_tolerance="2",
        thinking="medium",
        system_prompt="Be brief.",
        web_search=True,
    )
    played = play(job(SPEC, asked, count=3), reply(200, TAKEN), COMPLETED, reply(200, PICTURES))
    assert played.paths == [
        "POST /google/nano-banana-2.1",
        "GET /google/nano-banana-2.1/requests/r-1/status",
        "GET /google/nano-banana-2.1/requests/r-1",
    ]
    assert [send.paid for send in played.sends] == [True, False, False]
    assert sent_json(played.sends[0]) == {
        "prompt": "a fox in snow",
        "num_images": 3,
        "seed": 4,
        "resolution": "2K",
        "output_format": "webp",
        "safety_tolerance": "2",
        "thinking_level": "medium",
        "system_prompt": "Be brief.",
        "enable_web_search": True,
    }
    assert played.done == Done((ImageRef(url=URL),), "A fox.", request_id="r-1")


@pytest.mark.parametrize(("asked", "sent"), [("default", None), ("on", True), ("off", False)])
def test_the_limit_of_generations_is_sent_only_when_it_was_asked_for(asked: str, sent: bool | None) -> None:
    """Its default differs by model and by source."""
    body = sent_json(play(job(SPEC, request(limit_generations=asked))).sends[0])
    assert body.get("limit_generations") is sent


@pytest.mark.parametrize(
    ("model", "endpoint"),
    [
        ("nano-banana", "fal-ai/nano-banana"),
        ("nano-banana-2", "fal-ai/nano-banana-2"),
        ("nano-banana-pro", "fal-ai/nano-banana-pro"),
        ("nano-banana-lite", "google/nano-banana-2-lite"),
        ("nano-banana-2.1", "google/nano-banana-2.1"),
    ],
)
def test_each_model_has_its_endpoint_and_an_edit_its_own(model: str, endpoint: str) -> None:
    """The newer ones under `google/`; without addresses in the answer, an edit's status leaves `/edit` out."""
    assert play(job(SPEC, request(), model)).paths == [f"POST /{endpoint}"]
    played = play(job(SPEC, request("edit"), model), reply(200, {"request_id": "r-1"}), COMPLETED)
    assert played.paths == [
        f"POST /{endpoint}/edit",
        f"GET /{endpoint}/requests/r-1/status",
        f"GET /{endpoint}/requests/r-1",
    ]


def test_a_model_s_own_levels_of_thinking() -> None:
    """2.1 has three, the older two: `medium` is left out there with a notice that names what there is."""
    from dialect_driver import negotiated

    assert ("thinking", "medium") in negotiated(SPEC, request(thinking="medium"), "nano-banana-2.1").options
    for model in ("nano-banana-2", "nano-banana-lite"):
        how = negotiated(SPEC, request(thinking="medium"), model)
        assert not how.options and "only has minimal, high" in " ".join(how.notices)
        assert ("thinking", "high") in negotiated(SPEC, request(thinking="high"), model).options


# --------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "foreign",
    [
        "https://queue.example.net/r-1/status",
        "http://api.example.com/r-1/status",
        "https://api.example.com:8443/r-1",
        "https://api.example.com.evil.example/r-1",
        "https://evil.example\\@api.example.com/r-1",
        "//api.example.com/r-1",
        "status",
        "",
        None,
        7,
        {},
    ],
)
def test_addresses_elsewhere_are_not_used(foreign: object) -> None:
    """The key goes to fal alone: what points elsewhere is built instead, without the sub-path."""
    taken = {**TAKEN, "status_url": foreign, "response_url": foreign, "cancel_url": foreign}
    played = play(job(SPEC, request("edit")), reply(200, taken), COMPLETED, reply(200, PICTURES))
    assert [send.url for send in played.sends[1:]] == [f"{APP}/status", APP]
    assert all(send.with_key for send in played.sends)
    drop = fal.cancel(job(SPEC, request("edit")), played.sends[1].accepted or {})
    assert drop is not None and drop.url == f"{APP}/cancel"


def test_the_given_addresses_are_used_as_they_are() -> None:
    """At the provider's own origin, with whatever path and query they have."""
    taken = {**TAKEN, "status_url": f"{BASE}/elsewhere/s?x=1", "response_url": f"{BASE}/elsewhere/r"}
    played = play(job(SPEC, request()), reply(200, taken), COMPLETED, reply(200, PICTURES))
    assert played.paths[1:] == ["GET /elsewhere/s?x=1", "GET /elsewhere/r"]


def test_an_id_can_t_lead_elsewhere() -> None:
    """It is one segment of a path, whatever is in it."""
    played = play(job(SPEC, request()), reply(200, {"request_id": "../../account?x="}), QUEUED)
    assert played.paths[1] == "GET /google/nano-banana-2.1/requests/..%2F..%2Faccount%3Fx%3D/status"


# --------------------------------------------------------------------------------------------------- following


def test_a_queue_is_waited_for_with_growing_pauses() -> None:
    """202 in the queue and at work, then the result; the word is shown."""
    played = play(job(SPEC, request()), reply(200, TAKEN), QUEUED, WORKING, COMPLETED, reply(200, PICTURES))
    assert [wait.progress for wait in played.waits] == ["in queue", "in queue", "in progress"]
    assert [wait.seconds for wait in played.waits] == [1.0, 1.5, 2.25]
    assert isinstance(played.end, Done)


def test_an_unknown_status_means_that_it_still_runs() -> None:
    """Also one without any word."""
    for odd in ({"status": "PERCOLATING"}, {"status": None}, {}):
        assert isinstance(play(job(SPEC, request()), reply(200, TAKEN), reply(202, odd)).end, Send)


def test_a_request_is_found_again_after_a_restart() -> None:
    """From wherever it was left: while it was followed, and after it was completed."""
    played = play(job(SPEC, request("edit")), reply(200, TAKEN), COMPLETED)
    for accepted in (played.sends[1].accepted, played.sends[2].accepted):
        again = play(job(SPEC, request()), *_to_the_end(accepted), accepted=accepted)
        assert again.done.images == (ImageRef(url=URL),)


def _to_the_end(accepted: Any) -> list[Reply]:
    return [reply(200, PICTURES)] if accepted["at"] == "result" else [COMPLETED, reply(200, PICTURES)]


def test_a_result_that_is_not_there_yet_is_asked_for_later() -> None:
    """The status was ahead of it."""
    for early in (reply(400, {"detail": "Request is still in progress"}), WORKING):
        played = play(job(SPEC, request()), reply(200, TAKEN), COMPLETED, early, COMPLETED, reply(200, PICTURES))
        assert played.done.images == (ImageRef(url=URL),)


def test_pictures_in_the_answer_to_the_submission_are_taken() -> None:
    """A gateway that waits for the queue itself."""
    assert play(job(SPEC, request()), reply(200, PICTURES)).done.images == (ImageRef(url=URL),)


def test_a_data_uri_is_a_result_too() -> None:
    from dialect_driver import PNG
    from pack.core.http.body import Base64

    uri = "data:image/png;base64," + b"".join(Base64(PNG)).decode()
    assert ended(reply(200, {"images": [{"url": uri}]})).images == (ImageRef(data=PNG),)


# --------------------------------------------------------------------------------------------------- how a run failed


@pytest.mark.parametrize(
    ("result", "kind", "unbilled"),
    [
        (
            reply(422, {"detail": [{"loc": ["body", "prompt"], "msg": "Flagged", "type": "content_policy_violation"}]}),
            "content",
            None,
        ),
        (reply(422, {"detail": [{"loc": ["body"], "msg": "No image", "type": "no_media_generated"}]}), "empty", None),
        (reply(422, {"detail": "Nothing", "error_type": "no_media_generated"}), "empty", None),
        (reply(422, {"detail": "Flagged"}, x_fal_error_type="content_policy_violation"), "content", None),
        (reply(422, {"detail": "resolution: not one of 1K, 2K, 4K"}), "invalid", None),
        (reply(422, {"detail": [{"loc": ["body", "seed"], "msg": "not an int", "type": "int_type"}]}), "invalid", None),
        (reply(422, {"detail": [{"msg": "Too large", "type": "image_too_large"}]}), "invalid", None),
        (reply(400, {"detail": "Could not load"}, x_fal_error_type="image_load_error"), "invalid", None),
        (reply(504, {"detail": "Timed out", "error_type": "generation_timeout"}), "task", True),
        (reply(500, {"detail": "Oops"}, x_fal_error_type="internal_server_error"), "task", True),
        (reply(503, {"detail": "Gone"}, x_fal_error_type="runner_disconnected", x_fal_retryable="true"), "task", True),
        (reply(429, {"detail": "Busy", "error_type": "downstream_service_error"}), "task", None),
        (reply(422, {"detail": "Flagged for safety"}, x_fal_billable_units="0"), "content", True),
        (reply(422, {"detail": "Flagged for safety"}, x_fal_billable_units="1"), "content", False),
        (reply(422, {"detail": "Flagged for safety"}, x_fal_billable_units="some"), "content", None),
        (reply(200, {"images": [], "description": "I can't, for safety."}), "content", None),
        (reply(200, {"images": [], "description": ""}), "empty", None),
        (reply(200, {"images": [], "description": ""}, x_fal_billable_units="0"), "empty", True),
    ],
)
def test_an_error_in_place_of_the_result_is_how_the_run_ended(result: Reply, kind: str, unbilled: bool | None) -> None:
    """It ends the call: it is not asked for again, and 5xx is free as documented."""
    failure = ended(result).failure
    assert (failure.kind, failure.unbilled) == (kind, unbilled)
    decision = retry_policy.after_failure(SPEC, failure, result.headers, paid=False, attempt=1, now=0, jitter=0)
    # An empty list without a word, and without a word about the bill, is asked about before it is paid again.
    silent = kind == "empty" and not failure.message and not unbilled
    assert isinstance(decision, retry_policy.GiveUp) and charge.disposition_of(failure, accepted=True) == (
        "unresolved" if silent else "final"
    )
    charged = {None: "maybe", True: "no", False: "yes"}[unbilled]
    assert charge.charged_by(SPEC, failure, accepted=True) == charged


def test_the_status_may_carry_the_error() -> None:
    """Its type and words count where the result has none; the result is looked at all the same."""
    completed = reply(200, {"status": "COMPLETED", "error": "It was flagged", "error_type": "content_policy_violation"})
    failure = ended(reply(422, {"detail": "Unprocessable"}), completed).failure
    assert failure.kind == "content" and failure.message == "Unprocessable; It was flagged"
    assert ended(reply(500, {}), completed).failure.unbilled is True
    assert isinstance(ended(reply(200, PICTURES), completed), Done), "a picture that is there has been paid"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_gateway_in_the_way_of_the_result_is_asked_again(status: int) -> None:
    """It says nothing about the run, which may have been a success."""
    failure = ended(reply(status, raw=b"<html><title>Bad Gateway</title></html>")).failure
    decision = retry_policy.after_failure(SPEC, failure, {}, paid=False, attempt=1, now=0, jitter=0)
    assert isinstance(decision, retry_policy.Retry) and charge.disposition_of(failure, accepted=True) == "resumable"


def test_a_500_without_a_type_is_looked_at_for_a_while() -> None:
    """It may be a stumbling API or the run's own end: a picture may still come, and waiting has an end."""
    odd = reply(500, {"detail": "Internal Server Error"})
    start = (reply(200, TAKEN), COMPLETED)
    assert isinstance(play(job(SPEC, request()), *start, *[odd] * 5, reply(200, PICTURES)).end, Done)
    failure = play(job(SPEC, request()), *start, *[odd] * 6).failed.failure
    assert (failure.kind, failure.unbilled, charge.disposition_of(failure, accepted=True)) == ("task", None, "final")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, "key", "No"),
        (403, "key", "No"),
        (429, "rate", "No"),
        (402, "credit", "Payment required"),
        (403, "credit", "User is locked. Reason: Exhausted balance. Top up at fal.ai/dashboard/billing"),
    ],
)
def test_a_result_that_is_denied_to_us_can_still_be_had(status: int, kind: str, words: str) -> None:
    """A revoked key, an account that this picture has emptied or too many questions: no word about the run."""
    failure = ended(reply(status, {"detail": words})).failure
    assert failure.kind == kind and charge.disposition_of(failure, accepted=True) == "resumable"


@pytest.mark.parametrize("replies", [[reply(404, {"detail": "Not found"})], [COMPLETED, reply(404, {})]])
def test_a_request_that_is_not_known_any_more_is_lost(replies: list[Reply]) -> None:
    """At its status or at its result: it may have been paid."""
    failed = play(job(SPEC, request()), reply(200, TAKEN), *replies).failed
    assert failed.task == "r-1" and charge.disposition_of(failed.failure, accepted=True) == "unresolved"
    assert charge.charged_by(SPEC, failed.failure, accepted=True) == "maybe"


# --------------------------------------------------------------------------------------------------- refused at once


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (reply(401, {"detail": "Authentication is required"}), "key", "Authentication"),
        (reply(403, {"detail": "User is locked: top up your balance, see billing"}), "credit", "locked"),
        (reply(404, {"detail": "Application not found"}), "model", "Application"),
        (reply(422, {"detail": [{"loc": ["body", "num_images"], "msg": "at most 4"}]}), "invalid", "body.num_images"),
        (reply(422, {"detail": "prompt is missing"}), "invalid", "prompt is missing"),
        (reply(422, {"detail": [{"msg": "No", "type": "content_policy_violation"}]}), "content", "No"),
        (reply(429, {"detail": "Too many"}), "rate", "Too many"),
        (reply(503, {"detail": "Down"}), "busy", "Down"),
    ],
)
def test_a_submission_that_is_refused(answer: Reply, kind: str, words: str) -> None:
    """`detail` is a list or a string; nothing was taken, so nothing is charged."""
    failure = play(job(SPEC, request()), answer).failed.failure
    assert failure.kind == kind and words in failure.message
    assert charge.charged_by(SPEC, failure, accepted=False) == "no"


@pytest.mark.parametrize(("word", "again"), [("true", True), ("", True), ("false", False), ("False", False)])
def test_what_says_that_asking_again_won_t_help_is_not_asked_again(word: str, again: bool) -> None:
    """`X-Fal-Retryable`, on a refusal before work."""
    headers = {"x_fal_retryable": word} if word else {}
    failure = play(job(SPEC, request()), reply(503, {"detail": "Down"}, **headers)).failed.failure
    decision = retry_policy.after_failure(SPEC, failure, {}, paid=True, attempt=1, now=0, jitter=0)
    assert isinstance(decision, retry_policy.Retry) is again
    assert again or decision == retry_policy.GiveUp("no")


@pytest.mark.parametrize("body", [b"", b"[]", b'"ok"', b"<html></html>", b"{}", b'{"status": "IN_QUEUE"}'])
def test_a_submission_answered_with_something_else_may_have_been_paid(body: bytes) -> None:
    """There is nothing to follow."""
    failure = play(job(SPEC, request()), reply(200, raw=body)).failed.failure
    assert charge.charged_by(SPEC, failure, accepted=False) == "maybe"


# --------------------------------------------------------------------------------------------------- references


def test_small_references_go_inside_in_order() -> None:
    played = play(job(SPEC, request("edit", 3)))
    sent = sent_json(played.sends[0])
    assert played.paths == ["POST /google/nano-banana-2.1/edit"] and sent["aspect_ratio"] == "auto"
    assert all(one.startswith("data:image/webp;base64,") for one in sent["image_urls"]) and len(sent["image_urls"]) == 3


def announced(number: int) -> Reply:
    return reply(
        200, {"upload_url": f"https://put.example.net/{number}?sig=s", "file_url": f"https://v3.fal.media/{number}"}
    )


def test_large_references_are_uploaded_largest_first_until_the_rest_fits() -> None:
    """Announced at fal's second origin with the key, put at the address in the answer without it; the order stays."""
    work = job(replace(SPEC, base_url=BASE, upload_above=400), request("edit", 2))
    large, small = b"L" * 600, b"s" * 60
    work = replace(
        work,
        references=(replace(work.references[0], data=small), replace(work.references[1], data=large)),
    )
    played = play(work, announced(1), reply(raw=b""), reply(200, TAKEN))
    assert [f"{send.method} {send.url}" for send in played.sends[:3]] == [
        "POST https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3",
        "PUT https://put.example.net/1?sig=s",
        f"POST {BASE}/google/nano-banana-2.1/edit",
    ]
    assert [(send.paid, send.with_key) for send in played.sends[:3]] == [(False, True), (False, False), (True, True)]
    assert sent_json(played.sends[0]) == {"content_type": "image/webp", "file_name": "picture-2.webp"}
    put = played.sends[1].body
    assert put is not None and put.content_type == "image/webp" and b"".join(bytes(p) for p in put) == large
    urls = sent_json(played.sends[2])["image_urls"]
    assert urls[0].startswith("data:") and urls[1] == "https://v3.fal.media/1"
    assert played.sends[2].uploaded == (1, "https://v3.fal.media/1")


def test_uploads_stay_where_the_key_was_entered_for() -> None:
    """fal at another address than its own: its uploads go there too, and never to fal's."""
    played = play(job(replace(SPEC, upload_above=1), request("edit")))
    assert played.paths == ["POST /storage/upload/initiate?storage_type=fal-cdn-v3"]


def test_what_is_uploaded_already_is_not_uploaded_again() -> None:
    work = job(
        replace(SPEC, upload_above=1), request("edit", 2), uploaded={0: "https://f.example/0", 1: "https://f.example/1"}
    )
    assert sent_json(play(work).sends[0])["image_urls"] == ["https://f.example/0", "https://f.example/1"]


@pytest.mark.parametrize(
    "answers",
    [
        [reply(401, {"detail": "No"})],
        [reply(200, {"upload_url": "https://put.example.net/1"})],
        [reply(200, {"upload_url": 1, "file_url": 2})],
        [reply(200, {"upload_url": "https://put.example.net/1", "file_url": "gs://bucket/1"})],
        [reply(200, raw=b"<html></html>")],
        [announced(1), reply(403, raw=b"<Error/>")],
    ],
)
def test_a_failed_upload_ends_before_anything_is_paid(answers: list[Reply]) -> None:
    played = play(job(replace(SPEC, upload_above=1), request("edit")), *answers)
    assert played.failed and not any(send.paid for send in played.sends)


# --------------------------------------------------------------------------------------------------- cancelling


def accepted_at(*statuses: Reply) -> Any:
    """The task as it was last seen."""
    return play(job(SPEC, request()), reply(200, TAKEN), *statuses).sends[-1].accepted


def test_only_what_waits_in_the_queue_is_cancelled() -> None:
    """What is at work, or ended, could be billed without a picture."""
    work = job(SPEC, request())
    assert isinstance(dialect("fal"), Cancels)
    for accepted in (accepted_at(), accepted_at(QUEUED)):
        drop = fal.cancel(work, accepted)
        assert drop is not None and (drop.method, drop.url, drop.paid) == ("PUT", f"{APP}/cancel", False)
    for accepted in (accepted_at(WORKING), accepted_at(QUEUED, reply(202, {})), accepted_at(COMPLETED)):
        assert fal.cancel(work, accepted) is None


def cancelled(answer: Reply, *then: Reply) -> Any:
    """What comes of a request that was in the queue when it was cancelled."""
    work = job(SPEC, request())
    drop = fal.cancel(work, accepted_at(QUEUED))
    assert drop is not None
    step: Any = fal.next(work, drop.state, answer)
    for one in then:
        assert isinstance(step, (Wait, Send)), step
        send = step.then if isinstance(step, Wait) else step
        step = fal.next(work, send.state, one)
    return step


REMOVED = reply(202, {"status": "CANCELLATION_REQUESTED"})
GONE = reply(404, {"detail": "Not found"})
FAILED = reply(499, {"detail": "Cancelled"}, x_fal_error_type="client_cancelled")


@pytest.mark.parametrize(
    ("answer", "then", "unbilled"),
    [
        (REMOVED, [GONE], True),
        (REMOVED, [QUEUED, GONE], True),
        (REMOVED, [COMPLETED, FAILED], True),
        (REMOVED, [COMPLETED, GONE], True),
        (REMOVED, [WORKING, COMPLETED, FAILED], None),
        (REMOVED, [reply(200, {"status": "COMPLETED", "metrics": {"inference_time": 2.5}}), FAILED], None),
        (REMOVED, [WORKING, GONE], None),
        (reply(400, {"status": "ALREADY_COMPLETED"}), [GONE], None),
        (reply(500, {"detail": "x"}), [COMPLETED, FAILED], None),
    ],
)
def test_what_was_removed_from_the_queue_costs_nothing(answer: Reply, then: list[Reply], unbilled: bool | None) -> None:
    """Only if the provider agreed, and never said that it had begun."""
    assert cancelled(answer, *then).failure.unbilled is unbilled


@pytest.mark.parametrize("answer", [REMOVED, reply(400, {"status": "ALREADY_COMPLETED"}), GONE, reply(200, raw=b"?")])
def test_a_picture_that_is_made_all_the_same_is_taken(answer: Reply) -> None:
    """Whatever was said about cancelling."""
    assert isinstance(cancelled(answer, WORKING, COMPLETED, reply(200, PICTURES)), Done)
