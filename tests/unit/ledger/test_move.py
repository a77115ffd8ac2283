"""An existing journal is moved to a server: nothing is lost or paid again, and a second try copies nothing twice."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_driver import (
    FREE,
    another_process,
    claim_one,
    die,
    entry,
    open_journal,
    png,
    run_context,
)
from killed_process import kill
from pack.core import cli
from pack.core.errors import JournalAway, LedgerFailed
from pack.core.execution.charge import Failed, row_rule
from pack.core.ledger.cap_check import spent_in
from pack.core.ledger.history import History
from pack.core.ledger.move import move
from pack.core.ledger.postgres_address import PostgresAddress
from postgres_server import PostgresServer


@pytest.fixture
def address(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[PostgresAddress]:
    schema = f"move_{abs(hash(request.node.name)) % 10**9}"
    postgres.run(f"CREATE SCHEMA {schema}")
    yield PostgresAddress("the test", postgres.url(schema))
    postgres.run(f"DROP SCHEMA {schema} CASCADE")


def filled(home: Path) -> None:
    """Two stored pictures, one of them marked, a lost answer, and a task of a process that was killed."""
    journal = open_journal(home, address=None)
    for number, name in enumerate(("v1:a", "v1:b")):
        journal.reserve([entry(name)], run_context(graph={"prompt": {"1": {}}, "workflow": {}}), FREE)
        journal.mark_sent([name], f"call-{name[3:]}")
        journal.write_incoming(name, png(number))
        journal.mark_stored(name, "words", 0.02, notices=["told"])
    journal.mark_favourites([History(journal).pictures()[0].uid], True)
    claim_one(journal, "v1:lost")
    journal.mark_sent(["v1:lost"], "call-lost")
    journal.mark_failed(["v1:lost"], row_rule(Failed("maybe", "unresolved")), "no answer came back")
    claim_one(journal, "v1:task")
    journal.mark_sent(["v1:task"], "call-task")
    journal.mark_accepted(["v1:task"], {"task": "t-1"})
    journal.close()


def test_what_was_reserved_and_never_sent_counts_in_no_cap_of_the_farm(
    tmp_path: Path, address: PostgresAddress
) -> None:
    """The machine was killed before it sent it, and no run asked for it since."""
    filled(tmp_path)
    process = another_process(tmp_path, "claim_one(journal, 'v1:unsent'); print('there', flush=True); input()")
    die(process)
    source = open_journal(tmp_path, address=None)
    before = {row["provider"]: row["usd"] for row in History(source).spend(("provider",))}
    target = open_journal(tmp_path, address=address)
    assert move(source, target.database)[0] == 4
    assert History(target).spend(("provider",))[0]["usd"] == pytest.approx(before["onerouter"] - 0.134)
    with target.database.read() as connection:
        assert spent_in(connection, "day", "", 0.0) == pytest.approx((before["onerouter"] - 0.134) * 1e6)
    target.close()


def test_all_of_a_journal_is_moved_once(tmp_path: Path, address: PostgresAddress) -> None:
    filled(tmp_path)
    file = tmp_path / "journal.sqlite"
    before = History(open_journal(tmp_path, address=None))
    pictures, sums = before.pictures(), before.spend(("provider",))
    target = open_journal(tmp_path, address=address)
    target.look_up(["v1:a"])  # the server knows the stored ones from their sidecars already
    assert any("ledger.py move" in notice for notice in target.take_notices())
    before._journal.close()
    copy = file.read_bytes()
    count, kept = move(open_journal(tmp_path, address=None), target.database)
    assert (count, kept.parent, file.is_file()) == (4, tmp_path, False)
    shutil.rmtree(file)  # as if it had been cut off before the name was changed
    file.write_bytes(copy)
    move(open_journal(tmp_path, address=None), target.database)
    after = History(target)
    assert sorted(after.pictures(), key=lambda each: each.uid) == sorted(pictures, key=lambda each: each.uid)
    assert after.spend(("provider",)) == sums and after.graph(pictures[-1].uid)
    with target.database.read() as connection:
        assert spent_in(connection, "day", "", 0.0) == sum(round(each.usd * 1e6) for each in pictures)
    opening = target.reserve(
        [entry(f"v1:{name}") for name in ("a", "b", "lost", "task")],
        run_context("new"),
        FREE,
        can_resume=lambda *where: True,
    )
    assert list(opening.statuses.values()) == ["stored", "stored", "unresolved", "claimed"]
    assert opening.claims[0].task == {"task": "t-1"}
    target.close()


def test_what_the_farm_has_done_since_a_move_that_was_cut_off_stays(tmp_path: Path, address: PostgresAddress) -> None:
    """The file kept its name, the farm has fetched an open task and deleted a picture, and the file is moved again."""
    filled(tmp_path)
    file = tmp_path / "journal.sqlite"
    target = open_journal(tmp_path, address=address)
    _, kept = move(open_journal(tmp_path, address=None), target.database)
    shutil.rmtree(file)
    kept.rename(file)
    assert claim_one(target, "v1:task", can_resume=lambda *where: True) == "claimed"
    target.write_incoming("v1:task", png(7))
    target.mark_stored("v1:task", "", 0.03)
    deleted = target.look_up(["v1:a"])["v1:a"].uid
    assert History(target).forget([deleted]) == 1
    move(open_journal(tmp_path, address=None), target.database)
    assert target.look_up(["v1:task"])["v1:task"].read() == png(7)
    assert not target.look_up(["v1:a"]) and History(target).picture(deleted) is None
    target.close()


def test_a_journal_in_use_stays_where_it_is(tmp_path: Path, address: PostgresAddress) -> None:
    """A ComfyUI that goes on writing into the file would pay what nobody sees."""
    sent = "claim_one(journal); journal.mark_sent(['v1:a'], 'call'); print('there', flush=True); input()"
    process = another_process(tmp_path, sent)
    target = open_journal(tmp_path / "other", address=address)
    with pytest.raises(LedgerFailed, match="uses the journal"):
        move(open_journal(tmp_path, address=None), target.database)
    die(process)
    assert move(open_journal(tmp_path, address=None), target.database)[0] == 1
    with pytest.raises(LedgerFailed, match="no journal"):
        move(open_journal(tmp_path, address=None), target.database)
    target.close()


def test_a_comfyui_that_starts_while_the_journal_is_moved_can_t_write_into_the_file(
    tmp_path: Path, address: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the file and is refused, since its row would be in no journal that anybody reads; an older version, too."""
    filled(tmp_path)
    file = tmp_path / "journal.sqlite"
    target = open_journal(tmp_path, address=address)
    ended: list[str] = []

    def old_version() -> None:
        connection = sqlite3.connect(file, timeout=60, isolation_level=None)
        begun.set()
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO picture (uid, state) VALUES ('x', 'reserved')")
            ended.append("written")
        except sqlite3.DatabaseError as error:
            ended.append(str(error))
        finally:
            connection.close()

    begun, genuine = threading.Event(), target.database.write
    waiting = threading.Thread(target=old_version)

    def write_while_it_waits() -> object:
        waiting.start()
        assert begun.wait(60)
        return genuine()

    monkeypatch.setattr(target.database, "write", write_while_it_waits)
    _, kept = move(open_journal(tmp_path, address=None), target.database)
    waiting.join()
    assert len(ended) == 1 and "was moved" in ended[0]
    connection = sqlite3.connect(kept)
    assert connection.execute("SELECT count(*) FROM picture").fetchone() == (4,)
    connection.close()
    target.close()


