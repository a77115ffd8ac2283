"""Google's two APIs in the doubles: documented samples pass, all else is refused in Google's own words."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from dialect_driver import drive, job, request, tiny
from pack.core.dialects.base.step import Done
from pack.core.engine import Engine
from pack.core.execution.run import Run
from pack.core.http.transport import Transport
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles
from PIL import Image

KEY, TOKEN = {"x-goog-api-key": "sim-test"}, {"Authorization": "Bearer sim-test"}
OUT = io.BytesIO()
Image.new("RGB", (60, 40), "red").save(OUT, "PNG")
B64 = base64.b64encode(OUT.getvalue()).decode()
PICTURE = {"inlineData": {"mimeType": "image/png", "data": B64}}
SAMPLE: dict[str, Any] = {
    "contents": [{"role": "user", "parts": [{"text": "a cat"}, PICTURE]}],
    "generationConfig": {
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "16:9", "imageSize": "1K"},
        "thinkingConfig": {"thinkingLevel": "high"},
    },
    "tools": [{"googleSearch": {}}],
}
SECOND, FIRST, PRO, LITE = (
    "gemini-3.1-flash-image",
    "gemini-2.5-flash-image",
    "gemini-3-pro-image",
    ("gemini-3.1-flash-lite-image"),
)


@pytest.fixture(scope="module")
def running() -> Iterator[Doubles]:
    """One server for the whole file."""
    with start() as doubles:
        yield doubles


@pytest.fixture
def sim(running: Doubles) -> Doubles:
    """The doubles with an empty request log, drawing small pictures."""
    running.reset()
    running.fault("small")
    return running


def url(sim: Doubles, model: str = SECOND, provider: str = "google") -> str:
    below = "/v1beta" if provider == "google" else "/v1/projects/sim-project/locations/global/publishers/google"
    return f"{sim.base_url(provider)}{below}/models/{model}:generateContent"


def post(sim: Doubles, body: Any, model: str = SECOND, provider: str = "google", **more: Any) -> requests.Response:
    more.setdefault("headers", KEY if provider == "google" else TOKEN)
    return requests.post(url(sim, model, provider), json=body, timeout=30, **more)


def plain(prompt: str = "a cat", **config: Any) -> dict[str, Any]:
    return {
        "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], **config},
    }


@pytest.mark.parametrize("provider", ["google", "vertex"])
def test_the_documented_sample(sim: Doubles, provider: str) -> None:
    """A thought, a draft, the picture with its signature, the page it leaned on; the request log has no picture in it."""
    answer = post(sim, SAMPLE, provider=provider)
    (candidate,) = answer.json()["candidates"]
    parts = candidate["content"]["parts"]
    assert candidate["finishReason"] == "STOP" and [part.get("thought", False) for part in parts] == [True, True, False]
    assert candidate["groundingMetadata"]["groundingChunks"][0]["web"]["uri"].startswith("https://")
    Image.open(io.BytesIO(base64.b64decode(parts[-1]["inlineData"]["data"]))).load()
    (entry,) = sim.request_log()["requests"]
    assert (entry["prompt"], entry["paid"], entry["cost_usd"]) == ("a cat", 1, 0.067)
    assert B64 not in str(entry) and entry["references"][0]["encoding"] == "base64"


def test_the_size_is_that_of_the_table(sim: Doubles) -> None:
    """Asked for, by default, and as the last of several references."""
    sim.clear_faults()

    def size(body: dict[str, Any], model: str = SECOND) -> tuple[int, int]:
        parts = post(sim, body, model).json()["candidates"][0]["content"]["parts"]
        return Image.open(io.BytesIO(base64.b64decode(parts[-1]["inlineData"]["data"]))).size

    assert size(plain(imageConfig={"aspectRatio": "4:1", "imageSize": "512"})) == (1024, 256)
    assert size(plain()) == (1024, 1024)
    body = plain()
    body["contents"][0]["parts"].append(PICTURE)
    assert size(body, FIRST) == (1248, 832)


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """The sample with one value changed, or added."""
    body: dict[str, Any] = copy.deepcopy(SAMPLE)
    node: Any = body
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = to
    return body


PARTS = ("contents", 0, "parts")
CONFIG = "generationConfig"
WRONG: list[tuple[str, dict[str, Any]]] = [
    (SECOND, changed("model", to="x")),
    (SECOND, changed("generation_config", to={})),  # beside generationConfig: the same field in two spellings
    (SECOND, changed("contents", to=[])),
    (SECOND, changed("contents", to=SAMPLE["contents"] * 2)),
    (SECOND, changed("contents", to=[*SAMPLE["contents"], {"role": "model", "parts": [{"text": "a"}]}])),
    (SECOND, changed("contents", 0, "role", to="model")),
    (SECOND, changed(*PARTS, to=[])),
    (SECOND, changed(*PARTS, to=[{"text": ""}])),
    (SECOND, changed(*PARTS, to=[{"text": "a", "thought": False}])),
    (SECOND, changed(*PARTS, to=[{"text": "a"}] + [PICTURE] * 15)),
    (SECOND, changed(*PARTS, 1, "inlineData", to={"mimeType": "image/png", "data": f"data:image/png;base64,{B64}"})),
    (SECOND, changed(*PARTS, 1, "inlineData", to={"mimeType": "image/webp", "data": B64})),
    (SECOND, changed(*PARTS, 1, "inlineData", to={"mimeType": "image/gif", "data": B64})),
    (SECOND, changed(*PARTS, 1, "inlineData", to={"data": B64})),
    (SECOND, changed(*PARTS, 1, "inlineData", to={"mimeType": "image/png", "data": B64[:-40]})),
    (SECOND, changed(CONFIG, "responseModalities", to=["image"])),
    (SECOND, changed(CONFIG, "responseModalities", to=["TEXT"])),
    (SECOND, changed(CONFIG, "candidateCount", to=2)),
    (SECOND, changed(CONFIG, "temperature", to=2.5)),
    (SECOND, changed(CONFIG, "topP", to=True)),
    (SECOND, changed(CONFIG, "thinkingConfig", "includeThoughts", to="true")),
    (SECOND, changed(CONFIG, "responseFormat", to={"image": {}})),
    (SECOND, changed(CONFIG, "seed", to=2**31)),
    (SECOND, changed(CONFIG, "seed", to="1")),
    (SECOND, changed(CONFIG, "imageConfig", "aspectRatio", to="auto")),
    (SECOND, changed(CONFIG, "imageConfig", "imageSize", to="1k")),
    (SECOND, changed(CONFIG, "imageConfig", "imageSize", to="0.5K")),
    (SECOND, changed(CONFIG, "imageConfig", "imageSize", to=512)),
    (SECOND, changed(CONFIG, "imageConfig", "imageOutputOptions", to={"mimeType": "image/png"})),
    (SECOND, changed(CONFIG, "thinkingConfig", "thinkingLevel", to="medium")),
    (SECOND, changed("tools", to=[{"googleSearch": True}])),
    (SECOND, changed("tools", to={"googleSearch": {}})),
    (SECOND, changed("systemInstruction", to="Be brief.")),
    (SECOND, changed("systemInstruction", to={"parts": [PICTURE]})),
    (SECOND, changed("safetySettings", to=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "4"}])),
    (SECOND, changed("safetySettings", to=[{"category": "HARASSMENT", "threshold": "OFF"}])),
    (SECOND, changed("safetySettings", to=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}] * 2)),
    (PRO, plain(imageConfig={"imageSize": "512"})),
    (PRO, plain(imageConfig={"aspectRatio": "8:1"})),
    (PRO, plain(thinkingConfig={"thinkingLevel": "high"})),
    (FIRST, plain(imageConfig={"imageSize": "1K"})),
    (FIRST, plain(thinkingConfig={"includeThoughts": True})),
    (FIRST, {**plain(), "systemInstruction": {"parts": [{"text": "x"}]}}),
    (LITE, plain(imageConfig={"imageSize": "1K"})),
    (LITE, {**plain(), "tools": [{"googleSearch": {}}]}),
]


@pytest.mark.parametrize(("model", "body"), WRONG, ids=lambda value: None)
def test_refused(sim: Doubles, model: str, body: dict[str, Any]) -> None:
    """A 400 in Google's shape that is billed to nobody."""
    answer = post(sim, body, model)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "status"}
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT" and sim.request_log()["paid_calls"] == 0


