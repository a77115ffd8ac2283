"""One key's pause and concurrency after refusals, on a clock of its own. Over real sockets: test_refusals_waited_for."""

from __future__ import annotations

import heapq
import itertools
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors import ProviderFailure
from pack.core.execution.rate_limit import CallThrottle, KeyLimit, Permit, RateLimits
from pack.core.execution.retry_policy import DEFAULT_WAITS, GiveUp, Retry, RetryDecision

RATE = ProviderFailure("rate", "slow down", 429)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def limit_of(clock: Clock, jitter: float = 0.0) -> KeyLimit:
    return KeyLimit(DEFAULT_WAITS, clock, lambda: jitter)


@dataclass
class Provider:
    """Takes `count` requests in any `window` seconds and refuses the others at once, without a hint."""

    count: int
    window: float
    taken: list[float] = field(default_factory=list)
    refused: int = 0

    def asked(self, now: float) -> bool:
        if sum(now - at < self.window for at in self.taken) >= self.count:
            self.refused += 1
            return False
        self.taken.append(now)
        return True


def play(
    provider: Provider, pictures: int, parallel: int, latency: float, patience: float = 600.0
) -> tuple[int, float]:
    """Asks for pictures as calls do, on a made-up clock; how many came, and after how many seconds."""
    clock, begun = Clock(), Clock().now
    limit = limit_of(clock)
    serial = itertools.count()
    events: list[tuple[float, int, CallThrottle, Permit | None, bool]] = []
    calls = [CallThrottle(limit, patience) for _ in range(pictures)]
    line, came = calls[parallel:], 0
    for call in calls[:parallel]:
        heapq.heappush(events, (clock.now, next(serial), call, None, False))
    while events:
        clock.now, _, call, permit, taken = heapq.heappop(events)
        if permit is not None and not taken:
            decision = limit.record_refusal(permit, RATE, None, call.remaining_patience)
            if isinstance(decision, GiveUp):
                continue
        elif permit is not None:
            limit.record_acceptance(permit)
            came += 1
            if line:
                heapq.heappush(events, (clock.now, next(serial), line.pop(0), None, False))
            continue
        permit = limit.try_acquire(call)
        if permit is None:
            if call.remaining_patience > 0:
                heapq.heappush(events, (clock.now + 0.05, next(serial), call, None, False))
            continue
        permit.sent_at = clock.now
        taken = provider.asked(clock.now)
        heapq.heappush(events, (clock.now + (latency if taken else 0.01), next(serial), call, permit, taken))
    return came, clock.now - begun


@pytest.mark.parametrize(
    ("count", "window", "latency", "wasted"),
    [(6, 12.0, 1.0, 8), (6, 12.0, 20.0, 8), (10, 60.0, 5.0, 16), (2, 1.0, 1.0, 16), (1, 5.0, 1.0, 48)],
)
def test_a_batch_comes_home_whatever_the_limit(count: int, window: float, latency: float, wasted: int) -> None:
    """16 pictures, 8 at a time, no hint: all come, and few requests are refused."""
    provider = Provider(count, window)
    came, seconds = play(provider, 16, 8, latency)
    assert came == 16 and provider.refused <= wasted, (came, provider.refused, seconds)


def test_a_longer_batch_wastes_less_than_a_request_for_two_pictures() -> None:
    """What one window has taught about the pause is used in the next."""
    provider = Provider(6, 12.0)
    came, _ = play(provider, 64, 8, 1.0)
    assert came == 64 and provider.refused <= 24


@given(st.integers(1, 8), st.floats(0.5, 20), st.floats(0.05, 20), st.integers(1, 16))
def test_no_call_is_left_behind(count: int, window: float, latency: float, parallel: int) -> None:
    """Whatever the limit and the latency, every call ends, and with patience enough with its picture."""
    assert play(Provider(count, window), 12, parallel, latency, patience=1e6)[0] == 12


def test_a_provider_that_refuses_for_ever_is_given_up_when_the_patience_is_over() -> None:
    """No picture, and the pauses have kept the number of tries small."""
    provider = Provider(0, 1.0)
    came, seconds = play(provider, 8, 8, 1.0, patience=60.0)
    assert came == 0 and 59 <= seconds <= 61 and provider.refused <= 32


def test_after_a_refusal_without_a_hint_one_goes_first_and_each_success_makes_room() -> None:
    clock = Clock()
    limit = limit_of(clock)
    first, second, third = (CallThrottle(limit, 600) for _ in range(3))
    permit = limit.try_acquire(first)
    assert permit and limit.try_acquire(second), "a key that was never refused sends as it likes"
    assert limit.record_refusal(permit, RATE, None, 600) == Retry(1.0)
    assert limit.try_acquire(first) is None and limit.try_acquire(third) is None
    clock.now += 1.0
    probe = limit.try_acquire(first)
    assert probe and limit.try_acquire(third) is None, "one at a time"
    limit.record_acceptance(probe)
    assert (
        limit.try_acquire(third)
        and limit.try_acquire(CallThrottle(limit, 600))
        and limit.try_acquire(CallThrottle(limit, 600)) is None
    )


