"""WaveSpeed's own client makes and edits pictures at our double, and meets its refusals.

The judge is the package wavespeed. It has no types for the inputs of these models: what is compared is the address, the
headers and the body. It uploads by a ticket and a PUT, where we use the form upload of the vendor's page: both give an
address that a request may name.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wavespeed", reason="wavespeed is not installed: dev.py test installs it")

import requests
import wavespeed
from dialect_driver import drive, job, request
from judging import judged
from pack.core.dialects.base.step import Done
from pack.core.http.transport import Transport
from pack.core.providers import BUILT_IN
from pack.tests.doubles.server import Doubles
from PIL import Image

TEXT = "google/nano-banana-2/text-to-image"
EDIT = "google/nano-banana-pro/edit"


@pytest.fixture
def client(doubles: Doubles) -> wavespeed.Client:
    """The vendor's client with a key that the double takes."""
    doubles.reset()
    return at(doubles)


def at(doubles: Doubles, key: str = "sim-vendor") -> wavespeed.Client:
    return wavespeed.Client(key, doubles.base_url("wavespeed"), retry_interval=0.0, max_connection_retries=1)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A reference of 40x30 as a file."""
    path = tmp_path / "fox.png"
    Image.new("RGB", (40, 30), "teal").save(path)
    return path


def size_of(address: str) -> tuple[int, int]:
    return Image.open(io.BytesIO(requests.get(address, timeout=30).content)).size


@pytest.mark.parametrize("at_once", [False, True])
def test_makes_a_picture(client: wavespeed.Client, at_once: bool) -> None:
    fields = {"prompt": "a fox", "aspect_ratio": "16:9", "resolution": "1k", "output_format": "jpeg"}
    answer = client.run(TEXT, fields, poll_interval=0.0, enable_sync_mode=at_once)
    [address] = answer["outputs"]
    assert size_of(address) == (1376, 768)
    judged("wavespeed", "wavespeed", "", "makes a picture, at once and by asking")


@pytest.mark.parametrize("named", [True, False])
def test_edits_a_picture_that_it_has_uploaded(
    client: wavespeed.Client, doubles: Doubles, picture: Path, named: bool
) -> None:
    """A file, and a stream without a name, of which the client tells no type."""
    address = client.upload(str(picture) if named else io.BytesIO(picture.read_bytes()))
    answer = client.run(EDIT, {"prompt": "snow", "images": [address]}, poll_interval=0.0)
    assert size_of(answer["outputs"][0]) == (1200, 896)
    [entry] = doubles.request_log()["requests"]
    assert entry["references"][0]["width"] == 40
    judged("wavespeed", "wavespeed", "", "edits a picture uploaded by a ticket and a PUT")


def test_a_refused_content_is_a_failed_prediction(client: wavespeed.Client) -> None:
    answer = client.run_no_throw(TEXT, {"prompt": "x [[sim: refuse]]"}, poll_interval=0.0)
    assert answer["status"] == "failed" and answer["outputs"] is None and answer["task_id"] != "unknown"
    assert "content policy" in answer["error"]


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ({"prompt": "x"}, "real", 401),
        ({"prompt": "x", "resolution": "1K"}, "sim-vendor", 400),
        ({"prompt": "[[sim: status=402]]"}, "sim-vendor", 402),
        ({"prompt": "[[sim: status=429]]"}, "sim-vendor", 429),
    ],
)
def test_a_refusal_becomes_the_clients_own_error(doubles: Doubles, body: dict[str, Any], key: str, status: int) -> None:
    """It has one class for all of them and puts the status and the whole answer into its words."""
    with pytest.raises(RuntimeError, match=rf"HTTP {status}.*\"message\"") as refused:
        at(doubles, key).run(TEXT, body, poll_interval=0.0)
    assert "submit prediction" in str(refused.value)
    judged("wavespeed", "wavespeed", "", "meets refusals")


def test_our_request_is_the_clients_request(client: wavespeed.Client, doubles: Doubles, picture: Path) -> None:
    """Address, key, content type, fields, and the address that is asked for the result."""
    ours = job(
        BUILT_IN["wavespeed"],
        request("edit", 2, aspect_ratio="16:9", resolution="2K", output_format="png"),
        "nano-banana-pro",
        base_url=doubles.base_url("wavespeed"),
    )
    step, _ = drive(ours, Transport(ours.base_url), "sim-vendor")
    assert isinstance(step, Done)
    books = [doubles.request_log()]
    doubles.reset()
    address = client.upload(str(picture))
    client.run(ours.model, {"prompt": ours.prompt, "images": [address] * 2, **ours.fields()}, poll_interval=0.0)
    books.append(doubles.request_log())
    [mine], [theirs] = (book["requests"] for book in books)
    for name in ("method", "route", "query", "fields"):
        assert mine[name] == theirs[name], name
    for header in ("authorization", "content-type"):
        assert mine["headers"][header].split(";")[0] == theirs["headers"][header].split(";")[0]
    for book in books:
        [asked, *_] = [entry for entry in book["free"] if entry["kind"] == "poll"]
        assert asked["method"] == "GET" and asked["path"].startswith("/wavespeed/api/v3/predictions/")
        assert asked["path"].endswith("/result")
    judged("wavespeed", "wavespeed", "", "sends the request that we send")
