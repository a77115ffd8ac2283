"""The doubles of OpenRouter, kie.ai, APIFRAME v2 and WaveSpeed: their samples pass, everything else is refused unbilled."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles
from PIL import Image

BEARER = {"Authorization": "Bearer sim-test"}
X_KEY = {"X-API-Key": "sim-test"}
OUT = io.BytesIO()
Image.new("RGB", (6, 4), "red").save(OUT, "PNG")
PNG = OUT.getvalue()
URI = "data:image/png;base64," + base64.b64encode(PNG).decode()
GONE = object()

Place = tuple[str, str]
CHAT: Place = ("openrouter", "/v1/chat/completions")
IMAGES: Place = ("openrouter", "/v1/images")
KIE: Place = ("kie", "/api/v1/jobs/createTask")
FRAME: Place = ("apiframe_v2", "/v2/images/generate")
WAVE: Place = ("wavespeed", "/api/v3/google/nano-banana-2/text-to-image")
WAVE_EDIT: Place = ("wavespeed", "/api/v3/google/nano-banana-pro/edit")
UPLOADS = {
    "kie": ("/api/file-stream-upload", {"uploadPath": "a", "fileName": "x.png"}),
    "apiframe_v2": ("/v2/uploads", {}),
    "wavespeed": ("/api/v3/media/upload/binary", {}),
}
PICTURE = {"type": "image_url", "image_url": {"url": URI}}


def message(*parts: object) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "x"}, *parts]}]


PRO = "google/gemini-3-pro-image"
GOOD: dict[Place, dict[str, Any]] = {
    CHAT: {
        "model": PRO,
        "messages": message(PICTURE),
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "16:9", "image_size": "2K"},
    },
    IMAGES: {"model": PRO, "prompt": "x", "resolution": "4K", "input_references": [PICTURE]},
    KIE: {"model": "nano-banana-2", "input": {"prompt": "x", "aspect_ratio": "auto", "output_format": "jpg"}},
    FRAME: {
        "model": "nano-banana-2",
        "prompt": "x",
        "nanoBananaParams": {"resolution": "512px", "aspect_ratio": "4:5"},
    },
    WAVE: {"prompt": "x", "aspect_ratio": "8:1", "resolution": "2k", "enable_web_search": True},
}
WRONG: list[tuple[Place, dict[str, Any]]] = [
    (CHAT, {"model": "google/gemini-3-pro-image-preview"}),
    (CHAT, {"model": GONE}),
    (CHAT, {"messages": "x"}),
    (CHAT, {"messages": []}),
    (CHAT, {"messages": message(PICTURE) * 2}),
    (CHAT, {"messages": [{"role": "system", "content": [{"type": "text", "text": "x"}]}]}),
    (CHAT, {"messages": message({"type": "image_url", "image_url": URI})}),
    (CHAT, {"messages": message({"type": "image_url", "image_url": {"url": "not a picture"}})}),
    (CHAT, {"messages": message(*[PICTURE] * 15)}),
    (CHAT, {"modalities": GONE}),
    (CHAT, {"modalities": ["image"]}),
    (CHAT, {"image_config": {"image_size": "2k"}}),
    (CHAT, {"image_config": {"resolution": "2K"}}),
    (CHAT, {"image_config": {"aspect_ratio": "1:8"}}),
    (CHAT, {"model": "google/gemini-2.5-flash-image", "image_config": {"image_size": "1K"}}),
    (CHAT, {"n": 1}),
    (IMAGES, {"prompt": " "}),
    (IMAGES, {"n": 2}),
    (IMAGES, {"image_size": "2K"}),
    (IMAGES, {"input_references": [URI]}),
    (IMAGES, {"input_references": [{"type": "image", "image_url": {"url": URI}}]}),
    (KIE, {"model": "google/nano-banana-2"}),
    (KIE, {"prompt": "x"}),
    (KIE, {"input": {"aspect_ratio": "1:1"}}),
    (KIE, {"input": {"prompt": "x", "image_size": "1:1"}}),
    (KIE, {"input": {"prompt": "x", "resolution": "0.5K"}}),
    (KIE, {"input": {"prompt": "x", "output_format": "jpeg"}}),
    (KIE, {"input": {"prompt": "x", "image_input": [URI]}}),
    (KIE, {"input": {"prompt": "x", "image_input": ["http://127.0.0.1:1/x.png"] * 15}}),
    (KIE, {"input": {"prompt": "x", "image_urls": []}}),
    (KIE, {"model": "google/nano-banana-edit", "input": {"prompt": "x"}}),
    (KIE, {"model": "google/nano-banana", "input": {"prompt": "x", "aspect_ratio": "1:8"}}),
    (KIE, {"model": "google/nano-banana", "input": {"prompt": "x" * 5001}}),
    (KIE, {"model": "nano-banana-2-lite", "input": {"prompt": "x", "resolution": "1K"}}),
    (FRAME, {"model": "flux-pro"}),
    (FRAME, {"prompt": "x" * 2001}),
    (FRAME, {"seed": 1}),
    (FRAME, {"nanoBananaParams": {"seed": 1}}),
    (FRAME, {"nanoBananaParams": {"resolution": "0.5K"}}),
    (FRAME, {"nanoBananaParams": {"output_format": "jpeg"}}),
    (FRAME, {"nanoBananaParams": {"google_search": "true"}}),
    (FRAME, {"nanoBananaParams": {"image_input": [URI]}}),
    (FRAME, {"nanoBananaParams": {"image_input": ["http://127.0.0.1:1/x.png"]}}),
    (FRAME, {"model": "nano-banana-pro"}),
    (WAVE, {"resolution": "2K"}),
    (WAVE, {"aspect_ratio": "auto"}),
    (WAVE, {"output_format": "webp"}),
    (WAVE, {"images": [URI]}),
    (WAVE, {"model": "nano-banana-2"}),
    (WAVE, {"enable_web_search": 1}),
    (WAVE_EDIT, {"prompt": "x"}),
    (WAVE_EDIT, {"prompt": "x", "images": []}),
    (WAVE_EDIT, {"prompt": "x", "images": [URI]}),
    (("wavespeed", "/api/v3/google/nano-banana-9/edit"), {"prompt": "x"}),
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


def headers(provider: str) -> dict[str, str]:
    return X_KEY if provider == "apiframe_v2" else BEARER


def post(sim: Doubles, place: Place, body: dict[str, Any], **more: str) -> requests.Response:
    """POST a JSON body with the provider's own kind of key."""
    given = {**headers(place[0]), **more}
    return requests.post(sim.base_url(place[0]) + place[1], json=body, headers=given, timeout=30)


