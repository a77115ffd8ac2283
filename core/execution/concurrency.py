"""How many calls with one key run at a time, and the threads they run on.

Our own daemon threads, one for the whole life of a call: a pool of the standard library holds Ctrl+C until its last call
ends and takes no work at shutdown. Calls that wait here have sent nothing and can be dropped.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

EXIT_SECONDS = 10.0
"""How long a normal exit waits for calls that are paid."""


@dataclass
class QueuedCall:
    """A call in line."""

    work: Callable[[], None]
    limit: int
    dropped: bool = False
    started: bool = False
    released: bool = False
    """It runs on, but no longer takes a place."""


class ConcurrencyLimiter:
    """One line per key at a provider; a call starts when fewer than its own limit are running there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[QueuedCall]] = {}
        self._running: dict[str, int] = {}
        self._threads: set[threading.Thread] = set()
        self._ending = False
        """Whether the process ends: what has not begun does not begin any more."""
        atexit.register(self._finish)

    def submit(self, account: str, limit: int, work: Callable[[], None]) -> QueuedCall:
        """Puts `work` in line; it must not raise."""
        queued = QueuedCall(work, max(1, limit))
        with self._lock:
            self._waiting.setdefault(account, deque()).append(queued)
        self._advance(account)
        return queued

    def drop(self, account: str, queued: QueuedCall) -> bool:
        """Takes a call out of the line; False when it has begun."""
        with self._lock:
            if queued.started or queued.dropped:
                return queued.dropped
            queued.dropped = True
            self._waiting[account].remove(queued)
            return True

    def release(self, account: str, queued: QueuedCall) -> None:
        """Gives up the place of a call that is only waited for any more: it must not hold up new ones."""
        with self._lock:
            if not queued.started or queued.released:
                return
            queued.released = True
            self._running[account] -= 1
        self._advance(account)

    def running_count(self) -> int:
        """How many calls are running now."""
        with self._lock:
            return sum(self._running.values())

    def _advance(self, account: str) -> None:
        with self._lock:
            line = self._waiting.get(account, deque())
            while line and not self._ending and self._running.get(account, 0) < line[0].limit:
                queued = line.popleft()
                queued.started = True
                self._running[account] = self._running.get(account, 0) + 1
                thread = threading.Thread(
                    target=self._live, args=(account, queued), daemon=True, name="nano-banana-call"
                )
                self._threads.add(thread)
                thread.start()

    def _live(self, account: str, queued: QueuedCall) -> None:
        try:
            queued.work()
        finally:
            with self._lock:
                if not queued.released:
                    queued.released = True
                    self._running[account] -= 1
                self._threads.discard(threading.current_thread())
            self._advance(account)

    def _finish(self) -> None:
        end = time.monotonic() + EXIT_SECONDS
        with self._lock:
            self._ending = True
        for thread in list(self._threads):
            thread.join(max(0.0, end - time.monotonic()))
