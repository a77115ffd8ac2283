"""fal's own client makes and edits pictures at our double, and tells its refusals apart.

The judge is fal-client. Its addresses are fixed: they are led to the double below it. What it reads of an answer
(`logs` and `metrics` of a finished request, `queue_position` of a waiting one) and what it sends (`?logs=`, the CDN's token,
an announced upload of the kind gcs) is its own.
"""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

pytest.importorskip("fal_client", reason="fal-client is not installed: dev.py test installs it")

import fal_client
import fal_client.client
import httpx
from dialect_driver import drive, job, request
from judging import judged
from pack.core.dialects.base.step import Done
from pack.core.http.transport import Transport
from pack.core.providers import BUILT_IN
from pack.tests.doubles.server import Doubles
from PIL import Image
from rerouting import Seen, reroute

HOSTS = {"queue.fal.run": "", "rest.fal.ai": "", "v3.fal.media": "/cdn"}
"""Where each of fal's hosts is below the double."""


@pytest.fixture
def seen(doubles: Doubles, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The requests of the client, all led to the double."""
    doubles.reset()
    # Tries once more after a 429, and not ten times with ever longer pauses.
    monkeypatch.setattr(fal_client.client, "MAX_ATTEMPTS", 2)
    return reroute(monkeypatch, {host: doubles.base_url("fal") + below for host, below in HOSTS.items()})


@pytest.fixture
def client(seen: Seen) -> fal_client.SyncClient:
    """The vendor's client with a key that the double takes."""
    return fal_client.SyncClient(key="sim-vendor")


def picture() -> Image.Image:
    """A reference of 40x30."""
    return Image.new("RGB", (40, 30), "teal")


def fetched(address: str) -> Image.Image:
    """A picture that an answer names."""
    image = Image.open(io.BytesIO(httpx.get(address).content))
    image.load()
    return image


def test_makes_a_picture(client: fal_client.SyncClient) -> None:
    updates: list[fal_client.Status] = []
    answer = client.subscribe(
        "fal-ai/nano-banana-2",
        {"prompt": "a fox [[sim: steps=2]]", "aspect_ratio": "16:9", "resolution": "0.5K", "num_images": 2},
        with_logs=True,
        on_queue_update=updates.append,
        interval=0,
    )
    assert [fetched(image["url"]).size for image in answer["images"]] == [(688, 384)] * 2
    assert [type(update) for update in updates] == [fal_client.Queued, fal_client.InProgress, fal_client.Completed]
    running, finished = updates[1:]
    assert isinstance(running, fal_client.InProgress) and running.logs
    assert isinstance(finished, fal_client.Completed) and finished.logs and finished.metrics["inference_time"] > 0
    assert finished.error is None and finished.error_type is None
    judged("fal", "fal-client", "", "makes a picture, follows the queue with its logs")


@pytest.mark.parametrize("repository", ["fal_v3", "fal"])
def test_edits_a_picture_that_it_has_uploaded(client: fal_client.SyncClient, doubles: Doubles, repository: Any) -> None:
    """Through the CDN with its token, and through the storage with an announced upload."""
    address = client.upload_image(picture(), "png", repository=repository, fallback_repository=[])
    handle = client.submit("fal-ai/nano-banana-pro/edit", {"prompt": "snow", "image_urls": [address]})
    answer = handle.get(interval=0)
    assert fetched(answer["images"][0]["url"]).size == (1200, 896)
    [entry] = doubles.request_log()["requests"]
    assert entry["references"][0]["width"] == 40 and entry["outcome"] == 200
    judged("fal", "fal-client", "", "edits an uploaded picture, by the CDN and by the storage")


def test_edits_a_picture_inside_the_request(client: fal_client.SyncClient, doubles: Doubles) -> None:
    """As the client's own `encode_image` puts it there, and as ours does: both are data URIs."""
    body = {"prompt": "snow", "image_urls": [fal_client.encode_image(picture(), "png")]}
    client.subscribe("google/nano-banana-2.1/edit", body, interval=0)
    [entry] = doubles.request_log()["requests"]
    assert entry["references"][0]["encoding"] == "data_uri"


def test_takes_a_waiting_request_back(client: fal_client.SyncClient) -> None:
    handle = client.submit("fal-ai/nano-banana", {"prompt": "a fox [[sim: steps=4]]"})
    assert isinstance(handle.status(), fal_client.Queued)
    handle.cancel()
    with pytest.raises(fal_client.FalClientHTTPError) as gone:
        handle.status()
    assert gone.value.status_code == 404
    judged("fal", "fal-client", "", "cancels what waits")


@pytest.mark.parametrize(
    ("body", "key", "status", "kind"),
    [
        ({"prompt": "x"}, "real", 401, None),
        ({"prompt": "x", "resolution": "9K"}, "sim-vendor", 422, None),
        ({"prompt": "[[sim: status=402]]"}, "sim-vendor", 402, None),
        ({"prompt": "[[sim: status=429]]"}, "sim-vendor", 429, None),
        ({"prompt": "[[sim: status=500]]"}, "sim-vendor", 500, "internal_server_error"),
    ],
)
def test_a_refusal_becomes_the_clients_own_error(
    seen: Seen, body: dict[str, Any], key: str, status: int, kind: str | None
) -> None:
    with pytest.raises(fal_client.FalClientHTTPError) as refused:
        fal_client.SyncClient(key=key).submit("fal-ai/nano-banana-2", body)
    assert refused.value.status_code == status and refused.value.error_type == kind
    assert refused.value.message
    if status == 422:
        [entry] = refused.value.message
        assert entry["loc"] == ["body", "resolution"] and entry["msg"] and entry["type"]
    judged("fal", "fal-client", "", "tells refusals apart")


@pytest.mark.parametrize("reason", ["content_policy_violation", "no_media_generated", "generation_timeout"])
def test_a_run_that_fails_is_completed_with_an_error(client: fal_client.SyncClient, reason: str) -> None:
    """The status says which, and the result's address answers with it."""
    handle = client.submit("fal-ai/nano-banana-2", {"prompt": f"x [[sim: refuse reason={reason}]]"})
    *_, last = handle.iter_events(interval=0)
    assert isinstance(last, fal_client.Completed) and last.error and last.error_type == reason
    with pytest.raises(fal_client.FalClientHTTPError) as failed:
        handle.get(interval=0)
    assert failed.value.error_type == reason


def test_our_request_is_the_clients_request(client: fal_client.SyncClient, seen: Seen, doubles: Doubles) -> None:
    """Path, key, content type and body of a submission, and the address of every later step."""
    ours = job(
        BUILT_IN["fal"],
        request("edit", 2, aspect_ratio="16:9", resolution="2K", seed=7),
        "nano-banana-2",
        base_url=doubles.base_url("fal"),
        count=2,
    )
    step, _ = drive(ours, Transport(ours.base_url), "sim-vendor")
    assert isinstance(step, Done)
    [mine] = doubles.request_log()["requests"]
    doubles.reset()
    body = {"prompt": ours.prompt, **ours.fields()}
    body["image_urls"] = [fal_client.encode_image(picture(), "png")] * 2
    client.subscribe(ours.model, body, interval=0)
    [theirs] = doubles.request_log()["requests"]
    for name in ("method", "route", "query", "fields"):
        assert mine[name] == theirs[name], name
    sent = seen.to("queue.fal.run")[0]
    assert json.loads(sent.content)["aspect_ratio"] == "16:9"
    for header in ("authorization", "content-type"):
        assert mine["headers"][header].split(";")[0] == theirs["headers"][header].split(";")[0]
    polled = [entry["path"] for entry in doubles.request_log()["free"] if entry["kind"] == "poll"]
    assert all(path.startswith("/fal/fal-ai/nano-banana-2/requests/") for path in polled)
    judged("fal", "fal-client", "", "sends the request that we send")
