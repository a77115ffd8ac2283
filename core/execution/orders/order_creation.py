"""Creates an order once. Nothing is sent again unless the first request surely made no order.

Creating an order twice makes two, and both are paid. So where the answer is lost, the provider's own list of orders is searched
for the name that was sent, for as long as the list can't be asked, and several times before it counts as not there. After a
refusal it is searched once before the request is sent again; a list that can't be read then is not waited for.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from ...dialects.base.step import Failed, Job, Reply, Send
from ...dialects.batch import gemini as gemini_batch
from ...errors import Impossible, NanoBananaError, ProviderFailure
from ...errors.messages import msg
from ...http import backoff
from ...http.connections import UnsafeAddress
from ...http.failures import RequestFailed
from ...http.redirects import is_same_address
from ...http.transport import Cancelled, TooLong
from .. import retry_policy
from ..call_journal import CallJournal
from ..call_status import CallStatus
from ..charge import (
    AnswerUnread,
    ConnectionBroke,
    ListNotRead,
    NotInList,
    Redirected,
    Refused,
    RequestSent,
    TryEnded,
    Unsent,
    Withdrawn,
    charged_by,
)
from ..failure_messages import FailureMessages
from .order_file import OrderFile
from .order_list import LONGEST_PAUSE, OrderList
from .order_sender import OrderSender

log = logging.getLogger("nano_banana")

TRIES = 6
"""How often a request is sent that surely made no order."""
SEARCH_PAUSES = (0.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds before each search of the list, until an order that isn't in it counts as never taken."""
INLINE_ANSWERS = 128 << 20
"""Bytes of answers that may come inside one reply; above that they are asked for as a file, whatever the requests' size."""


