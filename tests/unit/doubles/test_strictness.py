"""The doubles refuse whatever the documents don't allow, in each API's own words, and bill none of it."""

from __future__ import annotations

import base64
import http.client
import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles
from PIL import Image

BEARER = {"Authorization": "Bearer sim-test"}
HEADERS = {
    "onerouter": BEARER,
    "nanobanana": BEARER,
    "runflow": BEARER,
    "apiframe": {"Authorization": "sim-test"},
    "fal": {"Authorization": "Key sim-test"},
    "replicate": BEARER,
}
OUT = io.BytesIO()
Image.new("RGB", (6, 4), "red").save(OUT, "PNG")
PNG = OUT.getvalue()
URI = "data:image/png;base64," + base64.b64encode(PNG).decode()

GENERATE = ("onerouter", "/v1/images/generations")
EDIT = ("onerouter", "/v1/images/edits")
FRAME = ("apiframe", "/nano-banana-pro")
NANO = ("nanobanana", "/v1/images/generations")
RUN = ("runflow", "/v1/run/google/nano-banana-pro/edit")
RUNS = ("runflow", "/v1/models/google/nano-banana-2/runs")
OFFLINE = ("offline", "/v1/images/generations")
FAL = ("fal", "/fal-ai/nano-banana-2")
FAL_FIRST = ("fal", "/fal-ai/nano-banana")
FAL_EDIT = ("fal", "/fal-ai/nano-banana-pro/edit")
FAL_NEW = ("fal", "/google/nano-banana-2.1")
PREDICT = ("replicate", "/v1/models/google/nano-banana-pro/predictions")
PREDICT_2 = ("replicate", "/v1/models/google/nano-banana-2/predictions")
GOOD: dict[tuple[str, str], dict[str, Any]] = {
    GENERATE: {"model": "google/nano-banana-2-text-to-image", "prompt": "x"},
    EDIT: {"model": "google/nano-banana-pro-image-to-image", "prompt": "x", "image_urls": [URI]},
    FRAME: {"prompt": "x", "images": [URI]},
    NANO: {"model": "nano-banana-2", "prompt": "x"},
    RUN: {"prompt": "x", "image_urls": [URI]},
    RUNS: {"input": {"prompt": "xxx"}},
    OFFLINE: {"model": "offline", "prompt": "x"},
    FAL: {"prompt": "x"},
    FAL_FIRST: {"prompt": "x"},
    FAL_EDIT: {"prompt": "x", "image_urls": [URI]},
    FAL_NEW: {"prompt": "x", "thinking_level": "medium"},
    PREDICT: {"input": {"prompt": "x", "image_input": [URI]}},
    PREDICT_2: {"input": {"prompt": "x", "resolution": "512px", "google_search": True}},
}
BROKEN = "data:image/png;base64," + base64.b64encode(PNG[:-30]).decode()
GONE = object()

