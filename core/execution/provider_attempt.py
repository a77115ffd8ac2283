"""Asks one provider for the pictures of a run that are still missing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from ..dialects.base.step import Job
from ..errors import OverCap, ProviderFailure, Stopped, provider_error
from ..errors.messages import msg
from ..images.picture import Encoded
from ..ledger import Claim, Reservation, ReserveResult, micros
from ..ledger.messages import acknowledged_notice, unresolved_error
from ..planning.batching import batches
from ..planning.plan import Candidate
from ..planning.references import encode_references, encode_whatever_size
from ..planning.turns import encode_turns, pictures_here
from ..request import Request
from . import retry_policy
from .call import Call
from .call_monitor import TICK, CallMonitor, RunningCall
from .charge import STILL_RUNNING, decide_unstarted_row
from .encode_ahead import EncodeAhead
from .failure_limit import FailureLimit
from .image_task import ImageTask
from .orders.order_placing import OrderPlacing, is_ordered_error
from .run_state import RunState
from .stored_images import complete_from_store


class ProviderAttempt:
    """Made for each provider that a run asks. `perform` leaves each picture with a result or an error."""

    def __init__(self, state: RunState, monitor: CallMonitor, candidate: Candidate) -> None:
        self._state, self._monitor, self._candidate = state, monitor, candidate
        self._ledger, self._cache = state.services.ledger, state.services.cache
        self._target = candidate.target
        self._resolved = state.resolved_by_frame(candidate)
        self._has_alternative = self._target is not state.plan.targets[-1].target
        self._limit = FailureLimit(self._target, self._has_alternative)

    def perform(self) -> None:
        """Reserves, sends and waits until no picture is pending. Raises LedgerFailed."""
        state = self._state
        state.asked = self._candidate
        for frame, each in self._resolved.items():
            state.report.add_notices(each.notices, frame)
        asked = pending = state.sendable
        for task in pending:
            task.reset()
            task.reservation = self._reservation(task)
        while pending and not state.stopped.is_set():
            self._reserve_and_send(pending)
            self._wait_for_others([task for task in pending if task.pending])
            pending = [task for task in pending if task.pending]
            complete_from_store(state, pending)
            pending = [task for task in pending if task.pending]
        if state.stopped.is_set():
            for task in state.tasks:
                if task.pending:
                    task.error = Stopped(msg("provider_attempt.not_sent_run_stopped"))
        state.add_attempt(self._candidate, asked)

    def _reservation(self, task: ImageTask) -> Reservation:
        resolved, request = self._resolved[task.slot.frame], task.request
        return Reservation(
            resolved.fingerprint(request, task.slot),
            task.fingerprints,
            self._target.spec.id,
            resolved.model_id,
            self._target.profile,
            request.operation,
            request.prompt,
            self._target.base_url,
            micros(resolved.counted_usd),
            resolved.delivery,
        )

    # ------------------------------------------------------------------------------------------------ reserve and send

    def _reserve_and_send(self, pending: Sequence[ImageTask]) -> None:
        """Reserves `pending`, sends what this run has reserved, and goes on with calls that no process works on."""
        resume = self._state.services.resume
        try:
            reserved = self._ledger.reserve(
                [task.reservation for task in pending if task.reservation],
                self._state.context,
                self._state.plan.terms.caps,
                resend=self._state.plan.terms.resend,
                can_resume=lambda provider, profile, address: resume(provider, profile, address, "") is not None,
            )
        except OverCap as error:
            for task in pending:
                task.error = error
            return
        self._state.report.add_notices(self._ledger.take_notices())
        self._report_unresolved(reserved, pending)
        self._report_orders(reserved, pending)
        mine: dict[str, ImageTask] = {}
        for task in pending:
            # A picture that occurs twice in this very run is reserved once; its duplicate waits like any other.
            if reserved.statuses[task.fingerprint] == "reserved":
                mine.setdefault(task.fingerprint, task)
        try:
            self._send(list(mine.values()), reserved.claims, pending)
        except BaseException:
            self._release([*mine, *(image.fingerprint for claim in reserved.claims for image in claim.images)])
            raise

    def _report_unresolved(self, reserved: ReserveResult, pending: Sequence[ImageTask]) -> None:
        """Fails the pictures that may have been paid before: the user is asked about them first."""
        labels = {self._target.spec.id: self._target.spec.label}
        if reserved.acknowledged:
            resent = [charge for found in reserved.acknowledged.values() for charge in found]
            self._state.report.add_notices([acknowledged_notice(resent, labels)])
        if not reserved.unresolved:
            return
        charges = [charge for found in reserved.unresolved.values() for charge in found]
        question = unresolved_error(
            charges, labels, kept=any(self._ledger.kept_answer_name(charge.answers) for charge in charges)
        )
        self._state.unresolved += [charge.uid for charge in charges]
        for task in pending:
            if found := reserved.unresolved.get(task.fingerprint):
                task.fail(question, found[0].uid, self._ledger.kept_answer_name(found[0].answers))

    def _report_orders(self, reserved: ReserveResult, pending: Sequence[ImageTask]) -> None:
        """Marks the pictures that are in an order. Made now, too, they would be paid twice, so that is refused."""
        for task in pending:
            order = reserved.orders.get(task.fingerprint)
            if order is not None and self._state.plan.delivery == "batch":
                task.order = order
                open_order = self._state.services.orders.find(order)
                if open_order is not None and open_order.is_unread:
                    self._state.report.add_notices([open_order.unread_notice])
            elif order is not None:
                task.fail(is_ordered_error(self._target.spec.label))

    def _release(self, fingerprints: Sequence[str]) -> None:
        """Takes back the reservations that no call is for: they would last as long as this process."""
        with_call = {each for running in self._monitor.calls for each in running.call.fingerprints}
        with_call |= {each for order in self._state.orders for each in order.fingerprints}
        unused = [each for each in fingerprints if each not in with_call]
        self._ledger.mark_failed(unused, decide_unstarted_row, msg("provider_attempt.run_ended"))

    def _send(self, mine: Sequence[ImageTask], claims: Sequence[Claim], pending: Sequence[ImageTask]) -> None:
        """Asks for `mine` in as few calls as the provider allows, goes on with `claims`, and waits for both."""
        calls: list[RunningCall] = []
        orders = OrderPlacing(self._state, self._candidate)
        orders.resume([claim for claim in claims if claim.delivery == "batch"])
        claims = [claim for claim in claims if claim.delivery == "now"]
        if self._state.plan.delivery == "batch" and mine:
            orders.place(mine, self._job)
            mine = ()
        resumed = [self._resumed(claim) for claim in claims]
        new_batches = self._batches(mine)
        ahead = self._encode_ahead([batch[0].request for batch in new_batches])
        new = [self._new_call(batch, ahead.turn_of(number)) for number, batch in enumerate(new_batches)]
        for call, claim in zip(resumed, claims, strict=True):
            tasks = [_task_for(image.fingerprint, pending) for image in claim.images]
            calls.append(self._monitor.start(call, tasks))
        for call, batch in new:
            resolved = self._resolved[batch[0].slot.frame]
            calls.append(self._monitor.start(call, batch, resolved.all_references, resolved.usd))
        self._monitor.wait(calls, lambda: self._limit.cause)

    def _batches(self, mine: Sequence[ImageTask]) -> list[list[ImageTask]]:
        by_slot = {task.slot: task for task in mine}
        found = batches(by_slot, lambda frame: self._resolved[frame].capabilities.max_count)
        return [[by_slot[slot] for slot in batch] for batch in found]

    def _resumed(self, claim: Claim) -> Call:
        target = self._state.services.resume(claim.provider, claim.profile, claim.address, claim.model)
        return Call.resumed(claim, target or self._target, self._ledger, self._cache)

    def _encode_ahead(self, requests: Sequence[Request]) -> EncodeAhead:
        """For calls with these requests, in their order."""
        references = [() if each.branch else self._resolved[each.frame].references for each in requests]
        reference_format, spec = self._state.reference_format, self._target.spec

        def encode(number: int) -> None:
            encode_whatever_size(references[number], spec, reference_format)

        return EncodeAhead(references, encode, self._target.parallel, self._is_over)

    def _is_over(self) -> bool:
        return self._state.stopped.is_set() or self._limit.reached

    def _new_call(self, batch: list[ImageTask], turn: AbstractContextManager[None]) -> tuple[Call, list[ImageTask]]:
        """Within `turn` it encodes its references."""
        request = batch[0].request

        def make_job() -> Job:
            with turn:
                return self._job(request, batch[0].slot.seed, len(batch), lazily=True)

        call = Call(
            self._target,
            make_job,
            [task.fingerprint for task in batch],
            [picture.digest for picture in self._resolved[request.frame].all_references],
            self._ledger,
            self._cache,
            self._is_over,
            self._limit.observe,
            slots=[task.slot for task in batch],
            patience=retry_policy.patience(self._target.timeout, self._has_alternative, self._cache.rate_limits.policy),
        )
        return call, batch

    def _job(self, request: Request, seed: int, count: int, *, lazily: bool = False) -> Job:
        """What the dialect gets. Encodes the references, so it runs on the call's own thread, when its turn has come.

        `lazily`: where they are uploaded one by one, they are encoded meanwhile.
        """
        files: list[Encoded] = []
        notices: list[str] = []
        resolved, spec = self._resolved[request.frame], self._target.spec
        if resolved.references:
            with pictures_here() if request.branch else nullcontext():
                # A picture of a conversation that can't be read any more has to be missed here.
                files, notices = encode_references(
                    resolved.references, spec, self._state.reference_format, lazily=lazily and request.branch is None
                )
            self._state.report.add_notices(notices, request.frame)
        wants_drafts = self._state.wants_drafts
        job = self._target.job(resolved, request, seed, count, files, wants_drafts=wants_drafts)
        job = replace(job, notices=tuple(notices))
        if resolved.branch is None:
            return job
        last = resolved.branch.last
        turns = encode_turns(resolved.branch, spec, self._state.reference_format, job.references)
        return replace(job, turns=turns, parent=(last.picture.file, last.uid))

    # ------------------------------------------------------------------------------------------------ other runs

    def _wait_for_others(self, pending: Sequence[ImageTask]) -> None:
        """Waits until one of the pictures that another run has sent is settled. Fails all when the timeout is over."""
        end = time.monotonic() + self._target.timeout
        while pending and not self._state.stopped.is_set():
            if self._ledger.wait([task.fingerprints for task in pending], TICK):
                return
            if time.monotonic() > end:
                error = provider_error(
                    ProviderFailure("timeout"),
                    self._target.spec.label,
                    STILL_RUNNING,
                    what=msg("provider_attempt.same_picture_still_awaited", timeout=self._target.timeout),
                )
                for task in pending:
                    task.error = error
                return


def _task_for(fingerprint: str, pending: Sequence[ImageTask]) -> ImageTask | None:
    """The picture that a call made earlier was for; None where the run does not want it."""
    return next((task for task in pending if task.result is None and fingerprint in task.fingerprints), None)
