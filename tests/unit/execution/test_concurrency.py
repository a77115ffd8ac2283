"""How many calls run at a time per provider, on threads that hold nobody up."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.execution.concurrency import ConcurrencyLimiter, QueuedCall

ROOT = Path(__file__).resolve().parents[3]


class Work:
    """A call that says when it has begun and ends when it may."""

    def __init__(self, free: bool = False) -> None:
        self.begun, self.may_end, self.ended = threading.Event(), threading.Event(), threading.Event()
        if free:
            self.may_end.set()

    def __call__(self) -> None:
        self.begun.set()
        assert self.may_end.wait(60)
        self.ended.set()


def settled(limiter: ConcurrencyLimiter) -> bool:
    """Whether all calls have gone within a few seconds; the last steps of a thread have no event of their own."""
    end = time.monotonic() + 30
    while limiter.running_count() and time.monotonic() < end:
        time.sleep(0.002)
    return limiter.running_count() == 0


def test_no_more_than_the_limit_run_and_the_others_follow_in_order() -> None:
    """Two at a time; the third begins when one ends."""
    limiter, works = ConcurrencyLimiter(), [Work() for _ in range(4)]
    for work in works:
        limiter.submit("p", QueuedCall(work, 2))
    assert works[0].begun.wait(30) and works[1].begun.wait(30)
    assert limiter.running_count() == 2 and not works[2].begun.is_set()
    works[1].may_end.set()
    assert works[2].begun.wait(30) and not works[3].begun.is_set() and limiter.running_count() == 2
    for work in works:
        work.may_end.set()
    assert works[3].begun.wait(30) and settled(limiter)


def test_providers_do_not_wait_for_each_other() -> None:
    """One full lane holds up nobody else's."""
    limiter, slow, other = ConcurrencyLimiter(), Work(), Work(free=True)
    limiter.submit("a", QueuedCall(slow, 1))
    limiter.submit("b", QueuedCall(other, 1))
    assert other.ended.wait(30) and not slow.ended.is_set()
    slow.may_end.set()
    assert settled(limiter)


def test_what_waits_can_be_dropped_and_what_runs_cannot() -> None:
    """A dropped call never begins; dropping twice is no error."""
    limiter, running, waiting, last = ConcurrencyLimiter(), Work(), Work(free=True), Work(free=True)
    first = limiter.submit("p", QueuedCall(running, 1))
    queued = limiter.submit("p", QueuedCall(waiting, 1))
    limiter.submit("p", QueuedCall(last, 1))
    assert running.begun.wait(30)
    assert limiter.withdraw("p", queued) and limiter.withdraw("p", queued) and not limiter.withdraw("p", first)
    running.may_end.set()
    assert last.ended.wait(30) and not waiting.begun.is_set() and settled(limiter)


def test_of_two_equal_calls_the_one_that_was_meant_is_dropped() -> None:
    """Tickets are themselves, not what they hold."""
    limiter, running = ConcurrencyLimiter(), Work()
    counted: list[int] = []
    lock = threading.Lock()

    def count() -> None:
        with lock:
            counted.append(1)

    limiter.submit("p", QueuedCall(running, 1))
    assert running.begun.wait(30)
    first, second = limiter.submit("p", QueuedCall(count, 1)), limiter.submit("p", QueuedCall(count, 1))
    assert limiter.withdraw("p", second) and not first.withdrawn
    running.may_end.set()
    assert settled(limiter)
    assert first.started and not second.started and counted == [1]


def test_a_call_that_is_only_collected_gives_its_place_back_once() -> None:
    """The next one begins; when the first ends at last, the count doesn't go below what runs."""
    limiter, hanging, second, third = ConcurrencyLimiter(), Work(), Work(), Work(free=True)
    queued = limiter.submit("p", QueuedCall(hanging, 1))
    limiter.submit("p", QueuedCall(second, 1))
    limiter.submit("p", QueuedCall(third, 1))
    assert hanging.begun.wait(30)
    limiter.release("p", queued)
    limiter.release("p", queued)
    assert second.begun.wait(30) and limiter.running_count() == 1
    hanging.may_end.set()
    assert hanging.ended.wait(30)
    assert limiter.running_count() == 1 and not third.begun.is_set()
    second.may_end.set()
    assert third.ended.wait(30) and settled(limiter)


def test_an_answered_call_makes_room_unless_as_many_are_busy_with_theirs() -> None:
    """One at a time: the second begins, the third only when the first has done all; a place is given back once."""
    limiter, works = ConcurrencyLimiter(), [Work() for _ in range(4)]
    queued = [limiter.submit("p", QueuedCall(work, 1)) for work in works]
    assert works[0].begun.wait(30)
    limiter.finish("p", queued[0])
    limiter.finish("p", queued[0])
    assert works[1].begun.wait(30) and limiter.running_count() == 1
    limiter.finish("p", queued[1])
    assert limiter.running_count() == 1 and not works[2].begun.is_set()
    works[0].may_end.set()
    assert works[0].ended.wait(30) and not works[2].begun.is_set()
    works[1].may_end.set()
    assert works[2].begun.wait(30) and not works[3].begun.is_set()
    limiter.finish("p", queued[2])
    assert works[3].begun.wait(30)
    for work in works:
        work.may_end.set()
    assert settled(limiter)


def test_an_answered_call_goes_on_where_the_system_has_no_thread_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next begins when it ends."""

    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    limiter, first, second = ConcurrencyLimiter(), Work(), Work(free=True)
    queued = [limiter.submit("p", QueuedCall(work, 1)) for work in (first, second)]
    assert first.begun.wait(30)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_thread)
        limiter.finish("p", queued[0])
    assert limiter.running_count() == 0 and not second.begun.is_set()
    first.may_end.set()
    assert second.ended.wait(30) and settled(limiter)


def test_leaving_before_the_turn_has_come_changes_nothing() -> None:
    """It still gets its turn."""
    limiter, running, waiting = ConcurrencyLimiter(), Work(), Work(free=True)
    limiter.submit("p", QueuedCall(running, 1))
    limiter.release("p", limiter.submit("p", QueuedCall(waiting, 1)))
    running.may_end.set()
    assert waiting.ended.wait(30) and settled(limiter)


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_whatever_the_limits_everything_runs_and_none_is_exceeded(limits: list[int]) -> None:
    """Each call's own limit holds at its start; a limit of 0 counts as 1."""
    limiter, lock = ConcurrencyLimiter(), threading.Lock()
    running = 0
    over: list[str] = []
    left = threading.Semaphore(0)

    def work(limit: int) -> None:
        nonlocal running
        with lock:
            running += 1
            if running > max(1, limit):
                over.append(f"{running} > {limit}")
        with lock:
            running -= 1
        left.release()

    for limit in limits:
        limiter.submit("p", QueuedCall(lambda limit=limit: work(limit), limit))  # type: ignore[misc]
    assert all(left.acquire(timeout=30) for _ in limits)
    assert not over and settled(limiter)


def test_a_process_ends_although_a_call_hangs_but_waits_for_a_short_one() -> None:
    """Daemon threads: Ctrl+C and exit work; atexit gives paid calls a moment."""
    program = """
import sys, threading, time
sys.path.insert(0, "tests")
import conftest
from pack.core.execution import concurrency
concurrency.EXIT_SECONDS = 2
line = concurrency.ConcurrencyLimiter()
line.submit("p", concurrency.QueuedCall(lambda: (time.sleep(0.2), print("short done", flush=True)), 2))
line.submit("p", concurrency.QueuedCall(lambda: time.sleep(600), 2))
"""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-B", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert "short done" in ended.stdout and time.monotonic() - began < 60
