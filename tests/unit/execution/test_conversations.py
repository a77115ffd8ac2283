"""Conversations from one run to the next against the strict doubles: turns, branches, the store, and an honest replay."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, keyed, request, tiny
from engine_play import GEMINI_IMAGE, answering, engine_at, play
from pack.core.engine import Engine
from pack.core.errors import Impossible
from pack.core.execution.run import Run
from pack.core.images.picture import Picture
from pack.core.ledger.turns import Turns
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Request
from pack.core.request.conversation import Branch, Conversation
from pack.tests.doubles.server import Doubles

KEY = "sim-run-secret"
PRO = ProviderChoice("google", "nano-banana-pro")
VERTEX = ProviderChoice("fal", "nano-banana-pro")


@pytest.fixture
def home(doubles: Doubles, tmp_path: Path) -> Path:
    doubles.reset()
    doubles.fault("small")
    return tmp_path


@pytest.fixture
def engine(doubles: Doubles, home: Path) -> Engine:
    return at(doubles, home)


def at(doubles: Doubles, home: Path, **environ: str) -> Engine:
    """A machine with keys; again at the same folder, it is that machine after a restart."""
    return Engine(home, specs=QUICK_SPECS, environ=keyed(doubles, "google", "fal", key=KEY) | environ)


def ask(
    engine: Engine,
    prompt: str,
    branch: Branch | None = None,
    choice: ProviderChoice = PRO,
    references: tuple[Picture, ...] = (),
    **changes: Any,
) -> Run:
    """A run of one request that is over."""
    operation = "edit" if references or (branch and branch.turns) else "generate"
    asked = replace(request(operation, 0, prompt=prompt), references=references, branch=branch, **changes)
    run = engine.run([asked], engine.plan(choice, [asked]))
    assert run.done.wait(60), "the run did not end"
    if run.error is not None:
        raise run.error
    return run


def go(engine: Engine, *args: Any, **more: Any) -> Branch:
    """The branch after the first picture of a run that has to succeed."""
    task = ask(engine, *args, **more).tasks[0]
    assert task.result is not None, task.error
    return engine.branch_after(task)


def entries(doubles: Doubles, prompt: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = doubles.request_log(prompt)["requests"]
    return found


def turns_of(entry: dict[str, Any]) -> list[str]:
    """Roles of the turns that a double was sent."""
    return [turn["role"] for turn in entry["fields"]["contents"]]


def test_a_chain_sends_every_turn_with_its_signatures(engine: Engine, doubles: Doubles) -> None:
    """The double refuses a missing, altered or transplanted signature; words beside the pictures are signed, too."""
    one = go(engine, "turn one", options=replace(request().options, with_text=True))
    two = go(engine, "turn two", one, references=(tiny(3),))
    three = go(engine, "turn three", two)
    (entry,) = entries(doubles, "turn three")
    assert turns_of(entry) == ["user", "model", "user", "model", "user"] and len(entry["references"]) == 3
    assert [turn.prompt for turn in three.turns] == ["turn one", "turn two", "turn three"]
    assert doubles.request_log("turn")["paid_images"] == 3


def test_the_last_picture_is_not_sent_again(engine: Engine, doubles: Doubles) -> None:
    """An image_1 with the same pixels is the turn's own picture; any other is sent."""
    one = go(engine, "first")
    same = Picture.of(one.last.pixels._read())
    go(engine, "with the same", one, references=(same, tiny(4)))
    go(engine, "with another", one, references=(tiny(5), tiny(4)))
    assert [len(entries(doubles, words)[0]["references"]) for words in ("with the same", "with another")] == [2, 3]


def test_from_the_store_and_after_a_restart_it_is_the_same_conversation(
    engine: Engine, doubles: Doubles, home: Path
) -> None:
    """Asked again, nothing is paid; and what goes on from it is byte for byte what would have been sent before."""
    one = go(engine, "base", references=(tiny(1),))
    two = go(engine, "then", one)
    again = at(doubles, home)
    stored = ask(again, "base", references=(tiny(1),))
    assert stored.tasks[0].source == "store"
    first = again.branch_after(stored.tasks[0])
    second = ask(again, "then", first)
    assert second.tasks[0].source == "store" and doubles.request_log()["paid_images"] == 2
    assert [turn.parts for turn in again.branch_after(second.tasks[0]).turns] == [turn.parts for turn in two.turns]
    go(again, "and now", again.branch_after(second.tasks[0]))
    assert turns_of(entries(doubles, "and now")[0]) == ["user", "model", "user", "model", "user"]


