"""An interrupt asks the provider once to drop what it has not begun: nothing is paid for it, and nothing paid is lost."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, keyed, request
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Cancels
from pack.core.engine import Engine
from pack.core.execution.call import Call
from pack.core.execution.report import StopSummary
from pack.core.execution.run import Run
from pack.core.http.transport import TransferHooks, Transport
from pack.core.ledger.history import History
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN
from pack.tests.doubles.server import Doubles
from pack.tests.raw_server import Connection, serving

BOTH = pytest.mark.parametrize("provider", ["fal", "replicate"])


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    doubles.reset()
    return Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "fal", "replicate", "onerouter"))


def begin(engine: Engine, prompt: str, provider: str = "fal", count: int = 1, **choice: Any) -> Run:
    asked = [replace(request(prompt=prompt), num_images=count)]
    return engine.run(asked, engine.plan(ProviderChoice(provider, "nano-banana-2", **choice), asked))


def in_queue(run: Run) -> Call:
    """The run's call, once its task has been accepted and seen waiting."""
    ticking = threading.Event()
    for _ in range(1000):
        for call in run.calls:
            if call.progress in ("in queue", "starting"):
                return call
        ticking.wait(0.01)
    raise AssertionError("it never was in the queue")


def ended(call: Call) -> Call:
    assert call.done.wait(20), "the call goes on for ever"
    return call


def charged(call: Call) -> str:
    """What the call, when it has ended without a picture, says about money."""
    error = ended(call).outcome.error
    assert error is not None
    return error.charged


def finish(run: Run) -> Run:
    assert run.done.wait(20) and run.error is None, run.error
    return run


def errors(run: Run) -> list[tuple[str, str]]:
    return [(r.error.kind, r.error.charged) for r in run.report.failed if r.error]


def cancels(doubles: Doubles) -> int:
    """How often a provider was asked to drop something."""
    return sum(entry["kind"] == "cancel" for entry in doubles.request_log()["free"])


@pytest.mark.parametrize("spec", list(BUILT_IN.values()), ids=lambda spec: spec.id)
def test_a_spec_says_until_when_exactly_if_its_dialect_can_cancel(spec: Any) -> None:
    """The tables read the spec, the engine asks the dialect."""
    assert bool(spec.cancels) == isinstance(dialect(spec.dialect), Cancels)


@BOTH
def test_what_waits_is_taken_back_and_costs_nothing(engine: Engine, doubles: Doubles, provider: str) -> None:
    """Not billed, no doubt about it afterwards, nothing counted as spent: queued again it is simply sent."""
    prompt = f"back {provider} [[sim: steps=4000 times=1]]"
    run = begin(engine, prompt, provider)
    call = in_queue(run)
    assert doubles.request_log("back")["paid_images"] == 1
    summary = run.stop()
    assert (summary.pending, summary.cancelling, summary.dropped) == (1, 1, 0)
    finish(run)
    assert charged(call) == "no"
    assert doubles.request_log("back")["paid_images"] == 0 and cancels(doubles) == 1
    assert spent(engine) == 0
    again = finish(begin(engine, prompt, provider))
    assert again.tasks[0].result and again.tasks[0].source == "provider" and not errors(again)
    assert doubles.request_log("back")["paid_images"] == 1


@pytest.mark.parametrize("is_before", [True, False], ids=["before the last byte", "after it"])
def test_a_run_that_is_stopped_while_its_request_leaves_says_truly_whether_it_was_sent(
    engine: Engine, doubles: Doubles, monkeypatch: pytest.MonkeyPatch, is_before: bool
) -> None:
    prompt, send, runs, is_there = f"leaving {is_before}", Transport.send, list[Run](), threading.Event()
    summaries = Queue[StopSummary]()
    """A run that is stopped may be done before `stop` has returned."""

    def stopping(transport: Transport, *what: Any, hooks: TransferHooks, **more: Any) -> Any:
        def leaving() -> None:
            assert is_there.wait(30)
            if is_before:
                summaries.put(runs[0].stop())
            hooks.on_last_byte()
            if not is_before:
                summaries.put(runs[0].stop())

        hooked = replace(hooks, on_last_byte=leaving) if more["fresh"] else hooks
        return send(transport, *what, hooks=hooked, **more)

    monkeypatch.setattr(Transport, "send", stopping)
    runs.append(begin(engine, prompt, "onerouter"))
    is_there.set()
    call = ended(finish(runs[0]).calls[0])  # which may be later than its run
    summary = summaries.get(timeout=30)
    paid = doubles.request_log(prompt=prompt)["paid_images"]
    if is_before:
        assert (summary.dropped, summary.pending, paid, spent(engine)) == (1, 0, 0, 0)
        assert charged(call) == "no"
    else:
        assert (summary.dropped, summary.pending, paid) == (0, 1, 1)


def spent(engine: Engine) -> float:
    """What the journal counts as spent, in US dollars."""
    return sum(shown.usd for shown in History(engine.ledger).pictures())


def test_too_late_and_the_picture_is_collected(engine: Engine, doubles: Doubles) -> None:
    """fal has begun by then: it goes on, and the picture lands in the store, paid once."""
    prompt = "late [[sim: steps=40 cancel=late]]"
    run = begin(engine, prompt)
    call = in_queue(run)
    assert run.stop().cancelling == 1
    assert ended(finish(run) and call).outcome.images and cancels(doubles) == 1
    again = finish(begin(engine, prompt))
    assert again.tasks[0].source == "store" and doubles.request_log("late")["paid_calls"] == 1


