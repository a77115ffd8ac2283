"""The journal with real files, threads and processes that are killed: reservations, steps of calls, caps, history."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from journal_driver import FREE, IN_A_FILE, another_process, claim_one, die, entry, open_journal, png, run_context
from pack.core.errors import LedgerFailed, OverCap
from pack.core.execution.charge import Failed, decide_damaged_row, decide_unstarted_row, row_rule
from pack.core.ledger import Caps, schema
from pack.core.ledger.cap_check import price
from pack.core.ledger.history import History
from pack.core.ledger.journal import Journal
from sqlalchemy import Connection

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.both_databases]

_SENT = "journal.mark_sent(['v1:a'], 'call');"
STEPS = {
    "reserved": "",
    "sent": _SENT,
    "accepted": _SENT + " journal.mark_accepted(['v1:a'], {'task': 't-1'});",
    "answered": _SENT + " journal.mark_answered({'v1:a': 'https://x.example/1.png'}, 'w', None, 'r');",
    "incoming": _SENT + " journal.write_incoming('v1:a', png(1));",
    "stored": _SENT + " journal.write_incoming('v1:a', png(1)); journal.mark_stored('v1:a', '', None);",
}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = open_journal(tmp_path)
    yield made
    made.close()


def store(journal: Journal, name: str, data: bytes, usd: float | None = None) -> None:
    journal.mark_sent([name], f"call {name}")
    journal.write_incoming(name, data)
    journal.mark_stored(name, "words", usd)


def killed_after(home: Path, state: str) -> None:
    process = another_process(home, f"claim_one(journal); {STEPS[state]} print('there', flush=True); input()")
    assert process.first == "there"
    die(process)


def test_the_status_after_a_kill_depends_on_the_last_step(tmp_path: Path, journal: Journal) -> None:
    """Killed with SIGKILL after each step of another call; the next process sends again only where nothing was sent."""
    script = ""
    for state, step in STEPS.items():
        call = f"claim_one(journal, 'v1:a'); {step}".replace("'v1:a'", f"'v1:{state}'")
        script += call.replace("'call'", f"'call-{state}'") + "\n"
    process = another_process(tmp_path, script + "print('there', flush=True); input()")
    assert process.first == "there"
    die(process)
    for state, status in (
        ("reserved", "reserved"),
        ("sent", "unresolved"),
        ("accepted", "claimed"),
        ("answered", "claimed"),
        ("incoming", "stored"),
        ("stored", "stored"),
    ):
        name = f"v1:{state}"
        opening = journal.reserve([entry(name)], run_context("next"), FREE, can_resume=lambda *where: True)
        assert opening.statuses == {name: status}
        if status == "stored":
            assert journal.look_up([name])[name].read() == png(1)
        if status == "claimed":
            (claim,) = opening.claims
            assert claim.owner_exited and [image.fingerprint for image in claim.images] == [name]
            assert (claim.task == {"task": "t-1"}) == (state == "accepted")
            assert claim_one(journal, name) == "busy", "this process holds what it has claimed"


def test_a_suspended_process_keeps_its_rows(tmp_path: Path, journal: Journal) -> None:
    """A process stopped by SIGSTOP still holds its lock."""
    process = another_process(tmp_path, f"claim_one(journal); {STEPS['sent']} print('there', flush=True); input()")
    try:
        os.kill(process.pid, signal.SIGSTOP)
        assert claim_one(journal) == "busy"
        assert journal.wait([["v1:a"]], 0.05) is False
    finally:
        die(process)
    assert journal.wait([["v1:a"]], 0.05) is True
    assert claim_one(journal) == "unresolved"


def test_an_unresolved_charge_is_asked_about_until_another_run_asks_again(tmp_path: Path, journal: Journal) -> None:
    """All nodes of the first run ask; the next run sends, and the sum has both. A run that is interrupted before it has told
    the user does not count."""
    killed_after(tmp_path, "sent")
    assert claim_one(journal, run="interrupted") == "unresolved"
    first = journal.reserve([entry()], run_context("one"), FREE)
    assert first.statuses == {"v1:a": "unresolved"} and first.unresolved["v1:a"][0].usd == 0.134
    journal.mark_notified([first.unresolved["v1:a"][0].uid], "one")
    assert claim_one(journal, run="one") == "unresolved"
    second = journal.reserve([entry()], run_context("two"), FREE)
    assert second.statuses == {"v1:a": "reserved"} and second.acknowledged["v1:a"][0].provider == "onerouter"
    store(journal, "v1:a", png(2))
    (total,) = History(journal).spend(("provider",))
    assert total["usd"] == pytest.approx(0.268) and total["usd_in_doubt"] == pytest.approx(0.134)


def test_the_confirmation_holds_for_an_hour_also_when_the_clock_is_set_back(tmp_path: Path) -> None:
    """After more than an hour the user is asked again."""
    killed_after(tmp_path, "sent")
    now = [2_000_000_000.0]
    journal = open_journal(tmp_path, clock=lambda: now[0])
    uids = [charge.uid for charge in journal.reserve([entry()], run_context("1"), FREE).unresolved["v1:a"]]
    journal.mark_notified(uids, "1")
    now[0] += 3700
    assert claim_one(journal, run="2") == "unresolved"
    now[0] -= 3590
    assert claim_one(journal, run="3") == "reserved"
    journal.close()


def test_resend_doesn_t_ask(tmp_path: Path, journal: Journal) -> None:
    killed_after(tmp_path, "sent")
    assert claim_one(journal, resend=True) == "reserved"


def test_a_task_without_its_key_is_unresolved_until_the_key_is_back(tmp_path: Path, journal: Journal) -> None:
    """It is neither paid again without a question nor given up."""
    killed_after(tmp_path, "accepted")
    opening = journal.reserve([entry()], run_context("1"), FREE)
    assert opening.statuses == {"v1:a": "unresolved"} and "key" in opening.unresolved["v1:a"][0].reason
    assert claim_one(journal, run="2", can_resume=lambda *where: True) == "claimed"


def test_a_claim_that_can_t_be_written_is_claimed_by_the_next(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the claim is committed: runs of this process don't wait for a call that nothing works on."""
    killed_after(tmp_path, "accepted")
    real_write = journal.database.write

    @contextmanager
    def write() -> Iterator[Connection]:
        with real_write() as connection:
            yield connection
            raise LedgerFailed("full")

    with monkeypatch.context() as patch, pytest.raises(LedgerFailed):
        patch.setattr(journal.database, "write", write)
        journal.claim_stalled(lambda *where: True)
    assert journal.wait([["v1:a"]], 0), "no call of this process works on it"
    assert [claim.task for claim in journal.claim_stalled(lambda *where: True)] == [{"task": "t-1"}]


