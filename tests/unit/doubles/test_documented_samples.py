"""Five of the doubles: each documented sample gets the documented answer."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles
from PIL import Image

BEARER = {"Authorization": "Bearer sim-test"}
RAW = {"Authorization": "sim-test"}


@pytest.fixture(scope="module")
def running() -> Iterator[Doubles]:
    """One server for the whole file."""
    with start() as doubles:
        yield doubles


@pytest.fixture
def sim(running: Doubles) -> Doubles:
    """The doubles with an empty request log."""
    running.reset()
    return running


def picture(form: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB") -> bytes:
    """A small encoded picture."""
    out = io.BytesIO()
    Image.new(mode, size, (200, 90, 20, 128)[: len(mode)]).save(out, form)
    return out.getvalue()


def data_uri(content: bytes, mime: str = "image/png") -> str:
    """The picture as a data URI."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def fetched(url: str) -> Image.Image:
    """A result, decoded."""
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200
    return Image.open(io.BytesIO(answer.content))


def test_onerouter_generation(sim: Doubles) -> None:
    body = {
        "model": "google/nano-banana-2-text-to-image",
        "prompt": "a cat",
        "aspect_ratio": "16:9",
        "resolution": "0.5K",
        "n": 2,
        "output_format": "url",
        "seed": 7,
        "safety_tolerance": "4",
        "limit_generations": True,
        "enable_web_search": False,
    }
    url = sim.base_url("onerouter") + "/v1/images/generations"
    answer = requests.post(url, json=body, headers=BEARER, timeout=30).json()
    assert set(answer) == {"created", "data", "request_id"}
    assert [fetched(entry["url"]).size for entry in answer["data"]] == [(688, 384)] * 2
    book = sim.request_log()
    assert (book["paid_calls"], book["paid_images"], book["cost_usd"]) == (1, 2, 0.16)
    assert book["requests"][0]["fields"] == body


def test_onerouter_edit_in_base64(sim: Doubles) -> None:
    body = {
        "model": "google/nano-banana-pro-image-to-image",
        "prompt": "a cat",
        "image_urls": [data_uri(picture())],
        "size": "auto",
        "output_format": "b64_json",
    }
    answer = requests.post(sim.base_url("onerouter") + "/v1/images/edits", json=body, headers=BEARER, timeout=30).json()
    assert set(answer) == {"created", "data"}
    image = Image.open(io.BytesIO(base64.b64decode(answer["data"][0]["b64_json"])))
    assert image.size == (1264, 848), "auto takes the reference's ratio, 3:2"


def test_a_result_is_a_reference_of_the_next_request(sim: Doubles) -> None:
    base = sim.base_url("onerouter")
    body: dict[str, Any] = {"model": "google/nano-banana-text-to-image", "prompt": "a"}
    url = requests.post(base + "/v1/images/generations", json=body, headers=BEARER, timeout=30).json()["data"][0]["url"]
    body = {"model": "google/nano-banana-image-to-image", "prompt": "b", "image_urls": [url]}
    assert requests.post(base + "/v1/images/edits", json=body, headers=BEARER, timeout=30).status_code == 200
    assert sim.request_log(prompt="b")["requests"][0]["references"][0]["encoding"] == "url"


def test_apiframe_is_finished_at_once_and_2k_by_default(sim: Doubles) -> None:
    body = {"prompt": "a cat", "aspect_ratio": "1:1"}
    answer = requests.post(sim.base_url("apiframe") + "/nano-banana-pro", json=body, headers=RAW, timeout=30).json()
    assert answer["status"] == "finished" and answer["task_type"] == "nano-banana-pro"
    assert fetched(answer["image_urls"][0]).size == (2048, 2048)


