"""The request log of the doubles, waiting, switches and command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.core.providers import BUILT_IN
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles

ROOT = Path(__file__).resolve().parents[3]
BEARER = {"Authorization": "Bearer sim-secret"}


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


def generate(sim: Doubles, prompt: str) -> requests.Response:
    """One generation that costs 0.039 $."""
    body = {"model": "nano-banana", "prompt": prompt}
    return requests.post(sim.base_url("nanobanana") + "/v1/images/generations", json=body, headers=BEARER, timeout=30)


def test_providers(sim: Doubles) -> None:
    ids = sorted(BUILT_IN)
    assert requests.get(sim.origin + "/_control/providers", timeout=30).json() == ids
    assert sim.providers() == ids
    assert sim.base_url("offline") == f"http://127.0.0.1:{sim.port}/offline"
    with pytest.raises(KeyError):
        sim.base_url("nothing")


def test_the_request_log_by_prompt_and_provider(sim: Doubles) -> None:
    generate(sim, "one red cat")
    generate(sim, "two cats [[sim: status=500]]")
    url = sim.origin + "/_control/request_log"
    book = requests.get(url, params={"prompt": "cat", "provider": "nanobanana"}, timeout=30).json()
    assert (book["paid_calls"], book["paid_images"], book["cost_usd"]) == (1, 1, 0.039)
    assert [record["outcome"] for record in book["requests"]] == [200, 500]
    assert requests.get(url, params={"prompt": "red"}, timeout=30).json()["requests"][0]["paid"] == 1
    assert requests.get(url, params={"provider": "offline"}, timeout=30).json()["requests"] == []
    assert requests.get(url, params={"promt": "red"}, timeout=30).status_code == 400
    requests.post(sim.origin + "/_control/reset", timeout=30)
    assert sim.request_log()["requests"] == []


def test_no_key_is_kept(sim: Doubles) -> None:
    generate(sim, "x")
    requests.post(sim.base_url("apiframe") + "/nano-banana-pro", headers={"Authorization": "sim-secret"}, timeout=30)
    book = sim.request_log()
    assert "sim-secret" not in json.dumps(book)
    assert [r["headers"]["authorization"] for r in book["requests"]] == ["bearer sim-…", "raw"]


def test_downloads_are_listed_with_their_authorization(sim: Doubles) -> None:
    url = generate(sim, "x").json()["data"][0]["url"]
    requests.get(url, timeout=30)
    requests.get(url, headers=BEARER, timeout=30)
    free = sim.request_log()["free"]
    assert [(call["kind"], call["authorization"]) for call in free] == [("file", ""), ("file", "bearer sim-…")]


def test_waiting_for_requests(sim: Doubles) -> None:
    url = sim.origin + "/_control/wait"
    query: dict[str, Any] = {"prompt": "later", "provider": "nanobanana", "state": "received", "count": 1}
    none = requests.get(url, params={**query, "timeout": 0.01}, timeout=30).json()
    assert none == {"reached": False, "count": 0}
    thread = threading.Thread(target=generate, args=(sim, "later [[sim: slow=0.1]]"))
    thread.start()
    assert requests.get(url, params={**query, "timeout": 20}, timeout=30).json()["reached"]
    assert sim.request_log()["requests"][0]["answered_at"] is None
    assert sim.wait(prompt="later", state="answered", timeout=30)
    thread.join()
    assert requests.get(url, params={**query, "state": "done"}, timeout=30).status_code == 400


def test_what_is_held_waits_until_it_is_released(sim: Doubles) -> None:
    """By the method, over the route, and when the faults end; a release lets go what is there, not what comes later."""
    sim.fault("hold", provider="nanobanana", match="held")
    ways = (sim.release, lambda: requests.post(sim.origin + "/_control/release", timeout=30), sim.clear_faults)
    for number, way in enumerate(ways):
        thread = threading.Thread(target=generate, args=(sim, f"held {number}"))
        thread.start()
        assert sim.wait(prompt=f"held {number}")
        assert not sim.wait(prompt=f"held {number}", state="answered", timeout=0.2)
        way()
        assert sim.wait(prompt=f"held {number}", state="answered")
        thread.join()
    assert sim.request_log("held")["paid_calls"] == 3 and generate(sim, "held no more").ok


def test_closing_ends_what_is_held() -> None:
    doubles = start()
    ended = threading.Event()

    def ask() -> None:
        with pytest.raises(requests.ConnectionError):
            generate(doubles, "held [[sim: hold]]")
        ended.set()

    threading.Thread(target=ask, daemon=True).start()
    assert doubles.wait(prompt="held")
    doubles.close()
    assert ended.wait(20)


def test_routes_can_be_switched_off(sim: Doubles) -> None:
    base = sim.base_url("runflow")
    body = {"prompt": "a cat"}
    run = base + "/v1/run/google/nano-banana-2"
    for status in (404, 405, 0):
        rule = {"provider": "runflow", "route": "run", "status": status}
        assert requests.post(sim.origin + "/_control/routes", json=rule, timeout=30).status_code == 200
        assert requests.post(run, json=body, headers=BEARER, timeout=30).status_code == (status or 200)
    other = {"input": body}
    sim.switch("runflow", "run", 404)
    runs = base + "/v1/models/google/nano-banana-2/runs"
    assert requests.post(runs, json=other, headers=BEARER, timeout=30).status_code == 201
    with pytest.raises(ValueError):
        sim.switch("runflow", "walk", 404)


def test_unknown_control_routes(sim: Doubles) -> None:
    assert requests.get(sim.origin + "/_control/nothing", timeout=30).status_code == 404
    assert requests.get(sim.origin + "/nobody/v1", timeout=30).status_code == 404


def test_many_connections_at_once(sim: Doubles) -> None:
    threads = [threading.Thread(target=generate, args=(sim, f"many {number}")) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sim.request_log(prompt="many")["paid_images"] == 16
    assert sim.request_log(prompt="many")["cost_usd"] == pytest.approx(16 * 0.039)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to end a process with")
@pytest.mark.parametrize("named", [["-m", "tests.doubles"], ["tests/doubles"]])
def test_the_command_says_when_it_is_ready_and_ends_on_a_signal(named: list[str]) -> None:
    command = [sys.executable, *named, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline().split()
        assert line[:2] == ["doubles", "ready"]
        assert requests.get(line[2] + "/_control/providers", timeout=30).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout.read() == "" and process.stderr.read() == ""


def test_a_model_is_retired_and_served_again(sim: Doubles) -> None:
    """Over the control routes: a 404 in the API's own shape, unbilled, until it is taken back or everything is reset."""
    url, model = f"{sim.origin}/_control/retired", "nano-banana"

    def asked() -> int:
        return generate(sim, "retired").status_code

    assert asked() == 200
    for body, status in (({}, 404), ({"retired": False}, 200), ({}, 404)):
        answer = requests.post(url, json={"provider": "nanobanana", "model": model, **body}, timeout=30)
        assert answer.status_code == 200 and asked() == status
    assert "not found" in generate(sim, "words").json()["error"]["message"]
    sim.reset()
    assert asked() == 200 and sim.request_log("retired")["paid_calls"] == 1
    for wrong in ({"provider": "nobody", "model": model}, {"provider": "nanobanana", "model": ""}, {"name": "x"}):
        assert requests.post(url, json=wrong, timeout=30).status_code == 400
