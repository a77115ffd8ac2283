"""Steps that waited for the journal are written in their order, and the fault of one is no fault of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_driver import claim_one, open_journal, png
from pack.core.errors import JournalAway, LedgerFailed
from pack.core.ledger import call_steps
from pack.core.ledger.backlog import Backlog
from sqlalchemy import Connection


def test_what_fails_after_a_late_step_ends_neither_the_thread_nor_the_steps_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that writes them is the one that shows that this process runs. Who writes a step of its own gets its error."""
    journal = open_journal(tmp_path, address=None)
    backlog, events = Backlog(journal.database), list[str]()

    def away() -> None:
        raise JournalAway("away")

    def fails() -> None:
        events.append("failed")
        raise RuntimeError("a bug")

    def write(connection: Connection) -> None:
        events.append("step")

    with monkeypatch.context() as patch:
        patch.setattr(journal.database, "write", away)
        assert not backlog.write(write, fails) and not backlog.write(write, lambda: events.append("written"))
    backlog.flush_if_possible()
    assert events == ["step", "step", "failed", "written"] and not len(backlog)
    with pytest.raises(RuntimeError):
        backlog.write(write, fails)
    journal.close()


def test_a_picture_that_can_not_be_written_down_late_is_found_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its call has ended by then, so nobody else stops holding it."""

    def away() -> None:
        raise JournalAway("away")

    def disk_full(*given: object, **more: object) -> None:
        raise LedgerFailed("the disk is full")

    journal = open_journal(tmp_path, address=None)
    assert claim_one(journal) == "reserved"
    journal.mark_sent(["v1:a"], "call")
    journal.write_incoming("v1:a", png(1))
    with monkeypatch.context() as patch:
        patch.setattr(journal.database, "write", away)
        journal.mark_stored("v1:a", "", 0.1)
        assert journal.unwritten == 1
    with monkeypatch.context() as patch:
        patch.setattr(call_steps, "mark_row_stored", disk_full)
        journal._backlog.flush_if_possible()
    assert not journal.unwritten and not journal.ownership.holds("v1:a")
    assert claim_one(journal) == "stored" and journal.look_up(["v1:a"])["v1:a"].read() == png(1)
    journal.close()