@pytest.mark.parametrize("wrap", [data_uri, lambda content: base64.b64encode(content).decode()])
def test_apiframe_takes_data_uris_and_bare_base64(sim: Doubles, wrap: Any) -> None:
    body = {"prompt": "a cat", "images": [wrap(picture())]}
    answer = requests.post(sim.base_url("apiframe") + "/nano-banana", json=body, headers=RAW, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["task_type"] == "nano-banana"


def test_apiframe_task(sim: Doubles) -> None:
    base = sim.base_url("apiframe")
    body = {"prompt": "a cat [[sim: task steps=2]]", "resolution": "1K"}
    started = requests.post(base + "/nano-banana-pro", json=body, headers=RAW, timeout=30).json()
    assert started["status"] == "pending" and "image_urls" not in started
    polls = [
        requests.post(base + "/fetch", json={"task_id": started["task_id"]}, headers=RAW, timeout=30).json()
        for _ in range(3)
    ]
    assert [poll["status"] for poll in polls] == ["staged", "processing", "finished"]
    assert isinstance(polls[0]["percentage"], str)
    assert len(polls[2]["image_urls"]) == 1
    assert [call["kind"] for call in sim.request_log()["free"]] == ["poll"] * 3


def test_nanobanana_generation(sim: Doubles) -> None:
    body = {
        "model": "nano-banana-2",
        "prompt": "a beautiful sunset over mountains",
        "aspect_ratio": "16:9",
        "response_format": "url",
        "image_size": "1K",
        "image": [data_uri(picture()), base64.b64encode(picture("WEBP")).decode()],
    }
    url = sim.base_url("nanobanana") + "/v1/images/generations"
    answer = requests.post(url, json=body, headers=BEARER, timeout=30).json()
    assert fetched(answer["data"][0]["url"]).size == (1376, 768)
    references = sim.request_log()["requests"][0]["references"]
    assert [(r["format"], r["encoding"]) for r in references] == [("PNG", "data_uri"), ("WEBP", "base64")]


def test_nanobanana_edit_form(sim: Doubles) -> None:
    content = picture(mode="RGBA")
    answer = requests.post(
        sim.base_url("nanobanana") + "/v1/images/edits",
        data={"model": "nano-banana", "prompt": "a cat", "response_format": "b64_json"},
        files=[("image", ("a.png", content, "image/png")), ("image", ("b.jpg", picture("JPEG"), "image/jpeg"))],
        headers=BEARER,
        timeout=30,
    )
    image = Image.open(io.BytesIO(base64.b64decode(answer.json()["data"][0]["b64_json"])))
    assert image.size == (1248, 832)
    reference = sim.request_log()["requests"][0]["references"][0]
    pixels = Image.open(io.BytesIO(content)).tobytes()
    assert reference["sha256_pixels"] == hashlib.sha256(pixels).hexdigest()
    assert (reference["width"], reference["height"], reference["mode"]) == (60, 40, "RGBA")


@pytest.mark.parametrize("flat", ["", " flat_task"])
def test_nanobanana_async(sim: Doubles, flat: str) -> None:
    base = sim.base_url("nanobanana") + "/v1/images"
    body = {"model": "nano-banana", "prompt": f"a cat [[sim: steps=1{flat}]]"}
    started = requests.post(base + "/generations?async=true", json=body, headers=BEARER, timeout=30).json()
    assert set(started) == {"task_id"}
    polls = [requests.get(f"{base}/tasks/{started['task_id']}", headers=BEARER, timeout=30).json() for _ in range(2)]
    if flat:
        assert polls[1]["status"] == "SUCCESS" and polls[1]["data"][0]["url"]
    else:
        assert polls[0]["data"]["status"] == "NOT_START"
        assert polls[1]["data"]["status"] == "SUCCESS" and polls[1]["data"]["data"]["data"][0]["url"]


def test_runflow_one_request(sim: Doubles) -> None:
    body = {
        "prompt": "A professional headshot, soft studio lighting",
        "output_format": "webp",
        "image_urls": [data_uri(picture())],
        "num_images": 2,
        "aspect_ratio": "auto",
        "safety_tolerance": "4",
        "seed": 3,
        "sync_mode": False,
    }
    url = sim.base_url("runflow") + "/v1/run/google/nano-banana-pro/edit"
    answer = requests.post(url, json=body, headers=BEARER, timeout=30).json()
    assert [fetched(image["url"]).format for image in answer["images"]] == ["WEBP", "WEBP"]


def test_runflow_sync_mode_is_a_data_uri(sim: Doubles) -> None:
    body = {"prompt": "a cat", "sync_mode": True, "resolution": "0.5K", "aspect_ratio": "8:1"}
    url = sim.base_url("runflow") + "/v1/run/google/nano-banana-2"
    answer = requests.post(url, json=body, headers=BEARER, timeout=30).json()
    head, _, text = answer["images"][0]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(text))).size == (1536, 192)


