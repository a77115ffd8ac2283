"""The strict double of fal and Replicate: queue and prediction from submitting to the file, uploads, cancelling."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles
from PIL import Image

KEY = {"Authorization": "Key sim-test"}
BEARER = {"Authorization": "Bearer sim-test"}
PLACES = {"fal": "/fal-ai/nano-banana-2", "replicate": "/v1/models/google/nano-banana-2/predictions"}
HEADERS = {"fal": KEY, "replicate": BEARER}


@pytest.fixture(scope="module")
def running() -> Iterator[Doubles]:
    with start() as doubles:
        yield doubles


@pytest.fixture
def sim(running: Doubles) -> Doubles:
    running.reset()
    return running


def webp() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "teal").save(out, "WEBP", lossless=True)
    return out.getvalue()


def submit(sim: Doubles, provider: str, words: str = "", **fields: Any) -> requests.Response:
    prompt = f"a cat [[sim: {words}]]" if words else "a cat"
    body: dict[str, Any] = {"prompt": prompt, **fields}
    body = {"input": body} if provider == "replicate" else body
    return requests.post(sim.base_url(provider) + PLACES[provider], json=body, headers=HEADERS[provider], timeout=30)


def get(url: str, provider: str) -> requests.Response:
    return requests.get(url, headers=HEADERS[provider], timeout=30)


def cancel(taken: dict[str, Any], provider: str) -> requests.Response:
    url = taken["cancel_url"] if provider == "fal" else taken["urls"]["cancel"]
    return requests.request("PUT" if provider == "fal" else "POST", url, headers=HEADERS[provider], timeout=30)


def test_fal_from_the_queue_to_the_file(sim: Doubles) -> None:
    """202 in the queue and at work, 200 when it is complete; the result has an address of its own."""
    taken = submit(sim, "fal", "steps=3", num_images=2, resolution="0.5K", output_format="webp").json()
    assert taken["status"] == "IN_QUEUE" and taken["status_url"].endswith(
        "/requests/" + taken["request_id"] + "/status"
    )
    assert get(taken["response_url"], "fal").status_code == 400, "it isn't there yet"
    seen = [get(taken["status_url"], "fal") for _ in range(4)]
    assert [(one.status_code, one.json()["status"]) for one in seen] == [
        (202, "IN_QUEUE"),
        (202, "IN_QUEUE"),
        (202, "IN_PROGRESS"),
        (200, "COMPLETED"),
    ]
    images = get(taken["response_url"], "fal").json()["images"]
    assert [Image.open(io.BytesIO(requests.get(i["url"], timeout=30).content)).format for i in images] == ["WEBP"] * 2
    assert sim.request_log()["paid_images"] == 2 and sim.request_log()["cost_usd"] == pytest.approx(0.12)


def test_an_edit_s_request_stands_under_the_endpoint_without_its_sub_path(sim: Doubles) -> None:
    """As fal shows it, and nowhere else."""
    answer = requests.post(
        sim.base_url("fal") + "/fal-ai/nano-banana-2/edit", json={"prompt": "x"}, headers=KEY, timeout=30
    ).json()
    assert f"/fal-ai/nano-banana-2/requests/{answer['request_id']}" in answer["status_url"]
    other = answer["status_url"].replace("nano-banana-2/", "nano-banana-2/edit/")
    assert get(other, "fal").status_code in (404, 405)
    assert get(answer["status_url"].replace("nano-banana-2", "nano-banana-pro"), "fal").status_code == 404


@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [("refuse", 422, "content_policy_violation"), ("task=fail", 502, "downstream_service_error")],
)
def test_a_failed_run_is_told_by_its_result(sim: Doubles, words: str, status: int, kind: str) -> None:
    """COMPLETED like any other; nothing is billed."""
    taken = submit(sim, "fal", f"{words} steps=0").json()
    seen = get(taken["status_url"], "fal")
    assert seen.status_code == 200 and seen.json()["error_type"] == kind
    result = get(taken["response_url"], "fal")
    assert result.status_code == status and result.headers["X-Fal-Error-Type"] == kind and "detail" in result.json()
    assert sim.request_log()["paid_calls"] == 0


def test_a_refusal_without_a_picture_inside_a_200(sim: Doubles) -> None:
    """fal with the model's words, Replicate with nothing at all."""
    taken = submit(sim, "fal", "refuse=200").json()
    get(taken["status_url"], "fal")
    result = get(taken["response_url"], "fal").json()
    assert result["images"] == [] and "content policy" in result["description"]
    made = submit(sim, "replicate", "refuse=200").json()
    seen = get(made["urls"]["get"], "replicate").json()
    assert (seen["status"], seen["output"], seen["error"]) == ("succeeded", None, None)


def test_a_prediction_from_start_to_file(sim: Doubles) -> None:
    """201, starting, processing, succeeded; one address; the input is repeated."""
    answer = submit(sim, "replicate", "steps=3", resolution="512px", aspect_ratio="9:21")
    assert answer.status_code == 422, "not a ratio of its schema"
    answer = submit(sim, "replicate", "steps=3", resolution="512px", aspect_ratio="16:9")
    assert answer.status_code == 201
    seen = [get(answer.json()["urls"]["get"], "replicate").json() for _ in range(4)]
    assert [one["status"] for one in seen] == ["starting", "starting", "processing", "succeeded"]
    assert [one["started_at"] is None for one in seen] == [True, True, False, False]
    assert seen[0]["input"]["prompt"].startswith("a cat")
    image = Image.open(io.BytesIO(requests.get(seen[3]["output"], timeout=30).content))
    assert (image.format, image.size) == ("JPEG", (688, 384))


