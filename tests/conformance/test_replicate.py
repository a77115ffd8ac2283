"""Replicate's own client makes and edits pictures at our double, and tells its refusals apart.

The judge is the package replicate. It has no types for the inputs of these models: what is compared is the address, the
headers, the shape of the body and how a file travels. Every answer is read into its own classes, which insist on
`version` in a prediction, on the five statuses that they know, and on all fields of an uploaded file.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("replicate", reason="replicate is not installed: dev.py test installs it")

import httpx
import replicate
from dialect_driver import drive, job, request
from judging import judged
from pack.core.dialects.base.step import Done
from pack.core.http.transport import Transport
from pack.core.providers import BUILT_IN
from pack.tests.doubles.server import Doubles
from PIL import Image
from replicate.exceptions import ModelError, ReplicateError
from replicate.helpers import FileOutput


@pytest.fixture
def client(doubles: Doubles) -> replicate.Client:
    """The vendor's client with a key that the double takes."""
    doubles.reset()
    return at(doubles)


def at(doubles: Doubles, key: str = "sim-vendor") -> replicate.Client:
    client = replicate.Client(api_token=key, base_url=doubles.base_url("replicate"))
    client.poll_interval = 0.0
    return client


@pytest.fixture
def picture() -> Iterator[Path]:
    """A reference of 40x30 as a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fox.png"
        Image.new("RGB", (40, 30), "teal").save(path)
        yield path


def size_of(output: Any) -> tuple[int, int]:
    """Of a file, or of the picture at an address that isn't https: the client leaves such a one as it is."""
    content = output.read() if isinstance(output, FileOutput) else httpx.get(output).content
    return Image.open(io.BytesIO(content)).size


def test_makes_a_picture(client: replicate.Client) -> None:
    fields = {"prompt": "a fox", "aspect_ratio": "16:9", "resolution": "512px", "output_format": "png"}
    assert size_of(client.run("google/nano-banana-2", input=fields)) == (688, 384)
    fields["prompt"] = "a fox [[sim: datauri]]"
    output = client.run("google/nano-banana-2", input=fields)
    assert isinstance(output, FileOutput) and size_of(output) == (688, 384)
    judged("replicate", "replicate", "", "makes a picture")


@pytest.mark.parametrize("how", ["url", "base64"])
def test_edits_a_picture(client: replicate.Client, doubles: Doubles, picture: Path, how: Any) -> None:
    """The file goes up through the files API, or inside the request as a data URI."""
    fields = {"prompt": "snow", "image_input": [picture, picture]}
    output = client.run("google/nano-banana-pro", input=fields, file_encoding_strategy=how)
    assert size_of(output) == (2400, 1792)
    [entry] = doubles.request_log()["requests"]
    assert [reference["width"] for reference in entry["references"]] == [40, 40]
    assert {reference["encoding"] for reference in entry["references"]} == {{"base64": "data_uri"}.get(how, how)}
    judged("replicate", "replicate", "", "edits an uploaded picture and one inside the request")


def test_a_file_is_read_back_whole(client: replicate.Client, picture: Path) -> None:
    """With what a client may tell of it, and without a name of its own."""
    named = client.files.create(picture, metadata={"of": "a fox"})
    assert (named.name, named.content_type, named.size) == ("fox.png", "image/png", picture.stat().st_size)
    assert named.metadata == {"of": "a fox"} and named.etag and named.checksums and named.created_at
    nameless = client.files.create(io.BytesIO(picture.read_bytes()))
    assert nameless.content_type == "application/octet-stream" and nameless.urls["get"]
    judged("replicate", "replicate", "", "reads every field of a file")


def test_follows_a_prediction_to_its_end(client: replicate.Client) -> None:
    made = client.models.predictions.create(
        model="google/nano-banana", input={"prompt": "a fox [[sim: steps=2]]"}, wait=False
    )
    states = [made.status]
    while made.status not in ("succeeded", "failed", "canceled"):
        made.reload()
        states.append(made.status)
    assert states == ["starting", "starting", "processing", "succeeded"]
    assert isinstance(made.output, str) and made.version and made.completed_at
    assert made.metrics and made.metrics["predict_time"] > 0


def test_takes_a_starting_prediction_back(client: replicate.Client, doubles: Doubles) -> None:
    made = client.models.predictions.create(
        model="google/nano-banana", input={"prompt": "a fox [[sim: steps=4]]"}, wait=False
    )
    made.cancel()
    assert made.status == "canceled" and made.started_at is None
    assert doubles.request_log()["paid_images"] == 0
    judged("replicate", "replicate", "", "cancels what is starting")


def test_a_refused_content_is_a_failed_prediction(client: replicate.Client) -> None:
    with pytest.raises(ModelError) as failed:
        client.run("google/nano-banana-2", input={"prompt": "x [[sim: refuse]]"}, wait=False)
    assert failed.value.prediction.status == "failed" and "E005" in str(failed.value)


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ({"prompt": "x"}, "real", 401),
        ({"prompt": "x", "resolution": "9K"}, "sim-vendor", 422),
        ({"prompt": "[[sim: status=402]]"}, "sim-vendor", 402),
        ({"prompt": "[[sim: status=429 retry_after=3]]"}, "sim-vendor", 429),
        ({"prompt": "[[sim: status=500]]"}, "sim-vendor", 500),
    ],
)
def test_a_refusal_becomes_the_clients_own_error(doubles: Doubles, body: dict[str, Any], key: str, status: int) -> None:
    with pytest.raises(ReplicateError) as refused:
        at(doubles, key).run("google/nano-banana-2", input=body)
    assert refused.value.status == status and refused.value.title and refused.value.detail
    judged("replicate", "replicate", "", "tells refusals apart")


def test_our_request_is_the_clients_request(client: replicate.Client, doubles: Doubles, picture: Path) -> None:
    """Address, key, content type and body, and that a file goes up as `content`, whose `urls.get` is then the reference."""
    ours = job(
        BUILT_IN["replicate"],
        request("edit", 1, aspect_ratio="16:9", resolution="2K"),
        "nano-banana-2",
        base_url=doubles.base_url("replicate"),
    )
    step, _ = drive(ours, Transport(ours.base_url), "sim-vendor")
    assert isinstance(step, Done)
    [mine] = doubles.request_log()["requests"]
    doubles.reset()
    client.run(ours.model, input={"prompt": ours.prompt, "image_input": [picture], **ours.fields()})
    book = doubles.request_log()
    [theirs] = book["requests"]
    for name in ("method", "route", "query"):
        assert mine[name] == theirs[name], name
    assert set(mine["fields"]) == set(theirs["fields"]) == {"input"}
    assert set(mine["fields"]["input"]) == set(theirs["fields"]["input"])
    for header in ("authorization", "content-type"):
        assert mine["headers"][header].split(";")[0] == theirs["headers"][header].split(";")[0]
    assert [entry["path"] for entry in book["free"] if entry["kind"] == "upload"] == ["/replicate/v1/files"]
    judged("replicate", "replicate", "", "sends the request that we send")
