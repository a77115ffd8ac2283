"""How many calls with one key run at a time, and the threads they run on.

Our own daemon threads, one for the whole life of a call: a pool of the standard library holds Ctrl+C until its last call
ends and takes no work at shutdown. Calls that wait here have sent nothing and can be dropped.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..ledger.shared_limits import Permit, SharedLimits

log = logging.getLogger("nano_banana")

EXIT_SECONDS = 10.0
"""How long a normal exit waits for calls that are paid."""


@dataclass
class QueuedCall:
    """A call in the queue of its key."""

    work: Callable[[], None]
    limit: int
    """How many may run at a time; at least 1."""
    withdrawn: bool = False
    started: bool = False
    released: bool = False
    """Whether it no longer counts as running, although its thread may run on."""
    finishing: bool = False
    """Whether it was released because its provider has nothing more to do for it."""
    permit: Permit | None = None
    """What it holds among all machines of a farm."""

    def __post_init__(self) -> None:
        self.limit = max(1, self.limit)


class ConcurrencyLimiter:
    """One queue per key at a provider; a call starts when fewer than its own limit are running there."""

    def __init__(self, shared: SharedLimits | None = None) -> None:
        """`shared`: the limits hold for all machines that share a journal together."""
        self._shared = shared if shared is not None and shared.active else None
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[QueuedCall]] = {}
        self._running: dict[str, int] = {}
        self._finishing: dict[str, int] = {}
        self._threads: set[threading.Thread] = set()
        self._ending = False
        """Whether the process ends: no queued call starts any more."""
        atexit.register(self._wait_at_exit)

    def submit(self, account: str, queued: QueuedCall) -> QueuedCall:
        """Queues a call, whose work must not raise, unless it was withdrawn before; gives the call."""
        with self._lock:
            if queued.withdrawn:
                return queued
            self._waiting.setdefault(account, deque()).append(queued)
        self._start_next(account)
        return queued

    def withdraw(self, account: str, queued: QueuedCall) -> bool:
        """Takes a call out of the queue; False when it has begun."""
        with self._lock:
            if queued.started or queued.withdrawn:
                return queued.withdrawn
            queued.withdrawn = True
            if queued in self._waiting.get(account, ()):
                self._waiting[account].remove(queued)
            return True

    def release(self, account: str, queued: QueuedCall) -> None:
        """Stops counting a running call, so that it does not hold up new ones."""
        with self._lock:
            if not queued.started or queued.released:
                return
            queued.released = True
            self._running[account] -= 1
        self._release_permit(queued)
        self._start_next(account)

    def finish(self, account: str, queued: QueuedCall) -> None:
        """Lets the next call begin while this one, answered, is busy with its pictures.

        It keeps its place where as many calls as may run are busy so already: their answers are in memory.
        """
        with self._lock:
            if queued.released or self._finishing.get(account, 0) >= queued.limit:
                return
            queued.finishing = True
            self._finishing[account] = self._finishing.get(account, 0) + 1
        try:
            self.release(account, queued)
        except RuntimeError as error:
            # What was paid goes on; the next call begins when this one or another ends.
            log.warning("the next call can't begin yet: %s", error)

    def running_count(self) -> int:
        """How many calls are running now."""
        with self._lock:
            return sum(self._running.values())

    def _start_next(self, account: str) -> None:
        with self._lock:
            queue = self._waiting.get(account, deque())
            while queue and not self._ending and self._running.get(account, 0) < queue[0].limit:
                queued = queue[0]
                thread = threading.Thread(
                    target=self._run, args=(account, queued), daemon=True, name="nano-banana-call"
                )
                queued.started = self._shared is None
                try:
                    thread.start()
                except RuntimeError:  # the system has no thread left
                    queued.started = False
                    raise
                queue.popleft()
                self._running[account] = self._running.get(account, 0) + 1
                self._threads.add(thread)

    def _run(self, account: str, queued: QueuedCall) -> None:
        try:
            if self._may_begin(account, queued):
                queued.work()
        finally:
            with self._lock:
                if not queued.released:
                    queued.released = True
                    self._running[account] -= 1
                if queued.finishing:
                    queued.finishing = False
                    self._finishing[account] -= 1
                self._threads.discard(threading.current_thread())
            self._release_permit(queued)
            self._start_next(account)

    def _may_begin(self, account: str, queued: QueuedCall) -> bool:
        """Waits for a permit among all machines; False where the call was withdrawn meanwhile."""
        if self._shared is None:
            return True
        queued.permit = self._shared.acquire(account, queued.limit, lambda: queued.withdrawn or self._ending)
        with self._lock:
            queued.started = not queued.withdrawn and not self._ending
            return queued.started

    def _release_permit(self, queued: QueuedCall) -> None:
        with self._lock:
            permit, queued.permit = queued.permit, None
        if permit is not None and self._shared is not None:
            self._shared.release(permit)

    def _wait_at_exit(self) -> None:
        end = time.monotonic() + EXIT_SECONDS
        with self._lock:
            self._ending = True
        for thread in list(self._threads):
            thread.join(max(0.0, end - time.monotonic()))
