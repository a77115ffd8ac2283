"""The server behind the provider `offline`: draws, serves its files, and has nothing of the doubles in it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.simulator import start
from pack.simulator.server import Simulator
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with start() as running:
        yield running


def generate(simulator: Simulator, prompt: str = "a cat", **fields: Any) -> requests.Response:
    body = {"model": "offline", "prompt": prompt, "response_format": "url", **fields}
    return requests.post(simulator.base_url("offline") + "/v1/images/generations", json=body, timeout=60)


def downloaded(answer: requests.Response) -> list[bytes]:
    return [requests.get(entry["url"], timeout=60).content for entry in answer.json()["data"]]


def test_it_draws_what_is_asked_for(simulator: Simulator) -> None:
    files = downloaded(generate(simulator, n=2, aspect_ratio="16:9", image_size="1K", output_format="webp"))
    pictures = [Image.open(io.BytesIO(file)) for file in files]
    assert [picture.format for picture in pictures] == ["WEBP"] * 2
    assert all(picture.width > picture.height > 500 for picture in pictures) and files[0] != files[1]


def test_without_a_seed_each_request_draws_another_picture(simulator: Simulator) -> None:
    assert downloaded(generate(simulator)) != downloaded(generate(simulator))
    assert downloaded(generate(simulator, seed=7)) == downloaded(generate(simulator, seed=7))


def test_an_edit_takes_pictures_as_files(simulator: Simulator) -> None:
    file = io.BytesIO()
    Image.new("RGB", (90, 160), (10, 90, 200)).save(file, "PNG")
    answer = requests.post(
        simulator.base_url("offline") + "/v1/images/edits",
        data={"model": "offline", "prompt": "a hat", "aspect_ratio": "auto"},
        files=[("image", ("a.png", file.getvalue(), "image/png"))],
        timeout=60,
    )
    (content,) = downloaded(answer)
    width, height = Image.open(io.BytesIO(content)).size
    assert height > width


def test_the_rest_of_a_file_can_be_fetched(simulator: Simulator) -> None:
    url = generate(simulator, image_size="0.5K").json()["data"][0]["url"]
    whole = requests.get(url, timeout=60).content
    rest = requests.get(url, headers={"Range": "bytes=100-"}, timeout=60)
    assert rest.status_code == 206 and rest.content == whole[100:]


@pytest.mark.parametrize("directive", ["status=500", "drop=headers", "task=done", "nonsense"])
def test_a_prompt_cannot_ask_for_a_fault(simulator: Simulator, directive: str) -> None:
    """Faults are part of the doubles: a stranger's workflow can't make a user's provider misbehave."""
    answer = generate(simulator, f"a cat [[sim: {directive}]]", image_size="0.5K")
    assert answer.status_code == 200 and len(downloaded(answer)) == 1


@pytest.mark.parametrize("path", ["/_control/providers", "/_control/request_log", "/onerouter/v1/images/generations"])
def test_there_is_nothing_but_the_provider(simulator: Simulator, path: str) -> None:
    assert requests.get(simulator.origin + path, timeout=60).status_code == 404
    assert requests.post(simulator.origin + path, json={}, timeout=60).status_code == 404


def test_a_key_another_host_name_and_an_unknown_field_are_refused(simulator: Simulator) -> None:
    address = simulator.base_url("offline") + "/v1/images/generations"
    body = {"model": "offline", "prompt": "a cat"}
    answers = [
        requests.post(address, json=body, headers={"Authorization": "Bearer sk-1"}, timeout=60),
        requests.post(address, json=body, headers={"Host": "evil.example"}, timeout=60),
        requests.post(address, json={**body, "colour": "red"}, timeout=60),
    ]
    assert [answer.status_code for answer in answers] == [400, 421, 400]


def test_importing_the_package_is_cheap() -> None:
    """It is imported with the pack; the server only when `offline` is first used."""
    code = "import simulator, sys; sys.exit('PIL' in sys.modules or 'http.client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