def test_a_picture_of_the_results_folder_brings_its_conversation(engine: Engine, doubles: Doubles, home: Path) -> None:
    """By its content alone, references and all, in another process."""
    two = go(engine, "then", go(engine, "base", references=(tiny(1),)))
    content = two.last.picture.file.partition(".")[0]
    again = at(doubles, home)
    found = again.branch_of(content)
    assert found is not None and [turn.prompt for turn in found.turns] == ["base", "then"]
    go(again, "from the panel", found)
    (entry,) = entries(doubles, "from the panel")
    assert turns_of(entry) == ["user", "model", "user", "model", "user"] and len(entry["references"]) == 3
    assert again.branch_of("0" * 64) is None
    last = two.last.picture.file, two.last.uid
    assert again.ledger.turns.existing([last, (last[0], "f" * 32), ("../up.png", last[1])]) == {last}


def test_a_changed_earlier_prompt_asks_only_from_there_on(engine: Engine, doubles: Doubles) -> None:
    def chain(*prompts: str) -> None:
        branch: Branch | None = None
        for prompt in prompts:
            branch = go(engine, prompt, branch)

    chain("a", "b", "c")
    chain("a", "b", "c")
    assert doubles.request_log()["paid_images"] == 3
    chain("a", "b2", "c")
    assert doubles.request_log()["paid_images"] == 5


def test_branches_of_one_picture_are_pictures_of_their_own(engine: Engine, doubles: Doubles) -> None:
    """Four slots fork it; the same again is free."""
    one = go(engine, "stem")
    for _ in range(2):
        run = ask(engine, "fork", one, num_images=4)
        assert all(task.result for task in run.tasks)
    assert doubles.request_log("fork")["paid_images"] == 4
    files = {engine.branch_after(task).last.picture.file for task in run.tasks}
    assert len(files) == 4


def test_an_edit_without_turns_has_the_fingerprint_of_0_1(engine: Engine, doubles: Doubles) -> None:
    """An empty branch is no conversation: the stored picture is found."""
    ask(engine, "plain", references=(tiny(2),))
    run = ask(engine, "plain", Branch(), references=(tiny(2),))
    assert run.tasks[0].source == "store"


def replayed(run: Run) -> list[str]:
    return [notice for notice in run.report.notices if "was not sent as such" in notice]


def test_another_provider_gets_the_last_picture_first(engine: Engine, doubles: Doubles) -> None:
    """With a notice. Its picture is one of an edit of that picture, stored as that."""
    one = go(engine, "here")
    run = ask(engine, "there", one, VERTEX, references=(tiny(6),))
    assert run.tasks[0].result and replayed(run)
    (entry,) = entries(doubles, "there")
    assert [(each["width"], each["height"]) for each in entry["references"]] == [
        (one.last.pixels.width, one.last.pixels.height),
        (5, 4),
    ]
    plain = ask(engine, "there", None, VERTEX, references=(Picture.of(one.last.pixels._read()), tiny(6)))
    assert plain.tasks[0].source == "store" and not replayed(plain)
    back = ask(engine, "back again", engine.branch_after(run.tasks[0]))
    assert replayed(back) and len(entries(doubles, "back again")[0]["references"]) == 1


def test_another_model_gets_the_last_picture_first(engine: Engine, doubles: Doubles) -> None:
    one = go(engine, "pro")
    run = ask(engine, "flash", one, ProviderChoice("google", "nano-banana-2"))
    assert replayed(run) and turns_of(entries(doubles, "flash")[0]) == ["user"]


def at_another_address(doubles: Doubles, home: Path) -> Engine:
    """The same machine with another base URL for Google, at which the same double answers."""
    url = doubles.base_url("google").replace("127.0.0.1", "localhost")
    return at(doubles, home, NANO_BANANA_GOOGLE_BASE_URL=url)


def test_another_base_url_gets_the_last_picture_first(engine: Engine, doubles: Doubles, home: Path) -> None:
    """Its gateway may stand for another service, to which the signatures mean nothing. Back at the first they do."""
    one = go(engine, "first gateway", references=(tiny(1),))
    content = one.last.picture.file.partition(".")[0]
    elsewhere = at_another_address(doubles, home)
    for number, branch in enumerate((one, elsewhere.branch_of(content))):
        run = ask(elsewhere, f"second gateway {number}", branch)
        (notice,) = replayed(run)
        assert "the address of Google Gemini that is set now" in notice and "localhost" not in notice
        assert turns_of(entries(doubles, f"second gateway {number}")[0]) == ["user"]
    back = ask(at(doubles, home), "back", engine.branch_of(content))
    assert not replayed(back) and turns_of(entries(doubles, "back")[0]) == ["user", "model", "user"]