def test_a_failed_call_releases_no_later_reservation(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is cancelled and queued again at once: the first releases its own row and not that of the second."""
    claim_one(journal)
    journal.mark_sent(["v1:a"], "first")
    genuine = journal.database.write

    @contextmanager
    def write() -> Iterator[Any]:
        with genuine() as connection:
            yield connection
        monkeypatch.undo()
        assert claim_one(journal, run="second") == "reserved"

    monkeypatch.setattr(journal.database, "write", write)
    journal.mark_failed(["v1:a"], decide_unstarted_row, "taken back")
    journal.mark_sent(["v1:a"], "second")
    store(journal, "v1:a", png(1))
    assert claim_one(journal) == "stored"


def test_a_reserve_that_exceeds_a_cap_releases_no_reservation_of_others(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nodes at once with one picture in common, one of them above the cap."""
    genuine = journal.database.write

    @contextmanager
    def write() -> Iterator[Any]:
        monkeypatch.undo()
        assert claim_one(journal, run="other") == "reserved"
        with genuine() as connection:
            yield connection

    monkeypatch.setattr(journal.database, "write", write)
    with pytest.raises(OverCap):
        journal.reserve([entry(), entry("v1:b", 9_000_000)], run_context("dear"), Caps())
    store(journal, "v1:a", png(2))
    assert claim_one(journal) == "stored" and claim_one(journal, "v1:b") == "reserved"


def test_a_picture_is_found_under_any_of_its_fingerprints(journal: Journal) -> None:
    """Made at another provider of the chain, or before an update of the fingerprint."""
    claim_one(journal, "v1:other")
    store(journal, "v1:other", png(3))
    opening = journal.reserve([entry("v2:new", all_fingerprints=("v2:new", "v1:other"))], run_context(), FREE)
    assert opening.statuses == {"v2:new": "stored"}


def test_equal_requests_of_many_threads_are_paid_once(journal: Journal) -> None:
    """One thread reserves the picture, the others wait and get it."""
    status: list[str] = []
    gate = threading.Barrier(8)

    def want() -> None:
        gate.wait()
        status.append(claim_one(journal))

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status) == ["busy"] * 7 + ["reserved"]
    threading.Thread(target=store, args=(journal, "v1:a", png(4))).start()
    while not journal.wait([["v1:a"]], 1.0):
        pass
    assert claim_one(journal) == "stored"


