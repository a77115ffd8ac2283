"""The open orders of this process: placing, resuming, cancelling, and who is told when one has ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...dialects.batch.gemini import KEPT_SECONDS
from ...errors.messages import concat, listed, msg, picture_count
from ...ledger import Claim
from ...ledger.journal import Journal
from ...planning.plan import Target
from ..provider_cache import ProviderCache
from .order import Order, OrderRequests

log = logging.getLogger("nano_banana")

UNREAD_SECONDS = 30 * 86400.0
"""How long a file of answers is kept in which one could be neither read nor kept."""


@dataclass(frozen=True)
class OrderEnd:
    """What became of an order."""

    order: str
    provider: str
    images: int
    failed: int
    cancelled: bool
    reasons: tuple[str, ...]
    resumable: int = 0
    """How many of `failed` can still be had at no cost."""

    @classmethod
    def of(cls, order: Order) -> OrderEnd:
        """Of an order that has ended."""
        failures = order.outcome.failures.values()
        errors = [error for error in (order.outcome.error, *failures) if error is not None]
        return cls(
            order.id,
            order.target.spec.label,
            order.stored,
            len(order.numbers) - order.stored,
            order.was_cancelled,
            tuple(dict.fromkeys(error.reason for error in errors))[:3],
            order.resumable,
        )

    @property
    def text(self) -> str:
        """A sentence for a person."""
        count = picture_count(self.images)
        parts = []
        if self.images:
            parts.append(msg("order.arrived", count=count, provider=self.provider))
        if self.failed:
            why = concat(" (", listed("; ", self.reasons), ")") if self.reasons else ""
            facts = {"count": picture_count(self.failed), "provider": self.provider, "why": why}
            if not self.resumable:
                parts.append(msg("order.did_not_come", **facts))
            elif self.resumable == self.failed:
                parts.append(msg("order.did_not_come_yet", **facts))
            else:
                parts.append(msg("order.did_not_all_come_yet", rest=picture_count(self.resumable), **facts))
        return listed("; ", parts)


class OrderBook:
    """Usable from any thread. `on_end` is called on the thread of an order that has ended."""

    def __init__(self, ledger: Journal, cache: ProviderCache, folder: Path) -> None:
        self._ledger, self._cache, self._folder = ledger, cache, folder
        self._lock = threading.Lock()
        self._open: dict[str, Order] = {}
        self.on_end: Callable[[OrderEnd], None] = lambda end: None

    def place(self, target: Target, requests: OrderRequests, made: Callable[[Order], None]) -> Order:
        """Orders pictures that this process has reserved. Returns at once: see `Order.settled`.

        `made` is called before anything is sent.
        """
        order = Order(target, requests, self._ledger, self._cache, self._folder, self._ended)
        made(order)
        return self._start(order)

    def resume(self, claim: Claim, target: Target) -> Order:
        """Goes on with an order that no process waits for."""
        return self._start(Order(target, claim, self._ledger, self._cache, self._folder, self._ended))

    def find(self, order: str) -> Order | None:
        """An open order of this process."""
        with self._lock:
            return self._open.get(order)

    def poke(self) -> None:
        """Looks at all open orders now."""
        with self._lock:
            orders = list(self._open.values())
        for order in orders:
            order.poke()

    def delete_old_files(self) -> None:
        """Deletes what ended processes have left in the folder; younger files may be another process's."""
        now = time.time()
        try:
            for file in self._folder.iterdir() if self._folder.is_dir() else ():
                most = UNREAD_SECONDS if file.suffix == ".answers" else KEPT_SECONDS
                if file.stat().st_mtime < now - most:
                    file.unlink(missing_ok=True)
        except OSError as error:
            log.debug("old files of orders are left: %s", error)

    def _start(self, order: Order) -> Order:
        with self._lock:
            self._open[order.id] = order
        threading.Thread(target=order.run, daemon=True, name="nano-banana-order").start()
        return order

    def _ended(self, order: Order) -> None:
        with self._lock:
            self._open.pop(order.id, None)
        if not (order.was_accepted or order.is_resumed):
            return  # its run has the error
        try:
            self.on_end(OrderEnd.of(order))
        except Exception:  # whoever listens must not keep the order from ending
            log.exception("the end of an order could not be shown")
