"""Drafts of a model that thinks: asked for where somebody wants them, stored with the picture, and given again with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from dialect_driver import QUICK_SPECS, keyed, request
from pack.core.engine import Engine
from pack.core.execution.run import Run
from pack.core.ledger.history import History
from pack.core.ledger.selection import Selection
from pack.core.planning.choice import ProviderChoice
from pack.tests.doubles.server import Doubles

GREYS = [0x77, 0x87]
"""The shades in which the doubles draw the drafts of a picture."""


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    """A machine with a key for Google, whose double sends two drafts with each picture."""
    doubles.reset()
    doubles.fault("small drafts=2", provider="google")
    environ = keyed(doubles, "google")
    return Engine(tmp_path, local_address=lambda: doubles.base_url("offline"), specs=QUICK_SPECS, environ=environ)


def made(
    engine: Engine, prompt: str, *, count: int = 1, wants_drafts: bool = True, provider: str = "google", **options: str
) -> Run:
    """A run that is over."""
    wanted = [replace(request(prompt=prompt, **options), num_images=count)]
    plan = engine.plan(ProviderChoice(provider, "nano-banana-2.1"), wanted)
    run = engine.run(wanted, plan, wants_drafts=wants_drafts)
    assert run.done.wait(30), "the run didn't end"
    assert run.error is None and not run.report.failed, run.error
    return run


def greys(run: Run) -> list[list[int]]:
    """The shade of each draft, by picture."""
    return [[int(draft.pixels[0, 0, 0]) for draft in task.drafts] for task in run.tasks]


def test_drafts_come_with_the_picture_and_again_from_the_store(engine: Engine, doubles: Doubles) -> None:
    """Whoever wants them or not: they are here. They cost nothing, and no list has them."""
    first = made(engine, "two of them", count=2)
    assert greys(first) == [GREYS, GREYS]
    again = made(engine, "two of them", count=2, wants_drafts=False)
    assert [task.source for task in again.tasks] == ["store", "store"] and greys(again) == [GREYS, GREYS]
    assert doubles.request_log("two of them")["paid_images"] == 2
    history = History(engine.ledger)
    assert len(history.pictures()) == history.count(Selection()) == 2
    (spent,) = history.spend()
    assert spent["pictures"] == 2 and spent["usd"] == pytest.approx(first.report.usd)


def test_to_want_drafts_makes_no_other_picture(engine: Engine, doubles: Doubles) -> None:
    """A picture that was paid while nobody wanted them stays the one that is asked for: it is the same picture."""
    sent = "generationConfig"
    made(engine, "unwatched", wants_drafts=False)
    assert "thinkingConfig" not in doubles.request_log("unwatched")["requests"][0]["fields"][sent]
    assert made(engine, "unwatched").tasks[0].source == "store"
    made(engine, "watched")
    assert doubles.request_log("watched")["requests"][-1]["fields"][sent]["thinkingConfig"] == {"includeThoughts": True}


def test_a_deleted_picture_takes_its_drafts_along(engine: Engine, tmp_path: Path) -> None:
    """Their bytes, too. What another picture has in common with it stays."""
    history = History(engine.ledger)
    made(engine, "kept", count=1)
    made(engine, "gone", count=1)
    (gone,) = history.pictures("gone")
    assert history.forget([gone.uid]) == 1
    assert greys(made(engine, "kept")) == [GREYS]
    assert history.forget() == 1
    assert not list(tmp_path.glob("results/*/*.*"))


@pytest.mark.parametrize("is_shared", [False, True])
def test_an_evicted_picture_takes_its_drafts_along(
    engine: Engine, tmp_path: Path, doubles: Doubles, is_shared: bool
) -> None:
    """Nobody asks for them without it, nor for its turn. Those that are another picture's, too, stay."""
    made(engine, "old", count=1)
    if not is_shared:
        doubles.clear_faults()
        doubles.fault("small drafts=0", provider="google")
    made(engine, "new", count=1)
    files = {row.prompt: row.file for row in History(engine.ledger).pictures()}
    pictures = {file.name: file.stat().st_size for file in tmp_path.glob("results/??/*.png")}
    assert len(pictures) == 4 and len(list(tmp_path.glob("results/??/*.turn.json"))) == 2
    drafts = pictures.keys() - files.values()
    # One file has to go, and drafts are used before their picture: they alone aren't enough.
    own = 0 if is_shared else sum(pictures[name] for name in drafts)
    engine.ledger.eviction.limit = sum(pictures.values()) - own - 1
    remaining = engine.ledger.eviction.trim()
    left = {file.name for file in tmp_path.glob("results/??/*.png")}
    assert left == {files["new"], *(drafts if is_shared else ())}
    assert remaining == sum(pictures[name] for name in left)
    assert len(list(tmp_path.glob("results/??/*.turn.json"))) == 1


def test_a_rebuilt_journal_knows_whose_the_drafts_are(engine: Engine, tmp_path: Path, doubles: Doubles) -> None:
    """The sidecars say it."""
    made(engine, "rebuilt", count=2)
    engine.ledger.close()
    for file in tmp_path.glob("journal.sqlite*"):
        file.unlink()
    other = Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "google"))
    run = made(other, "rebuilt", count=2)
    assert [task.source for task in run.tasks] == ["store", "store"] and greys(run) == [GREYS, GREYS]


def test_a_draft_that_is_gone_is_missed_by_nobody(engine: Engine, tmp_path: Path) -> None:
    """The picture is what was paid."""
    run = made(engine, "one of two", count=1)
    first = run.tasks[0].drafts[0].data
    for file in tmp_path.glob("results/*/*.png"):
        if file.read_bytes() == first:
            file.unlink()
    assert greys(made(engine, "one of two")) == [GREYS[1:]]


@pytest.mark.parametrize(("thinking", "drafts"), [("default", 1), ("minimal", 0), ("high", 2)])
def test_offline_draws_drafts_where_they_are_asked_for(engine: Engine, thinking: str, drafts: int) -> None:
    """As many as a model that thinks that much; half as large as the picture."""
    run = made(engine, "offline", provider="offline", count=2, thinking=thinking)
    assert [len(task.drafts) for task in run.tasks] == [drafts, drafts]
    for task in run.tasks:
        assert task.result is not None
        assert {draft.pixels.shape[0] * 2 for draft in task.drafts} <= {task.result.pixels.shape[0]}
    assert [task.drafts for task in made(engine, "none", provider="offline", wants_drafts=False).tasks] == [()]