def test_a_request_that_was_not_refused_for_a_while_lets_the_next_one_go() -> None:
    """A picture takes half a minute, a refusal comes at once: the answer is not waited for. The upload is."""
    clock = Clock()
    limit = limit_of(clock)
    permit = limit.try_acquire(CallThrottle(limit, 600))
    assert permit
    limit.record_refusal(permit, RATE, None, 600)
    clock.now += 1
    probe = limit.try_acquire(CallThrottle(limit, 600))
    assert probe
    clock.now += 100
    behind = CallThrottle(limit, 600)
    assert limit.try_acquire(behind) is None, "its body is still on its way"
    probe.sent_at = clock.now
    clock.now += DEFAULT_WAITS.answer_due
    assert limit.try_acquire(behind)


def test_refusals_of_one_burst_are_one() -> None:
    """Eight were on their way when the first was refused: the pause is that of one refusal, and all keep to it."""
    clock = Clock()
    limit = limit_of(clock)
    permits = [limit.try_acquire(CallThrottle(limit, 600)) for _ in range(8)]
    for permit in permits:
        assert permit and limit.record_refusal(permit, RATE, None, 600) == Retry(1.0)
    assert limit.remaining == 1.0


def test_pauses_grow_up_to_the_longest() -> None:
    clock = Clock()
    limit = limit_of(clock)
    seen = []
    for _ in range(7):
        permit = limit.try_acquire(CallThrottle(limit, 600))
        assert permit
        decision = limit.record_refusal(permit, RATE, None, 600)
        assert isinstance(decision, Retry)
        seen.append(decision.seconds)
        clock.now += decision.seconds
    assert seen == [1, 2, 4, 8, 15, 15, 15]


def test_a_hint_holds_all_calls_and_too_long_a_one_only_its_own() -> None:
    """A minute for whoever has the time. An hour ends the call that hears it, and the next run may try at once."""
    clock = Clock()
    limit = limit_of(clock)
    permit, other = limit.try_acquire(CallThrottle(limit, 600)), limit.try_acquire(CallThrottle(limit, 600))
    assert permit and other
    assert limit.record_refusal(permit, RATE, 60.0, 600) == Retry(60.0)
    assert limit.record_refusal(other, RATE, 3600.0, 600) == GiveUp("no", 3600.0)
    assert limit.remaining == 60.0 == limit.hint
    hasty = CallThrottle(limit, 20)
    assert hasty.acquire() == GiveUp("no", 60.0), "it would only wait in vain"
    clock.now += 60
    assert all(limit.try_acquire(CallThrottle(limit, 600)) for _ in range(8)), "the provider's own word needs no probe"


def test_a_limit_is_forgotten_when_it_has_not_shown_for_a_while() -> None:
    clock = Clock()
    limit = limit_of(clock)
    permit = limit.try_acquire(CallThrottle(limit, 600))
    assert permit
    limit.record_refusal(permit, RATE, None, 600)
    clock.now += 1 + DEFAULT_WAITS.forget_after + 0.1
    assert all(limit.try_acquire(CallThrottle(limit, 600)) for _ in range(8))


def test_who_comes_after_a_run_that_gave_up_begins_anew() -> None:
    """A person who queues again does not wait for a pause that has grown for somebody else."""
    clock = Clock()
    limit = limit_of(clock)
    decision: RetryDecision = Retry(0)
    throttle = CallThrottle(limit, 60)
    while isinstance(decision, Retry):
        clock.now += decision.seconds
        permit = limit.try_acquire(throttle)
        assert permit
        throttle.began = throttle.began or clock.now
        decision = limit.record_refusal(permit, RATE, None, throttle.remaining_patience)
    assert decision == GiveUp("no") and limit.remaining == 1.0
    clock.now += 1
    probe = limit.try_acquire(CallThrottle(limit, 600))
    assert probe and limit.try_acquire(CallThrottle(limit, 600)) is None
    assert limit.record_refusal(probe, RATE, None, 600) == Retry(1.0)


def test_the_wait_ends_at_once_when_nobody_wants_it_and_holds_up_nobody() -> None:
    """`check` raises: the call leaves the line, and the one behind it gets the turn."""
    clock = Clock()
    limit = limit_of(clock)
    permit = limit.try_acquire(CallThrottle(limit, 600))
    assert permit
    limit.record_refusal(permit, RATE, None, 600)

    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    first = CallThrottle(limit, 600, cancel)
    with pytest.raises(Cancelled):
        first.acquire()
    assert first.pause_shown is None
    clock.now += 1
    assert CallThrottle(limit, 600).acquire() is None


def test_who_waits_when_the_process_ends_gives_up() -> None:
    """Nothing of it is paid, so an exit doesn't wait for it."""
    limits = RateLimits()
    limit = limits._limits.setdefault("key", KeyLimit())
    permit = limit.try_acquire(CallThrottle(limit, 600))
    assert permit
    limit.record_refusal(permit, RATE, 300.0, 600)
    ended = threading.Event()

    def wait() -> None:
        assert CallThrottle(limit, 600).acquire() == GiveUp("no")
        ended.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    limits.close()
    assert ended.wait(30)
