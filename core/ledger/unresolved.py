"""What a person says about requests that may have been charged: pay again, or "I was not charged"."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors.messages import joined, msg
from . import queries
from .database import Database
from .results import Results
from .types import OPEN_STATES, DecideEnding, RowFacts


class UnresolvedRows:
    """The rows of one journal whose charge nobody knows."""

    def __init__(self, database: Database, results: Results, clock: Callable[[], float]) -> None:
        self._database, self._results, self._clock = database, results, clock

    def resumable(self, uids: Sequence[str]) -> set[str]:
        """See `Journal.resumable`."""
        with self._database.read() as connection:
            rows = queries.by_uids(connection, uids)
        return {row.uid for row in rows if row.state in ("accepted", "answered")}

    def agree(self, uids: Sequence[str], agrees: bool, run: str) -> int:
        """See `Journal.agree_to_pay_again`."""
        at = self._clock() if agrees else 0.0
        with self._database.write() as connection:
            # A picture may have been asked for several times: the next run asks about all of its requests.
            fingerprints = [row.fingerprint for row in queries.by_uids(connection, uids) if row.fingerprint]
            rows = queries.by_fingerprints(connection, fingerprints)
            asked = [row.uid for row in rows if row.state == "unknown" or row.state in OPEN_STATES]
            return queries.update_rows(connection, asked, notified=at, notified_run="", agreed_run=run)

    def withdraw(self, uids: Sequence[str], decide: DecideEnding) -> int:
        """See `Journal.withdraw`."""
        count = 0
        with self._database.write() as connection:
            for row in queries.by_uids(connection, uids):
                if row.charged:  # the provider itself has named what it charged
                    continue
                facts = RowFacts(row.state, not row.expected, self._results.has_incoming(row.uid))
                ending = decide(facts)
                if ending.action == "set":
                    reason = joined(msg("unresolved.withdrawn_by_user"), queries.reason_of(row))
                    queries.end_row(connection, row.uid, ending, reason, row.ended)
                    count += 1
        return count
