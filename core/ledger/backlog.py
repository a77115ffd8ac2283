"""Steps of paid calls that wait for the journal: they are written in their order, and kept while its server doesn't answer.

A file always answers, so with SQLite each step is written at once or fails at once.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from ..errors import JournalAway, LedgerFailed
from .database import Database

log = logging.getLogger("nano_banana")


@dataclass(eq=False)
class _Step:
    write: Callable[[Connection], object]
    """May be called again where a commit was cut off, so it must not depend on how often."""
    written: Callable[[], None]
    dropped: Callable[[], None]


def _nothing() -> None:
    pass


class Backlog:
    """The steps of one process. Usable from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._steps: deque[_Step] = deque()

    def __len__(self) -> int:
        """How many steps are not written yet."""
        return len(self._steps)

    def write(
        self,
        write: Callable[[Connection], object],
        written: Callable[[], None] = _nothing,
        dropped: Callable[[], None] = _nothing,
    ) -> bool:
        """Writes a step in a transaction of its own, after those that wait; False where it waits, too.

        `written` is called after the commit, `dropped` where the step can never be written. Raises LedgerFailed for the latter
        where that is found out now.
        """
        step = _Step(write, written, dropped)
        with self._lock:
            self._steps.append(step)
            try:
                done = self._write_all(step)
            except JournalAway:
                return False
        _call_written(done, step)
        return True

    def flush(self) -> None:
        """Writes all that waits. Raises JournalAway."""
        if not self._steps:
            return
        with self._lock:
            done = self._write_all(None)
        _call_written(done, None)

    def flush_if_possible(self) -> None:
        """`flush` for the thread that has connected to the journal again. Raises nothing."""
        count = len(self._steps)
        try:
            self.flush()
        except LedgerFailed as error:
            log.warning("%s", error.reason)
            return
        if count:
            log.warning("%d steps that the journal had missed were written down.", count)

    def _write_all(self, own: _Step | None) -> list[_Step]:
        done: list[_Step] = []
        while self._steps:
            step = self._steps.popleft()
            try:
                with self._database.write() as connection:
                    step.write(connection)
            except JournalAway:
                self._steps.appendleft(step)
                _call_written(done, None)
                raise
            except BaseException as error:
                step.dropped()
                if step is own:
                    raise
                log.warning("a step of an earlier call could not be written down: %s", error)
                continue
            done.append(step)
        return done


def _call_written(done: list[_Step], own: _Step | None) -> None:
    """Calls `written` of each step. An error is raised for `own` only, the last one: it is no fault of other callers."""
    for step in done:
        try:
            step.written()
        except Exception:
            if step is own:
                raise
            log.exception("a step of an earlier call is written down, but what follows from it failed")