def test_the_json_of_protocol_buffers(sim: Doubles) -> None:
    """Snake case, the URL-safe alphabet without padding, capitals: the vendor's own client sends them."""
    inline = {"mime_type": "image/png", "data": base64.urlsafe_b64encode(OUT.getvalue()).decode().rstrip("=")}
    body = {
        "contents": [{"parts": [{"text": "a"}, {"inline_data": inline}, {"text": "cat"}]}],
        "generation_config": {"thinking_config": {"thinking_level": "HIGH", "include_thoughts": False}},
        "system_instruction": {"role": "user", "parts": [{"text": "Be brief."}]},
    }
    (candidate,) = post(sim, body).json()["candidates"]
    assert [next(iter(part)) for part in candidate["content"]["parts"]] == ["text", "inlineData"]
    (entry,) = sim.request_log()["requests"]
    assert (entry["prompt"], len(entry["references"])) == ("a", 1) and inline["data"] not in str(entry)


def test_a_conversation_needs_its_signatures_back(sim: Doubles) -> None:
    """The first picture is a reference of the second turn; without its own signature the thinking model refuses."""
    first = post(sim, plain("one"), PRO).json()["candidates"][0]["content"]
    again = plain("one")
    again["contents"] += [first, {"role": "user", "parts": [{"text": "two"}]}]
    assert post(sim, again, PRO).status_code == 200
    entry = sim.request_log()["requests"][-1]
    assert (entry["prompt"], len(entry["references"])) == ("two", 1)
    mine = first["parts"][-1]["thoughtSignature"]
    other = post(sim, plain("three"), PRO).json()["candidates"][0]["content"]["parts"][-1]["thoughtSignature"]
    for altered in (other, mine[:-8] + "AAAAAAA=", "c2tpcA=="):
        first["parts"][-1]["thoughtSignature"] = altered
        refused = post(sim, again, PRO)
        assert refused.status_code == 400 and "invalid thought signature" in refused.json()["error"]["message"]
    del first["parts"][-1]["thoughtSignature"]
    refused = post(sim, again, PRO)
    assert refused.status_code == 400 and "missing a thought_signature" in refused.json()["error"]["message"]


