"""What the user has marked is found again, also after the journal is lost, and is the last to be deleted."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_driver import FREE, entry, lose_journal, open_journal, png, run_context
from pack.core.ledger.history import History, HistoryEntry
from pack.core.ledger.journal import Journal
from pack.core.ledger.selection import Selection

pytestmark = pytest.mark.usefixtures("database")

_seconds = itertools.count(1_700_000_000.0)


def open_with_clock(home: Path) -> Journal:
    """Each moment is later than the one before."""
    return open_journal(home, clock=lambda: next(_seconds))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return open_with_clock(tmp_path)


def store(journal: Journal, name: str, number: int, **changes: str) -> HistoryEntry:
    """A stored picture whose prompt is its name; it was read by a run."""
    journal.reserve([entry(name, prompt=name, **changes)], run_context(), FREE)
    journal.mark_sent([name], f"call {name}")
    journal.write_incoming(name, png(number))
    journal.mark_stored(name, "", None)
    (found,) = [each for each in History(journal).pictures() if each.prompt == name]
    return found


def marked(journal: Journal) -> list[str]:
    return [each.prompt for each in History(journal).select(Selection(favourites=True), limit=100)]


def test_a_mark_outlives_the_journal(journal: Journal, tmp_path: Path) -> None:
    """Also where two pictures have the same bytes, and so share a sidecar."""
    pictures = [store(journal, f"v1:{name}", number) for name, number in (("a", 1), ("b", 1), ("c", 2), ("d", 3))]
    assert journal.mark_favourites([pictures[1].uid, pictures[2].uid], True) == 2
    assert journal.mark_favourites([pictures[2].uid], False) == 1
    assert journal.mark_favourites([pictures[3].uid, "0" * 32, "nobody"], True) == 1
    assert marked(journal) == ["v1:d", "v1:b"]
    assert [each.favourite for each in History(journal).pictures()] == [True, False, True, False]
    journal.close()
    lose_journal(tmp_path)
    again = open_with_clock(tmp_path)
    assert marked(again) == ["v1:d", "v1:b"] and len(History(again).pictures()) == 4
    assert set(again.look_up([f"v1:{name}" for name in "abcd"])) == {f"v1:{name}" for name in "abcd"}
    again.close()


def test_favourites_are_deleted_last(journal: Journal) -> None:
    """The oldest is kept where it is a favourite; they go, too, when nothing else is left to go."""
    first = store(journal, "v1:first", 1)
    journal.mark_favourites([first.uid], True)
    for number in range(2, 6):
        store(journal, f"v1:{number}", number)
    size = len(png(1))
    journal.limit_results(int(size * 2.6))
    journal.eviction.trim()
    assert set(journal.look_up([f"v1:{name}" for name in ("first", 2, 3, 4, 5)])) == {"v1:first", "v1:5"}
    journal.limit_results(int(size * 1.5))
    journal.eviction.trim()
    assert set(journal.look_up(["v1:first", "v1:5"])) == {"v1:5"}


def test_all_but_the_favourites_are_forgotten(journal: Journal) -> None:
    kept, *others = [store(journal, f"v1:{number}", number) for number in range(3)]
    journal.mark_favourites([kept.uid], True)
    assert History(journal).forget(before=4e9, keep_favourites=True) == len(others)
    assert marked(journal) == [kept.prompt] and journal.look_up([kept.prompt])
    assert History(journal).forget() == 1 and marked(journal) == []


@given(
    provider=st.sampled_from(["", "onerouter", "fal", "nobody", "one%"]),
    model=st.sampled_from(["", "m/1", "m/2", "x"]),
    states=st.lists(st.sampled_from(["stored", "unknown", "refused", "'; DROP TABLE picture", ""]), max_size=3),
    query=st.sampled_from(["", "v1:1", "%", "FAL", "_"]),
    favourites=st.booleans(),
    limit=st.integers(1, 4),
)
def test_pages_of_a_selection_hold_all_that_fits_and_nothing_else(
    selected: tuple[Journal, list[HistoryEntry]],
    provider: str,
    model: str,
    states: list[str],
    query: str,
    favourites: bool,
    limit: int,
) -> None:
    """All conditions at once, read in pages of any length; the count is that of the stored ones."""
    journal, every = selected
    selection = Selection(query, states, provider, model, favourites=favourites)
    found: list[HistoryEntry] = []
    while True:
        page = History(journal).select(selection, limit=limit, before=found[-1].uid if found else "")
        found += page
        if len(page) < limit:
            break
    fitting = [
        each
        for each in every
        if (not provider or each.provider == provider)
        and (not model or each.model == model)
        and (not states or each.state in states)
        and (not query or any(query.lower() in text for text in (each.prompt, each.provider, each.model)))
        and (not favourites or each.favourite)
    ]
    assert [each.uid for each in found] == [each.uid for each in fitting]
    assert History(journal).count(selection) == sum(each.state == "stored" for each in fitting)


@pytest.fixture(scope="module")
def selected(database: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Journal, list[HistoryEntry]]:
    """Twelve requests of two providers and two models; every third is a favourite, every fourth is under way."""
    journal = open_with_clock(tmp_path_factory.mktemp("selected"))
    for number in range(12):
        name = f"v1:{number}"
        facts = {"provider": ("onerouter", "fal")[number % 2], "model": f"m/{1 + number // 6}"}
        if number % 4 == 3:
            journal.reserve([entry(name, prompt=name, **facts)], run_context(), FREE)
        else:
            store(journal, name, number, **facts)
    journal.mark_favourites([each.uid for each in History(journal).pictures() if int(each.prompt[3:]) % 3 == 0], True)
    return journal, History(journal).pictures()
