"""The pause and the concurrency of one key after its provider has refused a request, shared by all calls of that key.

A key that was never refused has no limit. A refusal pauses all of its calls; after a refusal without a `Retry-After` hint
one request is sent as a probe, and each that is accepted adds one slot. How long a pause is, and when a call
gives up, is decided by `retry_policy`.
"""

from __future__ import annotations

import atexit
import random
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..errors import ProviderFailure
from ..ledger.shared_limits import SharedLimits
from ..planning.plan import Target
from . import retry_policy

TICK = 0.05
"""Seconds between two looks at whether the call is still wanted."""
_NO_BOUND = 64
"""As many slots as a call's `max_parallel` can have at most: a limit of that many slots is none."""


@dataclass(eq=False)
class Permit:
    """Permission to send one paid request."""

    series: int
    """The key's pause after which it was given, counted from 0."""
    given_at: float
    sent_at: float | None = None
    """When its last byte was sent; None before that."""


class KeyLimit:
    """What is known about the rate limit of one key. Shared by threads; the clock is monotonic."""

    def __init__(
        self,
        policy: retry_policy.WaitPolicy = retry_policy.DEFAULT_WAITS,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.policy, self.clock, self._jitter = policy, clock, jitter
        self.closed = False
        """Whether the process ends: no call waits any more."""
        self.failure: ProviderFailure | None = None
        """The last refusal."""
        self.announce: Callable[[float, bool], None] = lambda seconds, hinted: None
        """Called with the seconds of a new pause, and whether the provider has named them."""
        self._changed = threading.Condition()
        self._until = 0.0
        self._hinted = False
        self._refusals = 0
        """Refusals in a row, each of a request that was sent after the last pause."""
        self._refused_at = 0.0
        """Clock of the first of them."""
        self._first_pause = policy.first_pause
        self._slots: int | None = None
        self._series = 0
        self._out: set[Permit] = set()
        self._queue: list[CallThrottle] = []

    # ------------------------------------------------------------------------------------------------ permits

    def try_acquire(self, throttle: CallThrottle) -> Permit | None:
        """A permit to send one request, or None: then the call is queued, oldest first."""
        with self._changed:
            now = self.clock()
            self._forget(now)
            ahead = min(self._queue, key=lambda other: other.began or 0.0, default=None)
            if self._may_send(now) and ahead in (None, throttle):
                if ahead is throttle:
                    self._queue.remove(throttle)
                    self._changed.notify_all()
                permit = Permit(self._series, now)
                self._out.add(permit)
                return permit
            if throttle not in self._queue:
                throttle.began = now if throttle.began is None else throttle.began
                self._queue.append(throttle)
            return None

    def leave_queue(self, throttle: CallThrottle) -> None:
        """Takes a call out of the queue."""
        with self._changed:
            if throttle in self._queue:
                self._queue.remove(throttle)
                self._end_series(self.clock())
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Blocks until the limit has changed, for at most `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    @property
    def remaining(self) -> float:
        """Seconds until the pause ends; 0 without one."""
        return max(0.0, self._until - self.clock())

    @property
    def hint(self) -> float | None:
        """Seconds until the end of a pause that the provider has asked for; None without one."""
        return self.remaining if self._hinted and self.remaining else None

    # ------------------------------------------------------------------------------------------------ results

    def record_refusal(
        self, permit: Permit, failure: ProviderFailure, hint: float | None, remaining_patience: float
    ) -> retry_policy.RetryDecision:
        """Records that the request was surely refused before work began. `remaining_patience`: of its call, in seconds."""
        with self._changed:
            now, before = self.clock(), self._until
            self._out.discard(permit)
            self.failure = failure
            if permit.series != self._series:
                # It was sent before the current pause: only its hint is new.
                decision = retry_policy.after_refusal(
                    max(self.remaining, self.policy.shortest_pause), hint, remaining_patience, self.policy
                )
                if hint is not None and isinstance(decision, retry_policy.Retry) and now + hint > self._until:
                    self._until, self._hinted = now + hint, True
            else:
                decision = self._pause(now, hint, remaining_patience)
            if isinstance(decision, retry_policy.GiveUp):
                self._end_series(now)
            self._changed.notify_all()
            is_new, seconds, hinted = self._until > before, self._until - now, self._hinted
        if is_new:
            self.announce(seconds, hinted)
        return decision

    def pause(self, seconds: float, hinted: bool) -> None:
        """Another machine that uses the key was refused: the pause is for all."""
        with self._changed:
            until = self.clock() + seconds
            if until <= self._until:
                return
            self._until, self._hinted = until, hinted
            self._series += 1
            if not hinted:
                self._slots = 1
            self.failure = self.failure or ProviderFailure("rate")
            self._changed.notify_all()

    def record_acceptance(self, permit: Permit) -> None:
        """Records that the provider has worked on the request, which adds a slot."""
        with self._changed:
            self._out.discard(permit)
            if permit.series == self._series and self._slots is not None:
                self._slots = self._slots + 1 if self._slots < _NO_BOUND else None
            if permit.series == self._series and self._refusals and not self._hinted:
                # The next first pause is half of the time that the limit lasted, which saves tries that are too early.
                took = permit.given_at - self._refused_at
                self._first_pause = min(max(took / 2, self.policy.first_pause), self.policy.longest_pause)
            if permit.series == self._series:
                self._refusals = 0
            self._changed.notify_all()

    def release(self, permit: Permit) -> None:
        """Releases the permit of a request that ended in a way that says nothing about the limit."""
        with self._changed:
            self._out.discard(permit)
            self._changed.notify_all()

    def close(self) -> None:
        """Ends all waits, as the process ends. Calls that wait have paid nothing."""
        self.closed = True
        with self._changed:
            self._changed.notify_all()

    # ------------------------------------------------------------------------------------------------ inside

    def _pause(self, now: float, hint: float | None, remaining_patience: float) -> retry_policy.RetryDecision:
        self._refusals += 1
        if self._refusals == 1:
            self._refused_at = now
        pause = retry_policy.refusal_pause(
            self._refusals, hint, self._jitter(), first=self._first_pause, policy=self.policy
        )
        decision = retry_policy.after_refusal(pause, hint, remaining_patience, self.policy)
        if isinstance(decision, retry_policy.GiveUp) and hint is not None:
            # Longer than this call can wait. Other calls get the hint themselves, and a later run may try at once.
            return decision
        self._series += 1
        self._until = now + (decision.seconds if isinstance(decision, retry_policy.Retry) else pause)
        self._hinted = hint is not None
        if hint is None or self._refusals > 1:
            self._slots = 1
        return decision

    def _end_series(self, now: float) -> None:
        """Resets the refusals when the last waiting call has given up: later calls start with one request at a time."""
        if self._queue or self._out:
            return
        self._refusals = 0
        if not self._hinted:
            self._until = min(self._until, now + self._first_pause)

    def _may_send(self, now: float) -> bool:
        return now >= self._until and (self._slots is None or self._probes(now) < self._slots)

    def _probes(self, now: float) -> int:
        """How many requests may still be refused: sent after the last pause, and not longer ago than an answer takes."""
        ours = [permit for permit in self._out if permit.series == self._series]
        return sum(permit.sent_at is None or now - permit.sent_at < self.policy.answer_due for permit in ours)

    def _forget(self, now: float) -> None:
        """Removes a limit that has refused no request for a while."""
        known = self._refusals or self._slots is not None
        if known and now - self._until > self.policy.forget_after and not self._probes(now):
            self._refusals, self._slots, self._first_pause = 0, None, self.policy.first_pause


class CallThrottle:
    """Holds one call back: until its key's pause ends, and then until the limit has a slot for it."""

    def __init__(self, limit: KeyLimit, patience: float, check: Callable[[], None] = lambda: None) -> None:
        """`patience`: seconds, from when it first has to wait. `check` raises what ends the wait at once."""
        self.limit = limit
        self.began: float | None = None
        """When it first had to wait."""
        self._patience, self._check = patience, check
        self._permit: Permit | None = None
        self._waits = False

    @property
    def remaining_patience(self) -> float:
        """Seconds of patience that are left."""
        return self._patience if self.began is None else self._patience - (self.limit.clock() - self.began)

    @property
    def waited(self) -> float:
        """Seconds since it first had to wait; 0 when it never had to."""
        return 0.0 if self.began is None else self.limit.clock() - self.began

    @property
    def pause_shown(self) -> tuple[str, float] | None:
        """What it waits for ("rate" or "busy") and the seconds until the next try; None while it doesn't wait."""
        failure = self.limit.failure
        return (failure.kind, self.limit.remaining) if self._waits and failure else None

    def acquire(self) -> retry_policy.GiveUp | None:
        """Blocks until the call may send; a GiveUp when its patience is over. Raises what `check` raises."""
        self.release()
        try:
            while True:
                if self._waits and self.limit.closed:
                    return retry_policy.GiveUp("no")
                self._permit = self.limit.try_acquire(self)
                if self._permit is not None:
                    return None
                self._waits = True
                self._check()
                hint, remaining_patience = self.limit.hint, self.remaining_patience
                if hint is not None and hint > remaining_patience:
                    return retry_policy.GiveUp("no", hint)
                if remaining_patience <= 0:
                    return retry_policy.GiveUp("no", hint)
                self.limit.wait(TICK)
        finally:
            self._waits = False
            self.limit.leave_queue(self)

    def mark_sent(self) -> None:
        """Notes the time at which the last byte of the request is sent."""
        if self._permit is not None:
            self._permit.sent_at = self.limit.clock()

    def record_refusal(self, failure: ProviderFailure, hint: float | None) -> retry_policy.RetryDecision:
        """Records that the request was surely refused before work began. After a Retry the call calls `acquire`."""
        self.began = self.limit.clock() if self.began is None else self.began
        permit, self._permit = self._permit, None
        assert permit is not None
        return self.limit.record_refusal(permit, failure, hint, self.remaining_patience)

    def record_acceptance(self) -> None:
        """Records that the provider has worked on the request."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self.limit.record_acceptance(permit)

    def release(self) -> None:
        """Releases the permit of a request that ended otherwise."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self.limit.release(permit)


class RateLimits:
    """The limits of all keys of a process."""

    def __init__(
        self, policy: retry_policy.WaitPolicy = retry_policy.DEFAULT_WAITS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.policy, self._clock = policy, clock
        self._lock = threading.Lock()
        self._limits: dict[str, KeyLimit] = {}
        self._shared: SharedLimits | None = None
        atexit.register(_close, weakref.ref(self))

    def of(self, target: Target) -> KeyLimit:
        """The limit of the target's key at its provider's address."""
        with self._lock:
            return self._of(target.account)

    def share(self, shared: SharedLimits) -> None:
        """A pause is one for all machines of a farm."""
        self._shared = shared if shared.active else None
        shared.on_pause(self._pause)

    def _of(self, account: str) -> KeyLimit:
        limit = self._limits.get(account)
        if limit is None:
            limit = self._limits[account] = KeyLimit(self.policy, self._clock)
            if self._shared is not None:
                limit.announce = partial(self._shared.announce_pause, account)
        return limit

    def _pause(self, name: str, seconds: float, hinted: bool) -> None:
        with self._lock:
            limits = [limit for account, limit in self._limits.items() if SharedLimits.name_of(account) == name]
        for limit in limits:
            limit.pause(seconds, hinted)

    def close(self) -> None:
        """Ends all waits, as the process ends."""
        with self._lock:
            limits = list(self._limits.values())
        for limit in limits:
            limit.close()


def _close(limits: weakref.ref[RateLimits]) -> None:
    there = limits()
    if there is not None:
        there.close()