WRONG: list[tuple[tuple[str, str], dict[str, Any], int]] = [
    (GENERATE, {"prompt": GONE}, 400),
    (GENERATE, {"prompt": ""}, 400),
    (GENERATE, {"prompt": 5}, 400),
    (GENERATE, {"n": True}, 400),
    (GENERATE, {"n": 1.0}, 400),
    (GENERATE, {"n": 5}, 400),
    (GENERATE, {"n": "1"}, 400),
    (GENERATE, {"seed": "1"}, 400),
    (GENERATE, {"seed": True}, 400),
    (GENERATE, {"safety_tolerance": 4}, 400),
    (GENERATE, {"safety_tolerance": "7"}, 400),
    (GENERATE, {"size": "1:1"}, 400),
    (GENERATE, {"aspect_ratio": "1:8"}, 400),
    (GENERATE, {"aspect_ratio": " 3:2"}, 400),
    (GENERATE, {"resolution": "1k"}, 400),
    (GENERATE, {"output_format": "png"}, 400),
    (GENERATE, {"enable_web_search": 1}, 400),
    (GENERATE, {"image_urls": [URI]}, 400),
    (GENERATE, {"model": "google/nano-banana-2-image-to-image"}, 400),
    (GENERATE, {"model": "google/nano-banana-text-to-image", "resolution": "1K"}, 400),
    (GENERATE, {"model": "google/nano-banana-pro-text-to-image", "resolution": "0.5K"}, 400),
    (GENERATE, {"model": "nano-banana-2"}, 404),
    (EDIT, {"image_urls": GONE}, 400),
    (EDIT, {"image_urls": []}, 400),
    (EDIT, {"image_urls": [URI] * 15}, 400),
    (EDIT, {"image_urls": URI}, 400),
    (EDIT, {"image_urls": [BROKEN]}, 400),
    (EDIT, {"image_urls": [URI.replace("png", "webp")]}, 400),
    (EDIT, {"image_urls": [URI.partition(",")[2]]}, 400),
    (EDIT, {"image_urls": ["http://127.0.0.1:1/x.png"]}, 400),
    (EDIT, {"aspect_ratio": "1:1"}, 400),
    (EDIT, {"seed": 1}, 400),
    (EDIT, {"safety_tolerance": "4"}, 400),
    (EDIT, {"limit_generations": True}, 400),
    (FRAME, {"model": "nano-banana-pro"}, 400),
    (FRAME, {"aspect_ratio": "auto"}, 400),
    (FRAME, {"resolution": "0.5K"}, 400),
    (FRAME, {"images": ["!!!"]}, 400),
    (FRAME, {"n": 1}, 400),
    (NANO, {"aspect_ratio": "auto"}, 400),
    (NANO, {"image": URI}, 400),
    (NANO, {"seed": 1}, 400),
    (NANO, {"model": "nano-banana-hd", "image_size": "4K"}, 400),
    (NANO, {"model": "dall-e-3"}, 503),
    (NANO, {"response_format": "url "}, 400),
    (RUN, {"image_urls": GONE}, 422),
    (RUN, {"image_urls": ["runflow://assets/1"]}, 422),
    (RUN, {"num_images": 0}, 422),
    (RUN, {"model": "x"}, 422),
    (RUN, {"aspect_ratio": "8:1"}, 422),
    (RUN, {"thinking_level": "high"}, 422),
    (RUNS, {"input": {"prompt": "xx"}}, 422),
    (RUNS, {"input": {"prompt": "xxx", "image_urls": [URI]}}, 422),
    (RUNS, {"client_ref": "x" * 256}, 422),
    (RUNS, {"prompt": "x"}, 422),
    (OFFLINE, {"aspect_ratio": "auto"}, 400),
    (OFFLINE, {"seed": -1}, 400),
    (OFFLINE, {"image": [URI]}, 400),
    (OFFLINE, {"model": "nano-banana"}, 400),
    (FAL, {"prompt": GONE}, 422),
    (FAL, {"num_images": 5}, 422),
    (FAL, {"num_images": "1"}, 422),
    (FAL, {"resolution": "512"}, 422),
    (FAL, {"thinking_level": "medium"}, 422),
    (FAL, {"safety_tolerance": 4}, 422),
    (FAL, {"limit_generations": "on"}, 422),
    (FAL, {"output_format": "jpg"}, 422),
    (FAL, {"image_urls": [URI]}, 422),
    (FAL, {"web_search": True}, 422),
    (FAL_FIRST, {"aspect_ratio": "auto"}, 422),
    (FAL_FIRST, {"aspect_ratio": "1:8"}, 422),
    (FAL_FIRST, {"resolution": "1K"}, 422),
    (FAL_FIRST, {"system_prompt": "x"}, 422),
    (FAL_FIRST, {"enable_web_search": True}, 422),
    (FAL_EDIT, {"image_urls": GONE}, 422),
    (FAL_EDIT, {"image_urls": [URI] * 15}, 422),
    (FAL_EDIT, {"image_urls": [BROKEN]}, 422),
    (FAL_EDIT, {"image_urls": ["https://v3.fal.media/x.png"]}, 422),
    (FAL_EDIT, {"thinking_level": "high"}, 422),
    (FAL_EDIT, {"resolution": "0.5K"}, 422),
    (FAL_NEW, {"resolution": "0.5K"}, 422),
    (FAL_NEW, {"thinking_level": "low"}, 422),
    (PREDICT, {"input": GONE}, 422),
    (PREDICT, {"version": "x"}, 422),
    (PREDICT, {"input": {"prompt": ""}}, 422),
    (PREDICT, {"input": {"prompt": "x", "num_outputs": 1}}, 422),
    (PREDICT, {"input": {"prompt": "x", "seed": 1}}, 422),
    (PREDICT, {"input": {"prompt": "x", "resolution": "0.5K"}}, 422),
    (PREDICT, {"input": {"prompt": "x", "aspect_ratio": "auto"}}, 422),
    (PREDICT, {"input": {"prompt": "x", "aspect_ratio": "1:8"}}, 422),
    (PREDICT, {"input": {"prompt": "x", "output_format": "jpeg"}}, 422),
    (PREDICT, {"input": {"prompt": "x", "google_search": True}}, 422),
    (PREDICT, {"input": {"prompt": "x", "safety_filter_level": "4"}}, 422),
    (PREDICT, {"input": {"prompt": "x", "allow_fallback_model": True}}, 422),
    (PREDICT, {"input": {"prompt": "x", "image_input": [URI.partition(",")[2]]}}, 422),
    (PREDICT_2, {"input": {"prompt": "x", "output_resolution": "1K"}}, 422),
    (PREDICT_2, {"input": {"prompt": "x", "safety_filter_level": "block_only_high"}}, 422),
]


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


