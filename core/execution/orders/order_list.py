"""Finds an order by its display name in the provider's list of orders; nothing here is paid."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from ...dialects.base.step import Job
from ...dialects.batch import gemini as gemini_batch
from ...errors import NanoBananaError, ProviderFailure
from ...http.connections import UnsafeAddress
from ...http.failures import RequestFailed
from ...http.transport import TooLong
from ..call_status import FREE_SECONDS, CallStatus
from ..charge import ListNotRead, OutOfTime
from ..failure_messages import FailureMessages
from .order_sender import OrderSender

log = logging.getLogger("nano_banana")

LONGEST_PAUSE = 60.0
ONCE_SECONDS = 10.0
"""How long a page of the list may take before a request is sent again."""
LASTING_REFUSALS = frozenset({"key", "region"})
"""Kinds of refusals that asking again later doesn't change: the order waits for another key, or the next start."""
MOST_PAGES = 50
Page = tuple[dict[str, str], str]
"""The provider's names of orders by their display names, and what the next page is asked for with, "" for the last."""


class OrderList:
    """The provider's list, searched for the order whose display name is `name`."""

    def __init__(
        self, name: str, job: Job, status: CallStatus, sender: OrderSender, wait: Callable[[float], None]
    ) -> None:
        """`wait` pauses for so many seconds, or less when somebody asks."""
        self._name, self._job, self._status, self._sender, self._wait = name, job, status, sender, wait
        self._messages = FailureMessages(status.target)

    def search(self) -> str:
        """The provider's name for the order, "" where it isn't in the list. Waits while the list can't be asked.

        Raises NanoBananaError where the list can't be read at all, or not before the order is older than what is kept.
        """
        pauses = _pauses()
        name = self._find(lambda page: self._awaited_page(page, pauses))
        if name is None:
            money = self._status.advance(OutOfTime(gemini_batch.KEPT_SECONDS))
            raise self._messages.out_of_time("", money)
        return name

    def search_once(self) -> str:
        """The provider's name for the order, "" where it isn't in the list or the list can't be read now.

        For an order whose request was refused: a gateway may answer with 429 or 503 although the request was taken.
        """
        name = self._find(self._page_of_now)
        if name:
            log.warning("an order was taken at %s although its request was refused", self._status.target.spec.label)
        return name or ""

    def _find(self, read: Callable[[str], Page | None]) -> str | None:
        """The provider's name for the order, "" where it isn't in the list; None where `read` doesn't give all pages."""
        page = ""
        for _ in range(MOST_PAGES):
            found = read(page)
            if found is None:
                return None
            names, page = found
            if self._name in names:
                return names[self._name]
            if not page:
                return ""
        return None

    def _awaited_page(self, page: str, pauses: Iterator[float]) -> Page | None:
        """Asks until a page is here; None once the order is older than what the provider keeps. Raises NanoBananaError."""
        while True:
            try:
                found = self._page(page)
            except NanoBananaError:
                self._status.advance(ListNotRead())
                raise
            if isinstance(found, tuple):
                return found
            if found is not None and found.kind in LASTING_REFUSALS:
                raise self._messages.error(found, self._status.advance(ListNotRead()))
            if self._status.age > gemini_batch.KEPT_SECONDS:
                return None
            self._wait(next(pauses))

    def _page_of_now(self, page: str) -> Page | None:
        """A page, None where it can't be read now."""
        try:
            found = self._page(page, ONCE_SECONDS)
        except (NanoBananaError, UnsafeAddress):
            return None
        return found if isinstance(found, tuple) else None

    def _page(self, page: str, seconds: float = FREE_SECONDS) -> Page | ProviderFailure | None:
        """A page of the provider's list, or its error; None where no answer is here or it is no list.

        Raises NanoBananaError where there is no key, and UnsafeAddress.
        """
        try:
            reply = self._sender.send(gemini_batch.list_page(self._job, page), seconds=seconds)
        except (RequestFailed, TooLong):
            return None
        return gemini_batch.batches_of_page(reply) if reply.ok else gemini_batch.failure(self._job, reply)


def _pauses() -> Iterator[float]:
    """Seconds between two tries to read the list."""
    pause = 1.0
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE)