def test_runflow_runs(sim: Doubles) -> None:
    base = sim.base_url("runflow")
    body = {"input": {"prompt": "a cat"}, "client_ref": "mine", "metadata": {"a": 1}}
    started = requests.post(base + "/v1/models/google/nano-banana-2/runs", json=body, headers=BEARER, timeout=30)
    assert started.status_code == 201
    run = started.json()
    assert run["status_code"] == "queued" and run["client_ref"] == "mine"
    polls = [requests.get(f"{base}/v1/runs/{run['id']}", headers=BEARER, timeout=30).json() for _ in range(2)]
    assert polls[1]["status_code"] == "succeeded" and polls[1]["cost"] == "0.0800"
    assert fetched(polls[1]["output"]["outputs"][0]["url"]).size == (1024, 1024)


def test_runflow_upload(sim: Doubles) -> None:
    base, content = sim.base_url("runflow"), picture("WEBP")
    body: dict[str, Any] = {"filename": "a.webp", "mime_type": "image/webp", "size_bytes": len(content)}
    asset = requests.post(base + "/v1/asset-uploads", json=body, headers=BEARER, timeout=30).json()
    mime = {"Content-Type": "image/webp"}
    refused = requests.put(asset["upload_url"], data=content, headers={**mime, **BEARER}, timeout=30)
    assert refused.status_code == 400
    assert requests.put(asset["upload_url"], data=content, headers=mime, timeout=30).status_code == 200
    confirm = f"{base}/v1/asset-uploads/{asset['asset_id']}/confirmations"
    url = requests.post(confirm, json={"folder_id": None}, headers=BEARER, timeout=30).json()["url"]
    body = {"prompt": "a cat", "image_urls": [url]}
    answer = requests.post(base + "/v1/run/google/nano-banana-pro/edit", json=body, headers=BEARER, timeout=30)
    assert answer.status_code == 200
    assert [call["kind"] for call in sim.request_log()["free"]] == ["upload"] * 4


def test_offline_generation_with_every_option(sim: Doubles) -> None:
    body = {
        "model": "offline",
        "prompt": "a cat",
        "n": 4,
        "aspect_ratio": "1:8",
        "image_size": "0.5K",
        "seed": 2**31 - 1,
        "output_format": "jpeg",
        "safety_tolerance": "6",
        "limit_generations": False,
        "enable_web_search": True,
        "thinking_level": "high",
        "system_prompt": "",
        "response_format": "url",
    }
    url = sim.base_url("offline") + "/v1/images/generations"
    answer = requests.post(url, json=body, timeout=30).json()
    images = [fetched(entry["url"]) for entry in answer["data"]]
    assert [(image.format, image.size) for image in images] == [("JPEG", (192, 1536))] * 4
    assert sim.request_log()["cost_usd"] == 0


def test_offline_edit_form(sim: Doubles) -> None:
    answer = requests.post(
        sim.base_url("offline") + "/v1/images/edits",
        data={"model": "offline", "prompt": "a cat", "seed": "5", "n": "2", "aspect_ratio": "auto"},
        files=[("image", ("a.webp", picture("WEBP"), "image/webp"))],
        timeout=30,
    )
    assert len(answer.json()["data"]) == 2


def test_the_same_seed_draws_the_same_picture(sim: Doubles) -> None:
    url = sim.base_url("offline") + "/v1/images/generations"
    body = {"model": "offline", "prompt": "a", "seed": 4, "image_size": "0.5K", "response_format": "b64_json"}
    first, again = (requests.post(url, json=body, timeout=30).json()["data"][0]["b64_json"] for _ in range(2))
    other = requests.post(url, json={**body, "seed": 5}, timeout=30).json()["data"][0]["b64_json"]
    assert first == again != other


def test_free_routes_for_testing_a_key(sim: Doubles) -> None:
    balance = sim.base_url("runflow") + "/v1/billing/balance"
    assert requests.get(balance, headers=BEARER, timeout=30).status_code == 200
    assert requests.get(balance, headers={"Authorization": "Bearer wrong"}, timeout=30).status_code == 401
    assert requests.get(sim.base_url("runflow") + "/v1/health", timeout=30).status_code == 200
    assert requests.get(sim.base_url("apiframe") + "/account", headers=RAW, timeout=30).status_code == 200