def post(sim: Doubles, place: tuple[str, str], body: dict[str, Any], **more: Any) -> requests.Response:
    """POST a JSON body with the provider's own kind of key."""
    more.setdefault("headers", HEADERS.get(place[0], {}))
    return requests.post(sim.base_url(place[0]) + place[1], json=body, timeout=30, **more)


def in_its_own_shape(provider: str, answer: requests.Response) -> bool:
    """Whether an error body is the documented one."""
    body = answer.json()
    if provider == "apiframe":
        empty = answer.status_code == 401 or answer.status_code >= 500
        return bool(body == {} if empty else body["errors"][0]["msg"])
    if provider == "runflow":
        return set(body) == {"code", "message", "errors"}
    if provider == "fal":
        listed = isinstance(body["detail"], list) and {"loc", "msg", "type"} <= set(body["detail"][0])
        return listed or isinstance(body["detail"], str)
    if provider == "replicate":
        return {"title", "detail", "status"} <= set(body) and body["status"] == answer.status_code
    return set(body) == {"error"} and set(body["error"]) == {"message", "type", "code"}


@pytest.mark.parametrize("place", list(GOOD), ids=lambda place: "".join(place))
def test_the_samples_themselves_pass(sim: Doubles, place: tuple[str, str]) -> None:
    assert post(sim, place, GOOD[place]).status_code in (200, 201)


@pytest.mark.parametrize(("place", "change", "status"), WRONG, ids=lambda value: None)
def test_refused(sim: Doubles, place: tuple[str, str], change: dict[str, Any], status: int) -> None:
    body = {name: value for name, value in {**GOOD[place], **change}.items() if value is not GONE}
    answer = post(sim, place, body)
    assert answer.status_code == status, answer.text
    assert in_its_own_shape(place[0], answer)
    book = sim.request_log()
    assert book["paid_calls"] == 0 and book["requests"][0]["outcome"] == status


@pytest.mark.parametrize("place", [GENERATE, FRAME, NANO, RUN, RUNS, FAL, PREDICT], ids=lambda place: place[0])
@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer sim-", "Bearer real-key", "bearer sim-x", "Key sim-x", "sim-x", "Bearer sim-x"]
)
def test_keys(sim: Doubles, place: tuple[str, str], value: str) -> None:
    # APIFRAME's pages send the key as it is, its own SDK as Bearer.
    good = {"apiframe": ("sim-x", "Bearer sim-x"), "fal": ("Key sim-x",)}.get(place[0], ("Bearer sim-x",))
    answer = post(sim, place, GOOD[place], headers={"Authorization": value} if value else {})
    assert (answer.status_code == 401) is (value not in good)
    assert answer.ok or in_its_own_shape(place[0], answer)


def test_offline_refuses_a_key(sim: Doubles) -> None:
    assert post(sim, OFFLINE, GOOD[OFFLINE], headers=BEARER).status_code == 400


def test_keys_can_be_left_out_when_asked() -> None:
    with start(keys_required=False) as doubles:
        assert post(doubles, NANO, GOOD[NANO], headers={}).status_code == 200
        assert post(doubles, NANO, GOOD[NANO], headers={"Authorization": "Bearer real"}).status_code == 401