def test_pro_gives_2k_unless_told_otherwise(sim: Doubles) -> None:
    url = sim.base_url("replicate") + "/v1/models/google/nano-banana-pro/predictions"
    made = requests.post(url, json={"input": {"prompt": "x [[sim: steps=0]]"}}, headers=BEARER, timeout=30).json()
    output = get(made["urls"]["get"], "replicate").json()["output"]
    assert Image.open(io.BytesIO(requests.get(output, timeout=30).content)).size == (2048, 2048)


def test_a_throttled_prediction_says_for_how_long(sim: Doubles) -> None:
    answer = submit(sim, "replicate", "status=429 retry_after=6")
    assert answer.json()["retry_after"] == 6 and answer.headers["Retry-After"] == "6"
    assert "resets in ~6s" in answer.json()["detail"]


def test_fal_s_storage(sim: Doubles) -> None:
    """Announced with the key, put without it and as announced; then the address is a reference."""
    base, content = sim.base_url("fal"), webp()
    place = base + "/storage/upload/initiate?storage_type=fal-cdn-v3"
    body = {"content_type": "image/webp", "file_name": "a.webp"}
    assert requests.post(place, json=body, timeout=30).status_code == 401
    assert requests.post(place.replace("v3", "v2"), json=body, headers=KEY, timeout=30).status_code == 422
    there = requests.post(place, json=body, headers=KEY, timeout=30).json()
    edit, mime = base + "/google/nano-banana-2.1/edit", {"Content-Type": "image/webp"}
    wanted = {"prompt": "x", "image_urls": [there["file_url"]]}
    assert requests.post(edit, json=wanted, headers=KEY, timeout=30).status_code == 422, "nothing is there yet"
    assert requests.put(there["upload_url"], data=content, headers={**mime, **KEY}, timeout=30).status_code == 400
    assert (
        requests.put(there["upload_url"], data=content, headers={"Content-Type": "image/png"}, timeout=30).status_code
        == 403
    )
    assert requests.put(there["upload_url"], data=content, headers=mime, timeout=30).status_code == 200
    assert requests.post(edit, json=wanted, headers=KEY, timeout=30).status_code == 200
    assert sim.request_log()["requests"][-1]["references"][0]["encoding"] == "url"


def test_replicate_s_files(sim: Doubles) -> None:
    """One part called `content`; its address is a reference."""
    url, content = sim.base_url("replicate") + "/v1/files", webp()
    for name in ("file", "image"):
        wrong = requests.post(url, files={name: ("a.webp", content, "image/webp")}, headers=BEARER, timeout=30)
        assert wrong.status_code == 422, name
    made = requests.post(url, files={"content": ("a.webp", content, "image/webp")}, headers=BEARER, timeout=30)
    assert made.status_code == 201
    assert submit(sim, "replicate", image_input=[made.json()["urls"]["get"]]).status_code == 201


@pytest.mark.parametrize("provider", ["fal", "replicate"])
def test_what_waits_can_be_taken_back_and_costs_nothing(sim: Doubles, provider: str) -> None:
    """fal forgets it, Replicate says that it never started."""
    taken = submit(sim, provider, "steps=4").json()
    assert sim.request_log()["paid_images"] == 1
    answer = cancel(taken, provider)
    assert answer.ok and sim.request_log()["paid_images"] == 0 and sim.request_log()["cost_usd"] == 0
    if provider == "fal":
        assert get(taken["status_url"], "fal").status_code == 404 and cancel(taken, "fal").status_code == 404
    else:
        seen = get(taken["urls"]["get"], "replicate").json()
        assert (seen["status"], seen["started_at"]) == ("canceled", None)


@pytest.mark.parametrize("words", ["steps=0", "steps=4 cancel=late"])
def test_what_has_begun_stays_billed(sim: Doubles, words: str) -> None:
    """fal goes on with it; Replicate stops it, and its bill stays."""
    taken = submit(sim, "fal", words).json()
    get(taken["status_url"], "fal")
    assert cancel(taken, "fal").json() == {"status": "ALREADY_COMPLETED"}
    assert get(taken["status_url"], "fal").json()["status"] != "IN_QUEUE"
    made = submit(sim, "replicate", words).json()
    get(made["urls"]["get"], "replicate")
    seen = cancel(made, "replicate").json()
    assert seen["status"] == ("succeeded" if words == "steps=0" else "canceled") and seen["started_at"]
    assert sim.request_log()["paid_images"] == 2


def test_a_cancel_that_fails_or_isn_t_answered(sim: Doubles) -> None:
    """500 changes nothing; a dropped line has done it."""
    taken = submit(sim, "fal", "steps=4 cancel=500").json()
    assert cancel(taken, "fal").status_code == 500 and get(taken["status_url"], "fal").status_code == 202
    taken = submit(sim, "fal", "steps=4 cancel=drop").json()
    with pytest.raises(requests.ConnectionError):
        cancel(taken, "fal")
    assert get(taken["status_url"], "fal").status_code == 404
    assert sim.request_log()["paid_images"] == 1


@pytest.mark.parametrize("provider", ["fal", "replicate"])
def test_nobody_s_request(sim: Doubles, provider: str) -> None:
    base = sim.base_url(provider)
    one = base + ("/fal-ai/nano-banana-2/requests/none" if provider == "fal" else "/v1/predictions/none")
    assert get(one, provider).status_code == 404
    method = "PUT" if provider == "fal" else "POST"
    assert requests.request(method, f"{one}/cancel", headers=HEADERS[provider], timeout=30).status_code == 404
    assert (
        requests.post(base + "/fal-ai/nano-banana-9", json={}, headers=HEADERS[provider], timeout=30).status_code == 404
    )
