"""One order, from its requests to its pictures, on one thread of its own.

    state      meaning                                               what SIGKILL leaves
    writing    its requests are put on disk; nothing was sent        nothing: its rows are deleted, nothing was paid
    sent       the request that creates it is out                    the provider's list says whether it is there
    accepted   the provider has it, and is asked how far it is       it is asked again after the next start
    answers    each picture is in the journal before the next        those that lack are fetched again, free

It outlives the run that placed it, and the process: `Claim`s bring it back.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from ...dialects.base.step import Job
from ...dialects.batch import gemini as gemini_batch
from ...dialects.batch.gemini import BatchStatus
from ...errors import NanoBananaError, ProviderFailure
from ...errors.messages import message_of, msg
from ...http.body import Body
from ...http.connections import UnsafeAddress
from ...http.download import DownloadFailed
from ...http.failures import RequestFailed
from ...http.transport import TooLong
from ...ledger import Claim
from ...ledger.journal import Journal
from ...planning.plan import Target
from ..call_status import status_of_claim, status_of_new_call
from ..charge import AnswerUnread, Failed, OutOfTime, Refused, TaskAccepted, Withdrawn
from ..journaled_call import JournaledCall
from ..provider_cache import ProviderCache
from .order_answers import OrderAnswers
from .order_creation import OrderCreation
from .order_file import OrderFile
from .order_list import LASTING_REFUSALS
from .order_sender import OrderSender, job_of

log = logging.getLogger("nano_banana")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two looks at an order: they grow from the first to the longest."""
UNKNOWN_POLLS = 4
"""How often in a row the provider may not know an order that it has named, before it counts as lost."""

UNREAD_LOOKS = 5
"""After how many answers in a row that don't say how far an order is one is kept."""


@dataclass(frozen=True)
class OrderedPicture:
    """What is asked for one picture of an order."""

    job: Job
    digests: Sequence[str]
    """The pixel digests of the references that go along with the prompt."""


@dataclass(frozen=True)
class OrderRequests:
    """What a new order asks for."""

    model_id: str
    operation: str
    fingerprints: Sequence[str]
    pictures: Callable[[], Iterable[OrderedPicture]]
    """In the order of their numbers. Called on the order's own thread, once."""
    answer_bytes: int
    """How many bytes its answers are expected to have."""
    stopped: Callable[[], bool]
    """Whether the run has ended: what isn't sent by then is dropped."""


def new_id(target: Target) -> str:
    """An id that nothing else has, 32 hexadecimal digits; the last eight say which account the order is sent with."""
    return uuid.uuid4().hex[:24] + _account_digits(target)


def is_of_account(order: str, target: Target) -> bool:
    """Whether an order was sent with the target's key: another account's list says nothing about it."""
    return order.endswith(_account_digits(target))


def _account_digits(target: Target) -> str:
    return sha256(f"order {target.account}".encode()).hexdigest()[:8]


