"""Deletes what a killed process has left of conversations: turns of pictures that never arrived, and what was sent for them.

A turn is on disk before its picture, so that no picture lacks its turn. Where a process ends between the two, and the picture
never comes, the turn stays behind. It is never taken for that of another picture, since its name has the uid of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..files import private_files
from . import queries
from .database import Database
from .results import TURN, Results
from .turns import ORDERED, Turns, is_older, uid_of
from .types import OPEN_STATES

SECONDS_BETWEEN = 7 * 86400.0
_STAMP = "turns.swept"
_CHUNK = 500
_REFERENCE_SECONDS = 3600.0
"""Younger files of references may be another process's."""


class TurnSweep:
    """For the results of one journal. Methods raise OSError and LedgerFailed."""

    def __init__(
        self, database: Database, results: Results, turns: Turns, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._results, self._turns, self._clock = database, results, turns, clock

    def run_if_due(self, pause: Callable[[], None]) -> int:
        """`run`, at most once a week."""
        stamp = self._results.folder / _STAMP
        try:
            if self._clock() - stamp.stat().st_mtime < SECONDS_BETWEEN:
                return 0
        except FileNotFoundError:
            if not self._results.folder.is_dir():
                return 0
        private_files.create(stamp)
        os.utime(stamp)
        return self.run(pause)

    def run(self, pause: Callable[[], None]) -> int:
        """Gives how many turns were deleted.

        `pause` is called between two looks: only what both find was left behind, and isn't a picture that arrives just now.
        """
        turns, suspects = self._look()
        if suspects:
            pause()
            turns, again = self._look()
            suspects &= again
        for key in suspects:
            if key.startswith(f"{ORDERED}/"):
                self._turns.delete_ordered(uid_of(key), has_turn=uid_of(key) in turns)
            else:
                self._results.delete_turn(key)
        self._delete_unused_references(turns)
        return len(suspects)

    def _look(self) -> tuple[set[str], set[str]]:
        """The uids of the pictures whose turns stay, and the keys of the turns that seem to be left behind."""
        store, uids = self._results.store, set[str]()
        suspects: dict[str, str] = {}
        for folder in (f"{number:02x}" for number in range(256)):
            listed = store.list_in(folder)
            for key in listed:
                if key.endswith(TURN):
                    uid = uid_of(key)
                    uids.add(uid)
                    if f"{key.removesuffix(TURN)}.json" not in listed and not self._results.has_incoming(uid):
                        suspects[key] = uid  # no sidecar, though earlier releases had one for all with the same bytes
        left = self._left_behind(suspects, ("stored",))
        uids -= {suspects[key] for key in left}
        ordered = {key: uid_of(key) for key in store.list_in(ORDERED) if key.endswith(TURN)}
        # While the charge of a picture is in doubt, its answer may be read again.
        return uids, left | self._left_behind(ordered, ("unknown",))

    def _left_behind(self, keys: dict[str, str], states: tuple[str, ...]) -> set[str]:
        """Those of the keys whose pictures, given by their uids, are in none of `states` and not still to come."""
        found = set[str]()
        for chunk in _chunks(keys):
            with self._database.read() as connection:
                rows = queries.by_uids(connection, [keys[key] for key in chunk])
            wanted = {row.uid for row in rows if row.state in (*OPEN_STATES, *states)}
            found.update(key for key in chunk if keys[key] not in wanted)
        return found

    def _delete_unused_references(self, turns: set[str]) -> None:
        """Deletes the marks of pictures without a turn, then the pictures that no mark is left of.

        `turns`: the uids of the pictures that have one.
        """
        before = self._clock() - _REFERENCE_SECONDS
        old = [each for each in self._turns.marks() if is_older(each, before)]
        unused = {str(file): file.name.split(".")[1] for file in old if file.name.split(".")[1] not in turns}
        for name in self._left_behind(unused, ("unknown",)):
            Path(name).unlink(missing_ok=True)
        self._turns.delete_unmarked(before)


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    listed = list(keys)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
