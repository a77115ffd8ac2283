"""A ledger for the life of the process: no file, bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from ..errors import Charged
from .record import Entry, Kept, Opened

KEEP_BYTES = 512 << 20
"""Pictures are kept up to this many bytes together, the least recently used go first."""


class MemoryLedger:
    """See `Ledger`."""

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self._changed = threading.Condition()
        self._open: dict[str, str] = {}
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._limit = keep_bytes
        self._size = 0

    def look_up(self, fingerprints: Sequence[str]) -> dict[str, Kept]:
        with self._changed:
            found = {name: self._kept[name] for name in fingerprints if name in self._kept}
            for name in found:
                self._kept.move_to_end(name)
            return found

    def open(self, entries: Sequence[Entry]) -> dict[str, Opened]:
        with self._changed:
            answers: dict[str, Opened] = {}
            for entry in entries:
                name = entry.fingerprint
                if name in answers:
                    continue
                answers[name] = "kept" if name in self._kept else "busy" if name in self._open else "mine"
                if answers[name] == "mine":
                    self._open[name] = "reserved"
            return answers

    def sent(self, fingerprints: Sequence[str]) -> None:
        self._mark(fingerprints, "sent")

    def accepted(self, fingerprints: Sequence[str], state: dict[str, Any]) -> None:
        self._mark(fingerprints, "accepted")

    def stored(self, fingerprint: str, kept: Kept, usd: float | None) -> None:
        with self._changed:
            self._open.pop(fingerprint, None)
            if fingerprint not in self._kept:
                self._size += len(kept.data)
            self._kept[fingerprint] = kept
            while self._size > self._limit and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1].data)
            self._changed.notify_all()

    def closed(self, fingerprints: Sequence[str], charged: Charged, reason: str) -> None:
        with self._changed:
            for name in fingerprints:
                self._open.pop(name, None)
            self._changed.notify_all()

    def wait(self, fingerprints: Sequence[str], seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: any(name not in self._open for name in fingerprints), seconds)

    def _mark(self, fingerprints: Sequence[str], state: str) -> None:
        with self._changed:
            for name in fingerprints:
                if name in self._open:
                    self._open[name] = state