def test_one_of_three_processes_reserves_the_same_picture(tmp_path: Path) -> None:
    """Exactly one of them may pay."""
    script = "print('ready', flush=True); input(); print(claim_one(journal), flush=True); input()"
    processes = [another_process(tmp_path, script) for _ in range(3)]
    answers = []
    try:
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [process.stdout.readline().strip() for process in processes]
    finally:
        for process in processes:
            die(process)
    assert sorted(answers) == ["busy", "busy", "reserved"]


def test_four_processes_hold_a_cap_exactly(tmp_path: Path) -> None:
    """64 nodes in each of four processes want $0.05 against a cap of $5: a hundred of them get it."""
    script = """
import os, threading
from pack.core.errors import OverCap
from pack.core.ledger import Caps
print('ready', flush=True); input()
won = []
def want(n):
    try:
        journal.reserve([entry(f'v1:{os.getpid()}-{n}', 50_000)], run_context('x'), Caps(None, 5.0, None))
        won.append(n)
    except OverCap:
        pass
threads = [threading.Thread(target=want, args=(n,)) for n in range(64)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(won), flush=True); input()
"""
    processes = [another_process(tmp_path, script) for _ in range(4)]
    try:
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        won = [int(process.stdout.readline()) for process in processes]
    finally:
        for process in processes:
            die(process)
    assert sum(won) == 100


def test_the_cap_error_names_the_sum_and_the_cap(journal: Journal) -> None:
    with pytest.raises(OverCap) as refused:
        journal.reserve([entry(f"v1:{n}") for n in range(100)], run_context(), Caps())
    assert "100 x $0.134 = $13.40, and your cap per run is $5" in str(refused.value)
    assert "NANO_BANANA_CAP_RUN" in str(refused.value) and "Nothing was charged" in str(refused.value)
    assert History(journal).pictures() == []


def test_caps_count_unresolved_charges_and_no_refused_ones(tmp_path: Path) -> None:
    """A clock that is set back frees no budget."""
    now = [2_000_000_000.0]
    journal = open_journal(tmp_path, clock=lambda: now[0])
    for name, state in (("v1:lost", Failed("maybe", "unresolved")), ("v1:refused", Failed("no", "final"))):
        claim_one(journal, name)
        journal.mark_sent([name], name)
        journal.mark_failed([name], row_rule(state), "why")
    now[0] -= 3600
    cap = Caps(None, 0.268, None)
    assert journal.reserve([entry("v1:b")], run_context(), cap).statuses == {"v1:b": "reserved"}
    with pytest.raises(OverCap):
        journal.reserve([entry("v1:c", 1)], run_context(), cap)
    assert journal.reserve([entry("v1:free", 0)], run_context(), cap).statuses == {"v1:free": "reserved"}
    now[0] += 40 * 86400
    assert journal.reserve([entry("v1:c")], run_context(), cap).statuses == {"v1:c": "reserved"}
    journal.close()


def test_the_provider_s_own_price_replaces_the_expected_one(journal: Journal) -> None:
    claim_one(journal)
    store(journal, "v1:a", png(5), usd=0.02)
    (shown,) = History(journal).pictures()
    assert (shown.usd, shown.exact, shown.state) == (0.02, True, "stored")


def test_a_reservation_that_was_never_sent_leaves_no_row(journal: Journal) -> None:
    claim_one(journal)
    journal.mark_failed(["v1:a"], decide_unstarted_row, "dropped")
    assert History(journal).pictures() == [] and claim_one(journal) == "reserved"


def test_a_finished_picture_that_can_t_be_fetched_now_is_claimed_later(journal: Journal) -> None:
    claim_one(journal)
    journal.mark_sent(["v1:a"], "call")
    journal.mark_answered({"v1:a": "https://x.example/a.png"}, "", None, "")
    journal.mark_failed(["v1:a"], row_rule(Failed("yes", "resumable")), "HTTP 500")
    opening = journal.reserve([entry()], run_context(), FREE, can_resume=lambda *where: True)
    assert opening.claims[0].images[0].url == "https://x.example/a.png" and not opening.claims[0].owner_exited


