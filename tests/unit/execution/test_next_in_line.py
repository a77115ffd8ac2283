"""While a provider has nothing more to do for a call, or is at work for it, the next calls in line get on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dialect_driver import QUICK_SPECS, keyed, request
from pack.core.engine import Engine
from pack.core.execution import image_collector
from pack.core.execution.encode_ahead import MOST_PIXEL_BYTES, EncodeAhead
from pack.core.execution.run import Run
from pack.core.images import picture
from pack.core.images.picture import Picture
from pack.core.planning.choice import ProviderChoice
from pack.tests.doubles.server import Doubles

SECONDS = 30.0


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    doubles.reset()
    return Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "google", "runflow"))


def begin(engine: Engine, provider: str, prompts: list[str], references: list[Picture] | None = None) -> Run:
    """A picture for each prompt, one at a time."""
    asked = [replace(request(prompt=prompt), frame=frame) for frame, prompt in enumerate(prompts)]
    if references is not None:
        asked = [
            replace(each, operation="edit", references=(reference,))
            for each, reference in zip(asked, references, strict=True)
        ]
    return engine.run(asked, engine.plan(ProviderChoice(provider, "nano-banana-2", max_parallel=1), asked))


def finished(run: Run) -> Run:
    assert run.done.wait(SECONDS)
    assert run.error is None and all(task.result for task in run.tasks), [task.error for task in run.tasks]
    return run


def test_the_next_request_leaves_while_the_answer_before_it_is_decoded(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first picture is not decoded before the second request is at the provider."""
    decode = image_collector.decode
    waited: list[bool] = []

    def decode_later(data: bytes) -> Any:
        if not waited:
            waited.append(doubles.wait(prompt="line 1", state="received"))
        return decode(data)

    monkeypatch.setattr(image_collector, "decode", decode_later)
    finished(begin(engine, "google", ["line 0", "line 1"]))
    assert waited == [True]


def test_a_picture_that_has_to_be_downloaded_keeps_its_place(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where downloads fail, the rest is not paid meanwhile."""
    download = image_collector.download
    paid: list[int] = []

    def counting(*given: Any) -> bytes:
        paid.append(doubles.request_log("fetch")["paid_calls"])
        return download(*given)

    monkeypatch.setattr(image_collector, "download", counting)
    finished(begin(engine, "runflow", ["fetch 0", "fetch 1", "fetch 2"]))
    assert paid == [1, 2, 3]


def test_references_are_encoded_while_the_answer_before_them_is_awaited(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second frame's file is there before the first has its answer."""
    save, made = picture.save, threading.Event()

    def saving(source: Any, format_name: Any) -> bytes:
        data = save(source, format_name)
        if source.size[0] == 66:
            made.set()
        return data

    monkeypatch.setattr(picture, "save", saving)
    references = [Picture.of(np.full((40, width, 3), 99, np.uint8)) for width in (44, 66)]
    run = begin(engine, "google", ["ahead 0 [[sim: hold]]", "ahead 1"], references)
    assert doubles.wait(prompt="ahead 0", state="received") and made.wait(SECONDS)
    assert len(doubles.request_log("ahead")["requests"]) == 1
    doubles.release()
    finished(run)
    sent = [entry["references"][0]["width"] for entry in doubles.request_log("ahead")["requests"]]
    assert sent == [44, 66]


class Encoder:
    """Counts which calls are encoded, and says when as many are as are awaited."""

    def __init__(self, awaited: int) -> None:
        self.encoded: list[int] = []
        self._awaited, self.all = awaited, threading.Event()

    def __call__(self, number: int) -> None:
        self.encoded.append(number)
        if len(self.encoded) == self._awaited:
            self.all.set()
        if number == 1:
            raise ValueError("the call itself reports it")


def of_size(side: int) -> tuple[Picture, ...]:
    return (Picture(lambda: np.zeros((side, side, 3), np.uint8), side, side, 3),)


def test_as_many_are_encoded_ahead_as_may_begin_at_once() -> None:
    """In their order, each once, also behind one that can't be encoded."""
    encoder = Encoder(2)
    ahead = EncodeAhead([of_size(8)] * 6, encoder, 2, lambda: False)
    ahead.begin(0)
    assert encoder.all.wait(SECONDS) and encoder.encoded == [1, 2]
    encoder = ahead._encode = Encoder(2)  # type: ignore[assignment]
    ahead.begin(1)
    ahead.begin(2)
    assert encoder.all.wait(SECONDS) and encoder.encoded == [3, 4]


def test_neither_what_is_large_nor_what_has_no_references_is_encoded_ahead() -> None:
    """The files would fill the memory while they wait."""
    side = int((MOST_PIXEL_BYTES / 3 / 3) ** 0.5)
    encoder = Encoder(1)
    ahead = EncodeAhead([of_size(8), of_size(side + 9), (), of_size(side - 9)], encoder, 3, lambda: False)
    ahead.begin(0)
    assert encoder.all.wait(SECONDS) and encoder.encoded == [3]


def test_a_call_whose_turn_has_come_meanwhile_is_left_to_itself() -> None:
    """The second of three begins while the first is encoded ahead of its turn."""
    begun, last = threading.Event(), threading.Event()
    encoded: list[int] = []

    def encode(number: int) -> None:
        assert begun.wait(SECONDS)
        encoded.append(number)
        if number == 3:
            last.set()

    ahead = EncodeAhead([of_size(8)] * 4, encode, 3, lambda: False)
    ahead.begin(0)
    ahead.begin(2)
    begun.set()
    assert last.wait(SECONDS) and encoded == [1, 3]


def test_a_stopped_run_encodes_nothing_ahead() -> None:
    encoder, looked = Encoder(1), threading.Event()

    def stopped() -> bool:
        looked.set()
        return True

    ahead = EncodeAhead([of_size(8)] * 4, encoder, 3, stopped)
    ahead.begin(0)
    assert looked.wait(SECONDS) and not encoder.encoded