def test_a_chain_with_pictures_of_two_base_urls_is_not_sent_as_one(
    engine: Engine, doubles: Doubles, home: Path
) -> None:
    """A stored picture counts wherever it was made: turns of both would be one conversation that neither knows."""
    two = go(engine, "then", go(engine, "base"))
    elsewhere = at_another_address(doubles, home)
    first = elsewhere.branch_after(ask(elsewhere, "base").tasks[0])
    run = ask(elsewhere, "then", first)
    assert run.tasks[0].source == "provider" and replayed(run)
    branch = elsewhere.branch_after(run.tasks[0])
    assert not replayed(ask(elsewhere, "and there", branch))
    assert replayed(ask(engine, "and here", branch)) and not replayed(ask(engine, "and here", two))
    mixed = replace(two, base_url="")
    assert replayed(ask(engine, "and mixed", mixed))


def test_a_picture_of_an_earlier_call_brings_its_conversation(engine: Engine, doubles: Doubles) -> None:
    """Also where the plan doesn't know which request has made it."""
    one = go(engine, "base", references=(tiny(1),))
    task = ask(engine, "then", one).tasks[0]
    task.made_by = None
    branch = engine.branch_after(task)
    assert [turn.prompt for turn in branch.turns] == ["base", "then"]
    go(engine, "and on", branch)
    assert turns_of(entries(doubles, "and on")[0]) == ["user", "model", "user", "model", "user"]


def test_a_picture_that_is_in_no_journal_is_not_called_one_of_nobody(engine: Engine, doubles: Doubles) -> None:
    one = go(engine, "base")
    (notice,) = replayed(ask(engine, "on", Branch(turns=one.turns)))
    assert "is not kept with the picture" in notice and "from  and" not in notice


def test_a_store_of_an_earlier_release_has_no_turns(engine: Engine, doubles: Doubles, home: Path) -> None:
    """What the model answered isn't there: nothing is made up, and the last picture goes."""
    go(engine, "old", references=(tiny(7),))
    for file in (home / "results").glob("*/*.turn.json"):
        file.unlink()
    again = at(doubles, home)
    first = again.branch_after(ask(again, "old", references=(tiny(7),)).tasks[0])
    run = ask(again, "new", first)
    assert replayed(run) and turns_of(entries(doubles, "new")[0]) == ["user"]
    content = first.last.picture.file.partition(".")[0]
    found = again.branch_of(content)
    assert found is not None and replayed(ask(again, "new by content", found))


def test_a_picture_that_is_gone_is_told_or_refused(engine: Engine, doubles: Doubles, home: Path) -> None:
    """An earlier one: the last picture goes. The last one: refused, unless image_1 is that picture."""
    one = go(engine, "first")
    two = go(engine, "second", one)
    shown = two.last.pixels._read()
    assert two.last.pixels.digest
    engine.ledger.results.path(one.last.picture.file).unlink()
    run = ask(engine, "third", two)
    assert replayed(run) and turns_of(entries(doubles, "third")[0]) == ["user"]
    engine.ledger.results.path(two.last.picture.file).unlink()
    with pytest.raises(Impossible, match="no longer in the results folder"):
        ask(engine, "fourth", two)
    assert ask(engine, "fifth", two, references=(Picture.of(shown),)).tasks[0].result
    assert not entries(doubles, "fourth")


def test_a_reference_that_is_gone_is_told(engine: Engine, doubles: Doubles, home: Path) -> None:
    one = go(engine, "with a reference", references=(tiny(8),))
    for file in (home / "results" / "references").glob("*/*"):
        file.unlink()
    again = at(doubles, home)
    found = again.branch_of(one.last.picture.file.partition(".")[0])
    assert found is not None and replayed(ask(again, "without", found))


def damage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def test_a_last_picture_that_is_damaged_is_refused(engine: Engine, doubles: Doubles, home: Path) -> None:
    """In words, at its own provider and at another one, and nothing is sent."""
    one = go(engine, "damaged soon")
    content = one.last.picture.file.partition(".")[0]
    again = at(doubles, home)
    here, there = again.branch_of(content), again.branch_of(content)
    damage(engine.ledger.results.path(one.last.picture.file))
    with pytest.raises(Impossible, match="no longer in the results folder"):
        ask(again, "goes there", there, VERTEX)
    error = ask(again, "goes here", here).tasks[0].error
    assert error and error.kind == "impossible" and "is damaged" in error.message
    with pytest.raises(Impossible, match="no longer in the results folder"):
        ask(again, "goes here", here)
    assert not entries(doubles, "goes")


