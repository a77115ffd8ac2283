"""Results in an S3 bucket, with moto's server for it: a double, so what a real server does is not shown here."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bucket_server import BUCKET, KEY, SECRET, BucketServer, missing
from dialect_driver import QUICK_SPECS, keyed, request
from journal_driver import FREE, SERVER, claim_one, entry, lose_journal, open_journal, png, run_context, until
from pack.core.engine import Engine
from pack.core.errors import LedgerFailed, ResultsAway
from pack.core.execution.run import Run
from pack.core.images.picture import Encoded
from pack.core.ledger import call_steps, turns
from pack.core.ledger.history import History
from pack.core.ledger.journal import Journal
from pack.core.ledger.kept_answers import KeptAnswer
from pack.core.ledger.messages import unwritten_notice
from pack.core.ledger.results import DamagedFile, key_of, name_of
from pack.core.ledger.storage import s3_store, upload_queue
from pack.core.ledger.storage.bucket_address import BucketAddress
from pack.core.ledger.storage.bucket_cache import BucketCache
from pack.core.ledger.storage.s3_store import S3Store
from pack.core.ledger.turns import RecordedReference, TurnRecord, encoded
from pack.core.ledger.upload import upload
from pack.core.planning.choice import ProviderChoice
from pack.tests.doubles.server import Doubles
from python_process import ROOT
from reply_server import ReplyServer

NAME = "v1:a"


@pytest.fixture(scope="session")
def s3() -> Iterator[BucketServer]:
    if why := missing():
        pytest.skip(f"results in a bucket are not tested: {why}")
    made = BucketServer()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that is back is noticed soon."""
    monkeypatch.setattr(s3_store, "_REFUSE_SECONDS", 0.1)
    monkeypatch.setattr(upload_queue, "_FIRST_PAUSE", 0.1)


class Farm:
    """Machines with one journal and one folder of the bucket, each with a cache of its own."""

    def __init__(self, s3: BucketServer, home: Path) -> None:
        self.s3, self.home, self.prefix = s3, home, f"farm {home.parent.name}/{home.name}"
        self._open: list[Journal] = []

    def machine(self, name: str, home: str = "shared") -> Journal:
        address = BucketAddress.read(f"s3://{BUCKET}/{self.prefix}", self.s3.environ(self.prefix))
        made = open_journal(self.home / home, results=self.home / "caches" / name, bucket=address, results_bytes=10**9)
        self._open.append(made)
        return made

    def files(self) -> dict[str, bytes]:
        return {key: data for key, data in self.s3.files(self.prefix).items() if key not in ("writable", "journal.id")}

    def close(self) -> None:
        for each in self._open:
            each.close()


@pytest.fixture
def farm(
    s3: BucketServer, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Farm]:
    """With a journal in a file, unless the test is run with each kind of `database`."""
    if "database" not in request.fixturenames:
        monkeypatch.delenv(SERVER, raising=False)
    made = Farm(s3, tmp_path)
    (tmp_path / "shared").mkdir()
    yield made
    made.close()


def pay(journal: Journal, name: str = NAME, data: bytes = png(1)) -> None:
    """Everything up to the moment in which the bytes are on the disk."""
    assert claim_one(journal, name, f"run of {name}") == "reserved"
    journal.mark_sent([name], f"call of {name}")
    journal.write_incoming(name, data)


def store(journal: Journal, name: str = NAME, data: bytes = png(1)) -> str:
    pay(journal, name, data)
    journal.mark_stored(name, "words", 0.1)
    return journal.look_up([name])[name].uid


def cached(journal: Journal) -> set[str]:
    return {file.name for file in journal.results.folder.glob("[0-9a-f][0-9a-f]/*")}


def outbox(journal: Journal) -> set[str]:
    return {file.name for file in (journal.results.folder / "outbox").rglob("*") if file.is_file()}


def bucket_of(journal: Journal) -> S3Store:
    store = journal.results.store
    assert isinstance(store, BucketCache) and isinstance(store.origin, S3Store)
    return store.origin