def status_of(answer: requests.Response) -> int:
    """The status, or the code that is in its place."""
    code = answer.json().get("code")
    return code if answer.status_code == 200 and isinstance(code, int) else answer.status_code


def in_its_own_shape(provider: str, answer: requests.Response) -> bool:
    """Whether an error body is the documented one."""
    body = answer.json()
    if provider == "openrouter":
        return set(body) == {"error"} and {"message", "code"} <= set(body["error"])
    if provider == "kie":
        return set(body) == {"code", "msg", "data"} and bool(body["msg"])
    if provider == "apiframe_v2":
        return isinstance(body["error"], str) and set(body) <= {
            "error",
            "details",
            "creditsRequired",
            "creditsAvailable",
        }
    return set(body) == {"code", "message"} and body["code"] == answer.status_code


@pytest.mark.parametrize("place", list(GOOD), ids="".join)
def test_the_samples_themselves_pass(sim: Doubles, place: Place) -> None:
    assert status_of(post(sim, place, GOOD[place])) in (200, 202) and sim.request_log()["paid_calls"] == 1


@pytest.mark.parametrize(("place", "change"), WRONG, ids=lambda value: None)
def test_refused(sim: Doubles, place: Place, change: dict[str, Any]) -> None:
    """In its own words, and billed nothing."""
    base = GOOD.get(place, {})
    body = {name: value for name, value in {**base, **change}.items() if value is not GONE}
    answer = post(sim, place, body)
    assert status_of(answer) in (400, 404, 422), answer.text
    assert in_its_own_shape(place[0], answer)
    assert sim.request_log()["paid_calls"] == 0 and len(sim.request_log()["requests"]) == 1


@pytest.mark.parametrize("place", list(GOOD), ids="".join)
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": "Bearer real-key"},
        {"Authorization": "sim-x"},
        {"Authorization": "Bearer sim-x"},
        {"X-API-Key": "sim-x"},
        {"X-API-Key": "Bearer sim-x"},
    ],
)
def test_keys(sim: Doubles, place: Place, given: dict[str, str]) -> None:
    """Each at its own header in its own form."""
    good = {"X-API-Key": "sim-x"} if place[0] == "apiframe_v2" else {"Authorization": "Bearer sim-x"}
    answer = requests.post(sim.base_url(place[0]) + place[1], json=GOOD[place], headers=given, timeout=30)
    assert (status_of(answer) == 401) == (given != good)
    assert given == good or in_its_own_shape(place[0], answer)


