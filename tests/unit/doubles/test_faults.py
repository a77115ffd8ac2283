"""Every way the doubles can misbehave does what its option says, and bills what it says."""

from __future__ import annotations

import base64
import gzip
import http.client
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pack.tests.doubles import start
from pack.tests.doubles.faults import STATUSES, UnknownFault, parse_fault, split_prompt
from pack.tests.doubles.server import Doubles
from PIL import Image

BEARER = {"Authorization": "Bearer sim-test"}
PLACES = {
    "onerouter": ("/v1/images/generations", {"model": "google/nano-banana-2-text-to-image", "resolution": "0.5K"}),
    "apiframe": ("/nano-banana-pro", {"resolution": "1K"}),
    "nanobanana": ("/v1/images/generations", {"model": "nano-banana"}),
    "runflow": ("/v1/run/google/nano-banana-2", {"resolution": "0.5K"}),
    "offline": ("/v1/images/generations", {"model": "offline", "image_size": "0.5K"}),
}
HEADERS = {"onerouter": BEARER, "nanobanana": BEARER, "runflow": BEARER, "apiframe": {"Authorization": "sim-test"}}
OUT = io.BytesIO()
Image.effect_noise((400, 400), 90).convert("RGB").save(OUT, "PNG")
LARGE = OUT.getvalue()


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


def ask(sim: Doubles, words: str, provider: str = "offline", **fields: Any) -> requests.Response:
    """One generation whose prompt carries the fault's options."""
    path, body = PLACES[provider]
    prompt = f"a cat [[sim: {words}]]" if words else "a cat"
    return requests.post(
        sim.base_url(provider) + path,
        json={"prompt": prompt, **body, **fields},
        headers=HEADERS.get(provider, {}),
        timeout=30,
        allow_redirects=False,
    )


def first_url(answer: requests.Response) -> str:
    """The address of the first result of the offline API."""
    return str(answer.json()["data"][0]["url"])


def paid(sim: Doubles) -> int:
    """How many pictures would have been billed."""
    return int(sim.request_log()["paid_images"])


@pytest.mark.parametrize("provider", list(PLACES))
@pytest.mark.parametrize("status", STATUSES)
def test_status(sim: Doubles, provider: str, status: int) -> None:
    answer = ask(sim, f"status={status} retry_after=soon", provider)
    expected = 403 if (provider, status) == ("nanobanana", 402) else status
    assert answer.status_code == expected
    assert answer.headers["Retry-After"] == "soon"
    assert isinstance(answer.json(), dict)
    assert paid(sim) == 0


def test_an_empty_balance_in_each_api_s_words(sim: Doubles) -> None:
    assert ask(sim, "status=402", "nanobanana").json()["error"]["code"] == "insufficient_user_quota"
    assert ask(sim, "status=402", "runflow").json()["code"] == "INSUFFICIENT_CREDIT"
    assert ask(sim, "status=402", "onerouter").json()["error"]["code"] == "insufficient_balance"
    assert ask(sim, "status=401", "apiframe").json() == {}


def test_paid_failures_are_billed(sim: Doubles) -> None:
    assert ask(sim, "status=500 paid", n=2).status_code == 500
    assert paid(sim) == 2


def test_times_counts_per_prompt_text(sim: Doubles) -> None:
    assert [ask(sim, "status=503 times=2").status_code for _ in range(3)] == [503, 503, 200]
    assert ask(sim, "status=503  times=2").status_code == 503, "another text, another count"


def test_retry_after_as_a_date(sim: Doubles) -> None:
    assert ask(sim, "status=429 retry_after=date+5").headers["Retry-After"].endswith("GMT")


@pytest.mark.parametrize("provider", list(PLACES))
@pytest.mark.parametrize("words", ["statsu=429", "status=418", "slow=x", "empty=1", "drop=later"])
def test_unknown_options_are_an_error_that_names_them(sim: Doubles, provider: str, words: str) -> None:
    answer = ask(sim, words, provider)
    assert answer.status_code == 400
    assert words.partition("=")[0] in answer.text
    with pytest.raises(UnknownFault):
        parse_fault(words)


def test_the_directive_is_taken_out_of_the_prompt() -> None:
    assert split_prompt("a [[sim: status=429]] cat [[sim: paid]]") == ("a cat", "status=429 paid")


@pytest.mark.parametrize("provider", list(PLACES))
def test_refusals(sim: Doubles, provider: str) -> None:
    answer = ask(sim, "refuse", provider)
    assert answer.status_code in (400, 403, 422) and "content policy" in answer.text
    answer = ask(sim, "refuse=200", provider)
    assert answer.status_code == 200 and "http://" not in answer.text
    assert paid(sim) == 0


