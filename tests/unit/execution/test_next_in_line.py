"""While a provider has nothing more to do for a call, or is at work for it, the next calls in line get on."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dialect_driver import QUICK_SPECS, keyed, request
from pack.core.engine import Engine
from pack.core.execution import image_collector
from pack.core.execution.concurrency import QueuedCall
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


def test_a_picture_is_on_disk_before_the_next_call_begins(
    engine: Engine, doubles: Doubles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To begin the next may take a while: a thread of the system's, a word to the server of a farm."""
    finish, written = engine._limiter.finish, []

    def finishing(account: str, queued: QueuedCall) -> None:
        incoming = list((tmp_path / "results" / "incoming").iterdir())
        written.append([each.stat().st_size > 0 for each in incoming])
        finish(account, queued)

    monkeypatch.setattr(engine._limiter, "finish", finishing)
    finished(begin(engine, "google", ["disk 0"]))
    assert written == [[True]]


def test_a_call_that_was_answered_before_three_failed_does_not_part_them(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its picture is still decoded when the first of them has failed: the fourth is not sent."""
    decode = image_collector.decode

    def decode_later(data: bytes) -> Any:
        assert doubles.wait(prompt="row 2", state="received")
        return decode(data)

    monkeypatch.setattr(image_collector, "decode", decode_later)
    for number in range(1, 5):
        doubles.fault("status=400 hold" if number == 2 else "status=400", match=f"row {number}")
    run = begin(engine, "google", [f"row {number}" for number in range(5)])
    end = time.monotonic() + SECONDS
    while run.tasks[0].result is None and time.monotonic() < end:
        time.sleep(0.01)
    doubles.release()
    assert run.done.wait(SECONDS) and run.error is None
    assert run.tasks[0].result and all(task.error for task in run.tasks[1:])
    assert len(doubles.request_log("row")["requests"]) == 4


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


def test_a_reference_that_has_to_shrink_is_encoded_once_in_each_format(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that was begun ahead of its turn."""
    noise = np.random.default_rng(5).integers(0, 256, (2, 64, 64, 3), np.uint8)
    jpeg, webp = (len(Picture.of(noise[0]).encoded(name).data) for name in ("jpeg", "webp"))
    assert jpeg < (limit := (jpeg + webp) // 2) < webp
    specs = {**QUICK_SPECS, "google": replace(QUICK_SPECS["google"], max_reference_bytes=limit)}
    save, made, ahead = picture.save, [], threading.Event()

    def saving(source: Any, format_name: Any) -> bytes:
        made.append(format_name)
        if len(made) == 3:
            ahead.set()
        return save(source, format_name)

    monkeypatch.setattr(picture, "save", saving)
    with_limit = Engine(engine.home, specs=specs, environ=keyed(doubles, "google"))
    run = begin(with_limit, "google", ["shrink 0 [[sim: hold]]", "shrink 1"], [Picture.of(each) for each in noise])
    assert doubles.wait(prompt="shrink 0", state="received") and ahead.wait(SECONDS)
    doubles.release()
    finished(run)
    assert sorted(made) == ["jpeg"] * 2 + ["webp"] * 2


def test_behind_a_refused_key_nothing_more_is_encoded(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the one that was encoded ahead before the refusal came."""
    save = picture.save
    widths: list[int] = []

    def saving(source: Any, format_name: Any) -> bytes:
        widths.append(source.size[0])
        return save(source, format_name)

    monkeypatch.setattr(picture, "save", saving)
    references = [Picture.of(np.full((40, 40 + frame, 3), 99, np.uint8)) for frame in range(6)]
    run = begin(engine, "google", ["wrong key [[sim: status=401]]"] * 6, references)
    assert run.done.wait(SECONDS) and not any(task.result for task in run.tasks)
    assert len(doubles.request_log("wrong key")["requests"]) == 1 and set(widths) <= {40, 41}


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
    with ahead.turn_of(0):
        pass
    assert encoder.all.wait(SECONDS) and encoder.encoded == [1, 2]
    encoder = ahead._encode = Encoder(2)  # type: ignore[assignment]
    with ahead.turn_of(1):
        pass
    with ahead.turn_of(2):
        pass
    assert encoder.all.wait(SECONDS) and encoder.encoded == [3, 4]


def test_neither_what_is_large_nor_what_has_no_references_is_encoded_ahead() -> None:
    """The files would fill the memory while they wait."""
    side = int((MOST_PIXEL_BYTES / 3 / 3) ** 0.5)
    encoder = Encoder(1)
    ahead = EncodeAhead([of_size(8), of_size(side + 9), (), of_size(side - 9)], encoder, 3, lambda: False)
    with ahead.turn_of(0):
        pass
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
    with ahead.turn_of(0):
        pass
    with ahead.turn_of(2):
        pass
    begun.set()
    assert last.wait(SECONDS) and encoded == [1, 3]


def test_a_stopped_run_encodes_nothing_ahead() -> None:
    encoder, looked = Encoder(1), threading.Event()

    def stopped() -> bool:
        looked.set()
        return True

    ahead = EncodeAhead([of_size(8)] * 4, encoder, 3, stopped)
    with ahead.turn_of(0):
        pass
    assert looked.wait(SECONDS) and not encoder.encoded


def test_without_a_thread_for_it_nothing_is_encoded_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call goes on, and the next one tries again."""
    encoder = Encoder(1)
    ahead = EncodeAhead([of_size(8)] * 4, encoder, 1, lambda: False)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_thread)
        with ahead.turn_of(0):
            pass
    with ahead.turn_of(1):
        pass
    assert encoder.all.wait(SECONDS) and encoder.encoded == [2]


def no_thread(self: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
