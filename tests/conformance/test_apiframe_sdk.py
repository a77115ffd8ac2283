"""APIFRAME's own client makes and edits pictures at our double of version 1, and tells its refusals apart.

The judge is apiframe-sdk 1.0.0. It speaks version 1 of the API, by its paths (`/fetch`, `/account`), its states and its
fields, yet sends the key as `Bearer` and takes version 2's host for its own; the pages say raw and another host. It is
older than these models: a request for a picture goes through its own `post`, everything else through what it offers.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest

pytest.importorskip("apiframe", reason="apiframe-sdk is not installed: dev.py test installs it")

import requests
from apiframe import Apiframe
from apiframe.exceptions import ApiframeError, AuthenticationError, RateLimitError
from dialect_driver import drive, job, request
from judging import judged
from pack.core.dialects.base.step import Done
from pack.core.http.transport import Transport
from pack.core.providers import BUILT_IN
from pack.tests.doubles.server import Doubles
from PIL import Image

PRO = "/nano-banana-pro"


@pytest.fixture
def client(doubles: Doubles) -> Apiframe:
    """The vendor's client with a key that the double takes."""
    doubles.reset()
    return at(doubles)


def at(doubles: Doubles, key: str = "sim-vendor") -> Apiframe:
    return Apiframe(key, doubles.base_url("apiframe"))


def size_of(address: str) -> tuple[int, int]:
    return Image.open(io.BytesIO(requests.get(address, timeout=30).content)).size


def data_uri() -> str:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def test_makes_a_picture_at_once(client: Apiframe) -> None:
    """The client's words for a task: `id` and `completed`."""
    task = client._http_client.post(PRO, {"prompt": "a fox", "aspect_ratio": "16:9", "resolution": "1K"})
    assert task["status"] == "completed" and task["id"] and size_of(task["image_urls"][0]) == (1376, 768)
    judged("apiframe", "apiframe-sdk", "", "makes a picture")


def test_edits_a_picture_and_waits_for_it(client: Apiframe, doubles: Doubles) -> None:
    task = client._http_client.post(
        "/nano-banana", {"prompt": "snow [[sim: task=done steps=3]]", "images": [data_uri()]}
    )
    progress: list[int] = []
    done = client.tasks.wait_for(task["id"], on_progress=progress.append, interval=0)
    assert size_of(done["image_urls"][0]) == (1184, 864) and progress == sorted(progress) and len(progress) >= 2
    assert doubles.request_log()["requests"][0]["references"][0]["width"] == 40
    judged("apiframe", "apiframe-sdk", "", "edits a picture and waits for its task")


def test_a_failed_task_tells_why(client: Apiframe) -> None:
    task = client._http_client.post(PRO, {"prompt": "x [[sim: task=fail]]"})
    with pytest.raises(Exception, match="failed: The model returned no image"):
        client.tasks.wait_for(task["id"], interval=0)


@pytest.mark.parametrize(
    ("prompt", "key", "status", "kind"),
    [
        ("x", "real", 401, AuthenticationError),
        ("[[sim: status=400]]", "sim-vendor", 400, ApiframeError),
        ("[[sim: status=402]]", "sim-vendor", 402, ApiframeError),
        ("[[sim: status=429]]", "sim-vendor", 429, RateLimitError),
        ("[[sim: status=500]]", "sim-vendor", 500, ApiframeError),
    ],
)
def test_a_refusal_becomes_the_clients_own_error(
    doubles: Doubles, prompt: str, key: str, status: int, kind: type[ApiframeError]
) -> None:
    with pytest.raises(ApiframeError) as refused:
        at(doubles, key)._http_client.post(PRO, {"prompt": prompt})
    assert type(refused.value) is kind and refused.value.status == status
    judged("apiframe", "apiframe-sdk", "", "tells refusals apart")


def test_the_account_tells_the_credits(client: Apiframe) -> None:
    """The address that tests a key."""
    assert BUILT_IN["apiframe"].key_check == "/account"
    assert client.tasks.get_account_info()["credits"] > 0


def test_its_upload_is_no_judge(client: Apiframe) -> None:
    """It says `application/json` of a multipart form, which no server can read; what we say of uploads is from the pages."""
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "PNG")
    with pytest.raises(ApiframeError, match="multipart/form-data, not 'application/json'"):
        client.media.upload(out.getvalue(), "fox.png")


def test_our_polls_are_the_clients_polls(client: Apiframe, doubles: Doubles) -> None:
    """The same address with the same body; the key differs in its scheme only."""
    ours = job(
        BUILT_IN["apiframe"],
        request("generate", prompt="a fox [[sim: task=done]]"),
        base_url=doubles.base_url("apiframe"),
    )
    step, _ = drive(ours, Transport(ours.base_url), "sim-vendor")
    assert isinstance(step, Done)
    mine = doubles.request_log()
    doubles.reset()
    value: dict[str, Any] = {"prompt": ours.prompt, **ours.fields()}
    client.tasks.wait_for(client._http_client.post(PRO, value)["id"], interval=0)
    theirs = doubles.request_log()
    for book in (mine, theirs):
        asked = [(entry["method"], entry["path"]) for entry in book["free"] if entry["kind"] == "poll"]
        assert set(asked) == {("POST", "/apiframe/fetch")}
    for name in ("method", "route", "fields"):
        assert mine["requests"][0][name] == theirs["requests"][0][name]
    assert mine["requests"][0]["headers"]["authorization"] == "raw"
    assert theirs["requests"][0]["headers"]["authorization"].startswith("bearer ")
    judged("apiframe", "apiframe-sdk", "", "sends the request that we send, but for the scheme of the key")
