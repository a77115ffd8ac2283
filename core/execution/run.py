"""One node's pictures, from requests to results.

A run looks into the journal first, goes on with calls that no process works on, sends only what is missing, stops sending when
the rest would fail, too, and asks the next provider only for pictures that surely cost nothing. It may be stopped at any
moment: what was sent is still collected, without the run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from ..errors import Impossible, LedgerFailed
from ..ledger import RunContext
from ..planning.plan import Candidate, Plan
from ..planning.successor import gone_id, is_unknown_model, successor_notice, successor_of
from ..request import Request
from .call import Call
from .call_monitor import CallMonitor
from .image_task import ImageTask
from .provider_attempt import ProviderAttempt
from .report import Progress, Report, StopSummary
from .run_state import RunServices, RunState
from .size_check import size_notices
from .stored_images import complete_from_store

_SHOWN_PHASES = ("downloading", "working", "pausing", "sent", "uploading", "waiting for a free slot")
"""Phases of calls; the first of them in which a call is, is shown for the whole run."""
_WAITS = {"rate": "waiting for the rate limit", "busy": "waiting for the busy provider"}
"""Kind of a refusal after which calls wait -> the phase that is shown meanwhile."""


class Run:
    """A run on its own thread. `start` it, then look at `done`, `error`, `progress` and `report`."""

    def __init__(
        self,
        requests: Sequence[Request],
        plan: Plan,
        services: RunServices,
        context: RunContext,
        reference_format: str = "auto",
        *,
        auto_notify: bool = True,
        wants_drafts: bool = False,
    ) -> None:
        """`auto_notify`: the questions of the report count as shown to the user when the run has ended. Otherwise the caller
        shows them and calls `mark_notified`. `wants_drafts`: somebody looks at what the models draw while thinking."""
        self._state = RunState(requests, plan, services, context, reference_format, wants_drafts)
        self._monitor = CallMonitor(self._state)
        self._auto_notify = auto_notify
        self.error: BaseException | None = None
        """What ended the run before its time; the failures of single pictures are in the report."""
        self.done = threading.Event()
        self._callback: Callable[[], None] | None = None
        self._ending = threading.Lock()
        self._begun = time.monotonic()

    # ------------------------------------------------------------------------------------------------ for the node

    @property
    def report(self) -> Report:
        return self._state.report

    @property
    def tasks(self) -> list[ImageTask]:
        """One for each picture, in frame and slot order."""
        return self._state.tasks

    @property
    def calls(self) -> list[Call]:
        """Every call that was started, those that have ended included."""
        return [running.call for running in list(self._monitor.calls)]

    @property
    def drafts(self) -> dict[str, bytes]:
        """What the models have drawn while thinking, for the pictures that are still awaited: a name for each, and its file."""
        awaited = [call for call in self.calls if not call.done.is_set()]
        return {f"{call.id} {number}": data for call in awaited for number, data in enumerate(call.drafts)}

    @property
    def prompt_id(self) -> str:
        """Which queueing of a workflow the run belongs to."""
        return self._state.context.run

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="nano-banana-run").start()

    def when_done(self, callback: Callable[[], None]) -> None:
        """Calls back once, from another thread, when the run has ended; at once when it has already."""
        with self._ending:
            if not self.done.is_set():
                self._callback = callback
                return
        callback()

    def stop(self, *, cancel: bool = True) -> StopSummary:
        """Drops what has not been sent and detaches what has.

        `cancel`: the user wants none of it, so providers that can are asked to cancel what they have not begun. Returns
        without waiting for their answers.
        """
        state, limiter = self._state, self._state.services.limiter
        state.stopped.set()
        calls = list(self._monitor.calls)
        for running in calls:
            limiter.withdraw(running.call.target.account, running.queued)
            running.call.detached = True
        # A call that has just given up for the stop, or was refused, is not done yet and costs nothing.
        sent = [each for each in calls if each.call.charged != "no" and not each.call.done.is_set()]
        # A request that is only leaving now may be accepted in a moment: it is marked too.
        cancelled = [running for running in calls if cancel and running.call.cancel()]
        returned = _returned_fingerprints([running.call for running in calls])
        missing = [task for task in state.tasks if not task.result and not task.has_any(returned)]
        sent_for = {each for running in sent for each in running.call.fingerprints}
        cancelled_for = {each for running in sent if running in cancelled for each in running.call.fingerprints}
        pending = [task for task in missing if task.has_any(sent_for)]
        others = [task for task in missing if not task.has_any(sent_for)]
        in_orders = {each for order in state.orders if order.maybe_paid for each in order.fingerprints}
        pending += [task for task in others if task.order or task.has_any(in_orders)]
        others = [task for task in others if task not in pending]
        unresolved = sum(1 for task in others if task.error and task.error.charged != "no")
        prices = [running.usd for running in sent]
        return StopSummary(
            total=len(state.tasks),
            completed=len(state.tasks) - len(missing),
            pending=len(pending),
            cancelling=sum(1 for task in pending if task.has_any(cancelled_for)),
            unresolved=unresolved,
            dropped=len(others) - unresolved,
            usd=None if None in prices else sum(price for price in prices if price),
        )

    @property
    def has_unresolved_charges(self) -> bool:
        """Whether the report asks the user about pictures that may have been paid. That of a stopped run asks nothing."""
        return bool(self._state.unresolved) and not self._state.stopped.is_set()

    def mark_notified(self) -> None:
        """The user has been shown what the report asks: to queue again within the hour is the answer."""
        if not self.has_unresolved_charges:
            return
        try:
            self._state.services.ledger.mark_notified(self._state.unresolved, self.prompt_id)
        except LedgerFailed as error:  # the user is asked again; the pictures in hand must not be lost for it
            self.report.add_notices([error.reason])

    @property
    def progress(self) -> Progress:
        calls = [call for call in self.calls if not call.done.is_set()]
        waits = [wait for call in calls if (wait := call.throttle.pause_shown)]
        orders = [order for order in self._state.orders if not order.settled.is_set()]
        phases = {call.phase for call in calls} | {order.phase for order in orders}
        phase: str = next((each for each in _SHOWN_PHASES if each in phases), "preparing")
        if phase == "working":
            phase = next((call.progress for call in calls if call.progress), phase)
        elif phase == "sent":
            phase = "a draft is here" if any(call.drafts for call in calls) else "waiting for the answer"
        if waits:
            phase = _WAITS[waits[0][0]]
        if self.done.is_set():
            phase, waits = "done", []
        uploads = [call.bytes_sent for call in self.calls if call.phase == "uploading"]
        uploads += [order.bytes_sent for order in orders if order.phase == "uploading"]
        candidate = self._state.shown
        return Progress(
            len(self.tasks),
            len(self.report.completed),
            candidate.target.spec.label if candidate else "",
            candidate.target.model.name if candidate else "",
            phase,
            time.monotonic() - self._begun,
            (sum(done for done, _ in uploads), sum(total for _, total in uploads)),
            self.report.usd if self.done.is_set() else self._list_price(candidate),
            min((seconds for _, seconds in waits), default=0.0),
        )

    def _list_price(self, candidate: Candidate | None) -> float | None:
        """What all pictures cost at a provider by its price list; None when a price isn't known."""
        prices = [each.usd for each in candidate.resolved] if candidate else []
        counts = [request.num_images for request in self._state.requests]
        if None in prices:
            return None
        return sum(price * count for price, count in zip(prices, counts, strict=False) if price)

    # ------------------------------------------------------------------------------------------------ the run's thread

    def _run(self) -> None:
        state = self._state
        try:
            state.compute_fingerprints()
            complete_from_store(state, state.tasks)
            self._refuse_rest()
            for candidate in state.plan.targets:
                if state.stopped.is_set() or not state.sendable or state.plan.refusal:
                    break
                ProviderAttempt(state, self._monitor, candidate).perform()
                self._ask_successors(candidate)
            for notice, frames in size_notices(state.tasks).items():
                for frame in frames:
                    self.report.add_notices([notice], frame)
            self.report.close()
            if self._auto_notify:
                self.mark_notified()
        except BaseException as error:  # raised again by the node
            self.error = error
        finally:
            with self._ending:
                self.done.set()
                callback = self._callback
            if callback:
                callback()

    def _refuse_rest(self) -> None:
        """Fails the missing pictures where nothing may be sent. Raises the refusal where all are missing."""
        state, refusal = self._state, self._state.plan.refusal
        if refusal is None or not state.sendable:
            return
        if not self.report.completed:
            raise refusal
        for task in state.sendable:
            # Not the refusal's own class: the node makes one error of many, of the same class.
            task.error = Impossible(refusal.what, cure=refusal.cure)

    def _ask_successors(self, asked: Candidate) -> None:
        """Asks the model that took the place of one whose id the provider has just said it doesn't know."""
        state, gone = self._state, self._state.services.cache.removed_models
        failed_before = [(task, task.error) for task in state.sendable]
        dropped = [asked]
        while not state.stopped.is_set() and any(is_unknown_model(task.error) for task in state.sendable):
            try:
                successor = successor_of(dropped[-1], state.requests)
            except Impossible as error:
                gone.update(gone_id(old) for old in dropped)
                for task in state.sendable:
                    task.error = error
                return
            if successor is None or len(dropped) > len(successor.target.spec.models):
                break
            dropped.append(successor)
            state.add_candidate(successor)
            complete_from_store(state, state.sendable)
            if state.sendable:
                ProviderAttempt(state, self._monitor, successor).perform()
        failed = state.sendable
        if len(failed) == len(failed_before) and all(is_unknown_model(task.error) for task in failed):
            for task, first_error in failed_before:  # it knows none of the models: a wrong address, perhaps
                task.error = first_error
        elif len(dropped) > 1:
            gone.update(gone_id(old) for old in dropped[:-1])
            self.report.add_notices([successor_notice(asked, dropped[-1])])


def _returned_fingerprints(calls: Sequence[Call]) -> set[str]:
    """Fingerprints of the pictures that ended calls have brought."""
    return {
        fingerprint
        for call in calls
        if call.done.is_set()
        for number, fingerprint in zip(call.numbers, call.fingerprints, strict=True)
        if number in call.outcome.images
    }
