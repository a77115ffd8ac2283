"""The pause and the concurrency of one key after its provider has refused a request, shared by all calls of that key.

A key that was never refused sends as it likes. A refusal holds all of its calls back for a pause; after one without a
hint a single request goes first, and each that is accepted makes room for one more. How long a pause is, and when a call
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

from ..errors import Fault
from ..planning.plan import Target
from . import retry_policy

TICK = 0.05
"""Seconds between two looks at whether the call is still wanted."""
_NO_BOUND = 64
"""As many slots as a call's `max_parallel` can have at most: from there on the limiter has nothing to add."""


@dataclass(eq=False)
class Permit:
    """Leave to send one paid request."""

    series: int
    """How many pauses the key had had by then."""
    given_at: float
    sent_at: float | None = None
    """When its last byte left; None before that."""


class KeyLimit:
    """What is known about the rate limit of one key. Shared by threads; the clock is monotonic."""

    def __init__(
        self,
        policy: retry_policy.WaitPolicy = retry_policy.WAITS,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.policy, self.clock, self._jitter = policy, clock, jitter
        self.closed = False
        """Whether the process ends: nobody waits any more."""
        self.fault: Fault | None = None
        """The last refusal."""
        self._changed = threading.Condition()
        self._until = 0.0
        self._hinted = False
        self._refusals = 0
        """In a row, each of a request that was sent after the pause before."""
        self._refused_at = 0.0
        """When the first of them came."""
        self._first_pause = policy.first_pause
        self._slots: int | None = None
        self._series = 0
        self._out: set[Permit] = set()
        self._line: list[Waiting] = []

    # ------------------------------------------------------------------------------------------------ asking

    def enter(self, waiting: Waiting) -> Permit | None:
        """Leave to send one request, or None; who gets none stands in the line from then on, oldest first."""
        with self._changed:
            now = self.clock()
            self._forget(now)
            ahead = min(self._line, key=lambda other: other.began or 0.0, default=None)
            if self._may_send(now) and ahead in (None, waiting):
                if ahead is waiting:
                    self._line.remove(waiting)
                    self._changed.notify_all()
                permit = Permit(self._series, now)
                self._out.add(permit)
                return permit
            if waiting not in self._line:
                waiting.began = now if waiting.began is None else waiting.began
                self._line.append(waiting)
            return None

    def leave(self, waiting: Waiting) -> None:
        """A call no longer waits for its turn."""
        with self._changed:
            if waiting in self._line:
                self._line.remove(waiting)
                self._end_series(self.clock())
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Blocks until something has changed, or for `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    @property
    def remaining(self) -> float:
        """Seconds of the pause that are left; 0 without one."""
        return max(0.0, self._until - self.clock())

    @property
    def hint(self) -> float | None:
        """Seconds that are left of a pause that the provider itself has asked for."""
        return self.remaining if self._hinted and self.remaining else None

    # ------------------------------------------------------------------------------------------------ answers

    def refused(self, permit: Permit, fault: Fault, hint: float | None, left: float) -> retry_policy.Verdict:
        """The request was surely refused before work began; `left` is what remains of its call's patience in seconds."""
        with self._changed:
            now = self.clock()
            self._out.discard(permit)
            self.fault = fault
            if permit.series != self._series:
                # It left before the pause that is running: nothing new, but for a hint.
                verdict = retry_policy.after_refusal(
                    max(self.remaining, self.policy.shortest_pause), hint, left, self.policy
                )
                if hint is not None and isinstance(verdict, retry_policy.Again) and now + hint > self._until:
                    self._until, self._hinted = now + hint, True
            else:
                verdict = self._pause(now, hint, left)
            if isinstance(verdict, retry_policy.Stop):
                self._end_series(now)
            self._changed.notify_all()
            return verdict

    def accepted(self, permit: Permit) -> None:
        """The provider has worked on the request: the limit lets requests through again."""
        with self._changed:
            self._out.discard(permit)
            if permit.series == self._series and self._slots is not None:
                self._slots = self._slots + 1 if self._slots < _NO_BOUND else None
            if permit.series == self._series and self._refusals and not self._hinted:
                # Next time the first pause is half of what the limit took to lift, which saves tries that come too early.
                took = permit.given_at - self._refused_at
                self._first_pause = min(max(took / 2, self.policy.first_pause), self.policy.longest_pause)
            if permit.series == self._series:
                self._refusals = 0
            self._changed.notify_all()

    def release(self, permit: Permit) -> None:
        """The request has ended in a way that says nothing about the limit."""
        with self._changed:
            self._out.discard(permit)
            self._changed.notify_all()

    def close(self) -> None:
        """The process ends: who waits has paid nothing and gives up."""
        self.closed = True
        with self._changed:
            self._changed.notify_all()

    # ------------------------------------------------------------------------------------------------ inside

    def _pause(self, now: float, hint: float | None, left: float) -> retry_policy.Verdict:
        self._refusals += 1
        if self._refusals == 1:
            self._refused_at = now
        pause = retry_policy.refusal_pause(
            self._refusals, hint, self._jitter(), first=self._first_pause, policy=self.policy
        )
        verdict = retry_policy.after_refusal(pause, hint, left, self.policy)
        if isinstance(verdict, retry_policy.Stop) and hint is not None:
            # Longer than this call can wait: others hear it themselves, and a later run may try at once.
            return verdict
        self._series += 1
        self._until = now + (verdict.seconds if isinstance(verdict, retry_policy.Again) else pause)
        self._hinted = hint is not None
        if hint is None or self._refusals > 1:
            self._slots = 1
        return verdict

    def _end_series(self, now: float) -> None:
        """The last call that waited has given up: who comes later begins anew, with one request at a time."""
        if self._line or self._out:
            return
        self._refusals = 0
        if not self._hinted:
            self._until = min(self._until, now + self._first_pause)

    def _may_send(self, now: float) -> bool:
        return now >= self._until and (self._slots is None or self._probes(now) < self._slots)

    def _probes(self, now: float) -> int:
        """How many requests may still be refused: they left after the last pause, and have not been out for long."""
        ours = [permit for permit in self._out if permit.series == self._series]
        return sum(permit.sent_at is None or now - permit.sent_at < self.policy.answer_due for permit in ours)

    def _forget(self, now: float) -> None:
        """A limit that has not shown for a while is no limit any more."""
        known = self._refusals or self._slots is not None
        if known and now - self._until > self.policy.forget_after and not self._probes(now):
            self._refusals, self._slots, self._first_pause = 0, None, self.policy.first_pause


class Waiting:
    """The waits of one call: for its key's pause to end, and for its turn after that."""

    def __init__(self, limit: KeyLimit, patience: float, check: Callable[[], None] = lambda: None) -> None:
        """`patience`: seconds, from when it first has to wait. `check` raises what ends the wait at once."""
        self.limit = limit
        self.began: float | None = None
        """When it first had to wait."""
        self._patience, self._check = patience, check
        self._permit: Permit | None = None
        self._waits = False

    @property
    def left(self) -> float:
        """Seconds of patience that are left."""
        return self._patience if self.began is None else self._patience - (self.limit.clock() - self.began)

    @property
    def waited(self) -> float:
        """Seconds since it first had to wait; 0 when it never had to."""
        return 0.0 if self.began is None else self.limit.clock() - self.began

    @property
    def shown(self) -> tuple[str, float] | None:
        """What it waits for ("rate" or "busy") and the seconds until the next try; None while it doesn't wait."""
        fault = self.limit.fault
        return (fault.kind, self.limit.remaining) if self._waits and fault else None

    def turn(self) -> retry_policy.Stop | None:
        """Blocks until the call may send; a Stop when it has waited long enough. Raises what `check` raises."""
        self.release()
        try:
            while True:
                if self._waits and self.limit.closed:
                    return retry_policy.Stop("no")
                self._permit = self.limit.enter(self)
                if self._permit is not None:
                    return None
                self._waits = True
                self._check()
                hint, left = self.limit.hint, self.left
                if hint is not None and hint > left:
                    return retry_policy.Stop("no", hint)
                if left <= 0:
                    return retry_policy.Stop("no", hint)
                self.limit.wait(TICK)
        finally:
            self._waits = False
            self.limit.leave(self)

    def sent(self) -> None:
        """The last byte of the request is leaving."""
        if self._permit is not None:
            self._permit.sent_at = self.limit.clock()

    def refused(self, fault: Fault, hint: float | None) -> retry_policy.Verdict:
        """The request was surely refused before work began. After an Again the call asks for its `turn`."""
        self.began = self.limit.clock() if self.began is None else self.began
        permit, self._permit = self._permit, None
        assert permit is not None
        return self.limit.refused(permit, fault, hint, self.left)

    def accepted(self) -> None:
        """The provider has worked on the request."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self.limit.accepted(permit)

    def release(self) -> None:
        """Gives back a permit whose request has ended otherwise."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self.limit.release(permit)


class RateLimits:
    """The limits of all keys of a process."""

    def __init__(
        self, policy: retry_policy.WaitPolicy = retry_policy.WAITS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.policy, self._clock = policy, clock
        self._lock = threading.Lock()
        self._limits: dict[str, KeyLimit] = {}
        atexit.register(_close, weakref.ref(self))

    def of(self, target: Target) -> KeyLimit:
        """The limit of the target's key at its provider's address."""
        with self._lock:
            return self._limits.setdefault(target.account, KeyLimit(self.policy, self._clock))

    def close(self) -> None:
        """The process ends."""
        with self._lock:
            limits = list(self._limits.values())
        for limit in limits:
            limit.close()


def _close(limits: weakref.ref[RateLimits]) -> None:
    there = limits()
    if there is not None:
        there.close()
