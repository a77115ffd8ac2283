"""Refusals that surely cost nothing are waited for, over real sockets: what the provider saw, what the user was told."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from dialect_driver import PNG, QUICK_SPECS, request
from pack.core.engine import Engine
from pack.core.execution.rate_limit import RateLimits
from pack.core.execution.retry_policy import WaitPolicy
from pack.core.execution.run import Run
from pack.core.ledger.schema import picture
from pack.core.planning.choice import ProviderChoice
from pack.tests.raw_server import Connection, RawServer, serving
from sqlalchemy import select

QUICK = WaitPolicy(first_pause=0.1, longest_pause=1.0, fallback_patience=1.0, shortest_patience=0.05, answer_due=0.5)
PICTURE = json.dumps(
    {
        "candidates": [
            {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}]}}
        ]
    }
).encode()
EXHAUSTED = b'{"error": {"code": 429, "message": "Resource exhausted, please try again later."}}'
NO_CAPACITY = b'{"error": {"code": 503, "message": "No capacity available", "status": "UNAVAILABLE"}}'
LIMITED, BUSY = "429 Too Many Requests", "503 Service Unavailable"

Answer = tuple[bytes, str, tuple[str, ...]]
MADE: Answer = (PICTURE, "200 OK", ())


@dataclass
class Google:
    """Answers each paid request as `judge` says, which gets the number of the request (from 1)."""

    judge: Callable[[int], Answer]
    asked: int = 0
    paid: int = 0
    came: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, connection: Connection) -> None:
        while connection.read_head():
            connection.read_body()
            with self.came:
                self.asked += 1
                body, status, headers = self.judge(self.asked)
                self.paid += status.startswith("200")
                self.came.notify_all()
            connection.answer(body, status, *headers)

    def wait(self, count: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: self.asked >= count, 30)


def machine(home: Path, policy: WaitPolicy = QUICK, **servers: RawServer) -> Engine:
    """An engine with keys for these providers at these addresses."""
    environ = {"NANO_BANANA_CAP_RUN": "none", "NANO_BANANA_CAP_DAY": "none"}
    for name, server in servers.items():
        environ[f"NANO_BANANA_{name.upper()}_API_KEY"] = "sim-run-key"
        environ[f"NANO_BANANA_{name.upper()}_BASE_URL"] = server.url
    engine = Engine(home, specs=QUICK_SPECS, environ=environ)
    engine._cache.rate_limits = RateLimits(policy)
    return engine


@contextmanager
def google(home: Path, judge: Callable[[int], Answer], policy: WaitPolicy = QUICK) -> Iterator[tuple[Engine, Google]]:
    provider = Google(judge)
    with serving(provider) as server:
        yield machine(home, policy, google=server), provider


def begin(engine: Engine, count: int = 1, choice: ProviderChoice | None = None, prompt: str = "a fox") -> Run:
    asked = [replace(request(prompt=prompt), num_images=count)]
    return engine.run(asked, engine.plan(choice or ProviderChoice("google"), asked))


def finish(run: Run) -> Run:
    assert run.done.wait(60) and run.error is None, run.error
    return run


def errors(run: Run) -> list[tuple[str, str]]:
    return [(r.error.kind, r.error.charged) for r in run.report.failed if r.error]


def states(engine: Engine) -> list[str]:
    """What the journal says about each picture."""
    with engine.ledger.database.read() as connection:
        return [spec.state for spec in connection.execute(select(picture.c.state))]


def in_wait(run: Run, calls: int = 1) -> None:
    """Returns once so many calls wait for the provider to take them."""
    ticking = threading.Event()
    while sum(call.throttle.pause_shown is not None for call in run.calls) < calls:
        assert not run.done.is_set(), errors(run)
        ticking.wait(0.005)


def test_sixteen_pictures_at_a_provider_that_takes_six_a_second(tmp_path: Path) -> None:
    """Without any hint: 16 of 16, each paid once, and at most two refusals a picture: the machine decides how many are on
    their way when the first refusal comes."""
    taken: list[float] = []

    def judge(number: int) -> Answer:
        now = time.monotonic()
        if sum(now - at < 1 for at in taken) >= 6:
            return EXHAUSTED, LIMITED, ()
        taken.append(now)
        return MADE

    with google(tmp_path, judge) as (engine, provider):
        run = finish(begin(engine, 16))
        assert not errors(run) and len(run.report.completed) == 16
        assert provider.paid == 16 and provider.asked - provider.paid <= 32
        assert sum(each["attempts"] for each in run.report.requests) == provider.asked
        assert run.report.notices == [] and states(engine) == ["stored"] * 16


@pytest.mark.parametrize(("body", "status"), [(EXHAUSTED, LIMITED), (NO_CAPACITY, BUSY)])
def test_many_refusals_in_a_row_are_no_failures(tmp_path: Path, body: bytes, status: str) -> None:
    """More than the tries of anything else, and more than the failures that end a batch."""
    policy = replace(QUICK, first_pause=0.02, longest_pause=0.1)
    with google(tmp_path, lambda number: (body, status, ()) if number <= 7 else MADE, policy) as (engine, provider):
        run = finish(begin(engine, 3, ProviderChoice("google", max_parallel=1)))
        assert not errors(run) and (provider.asked, provider.paid) == (10, 3)


def test_a_hint_is_kept(tmp_path: Path) -> None:
    """Nothing is sent before its time, by no call of the key."""
    times: list[float] = []

    def judge(number: int) -> Answer:
        times.append(time.monotonic())
        return (EXHAUSTED, LIMITED, ("Retry-After: 1",)) if number <= 2 else MADE

    with google(tmp_path, judge) as (engine, provider):
        run = begin(engine, 2)
        provider.wait(2)
        other = begin(engine, 1, prompt="another node")
        assert not errors(finish(run)) and not errors(finish(other)) and provider.paid == 3
        assert min(times[2:]) - times[0] >= 0.99


def test_another_key_does_not_wait(tmp_path: Path) -> None:
    """The pause is that of the key: another profile of the same provider goes on, also beside a full line."""
    engine: Engine
    with google(tmp_path, lambda number: (EXHAUSTED, LIMITED, ("Retry-After: 300",))) as (engine, provider):
        assert engine._environ is not None
        engine._environ |= {"NANO_BANANA_GOOGLE_SECOND_API_KEY": "sim-second-key"}  # type: ignore[operator]
        waiting = begin(engine, 2, ProviderChoice("google", max_parallel=1))
        in_wait(waiting)
        provider.judge = lambda number: MADE
        other = finish(begin(engine, 1, ProviderChoice("google", profile="second", max_parallel=1), "second"))
        assert not errors(other) and provider.asked == 2
        waiting.stop()
        finish(waiting)


@pytest.mark.parametrize("hint", [3600, 11])
def test_a_hint_beyond_the_timeout_is_told_at_once(tmp_path: Path, hint: int) -> None:
    """One request, how long it would be, and the journal has no question about it."""
    with google(tmp_path, lambda number: (EXHAUSTED, LIMITED, (f"Retry-After: {hint}",))) as (engine, provider):
        run = finish(begin(engine, 1, ProviderChoice("google", timeout=10)))
        (error,) = [r.error for r in run.report.failed]
        assert error and (error.kind, error.charged) == ("rate", "no") and f"wait {hint} seconds" in str(error)
        assert provider.asked == 1
        provider.judge = lambda number: MADE
        assert not errors(finish(begin(engine))), "the next run may try at once"


def test_the_timeout_ends_the_wait(tmp_path: Path) -> None:
    """The timeout of ProviderConfig, with its last try at its end, and the message says how long it was."""
    policy = replace(QUICK, first_pause=0.7, longest_pause=30.0)
    with google(tmp_path, lambda number: (NO_CAPACITY, BUSY, ()), policy) as (engine, provider):
        begun = time.monotonic()
        run = finish(begin(engine, 1, ProviderChoice("google", timeout=2)))
        (error,) = [r.error for r in run.report.failed]
        assert error and (error.kind, error.charged) == ("busy", "no") and "waited for" in str(error), str(error)
        assert time.monotonic() - begun >= 1.5 and provider.asked <= 5


@pytest.mark.parametrize(
    "first", [(EXHAUSTED, LIMITED, ()), (NO_CAPACITY, BUSY, ()), (EXHAUSTED, LIMITED, ("Retry-After: 30",))]
)
def test_a_fallback_takes_over_after_a_short_wait(tmp_path: Path, first: Answer) -> None:
    """The first provider refuses for ever. All pictures come from the second, and the wait is one for all of them."""
    gone = Google(lambda number: first)
    spare = Google(lambda number: MADE)
    with serving(gone) as one, serving(spare) as two:
        engine = machine(tmp_path, replace(QUICK, fallback_patience=0.4), google=one, vertex=two)
        engine._specs = QUICK_SPECS | {"vertex": replace(QUICK_SPECS["google"], id="vertex", key_env_vars=())}
        chain = ProviderChoice("google", max_parallel=1, fallback=ProviderChoice("vertex"))
        run = finish(begin(engine, 6, chain))
    assert not errors(run) and (gone.paid, spare.paid, spare.asked) == (0, 6, 6)
    assert [(tried.provider, tried.pictures, tried.charged) for tried in run.report.tried] == [
        ("google", 0, "no"),
        ("vertex", 6, "no"),
    ]
    assert gone.asked <= 8, "one waits for all"


def test_a_provider_that_lets_go_in_time_needs_no_fallback(tmp_path: Path) -> None:
    gone = Google(lambda number: MADE if number > 2 else (EXHAUSTED, LIMITED, ()))
    spare = Google(lambda number: MADE)
    with serving(gone) as one, serving(spare) as two:
        engine = machine(tmp_path, replace(QUICK, fallback_patience=20.0), google=one, vertex=two)
        engine._specs = QUICK_SPECS | {"vertex": replace(QUICK_SPECS["google"], id="vertex", key_env_vars=())}
        run = finish(begin(engine, 1, ProviderChoice("google", fallback=ProviderChoice("vertex"))))
    assert not errors(run) and (gone.paid, spare.asked) == (1, 0)


@pytest.mark.parametrize("status", [LIMITED, BUSY])
def test_cancel_ends_the_wait_at_once(tmp_path: Path, status: str) -> None:
    """Nothing is sent afterwards, nothing is in doubt, and the same again is simply sent."""
    with google(tmp_path, lambda number: (EXHAUSTED, status, ("Retry-After: 300",))) as (engine, provider):
        run = begin(engine, 4)
        in_wait(run, 4)
        assert [call.sent_at for call in run.calls] == [None] * 4, "the timeout counts from the send that is taken"
        assert states(engine) == ["reserved"] * 4, "a process that is killed now leaves no question"
        summary = run.stop()
        assert (summary.pending, summary.unresolved, summary.dropped) == (0, 0, 4)
        finish(run)
        for call in run.calls:
            assert call.done.wait(30)
        assert errors(run) == [("stopped", "no")] * 4 and set(states(engine)).isdisjoint({"reserved", "sent"})
        asked = provider.asked
        provider.judge = lambda number: MADE
        engine._cache.rate_limits = RateLimits(QUICK)
        assert not errors(finish(begin(engine, 4))) and provider.paid == 4 and provider.asked == asked + 4


@pytest.mark.parametrize(
    ("status", "phase"), [(LIMITED, "waiting for the rate limit"), (BUSY, "waiting for the busy provider")]
)
def test_the_node_says_what_it_waits_for_and_how_long(tmp_path: Path, status: str, phase: str) -> None:
    with google(tmp_path, lambda number: (b"{}", status, ("Retry-After: 40",))) as (engine, _):
        run = begin(engine)
        in_wait(run)
        assert run.progress.phase == phase and 20 < run.progress.retry_in <= 40
        run.stop()
        finish(run)
        assert run.progress.retry_in == 0


@pytest.mark.parametrize(
    "words",
    [
        b'{"error": {"message": "No credit left", "code": "insufficient_quota"}}',
        b'{"error": {"message": "insufficient balance"}}',
    ],
)
def test_spent_credit_is_not_waited_for(tmp_path: Path, words: bytes) -> None:
    with google(tmp_path, lambda number: (words, LIMITED, ())) as (engine, provider):
        run = finish(begin(engine, 4, ProviderChoice("google", max_parallel=1)))
        assert provider.asked == 1 and errors(run)[0] == ("credit", "no")