@pytest.mark.parametrize("place", list(GOOD), ids=lambda place: "".join(place))
def test_methods_addresses_queries_and_content_types(sim: Doubles, place: tuple[str, str]) -> None:
    url, headers = sim.base_url(place[0]) + place[1], HEADERS.get(place[0], {})
    for method in ("GET", "DELETE"):
        answer = requests.request(method, url, headers=headers, timeout=30)
        assert answer.status_code == 405 and in_its_own_shape(place[0], answer)
    answer = requests.post(sim.base_url(place[0]) + "/v1/nothing", json={}, headers=headers, timeout=30)
    assert answer.status_code == 404 and in_its_own_shape(place[0], answer)
    answer = requests.post(url + "?ask=x", json=GOOD[place], headers=headers, timeout=30)
    assert answer.status_code in (400, 422) and in_its_own_shape(place[0], answer)
    answer = requests.post(url, data="x=1", headers={**headers, "Content-Type": "text/plain"}, timeout=30)
    assert answer.status_code in (400, 415) and in_its_own_shape(place[0], answer)
    answer = requests.post(url, data="{", headers={**headers, "Content-Type": "application/json"}, timeout=30)
    assert answer.status_code == 400 and in_its_own_shape(place[0], answer)
    twice = '{"prompt":"a","prompt":"b"}'
    answer = requests.post(url, data=twice, headers={**headers, "Content-Type": "application/json"}, timeout=30)
    assert answer.status_code == 400


FORMS: list[tuple[dict[str, str], list[Any]]] = [
    ({"model": "offline", "prompt": "x"}, []),
    ({"model": "offline", "prompt": "x"}, [(name, ("a.png", PNG, "image/png")) for name in ("image", "image[]")]),
    ({"model": "offline", "prompt": "x"}, [("image[0]", ("a.png", PNG, "image/png"))]),
    ({"model": "offline", "prompt": "x"}, [("image", ("a.png", PNG, "application/octet-stream"))]),
    ({"model": "offline", "prompt": "x"}, [("image", ("a.png", PNG, "image/webp"))]),
    ({"model": "offline", "prompt": "x"}, [("image", ("a.png", PNG[:-30], "image/png"))]),
    ({"model": "offline", "prompt": "x"}, [("image", (None, "http://127.0.0.1/x.png"))]),
    ({"model": "offline", "prompt": "x", "seed": "1.0"}, [("image", ("a.png", PNG, "image/png"))]),
    ({"model": "offline", "prompt": "x", "n": "05"}, [("image", ("a.png", PNG, "image/png"))]),
    ({"model": "offline", "prompt": "x", "limit_generations": "1"}, [("image", ("a.png", PNG, "image/png"))]),
    ({"model": "offline", "prompt": "x", "size": "1"}, [("image", ("a.png", PNG, "image/png"))]),
    ({"model": "offline"}, [("image", ("a.png", PNG, "image/png"))]),
]


@pytest.mark.parametrize(("fields", "files"), FORMS, ids=lambda value: None)
def test_edit_forms_refused(sim: Doubles, fields: dict[str, str], files: list[Any]) -> None:
    for provider in ("offline", "nanobanana"):
        fields = {**fields, "model": {"offline": "offline", "nanobanana": "nano-banana"}[provider]}
        url = sim.base_url(provider) + "/v1/images/edits"
        sent: Any = files or [("other", (None, "x"))]
        answer = requests.post(url, data=fields, files=sent, headers=HEADERS.get(provider, {}), timeout=30)
        assert answer.status_code == 400, (provider, answer.text)


def test_an_edit_is_a_form_and_not_json(sim: Doubles) -> None:
    answer = post(sim, ("nanobanana", "/v1/images/edits"), {"model": "nano-banana", "prompt": "x", "image": URI})
    assert answer.status_code == 415


def test_the_ratio_typo_of_the_document(sim: Doubles) -> None:
    body = {**GOOD[GENERATE], "aspect_ratio": "3:2"}
    assert post(sim, GENERATE, body).status_code == 200
    sim.fault("ratio_typo", provider="onerouter")
    answer = post(sim, GENERATE, body)
    assert answer.status_code == 400 and "aspect_ratio" in answer.json()["error"]["message"]
    assert post(sim, GENERATE, {**body, "aspect_ratio": " 3:2"}).status_code == 200


def test_a_body_without_a_length_and_a_foreign_host_are_refused(sim: Doubles) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=30)
    connection.request("POST", "/offline/v1/images/generations", body=iter([b"{}"]), encode_chunked=True)
    assert connection.getresponse().status == 411
    connection.close()
    answer = requests.get(sim.origin + "/_control/providers", headers={"Host": "evil.example"}, timeout=30)
    assert answer.status_code == 421
