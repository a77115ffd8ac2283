"""Sends one step of a call, and sends it again while that is free of doubt: its key, its pauses, its broken connections.

What a failure means for the next try is decided by `retry_policy`, what it means for the money by `charge`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace

from ..dialects import step_after
from ..dialects.base.step import Dialect, Done, Failed, Reply, Send, State, Step, Streams
from ..errors import Charged, NanoBananaError, ProviderFailure
from ..errors.messages import message_of
from ..http.connections import UnsafeAddress
from ..http.failures import RequestFailed
from ..http.redirects import is_same_address
from ..http.transport import Cancelled, TooLong, TransferHooks, Transport
from ..ledger.kept_answers import KeptAnswer
from . import retry_policy
from .call_journal import CallJournal
from .call_key import CallKey
from .call_status import MARKS, CallStatus
from .charge import (
    AnswerUnread,
    ConnectionBroke,
    Misconfigured,
    OutOfTime,
    Redirected,
    RequestSent,
    TryEnded,
    Unsent,
    Withdrawn,
)
from .draft_watch import DraftWatch
from .failure_messages import FailureMessages, after_waiting, with_hint
from .rate_limit import CallThrottle, KeyLimit
from .redirected_answer import redirected_answer
from .repeated_references import without_repeated_references

log = logging.getLogger("nano_banana")


class StepSender:
    """Sends the steps of one call."""

    def __init__(
        self,
        dialect: Dialect,
        status: CallStatus,
        key: CallKey,
        journal: CallJournal,
        throttle: CallThrottle,
        stopped: Callable[[], bool],
        is_cancel_due: Callable[[], bool],
    ) -> None:
        """`stopped`: whether the run has ended. `is_cancel_due`: whether the provider is to be asked now to cancel
        the task."""
        self._dialect, self._status, self._key, self._journal = dialect, status, key, journal
        self._throttle, self._stopped, self.is_cancel_due = throttle, stopped, is_cancel_due
        self._messages = FailureMessages(status.target)

    def send(self, transport: Transport, send: Send) -> Step:
        """Sends until there is an answer worth a next step. Raises NanoBananaError."""
        attempt = 0
        while True:
            attempt += 1
            self._check_before_send()
            if send.paid and (stop := self._throttle.acquire()) is not None:
                failure = self._throttle.limit.failure or ProviderFailure("rate")
                return Failed(after_waiting(failure, stop, self._throttle.waited))
            answer = self._attempt(transport, send)
            if isinstance(answer, RequestFailed):
                self._retry_after_break(answer, send, attempt)
                continue
            if 300 <= answer.status < 400:
                same = is_same_address(send.url, answer.headers.get("location", ""))
                money = self._status.advance(Redirected(self._status.age, same_address=same))
                raise self._messages.redirected(answer, money)
            step = self._next_step(send, answer)
            if not isinstance(step, Failed):
                self._record_answer(send, step)
                return step
            if send.paid and retry_policy.refused_before_work(self._status.target.spec, step.failure):
                if (final := self._retry_after_refusal(step.failure, answer)) is not None:
                    return Failed(final, step.task)
                attempt -= 1
                continue
            if (failed := self._retry_after_failure(step, answer, send, attempt)) is not None:
                return failed

    def pause(self, seconds: float, *, until_cancel: bool = False) -> None:
        """Waits. `until_cancel`: ends when the task is to be cancelled. Raises NanoBananaError when the call ends meanwhile."""
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0 and not (until_cancel and self.is_cancel_due()):
            self.check_wanted()
            time.sleep(min(remaining, 0.05))

    def check_wanted(self) -> None:
        """Raises where a pause ends at once: the run is over and nothing was sent, or a paid call is out of time."""
        self._check_before_send()
        status = self._status
        if status.maybe_paid and time.monotonic() > status.deadline():
            task = status.task_id
            raise self._messages.out_of_time(task, status.advance(OutOfTime(status.age)))

    def _check_before_send(self) -> None:
        if not self._status.maybe_paid and self._stopped():
            self._status.advance(Withdrawn())
            raise self._messages.not_sent()

    # ------------------------------------------------------------------------------------------------ one try

    def _attempt(self, transport: Transport, send: Send) -> Reply | RequestFailed:
        """One request. What another try can't change is raised as an error for the user."""
        status = self._status
        try:
            reply = self.journal_and_send(transport, send)
            return redirected_answer(transport, send, reply, status, self._key) or reply
        except RequestFailed as broken:
            return answer_before_break(self._dialect, self._status, send, broken.reply) or broken
        except TooLong as error:
            if (answer := answer_before_break(self._dialect, self._status, send, error.reply)) is not None:
                return answer
            # A task is asked about again later: its next answer may be shorter.
            kept = None
            if status.maybe_paid and error.reply:
                kept = self._journal.keep_answer(kept_answer(send.state, error.reply))
            task = status.task_id
            raise self._messages.too_long(
                message_of(error), status.advance(AnswerUnread(status.age)), task, kept
            ) from None
        except UnsafeAddress as error:
            raise self._messages.unsafe_address(message_of(error), status.advance(AnswerUnread(status.age))) from None
        except NanoBananaError:
            # A key, a proxy or certificates of this machine. A task that is out is asked for again later.
            status.advance(Misconfigured())
            raise

    def journal_and_send(self, transport: Transport, send: Send, deadline: float | None = None) -> Reply:
        """One request, written down before it is sent where it is paid. Raises what `transport.send` does, and LedgerFailed."""
        status, spec = self._status, self._status.target.spec
        # A key may have to be asked for. Nothing was sent by then, and nothing is written down as sent.
        key = self._key.auth_header() if send.with_key else None
        if send.paid:
            status.make_references()
            self._journal.mark_sent()
            status.attempts += 1
            if status.sent_at is None:
                status.sent_at, status.paid_at = time.monotonic(), time.time()
        if send.body is not None and len(send.body) > 1 << 20:
            status.phase = "uploading"
        elif send.paid:
            status.phase = "sent"
        try:
            return transport.send(
                send.method,
                send.url,
                headers=headers_of(send, spec.idempotency_header, status.id),
                body=send.body,
                key=key,
                deadline=status.deadline(send) if deadline is None else deadline,
                fresh=send.paid,
                hooks=self._hooks(send),
            )
        except Cancelled:
            status.advance(Withdrawn())
            raise self._messages.not_sent() from None

    def _hooks(self, send: Send) -> TransferHooks:
        status = self._status
        streaming = self._dialect if send.streams and isinstance(self._dialect, Streams) else None
        watch = DraftWatch(streaming, status) if streaming else None

        def moved(sent: int, total: int) -> None:
            status.bytes_sent = (sent, total)
            if send.paid and sent >= total:
                status.phase = "sent"

        def leaving() -> None:
            if not send.paid:
                return
            status.let_leave(self._stopped)
            self._throttle.mark_sent()

        return TransferHooks(
            is_cancelled=lambda: self._stopped() and not status.maybe_paid,
            on_sent=moved,
            on_last_byte=leaving,
            on_received=watch.look_at if watch else lambda piece: None,
            is_whole=streaming.is_whole if streaming else None,
        )

    def _next_step(self, send: Send, reply: Reply) -> Step:
        """What the dialect makes of an answer, without the key and without the references that the answer repeats."""
        status = self._status
        step = step_after(self._dialect, status.job, send, replace(reply, prompt=status.sent_text))
        step = self._key.scrub_step(step)
        if isinstance(step, Done):
            step = without_repeated_references(step, reply, status.job, status.digests, status.marks, status.task_id)
        about_result = reply.ok and (send.paid or send.accepted is not None)
        keep = about_result and isinstance(step, Failed)
        status.answer = kept_answer({**send.state, MARKS: status.marks}, reply) if keep else None
        return step

    # ------------------------------------------------------------------------------------------------ after a try

    def _record_answer(self, send: Send, step: Step) -> None:
        """An answer leads on. After a paid request it means that it was taken, unless it asks for another variant."""
        if not send.paid:
            return
        if isinstance(step, Send) and step.accepted is None:
            # That was a refusal (`http/status.py`): nothing is out yet, and the journal knows it before the next step.
            self._end_try("no")
        else:
            self._status.advance(RequestSent())
        self._throttle.record_acceptance()

    def _retry_after_break(self, broken: RequestFailed, send: Send, attempt: int) -> None:
        """Pauses before the next try after a broken connection, or raises the error to end with."""
        status = self._status
        decision = retry_policy.after_broken_connection(
            status.target.spec,
            broken.sent,
            paid=send.paid,
            attempt=self._tries(attempt),
            jitter=random.random(),
            lasting=broken.lasting,
        )
        if isinstance(decision, retry_policy.GiveUp):
            task = status.task
            task_id = status.task_id
            money = status.advance(ConnectionBroke(status.age, broken.sent, send.paid))
            if task is not None:
                raise self._messages.task_lost(task_id, broken, money)
            if send.paid and money != "no":
                raise self._messages.answer_lost(broken, money)
            raise self._messages.unreachable(broken, money)
        if send.paid:
            self._end_try(decision.charged)
        self.pause(decision.seconds)

    def _retry_after_refusal(self, failure: ProviderFailure, reply: Reply) -> ProviderFailure | None:
        """A paid request was refused before work began: the next try waits. Returns the failure to give up with, if any."""
        hint = retry_policy.retry_after_hint(failure, reply.headers, time.time())
        decision = self._throttle.record_refusal(failure, hint)
        if isinstance(decision, retry_policy.GiveUp):
            self._status.advance(TryEnded("no"))
            return after_waiting(failure, decision, self._throttle.waited)
        self._end_try(decision.charged)
        label = self._status.target.spec.label
        log.info("%s answered %s; its key pauses for %.1f s", label, failure.status, decision.seconds)
        return None

    def _retry_after_failure(self, failed: Failed, reply: Reply, send: Send, attempt: int) -> Failed | None:
        """Pauses before the next try after an error in an answer; the failure where there is none."""
        status = self._status
        decision = retry_policy.after_failure(
            status.target.spec,
            failed.failure,
            reply.headers,
            paid=send.paid,
            attempt=self._tries(attempt),
            now=time.time(),
            jitter=random.random(),
        )
        if isinstance(decision, retry_policy.GiveUp):
            if send.paid:
                status.advance(TryEnded("no") if decision.charged == "no" else RequestSent())
            return Failed(with_hint(failed.failure, decision.wait), failed.task)
        if send.paid:
            self._end_try(decision.charged)
        status.phase = "pausing"
        label = status.target.spec.label
        log.info("%s answered %s; trying again in %.1f s", label, failed.failure.status, decision.seconds)
        self.pause(shared_pause(decision.seconds, send, failed.failure, self._throttle.limit))
        return None

    def _end_try(self, charged: Charged) -> None:
        """A paid try is over and cost that: the call is unsent again, unless an earlier try may have been taken."""
        status = self._status
        status.advance(TryEnded(charged))
        if isinstance(status.charge, Unsent):
            status.sent_at = None
            self._journal.mark_retryable()

    def _tries(self, attempt: int) -> int:
        """An accepted task is asked for until the deadline, whatever happens on the way."""
        status = self._status
        return min(attempt, 3) if status.task is not None and time.monotonic() < status.deadline() else attempt


