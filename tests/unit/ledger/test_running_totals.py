"""The sums that caps are checked against are those of the rows, whatever happened to these, in every time zone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_driver import FREE, entry, open_journal, png, run_context
from pack.core.execution.charge import Failed, decide_unstarted_row, decide_withdrawn_row, row_rule
from pack.core.ledger import running_totals
from pack.core.ledger.cap_check import spent_in
from pack.core.ledger.history import History
from pack.core.ledger.journal import Journal
from pack.core.ledger.schema import picture
from sqlalchemy import func, select

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.both_databases]

NOW = 1_790_000_000.0
ZONES = ("UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "Africa/Monrovia")
ENDS = ("reserved", "dropped", "sent", "refused", "unknown", "withdrawn", "stored", "priced", "forgotten")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def clock() -> list[float]:
    return [NOW]


@pytest.fixture(scope="module")
def journal(database: str, tmp_path_factory: pytest.TempPathFactory, clock: list[float]) -> Iterator[Journal]:
    made = open_journal(tmp_path_factory.mktemp("sums"), clock=lambda: clock[0])
    yield made
    made.close()


def play(journal: Journal, end: str, micros: int) -> None:
    """One picture, from its reservation to that end."""
    name = f"v1:{next(_numbers)}"
    journal.reserve([entry(name, micros)], run_context("run"), FREE)
    if end == "dropped":
        journal.mark_failed([name], decide_unstarted_row, "dropped")
    if end in ("reserved", "dropped"):
        return
    journal.mark_sent([name], f"call-{name[3:]}")
    if end in ("refused", "unknown", "withdrawn"):
        how = Failed("no", "final") if end == "refused" else Failed("maybe", "unresolved")
        uids = journal.mark_failed([name], row_rule(how), "why")
        if end == "withdrawn":
            journal.withdraw(list(uids.values()), decide_withdrawn_row)
    elif end != "sent":
        journal.write_incoming(name, png(1))
        journal.mark_stored(name, "", micros / 3_000_000 if end == "priced" else None)
        if end == "forgotten":
            History(journal).forget([journal.look_up([name])[name].uid])


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(ENDS), st.sampled_from([0, 1, 134_000, 9_999_999]), st.floats(-40.0, 40.0)),
        max_size=3,
    ),
    at=st.floats(-45.0, 45.0),
    zone=st.sampled_from(ZONES),
)
def test_the_sums_are_those_of_the_rows(
    journal: Journal, clock: list[float], steps: list[tuple[str, int, float]], at: float, zone: str
) -> None:
    """`steps`: how a picture ended, its price, and on which day it was asked for."""
    for end, micros, day in steps:
        clock[0] = NOW + day * 86400
        play(journal, end, micros)
    now = NOW + at * 86400
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        midnight = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        starts = {"day": midnight.timestamp(), "month": midnight.replace(day=1).timestamp()}
        with journal.database.read() as connection:
            for period, start in starts.items():
                rows = select(func.coalesce(func.sum(picture.c.counted), 0)).where(picture.c.created >= start)
                assert spent_in(connection, period, "", now) == int(connection.execute(rows).scalar_one())
    time.tzset()


def test_an_older_journal_gets_the_sums_of_its_rows(journal: Journal) -> None:
    """As in the step that brings them to a journal that has rows."""
    play(journal, "stored", 134_000)
    with journal.database.write() as connection:
        before = spent_in(connection, "month", "", NOW - 50 * 86400)
        running_totals.create(connection)
        assert spent_in(connection, "month", "", NOW - 50 * 86400) == before > 0
