"""Several pictures with the same bytes: each has facts of its own beside the one file, and costs no more than the first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from journal_driver import FREE, another_process, claim_one, die, entry, lose_journal, open_journal, png, run_context
from pack.core.ledger.history import History
from pack.core.ledger.journal import Journal
from pack.core.ledger.results import name_of

pytestmark = pytest.mark.usefixtures("database")

SAME = png(1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = open_journal(tmp_path)
    yield made
    made.close()


def graph_of(number: int, nodes: int = 1) -> dict[str, Any]:
    inputs = {"text": f"prompt {number}", "api_key": "hunter2hunter2"}
    return {"workflow": {"nodes": [{"id": node, "inputs": inputs} for node in range(nodes)]}, "prompt": {}}


def store(journal: Journal, number: int, data: bytes = SAME, nodes: int = 1) -> str:
    """A stored picture with a prompt and a graph of its own; gives its uid."""
    name = f"v1:{number}"
    asked = entry(name, prompt=f"prompt {number}")
    journal.reserve([asked], run_context(f"run {number}", graph=graph_of(number, nodes)), FREE)
    journal.mark_sent([name], f"call {number}")
    journal.write_incoming(name, data)
    journal.mark_stored(name, f"words {number}", 0.1, f"request {number}")
    return journal.look_up([name])[name].uid


def written(folder: Path) -> str:
    """Everything that the folder's files say, apart from the pictures."""
    return "".join(file.read_text("utf-8") for file in folder.rglob("*") if file.suffix in (".json", ".part"))


def without_its_journal(journal: Journal) -> Journal:
    """A new one on the same folder, after the file was lost."""
    journal.close()
    lose_journal(journal.home)
    return open_journal(journal.home)


def test_a_further_equal_picture_writes_no_more_than_the_first(journal: Journal) -> None:
    """Else 200 equal pictures of one prompt would write 200 times as much as 200 that differ."""

    def state() -> dict[Path, tuple[int, int, int]]:
        stats = {file: file.stat() for file in journal.results.folder.rglob("*") if file.is_file()}
        return {file: (found.st_ino, found.st_mtime_ns, found.st_size) for file, found in stats.items()}

    costs = []
    for number in range(12):
        before = state()
        store(journal, number, nodes=100)
        costs.append(sum(facts[2] for file, facts in state().items() if before.get(file) != facts))
    assert costs[0] > 5000 and max(costs) < costs[0] * 1.1
    assert len(list(journal.results.folder.rglob("*.png"))) == 1


def test_the_sources_of_a_search_outlive_the_journal(journal: Journal) -> None:
    """Title and address, as they were given; a picture without any has none."""
    pages = [("Facts “1”", "https://example.com/a?b=c"), ("", "https://example.com/d")]
    for name, sources in (("v1:a", pages), ("v1:b", [])):
        journal.reserve([entry(name)], run_context(name), FREE)
        journal.mark_sent([name], name)
        journal.write_incoming(name, png(len(sources)))
        journal.mark_stored(name, "", None, sources=sources)
    for each in (journal, without_its_journal(journal)):
        found = each.look_up(["v1:a", "v1:b"])
        assert (found["v1:a"].sources, found["v1:b"].sources) == (tuple(pages), ())


def test_rebuilding_finds_every_equal_picture(journal: Journal) -> None:
    uids = [store(journal, number) for number in range(5)]
    journal = without_its_journal(journal)
    history = History(journal)
    assert {shown.uid for shown in history.pictures()} == set(uids)
    for number, uid in enumerate(uids):
        shown = history.picture(uid)
        assert shown and (shown.prompt, shown.text, shown.usd) == (f"prompt {number}", f"words {number}", 0.1)
        graph = history.graph(uid)
        assert graph and graph["workflow"]["nodes"][0]["inputs"] == {"text": f"prompt {number}", "api_key": ""}
        assert journal.look_up([f"v1:{number}"])[f"v1:{number}"].read() == SAME
    assert history.sizes()[:2] == (1, len(SAME)) and history.reindex() == 5
    journal.close()


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_deleting_one_of_several_equal_pictures_removes_its_facts_only(journal: Journal, gone: int) -> None:
    """Also the one whose facts came first, and also what a crash has left half written."""
    uids = [store(journal, number) for number in range(3)]
    for file in list(journal.results.folder.glob("*/*.json")):
        file.with_suffix(".json.part").write_bytes(file.read_bytes()[:-9])
    assert "hunter2" not in written(journal.results.folder)
    assert History(journal).forget([uids[gone]]) == 1
    left = {number: f"prompt {number}" in written(journal.results.folder) for number in range(3)}
    assert left == {number: number != gone for number in range(3)}
    store(journal, 7)
    journal = without_its_journal(journal)
    expected = {f"prompt {number}" for number in (0, 1, 2, 7) if number != gone}
    assert {shown.prompt for shown in History(journal).pictures()} == expected
    assert journal.look_up(["v1:7"])["v1:7"].read() == SAME
    History(journal).forget()
    assert {file.name for file in journal.results.folder.rglob("*") if file.is_file()} <= {"journal.id"}
    journal.close()