def answer_before_break(dialect: Dialect, status: CallStatus, send: Send, reply: Reply | None) -> Reply | None:
    """What had come of an answer when it broke or was not read on, where the picture is in it.

    Of a stream also where it says why there is none.
    """
    if not (send.streams or send.paid) or reply is None or not reply.ok:
        return None
    step = step_after(dialect, status.job, send, replace(reply, prompt=status.sent_text))
    if not send.streams:
        return reply if isinstance(step, Done) and len(step.images) >= len(status.numbers) else None
    return None if isinstance(step, Failed) and step.failure.kind == "unreadable" else reply


def headers_of(send: Send, idempotency_header: str, call_id: str) -> dict[str, str]:
    """The headers of a request but for the key. `idempotency_header`: "" where the provider has none."""
    headers = dict(send.headers)
    if send.body is not None:
        headers["Content-Type"] = send.body.content_type
    if send.paid and idempotency_header:
        # This call's own: by the picture's name, a job that failed would be handed out again the next day, too.
        headers[idempotency_header] = call_id
    return headers


def shared_pause(seconds: float, send: Send, failure: ProviderFailure, limit: KeyLimit) -> float:
    """The pause of a free step: at least that of its key where it was refused for the same reason."""
    if not send.with_key or failure.kind not in ("rate", "busy"):
        return seconds
    return max(seconds, min(limit.remaining, limit.policy.longest_pause))


def kept_answer(state: State, reply: Reply) -> KeptAnswer:
    return KeptAnswer(reply.status, reply.headers, reply.body, state, reply.request_id)
