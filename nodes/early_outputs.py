"""Makes output pictures of the results that are here while others are awaited.

Otherwise all pictures of a long batch are converted, and put in line with their frames, when the last one is here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from dataclasses import replace

from ..core.execution.image_task import ImageTask
from .output_image import OutputImage

Make = Callable[[ImageTask], OutputImage]
"""Makes the output picture of a copy that has the numbers of its element: a run's own may change meanwhile."""


class EarlyOutputs:
    """The outputs of one node, made one after the other on a thread that ends when there is nothing to do."""

    def __init__(self, arrived: Callable[[], Iterable[tuple[ImageTask, Make]]]) -> None:
        """`arrived`: the pictures of the runs that have a result by now, some of them given before."""
        self._arrived = arrived
        self._seen: set[int] = set()
        self._made: dict[int, OutputImage] = {}
        self._stopped = False
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Goes on with what is new; called again and again, from one thread."""
        if self._stopped or (self._thread and self._thread.is_alive()):
            return
        new = [(task, make) for task, make in self._arrived() if id(task) not in self._seen]
        if not new:
            return
        self._seen.update(id(task) for task, _ in new)
        work = copy_context().run
        self._thread = threading.Thread(target=work, args=(self._make, new), name="nano-banana-pictures", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system has no thread left: they are made at the end
            self._thread = None

    def _make(self, new: Iterable[tuple[ImageTask, Make]]) -> None:
        for task, make in new:
            if self._stopped:
                return
            try:
                self._made[id(task)] = make(task)
            except Exception:  # met again at the end, where it is said
                continue

    def stop(self) -> None:
        """Begins no further picture."""
        self._stopped = True

    def wait(self) -> None:
        """Waits for the picture that is being made after `stop`."""
        if self._thread:
            self._thread.join()

    def take(self, task: ImageTask) -> OutputImage | None:
        """The output of a picture, once; None where there is none of the very result that the picture has now."""
        made = self._made.pop(id(task), None)
        if made is None or made.task.result is not task.result or made.task.made_by is not task.made_by:
            return None
        return replace(made, task=task, source=task.source)