def test_eviction_deletes_the_facts_of_all_equal_pictures(tmp_path: Path) -> None:
    now = [1_000_000.0]
    journal = open_journal(tmp_path, clock=lambda: now[0])
    for number in range(3):
        store(journal, number)
    now[0] += 10
    store(journal, 9, png(2))
    journal.eviction.limit = len(png(2))
    journal.eviction.trim()
    assert [file.name for file in journal.results.folder.rglob("*.png")] == [name_of(png(2))]
    assert [f"prompt {number}" in written(tmp_path / "results") for number in (0, 1, 2, 9)] == [False] * 3 + [True]
    journal.close()


def test_each_equal_picture_is_exported_with_its_own_facts(journal: Journal, tmp_path: Path) -> None:
    for number in range(3):
        store(journal, number)
    history = History(journal)
    assert history.export(tmp_path / "out", history.pictures()) == 3
    facts = [json.loads(file.read_text("utf-8")) for file in (tmp_path / "out").glob("*.json")]
    assert {one["prompt"]: one["graph"]["workflow"]["nodes"][0]["inputs"]["text"] for one in facts} == {
        f"prompt {number}": f"prompt {number}" for number in range(3)
    }
    assert all(file.read_bytes() == SAME for file in (tmp_path / "out").glob("*.png"))


@pytest.mark.parametrize("others", [0, 1])
def test_a_process_killed_between_sidecar_and_commit_loses_nothing(tmp_path: Path, others: int) -> None:
    """The facts are on disk and the row isn't: the picture is kept, counted once, and forgotten whole."""
    before = open_journal(tmp_path)
    for number in range(others):
        store(before, number)
    before.close()
    process = another_process(
        tmp_path,
        """
claim_one(journal)
journal.mark_sent(["v1:a"], "call")
journal.write_incoming("v1:a", png(1))
real = journal.results.write_sidecar
def write_sidecar(*facts):
    real(*facts)
    print("written", flush=True)
    input()
journal.results.write_sidecar = write_sidecar
journal.mark_stored("v1:a", "", None)
""",
    )
    assert process.first == "written"
    die(process)
    journal = open_journal(tmp_path)
    assert claim_one(journal) == "stored" and journal.look_up(["v1:a"])["v1:a"].read() == SAME
    store(journal, 5)
    journal = without_its_journal(journal)
    shown = {known.prompt: known.uid for known in History(journal).pictures()}
    assert len(shown) == len(History(journal).pictures()) == others + 2 and "a fox" in shown
    History(journal).forget([shown["a fox"]])
    assert "a fox" not in written(tmp_path) and "prompt 5" in written(tmp_path)
    journal.close()


def old_facts(number: int) -> dict[str, Any]:
    """What version 0.1 wrote about a picture."""
    return {
        "uid": f"{number:032x}",
        "fingerprint": f"v1:old {number}",
        "operation": "generate",
        "provider": "onerouter",
        "model": "google/nano-banana-2",
        "profile": "default",
        "project": "",
        "run": "run",
        "node": "3",
        "prompt": f"old prompt {number}",
        "text": "",
        "request_id": "",
        "created": 1760000000.0 + number,
        "sent": 1760000001.0,
        "ended": 1760000009.0,
        "usd_expected": 0.134,
        "usd_charged": None,
        "graph": graph_of(number),
    }


def test_a_sidecar_of_several_pictures_is_read_and_updated(tmp_path: Path) -> None:
    """As it was written before: one file for all pictures with the same bytes."""
    name = name_of(SAME)
    folder = tmp_path / "results" / name[:2]
    folder.mkdir(parents=True)
    (folder / name).write_bytes(SAME)
    old = {"version": 1, "file": name, "pictures": [old_facts(number) for number in (1, 2, 3)]}
    (folder / name).with_suffix(".json").write_text(json.dumps(old, indent=1), "utf-8")
    journal = open_journal(tmp_path)
    history = History(journal)
    assert {shown.prompt for shown in history.pictures()} == {f"old prompt {number}" for number in (1, 2, 3)}
    assert journal.look_up(["v1:old 2"])["v1:old 2"].read() == SAME
    store(journal, 4)
    assert history.forget([old_facts(2)["uid"]]) == 1
    text = written(tmp_path)
    assert "old prompt 2" not in text and "old prompt 1" in text and "old prompt 3" in text
    journal = without_its_journal(journal)
    left = {shown.prompt: History(journal).graph(shown.uid) for shown in History(journal).pictures()}
    assert set(left) == {"old prompt 1", "old prompt 3", "prompt 4"} and all(left.values())
    journal.close()
