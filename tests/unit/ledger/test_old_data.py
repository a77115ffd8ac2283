"""Data folders of older releases open, lose nothing and cost nothing again; there is one for each older schema."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from journal_driver import FREE, entry, open_journal, run_context
from pack.core.ledger import schema
from pack.core.ledger.history import History

OLD = Path(__file__).parent / "old_data"
STORED = ("v1:stored-a", "v1:stored-b", "v1:stored-c")


@pytest.fixture(params=sorted(folder.name for folder in OLD.iterdir()))
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a release's data folder: three stored pictures, two of them equal, one lost answer and one open task."""
    shutil.copytree(OLD / request.param, tmp_path / "home")
    return tmp_path / "home"


def version_of(home: Path) -> int:
    connection = sqlite3.connect(home / "journal.sqlite")
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_an_old_journal_is_migrated_and_pays_nothing_again(home: Path) -> None:
    """Stored pictures are hits, the lost answer is asked about, the task is resumed."""
    assert version_of(home) < schema.newest(), "the copy must be of an older schema"
    journal = open_journal(home)
    found = journal.look_up(STORED)
    assert set(found) == set(STORED) and all(kept.read() for kept in found.values())
    assert {(kept.notices, kept.sources) for kept in found.values()} == {((), ())}
    wanted = [entry(name) for name in (*STORED, "v1:lost", "v1:task")]
    opening = journal.reserve(wanted, run_context("new"), FREE, can_resume=lambda *where: True)
    assert opening.statuses == dict.fromkeys(STORED, "stored") | {"v1:lost": "unresolved", "v1:task": "claimed"}
    assert [claim.task for claim in opening.claims] == [{"at": "poll", "task": "t-1"}]
    assert {shown.role for shown in History(journal).pictures()} == {""}
    journal.close()
    assert version_of(home) == schema.newest()


def test_an_old_results_folder_rebuilds_a_lost_journal(home: Path) -> None:
    """From its sidecars alone."""
    (home / "journal.sqlite").unlink()
    journal = open_journal(home)
    assert set(journal.look_up(STORED)) == set(STORED)
    journal.close()


def test_the_columns_of_an_old_file_keep_their_names(home: Path, tmp_path: Path) -> None:
    """Older releases read the file by these names, so a column may have another name in code only."""

    def columns(file: Path) -> dict[str, set[str]]:
        connection = sqlite3.connect(file)
        try:
            return {
                table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
                for table in ("picture", "result", "graph")
            }
        finally:
            connection.close()

    journal = open_journal(tmp_path / "new")
    journal.reserve([entry()], run_context(), FREE)
    journal.close()
    old, new = columns(home / "journal.sqlite"), columns(tmp_path / "new" / "journal.sqlite")
    assert all(old[table] <= new[table] for table in old)
    assert {"place", "told", "told_run", "waived"} <= new["picture"]


def test_a_journal_without_orders_is_migrated(home: Path) -> None:
    """The schema before them: its rows are pictures that were made at once."""
    open_and_close(home)
    connection = sqlite3.connect(home / "journal.sqlite")
    connection.execute("DROP INDEX picture_by_delivery")
    connection.execute("ALTER TABLE picture DROP COLUMN delivery")
    connection.execute("PRAGMA user_version = 4")
    connection.commit()
    connection.close()
    journal = open_journal(home)
    assert journal.open_orders() == [] and set(journal.look_up(STORED)) == set(STORED)
    assert {shown.order for shown in History(journal).pictures()} == {""}
    journal.close()
    assert version_of(home) == schema.newest()


def open_and_close(home: Path) -> None:
    journal = open_journal(home)
    journal.look_up(STORED)
    journal.close()
