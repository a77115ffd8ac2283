"""Tasks: each poll moves a task one step on.

Steps instead of seconds, so that tests never wait. Each API shows it in its own shape; kept by the server.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from pack.simulator.problem import Problem

if TYPE_CHECKING:
    from pack.simulator.image_request import ImageRequest
    from pack.simulator.results import Result

KEPT = 10_000


@dataclass
class Task:
    """A task and how far it has come."""

    id: str
    provider: str
    image_request: ImageRequest
    results: list[Result]
    ending: str
    """`done`, `fail`, `hang`, `refuse`, `cancelled` (by whoever), or `unknown` (a status nobody documents until it is done)."""
    steps: int
    """Polls that find it unfinished."""
    flat: bool = False
    shape: str = ""
    cost_usd: float = 0.0
    poll_status: int = 0
    poll_times: int | None = None
    polls: int = 0
    cancel_fault: str = ""
    """What happens when it is to be cancelled: `late` (it has begun by then), `500`, or `drop` (done, but no answer)."""
    unbill: Callable[[], None] = lambda: None
    """Takes its cost out of the request log."""

    @property
    def finished(self) -> bool:
        """Whether the last poll found it ended, well or not."""
        return self.ending == "cancelled" or (self.ending != "hang" and self.polls > self.steps)

    @property
    def waiting(self) -> bool:
        """Whether it still is in a queue, as the first half of the unfinished polls find it."""
        return not self.finished and self.polls <= (self.steps + 1) // 2

    @property
    def failed(self) -> bool:
        """Whether it has ended without pictures."""
        return self.finished and self.ending in ("fail", "refuse", "cancelled")

    @property
    def percent(self) -> int:
        """How far it says it is, 0 to 100."""
        if self.finished:
            return 100
        return min(95, 100 * max(self.polls - 1, 0) // (self.steps + 1))


class TaskStore:
    """Thread-safe; the oldest tasks are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._keys: OrderedDict[tuple[str, str], tuple[bytes, Task]] = OrderedDict()

    def remember(self, key: str, body: bytes, task: Task) -> None:
        """Keep the task of a request with an idempotency key."""
        with self._lock:
            self._keys[(task.provider, key)] = (sha256(body).digest(), task)
            while len(self._keys) > KEPT:
                self._keys.popitem(last=False)

    def earlier(self, provider: str, key: str, body: bytes) -> Task | None:
        """The task of an earlier request with this key; None without one. Raises Problem when that asked for something else."""
        with self._lock:
            digest, task = self._keys.get((provider, key), (b"", None))
        if task is not None and digest != sha256(body).digest():
            raise Problem(409, "This idempotency key was used with another body.")
        return task

    def add(self, task: Task) -> None:
        """Keep a new task."""
        with self._lock:
            self._tasks[task.id] = task
            while len(self._tasks) > KEPT:
                self._tasks.popitem(last=False)

    def poll(self, provider: str, task_id: str) -> tuple[Task | None, int]:
        """Move a task on; returns it with the status of a faulty poll, 0 for a good one."""
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None or task.provider != provider:
                return None, 0
            if task.poll_status and (task.poll_times is None or task.poll_times > 0):
                if task.poll_times is not None:
                    task.poll_times -= 1
                return task, task.poll_status
            task.polls += 1
            return task, 0

    def find(self, provider: str, task_id: str) -> Task | None:
        """A task as it is, without moving it."""
        with self._lock:
            task = self._tasks.get(task_id)
            return task if task is not None and task.provider == provider else None

    def cancel(self, provider: str, task_id: str) -> tuple[Task | None, bool]:
        """Cancel a task that is still queued, with its cost; returns it and whether it was cancelled."""
        task = self.find(provider, task_id)
        if task is None:
            return None, False
        with self._lock:
            if task.cancel_fault == "late" and task.waiting:
                task.polls = (task.steps + 1) // 2 + 1
            if not task.waiting or task.cancel_fault == "500":
                return task, False
            task.ending = "cancelled"
        task.unbill()
        return task, True

    def finish(self, prompt: str) -> int:
        """Let the hanging tasks whose prompt holds `prompt` be done at their next poll; returns how many there were."""
        with self._lock:
            tasks = self._tasks.values()
            hanging = [task for task in tasks if task.ending == "hang" and prompt in task.image_request.prompt]
            for task in hanging:
                task.ending, task.steps = "done", task.polls
        return len(hanging)

    def clear(self) -> None:
        """Forget every task."""
        with self._lock:
            self._tasks.clear()
            self._keys.clear()


def new_task_id() -> str:
    """A fresh id, as most APIs shape theirs."""
    return str(uuid.uuid4())
