"""Fetches what was paid before a restart, with free steps only: addresses expire within hours.

Tasks that a provider has taken are asked for, finished pictures are fetched, orders are waited for again: they go on by
themselves, and a recovery doesn't wait for them. Nothing is ever sent that costs money.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from ..errors.messages import concat, listed, msg
from ..ledger.journal import Journal
from ..planning.resolver import ProviderResolver
from .call import Call
from .charge import decide_unstarted_row
from .concurrency import ConcurrencyLimiter, QueuedCall
from .orders.order_book import OrderBook
from .provider_cache import ProviderCache

log = logging.getLogger("nano_banana")


@dataclass(frozen=True)
class RecoverySummary:
    """What a recovery fetched."""

    images: int
    failed: int
    reasons: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """A line for a person; "" when there was nothing to do."""
        parts = []
        if self.images:
            one = self.images == 1
            parts.append(msg("recovery.one_collected") if one else msg("recovery.many_collected", count=self.images))
        if self.failed:
            why = concat(" (", listed("; ", self.reasons), ")") if self.reasons else ""
            parts.append(msg("recovery.not_collected_yet", failed=self.failed, why=why))
        return listed("; ", parts)


class Recovery:
    """One round of recovery. `wait` for it, then read `result`."""

    def __init__(
        self,
        ledger: Journal,
        limiter: ConcurrencyLimiter,
        cache: ProviderCache,
        resolver: ProviderResolver,
        orders: OrderBook,
        *,
        however_old: bool = False,
    ) -> None:
        self._calls: list[Call] = []
        self._done = threading.Event()
        self._pending = 1
        self._lock = threading.Lock()
        for claim in ledger.claim_stalled(
            lambda *where: resolver.resumable_target(*where) is not None, however_old=however_old
        ):
            target = resolver.resumable_target(claim.provider, claim.profile, claim.address, claim.model)
            if target is None:  # its key was taken away in this very moment
                ledger.mark_failed([image.fingerprint for image in claim.images], decide_unstarted_row, "no key")
                continue
            if claim.delivery == "batch":
                orders.resume(claim, target)
                continue
            call = Call.resumed(claim, target, ledger, cache, ended=self._ended)
            call.detached = True
            self._calls.append(call)
        self._pending += len(self._calls)
        for call in self._calls:
            limiter.submit(call.target.account, QueuedCall(call.run, call.target.parallel))
        self._count_down()

    def wait(self, seconds: float | None = None) -> bool:
        return self._done.wait(seconds)

    @property
    def result(self) -> RecoverySummary:
        pictures = sum(len(call.outcome.images) for call in self._calls)
        errors = [call.outcome.first_error for call in self._calls]
        reasons = tuple(dict.fromkeys(error.reason for error in errors if error))[:3]
        return RecoverySummary(pictures, sum(call.image_count for call in self._calls) - pictures, reasons)

    def _ended(self, call: Call) -> None:
        for each in call.outcome.images.values():
            log.info("a %s picture that was paid for earlier was collected from %s", each.format, call.spec_label)
        self._count_down()

    def _count_down(self) -> None:
        with self._lock:
            self._pending -= 1
            if self._pending == 0:
                self._done.set()
