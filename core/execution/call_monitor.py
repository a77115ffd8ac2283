"""The calls of one run: starts them, waits for them, and takes over what they return.

A call that runs out of time, or whose run is stopped, is detached: it goes on by itself and its picture is stored.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import NanoBananaError, ProviderFailure, Stopped, provider_error
from ..errors.messages import msg
from ..images.picture import Picture
from .call import Call
from .charge import STILL_RUNNING, decide_unstarted_row
from .concurrency import QueuedCall
from .image_task import ImageTask
from .run_state import RunState

TICK = 0.05
"""Seconds between two looks at the calls and the stop flag."""


@dataclass(eq=False)
class RunningCall:
    """A call and the pictures of the run that it is for."""

    call: Call
    tasks: Sequence[ImageTask | None]
    """One for each of the call's numbers; None for a picture that the run does not want."""
    queued: QueuedCall
    references: tuple[Picture, ...] = ()
    price: float | None = None
    """List price of a picture in US dollars; None when it isn't known, or nothing more is paid."""

    @property
    def usd(self) -> float | None:
        """List price of the whole call."""
        return None if self.price is None else self.price * self.call.image_count

    @property
    def timed_out(self) -> bool:
        sent_at = self.call.sent_at  # the call's own thread takes it back when it was refused
        return sent_at is not None and time.monotonic() > sent_at + self.call.target.timeout


class CallMonitor:
    """Used by the run's own thread; `calls` is also read by the node's."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._limiter, self._ledger = state.services.limiter, state.services.ledger
        self.calls: list[RunningCall] = []
        """All that were started, those that have ended included."""

    def start(
        self,
        call: Call,
        tasks: Sequence[ImageTask | None],
        references: tuple[Picture, ...] = (),
        price: float | None = None,
    ) -> RunningCall:
        """Puts a call in line for its provider."""
        queued = QueuedCall(call.run, call.target.parallel)
        running = RunningCall(call, tasks, queued, references, price)
        call.when_answered = partial(self._limiter.finish, call.target.account, queued)
        self.calls.append(running)  # before it can be sent: a run that is stopped at that moment counts it
        self._limiter.submit(call.target.account, queued)
        return running

    def wait(self, calls: Sequence[RunningCall], cause: Callable[[], NanoBananaError | None]) -> None:
        """Waits until each of `calls` has ended, has timed out, or the run is stopped, and updates their tasks.

        `cause`: the failure for which the rest was not sent, None while there is none.
        """
        pending = list(calls)
        uses = Counter(picture for running in calls for picture in running.references)
        while pending:
            for running in list(pending):
                if running.call.done.is_set():
                    self._complete(running, cause())
                elif running.timed_out:
                    self._detach_late(running)
                elif self._state.stopped.is_set():
                    self._detach_stopped(running)
                else:
                    continue
                pending.remove(running)
                _release_references(running, uses)
            if pending:
                pending[0].call.done.wait(TICK)

    def _complete(self, running: RunningCall, cause: NanoBananaError | None) -> None:
        """Takes over the outcome of a call that has ended."""
        call, report = running.call, self._state.report
        outcome = call.outcome
        # A call is for pictures of one frame; a claimed one that the run does not want has none.
        frame = next((task.slot.frame for task in running.tasks if task), report.tasks[0].slot.frame)
        report.add_notices(outcome.notices, frame)
        for number, fingerprint, task in zip(call.numbers, call.fingerprints, running.tasks, strict=True):
            if task is None:
                continue
            result = outcome.images.get(number)
            if result is not None:
                task.complete(result, outcome.text, fingerprint, sources=outcome.sources)
            elif (error := _error_of(call, number, cause)) is not None:
                task.fail(error, outcome.uids.get(number, ""), outcome.answer)
        if outcome.extras:
            extras = outcome.extras
            more = msg("count.one_picture_more") if extras == 1 else msg("count.pictures_more", count=extras)
            where = msg("call_monitor.extra_pictures_kept")
            report.add_notices(
                [msg("call_monitor.more_pictures_than_asked", spec_label=call.spec_label, more=more, where=where)]
            )
        if outcome.attempts:
            report.add_request(outcome.request_id, outcome.seconds, outcome.attempts, frame)
        count = len(outcome.images)
        if call.claim is None:
            report.add_cost(outcome.usd, running.price, count + outcome.extras, frame)
        elif count:
            what = (
                msg("call_monitor.one_picture_was")
                if count == 1
                else msg("call_monitor.many_pictures_were", count=count)
            )
            report.add_notices([msg("call_monitor.earlier_pictures_came_free", what=what, spec_label=call.spec_label)])

    def _detach_late(self, running: RunningCall) -> None:
        """The timeout is over: the node goes on, the call is still waited for in the background."""
        call = running.call
        call.detached = True
        self._limiter.release(call.target.account, running.queued)
        error = provider_error(
            ProviderFailure("timeout"),
            call.spec_label,
            STILL_RUNNING,
            what=msg(
                "call_monitor.still_waiting_in_background", spec_label=call.spec_label, timeout=call.target.timeout
            ),
        )
        for task in running.tasks:
            if task is not None:
                task.error = error

    def _detach_stopped(self, running: RunningCall) -> None:
        call = running.call
        call.detached = True
        if self._limiter.withdraw(call.target.account, running.queued):
            self._ledger.mark_failed(call.fingerprints, decide_unstarted_row, msg("call_monitor.not_sent"))
        for task in running.tasks:
            if task is not None:
                task.error = Stopped(msg("call_monitor.run_stopped_before_answer"), charged=call.charged)


def _error_of(call: Call, number: int, cause: NanoBananaError | None) -> NanoBananaError | None:
    """Why a picture of an ended call is missing."""
    error = call.outcome.error_of(number)
    if error is None or error.kind != "stopped" or cause is None:
        return error
    return Stopped(msg("call_monitor.not_sent_after_failure", reason=cause.reason), cure=cause.cure)


def _release_references(running: RunningCall, uses: Counter[Picture]) -> None:
    """Frees the references that no open call needs: the files and pixels of a long batch would fill the memory.

    `uses`: how many open calls have a reference, once for each time that they do.
    """
    for picture in running.references:
        uses[picture] -= 1
        if not uses[picture] and running.call.done.is_set():
            picture.unload()