def test_a_run_that_is_refused_fails_when_polled(sim: Doubles) -> None:
    base = sim.base_url("runflow")
    body = {"input": {"prompt": "a cat [[sim: refuse]]"}}
    run = requests.post(base + "/v1/models/google/nano-banana-2/runs", json=body, headers=BEARER, timeout=30).json()
    polled = requests.get(f"{base}/v1/runs/{run['id']}", headers=BEARER, timeout=30).json()
    assert polled["status_code"] == "failed" and polled["failure_code"] == "CONTENT_POLICY_VIOLATION"


def test_bodies_that_are_not_the_answer(sim: Doubles) -> None:
    assert ask(sim, "empty").json()["data"] == []
    assert ask(sim, "html").headers["Content-Type"] == "text/html"
    page = ask(sim, "html status=502")
    assert page.status_code == 502 and "nginx" in page.text
    with pytest.raises(ValueError):
        ask(sim, "broken_json").json()
    trailing = ask(sim, "trailing").content
    assert json.JSONDecoder().raw_decode(trailing.decode())[0]["data"]
    with pytest.raises(ValueError):
        json.loads(trailing)
    assert ask(sim, "bom").content.startswith(b"\xef\xbb\xbf{")


def test_redirects(sim: Doubles) -> None:
    answer = ask(sim, "redirect=http://127.0.0.1:9/x")
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://127.0.0.1:9/x")
    assert paid(sim) == 0
    url = first_url(ask(sim, "redirect_file=http://127.0.0.1:9/y"))
    assert requests.get(url, timeout=30, allow_redirects=False).headers["Location"] == "http://127.0.0.1:9/y"
    assert first_url(ask(sim, "url=http://10.0.0.1/x.png")) == "http://10.0.0.1/x.png"


def test_gzip(sim: Doubles) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=30)
    body = json.dumps({"model": "offline", "prompt": "x [[sim: gzip]]"})
    connection.request("POST", "/offline/v1/images/generations", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.getheader("Content-Encoding") == "gzip"
    assert json.loads(gzip.decompress(answer.read()))["data"]
    connection.close()


@pytest.mark.parametrize(("words", "billed"), [("drop=upload", 0), ("drop=connect", 0), ("drop=headers", 1)])
@pytest.mark.parametrize("reset", ["", " reset"])
def test_dropped_before_an_answer(sim: Doubles, words: str, billed: int, reset: str) -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        ask(sim, words + reset)
    assert sim.wait(prompt="" if "connect" in words else "a cat", state="answered")
    assert paid(sim) == billed
    assert sim.request_log()["requests"][0]["outcome"] == words


def test_an_upload_is_cut_while_it_is_coming_in(sim: Doubles) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=30)
    connection.putrequest("POST", "/offline/v1/images/generations")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(50_000_000))
    connection.endheaders()
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        connection.send(b'{"model":"offline","prompt":"a [[sim: drop=upload]] cat","x":"')
        for _ in range(50):
            connection.send(b"x" * 1_000_000)
        connection.getresponse()
    connection.close()
    assert sim.wait(state="answered")
    record = sim.request_log()["requests"][0]
    assert record["outcome"] == "drop=upload" and record["finished_upload_at"] is None


def test_a_drop_in_the_body_is_billed(sim: Doubles) -> None:
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        ask(sim, "drop=body", response_format="b64_json")
    assert paid(sim) == 1


def test_a_connection_closed_without_notice(sim: Doubles) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=30)
    body = json.dumps({"model": "offline", "prompt": "x [[sim: keepalive_close]]"})
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/offline/v1/images/generations", body, headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.getheader("Connection") is None
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        connection.request("POST", "/offline/v1/images/generations", body, headers)
        connection.getresponse()
    connection.close()


def test_slowness_is_waited_out(sim: Doubles) -> None:
    begun = time.monotonic()
    assert ask(sim, "slow=0.08").ok
    assert ask(sim, "slow_body=0.08").ok
    assert time.monotonic() - begun >= 0.15


def test_closing_ends_a_slow_answer() -> None:
    doubles = start()
    connection = http.client.HTTPConnection("127.0.0.1", doubles.port, timeout=30)
    body = json.dumps({"model": "offline", "prompt": "x [[sim: slow=60]]"})
    connection.request("POST", "/offline/v1/images/generations", body, {"Content-Type": "application/json"})
    assert doubles.wait(prompt="x")
    begun = time.monotonic()
    doubles.close()
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        connection.getresponse()
    connection.close()
    assert time.monotonic() - begun < 20


