"""Does the steps that a dialect gives, one after the other, until the provider has finished."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from ..dialects.base.step import Cancels, Dialect, Done, Failed, Send, Step, Wait
from ..dialects.parsing.error_parsing import explain_refused_references
from ..errors import NanoBananaError, ProviderFailure
from ..http.connections import UnsafeAddress
from ..http.failures import RequestFailed
from ..http.transport import TooLong, Transport
from .call_journal import CallJournal
from .call_key import CallKey
from .call_status import MARKS, CallStatus
from .charge import PaymentDue, Refused, TaskAccepted, is_task_lost
from .failure_messages import FailureMessages
from .provider_cache import ProviderCache
from .step_sender import StepSender

log = logging.getLogger("nano_banana")

CANCEL_SECONDS = 15.0
"""For the one request that asks a provider to cancel a task."""


class StepRunner:
    """Runs the dialect's state machine for one call."""

    def __init__(
        self,
        dialect: Dialect,
        status: CallStatus,
        key: CallKey,
        journal: CallJournal,
        cache: ProviderCache,
        sender: StepSender,
        transport: Transport,
    ) -> None:
        self._dialect, self._status, self._key, self._journal = dialect, status, key, journal
        self._cache, self._sender, self._transport = cache, sender, transport
        self._messages = FailureMessages(status.target)

    def until_done(self, step: Step) -> Done:
        """Does one step after the other. Raises NanoBananaError when they end without a picture."""
        status = self._status
        while True:
            if isinstance(step, Wait):
                status.phase, status.progress = "working", step.progress
                self._note(step.then)
                self._sender.pause(step.seconds, until_cancel=True)
                step = self._request_cancel() or step.then
            elif isinstance(step, Send):
                if step.paid and status.claim is not None:
                    money = status.advance(PaymentDue())
                    raise self._messages.error(ProviderFailure("unreadable", "it would have to be paid again"), money)
                self._note(step)
                step = self._sender.send(self._transport, step)
            elif isinstance(step, Failed):
                raise self._failure(step)
            else:
                return step

    def ask_again(self) -> Done:
        """Asks for the accepted task once more."""
        assert self._status.task is not None
        return self.until_done(self._dialect.resume(self._status.job, self._status.task))

    def _note(self, send: Send) -> None:
        """Keeps what a step brought: an accepted task, a variant that worked, an upload."""
        status, cache = self._status, self._cache
        if send.accepted is not None:
            is_new = status.task is None
            status.advance(TaskAccepted(send.accepted))
            if is_new:
                # After a restart the references are gone: their marks tell them from a result then, too.
                marks = status.marks
                self._journal.mark_accepted({**send.accepted, MARKS: marks} if marks else send.accepted)
        if send.api_variant:
            cache.api_variants[status.target.cache_key] = send.api_variant
        cache.remember_variants(status.target, send.variants)
        if send.uploaded is not None:
            index, url = send.uploaded
            status.uploads.add(url)
            notice = cache.remember_upload(status.target, status.job.all_references[index], status.digests[index], url)
            status.outcome.notices += [notice] if notice else []

    def _failure(self, failed: Failed) -> NanoBananaError:
        """The error for an answer without a picture."""
        status = self._status
        failure = explain_refused_references(failed.failure, len(status.job.references))
        if status.task is not None and is_task_lost(failure):
            failure = replace(failure, kind="task_lost")
        money = status.advance(Refused(status.age, spec=status.target.spec, failure=failure))
        if failure.kind == "key":
            self._key.forget_token()
        kept = self._journal.keep_answer(status.answer) if status.answer and money != "no" else None
        return self._messages.error(failure, money, failed.task, kept)

    def _request_cancel(self) -> Step | None:
        """Asks the provider once to cancel a task that the user no longer wants. None when nothing came of asking."""
        task = self._status.task
        if task is None or not self._sender.is_cancel_due():
            return None
        self._status.cancel_requested = True
        self._status.answer = None
        job = self._status.job
        send = self._dialect.cancel(job, task) if isinstance(self._dialect, Cancels) else None
        if send is None:
            return None
        try:
            reply = self._sender.journal_and_send(self._transport, send, time.monotonic() + CANCEL_SECONDS)
        except (RequestFailed, TooLong, UnsafeAddress, NanoBananaError) as error:
            label = self._status.target.spec.label
            log.info("%s could not be asked to cancel a task: %s", label, self._key.scrub_text(str(error)))
            return None
        return self._key.scrub_step(self._dialect.next(job, send.state, reply))