def test_what_was_begun_in_the_last_moment_may_have_been_charged(engine: Engine, doubles: Doubles) -> None:
    """Replicate stops what runs: it says that it had started, so the money isn't waved away, nor asked about."""
    run = begin(engine, "moment [[sim: steps=4000 cancel=late times=1]]", "replicate")
    call = in_queue(run)
    run.stop()
    assert charged(call) == "maybe"
    assert spent(engine) > 0
    assert not errors(finish(begin(engine, "moment [[sim: steps=4000 cancel=late times=1]]", "replicate")))


@BOTH
def test_what_is_at_work_is_not_cancelled(engine: Engine, doubles: Doubles, provider: str) -> None:
    """It could be billed without a picture: it is let finish and collected."""
    run = begin(engine, f"work {provider} [[sim: steps=12]]", provider)
    call = in_queue(run)
    ticking = threading.Event()
    while call.progress not in ("in progress", "processing"):
        assert not call.done.is_set()
        ticking.wait(0.002)
    run.stop()
    assert ended(call).outcome.images and cancels(doubles) == 0


def test_it_is_asked_once(engine: Engine, doubles: Doubles) -> None:
    """However often Cancel is pressed, and whatever the answer was."""
    run = begin(engine, "once [[sim: steps=30 cancel=500]]")
    call = in_queue(run)
    for _ in range(3):
        run.stop()
    run.stop()
    assert ended(call).outcome.images and cancels(doubles) == 1
    assert doubles.request_log("once")["paid_images"] == 1


def test_an_interrupt_before_the_task_is_accepted_cancels_it_then(engine: Engine, doubles: Doubles) -> None:
    """The request was sent: as soon as there is a task, it is taken back."""
    run = begin(engine, "early [[sim: hold steps=4000]]")
    assert doubles.wait(prompt="early", state="received")
    assert run.stop().cancelling == 1
    call, *_ = run.calls
    doubles.release()
    assert finish(run) and charged(call) == "no"
    assert doubles.request_log("early")["paid_images"] == 0


def test_a_failing_sibling_takes_nothing_back(engine: Engine, doubles: Doubles) -> None:
    """Nobody asked for that: what was sent is collected, as ever."""
    run = begin(engine, "sibling [[sim: steps=20]]")
    call = in_queue(run)
    assert run.stop(cancel=False).cancelling == 0
    assert ended(call).outcome.images and cancels(doubles) == 0


def test_a_timeout_takes_nothing_back(engine: Engine, doubles: Doubles) -> None:
    """The picture is still wanted: it is waited for in the background."""
    run = finish(begin(engine, "patience [[sim: steps=30]]", timeout=1))
    assert errors(run) == [("timeout", "maybe")]
    call, *_ = run.calls
    assert ended(call).outcome.images and cancels(doubles) == 0


def test_a_cancel_without_an_answer_leaves_it_in_doubt(engine: Engine, doubles: Doubles) -> None:
    """The line broke and then nobody knows the task: it may have been made, so the next run asks before it pays."""
    prompt = "broken [[sim: steps=4000 cancel=drop]]"
    run = begin(engine, prompt)
    call = in_queue(run)
    run.stop()
    assert charged(call) == "maybe"
    assert errors(finish(begin(engine, prompt))) == [("doubt", "maybe")]


def test_all_pictures_of_a_call_are_taken_back_together(engine: Engine, doubles: Doubles) -> None:
    run = begin(engine, "four [[sim: steps=4000]]", count=4)
    call = in_queue(run)
    assert run.stop().cancelling == 4
    ended(call)
    assert doubles.request_log("four")["paid_images"] == 0 and spent(engine) == 0


def test_a_provider_that_can_t_is_not_asked(engine: Engine, doubles: Doubles) -> None:
    """What was sent there is collected."""
    run = begin(engine, "other [[sim: hold]]", "onerouter")
    assert doubles.wait(prompt="other", state="received")
    assert run.stop().cancelling == 0
    call, *_ = run.calls
    doubles.release()
    assert ended(call).outcome.images and cancels(doubles) == 0


def test_nobody_waits_for_the_answer(tmp_path: Path) -> None:
    """A provider that hangs on the cancel holds its own call up and nothing else."""
    asked, go_on = threading.Event(), threading.Event()

    def answer(connection: Connection) -> None:
        while connection.read_head():
            connection.read_body()
            target = connection.head.split(b" ")[1].decode()
            taken = {"request_id": "r", "status": "IN_QUEUE"}
            if target.endswith("/cancel"):
                asked.set()
                go_on.wait(15)
                connection.answer(b'{"status": "CANCELLATION_REQUESTED"}', "202 Accepted")
            elif go_on.is_set():
                connection.answer(b'{"detail": "Not found"}', "404 Not Found")
            else:
                connection.answer(json.dumps(taken).encode(), "200 OK")

    with serving(answer) as server:
        environ = {"FAL_KEY": "sim-run", "NANO_BANANA_FAL_BASE_URL": server.url}
        run = begin(Engine(tmp_path, specs=QUICK_SPECS, environ=environ), "hang")
        call = in_queue(run)
        run.stop()
        assert asked.wait(10) and run.done.wait(10) and not call.done.is_set()
        go_on.set()
        assert charged(call) == "no"
