"""What the strict doubles can't be asked for: words that come with pictures, and failures in a rhythm."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pack.core.request import mixed_seed
from pack.tests.host.kit import Bench, Ran, colours, node
from pack.tests.host.page import own_provider
from pack.tests.raw_server import Connection, RawServer, serving
from PIL import Image


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with serving() as running:
        yield running


@pytest.fixture
def reseller(bench: Bench, server: RawServer) -> Iterator[RawServer]:
    """That server as two providers of the host: `singly` makes one picture a call, `fours` up to four."""
    with (
        own_provider(bench, "singly", server.url, "openai_images"),
        own_provider(bench, "fours", server.url, "onerouter"),
    ):
        yield server


def answering(side: Callable[[int], int], refused: frozenset[int] = frozenset()) -> Callable[[Connection], None]:
    """Answers call k with a picture `side(k)` high that says "words k", or declines it when k is in `refused`.

    Calls come one at a time, as max_parallel is 1.
    """
    calls = 0

    def handler(connection: Connection) -> None:
        nonlocal calls
        connection.read_body()
        number, calls = calls, calls + 1
        if number in refused:
            error = {"message": "not this", "type": "invalid_request_error", "code": "content_policy_violation"}
            connection.answer_json({"error": error}, "400 Bad Request")
            return
        file = io.BytesIO()
        Image.fromarray(colours(side(number), 48, number)).save(file, "PNG")
        entry = {"b64_json": base64.b64encode(file.getvalue()).decode(), "revised_prompt": f"words {number}"}
        connection.answer_json({"created": 1, "data": [entry]})

    return handler


def generated(bench: Bench, prompt: str, **inputs: Any) -> Ran:
    return bench.run(
        {
            "config": node("ProviderConfig", provider="singly", max_parallel=1),
            "make": node("NanoBananaGenerate", prompt=prompt, provider=["config", 0], **inputs),
            "show": node("PreviewImage", images=["make", 0]),
            "texts": node("PreviewAny", source=["make", 2]),
        }
    )


def test_a_batch_has_all_words_in_one_text_and_stored_pictures_keep_theirs(
    bench: Bench, reseller: RawServer, tag: str
) -> None:
    """The second run buys one picture more; the words of the first two are still there."""
    reseller.handle(answering(lambda _: 48))
    assert generated(bench, tag, num_images=2).text("texts") == ["words 0\nwords 1"]
    assert generated(bench, tag, num_images=3).text("texts") == ["words 0\nwords 1\nwords 2"]
    assert len(reseller.requests) == 3


def test_pictures_one_by_one_have_each_their_own_words(bench: Bench, reseller: RawServer, tag: str) -> None:
    """Three sizes, three elements, each text with its picture."""
    reseller.handle(answering(lambda number: 48 + 16 * number))
    ran = generated(bench, tag, num_images=3)
    assert [picture.shape[0] for picture in ran.images()] == [48, 64, 80]
    assert ran.text("texts") == ["words 0", "words 1", "words 2"]


def test_a_success_in_between_lets_the_run_go_on(bench: Bench, reseller: RawServer, tag: str) -> None:
    """Only three failures in a row end a run: four of six, never three together, and all six are asked for."""
    reseller.handle(answering(lambda _: 48, frozenset({0, 1, 3, 4})))
    ran = generated(bench, tag, num_images=6)
    assert ran.status == "success", ran.error
    assert len(reseller.requests) == 6 and len(ran.images()) == 2
    assert [failed["slot"] for failed in ran.info()["failed"]] == [0, 1, 3, 4]
    assert not [failed for failed in ran.info()["failed"] if "not sent" in failed["reason"]]


def test_results_keep_slot_order_when_the_first_call_is_answered_last(
    bench: Bench, reseller: RawServer, tag: str
) -> None:
    """Two calls at once; the one for the first slots is held back until the other one is answered."""
    other_answered = threading.Event()

    def handler(connection: Connection) -> None:
        connection.read_body()
        asked = json.loads(connection.body)
        if asked["seed"] == 3:
            assert other_answered.wait(20)
        entries = []
        for index in range(asked["n"]):
            file = io.BytesIO()
            Image.fromarray(colours(48, 48, asked["seed"] + index)).save(file, "PNG")
            entries.append({"b64_json": base64.b64encode(file.getvalue()).decode()})
        connection.answer_json({"created": 1, "data": entries})
        if asked["seed"] != 3:
            other_answered.set()

    reseller.handle(handler)
    ran = bench.generate(tag, "fours", num_images=8, seed=3)
    assert ran.status == "success", ran.error
    assert [image["slot"] for image in ran.info()["images"]] == list(range(8))
    wanted = [colours(48, 48, first + index) for first in (3, mixed_seed(3, 4)) for index in range(4)]
    assert all(np.array_equal(got, want) for got, want in zip(ran.images(), wanted, strict=True))