def test_what_only_vertex_takes(sim: Doubles) -> None:
    """The file format; and no project means no address."""
    body = changed(CONFIG, "imageConfig", "imageOutputOptions", to={"mimeType": "image/jpeg"})
    part = post(sim, body, provider="vertex").json()["candidates"][0]["content"]["parts"][-1]
    assert part["inlineData"]["mimeType"] == "image/jpeg"
    lost = url(sim, provider="vertex").replace("sim-project", "")
    assert requests.post(lost, json=SAMPLE, headers=TOKEN, timeout=30).status_code == 404


def test_a_request_of_more_than_20_mb_is_refused(sim: Doubles) -> None:
    """The reason why uploads exist."""
    body = plain("x" * 20_000_000)
    assert "payload size" in post(sim, body).json()["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 403, ""),
        ({"x-goog-api-key": "AIza-real"}, 400, "API_KEY_INVALID"),
        ({"Authorization": "Bearer sim-test"}, 403, ""),
        ({"x-goog-api-key": "Bearer sim-test"}, 400, "API_KEY_INVALID"),
    ],
)
def test_keys(sim: Doubles, headers: dict[str, str], status: int, reason: str) -> None:
    """A missing one and a wrong one are told apart; neither is a 401."""
    answer = post(sim, SAMPLE, headers=headers)
    details = answer.json()["error"].get("details", [{}])
    assert (answer.status_code, details[0].get("reason", "")) == (status, reason)


def test_a_key_in_the_address_is_refused(sim: Doubles) -> None:
    """Where every log would have it."""
    assert requests.post(url(sim) + "?key=sim-test", json=SAMPLE, timeout=30).status_code in (400, 403)
    models = sim.base_url("google") + "/v1beta/models?pageSize=1"
    assert requests.get(models, headers=KEY, timeout=30).status_code == 200


# ----------------------------------------------------------------------------------- with the dialect, end to end


