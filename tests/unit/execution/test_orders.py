"""Orders at half price: each is paid once and arrives, whatever happens on the way."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dialect_driver import QUICK_SPECS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_driver import until
from killed_process import kill
from pack.core.dialects.base.step import Job, Reply, Send
from pack.core.dialects.batch import gemini
from pack.core.engine import Engine
from pack.core.errors import Impossible, LedgerFailed
from pack.core.execution.orders import order, order_answers, order_cancel, order_creation
from pack.core.execution.orders.order_book import OrderBook, OrderEnd
from pack.core.execution.orders.order_placing import OrderPlacing
from pack.core.execution.orders.order_sender import OrderSender
from pack.core.execution.report import StopSummary
from pack.core.execution.run import Run
from pack.core.images.picture import Picture
from pack.core.ledger import RunContext, kept_answers
from pack.core.ledger.history import History
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Options, Request
from pack.core.request.conversation import Branch
from pack.tests.doubles import batches, start
from pack.tests.doubles.batches import Batch, BatchRoutes
from pack.tests.doubles.server import Doubles

HALF = 0.0168
NAME = "nano-banana-"
"""What the display name of every order begins with: rules of the double with it are about orders."""


@pytest.fixture(scope="module")
def server() -> Iterator[Doubles]:
    with start() as running:
        yield running


@pytest.fixture
def doubles(server: Doubles) -> Doubles:
    server.reset()
    return server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test doesn't notice."""
    monkeypatch.setattr(order, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(order, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(order_creation, "SEARCH_PAUSES", (0.0, 0.01))
    monkeypatch.setattr(order_creation.backoff, "delay", lambda attempt, jitter: 0.01)


class Machine:
    """One data folder with a key for the double of Google."""

    def __init__(self, home: Path, doubles: Doubles, **environ: str) -> None:
        self.doubles, self.ends = doubles, list[OrderEnd]()
        url = {"NANO_BANANA_GOOGLE_API_KEY": "sim-mine", "NANO_BANANA_GOOGLE_BASE_URL": doubles.base_url("google")}
        self.engine = Engine(home, specs=QUICK_SPECS, environ=url | environ)
        self.engine.orders.on_end = self.ends.append

    def run(self, *prompts: str, delivery: Any = "batch", count: int = 1, choice: str = "google") -> Run:
        """A run that is over."""
        options = Options(delivery=delivery)
        wanted = [
            Request("generate", prompt, options, num_images=count, frame=frame) for frame, prompt in enumerate(prompts)
        ]
        run = self.engine.run(wanted, self.engine.plan(ProviderChoice(choice), wanted), run_context=RunContext("r"))
        assert run.done.wait(60)
        if run.error is not None:
            raise run.error
        return run

    def wait_for_end(self, ends: int = 1) -> OrderEnd:
        """Waits until so many orders have ended; gives the last."""
        until(lambda: len(self.ends) >= ends)
        return self.ends[-1]

    def state_of(self, prompt: str) -> list[str]:
        return [found.state for found in History(self.engine.ledger).pictures(prompt)]

    def orders(self) -> int:
        """How many orders the provider has."""
        return len(self.doubles._router.batches.batches)


@pytest.fixture
def machine(tmp_path: Path, doubles: Doubles) -> Machine:
    return Machine(tmp_path / "home", doubles)


# ------------------------------------------------------------------------------------------------- one order


def test_all_pictures_of_a_run_are_one_order_at_half_the_price(machine: Machine) -> None:
    run = machine.run("a fox", "a hare", count=2)
    assert [bool(task.order) for task in run.tasks] == [True] * 4 and len({task.order for task in run.tasks}) == 1
    assert run.report.usd == pytest.approx(4 * HALF) and run.report.usd_source == "price list"
    assert not run.report.failed and not run.report.completed
    assert any("$0.0672 (half price)" in notice for notice in run.report.notices)
    end = machine.wait_for_end()
    assert (end.images, end.failed) == (4, 0) and machine.orders() == 1
    again = machine.run("a fox", "a hare", count=2)
    assert [task.source for task in again.report.completed] == ["store"] * 4 and again.report.usd == 0
    log = machine.doubles.request_log()
    assert (log["paid_images"], log["cost_usd"]) == (4, pytest.approx(4 * HALF))
    assert not list((machine.engine.home / "orders").iterdir())


def test_the_same_pictures_asked_again_are_the_same_order(machine: Machine) -> None:
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    first = machine.run("a fox")
    second = machine.run("a fox")
    assert second.tasks[0].order == first.tasks[0].order and machine.orders() == 1
    assert second.report.usd == 0
    machine.doubles.finish_batches()
    assert machine.wait_for_end().images == 1


def test_a_picture_that_is_ordered_is_not_made_now_too(machine: Machine) -> None:
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    machine.run("a fox")
    run = machine.run("a fox", delivery="now")
    (task,) = run.report.failed
    assert isinstance(task.error, Impossible) and "Cancel the order first" in task.error.message
    assert "may have been charged" not in task.error.message
    assert machine.doubles.request_log()["paid_images"] == 0
    machine.doubles.finish_batches()
    machine.wait_for_end()


def test_auto_means_google_and_another_provider_is_refused(tmp_path: Path, doubles: Doubles) -> None:
    url = doubles.base_url("fal")
    machine = Machine(tmp_path, doubles, NANO_BANANA_FAL_API_KEY="sim-mine", NANO_BANANA_FAL_BASE_URL=url)
    with pytest.raises(Impossible, match="Google's own"):
        machine.run("a fox", choice="fal")
    assert machine.run("a fox", choice="auto").report.provider == "google"
    machine.wait_for_end()


def test_caps_count_half_the_price(tmp_path: Path, doubles: Doubles) -> None:
    machine = Machine(tmp_path / "home", doubles, NANO_BANANA_CAP_RUN="0.04")
    assert not machine.run("a fox", "a hare").report.failed
    machine.wait_for_end()
    refused = Machine(tmp_path / "other", doubles, NANO_BANANA_CAP_RUN="0.04").run("a fox", "a hare", delivery="now")
    assert [task.error.kind for task in refused.report.failed if task.error] == ["cap", "cap"]


def test_many_pictures_go_by_a_file(machine: Machine) -> None:
    prompts = [f"fox {number} [[sim: small]]" for number in range(60)]
    machine.run(*prompts)
    assert machine.wait_for_end().images == 60
    kinds = [call["kind"] for call in machine.doubles.request_log()["free"]]
    assert kinds.count("upload") == 2 and kinds.count("batch") == 1
    assert not list((machine.engine.home / "orders").iterdir())


# ------------------------------------------------------------------------------------------------- what goes wrong


def test_a_lost_answer_makes_no_second_order(machine: Machine) -> None:
    machine.doubles.fault("drop=headers times=1", provider="google", match=NAME)
    run = machine.run("a fox")
    assert run.tasks[0].order and machine.orders() == 1
    assert machine.wait_for_end().images == 1 and machine.doubles.request_log()["paid_images"] == 1


def test_a_request_that_the_list_does_not_have_cost_nothing(machine: Machine) -> None:
    machine.doubles.fault("drop=upload times=1", provider="google", match=NAME)
    (task,) = machine.run("a fox").report.failed
    assert task.error is not None and task.error.charged == "no" and machine.orders() == 0
    assert machine.state_of("a fox") == ["refused"]
    machine.run("a fox")
    assert machine.wait_for_end().images == 1 and machine.orders() == 1


@pytest.mark.parametrize("words", ["status=503 times=2", "status=429 retry_after=0 times=2"])
def test_a_busy_provider_is_waited_for(machine: Machine, words: str) -> None:
    machine.doubles.fault(words, provider="google", match=NAME)
    machine.run("a fox")
    assert machine.wait_for_end().images == 1 and machine.orders() == 1


@pytest.mark.parametrize("tries", [1, order_creation.TRIES])
@pytest.mark.parametrize("status", [429, 503])
def test_an_order_that_was_taken_although_its_answer_is_a_refusal_is_not_made_twice(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, status: int, tries: int
) -> None:
    monkeypatch.setattr(order_creation, "TRIES", tries)
    send = OrderSender.send

    def refused(sender: OrderSender, what: Send, **more: Any) -> Reply:
        reply = send(sender, what, **more)
        return Reply(status, {}, b'{"error": {"message": "overloaded"}}') if what.paid else reply

    monkeypatch.setattr(OrderSender, "send", refused)
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    run = machine.run("a fox")
    assert run.tasks[0].order and run.report.usd == pytest.approx(HALF)
    assert machine.state_of("a fox") == ["accepted"]
    (open_order,) = machine.engine.ledger.open_orders()
    assert (open_order.id, open_order.task != "") == (run.tasks[0].order, True)
    machine.doubles.finish_batches()
    assert machine.wait_for_end().images == 1
    assert machine.orders() == 1 and machine.doubles.request_log()["paid_images"] == 1


@pytest.mark.parametrize("status", [403, 503])
def test_a_list_that_can_not_be_read_keeps_no_order_from_being_sent_again(machine: Machine, status: int) -> None:
    machine.doubles.switch("google", "batches", status)
    machine.doubles.fault("status=503 times=2", provider="google", match=NAME)
    assert machine.run("a fox").tasks[0].order
    machine.doubles.switch("google", "batches", 0)
    assert machine.wait_for_end().images == 1 and machine.orders() == 1


@pytest.mark.parametrize("words", ["status=400", "status=401", "status=500"])
def test_a_refused_order_says_why_and_costs_nothing(machine: Machine, words: str) -> None:
    machine.doubles.fault(words, provider="google", match=NAME)
    (task,) = machine.run("a fox").report.failed
    assert task.error is not None and task.error.charged == "no" and machine.orders() == 0
    assert machine.ends == []


def test_pictures_that_fail_are_named_and_the_others_kept(machine: Machine) -> None:
    machine.run("a fox", "no [[sim: refuse]]", "bad [[sim: status=400]]")
    end = machine.wait_for_end()
    assert (end.images, end.failed) == (1, 2) and len(end.reasons) == 2
    assert "1 picture" in end.text and "2 pictures" in end.text
    states = {found.prompt[:3]: (found.state, found.usd) for found in History(machine.engine.ledger).pictures()}
    assert states["a f"] == ("stored", HALF) and states["bad"] == ("refused", 0)
    # Declined pictures may be charged, as at once: the user is asked before they are ordered again.
    assert states["no "][0] == "unknown"


@pytest.mark.parametrize(("ending", "words"), [("expired", "expire"), ("fail", "could not do the order")])
def test_an_order_that_ends_without_pictures_is_told(machine: Machine, ending: str, words: str) -> None:
    machine.doubles.fault(f"task={ending}", provider="google", match=NAME)
    machine.run("a fox", "a hare")
    end = machine.wait_for_end()
    assert (end.images, end.failed) == (0, 2) and words in end.text
    # No request of it has succeeded, as its numbers say.
    assert machine.state_of("a fox") == ["refused"]
    machine.doubles.clear_faults()
    machine.run("a fox", "a hare")
    assert machine.wait_for_end(2).images == 2 and machine.doubles.request_log()["paid_images"] == 2


def test_a_cancelled_order_costs_nothing_and_can_be_ordered_again(machine: Machine) -> None:
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    placed = machine.run("a fox").tasks[0].order
    found = machine.engine.orders.find(placed)
    assert found is not None
    found.cancel()
    end = machine.wait_for_end()
    assert end.cancelled and (end.images, end.failed) == (0, 1)
    assert machine.state_of("a fox") == ["refused"] and machine.engine.ledger.open_orders() == []
    machine.doubles.clear_faults()
    assert machine.run("a fox", delivery="now").report.completed
    assert machine.doubles.request_log()["paid_images"] == 1


def test_an_order_that_has_ended_can_not_be_cancelled_any_more(machine: Machine) -> None:
    """What was made meanwhile is collected."""
    machine.doubles.fault("steps=0", provider="google", match=NAME)
    machine.doubles.switch("google", "batch_poll", 503)
    placed = machine.run("a fox").tasks[0].order
    batch = next(iter(machine.doubles._router.batches.batches.values()))
    batch.state = "SUCCEEDED"
    batch.answers = [{"error": {"code": 8, "message": "too many"}, "metadata": {"key": "0"}}]
    found = machine.engine.orders.find(placed)
    assert found is not None
    found.cancel()
    machine.doubles.switch("google", "batch_poll", 0)
    end = machine.wait_for_end()
    assert not end.cancelled and end.failed == 1


def test_polls_that_fail_are_tried_again(machine: Machine) -> None:
    machine.doubles.switch("google", "batch_poll", 503)
    machine.run("a fox")
    polls = lambda: sum(call["outcome"] == 503 for call in machine.doubles.request_log()["free"])  # noqa: E731
    until(lambda: polls() > 2)
    machine.doubles.switch("google", "batch_poll", 0)
    assert machine.wait_for_end().images == 1


def unread_answers(monkeypatch: pytest.MonkeyPatch, unread: str) -> None:
    """From now on the double's answers about an order don't say how far it is."""
    whole = batches.json_reply

    def answer(status: int, value: Any) -> Any:
        if unread == "a state of next year":
            return whole(status, json.loads(json.dumps(value).replace("STATE_RUNNING", "STATE_MARINATING")))
        found = whole(status, value)
        page = b"<html><body>Please wait</body></html>"
        return replace(found, body=page if unread == "a page" else found.body[:-20])

    monkeypatch.setattr(batches, "json_reply", answer)


@pytest.mark.parametrize("unread", ["a page", "cut JSON", "a state of next year"])
def test_an_order_whose_answers_can_not_be_read_is_waited_for_and_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, unread: str
) -> None:
    """It may be made and paid. As soon as an answer can be read, it arrives."""
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    (task,) = machine.run("a fox").tasks
    with monkeypatch.context() as patched:
        unread_answers(patched, unread)
        found = machine.engine.orders.find(task.order)
        assert found is not None
        until(lambda: found.is_unread)
        again = machine.run("a fox")
        assert again.tasks[0].order == task.order
        assert [each for each in again.report.notices if "can't be read" in each and "72 hours" in each]
        assert machine.orders() == 1 and machine.state_of("a fox") == ["accepted"]
    machine.doubles.finish_batches()
    assert machine.wait_for_end().images == 1 and machine.doubles.request_log()["paid_images"] == 1
    assert len([entry for entry in caplog.records if "how far the order is" in entry.getMessage()]) == 1


def test_an_order_whose_answers_were_never_read_is_asked_about_and_its_last_answer_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    (task,) = machine.run("a fox").tasks
    with monkeypatch.context() as patched:
        unread_answers(patched, "a state of next year")
        found = machine.engine.orders.find(task.order)
        assert found is not None
        until(lambda: found.is_unread)
        found._status.paid_at -= gemini.KEPT_SECONDS  # three days pass
        end = machine.wait_for_end()
    assert (end.failed, end.resumable) == (1, 0), end.text
    (row,) = History(machine.engine.ledger).pictures("a fox")
    assert row.state == "unknown" and row.answer
    assert found.outcome.error is not None and "newer version" in found.outcome.error.cure
    kept = machine.engine.ledger.answers.read(row.answer.removesuffix(".answer"))
    assert kept is not None and b"MARINATING" in kept.body
    again = machine.run("a fox")
    assert again.tasks[0].error is not None and again.tasks[0].error.kind == "doubt"
    assert machine.orders() == 1


@pytest.mark.parametrize("by_file", [False, True])
def test_answers_in_a_state_of_next_year_are_taken(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, by_file: bool
) -> None:
    """What the answer shows says more than the name of its state."""
    shown = BatchRoutes._shown

    def renamed(routes: BatchRoutes, batch: Batch, **more: Any) -> dict[str, Any]:
        batch.inline = not by_file
        text = json.dumps(shown(routes, batch, **more)).replace("STATE_SUCCEEDED", "STATE_SUCCEEDED_GLADLY")
        value = json.loads(text)
        value.pop("done", None)
        return value

    with monkeypatch.context() as patched:
        patched.setattr(BatchRoutes, "_shown", renamed)
        machine.run("a fox", "a hare")
        assert machine.wait_for_end().images == 2


def test_an_order_that_the_provider_forgot_is_asked_about(machine: Machine) -> None:
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    machine.run("a fox")
    machine.doubles._router.batches.clear()
    end = machine.wait_for_end()
    assert end.failed == 1 and machine.state_of("a fox") == ["unknown"]


def test_a_list_that_lags_is_waited_for_however_often_somebody_asks(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that is hurried would find nothing, and the pictures would be ordered and paid again."""
    monkeypatch.setattr(order_creation, "SEARCH_PAUSES", (0.0, 0.6))
    read, searched = gemini.batches_of_page, list[float]()

    def lagging(reply: Reply) -> Any:
        searched.append(time.monotonic())
        machine.engine.recover()
        return read(reply) if searched[-1] > searched[0] + 0.4 else ({}, "")

    monkeypatch.setattr(gemini, "batches_of_page", lagging)
    machine.doubles.fault("drop=headers times=1", provider="google", match=NAME)
    assert machine.run("a fox").tasks[0].order
    assert machine.wait_for_end().images == 1 and machine.orders() == 1


def test_an_order_does_not_count_as_lost_sooner_because_somebody_asks(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(order, "LONGEST_PAUSE", 0.1)
    read, looks = gemini.failure, list[float]()

    def asked(job: Job, reply: Reply) -> Any:
        looks.append(time.monotonic())
        machine.engine.orders.poke()
        return read(job, reply)

    monkeypatch.setattr(gemini, "failure", asked)
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    machine.run("a fox")
    machine.doubles._router.batches.clear()
    assert machine.wait_for_end().failed == 1
    assert looks[-1] - looks[0] > 0.3


def test_answers_without_keys_keep_their_places_past_one_that_can_not_be_read(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a picture would be kept as that of another prompt."""
    monkeypatch.setattr(order_creation, "INLINE_ANSWERS", 0)
    read, lines = gemini.answer_of_line, list[bytes]()

    def keyless(job: Job, line: bytes) -> Any:
        lines.append(line)
        found = read(job, line)
        return None if len(lines) == 2 or found is None else replace(found, key="")

    monkeypatch.setattr(gemini, "answer_of_line", keyless)
    machine.run("a fox", "a hare", "an owl")
    end = machine.wait_for_end()
    assert (end.images, end.failed) == (2, 1)
    states = [machine.state_of(prompt) for prompt in ("a fox", "a hare", "an owl")]
    assert states == [["stored"], ["unknown"], ["stored"]]


def test_answers_whose_reading_breaks_off_are_read_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_creation, "INLINE_ANSWERS", 0)
    read, lines = gemini.answer_of_line, list[bytes]()

    def broken(job: Job, line: bytes) -> Any:
        lines.append(line)
        if len(lines) == 2:
            raise OSError("the drive is gone")
        return read(job, line)

    monkeypatch.setattr(gemini, "answer_of_line", broken)
    machine.run("a fox", "a hare", "an owl")
    end = machine.wait_for_end()
    assert (end.images, end.failed, end.reasons) == (3, 0, ())
    assert machine.doubles.request_log()["paid_images"] == 3


def test_pictures_of_an_old_order_that_can_not_be_stored_now_are_fetched_later(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order may take two days, and its answers are there after that."""
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    placed = machine.engine.orders.find(machine.run("a fox").tasks[0].order)
    assert placed is not None
    placed._status.paid_at -= 30 * 3600

    def full(fingerprint: str, data: bytes) -> None:
        raise LedgerFailed("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(machine.engine.ledger, "write_incoming", full)
        machine.doubles.finish_batches()
        assert machine.wait_for_end().failed == 1
    assert machine.state_of("a fox") == ["accepted"]
    machine.run("a fox")
    assert machine.wait_for_end(2).images == 1
    assert machine.orders() == 1 and machine.doubles.request_log()["paid_images"] == 1


def test_an_order_that_was_refused_never_looks_placed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(threading.Event):
        def set(self) -> None:
            super().set()
            time.sleep(0.3)

    start = OrderBook._start

    def slowly(book: OrderBook, placed: order.Order) -> order.Order:
        placed.settled = Slow()
        return start(book, placed)

    monkeypatch.setattr(OrderBook, "_start", slowly)
    machine.doubles.fault("status=400", provider="google", match=NAME)
    report = machine.run("a fox").report
    assert len(report.failed) == 1 and report.usd == 0


def test_what_a_cancelled_order_has_made_already_is_not_said_to_be_missing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    placed = machine.engine.orders.find(machine.run("a fox").tasks[0].order)
    assert placed is not None
    machine.doubles.switch("google", "batch_poll", 503)
    placed.cancel()
    until(lambda: placed.was_cancelled)
    monkeypatch.setattr(order_cancel, "CANCEL_SECONDS", 0.0)
    found = order_cancel.cancel_own(placed)
    assert (found.cancelled, found.ended) == (True, False) and "are charged" in found.text
    machine.doubles.switch("google", "batch_poll", 0)
    machine.wait_for_end()


@pytest.mark.parametrize("status", [403, 404])
def test_an_order_that_the_provider_does_not_cancel_is_not_said_to_be_cancelled_later(
    machine: Machine, status: int
) -> None:
    machine.doubles.fault("task=hang", provider="google", match=NAME)
    machine.doubles.switch("google", "batch_cancel", status)
    found_order = machine.engine.orders.find(machine.run("a fox").tasks[0].order)
    assert found_order is not None
    placed = found_order

    class Answered(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            until(lambda: placed.was_cancelled or not placed._cancel.is_set())
            return self.is_set()

    placed.done = Answered()
    found = order_cancel.cancel_own(placed)
    assert (found.cancelled, found.ended) == (False, False)
    assert f"HTTP {status}" in found.text and "as soon as" not in found.text
    machine.doubles.switch("google", "batch_cancel", 0)
    assert order_cancel.cancel_own(placed).cancelled


@pytest.mark.parametrize(("prompt", "words"), [("a fox", "arrived"), ("bad [[sim: status=400]]", "did not come")])
def test_cancelling_an_order_that_has_ended_says_what_became_of_it(machine: Machine, prompt: str, words: str) -> None:
    machine.doubles.switch("google", "batch_poll", 503)
    placed = machine.engine.orders.find(machine.run(prompt).tasks[0].order)
    assert placed is not None
    machine.doubles.switch("google", "batch_poll", 0)
    machine.wait_for_end()
    found = order_cancel.cancel_own(placed)
    assert (found.cancelled, found.ended) == (False, True)
    assert "before it could be cancelled" in found.text
    assert [each for each in ("arrived", "did not come") if each in found.text] == [words]


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (["a fox", "a hare"], "1 picture ordered at Google Gemini did not come (…): queue again, and"),
        (["a fox", "a hare", "bad [[sim: status=400]]"], "1 picture can still be fetched at no cost"),
    ],
)
def test_pictures_that_are_fetched_again_are_not_said_to_be_ordered_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, prompts: list[str], words: str
) -> None:
    """They are paid already, and the next run only fetches them."""
    write, written = machine.engine.ledger.write_incoming, list[str]()

    def full_at_first(fingerprint: str, data: bytes) -> None:
        written.append(fingerprint)
        if len(written) == 1:
            raise LedgerFailed("the disk is full")
        write(fingerprint, data)

    monkeypatch.setattr(machine.engine.ledger, "write_incoming", full_at_first)
    machine.run(*prompts)
    end = machine.wait_for_end()
    assert (end.images, end.failed) == (1, len(prompts) - 1)
    assert words in re.sub(r"did not come \(.*\):", "did not come (…):", end.text)
    assert "to order what is missing" not in end.text and "no cost" in end.text
    assert machine.state_of("a fox") == ["accepted"]
    machine.run(*prompts[:2])
    machine.wait_for_end(2)
    assert machine.orders() == 1 and machine.doubles.request_log()["paid_images"] == 2


# ------------------------------------------------------------------------------------------------- a run that is stopped


def started(machine: Machine, prompt: str) -> Run:
    wanted = [Request("generate", prompt, Options(delivery="batch"))]
    return machine.engine.run(wanted, machine.engine.plan(ProviderChoice("google"), wanted))


@pytest.mark.parametrize("when", ["before the last byte", "after it"])
def test_a_run_that_is_stopped_while_its_order_leaves_says_truly_whether_it_was_sent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    send, summaries = OrderSender.send, list[StopSummary]()
    runs, is_there = list[Run](), threading.Event()

    def stopping(sender: OrderSender, what: Send, **more: Any) -> Reply:
        def leaving() -> None:
            assert is_there.wait(30)
            if when == "before the last byte":
                summaries.append(runs[0].stop())
            last_byte()
            if when == "after it":
                summaries.append(runs[0].stop())

        last_byte = more.get("on_last_byte", lambda: None)
        return send(sender, what, **(more | {"on_last_byte": leaving} if what.paid else more))

    monkeypatch.setattr(OrderSender, "send", stopping)
    runs.append(started(machine, "a fox"))
    is_there.set()
    assert runs[0].done.wait(60)
    (task,), (summary,) = runs[0].tasks, summaries
    if when == "after it":
        assert summary.pending == 1 and summary.dropped == 0 and task.order
        assert machine.wait_for_end().images == 1 and machine.orders() == 1
    else:
        assert summary.dropped == 1 and summary.pending == 0
        assert task.error is not None and task.error.charged == "no" and not task.order
        assert machine.orders() == 0 and machine.state_of("a fox") == ["refused"]


def test_a_run_that_is_stopped_while_an_order_is_written_sends_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even once the references are encoded; and the run says so only when that is sure."""
    body, runs, begun, is_stopped = gemini.request_body, list[Run](), threading.Event(), threading.Event()

    def slow(job: Job) -> Any:
        begun.set()
        assert is_stopped.wait(30)
        return body(job)

    monkeypatch.setattr(gemini, "request_body", slow)
    runs.append(started(machine, "a fox"))
    assert begun.wait(30)
    summary = runs[0].stop()
    assert not runs[0].done.wait(0.3)
    is_stopped.set()
    assert runs[0].done.wait(60)
    (task,) = runs[0].tasks
    assert summary.dropped == 1 and task.error is not None and task.error.charged == "no"
    assert machine.orders() == 0 and not machine.state_of("a fox")


# ------------------------------------------------------------------------------------------------- unreadable answers


def answered(machine: Machine, change: Callable[[list[dict[str, Any]]], Any], *prompts: str, by_file: bool) -> None:
    """Orders pictures whose answers `change` alters at the provider, in place or by giving the bytes of their file."""
    ended, make = threading.Event(), BatchRoutes._end

    def end(routes: BatchRoutes, call: Any, batch: Batch) -> None:
        batch.inline = not by_file
        save = routes._save
        if by_file:
            routes._save = lambda call, content: save(
                call, change(batch.answers) or b"\n".join(lines(batch.answers)) + b"\n"
            )
        try:
            make(routes, call, batch)
        finally:
            routes._save = save
        if not by_file:
            change(batch.answers)
        ended.set()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BatchRoutes, "_end", end)
        machine.run(*prompts)
        assert ended.wait(60)
    assert machine.orders() == 1


def lines(answers: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(answer).encode() for answer in answers]


def cut_line(answers: list[dict[str, Any]]) -> bytes:
    """The second answer ends in the middle."""
    found = lines(answers)
    return b"\n".join([found[0], found[1][:-40], *found[2:]]) + b"\n"


def no_picture(answers: list[dict[str, Any]]) -> None:
    answers[1]["response"] = {"candidates": [{"content": {"parts": [{"pixels": "of a new kind"}]}}]}


def no_object(answers: list[dict[str, Any]]) -> None:
    answers[1] = "7"  # type: ignore[call-overload]


def no_image(answers: list[dict[str, Any]]) -> None:
    answers[1]["response"]["candidates"][0]["content"]["parts"] = [
        {"inlineData": {"mimeType": "image/png", "data": "bm8gcGljdHVyZQ=="}}
    ]


@pytest.mark.parametrize(
    ("change", "by_file"),
    [(cut_line, True), (no_picture, False), (no_picture, True), (no_object, False), (no_image, False)],
)
def test_an_answer_that_can_not_be_read_is_kept_and_asked_about(
    machine: Machine, change: Callable[[list[dict[str, Any]]], Any], by_file: bool
) -> None:
    """It may have been paid: its row says why, its bytes are here, and the answers beside it are taken."""
    answered(machine, change, "a fox", "a hare", "an owl", by_file=by_file)
    end = machine.wait_for_end()
    assert (end.images, end.failed) == (2, 1) and end.reasons
    (row,) = History(machine.engine.ledger).pictures("a hare")
    assert row.state == "unknown" and row.usd == pytest.approx(HALF) and row.reason and row.answer
    kept = machine.engine.ledger.answers.path(row.answer.removesuffix(".answer"))
    assert kept.is_file() and kept.stat().st_size > 100
    assert [machine.state_of(prompt) for prompt in ("a fox", "an owl")] == [["stored"], ["stored"]]
    assert not list((machine.engine.home / "orders").iterdir())
    refused = machine.run("a hare").report.failed  # the user is asked first
    assert [task.error.charged for task in refused if task.error] == ["maybe"] and machine.orders() == 1


def test_a_kept_answer_of_an_order_is_read_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a version that knows its shape; the others of the order are left alone, and nothing is asked or paid."""
    parse = gemini.answer_of

    def unknown(job: Job, value: Any, reply: Reply) -> Any:
        return gemini.BatchAnswer("1", gemini.Failed(gemini.unreadable(reply)))

    with monkeypatch.context() as patched:
        patched.setattr(
            gemini, "answer_of", lambda *given: unknown(*given) if "1" in str(given[1]["metadata"]) else parse(*given)
        )
        machine.run("a fox", "a hare", "bad [[sim: refuse]]")
        assert machine.wait_for_end().failed == 2
    (row,) = History(machine.engine.ledger).pictures("a hare")
    before = len(machine.doubles.request_log()["free"])
    found = machine.engine.read_again(row.uid)
    assert (found.images, found.reason) == (1, "")
    assert machine.state_of("a hare") == ["stored"] and machine.state_of("bad") == ["unknown"]
    assert len(machine.doubles.request_log()["free"]) == before and machine.doubles.request_log()["paid_images"] == 2
    branch = machine.engine.branch_after(machine.run("a hare").tasks[0])
    assert branch.last.parts, "its turn came with it"


def test_an_answer_that_is_still_unreadable_stays_kept(machine: Machine) -> None:
    answered(machine, no_picture, "a fox", "a hare", by_file=False)
    machine.wait_for_end()
    (row,) = History(machine.engine.ledger).pictures("a hare")
    found = machine.engine.read_again(row.uid)
    assert found.images == 0 and found.reason
    (again,) = History(machine.engine.ledger).pictures("a hare")
    assert (again.state, again.answer, again.usd) == ("unknown", row.answer, row.usd)
    History(machine.engine.ledger).forget([row.uid])
    assert not list((machine.engine.home / "results" / "unreadable").glob("*.answer"))


def test_an_answer_that_can_be_neither_read_nor_kept_is_fetched_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of answers stays, and stands for the provider's where that is gone."""
    with monkeypatch.context() as patched:
        patched.setattr(machine.engine.ledger, "keep_answer", lambda *given: None)
        answered(machine, cut_line, "a fox", "a hare", "an owl", by_file=True)
        end = machine.wait_for_end()
    assert (end.images, end.failed, end.resumable) == (2, 1, 1)
    assert machine.state_of("a hare") == ["accepted"]
    (file,) = (machine.engine.home / "orders").iterdir()
    assert file.suffix == ".answers" and len(file.read_bytes().splitlines()) == 3
    machine.doubles.switch("google", "download", 404)
    machine.engine.recover(however_old=True)
    assert machine.wait_for_end(2).failed == 1
    (row,) = History(machine.engine.ledger).pictures("a hare")
    assert row.state == "unknown" and row.answer
    assert not list((machine.engine.home / "orders").iterdir())


def test_an_answer_is_never_taken_for_that_of_a_picture_which_has_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read again has the answers of all pictures of the order, unreadable ones too."""

    def broken(answers: list[dict[str, Any]]) -> bytes:
        first, *others = lines(answers)
        return b"\n".join([first, *(each[:-1] for each in others)]) + b"\n"

    keep = machine.engine.ledger.keep_answer
    with monkeypatch.context() as patched:
        patched.setattr(
            machine.engine.ledger,
            "keep_answer",
            lambda name, *given: None if name.endswith("-2") else keep(name, *given),
        )
        answered(machine, broken, "a fox", "a hare", "an owl", by_file=True)
        assert machine.wait_for_end().resumable == 1
    assert [machine.state_of(prompt) for prompt in ("a hare", "an owl")] == [["unknown"], ["accepted"]]
    machine.engine.recover(however_old=True)
    assert machine.wait_for_end(2).failed == 1
    (row,) = History(machine.engine.ledger).pictures("an owl")
    kept = machine.engine.ledger.answers.read(row.answer.removesuffix(".answer"))
    assert row.state == "unknown" and kept is not None and gemini.key_in(kept.body) == "2"


def test_the_answers_of_one_order_push_each_other_out_of_no_folder(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room for all of them, the file of answers stays."""
    monkeypatch.setattr(kept_answers, "MAX_FOLDER_BYTES", 1500)

    def unreadable(answers: list[dict[str, Any]]) -> bytes:
        return b"\n".join(each[:200] for each in lines(answers)) + b"\n"

    prompts = [f"hare {number}" for number in range(8)]
    answered(machine, unreadable, *prompts, by_file=True)
    end = machine.wait_for_end()
    rows = [row for prompt in prompts for row in History(machine.engine.ledger).pictures(prompt)]
    kept = [row for row in rows if row.state == "unknown"]
    assert 0 < len(kept) < 8 and end.resumable == 8 - len(kept)
    assert all(machine.engine.ledger.answers.has(row.answer.removesuffix(".answer")) for row in kept)
    assert [file.suffix for file in (machine.engine.home / "orders").iterdir()] == [".answers"]


def test_a_fault_of_ours_in_one_answer_keeps_no_other_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that one is asked for again by the next recovery, at no cost."""
    choose, seen = order_answers.choose_results, list[int]()

    def failing(*given: Any) -> Any:
        seen.append(1)
        if len(seen) == 2:
            raise ZeroDivisionError
        return choose(*given)

    monkeypatch.setattr(order_answers, "choose_results", failing)
    machine.run("a fox", "a hare", "an owl")
    end = machine.wait_for_end()
    assert (end.images, end.failed, end.resumable) == (2, 1, 1)
    machine.engine.recover()
    assert machine.wait_for_end(2).images == 1 and machine.doubles.request_log()["paid_images"] == 3


def test_an_order_that_says_that_it_is_done_and_shows_no_answers_is_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = BatchRoutes._shown

    def elsewhere(routes: BatchRoutes, batch: Batch, **more: Any) -> dict[str, Any]:
        return json.loads(json.dumps(shown(routes, batch, **more)).replace("inlinedResponses", "answersOfANewKind"))

    with monkeypatch.context() as patched:
        patched.setattr(BatchRoutes, "_shown", elsewhere)
        machine.run("a fox", "a hare")
        assert machine.wait_for_end().failed == 2
    (row,) = History(machine.engine.ledger).pictures("a fox")
    assert row.state == "unknown" and row.answer
    kept = machine.engine.ledger.answers.read(row.answer.removesuffix(".answer"))
    assert kept is not None and b"answersOfANewKind" in kept.body
    assert machine.engine.read_again(row.uid).images == 0
    assert machine.state_of("a fox") == ["unknown"]


# ------------------------------------------------------------------------------------------------- conversations


def test_a_conversation_goes_on_from_pictures_of_orders(machine: Machine) -> None:
    """By their turns, with the signatures, references and words that were sent; each may be made now or by an order."""
    engine = machine.engine
    options = Options(delivery="batch", with_text=True)
    reference = Picture.of(np.full((32, 32, 3), 90, np.uint8))

    def run(asked: Request) -> Run:
        found = engine.run([asked], engine.plan(ProviderChoice("google"), [asked]))
        assert found.done.wait(60) and found.error is None
        return found

    def branch_of(asked: Request, ends: int) -> Branch:
        """Orders a picture, waits for it, and takes it from the store."""
        assert run(asked).tasks[0].order
        assert machine.wait_for_end(ends).images == 1
        task = run(asked).tasks[0]
        assert task.source == "store"
        return engine.branch_after(task)

    first = branch_of(Request("edit", "redraw it", options, references=(reference,)), 1)
    assert first.last.parts and first.base_url
    second = branch_of(Request("edit", "and now", options, branch=first), 2)
    last = run(Request("edit", "at last", Options(), branch=second))
    assert last.tasks[0].result and not [each for each in last.report.notices if "not sent as such" in each]
    (entry,) = machine.doubles.request_log("at last")["requests"]
    assert [turn["role"] for turn in entry["fields"]["contents"]] == ["user", "model", "user", "model", "user"]
    assert len(entry["references"]) == 3
    found = engine.branch_of(second.last.picture.file.partition(".")[0])
    assert found is not None and [turn.prompt for turn in found.turns] == ["redraw it", "and now"]
    assert not list((engine.home / "results" / "ordered").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_picture_that_another_process_has_ordered_keeps_its_turn(tmp_path: Path, doubles: Doubles) -> None:
    home = tmp_path / "home"
    doubles.fault("task=hang", provider="google", match=NAME)
    killed(home, doubles, "accepted")
    machine = Machine(home, doubles)
    machine.engine.recover()
    doubles.finish_batches()
    assert machine.wait_for_end().images == 3
    branches = [machine.engine.branch_after(task) for task in machine.run("fox 0 [[sim: small]]").tasks]
    assert [turn.prompt for turn in branches[0].turns] == ["fox 0 [[sim: small]]"] and branches[0].last.parts
    assert not list((home / "results" / "ordered").iterdir())


def test_a_picture_that_an_order_did_not_make_leaves_nothing_of_its_request(machine: Machine) -> None:
    wanted = [
        Request(
            "edit",
            "[[sim: status=400]] redraw",
            Options(delivery="batch"),
            references=(Picture.of(np.full((32, 32, 3), 90, np.uint8)),),
        )
    ]
    run = machine.engine.run(wanted, machine.engine.plan(ProviderChoice("google"), wanted))
    assert run.done.wait(60) and run.tasks[0].order
    assert machine.wait_for_end().failed == 1
    results = machine.engine.home / "results"
    assert not list((results / "ordered").iterdir()) and not list((results / "references").glob("*/*"))


def test_drafts_of_an_order_come_with_its_picture(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once each, although the process ended between them and the picture."""
    store, failed = machine.engine.ledger.mark_stored, list[int]()

    def full_at_first(*given: Any, **more: Any) -> None:
        failed.append(1)
        if len(failed) == 1:
            raise LedgerFailed("the disk is full")
        store(*given, **more)

    monkeypatch.setattr(machine.engine.ledger, "mark_stored", full_at_first)
    wanted = [Request("generate", "[[sim: drafts=2]] a fox", Options(delivery="batch"))]

    def run() -> Run:
        asked = machine.engine.run(
            wanted, machine.engine.plan(ProviderChoice("google", "nano-banana-2.1"), wanted), wants_drafts=True
        )
        assert asked.done.wait(60) and asked.error is None
        return asked

    run()
    machine.wait_for_end()
    run()
    if machine.state_of("fox") != ["stored"]:
        machine.wait_for_end(2)
    task = run().tasks[0]
    assert task.source == "store" and len(task.drafts) == 2


FAULTS = st.lists(
    st.sampled_from(["status=503 times=1", "status=500 times=1", "drop=headers times=1", "drop=upload times=1"]),
    max_size=3,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(FAULTS, st.sampled_from(["", "task=expired", "task=fail"]), st.integers(1, 3))
def test_whatever_happens_every_picture_is_paid_once(
    tmp_path_factory: pytest.TempPathFactory, server: Doubles, faults: list[str], ending: str, count: int
) -> None:
    """Queued again and again, as a person would: in the end all are here, each paid once."""
    server.reset()
    for fault in [*faults, *([f"{ending} times=1"] if ending else [])]:
        server.fault(fault, provider="google", match=NAME)
    machine = Machine(tmp_path_factory.mktemp("home"), server)
    for _ in range(8):
        run = machine.run("a fox", count=count)
        if len(run.report.completed) == count:
            break
        until(lambda: not machine.engine.ledger.open_orders())
    else:
        raise AssertionError("it never arrived")
    assert server.request_log()["paid_images"] == count


# ------------------------------------------------------------------------------------------------- SIGKILL

_CHILD = """
from pack.core.engine import Engine
from pack.core.execution.call_journal import CallJournal
from pack.core.execution.orders import order, order_file
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Options, Request
order.FIRST_PAUSE = order.LONGEST_PAUSE = 0.05
environ = {"NANO_BANANA_GOOGLE_API_KEY": "sim-mine", "NANO_BANANA_GOOGLE_BASE_URL": sys.argv[3]}
engine = Engine(Path(sys.argv[2]), environ=environ)
if sys.argv[4] == "writing":
    def write(self, requests):
        print("there", flush=True)
        time.sleep(600)
    order_file.OrderFile.write = write
if sys.argv[4] in ("turn", "incoming"):
    stop_at_second(CallJournal, {"turn": "write_incoming", "incoming": "store"}[sys.argv[4]])
if sys.argv[4] == "answers":
    stop_at_second(engine.ledger, "mark_stored")
wanted = [Request("generate", f"fox {n} [[sim: small]]", Options(delivery="batch"), frame=n) for n in range(3)]
run = engine.run(wanted, engine.plan(ProviderChoice("google"), wanted))
run.done.wait(60)
print("ordered", flush=True)
time.sleep(600)
"""


def killed(home: Path, doubles: Doubles, state: str, reached: Callable[[], Any] | None = None) -> None:
    """A process that orders three pictures and is killed in a state."""
    line = "ordered" if state == "accepted" else "there"
    kill(
        _CHILD,
        str(home),
        doubles.base_url("google"),
        state,
        reached=line if reached is None else lambda: until(reached),
    )


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("state", ["writing", "sent", "accepted", "turn", "incoming", "answers"])
def test_a_killed_process_loses_nothing_and_pays_nothing_twice(tmp_path: Path, doubles: Doubles, state: str) -> None:
    """And each picture has its turn, once."""
    home = tmp_path / "home"
    made = lambda: any(call["kind"] == "batch" for call in doubles.request_log()["free"])  # noqa: E731
    if state == "sent":
        doubles.fault("hold", provider="google", match=NAME)
    elif state == "accepted":
        doubles.fault("task=hang", provider="google", match=NAME)
    killed(home, doubles, state, made if state == "sent" else None)
    doubles.release()
    doubles.finish_batches()
    machine = Machine(home, doubles)
    assert machine.engine.recover().wait(30)
    prompts = [f"fox {number} [[sim: small]]" for number in range(3)]
    if state == "writing":
        assert machine.orders() == 0
        machine.run(*prompts)
    machine.wait_for_end()
    run = machine.run(*prompts)
    assert [task.source for task in run.report.completed] == ["store"] * 3
    assert machine.orders() == 1 and doubles.request_log()["paid_images"] == 3
    assert all(machine.engine.branch_after(task).last.can_be_sent for task in run.tasks)
    machine.engine.sweep(lambda: None)
    assert all(machine.engine.branch_after(task).last.can_be_sent for task in run.tasks)
    assert len(list((home / "results").glob("*/*.turn.json"))) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_an_order_that_never_arrived_before_the_end_of_its_process_cost_nothing(
    tmp_path: Path, doubles: Doubles
) -> None:
    home = tmp_path / "home"
    doubles.fault("hold", provider="google", match=NAME)
    killed(home, doubles, "sent", lambda: any(call["kind"] == "batch" for call in doubles.request_log()["free"]))
    doubles.reset()  # the provider has nothing of it
    machine = Machine(home, doubles)
    machine.engine.recover()
    end = machine.wait_for_end()
    assert (end.images, end.failed) == (0, 3) and "never arrived" in end.text
    assert set(machine.state_of("fox")) == {"refused"}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_the_list_of_another_key_does_not_say_that_an_order_never_arrived(tmp_path: Path, doubles: Doubles) -> None:
    home = tmp_path / "home"
    doubles.fault("hold", provider="google", match=NAME)
    killed(home, doubles, "sent", lambda: any(call["kind"] == "batch" for call in doubles.request_log()["free"]))
    doubles.reset()  # the other account has nothing of it
    elsewhere = Machine(home, doubles, NANO_BANANA_GOOGLE_API_KEY="sim-other")
    elsewhere.engine.recover()
    end = elsewhere.wait_for_end()
    assert (end.images, end.failed) == (0, 3) and "another one" in end.text
    assert "refused" not in elsewhere.state_of("fox")
    elsewhere.engine.ledger.close()
    machine = Machine(home, doubles)
    machine.engine.recover()
    assert "never arrived" in machine.wait_for_end().text


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_without_its_key_an_order_waits(tmp_path: Path, doubles: Doubles) -> None:
    home = tmp_path / "home"
    doubles.fault("task=hang", provider="google", match=NAME)
    killed(home, doubles, "accepted")
    doubles.finish_batches()
    elsewhere = Machine(home, doubles, NANO_BANANA_GOOGLE_API_KEY="")
    elsewhere.engine.recover().wait(30)
    assert [found.pictures for found in elsewhere.engine.ledger.open_orders()] == [3] and elsewhere.ends == []
    elsewhere.engine.ledger.close()
    machine = Machine(home, doubles)
    machine.engine.recover()
    assert machine.wait_for_end().images == 3


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_run_that_fails_does_not_take_back_an_order_that_it_has_resumed(
    tmp_path: Path, doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order goes on: its pictures are stored by it, and nobody else waits for it meanwhile."""
    home = tmp_path / "home"
    doubles.fault("task=hang", provider="google", match=NAME)
    killed(home, doubles, "accepted")
    machine = Machine(home, doubles)

    def full(self: OrderPlacing, *given: Any) -> None:
        raise LedgerFailed("the disk is full")

    monkeypatch.setattr(OrderPlacing, "place", full)
    with pytest.raises(LedgerFailed):
        machine.run("fox 0 [[sim: small]]", "a hare")
    (found,) = History(machine.engine.ledger).pictures("fox 0")
    assert found.running and found.state == "accepted"
    doubles.finish_batches()
    end = machine.wait_for_end()
    assert (end.images, end.failed) == (3, 0) and len(machine.ends) == 1


def test_files_that_ended_processes_left_are_deleted_once_they_are_old(machine: Machine) -> None:
    folder = machine.engine.home / "orders"
    folder.mkdir(parents=True)
    for name, age in (("old.requests", gemini.KEPT_SECONDS + 60), ("young.requests", 60.0)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age,) * 2)
    machine.engine.recover()
    assert [file.name for file in folder.iterdir()] == ["young.requests"]


# ------------------------------------------------------------------------------------------------- memory


def test_the_references_of_an_order_are_freed_as_they_are_written(machine: Machine) -> None:
    """A thousand frames must not be in memory as files at once."""
    pictures = [
        Picture(lambda n=n: np.full((64, 64, 3), n, np.uint8), 64, 64, 3)  # type: ignore[misc]
        for n in range(20)
    ]
    wanted = [
        Request("edit", "[[sim: small]] redraw", Options(delivery="batch"), references=(each,), frame=frame)
        for frame, each in enumerate(pictures)
    ]
    run = machine.engine.run(wanted, machine.engine.plan(ProviderChoice("google"), wanted))
    assert run.done.wait(60) and run.error is None
    assert not any(picture._encoded for picture in pictures)
    assert machine.wait_for_end().images == 20


# ------------------------------------------------------------------------------------------------- answers

NAMES = st.sampled_from(
    [
        "name",
        "metadata",
        "state",
        "response",
        "output",
        "inlinedResponses",
        "responsesFile",
        "batchStats",
        "done",
        "error",
    ]
    + ["operations", "displayName", "nextPageToken", "requestCount", "key", "code", "message", "file", "x"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, json_values))
def test_no_answer_breaks_the_reading(value: dict[str, Any]) -> None:
    reply = Reply(200, {}, json.dumps(value).encode())
    status = gemini.status_of(reply)
    assert status is None or status.state
    assert "/" not in gemini.created_batch(reply).removeprefix("batches/")
    page = gemini.batches_of_page(reply)
    assert page is not None and all(name.startswith("batches/") for name in page[0].values())
    gemini.uploaded_file(reply)


@pytest.mark.parametrize(
    ("state", "expected"),
    [("BATCH_STATE_RUNNING", "running"), ("JOB_STATE_PARTIALLY_SUCCEEDED", "succeeded"), ("BATCH_STATE_NEW", None)],
)
def test_states_are_read_in_either_spelling(state: str, expected: str | None) -> None:
    """One that nobody documents is waited for."""
    status = gemini.status_of(Reply(200, {}, json.dumps({"metadata": {"state": state}}).encode()))
    assert (status.state if status else None) == expected