class OrderCreation:
    """Creates or finds one order; `name` is its display name at the provider."""

    def __init__(
        self,
        name: str,
        job: Job,
        status: CallStatus,
        journal: CallJournal,
        sender: OrderSender,
        *,
        stopped: Callable[[], bool],
        wait: Callable[[float], None],
    ) -> None:
        """`stopped`: whether the run has ended. `wait` pauses for so many seconds, or less when somebody asks."""
        self._name, self._job, self._status, self._journal, self._sender = name, job, status, journal, sender
        self._stopped, self._wait = stopped, wait
        self._list = OrderList(name, job, status, sender, wait)
        self._messages = FailureMessages(status.target)

    # ------------------------------------------------------------------------------------------------ creating

    def create(self, file: OrderFile, answer_bytes: int) -> str:
        """Creates the order of the requests in `file`; gives the provider's name for it. Raises NanoBananaError.

        `answer_bytes`: how many bytes its answers are expected to have.
        """
        api = gemini_batch.batch_api(self._job)
        if file.size > api.max_file_bytes:
            raise Impossible(
                msg("order.too_large", gb=f"{file.size / 1e9:.1f}", limit=f"{api.max_file_bytes / 1e9:.0f}"),
                cure=msg("order.order_fewer_or_smaller"),
            )
        inline = file.size + 200 * file.count <= api.max_inline_bytes and answer_bytes <= INLINE_ANSWERS
        if inline:
            send = gemini_batch.create_inline(self._job, self._name, file.lines())
        else:
            send = gemini_batch.create_of_file(self._job, self._name, self._upload(file))
        for attempt in range(1, TRIES + 1):
            found = self._try(send, last=attempt == TRIES)
            if isinstance(found, str):
                return found
            self._wait(min(LONGEST_PAUSE, found if found is not None else backoff.delay(attempt, random.random())))
            if name := self._list.search_once():
                return name
        raise AssertionError("the last try gives an order or raises")

    def _try(self, send: Send, *, last: bool) -> str | float | None:
        """One request. Gives the order's name; or seconds to wait before the next try, None for the usual ones."""
        status = self._status
        try:
            reply = self._send_paid(send)
        except RequestFailed as error:
            broken = error
            if broken.sent == "all" or not isinstance(status.charge, Unsent):
                return self._found_or(lambda money: self._messages.answer_lost(broken, money))
            if last or broken.lasting:
                raise self._messages.unreachable(
                    broken, status.advance(ConnectionBroke(0.0, broken.sent, True))
                ) from None
            self._take_back()
            return None
        except TooLong:
            return self._found_or(lambda money: self._unreadable(ProviderFailure("unreadable"), money))
        status.advance(RequestSent())
        status.sent_at = status.sent_at or time.monotonic()  # an answer may come before the last byte has left
        if reply.ok:
            created = gemini_batch.created_batch(reply)
            return created or self._found_or(lambda money: self._unreadable(ProviderFailure("unreadable"), money))
        if 300 <= reply.status < 400:
            if is_same_address(send.url, reply.headers.get("location", "")):
                raise self._messages.redirected(reply, status.advance(Redirected(same_address=True)))
            return self._found_or(lambda money: self._messages.redirected(reply, money))
        failure = gemini_batch.failure(self._job, reply)
        if retry_policy.refused_before_work(status.target.spec, failure):
            self._take_back()
            if last:
                if name := self._list.search_once():
                    return name
                raise self._messages.error(failure, status.advance(Withdrawn()))
            return retry_policy.retry_after_hint(failure, reply.headers, time.time())
        if charged_by(status.target.spec, failure, accepted=False) != "no":
            return self._found_or(lambda money: self._messages.error(failure, money))
        raise self._messages.error(failure, status.advance(Refused(spec=status.target.spec, failure=failure)))

    def _send_paid(self, send: Send) -> Reply:
        """The request that makes the order, written down before it leaves."""
        status = self._status

        def before() -> None:
            self._check_wanted()
            self._journal.mark_sent()
            status.attempts += 1
            status.paid_at, status.phase = time.time(), "sent"

        def leaving() -> None:
            status.let_leave(self._stopped)
            status.sent_at = time.monotonic()

        try:
            return self._sender.send(
                send,
                before=before,
                is_cancelled=lambda: self._stopped() and not status.maybe_paid,
                moved=self._moved,
                on_last_byte=leaving,
            )
        except Cancelled:
            status.advance(Withdrawn())
            raise self._messages.not_sent() from None

    def _moved(self, sent: int, total: int) -> None:
        self._status.bytes_sent = (sent, total)

    def _take_back(self) -> None:
        """The request surely made no order."""
        self._status.advance(TryEnded("no"))
        self._status.sent_at = None
        self._journal.mark_retryable()

    def _check_wanted(self) -> None:
        if self._stopped() and not self._status.maybe_paid:
            self._status.advance(Withdrawn())
            raise self._messages.not_sent()

    def _unreadable(self, failure: ProviderFailure, money: str) -> NanoBananaError:
        return self._messages.error(failure, "no" if money == "no" else "maybe")

    # ------------------------------------------------------------------------------------------------ uploading

    def _upload(self, file: OrderFile) -> str:
        """Uploads the requests; gives the file's name. Free, so it is tried again. Raises NanoBananaError."""
        self._status.phase = "uploading"
        failure: ProviderFailure | RequestFailed = ProviderFailure("unreadable")
        for attempt in range(1, TRIES + 1):
            self._check_wanted()
            found = self._upload_once(file)
            if isinstance(found, str):
                return found
            failure = found
            passing = isinstance(failure, RequestFailed) or failure.status in (None, 408, 429) or failure.status >= 500
            if attempt == TRIES or not passing:
                break
            self._wait(backoff.delay(attempt, random.random()))
        if isinstance(failure, RequestFailed):
            raise self._messages.unreachable(failure, self._status.advance(Withdrawn()))
        raise self._messages.error(failure, self._status.advance(Withdrawn()))

    def _upload_once(self, file: OrderFile) -> str | ProviderFailure | RequestFailed:
        stopped = self._stopped
        try:
            reply = self._sender.send(gemini_batch.announce_file(self._job, file.size, self._name))
            put = gemini_batch.put_file(reply, file.whole()) if reply.ok else None
            if isinstance(put, Failed):
                return put.failure
            if put is not None:
                reply = self._sender.send(put, is_cancelled=stopped, moved=self._moved)
        except Cancelled:
            self._status.advance(Withdrawn())
            raise self._messages.not_sent() from None
        except (RequestFailed, TooLong) as error:
            return error if isinstance(error, RequestFailed) else ProviderFailure("unreadable")
        except UnsafeAddress as error:
            raise self._messages.unsafe_address(str(error), self._status.advance(AnswerUnread())) from None
        if not reply.ok:
            return gemini_batch.failure(self._job, reply)
        return gemini_batch.uploaded_file(reply) or ProviderFailure("unreadable", status=reply.status)

    # ------------------------------------------------------------------------------------------------ finding

    def find(self, *, same_account: bool) -> str:
        """The provider's name for an order whose answer was lost. Raises NanoBananaError where it was never taken.

        `same_account`: whether the list that is asked is that of the key which the order was sent with.
        """
        if same_account:
            return self._found_or(self._never_taken)
        if found := self._list.search():
            return found
        failure = ProviderFailure("key", opening=msg("order.other_key"), cure=msg("order.use_its_key"))
        raise self._messages.error(failure, self._status.advance(ListNotRead()))

    def _never_taken(self, money: str) -> NanoBananaError:
        failure = ProviderFailure("network", opening=msg("order.never_arrived"), unbilled=money == "no")
        return self._messages.error(failure, "no" if money == "no" else "maybe")

    def _found_or(self, error: Callable[..., NanoBananaError]) -> str:
        """The order's name by the provider's list; else raises `error` of what the request may have cost."""
        for pause in SEARCH_PAUSES:
            self._rest(pause)
            if found := self._list.search():
                log.info("an order whose answer was lost was found at %s", self._status.target.spec.label)
                return found
        raise error(self._status.advance(NotInList(self._status.age)))

    def _rest(self, seconds: float) -> None:
        """Pauses in full: the list may show a new order late, however often somebody asks for a look meanwhile."""
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0:
            self._wait(remaining)
