"""Steps that waited for the journal are written in their order, and the fault of one is no fault of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_driver import open_journal
from pack.core.errors import JournalAway
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
