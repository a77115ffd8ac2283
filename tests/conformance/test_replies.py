"""What the vendors' clients allow an answer to be, our dialects understand: nothing raises, and a picture in it is found.

The shapes are those of the response classes of replicate 1.0.7, fal-client 1.0.3 (with the types of @fal-ai/client 1.10.1),
wavespeed 2.0.5 and apiframe-sdk 1.0.0, of APIFRAME's OpenAPI file, and of kie's pages: every field that they call optional is
left out, null or there.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from dialect_driver import BASE, PNG, job, play, reply, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judging import judged
from pack.core.dialects.base.step import Done, Failed, Step
from pack.core.providers import BUILT_IN

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ADDRESS = st.integers(0, 999).map(lambda number: f"https://cdn.example.com/made/{number}.png")
WORDS = st.text(max_size=30)
LEFT_OUT = object()


def maybe(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A field that is optional: not there, null, or there."""
    return st.one_of(st.just(LEFT_OUT), st.none(), value)


def shaped(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """An object of these fields, without those that are left out."""
    return st.fixed_dictionaries(fields).map(
        lambda value: {name: item for name, item in value.items() if item is not LEFT_OUT}
    )


def addresses(step: Step | None) -> list[str]:
    assert isinstance(step, Done), step
    return [picture.url for picture in step.images]


def after_a_poll(
    provider: str, accepted: dict[str, Any], polled: dict[str, Any], status: int = 200
) -> tuple[Step, bool]:
    """The step after this answer to a poll, and whether the dialect goes on asking."""
    work = job(BUILT_IN[provider], request("generate"), "recommended")
    played = play(work, reply(200, accepted), reply(status, polled))
    assert played.end is not None
    return played.end, len(played.waits) > 1


# --------------------------------------------------------------------------------------------------- Replicate

PREDICTION = {
    "id": st.just("p1"),
    "model": st.just("google/nano-banana-2"),
    "version": st.sampled_from(["hidden", "5f24084160c9089501c1b3545d9be3c27883ae2239b6f412990e82d4a6210f8f"]),
    "input": maybe(st.just({"prompt": "x", "image_input": ["https://cdn.example.com/mine.png"]})),
    "logs": maybe(WORDS),
    "metrics": maybe(st.dictionaries(st.sampled_from(["predict_time", "total_time"]), st.floats(0, 1e4))),
    "created_at": maybe(st.just("2026-11-21T10:00:00.000Z")),
    "started_at": maybe(st.just("2026-11-21T10:00:01.000Z")),
    "completed_at": maybe(st.just("2026-11-21T10:00:02.000Z")),
    "urls": maybe(
        st.dictionaries(st.sampled_from(["get", "cancel", "stream", "web"]), st.just(f"{BASE}/v1/predictions/p1"))
    ),
}
STARTED = {"id": "p1", "model": "m", "version": "v", "status": "starting", "urls": {}}


@patient
@given(
    shaped(PREDICTION | {"error": maybe(st.just(""))}), st.one_of(ADDRESS, st.lists(ADDRESS, min_size=1, max_size=4))
)
def test_replicate_output_is_an_address_or_a_list(prediction: dict[str, Any], output: str | list[str]) -> None:
    end, _ = after_a_poll("replicate", STARTED, prediction | {"status": "succeeded", "output": output})
    assert addresses(end) == ([output] if isinstance(output, str) else output)
    judged("replicate", "replicate", "1.0.7", "every shape of a prediction is understood")


@patient
@given(
    shaped(PREDICTION | {"output": maybe(ADDRESS), "error": maybe(WORDS)}), st.sampled_from(["starting", "processing"])
)
def test_replicate_goes_on_asking(prediction: dict[str, Any], status: str) -> None:
    end, asks = after_a_poll("replicate", STARTED, prediction | {"status": status})
    assert asks and not isinstance(end, (Done, Failed))


@patient
@given(
    shaped(PREDICTION | {"output": maybe(st.just([])), "error": maybe(WORDS)}),
    st.sampled_from(["succeeded", "failed", "canceled", "aborted"]),
)
def test_replicate_without_an_output_has_failed(prediction: dict[str, Any], status: str) -> None:
    end, _ = after_a_poll("replicate", STARTED, prediction | {"status": status})
    assert isinstance(end, Failed) and end.task == "p1"


def test_replicate_output_as_a_data_uri_is_a_picture() -> None:
    """As the client's own FileOutput takes it."""
    output = "data:image/png;base64," + base64.b64encode(PNG).decode()
    end, _ = after_a_poll("replicate", STARTED, STARTED | {"status": "succeeded", "output": output})
    assert isinstance(end, Done) and end.images[0].data == PNG


# --------------------------------------------------------------------------------------------------- fal

LOG = shaped(
    {
        "message": WORDS,
        "level": st.sampled_from(["STDERR", "STDOUT", "ERROR", "INFO", "WARN", "DEBUG"]),
        "source": st.just("USER"),
        "timestamp": st.just("2026-11-21T10:00:01.000Z"),
    }
)
QUEUE = {
    "request_id": st.just("r1"),
    "response_url": maybe(st.just(f"{BASE}/google/nano-banana-2.1/requests/r1")),
    "status_url": maybe(st.just(f"{BASE}/google/nano-banana-2.1/requests/r1/status")),
    "cancel_url": maybe(st.just(f"{BASE}/google/nano-banana-2.1/requests/r1/cancel")),
}
COMPLETED = shaped(
    QUEUE
    | {
        "status": st.just("COMPLETED"),
        "logs": maybe(st.lists(LOG, max_size=3)),
        "metrics": maybe(shaped({"inference_time": maybe(st.floats(0, 1e3))})),
        "error": maybe(st.just("")),
        "error_type": maybe(st.just("")),
    }
)
IMAGE = shaped(
    {
        "url": ADDRESS,
        "content_type": maybe(st.sampled_from(["image/png", "image/jpeg"])),
        "file_name": maybe(st.just("0.png")),
        "file_size": maybe(st.integers(0, 10**7)),
        "width": maybe(st.integers(1, 5000)),
        "height": maybe(st.integers(1, 5000)),
    }
)
IN_QUEUE = {"request_id": "r1", "status": "IN_QUEUE", "queue_position": 0}


@patient
@given(COMPLETED, st.lists(IMAGE, min_size=1, max_size=4), st.one_of(st.just(""), WORDS))
def test_fal_a_completed_request_leads_to_its_pictures(
    status: dict[str, Any], images: list[dict[str, Any]], description: str
) -> None:
    work = job(BUILT_IN["fal"], request("generate"), "nano-banana-2.1", count=len(images))
    result = {"images": images, "description": description}
    played = play(work, reply(200, IN_QUEUE), reply(200, status), reply(200, result))
    assert addresses(played.end) == [image["url"] for image in images]
    judged("fal", "fal-client", "1.0.3", "every shape of a status is understood")


@patient
@given(
    st.one_of(
        shaped(QUEUE | {"status": st.just("IN_QUEUE"), "queue_position": st.integers(0, 10**6)}),
        shaped(QUEUE | {"status": st.just("IN_PROGRESS"), "logs": maybe(st.lists(LOG, max_size=3))}),
    )
)
def test_fal_goes_on_asking(status: dict[str, Any]) -> None:
    end, asks = after_a_poll("fal", IN_QUEUE, status, 202)
    assert asks and not isinstance(end, (Done, Failed))


@patient
@given(
    COMPLETED,
    st.sampled_from([400, 404, 422, 500, 502, 504]),
    st.one_of(WORDS, st.lists(shaped({"loc": st.lists(st.one_of(WORDS, st.integers())), "msg": WORDS, "type": WORDS}))),
)
def test_fal_a_completed_request_may_have_failed(status: dict[str, Any], code: int, detail: Any) -> None:
    """`detail` is a string or a list of what is wrong with which field."""
    work = job(BUILT_IN["fal"], request("generate"), "nano-banana-2.1")
    named = status | {"error": "it failed", "error_type": "downstream_service_error"}
    played = play(work, reply(200, IN_QUEUE), reply(200, named), reply(code, {"detail": detail}))
    assert isinstance(played.end, Failed) and played.end.task == "r1"


# --------------------------------------------------------------------------------------------------- WaveSpeed

WAVE = {
    "id": st.just("w1"),
    "model": maybe(st.just("google/nano-banana-2/text-to-image")),
    "input": maybe(st.just({"prompt": "x", "images": ["https://cdn.example.com/mine.png"]})),
    "urls": maybe(st.just({"get": f"{BASE}/api/v3/predictions/w1/result"})),
    "has_nsfw_contents": maybe(st.lists(st.booleans(), max_size=2)),
    "created_at": maybe(st.just("2026-11-21T10:00:00.000Z")),
    "timings": maybe(st.dictionaries(st.just("inference"), st.integers(0, 10**5))),
    "error": maybe(st.just("")),
}
CREATED = {"code": 200, "message": "success", "data": {"id": "w1", "status": "created", "outputs": []}}


def wrapped(data: dict[str, Any], message: str = "success") -> dict[str, Any]:
    return {"code": 200, "message": message, "data": data}


@patient
@given(shaped(WAVE), st.lists(ADDRESS, min_size=1, max_size=4))
def test_wavespeed_completed_has_its_outputs(data: dict[str, Any], outputs: list[str]) -> None:
    end, _ = after_a_poll("wavespeed", CREATED, wrapped(data | {"status": "completed", "outputs": outputs}))
    assert addresses(end) == outputs
    judged("wavespeed", "wavespeed", "2.0.5", "every shape of a prediction is understood")


@patient
@given(
    shaped(WAVE | {"outputs": maybe(st.just([]))}),
    st.sampled_from(["created", "pending", "processing", "queued", "running"]),
)
def test_wavespeed_goes_on_asking(data: dict[str, Any], status: str) -> None:
    end, asks = after_a_poll("wavespeed", CREATED, wrapped(data | {"status": status}))
    assert asks and not isinstance(end, (Done, Failed))


@patient
@given(
    shaped(WAVE | {"error": maybe(WORDS), "outputs": maybe(st.just([]))}),
    st.sampled_from(["failed", "cancelled", "timeout", "deleted"]),
)
def test_wavespeed_ends_without_a_picture(data: dict[str, Any], status: str) -> None:
    """Every state that its client takes for an end; `deleted` is one that no other provider has."""
    end, _ = after_a_poll("wavespeed", CREATED, wrapped(data | {"status": status}))
    assert isinstance(end, Failed) and end.task == "w1"


# --------------------------------------------------------------------------------------------------- APIFRAME

TASK = {
    "task_id": st.just("t1"),
    "task_type": maybe(st.just("nano-banana-pro")),
    "percentage": maybe(st.one_of(st.integers(0, 100).map(str), st.integers(0, 100))),
    "message": maybe(st.just("")),
    "error": maybe(st.just("")),
    "createdAt": maybe(st.just("2026-11-21T10:00:00.000Z")),
    "actions": maybe(st.lists(st.sampled_from(["upsample1", "reroll"]), max_size=3)),
}


@patient
@given(shaped(TASK), st.sampled_from(["finished", "completed"]), st.lists(ADDRESS, min_size=1, max_size=4))
def test_apiframe_finished_has_its_pictures(task: dict[str, Any], status: str, urls: list[str]) -> None:
    """At once or by asking; `completed` is what its client makes of `finished`."""
    work = job(BUILT_IN["apiframe"], request("generate"))
    answer = task | {"status": status, "image_urls": urls}
    assert addresses(play(work, reply(200, answer)).end) == urls
    end, _ = after_a_poll("apiframe", {"task_id": "t1", "status": "pending"}, answer)
    assert addresses(end) == urls
    judged("apiframe", "apiframe-sdk", "1.0.0", "every shape of a task is understood")


@patient
@given(
    shaped(TASK | {"image_urls": maybe(st.just([]))}), st.sampled_from(["pending", "processing", "staged", "starting"])
)
def test_apiframe_goes_on_asking(task: dict[str, Any], status: str) -> None:
    end, asks = after_a_poll("apiframe", {"task_id": "t1", "status": "pending"}, task | {"status": status})
    assert asks and not isinstance(end, (Done, Failed))


@patient
@given(shaped(TASK | {"error": maybe(WORDS), "message": maybe(WORDS), "result": maybe(st.none())}))
def test_apiframe_failed_has_failed(task: dict[str, Any]) -> None:
    end, _ = after_a_poll("apiframe", {"task_id": "t1", "status": "pending"}, task | {"status": "failed"})
    assert isinstance(end, Failed) and end.task == "t1"


JOB = {
    "id": st.just("j1"),
    "model": st.just("nano-banana-2"),
    "progress": maybe(st.integers(0, 100)),
    "error": st.none(),
    "creditCost": maybe(st.floats(0, 1e3)),
    "expired": maybe(st.booleans()),
    "webhookStatus": maybe(st.just("delivered")),
    "createdAt": maybe(st.just("2026-11-21T10:00:00.000Z")),
    "completedAt": maybe(st.just("2026-11-21T10:01:00.000Z")),
    "params": maybe(st.just({"nanoBananaParams": {"image_input": ["https://cdn.example.com/mine.png"]}})),
}
RESULTS: list[Any] = [
    lambda urls: urls[0] if len(urls) == 1 else urls,  # an address alone is what the tests of its SDK have
    lambda urls: {"url": urls[0]} if len(urls) == 1 else urls,
    lambda urls: {"images": [{"url": url} for url in urls]},
    lambda urls: {"image_urls": urls},
    lambda urls: {"files": {"full": urls, "thumbnail": "https://cdn.example.com/small.png"}},
    lambda urls: {"output": urls, "input": {"image_input": ["https://cdn.example.com/mine.png"]}},
]


@patient
@given(shaped(JOB), st.sampled_from(RESULTS), st.lists(ADDRESS, min_size=1, max_size=4, unique=True))
def test_apiframe_v2_completed_has_its_pictures(data: dict[str, Any], shape: Any, urls: list[str]) -> None:
    """`result` has no type in the OpenAPI file: what its addresses are in is anything."""
    accepted = {"jobId": "j1", "status": "QUEUED"}
    end, _ = after_a_poll("apiframe_v2", accepted, data | {"status": "COMPLETED", "result": shape(urls)})
    assert addresses(end) == urls
    judged(
        "apiframe_v2",
        "OpenAPI file of its API, version 2",
        "2026-07-16",
        "every state of a job is understood",
        "schema",
    )


@patient
@given(shaped(JOB), st.sampled_from(["QUEUED", "PROCESSING", "FAILED", "CANCELLED"]), WORDS)
def test_apiframe_v2_states(data: dict[str, Any], status: str, error: str) -> None:
    accepted = {"jobId": "j1", "status": "QUEUED"}
    ended = status in ("FAILED", "CANCELLED")
    answer = data | {"status": status, "result": None, "error": error if status == "FAILED" else None}
    end, asks = after_a_poll("apiframe_v2", accepted, answer)
    assert isinstance(end, Failed) is ended and asks is not ended


# --------------------------------------------------------------------------------------------------- kie

RECORD = {
    "taskId": st.just("k1"),
    "model": maybe(st.just("nano-banana-2")),
    "param": maybe(st.just('{"input":"{\\"image_urls\\":[\\"https://cdn.example.com/mine.png\\"]}"}')),
    "failCode": maybe(st.one_of(st.just(""), st.sampled_from(["400", "501"]))),
    "failMsg": maybe(st.just("")),
    "costTime": maybe(st.integers(0, 10**5)),
    "completeTime": maybe(st.integers(0, 2**41)),
    "createTime": maybe(st.integers(0, 2**41)),
    "updateTime": maybe(st.integers(0, 2**41)),
    "progress": maybe(st.integers(0, 100)),
    "creditsConsumed": maybe(st.floats(0, 1e3)),
}
KIE_ACCEPTED = {"code": 200, "msg": "success", "data": {"taskId": "k1"}}


@patient
@given(
    shaped({name: field for name, field in RECORD.items() if name != "failCode"}),
    st.lists(ADDRESS, min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["firstFrameUrl", "resultObject"]), st.none()),
)
def test_kie_success_has_its_pictures(record: dict[str, Any], urls: Sequence[str], more: dict[str, Any]) -> None:
    made = json.dumps({"resultUrls": urls, **more})
    answer = {"code": 200, "msg": "success", "data": record | {"state": "success", "resultJson": made}}
    end, _ = after_a_poll("kie", KIE_ACCEPTED, answer)
    assert addresses(end) == urls
    judged(
        "kie",
        "pages of the models, of tasks and of uploads",
        "2026-09-24",
        "every state of a task is understood",
        "document",
    )


@patient
@given(shaped(RECORD), st.sampled_from(["waiting", "queuing", "generating", "fail"]), maybe(st.just("")))
def test_kie_states(record: dict[str, Any], state: str, made: Any) -> None:
    data = record | {"state": state} | ({} if made is LEFT_OUT else {"resultJson": made})
    end, asks = after_a_poll("kie", KIE_ACCEPTED, {"code": 200, "msg": "success", "data": data})
    assert isinstance(end, Failed) is (state == "fail") and asks is (state != "fail")


@pytest.mark.parametrize("code", [401, 402, 404, 408, 422, 429, 433, 455, 500, 501, 505])
def test_kie_codes_inside_a_success_are_refusals(code: int) -> None:
    """Every code of its pages, in answer to the request itself."""
    work = job(BUILT_IN["kie"], request("generate"))
    end = play(work, reply(200, {"code": code, "msg": "told why", "data": None})).end
    assert isinstance(end, Failed) and "told why" in end.failure.message