class Order(JournaledCall):
    """Made for new pictures, or for the rest of an earlier order. `run` never raises; the outcome has the errors."""

    def __init__(
        self,
        target: Target,
        source: OrderRequests | Claim,
        ledger: Journal,
        cache: ProviderCache,
        folder: Path,
        ended: Callable[[Order], None],
    ) -> None:
        claimed = isinstance(source, Claim)
        status = (
            status_of_claim(source, target)
            if isinstance(source, Claim)
            else status_of_new_call(new_id(target), target, source.fingerprints, ())
        )
        super().__init__(target, status, ledger, cache)
        self._source, self._ended = source, ended
        self._status.phase, self._status.is_order = "preparing", True
        model_id = source.model if isinstance(source, Claim) else source.model_id
        self._job = self._status.job = job_of(target, model_id, source.operation)
        self._file = OrderFile(folder, self.id)
        self._answers: OrderAnswers | None = None
        self._wake, self._cancel = threading.Event(), threading.Event()
        self.is_resumed = claimed
        self.was_accepted = claimed and self._status.task is not None
        """Whether the provider has taken it."""
        self.was_cancelled = False
        """Whether the provider has taken the user's wish to cancel it."""
        self.cancel_refusal = ""
        """Why the provider did not cancel it, for the user."""
        self.settled = threading.Event()
        """Set once it is known whether the provider has taken it."""
        if claimed:
            self.settled.set()
        self.done = threading.Event()
        self._has_collected, self._unread_looks = False, 0
        self._kept_answer: Path | None = None

    # ------------------------------------------------------------------------------------------------ for others

    @property
    def name(self) -> str:
        """Its display name at the provider."""
        return f"nano-banana-{self.id}"

    @property
    def stored(self) -> int:
        """How many of its pictures this process has stored."""
        return self._answers.stored if self._answers else 0

    @property
    def resumable(self) -> int:
        """How many of its pictures can be asked for again at no cost, once it has ended."""
        charges = [self._status.charge_of(number) for number in self.numbers]
        return sum(isinstance(charge, Failed) and charge.disposition == "resumable" for charge in charges)

    @property
    def is_unread(self) -> bool:
        """Whether the provider answers for some time already in a way that doesn't say how far the order is."""
        return self._unread_looks >= UNREAD_LOOKS

    @property
    def unread_notice(self) -> str:
        return msg(
            "order.answers_unread", provider=self.target.spec.label, hours=int(gemini_batch.KEPT_SECONDS // 3600)
        )

    @property
    def was_sent(self) -> bool:
        """Whether the request that creates it has left, and was not surely refused."""
        return self._status.sent_at is not None

    def cancel(self) -> None:
        """Asks the provider to cancel it, on the order's own thread. Returns at once."""
        self._cancel.set()
        self._wake.set()

    def poke(self) -> None:
        """Looks at it now."""
        self._wake.set()

    # ------------------------------------------------------------------------------------------------ its life

    def run(self) -> None:
        """The whole life of the order."""
        status, outcome, sender = self._status, self._status.outcome, None
        begun = time.monotonic()
        try:
            sender = OrderSender(self.target, self._key)
            self._answers = OrderAnswers(self._job, status, self._journal, self._key, sender)
            self._follow(sender, self._place(sender))
        except Exception as error:
            self._record_error(error)
        finally:
            if sender is not None:
                sender.transport.close()
            is_read = self._has_collected and self._answers is not None and not self._answers.has_unkept
            self._file.delete(keep_answers=not is_read)
            outcome.attempts, outcome.seconds = status.attempts, time.monotonic() - begun
            self._key.scrub_outcome(outcome)
            self._journal.close(run_detached=self.settled.is_set() and not self.was_cancelled)
            status.phase = "ended"
            self._source = None  # type: ignore[assignment]  # the references may be large
            self.done.set()
            self.settled.set()  # after `done`: whoever waits for it must not take an order that has failed for a placed one
            self._ended(self)

    def _place(self, sender: OrderSender) -> str:
        """The provider's name for the order, which is created where it is new. Raises NanoBananaError."""
        status, source = self._status, self._source
        if status.task is not None:
            return status.task_id
        creation = OrderCreation(
            self.name,
            self._job,
            status,
            self._journal,
            sender,
            stopped=(lambda: False) if isinstance(source, Claim) else source.stopped,
            wait=self._wait,
        )
        if isinstance(source, Claim):
            batch = creation.find(same_account=is_of_account(self.id, self.target))
        else:
            self._file.write(self._requests(source))
            batch = creation.create(self._file, source.answer_bytes)
        status.advance(TaskAccepted({"task": batch}))
        self._journal.mark_accepted({"task": batch})
        self.was_accepted = True
        if not self.is_resumed:
            log.info("%d pictures are ordered at %s as %s", len(status.numbers), self.target.spec.label, batch)
        self._file.delete()
        self.settled.set()
        return batch

    def _requests(self, source: OrderRequests) -> Iterator[tuple[str, Body]]:
        """Key and body of each request: the key is the number of the picture. Raises Stopped where the run has ended."""
        for number, asked in enumerate(source.pictures()):
            if source.stopped():
                self._status.advance(Withdrawn())
                raise self._messages.not_sent()
            self._journal.keep_request(number, asked.job, asked.digests)
            yield str(number), gemini_batch.request_body(asked.job)

    def _follow(self, sender: OrderSender, batch: str) -> None:
        """Asks how far it is until it has ended, and takes its pictures. Raises NanoBananaError."""
        pause = FIRST_PAUSE
        unknown = 0
        self._status.phase = "working"
        while True:
            if self._cancel.is_set() and not self.was_cancelled:
                self._request_cancel(sender, batch)
            begun = time.monotonic()
            unknown = unknown + 1 if self._look(sender, batch, unknown) else 0
            if self._has_collected:
                return
            if self._status.age > gemini_batch.KEPT_SECONDS:
                raise self._too_old(batch)
            self._wait(pause)
            while unknown and (remaining := begun + pause - time.monotonic()) > 0:
                self._wait(remaining)  # in full: looks in quick succession must not make an order count as lost
            pause = FIRST_PAUSE if self._cancel.is_set() and not self.was_cancelled else min(pause * 1.5, LONGEST_PAUSE)

    def _too_old(self, batch: str) -> NanoBananaError:
        """The provider knows no order that is so old; what it answered last is kept where nobody could read it."""
        money = self._status.advance(OutOfTime(self._status.age))
        if not self.is_unread:
            return self._messages.out_of_time(batch, money)
        cure = msg("order.update_the_pack")
        return self._messages.error(ProviderFailure("unreadable", cure=cure), money, batch, self._kept_answer)

    def _look(self, sender: OrderSender, batch: str, unknown: int) -> bool:
        """One look at the order. Gives whether the provider did not know it. Raises NanoBananaError."""
        status = self._status
        try:
            reply = sender.send(gemini_batch.poll(self._job, batch))
        except RequestFailed as broken:
            log.debug("an order could not be looked at: %s", broken)
            return False
        except TooLong as error:
            money = status.advance(AnswerUnread())
            raise self._messages.too_long(message_of(error), money, batch, None) from None
        except UnsafeAddress as error:
            raise self._messages.unsafe_address(message_of(error), status.advance(AnswerUnread())) from None
        if not reply.ok:
            failure = gemini_batch.failure(self._job, reply)
            is_unknown = reply.status in (404, 410)
            if is_unknown and unknown >= UNKNOWN_POLLS and is_of_account(self.id, self.target):
                failure = replace(failure, kind="task_lost")
            elif failure.kind not in LASTING_REFUSALS:
                return is_unknown
            raise self._messages.error(failure, status.advance(Refused(spec=self.target.spec, failure=failure)), batch)
        found = gemini_batch.status_of(reply)
        if found is None:
            self._unread_looks += 1
            if self._unread_looks == UNREAD_LOOKS:
                self._kept_answer = self._journal.keep_order_answer(reply.body)
                log.warning("%s", self.unread_notice)
        else:
            status.progress, self._unread_looks = found.state, 0
            self._has_collected = found.has_ended and self._collect(found, reply)
        return False

    def _collect(self, found: BatchStatus, reply: gemini_batch.Reply) -> bool:
        """Takes its pictures; False where they can't be fetched now. Raises NanoBananaError."""
        assert self._answers is not None
        self._status.phase = "downloading"
        try:
            self._answers.collect(found, reply, self._file)
        except (RequestFailed, TooLong, DownloadFailed, OSError) as error:
            log.warning("the answers of an order could not be fetched yet: %s", self._key.scrub_text(str(error)))
            return False
        return True

    def _request_cancel(self, sender: OrderSender, batch: str) -> None:
        self.cancel_refusal = ""
        try:
            reply = sender.send(gemini_batch.cancel(self._job, batch))
        except (RequestFailed, TooLong, UnsafeAddress) as error:
            log.info("an order could not be cancelled yet: %s", self._key.scrub_text(str(error)))
            return
        if reply.ok:
            self.was_cancelled = True
        elif reply.status < 500 and reply.status != 429:
            # It has ended, or this key may not cancel it: to ask again would change nothing.
            refused = self._messages.error(gemini_batch.failure(self._job, reply), "no")
            self.cancel_refusal = self._key.scrub_error(refused).what
            self._cancel.clear()

    def _wait(self, seconds: float) -> None:
        """Pauses, or less where somebody asks for a look."""
        self._wake.wait(seconds)
        self._wake.clear()