def test_a_deleted_file_is_no_hit_and_a_damaged_one_is_unresolved(journal: Journal) -> None:
    for name, number in (("v1:a", 6), ("v1:b", 7)):
        claim_one(journal, name)
        store(journal, name, png(number))
    kept = journal.look_up(["v1:a", "v1:b"])
    paths = {name: next(journal.results.folder.glob(f"*/{History(journal).pictures()[0].file[:2]}*")) for name in kept}
    assert paths
    for shown in History(journal).pictures():
        file = journal.results.path(shown.file)
        if file.read_bytes() == png(6):
            file.unlink()
        else:
            file.write_bytes(png(7)[:-9])
    assert claim_one(journal, "v1:a", run="2") == "reserved"
    with pytest.raises(ValueError, match="damaged"):
        journal.look_up(["v1:b"])["v1:b"].read()
    journal.mark_damaged(kept["v1:b"].uid, decide_damaged_row, "damaged")
    assert claim_one(journal, "v1:b", run="3") == "unresolved"


# ---------------------------------------------------------------------------------------------------------- the file


@pytest.mark.parametrize("harm", ["garbage", "truncated", "empty", "newer", "deleted"])
@IN_A_FILE
def test_a_journal_that_can_t_be_used_is_set_aside_and_rebuilt(tmp_path: Path, harm: str) -> None:
    """It is never overwritten; the pictures are found by their sidecars, and their cost counts."""
    before = open_journal(tmp_path)
    for number in range(30):
        claim_one(before, f"v1:{number}")
        store(before, f"v1:{number}", png(100 + number))
    before.close()
    file = tmp_path / "journal.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if harm == "newer":
            connection.execute("PRAGMA user_version = 99")
    connection.close()
    if harm == "garbage":
        file.write_bytes(b"no database at all" * 999)
    elif harm == "truncated":
        file.write_bytes(file.read_bytes()[:9000])
    elif harm == "empty":
        file.write_bytes(b"")
    elif harm == "deleted":
        file.unlink()
    harmed = file.read_bytes() if file.exists() else b""
    after = open_journal(tmp_path)
    assert after.look_up(["v1:7"])["v1:7"].read() == png(107)
    assert sum(row["usd"] for row in History(after).spend()) == pytest.approx(30 * 0.134)
    aside = list(tmp_path.glob("journal-*.sqlite"))
    if harm in ("garbage", "truncated", "newer"):
        assert [path.read_bytes() for path in aside] == [harmed]
        assert any("set aside" in news for news in after.database.take_notices())
    after.close()


@IN_A_FILE
def test_what_the_user_was_asked_about_is_copied_from_a_file_that_was_set_aside(tmp_path: Path) -> None:
    """The question was shown in the run before: the next run is the answer, also by the rebuilt journal."""
    before = open_journal(tmp_path)
    claim_one(before)
    before.mark_sent(["v1:a"], "call")
    uids = before.mark_failed(["v1:a"], row_rule(Failed("maybe", "unresolved")), "no answer came back")
    before.mark_notified(list(uids.values()), "run")
    before.close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    after = open_journal(tmp_path)
    assert claim_one(after, run="run") == "unresolved"
    assert claim_one(after, run="next") == "reserved"
    after.close()


@IN_A_FILE
def test_open_tasks_are_copied_from_a_newer_journal(tmp_path: Path) -> None:
    """No sidecar has them."""
    killed_after(tmp_path, "accepted")
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    journal = open_journal(tmp_path)
    assert claim_one(journal, can_resume=lambda *where: True) == "claimed"
    journal.close()


@IN_A_FILE
def test_a_broken_row_of_a_file_that_was_set_aside_hides_no_other(tmp_path: Path) -> None:
    """And a negative price lifts no cap."""
    before = open_journal(tmp_path)
    for name in ("v1:a", "v1:b", "v1:c"):
        claim_one(before, name)
        before.mark_sent([name], name)
    before.close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("UPDATE picture SET prompt = CAST(x'ffff' AS TEXT) WHERE fingerprint = 'v1:a'")
        connection.execute("UPDATE picture SET counted = -9, created = 'soon' WHERE fingerprint = 'v1:b'")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    after = open_journal(tmp_path)
    shown = History(after).pictures()
    assert len(shown) == 3 and all(each.usd >= 0 for each in shown)
    assert {claim_one(after, name) for name in ("v1:a", "v1:b", "v1:c")} == {"unresolved"}
    after.close()


@IN_A_FILE
def test_an_older_journal_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_journal(tmp_path)
    claim_one(before)
    store(before, "v1:a", png(8))
    before.close()
    step = lambda connection: connection.exec_driver_sql("CREATE TABLE later (x)")  # noqa: E731
    monkeypatch.setattr(schema, "STEPS", [*schema.STEPS, step])
    after = open_journal(tmp_path)
    assert claim_one(after) == "stored"
    after.close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.newest(),)
        assert connection.execute("SELECT * FROM later").fetchall() == []
    connection.close()
    assert not list(tmp_path.glob("journal-*.sqlite"))


