"""Uploads that wait: they are done one after the other in a thread, and tried again while the bucket doesn't answer."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from ...errors import ResultsAway

log = logging.getLogger("nano_banana")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two tries."""


class UploadQueue:
    """The uploads of one process. Its thread runs while there are any, and doesn't keep the process alive."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[Callable[[], object]] = deque()
        self._is_running = False
        self.is_away = False
        """Whether the bucket didn't answer the last time."""

    def add(self, job: Callable[[], object]) -> None:
        """Appends a job. It is called again when it raises ResultsAway, so it must not depend on how often."""
        with self._changed:
            self._jobs.append(job)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="nano_banana uploads", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Waits until nothing is left; False after `seconds`, or where the bucket doesn't answer."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._jobs and not self.is_away and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return not self._jobs

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            with self._changed:
                if not self._jobs:
                    self._is_running = False
                    return
                job = self._jobs[0]
            try:
                job()
            except ResultsAway as error:
                self._wait_for_bucket(error, pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            except Exception:  # one that can't be done must not stop the others
                log.exception("an upload failed")
            pause = _FIRST_PAUSE
            with self._changed:
                self._jobs.popleft()
                self.is_away = False
                self._changed.notify_all()

    def _wait_for_bucket(self, error: ResultsAway, seconds: float) -> None:
        with self._changed:
            if not self.is_away:
                log.warning("%s", error.what)
            self.is_away = True
            self._jobs.rotate(-1)  # one that is refused each time must not stop the others
            self._changed.notify_all()
        time.sleep(seconds)