def test_files_cut_short(sim: Doubles) -> None:
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        requests.get(first_url(ask(sim, "truncate")), timeout=30)
    answer = requests.get(first_url(ask(sim, "short")), timeout=30)
    assert len(answer.content) == int(answer.headers["Content-Length"])
    with pytest.raises(OSError):
        Image.open(io.BytesIO(answer.content)).load()


def test_files_that_are_no_pictures(sim: Doubles) -> None:
    assert requests.get(first_url(ask(sim, "type=text/html")), timeout=30).headers["Content-Type"] == "text/html"
    assert b"<html>" in requests.get(first_url(ask(sim, "notimage")), timeout=30).content
    with requests.get(first_url(ask(sim, "huge=9000000")), timeout=30, stream=True) as answer:
        assert answer.headers["Content-Length"] == "9000000"
        assert next(answer.iter_content(1000)) == bytes(1000)


def test_files_that_come_later(sim: Doubles) -> None:
    url = first_url(ask(sim, "file_status=503 times=2"))
    assert [requests.get(url, timeout=30).status_code for _ in range(3)] == [503, 503, 200]


@pytest.mark.parametrize("norange", [False, True])
def test_a_download_that_drops_is_resumed(sim: Doubles, norange: bool) -> None:
    url = first_url(ask(sim, "file_drop norange" if norange else "file_drop"))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        requests.get(url, timeout=30)
    rest = requests.get(url, headers={"Range": "bytes=1000-"}, timeout=30)
    whole = requests.get(url, timeout=30).content
    assert rest.status_code == (200 if norange else 206)
    assert rest.content == (whole if norange else whole[1000:])
    beyond = requests.get(url, headers={"Range": f"bytes={len(whole)}-"}, timeout=30)
    assert beyond.status_code == (200 if norange else 416)


def pictures(sim: Doubles, words: str, **fields: Any) -> list[Image.Image]:
    """The decoded pictures of one answer of the offline API."""
    entries = ask(sim, words, response_format="b64_json", **fields).json()["data"]
    return [Image.open(io.BytesIO(base64.b64decode(entry["b64_json"]))) for entry in entries]


def test_pictures_of_other_sizes_and_modes(sim: Doubles) -> None:
    assert len({image.size for image in pictures(sim, "sizes", n=3)}) == 3
    low, high = pictures(sim, "rgba")[0].getchannel("A").getextrema()
    assert (low, high) == (0, 255)
    assert pictures(sim, "gray")[0].mode == "L"


def test_pictures_that_are_smaller_than_asked() -> None:
    """As one request says, or all of them where it doesn't say otherwise; the ratio stays, and other sizes stay other sizes."""
    with start(0, always="longest=96") as small:
        assert [pictures(small, words)[0].size for words in ("", "longest=32", "longest=0", "small")] == [
            *((96, 96), (32, 32), (512, 512), (64, 64))
        ]
        assert pictures(small, "", aspect_ratio="16:9")[0].size == (96, 54)
        assert len({image.size for image in pictures(small, "sizes", n=3)}) == 3
        small.clear_faults()
        assert pictures(small, "")[0].size == (96, 96)
    with pytest.raises(UnknownFault, match="larger"):
        start(0, always="larger=2")


def test_pictures_of_other_numbers_and_formats(sim: Doubles) -> None:
    assert len(pictures(sim, "fewer", n=2)) == 1 and len(pictures(sim, "more", n=1)) == 2
    assert [pictures(sim, f"as={form}")[0].format for form in ("png", "jpeg", "webp")] == ["PNG", "JPEG", "WEBP"]


def test_transports_regardless_of_the_request(sim: Doubles) -> None:
    assert "b64_json" in ask(sim, "b64").json()["data"][0]
    assert "url" in ask(sim, "url", response_format="b64_json").json()["data"][0]
    assert first_url(ask(sim, "datauri")).startswith("data:image/png;base64,")
    twice = base64.b64decode(ask(sim, "b64twice").json()["data"][0]["b64_json"])
    assert base64.b64decode(twice).startswith(b"\x89PNG")