@IN_A_FILE
def test_a_journal_that_is_damaged_during_a_call_loses_no_paid_picture(journal: Journal, tmp_path: Path) -> None:
    """The file is damaged after the send: the bytes that arrive are kept and found."""
    claim_one(journal)
    journal.mark_sent(["v1:a"], "call")
    for file in tmp_path.glob("journal.sqlite*"):
        file.unlink()
    journal.write_incoming("v1:a", png(9))
    journal.mark_stored("v1:a", "", None)
    assert journal.look_up(["v1:a"])["v1:a"].read() == png(9)


@IN_A_FILE
def test_a_data_folder_that_can_t_be_written_is_an_error_before_the_send(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerFailed, match="written down before it is sent"):
        claim_one(open_journal(tmp_path / "file"))


def test_too_little_disk_space_is_an_error_before_the_send(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10 << 20}))
    with pytest.raises(LedgerFailed, match="too little free space"):
        claim_one(journal)
    monkeypatch.undo()
    assert claim_one(journal) == "reserved"


def test_eviction_deletes_the_least_recently_used_and_no_unread_pictures(tmp_path: Path) -> None:
    now = [1_000_000.0]
    size = len(png(0))
    journal = open_journal(tmp_path, results_bytes=int(size * 3.5), clock=lambda: now[0])
    for number in range(6):
        now[0] += 10
        name = f"v1:{number}"
        claim_one(journal, name)
        journal.mark_sent([name], name)
        journal.write_incoming(name, png(number))
        journal.mark_stored(name, "", None, read=number != 0)
    here = journal.look_up([f"v1:{number}" for number in range(6)])
    assert "v1:0" in here and "v1:5" in here and "v1:1" not in here and len(here) <= 3
    now[0] += 31 * 86400
    journal.eviction.limit = size
    journal.eviction.trim()
    assert "v1:0" not in journal.look_up(["v1:0"])
    journal.close()


# ---------------------------------------------------------------------------------------------------------- for people


def test_a_graph_is_kept_without_the_secrets_of_other_packs(journal: Journal) -> None:
    """Secrets by name, by form, and by value where it is repeated in a positional list."""
    graph = {
        "prompt": {
            "1": {"class_type": "Other", "inputs": {"api_key": "hunter2hunter2", "note": "sk-abcdefghijklmnop1234"}}
        },
        "workflow": {"nodes": [{"widgets_values": ["hunter2hunter2", "a fox", 3]}]},
    }
    journal.reserve([entry()], run_context(graph=graph), FREE)
    (shown,) = History(journal).pictures()
    kept = History(journal).graph(shown.uid)
    assert kept and kept["workflow"] == {"nodes": [{"widgets_values": ["", "a fox", 3]}]}
    assert "hunter2" not in str(kept) and "sk-abc" not in str(kept)


def test_deleted_pictures_still_count_in_the_sums(journal: Journal) -> None:
    """Prompt, bytes and graph are deleted; the cost stays, or a cap could be exceeded by deleting."""
    for number in range(3):
        claim_one(journal, f"v1:{number}")
        store(journal, f"v1:{number}", png(20 + number))
    history = History(journal)
    assert history.forget([history.pictures()[0].uid]) == 1 and len(history.pictures()) == 2
    assert history.forget() == 2 and not list(journal.results.folder.rglob("*.png"))
    assert history.spend()[0]["usd"] == pytest.approx(3 * 0.134) and claim_one(journal, "v1:0", run="2") == "reserved"


def test_pages_search_and_export(journal: Journal, tmp_path: Path) -> None:
    for number in range(7):
        claim_one(journal, f"v1:{number}")
        store(journal, f"v1:{number}", png(30 + number))
    history = History(journal)
    first = history.pictures(limit=4)
    rest = history.pictures(limit=4, before=first[-1].uid)
    assert len({shown.uid for shown in first + rest}) == 7
    assert len(history.pictures("FOX")) == 7 and history.pictures("100%") == []
    assert history.export(tmp_path / "out", first) == 4 and len(list((tmp_path / "out").glob("*.png"))) == 4


def test_prices_have_two_decimals_or_more_where_needed() -> None:
    assert [price(amount) for amount in (134_000, 13_400_000, 5_000_000, 33_500, 1)] == [
        "$0.134",
        "$13.40",
        "$5.00",
        "$0.0335",
        "$0.000001",
    ]