def test_an_earlier_picture_that_is_damaged_is_told(engine: Engine, doubles: Doubles, home: Path) -> None:
    """The conversation is found all the same, and its last picture goes."""
    one = go(engine, "first")
    two = go(engine, "second", one)
    damage(engine.ledger.results.path(one.last.picture.file))
    again = at(doubles, home)
    found = again.branch_of(two.last.picture.file.partition(".")[0])
    assert found is not None
    for _ in range(2):
        run = ask(again, "third", found)
    assert replayed(run) and turns_of(entries(doubles, "third")[0]) == ["user"]


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_reference_that_goes_after_the_conversation_was_found(
    engine: Engine, doubles: Doubles, home: Path, is_gone: bool
) -> None:
    """The host keeps the conversation: the same object is asked about its files anew."""
    one = go(engine, "with a reference", references=(tiny(8),))
    again = at(doubles, home)
    found = again.branch_of(one.last.picture.file.partition(".")[0])
    (file,) = (home / "results" / "references").glob("*/*.webp")
    if is_gone:
        file.unlink()
    else:
        damage(file)
        error = ask(again, "later", found).tasks[0].error
        assert error and error.kind == "impossible" and error.charged == "no"
    assert replayed(ask(again, "later", found)) and len(entries(doubles, "later")) == 1


def test_a_conversation_that_is_too_large_is_told(engine: Engine, doubles: Doubles, home: Path) -> None:
    specs = {**QUICK_SPECS, "google": replace(QUICK_SPECS["google"], max_conversation_bytes=100)}
    small = Engine(home, specs=specs, environ=keyed(doubles, "google", key=KEY))
    run = ask(small, "much", go(small, "little"))
    assert replayed(run) and turns_of(entries(doubles, "much")[0]) == ["user"]


def test_a_conversation_shows_numbers_and_holds_no_key(engine: Engine, home: Path) -> None:
    """Nothing of it is in its repr, no key in it nor on disk."""
    branch = go(engine, "a secret wish", go(engine, "a first wish", references=(tiny(9),)))
    shown = repr(Conversation((branch, Branch())))
    assert shown == "Conversation(2 branches; turns: 2, 0)" and str(Conversation((branch,))) == repr(
        Conversation((branch,))
    )
    assert KEY not in repr(branch) and "wish" not in repr(branch)
    with pytest.raises(TypeError):
        json.dumps(Conversation((branch,)))
    for file in home.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("part", ["text", "signature"])
def test_an_answer_that_repeats_the_key_is_not_kept(home: Path, part: str) -> None:
    """In a spelling of its own; as it is, the transport takes it out. The picture is kept, and goes alone later."""
    value: Any = json.loads(json.dumps(GEMINI_IMAGE))
    parts = value["candidates"][0]["content"]["parts"]
    if part == "text":
        parts.insert(0, {"text": "You sent KEY-OF-MINE-1."})
    else:
        parts[0]["thoughtSignature"] = "a2V5LW9m Key-Of-Mine-1"
    with answering({"status": 200, "body": value}) as server:
        engine = engine_at(home, "google", server.url)
        task = play(engine, "google").tasks[0]
    assert task.result and not engine.branch_after(task).last.parts
    for file in home.rglob("*"):
        assert not file.is_file() or b"key-of-mine-1" not in file.read_bytes().lower(), file


def test_a_turn_goes_with_its_picture(engine: Engine, home: Path) -> None:
    """Deleted with it, and never taken for a sidecar."""
    one = go(engine, "short life")
    name = one.last.picture.file
    assert list((home / "results").glob("*/*.turn.json"))
    assert name in [found for found, _, _ in engine.ledger.results.walk()]
    engine.ledger.results.delete(name)
    assert not list((home / "results").glob("*/*.turn.json"))


def test_references_are_kept_up_to_a_share_of_the_results(engine: Engine, home: Path) -> None:
    """The longest unused go first; the newest stays."""
    turns = Turns(engine.ledger.results, lambda: 4000)
    digests = [f"{number:064x}" for number in range(8)]
    for number, digest in enumerate(digests):
        turns.keep_references("0" * 32, [digest], [tiny(number, 8, 8).encoded("png")])
        os.utime(home / "results" / "references" / "00" / f"{digest}.png", (number, number))
    kept = [digest for digest in digests if turns.has_reference(digest)]
    assert kept and kept == digests[-len(kept) :] and len(kept) < 8


def test_a_reference_goes_with_the_last_picture_that_it_was_sent_for(engine: Engine, home: Path) -> None:
    """A person who forgets a picture does not expect the photo it was made of to stay."""
    branches = [go(engine, prompt, references=(tiny(1),)) for prompt in ("one", "two")]
    files = [branch.last.picture.file for branch in branches]
    (kept,) = (home / "results" / "references").glob("*/*.webp")
    engine.ledger.results.delete(files[0])
    assert kept.exists()
    engine.ledger.results.delete_sidecars(files[1], {branches[1].last.uid})
    assert not [file for file in (home / "results" / "references").glob("*/*") if file.is_file()]


def test_two_requests_of_one_frame_are_two_slots() -> None:
    """Each goes on from a branch of its own, with the seed of its slot."""
    whole = Request("generate", "x", request().options, 5, 3)
    parts = [replace(whole, num_images=1, first_slot=slot) for slot in range(3)]
    assert [slot for part in parts for slot in part.slots()] == whole.slots()