def test_uploads_end_to_end(sim: Doubles) -> None:
    """Two free requests for each reference, without the key where the bytes go; exactly these pixels arrive."""
    spec = replace(BUILT_IN["google"], upload_above=10)
    base = sim.base_url("google")
    work = job(spec, request("edit", 2, prompt="uploaded"), base_url=base)
    end, paid = drive(work, Transport(base), "sim-test")
    assert isinstance(end, Done) and paid == 1
    book = sim.request_log()
    assert [(call["kind"], call["authorization"]) for call in book["free"]] == [("upload", "raw"), ("upload", "")] * 2
    wanted = [hashlib.sha256(tiny(number)._load().tobytes()).hexdigest() for number in range(2)]
    assert [found["sha256_pixels"] for found in book["requests"][0]["references"]] == wanted


SPECS = {**BUILT_IN, "google": replace(BUILT_IN["google"], upload_above=1000)}


def run(sim: Doubles, folder: Path, asked: Any, model: str = "recommended") -> Run:
    environ = {"GEMINI_API_KEY": "sim-run", "NANO_BANANA_GOOGLE_BASE_URL": sim.base_url("google") + "/v1beta"}
    engine = Engine(folder, specs=SPECS, environ=environ)
    made = engine.run([asked], engine.plan(ProviderChoice("google", model), [asked]))
    assert made.done.wait(30), "the run didn't end"
    return made


def test_several_pictures_are_several_requests(sim: Doubles, tmp_path: Path) -> None:
    """There is no count; each has a seed of its own. A reference that is too large goes as a file in all of them."""
    asked = replace(request("edit", 0, prompt="three"), references=(tiny(1, 60, 60),), num_images=3)
    made = run(sim, tmp_path, asked)
    assert all(result.result for result in made.tasks), [str(result.error) for result in made.tasks]
    book = sim.request_log("three")
    assert {r["encoding"] for entry in book["requests"] for r in entry["references"]} == {"url"}
    assert book["paid_calls"] == 3 and len({entry["fields"][CONFIG]["seed"] for entry in book["requests"]}) == 3
    assert made.report.usd == pytest.approx(3 * 0.0336)


@pytest.mark.parametrize(
    ("words", "kind", "charged", "message"),
    [
        ("refuse", "content", "maybe", "held the picture back"),
        ("refuse reason=IMAGE_RECITATION", "content", "maybe", "too close to an existing one"),
        ("refuse reason=block:PROHIBITED_CONTENT", "content", "maybe", "never works on"),
        ("refuse=200", "content", "maybe", "content policy"),
        ("empty", "empty", "maybe", "made no picture"),
        ("status=400", "invalid", "no", "not valid"),
        ("status=401", "key", "no", "GEMINI_API_KEY"),
        ("status=402", "quota", "no", "no free tier"),
        ("status=403", "key", "no", "denied access"),
        ("status=404", "model", "no", "does not know this model"),
        ("status=429 retry_after=3600", "rate", "no", "3600 seconds"),
        ("status=451", "region", "no", "where this machine is"),
        ("status=500 paid", "server", "maybe", "the fault is on its side"),
        ("broken_json", "unreadable", "maybe", "not the API's JSON"),
        ("drop=headers", "network", "maybe", "no answer came back"),
    ],
)
def test_every_way_to_fail(sim: Doubles, tmp_path: Path, words: str, kind: str, charged: str, message: str) -> None:
    """Asked once, told in plain words, with what it cost."""
    made = run(sim, tmp_path, request(prompt=f"fails [[sim: {words}]]"))
    (error,) = [result.error for result in made.report.failed]
    assert error is not None and (error.kind, error.charged) == (kind, charged), str(error)
    assert message in str(error) and len(sim.request_log("fails")["requests"]) == 1


@pytest.mark.parametrize("words", ["status=429 retry_after=0 times=1", "status=503 times=1"])
def test_a_refusal_before_work_is_sent_again(sim: Doubles, tmp_path: Path, words: str) -> None:
    """And paid once."""
    made = run(sim, tmp_path, request(prompt=f"again [[sim: {words}]]"))
    assert made.tasks[0].result and made.report.requests[0]["attempts"] == 2
    assert sim.request_log("again")["paid_calls"] == 1


@pytest.mark.parametrize("words", ["b64twice", "datauri", "url", "gzip", "bom", "trailing", "as=jpeg", "more"])
def test_every_way_to_wrap_a_picture(sim: Doubles, tmp_path: Path, words: str) -> None:
    """As resellers of this API do."""
    made = run(sim, tmp_path, request(prompt=f"wrapped [[sim: {words}]]"))
    assert made.tasks[0].result, str(made.tasks[0].error)