def test_a_picture_is_in_the_bucket_before_its_row_says_so(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = farm.machine("a")
    pay(journal)
    seen: list[set[str]] = []
    genuine = journal.results.write_sidecar

    def write_sidecar(*facts: Any) -> None:  # inside the transaction that marks the row
        seen.append(set(farm.files()))
        genuine(*facts)

    monkeypatch.setattr(journal.results, "write_sidecar", write_sidecar)
    journal.mark_stored(NAME, "", None)
    assert seen and f"{name_of(png(1))[:2]}/{name_of(png(1))}" in seen[0]
    journal.close()
    kinds = sorted(key.rpartition(".")[2] for key in farm.files())
    assert kinds == ["json", "png"] and not outbox(journal)


@pytest.mark.usefixtures("database")
def test_another_machine_reads_it_once_from_the_bucket(farm: Farm) -> None:
    here, there = farm.machine("a"), farm.machine("b")
    store(here)
    assert claim_one(there) == "stored" and not cached(there)
    found = there.look_up([NAME])[NAME]
    assert found.read() == png(1) and cached(there) == {name_of(png(1))}
    farm.s3.delete(farm.prefix, f"{found.file[:2]}/{found.file}")
    assert found.read() == png(1), "it is in the cache"
    assert [each.file for each in History(there).pictures()] == [found.file]


def test_what_is_missing_in_the_bucket_is_no_hit(farm: Farm) -> None:
    here, there = farm.machine("a"), farm.machine("b")
    store(here)
    file = here.look_up([NAME])[NAME].file
    farm.s3.delete(farm.prefix, f"{file[:2]}/{file}")
    assert there.look_up([NAME]) == {} and claim_one(there) == "reserved"
    assert {each.file for each in History(there).pictures()} == {""}


def test_a_damaged_file_is_fetched_again_and_a_damaged_object_is_refused(farm: Farm) -> None:
    here, there = farm.machine("a"), farm.machine("b")
    store(here)
    found = there.look_up([NAME])[NAME]
    assert found.read() == png(1)
    there.results.path(found.file).write_bytes(png(1)[:-3])
    assert found.read() == png(1) and there.results.path(found.file).read_bytes() == png(1)
    key = f"{found.file[:2]}/{found.file}"
    farm.s3.replace(farm.prefix, key, png(1)[:-1])
    third = farm.machine("c").look_up([NAME])[NAME]
    with pytest.raises(DamagedFile):
        third.read()
    assert not cached(farm.machine("c")), "no damaged file is kept"
    farm.s3.replace(farm.prefix, key, png(1))
    assert third.read() == png(1)


def test_nothing_is_reserved_while_the_bucket_is_away(farm: Farm) -> None:
    journal = farm.machine("a")
    store(journal)
    until(lambda: not outbox(journal), "the sidecar is uploaded")
    bucket_of(journal)._answered = float("-inf")
    farm.s3.stop()
    try:
        with pytest.raises(ResultsAway, match="Nothing is sent that costs money until the bucket is back") as raised:
            claim_one(journal, "v1:b")
        assert farm.s3.url.removeprefix("http://") in str(raised.value)
        assert journal.look_up([NAME])[NAME].read() == png(1), "what is in the cache is still a hit"
    finally:
        farm.s3.start()
    until(lambda: _reserves(journal, "v1:b"), "it is reserved when the bucket is back")


def test_nothing_is_reserved_with_a_key_that_may_only_read(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it has just read something."""
    journal = farm.machine("a")

    def put(key: str, data: bytes) -> None:
        raise ResultsAway("access was denied")

    monkeypatch.setattr(bucket_of(journal), "put", put)
    assert not journal.results.has(name_of(png(1)), "0" * 32)
    with pytest.raises(ResultsAway):
        claim_one(journal)


def test_a_bucket_is_asked_from_a_thread_that_runs_a_loop(farm: Farm) -> None:
    """As the host's nodes do."""
    here, there = farm.machine("a"), farm.machine("b")
    store(here, "v1:0", png(0))
    store(here, "v1:1", png(1))

    async def look_up() -> set[str]:
        return set(there.look_up(["v1:0", "v1:1", "v1:2"]))

    assert asyncio.run(look_up()) == {"v1:0", "v1:1"}


def test_a_file_that_was_only_written_to_try_the_bucket_may_be_deleted(farm: Farm) -> None:
    journal = farm.machine("a")
    store(journal)
    farm.s3.delete(farm.prefix, "writable")
    bucket_of(journal)._answered = float("-inf")
    assert claim_one(journal, "v1:b") == "reserved" and "writable" in farm.s3.files(farm.prefix)


def _reserves(journal: Journal, name: str) -> bool:
    try:
        return claim_one(journal, name) == "reserved"
    except ResultsAway:
        return False


def test_what_comes_while_the_bucket_is_away_is_kept_and_stored_later(farm: Farm) -> None:
    """No row says "stored" before: another machine waits for it, as for any call that is under way."""
    here, there = farm.machine("a"), farm.machine("b")
    there.results.store.check()
    pay(here)
    farm.s3.stop()
    try:
        here.mark_stored(NAME, "words", 0.1)
        assert here.unwritten == 1 and "uploaded when it is back" in unwritten_notice(here)
        assert here.reader(NAME)() == png(1), "the graph has it"
        assert there.look_up([NAME]) == {} and claim_one(there) == "busy"
    finally:
        farm.s3.start()
    until(lambda: not here.unwritten, "it was never uploaded")
    assert unwritten_notice(here) == "" and claim_one(there) == "stored"
    assert there.look_up([NAME])[NAME].read() == png(1) and there.look_up([NAME])[NAME].text == "words"


def test_a_picture_that_can_not_be_written_down_later_is_found_by_the_next_run(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call has ended by then, so nobody else stops holding it."""

    def disk_full(*args: object, **more: object) -> None:
        raise LedgerFailed("the disk is full")

    journal = farm.machine("a")
    pay(journal)
    farm.s3.stop()
    with monkeypatch.context() as broken:
        try:
            journal.mark_stored(NAME, "", 0.1)
            broken.setattr(call_steps, "mark_row_stored", disk_full)
        finally:
            farm.s3.start()
        until(lambda: not journal.unwritten and not journal.ownership.holds(NAME), "it is held for ever")
    assert claim_one(journal) == "stored" and journal.look_up([NAME])[NAME].read() == png(1)


def test_a_picture_that_waits_counts_once_however_often_it_is_looked_for(farm: Farm) -> None:
    journal = farm.machine("a")
    pay(journal)
    farm.s3.stop()
    try:
        journal.mark_stored(NAME, "", 0.1)
        for _ in range(3):
            journal.claim_stalled(lambda *where: False)
        assert journal.unwritten == 1
    finally:
        farm.s3.start()
    until(lambda: not journal.unwritten, "it was never uploaded")
    assert claim_one(journal) == "stored"


def test_an_upload_that_is_refused_each_time_stops_no_other(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = farm.machine("a")
    origin, genuine = bucket_of(journal), bucket_of(journal).put

    def put(key: str, data: bytes) -> None:
        if key.startswith("references/"):
            raise ResultsAway("access was denied")
        genuine(key, data)

    monkeypatch.setattr(origin, "put", put)
    journal.results.store.put_soon("references/ab/refused.png", b"x")
    pay(journal)
    journal.mark_stored(NAME, "", None)
    until(lambda: not journal.unwritten and outbox(journal) == {"refused.png"}, "the others were never uploaded")
    monkeypatch.setattr(origin, "put", genuine)


def test_a_picture_stays_though_another_with_its_bytes_is_forgotten_before_its_commit(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = farm.machine("a"), farm.machine("b")
    store(there, "v1:other", png(1))
    pay(here)
    genuine = here.results.share_then

    def share_then(uid: str, name: str, then: Callable[[], object], *more: Any) -> None:
        genuine(uid, name, lambda: (History(there).forget(), then()), *more)

    monkeypatch.setattr(here.results, "share_then", share_then)
    here.mark_stored(NAME, "", None)
    third = farm.machine("c")
    assert claim_one(third) == "stored" and third.look_up([NAME])[NAME].read() == png(1)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("taken_for_lost", [False, True])
def test_what_a_dead_process_could_not_upload_is_uploaded_by_the_next(farm: Farm, taken_for_lost: bool) -> None:
    """Also where another machine, which can't see the bytes, asks meanwhile whether it is to be paid again."""
    here, there = farm.machine("a"), farm.machine("b")
    pay(here)

    def away(key: str, data: bytes) -> None:
        raise ResultsAway("away")

    bucket_of(here).put = away  # type: ignore[method-assign]  # for good: this one is dead
    here.mark_stored(NAME, "words", 0.1)
    here.ownership.close()  # as its end does
    if taken_for_lost:
        until(lambda: claim_one(there) == "unresolved", "another machine asks")
    again = farm.machine("a")
    until(lambda: _claims(again), "the next start")
    until(lambda: claim_one(there) == "stored", "it is stored")
    assert there.look_up([NAME])[NAME].read() == png(1)
    assert not again.results.incoming_uids() and cached(again) == {name_of(png(1))}


def _claims(journal: Journal) -> bool:
    return journal.claim_stalled(lambda *where: False) == []


def test_the_outbox_of_a_dead_process_is_uploaded_by_the_next(farm: Farm) -> None:
    journal = farm.machine("a")
    store(journal)
    journal.close()
    sidecar = next(key for key in farm.files() if key.endswith(".json"))
    left = journal.results.folder / "outbox" / sidecar
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(farm.files()[sidecar])
    farm.s3.delete(farm.prefix, sidecar)
    again = farm.machine("a")
    assert _claims(again)
    until(lambda: sidecar in farm.files() and not outbox(again), "it was never uploaded")


def test_a_lost_journal_is_rebuilt_from_the_bucket(farm: Farm) -> None:
    journal = farm.machine("a")
    uids = {store(journal, f"v1:{number}", png(number % 2)) for number in range(5)}
    journal.close()
    lose_journal(farm.home / "shared")
    again = farm.machine("b")
    assert {each.uid for each in History(again).pictures()} == uids
    assert again.look_up(["v1:3"])["v1:3"].read() == png(1)
    assert sum(row["usd"] for row in History(again).spend(())) == pytest.approx(0.5)


@pytest.mark.usefixtures("database")
def test_a_journal_that_can_not_be_rebuilt_now_is_rebuilt_later(farm: Farm) -> None:
    store(farm.machine("a"))
    farm.close()
    again = farm.machine("b", home="new")
    farm.s3.stop()
    try:
        with pytest.raises(ResultsAway):
            again.look_up([NAME])
    finally:
        farm.s3.start()
    until(lambda: _found(again) == png(1), "it is rebuilt")


def _found(journal: Journal) -> bytes:
    try:
        return journal.look_up([NAME])[NAME].read()
    except ResultsAway:
        return b""


def test_a_turn_is_read_by_other_machines_with_what_was_sent_along(farm: Farm) -> None:
    here, there = farm.machine("a"), farm.machine("b")
    pay(here)
    digest, uid = "ab" * 32, here.held(NAME).uid
    record = TurnRecord("google", "m", "a fox", (RecordedReference(digest, 5, 4),), (), ("", ""))
    here.turns.keep_references(uid, [digest], [Encoded(png(2), "png", 5, 4)])
    here.turns.write(name_of(png(1)), uid, encoded(record))
    here.mark_stored(NAME, "", None)
    assert here.turns.read(name_of(png(1)), uid) == record and here.turns.has_reference(digest)
    here.close()
    assert there.turns.read(name_of(png(1)), uid) == record and there.turns.read_reference(digest) == png(2)
    assert History(there).forget() == 1 and farm.files() == {}


def test_what_another_machine_has_deleted_is_uploaded_again_when_it_is_sent_again(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent along is not looked for at each request, but again when some minutes are over."""
    monkeypatch.setattr(turns, "_KNOWN_SECONDS", 0.0)
    here, there, digest = farm.machine("a"), farm.machine("b"), "ab" * 32
    record = TurnRecord("google", "m", "a fox", (RecordedReference(digest, 5, 4),), (), ("", ""))
    for name, data in (("v1:a", png(1)), ("v1:b", png(3))):
        pay(here, name, data)
        uid = here.held(name).uid
        here.turns.keep_references(uid, [digest], [Encoded(png(2), "png", 5, 4)])
        here.turns.write(name_of(data), uid, encoded(record))
        here.mark_stored(name, "", None)
        until(lambda: not outbox(here), "it was never uploaded")
        assert there.turns.read_reference(digest) == png(2)
        assert History(there).forget() == 1 and not there.turns.has_reference(digest)


def test_forgotten_pictures_leave_the_bucket(farm: Farm) -> None:
    here, there = farm.machine("a"), farm.machine("b")
    uids = [store(here, f"v1:{number}") for number in range(3)]
    assert here.mark_favourites(uids[1:2], True) == 1
    here.close()
    assert History(there).forget(uids[:1]) == 1
    assert len(farm.files()) == 3, "the bytes, and the facts of the other two"
    assert History(there).forget() == 2 and farm.files() == {}
    assert here.look_up(["v1:1"]) == {}


@pytest.mark.long
def test_an_earlier_folder_of_results_is_named_and_copied_to_the_bucket(farm: Farm, tmp_path: Path) -> None:
    before = open_journal(farm.home / "shared")
    uid = store(before)
    before.close()
    after = farm.machine("a")
    assert after.look_up([NAME]) == {}
    assert [notice for notice in after.take_notices() if "python ledger.py upload" in notice]
    environ = {**os.environ, **farm.s3.environ(farm.prefix), "NANO_BANANA_HOME": str(farm.home / "shared")}
    command = [sys.executable, str(ROOT / "ledger.py"), "upload"]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0 and "1 pictures were copied" in told.stdout, told
    assert after.look_up([NAME])[NAME].read() == png(1) and after.look_up([NAME])[NAME].uid == uid
    assert not (farm.home / "shared" / "results").exists() and list(farm.home.glob("shared/results-uploaded-*"))
    assert farm.machine("b").take_notices() == []


def test_what_only_the_earlier_folder_had_of_paid_pictures_goes_along(farm: Farm) -> None:
    """Bytes that came before a process was killed, and an answer in which no picture could be read."""
    before = open_journal(farm.home / "shared")
    pay(before)
    before.keep_answer("call", KeptAnswer(200, {}, b"an answer", {}))
    before.ownership.close()  # as its end does
    before.database.close()
    after = farm.machine("a")
    assert [notice for notice in after.take_notices() if "python ledger.py upload" in notice]
    upload(farm.home / "shared" / "results", after.results)
    after.claim_stalled(lambda *where: False)
    assert claim_one(after) == "stored" and after.look_up([NAME])[NAME].read() == png(1)
    kept = after.answers.read("call")
    assert kept is not None and kept.body == b"an answer"


def test_a_cached_picture_is_a_hit_though_its_draft_is_only_in_a_bucket_that_is_away(farm: Farm) -> None:
    here, there = farm.machine("a"), farm.machine("b")
    pay(here)
    here.store_drafts(NAME, [png(2)])
    here.mark_stored(NAME, "", 0.1)
    found = there.look_up([NAME])[NAME]
    assert found.read() == png(1) and len(found.drafts) == 1
    farm.s3.stop()
    try:
        found = there.look_up([NAME])[NAME]
        assert found.read() == png(1) and found.drafts == ()
    finally:
        farm.s3.start()
    until(lambda: _draft_of(there) == png(2), "the draft is seen again")


def _draft_of(journal: Journal) -> bytes:
    drafts = journal.look_up([NAME])[NAME].drafts
    return drafts[0].read() if drafts else b""


def test_a_list_shows_what_is_known_while_the_bucket_is_away(farm: Farm, caplog: pytest.LogCaptureFixture) -> None:
    """The rows of the journal, with the pictures that this machine has; no error. A picture that was deleted is not away."""
    here, there = farm.machine("a"), farm.machine("b")
    mine, gone, others = store(here), store(here, "v1:gone", png(3)), store(there, "v1:b", png(2))
    farm.s3.delete(farm.prefix, key_of(name_of(png(3))))
    (here.results.folder / key_of(name_of(png(3)))).unlink()
    claim_one(here, "v1:open")
    history = History(here)
    now = {each.uid: (bool(each.file), each.away) for each in history.pictures()}
    assert [now.pop(uid) for uid in (mine, gone, others)] == [(True, False), (False, False), (True, False)]
    assert list(now.values()) == [(False, False)], "nothing of it was stored"
    farm.s3.stop()
    try:
        away = {each.uid: (bool(each.file), each.away) for each in history.pictures()}
        assert (away[mine], away[others]) == ((True, False), (False, True)) and set(away) == {mine, gone, others, *now}
        assert history.picture(mine) is not None
        assert here.turns.existing([(name_of(png(1)), mine), (name_of(png(2)), others)]) == set()
    finally:
        farm.s3.start()
    until(lambda: not any(each.away for each in history.pictures()), "the bucket is back")


def test_nothing_is_deleted_or_marked_while_the_bucket_is_away(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is found out before the transaction, which all other machines wait for."""
    journal = farm.machine("a")
    uid = store(journal)
    farm.s3.stop()
    bucket_of(journal)._answered = float("-inf")  # an answer that was still on its way would have set it again
    try:
        with monkeypatch.context() as broken:
            broken.setattr(journal.database, "write", lambda: pytest.fail("a transaction was begun"))
            with pytest.raises(ResultsAway):
                History(journal).forget([uid])
            with pytest.raises(ResultsAway):
                journal.mark_favourites([uid], True)
        assert journal.look_up([NAME])[NAME].uid == uid
    finally:
        farm.s3.start()


def test_the_cache_drops_what_was_read_the_longest_ago_and_nothing_that_waits(farm: Farm) -> None:
    journal = farm.machine("a")
    size = len(png(1))
    for number in range(4):
        store(journal, f"v1:{number}", png(number))
        os.utime(journal.results.path(name_of(png(number))), (number + 1, number + 1))
    assert journal.look_up(["v1:0"])["v1:0"].read() == png(0)
    pay(journal, "v1:waits", png(9))
    journal.limit_results(2 * size + size // 2)
    journal.eviction.trim()
    assert cached(journal) == {name_of(png(3)), name_of(png(0))}
    assert journal.reader("v1:waits")() == png(9)
    assert journal.look_up(["v1:1"])["v1:1"].read() == png(1), "the bucket has it"
    assert History(journal).sizes()[0] == 4


@pytest.mark.usefixtures("database")
def test_machines_that_store_at_once_lose_nothing(farm: Farm) -> None:
    """Also the same bytes from several of them."""
    machines = [farm.machine(name) for name in "abc"]
    failures: list[BaseException] = []

    def work(journal: Journal, number: int) -> None:
        try:
            for index in range(4):
                store(journal, f"v1:{number}-{index}", png(index))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(each, number)) for number, each in enumerate(machines * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    names = [f"v1:{number}-{index}" for number in range(6) for index in range(4)]
    for each in machines:
        assert {name: found.read() for name, found in each.look_up(names).items()} == {
            name: png(int(name[-1])) for name in names
        }
        each.close()
    assert sorted(key.rpartition(".")[2] for key in farm.files()) == ["json"] * 24 + ["png"] * 4


def test_a_second_machine_gets_a_paid_picture_for_nothing(s3: BucketServer, doubles: Doubles, tmp_path: Path) -> None:
    """Two engines with a journal each: the second one's is filled from the bucket."""
    doubles.reset()
    environ = keyed(doubles, "onerouter") | s3.environ(f"engines {tmp_path.name}")
    for name in ("a", "b"):
        engine = Engine(tmp_path / name, specs=QUICK_SPECS, environ=environ)
        asked = [request(prompt="a fox")]
        run = engine.run(asked, engine.plan(ProviderChoice("onerouter"), asked))
        assert run.done.wait(60) and run.error is None and run.tasks[0].result is not None
        assert run.tasks[0].result.read() and not run.report.notices
        engine.ledger.close()
    assert sum(each["paid"] for each in doubles.request_log()["requests"]) == 1


def test_a_run_gets_its_picture_while_the_bucket_is_away(s3: BucketServer, doubles: Doubles, tmp_path: Path) -> None:
    """It says so, the next run is refused without a request, and the bucket gets the picture when it is back."""
    doubles.reset()
    prefix = f"away {tmp_path.name}"
    engine = Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "onerouter") | s3.environ(prefix))

    def started(prompt: str) -> Run:
        asked = [request(prompt=prompt)]
        return engine.run(asked, engine.plan(ProviderChoice("onerouter"), asked))

    doubles.fault("hold")
    run = started("under way")
    assert doubles.wait(prompt="under way", timeout=60)
    s3.stop()
    try:
        doubles.release()
        assert run.done.wait(60) and run.error is None and run.tasks[0].result is not None
        assert run.tasks[0].result.read()
        assert any("uploaded when it is back" in notice for notice in run.report.notices), run.report.notices
        bucket_of(engine.ledger)._answered = float("-inf")
        refused = started("next")
        assert refused.done.wait(60) and isinstance(refused.error, ResultsAway)
        assert not [each for each in doubles.request_log()["requests"] if each["prompt"] == "next"]
    finally:
        s3.start()
    until(lambda: not engine.ledger.unwritten, "it was never uploaded")
    assert [key for key in s3.files(prefix) if key.endswith((".png", ".jpg", ".webp"))]
    engine.ledger.close()


# ---------------------------------------------------------------------------------------------------- what users are told


REFUSED = f"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId><x>{SECRET}</x></Error>"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (403, REFUSED, "access was denied"),
        (401, REFUSED, "access was denied"),
        (404, "<Error><Code>NoSuchBucket</Code></Error>", "there is no bucket with that name"),
        (403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", "clock of this machine is wrong"),
        (400, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>", "Set AWS_REGION"),
        (301, "<Error><Code>PermanentRedirect</Code></Error>", "Set AWS_REGION"),
        (404, "<html>no such page</html>", "it answered with status 404"),
        (503, REFUSED, "it answered with status 503"),
        (400, REFUSED, "it answered with status 400"),
    ],
)
def test_refusals_are_told_without_what_the_server_says(
    s3: BucketServer, status: int, body: str, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Amazon repeats the key in its answers."""
    server = ReplyServer([{"status": status, "raw": body.encode()}])
    address = BucketAddress.read("s3://studio/x", s3.environ("x") | {"AWS_ENDPOINT_URL": server.url})
    journal = open_journal(tmp_path, bucket=address)
    caplog.set_level(logging.DEBUG)
    try:
        with pytest.raises(ResultsAway, match=told) as raised:
            journal.reserve([entry()], run_context(), FREE)
        said = f"{raised.value!s} {raised.value!r} {address!r} {caplog.text}"
        assert raised.value.__cause__ is None and raised.value.__suppress_context__
        assert KEY not in said and SECRET not in said
    finally:
        journal.close()
        server.close()


def test_what_is_no_name_of_a_file_of_ours_is_passed_over(farm: Farm) -> None:
    """Others may be able to write into the bucket: on Windows the second one leads out of the cache."""
    journal = farm.machine("a")
    store(journal)
    key = key_of(name_of(png(1)))
    for name in (".json/x", ".\\..\\..\\..\\keys.json", ".a b.json"):
        farm.s3.replace(farm.prefix, key.removesuffix(".png") + name, b"x")
    journal.close()
    folder, _, name = key.removesuffix("png").partition("/")
    listed = bucket_of(journal).list_in(folder, name)
    assert key in listed and sorted(each.rpartition(".")[2] for each in listed) == ["json", "png"]


@pytest.mark.long
def test_objects_of_others_with_odd_keys_stop_no_list(farm: Farm) -> None:
    """An empty part, or one that is no name, at the top, beside the pictures and below them."""
    journal = farm.machine("a")
    uids = {store(journal, f"v1:{number}", png(number)) for number in range(3)}
    journal.close()
    folder = key_of(name_of(png(1))).partition("/")[0]
    lose_journal(farm.home / "shared")
    for odd in (f"{folder}//x", f"{folder}/12//x", f"{folder}/..", f"{folder}/", "//x", "x//y"):
        farm.s3.put_raw(farm.prefix, odd)
        try:
            again = farm.machine(f"after {odd!r}".replace("/", "-"), f"home {odd!r}".replace("/", "-"))
            assert {each.uid for each in History(again).pictures()} == uids, odd
        finally:
            farm.s3.delete_raw(farm.prefix, odd)


@pytest.mark.long
def test_forgetting_by_the_command_leaves_nothing_in_the_bucket(farm: Farm) -> None:
    """Neither drafts, nor further pictures of the answer, nor turns and what was sent along."""
    journal = farm.machine("a", "home")
    pay(journal)
    digest, uid = "ab" * 32, journal.held(NAME).uid
    record = TurnRecord("google", "m", "a fox", (RecordedReference(digest, 5, 4),), (), ("", ""))
    journal.turns.keep_references(uid, [digest], [Encoded(png(2), "png", 5, 4)])
    journal.turns.write(name_of(png(1)), uid, encoded(record))
    journal.store_drafts(NAME, [png(3), png(4)])
    journal.mark_stored(NAME, "", 0.1)
    journal.close()
    until(lambda: not outbox(journal), "it was never uploaded")
    assert len(farm.files()) > 6
    environ = {**os.environ, **farm.s3.environ(farm.prefix), "NANO_BANANA_HOME": str(farm.home / "home")}
    command = [sys.executable, str(ROOT / "ledger.py"), "forget", "--id", uid[:12]]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0 and "1 pictures were forgotten" in told.stdout, told
    assert farm.files() == {}


def test_a_fault_inside_obstore_is_told_as_one_of_the_bucket(tmp_path: Path) -> None:
    """It is no Exception, and would end the host's thread."""
    if why := missing():
        pytest.skip(why)
    options = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    with pytest.raises(ResultsAway) as raised:
        S3Store(BucketAddress("studio", "x", "no-scheme:9000", options)).put("x", b"")
    assert SECRET not in f"{raised.value!s}"


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    journal = open_journal(tmp_path, bucket=BucketAddress("studio"), address=None)
    with pytest.raises(LedgerFailed, match=r"pip install obstore"):
        claim_one(journal)
    journal.close()


@pytest.mark.parametrize(
    "named", ["s3://", "s3:///x", "s3://UPPER/x", "s3://a", "s3://bucket/a//b", "s3://bucket/../b"]
)
def test_what_is_no_address_of_a_bucket_is_refused(named: str) -> None:
    with pytest.raises(LedgerFailed, match="NANO_BANANA_RESULTS"):
        BucketAddress.read(named, {})


@pytest.mark.parametrize(
    "endpoint", ["minio:9000", "minio", "ftp://minio:9000", "http://", "http://[::1", "http://a:x"]
)
def test_what_is_no_base_url_of_a_server_is_refused(endpoint: str) -> None:
    with pytest.raises(LedgerFailed, match="AWS_ENDPOINT_URL"):
        BucketAddress.read("s3://studio/x", {"AWS_ENDPOINT_URL": endpoint})


def test_a_folder_is_no_bucket_and_an_address_shows_no_secret() -> None:
    assert BucketAddress.read("/mnt/results", {}) is None and BucketAddress.read("", {}) is None
    environ = {"AWS_ENDPOINT_URL": "https://me:hunter2@s3.example:9000", "AWS_SECRET_ACCESS_KEY": SECRET}
    read = BucketAddress.read("s3://studio/a b/c/", environ)
    assert read is not None and read.shown == "s3://studio/a b/c (s3.example:9000)"
    assert "hunter2" not in repr(read) and SECRET not in repr(read)