def test_shapes(sim: Doubles) -> None:
    assert ask(sim, "shape=data", "runflow").json()["data"][0]["url"]
    assert ask(sim, "shape=images").json()["images"][0]["url"]
    assert ask(sim, "shape=image_urls").json()["image_urls"][0]
    assert ask(sim, "shape=outputs").json()["output"]["outputs"][0]["url"]
    assert ask(sim, "shape=triple").json()["data"]["data"]["data"][0]["url"]


POLLS = {
    "onerouter": "/v1/images/tasks/",
    "nanobanana": "/v1/images/tasks/",
    "runflow": "/v1/runs/",
    "offline": "/v1/images/tasks/",
}


def poll(sim: Doubles, provider: str, started: dict[str, Any]) -> requests.Response:
    """One poll of the task an answer has started."""
    task = started.get("task_id") or started.get("id") or started["data"]["task_id"]
    headers = HEADERS.get(provider, {})
    if provider == "apiframe":
        url = sim.base_url(provider) + "/fetch"
        return requests.post(url, json={"task_id": task}, headers=headers, timeout=30)
    return requests.get(sim.base_url(provider) + POLLS[provider] + task, headers=headers, timeout=30)


@pytest.mark.parametrize("provider", list(PLACES))
def test_tasks(sim: Doubles, provider: str) -> None:
    started = ask(sim, "task steps=1", provider).json()
    assert "http://" not in poll(sim, provider, started).text
    assert "/files/" in poll(sim, provider, started).text
    assert paid(sim) == 1
    failing = ask(sim, "task=fail steps=0", provider).json()
    assert "fail" in poll(sim, provider, failing).text.lower()
    assert paid(sim) == 1, "a failed task is not charged"
    hanging = ask(sim, "task=hang steps=0", provider).json()
    assert all("/files/" not in poll(sim, provider, hanging).text for _ in range(4))
    assert (sim.finish("another prompt"), sim.finish("")) == (0, 1) and "/files/" in poll(sim, provider, hanging).text
    odd = ask(sim, "task=unknown steps=1", provider).json()
    assert "/files/" not in poll(sim, provider, odd).text and "/files/" in poll(sim, provider, odd).text
    faulty = ask(sim, "task steps=0 poll_status=503 poll_times=2", provider).json()
    assert [poll(sim, provider, faulty).status_code for _ in range(3)] == [503, 503, 200]


@pytest.mark.parametrize("provider", list(PLACES))
def test_a_task_nobody_knows(sim: Doubles, provider: str) -> None:
    assert poll(sim, provider, {"task_id": "nothing"}).status_code in (400, 404)


def test_faults_laid_down_from_outside(sim: Doubles) -> None:
    url = sim.origin + "/_control/faults"
    rule = {"provider": "offline", "match": "cat", "fault": "status=500 times=1"}
    assert requests.post(url, json=rule, timeout=30).status_code == 200
    assert ask(sim, "", "nanobanana").status_code == 200
    assert [ask(sim, "").status_code for _ in range(2)] == [500, 200]
    requests.post(url, json={"provider": "*", "match": "", "fault": "status=429"}, timeout=30)
    assert ask(sim, "").status_code == 429
    requests.delete(url, timeout=30)
    assert ask(sim, "").status_code == 200
    wrong = requests.post(url, json={"provider": "offline", "fault": "statsu=1"}, timeout=30)
    assert wrong.status_code == 400 and "statsu" in wrong.text


def test_a_fault_that_follows_another(sim: Doubles) -> None:
    sim.fault("status=500 times=1", provider="offline")
    sim.fault("status=429 after=1 times=2", provider="offline")
    assert [ask(sim, "").status_code for _ in range(4)] == [500, 429, 429, 200]
    assert ask(sim, "status=500 after=1").status_code == 400, "a prompt's own faults don't know what was asked before"


def test_a_fault_for_uploads(sim: Doubles) -> None:
    sim.fault("upload_status=503 times=1", provider="runflow")
    assert ask(sim, "", "runflow").status_code == 200
    url = sim.base_url("runflow") + "/v1/asset-uploads"
    body = {"filename": "a.png", "mime_type": "image/png", "size_bytes": 10}
    answers = [requests.post(url, json=body, headers=BEARER, timeout=30).status_code for _ in range(2)]
    assert answers == [503, 201]


def test_dropping_whatever_is_large(sim: Doubles) -> None:
    sim.fault("drop=upload", provider="offline")
    form = {"model": "offline", "prompt": "x"}
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(
            sim.base_url("offline") + "/v1/images/edits",
            data=form,
            files=[("image", ("a.png", LARGE, "image/png"))],
            timeout=30,
        )
    assert paid(sim) == 0
