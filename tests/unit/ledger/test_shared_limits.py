"""A key's limit of requests at a time, and its pauses, hold for all machines that share a journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from journal_driver import decide_stalled_row
from pack.core.errors import ProviderFailure
from pack.core.execution.concurrency import ConcurrencyLimiter, QueuedCall
from pack.core.execution.rate_limit import CallThrottle, RateLimits
from pack.core.ledger.journal import Journal
from pack.core.ledger.postgres_address import PostgresAddress
from postgres_server import PostgresServer

Machines = Callable[[], Journal]


@pytest.fixture
def machine(postgres: PostgresServer, tmp_path: Path) -> Iterator[Machines]:
    """Makes one more machine of a farm that this test has for itself."""
    schema = f"limits_{time.monotonic_ns()}"
    postgres.run(f"CREATE SCHEMA {schema}")
    made: list[Journal] = []

    def make() -> Journal:
        address = PostgresAddress("the test", postgres.url(schema))
        journal = Journal(
            tmp_path / str(len(made)), tmp_path / "results", decide_stalled=decide_stalled_row, address=address
        )
        assert journal.ownership.id
        made.append(journal)
        return journal

    yield make
    for journal in made:
        journal.close()
    postgres.run(f"DROP SCHEMA {schema} CASCADE")


def account(name: str) -> str:
    """Another key in each run: the locks are those of the server."""
    return f"onerouter https://x.example {name} {time.monotonic_ns()}"


def test_as_many_requests_run_at_a_time_as_the_key_allows_on_all_machines_together(machine: Machines) -> None:
    """Sixteen calls on two machines with a limit of three. All of them run, and another key isn't held up."""
    key = account("a")
    limiters = [ConcurrencyLimiter(machine().shared_limits) for _ in range(2)]
    lock, full = threading.Lock(), threading.Event()
    running, most, ended = 0, 0, threading.Semaphore(0)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 3:
                full.set()
        full.wait(60)
        with lock:
            running -= 1
        ended.release()

    for _ in range(8):
        for limiter in limiters:
            limiter.submit(key, QueuedCall(work, 3))
    other = threading.Event()
    limiters[0].submit(account("b"), QueuedCall(other.set, 1))
    assert other.wait(60)
    for _ in range(16):
        assert ended.acquire(timeout=60)
    assert most == 3
    third = machine().shared_limits
    assert all(third.acquire(key, 3, lambda: False) for _ in range(3)), "a permit was released less often than acquired"


def test_a_call_that_waits_for_a_permit_can_be_withdrawn(machine: Machines) -> None:
    """It never begins; the next one gets the permit when the other machine's request has ended."""
    key, let_go, begun = account("a"), threading.Event(), threading.Event()
    first, second = (ConcurrencyLimiter(machine().shared_limits) for _ in range(2))

    def hold() -> None:
        begun.set()
        let_go.wait(60)

    first.submit(key, QueuedCall(hold, 1))
    assert begun.wait(60)
    ran: list[str] = []
    waiting = second.submit(key, QueuedCall(lambda: ran.append("withdrawn"), 1))
    assert second.withdraw(key, waiting) and second.withdraw(key, waiting)
    done = threading.Event()
    second.submit(key, QueuedCall(done.set, 1))
    assert not done.wait(0.2)
    let_go.set()
    assert done.wait(60) and ran == []


def test_a_machine_that_has_ended_holds_no_permit(machine: Machines, postgres: PostgresServer) -> None:
    """The server ends its connection, and whoever waits finds a free permit by itself."""
    key = account("a")
    ended, other = machine().shared_limits, machine().shared_limits
    permit = ended.acquire(key, 1, lambda: False)
    assert permit is not None
    connection: Any = ended._connection
    postgres.run(f"SELECT pg_terminate_backend({connection.connection.driver_connection.info.backend_pid})")
    assert other.acquire(key, 1, lambda: False) is not None
    ended.release(permit)  # it is another's now
    looks = iter([False, False, True])
    assert ended.acquire(key, 1, lambda: next(looks, True)) is None


def test_without_a_server_calls_are_limited_as_ever(tmp_path: Path) -> None:
    journal = Journal(tmp_path, decide_stalled=decide_stalled_row)
    limiter = ConcurrencyLimiter(journal.shared_limits)
    done = threading.Event()
    queued = limiter.submit("key", QueuedCall(done.set, 1))
    assert queued.started and done.wait(60) and not journal.shared_limits.active
    assert not (tmp_path / "journal.sqlite").exists()
    journal.close()


def test_a_pause_is_one_for_all_machines(machine: Machines) -> None:
    """One is refused with a hint, the other waits as long; with another key it doesn't. Nothing of the key is announced."""
    key, other_key = (SimpleNamespace(account=account(name)) for name in "ab")
    limits = [RateLimits() for _ in range(2)]
    journals = [machine(), machine()]
    for each, journal in zip(limits, journals, strict=True):
        each.share(journal.shared_limits)
    here, there, elsewhere = limits[0].of(key), limits[1].of(key), limits[1].of(other_key)
    throttle = CallThrottle(here, 600.0)
    assert throttle.acquire() is None
    throttle.record_refusal(ProviderFailure("rate", "slow down", 429), 120.0)
    end = time.monotonic() + 60
    while not there.remaining:
        assert time.monotonic() < end, "it never heard of the pause"
        there.wait(0.05)
    assert 60 < there.remaining <= here.remaining + 1 and there.hint and not elsewhere.remaining
    assert there.try_acquire(CallThrottle(there, 600.0)) is None
    assert elsewhere.try_acquire(CallThrottle(elsewhere, 600.0)) is not None