@pytest.mark.parametrize("provider", list(UPLOADS))
def test_uploads_take_one_complete_picture(sim: Doubles, provider: str) -> None:
    """Answered with an address under which it is; a wrong field, no file, half a file and no key are refused."""
    path, fields = UPLOADS[provider]
    url = sim.base_url(provider) + path

    def upload(name: str, content: bytes, more: dict[str, str], **given: str) -> requests.Response:
        files = {name: ("x.png", content, "image/png")}
        return requests.post(url, files=files, data=more, headers=given or headers(provider), timeout=30)

    answer = upload("file", PNG, fields)
    found = [item for item in json.dumps(answer.json()).split('"') if item.startswith("http")]
    assert len(found) == 1 and requests.get(found[0], timeout=30).content == PNG
    for wrong in (
        upload("image", PNG, fields),
        upload("file", PNG[:-30], fields),
        upload("file", PNG, {**fields, "other": "1"}),
        upload("file", PNG, fields, Authorization="Bearer other"),
    ):
        assert status_of(wrong) in (400, 401, 422) and in_its_own_shape(provider, wrong)


def test_two_uploads_of_one_name_overwrite_each_other_at_kie(sim: Doubles) -> None:
    """As they do there: a client that names them all alike would be found out."""
    path, fields = UPLOADS["kie"]
    other = io.BytesIO()
    Image.new("RGB", (9, 9), "blue").save(other, "PNG")
    urls = [
        requests.post(
            sim.base_url("kie") + path,
            files={"file": ("x.png", content, "image/png")},
            data=fields,
            headers=BEARER,
            timeout=30,
        ).json()["data"]["downloadUrl"]
        for content in (PNG, other.getvalue())
    ]
    assert urls[0] == urls[1] and requests.get(urls[0], timeout=30).content == other.getvalue()


def test_an_idempotency_key_is_one_job(sim: Doubles) -> None:
    """The same twice: the same job, one bill, the state that it has reached. Another body: 409. Another key: another job."""
    first = post(sim, FRAME, GOOD[FRAME], **{"Idempotency-Key": "k1"})
    job = first.json()["jobId"]
    url = f"{sim.base_url('apiframe_v2')}/v2/jobs/{job}"
    seen = [requests.get(url, headers=X_KEY, timeout=30).json()["status"] for _ in range(2)]
    assert seen == ["QUEUED", "COMPLETED"]
    again = post(sim, FRAME, GOOD[FRAME], **{"Idempotency-Key": "k1"})
    assert first.status_code == again.status_code == 202
    assert again.json() == {"jobId": job, "status": "COMPLETED"}
    clash = post(sim, FRAME, {**GOOD[FRAME], "prompt": "y"}, **{"Idempotency-Key": "k1"})
    assert clash.status_code == 409 and in_its_own_shape("apiframe_v2", clash)
    assert sim.request_log()["paid_calls"] == 1
    assert post(sim, FRAME, GOOD[FRAME], **{"Idempotency-Key": "k2"}).json()["jobId"] != job
    assert post(sim, FRAME, GOOD[FRAME], **{"Idempotency-Key": "k" * 256}).status_code == 400
    assert sim.request_log()["paid_calls"] == 2


def test_openrouter_answers_each_variant_in_its_own_shape(sim: Doubles) -> None:
    """Data URIs in the message, base64 in `data`; both say what they cost."""
    chat = post(sim, CHAT, GOOD[CHAT]).json()
    assert chat["choices"][0]["message"]["images"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    images = post(sim, IMAGES, GOOD[IMAGES]).json()
    picture = Image.open(io.BytesIO(base64.b64decode(images["data"][0]["b64_json"])))
    assert picture.size == (5056, 3392), "4K in the ratio of the reference"
    assert chat["usage"]["cost"] == images["usage"]["cost"] == 0.134


def test_a_moderated_prompt_at_openrouter_says_why(sim: Doubles) -> None:
    """403 with the reasons."""
    answer = post(sim, IMAGES, {"model": PRO, "prompt": "x [[sim: refuse]]"})
    assert answer.status_code == 403 and answer.json()["error"]["metadata"]["reasons"]


def test_the_prompt_of_a_chat_is_in_the_request_log_and_its_pictures_are_not(sim: Doubles) -> None:
    """Found by its directive like any other."""
    post(sim, CHAT, GOOD[CHAT])
    (entry,) = sim.request_log("x", "openrouter")["requests"]
    assert entry["references"][0]["encoding"] == "data_uri" and URI not in json.dumps(entry)