def test_after_the_move_no_version_begins_a_new_journal_in_its_place(tmp_path: Path, address: PostgresAddress) -> None:
    """It would pay what the farm has, with caps of its own. This version says where the journal is and what to do."""
    filled(tmp_path)
    file = tmp_path / "journal.sqlite"
    running = open_journal(tmp_path, address=None)
    running.look_up(["v1:a"])  # it has the file open, and works on nothing
    target = open_journal(tmp_path, address=address)
    move(open_journal(tmp_path, address=None), target.database)
    for journal in (running, open_journal(tmp_path, address=None)):
        with pytest.raises(LedgerFailed, match="was moved to postgresql://") as refused:
            claim_one(journal, "v1:new")
        assert "NANO_BANANA_JOURNAL" in refused.value.cure and str(file) in refused.value.cure
    # Versions before it open the file before anything else, and report what the system says.
    with pytest.raises(IsADirectoryError if os.name == "posix" else PermissionError):
        file.open("rb")
    target.close()
    later = open_journal(tmp_path, address=address)
    assert claim_one(later, "v1:a") == "stored" and not later.take_notices()
    later.close()
    shutil.rmtree(file)
    assert claim_one(open_journal(tmp_path, address=None), "v1:new") == "reserved"


def test_a_move_that_the_server_cuts_off_leaves_the_file_as_it_was(
    tmp_path: Path, address: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server didn't take the rows: the file is still the journal."""
    filled(tmp_path)
    target = open_journal(tmp_path, address=address)
    claim_one(target, "v1:there")

    def cut_off(*arguments: object) -> int:
        raise JournalAway("cut off")

    monkeypatch.setattr("pack.core.ledger.move._copy", cut_off)
    with pytest.raises(JournalAway):
        move(open_journal(tmp_path, address=None), target.database)
    assert claim_one(open_journal(tmp_path, address=None), "v1:new") == "reserved"
    target.close()


def test_the_command_moves_and_says_where_the_file_is(
    tmp_path: Path, address: PostgresAddress, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path)
    monkeypatch.delenv("NANO_BANANA_JOURNAL", raising=False)
    assert cli.main(["--home", str(tmp_path), "move"], tmp_path) == 2
    assert "NANO_BANANA_JOURNAL" in capsys.readouterr().err
    monkeypatch.setenv("NANO_BANANA_JOURNAL", address.text)
    assert cli.main(["--home", str(tmp_path), "move"], tmp_path) == 0
    said = capsys.readouterr().out
    (kept,) = tmp_path.glob("journal-moved-*.sqlite")
    assert "4 pictures" in said and kept.name in said
    connection = sqlite3.connect(kept)
    assert connection.execute("SELECT count(*) FROM picture").fetchone() == (4,)
    connection.close()


MOVE = """
from journal_driver import open_journal
from pack.core.files import private_files
from pack.core.ledger import move, moved_journal
from pack.core.ledger.postgres_address import PostgresAddress
home, address = Path(sys.argv[2]), PostgresAddress("the test", sys.argv[3])
target = open_journal(home, address=address)
target.look_up(["v1:a"])
source = open_journal(home, address=None)

def stop_before(owner, name):
    setattr(owner, name, lambda *given, **more: (print("there", flush=True), time.sleep(600)))

def stop_once_moved(owner, name):
    genuine = getattr(owner, name)
    def rename(*given):
        genuine(*given)
        {step}
    setattr(owner, name, rename)
stop_once_moved(moved_journal, "_rename")
move.move(source, target.database)
"""
CUT_OFF = {
    "its name is gone": "stop_before(private_files, 'make_folder')",
    "its folder has no note": "stop_before(Path, 'replace')",
}


@pytest.mark.parametrize("state", CUT_OFF)
def test_a_killed_move_is_ended_by_the_next_one(tmp_path: Path, address: PostgresAddress, state: str) -> None:
    """No new journal is begun meanwhile, which would pay what the farm has."""
    filled(tmp_path)
    kill(MOVE.replace("{step}", CUT_OFF[state]), str(tmp_path), address.text, reached="there")
    assert len(list(tmp_path.glob("journal-moved-*.sqlite"))) == 1
    without_server = open_journal(tmp_path, address=None)
    with pytest.raises(LedgerFailed, match="was cut off") as refused:
        claim_one(without_server, "v1:new")
    without_server.close()
    assert "NANO_BANANA_JOURNAL" in refused.value.cure
    target = open_journal(tmp_path, address=address)
    count, kept = move(open_journal(tmp_path, address=None), target.database)
    assert count == 0 and [kept] == list(tmp_path.glob("journal-moved-*.sqlite"))
    with pytest.raises(LedgerFailed, match="no journal"):
        move(open_journal(tmp_path, address=None), target.database)
    assert len(History(target).pictures()) == 4
    target.close()
    with pytest.raises(LedgerFailed, match="was moved to"):
        claim_one(open_journal(tmp_path, address=None), "v1:new")
    # Where the folder is deleted on purpose, the machine leaves the farm.
    shutil.rmtree(tmp_path / "journal.sqlite")
    assert claim_one(open_journal(tmp_path, address=None), "v1:new") == "reserved"


def test_a_file_that_another_program_has_open_is_told_and_moved_by_the_next_try(
    tmp_path: Path, address: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where it can't be renamed then."""
    filled(tmp_path)
    target = open_journal(tmp_path, address=address)
    genuine = Path.rename

    def refuse(self: Path, name: Path) -> Path:
        if self.name == "journal.sqlite":
            raise PermissionError(13, "The process cannot access the file because it is being used", str(self))
        return genuine(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(LedgerFailed, match="being used") as refused:
            move(open_journal(tmp_path, address=None), target.database)
    assert "run the same command again" in refused.value.cure
    without_server = open_journal(tmp_path, address=None)
    with pytest.raises(LedgerFailed, match="was moved"):
        claim_one(without_server, "v1:new")
    without_server.close()
    count, kept = move(open_journal(tmp_path, address=None), target.database)
    assert (count, kept.is_file(), (tmp_path / "journal.sqlite").is_dir()) == (0, True, True)
    assert len(History(target).pictures()) == 4
    target.close()
