"""SIGKILL in every state of a conversation's turn: nothing is paid twice unasked, nothing paid is lost, and it goes on."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dialect_driver import QUICK_SPECS, keyed, request, tiny
from killed_process import kill
from pack.core.engine import Engine
from pack.core.execution.image_task import ImageTask
from pack.core.ledger.turn_sweep import TurnSweep
from pack.core.planning.choice import ProviderChoice
from pack.core.request.conversation import Branch
from pack.tests.doubles.server import Doubles

KEY = "sim-conversation"

_CHILD = """
from dialect_driver import tiny
from pack.core.engine import Engine
from pack.core.execution.call_journal import CallJournal
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Options, Request
environ = {"NANO_BANANA_GOOGLE_API_KEY": sys.argv[5], "NANO_BANANA_GOOGLE_BASE_URL": sys.argv[3]}
engine = Engine(Path(sys.argv[2]), environ=environ)
state = sys.argv[4]
if state == "reserved":
    stop_at_second(CallJournal, "mark_sent")
elif state == "answered":
    stop_at_second(CallJournal, "write_incoming")
elif state == "written":
    stop_at_second(CallJournal, "keep_turn")
elif state == "incoming":
    stop_at_second(CallJournal, "store")
branch = None
for prompt in ("turn one", "turn two"):
    operation = "edit" if branch else "generate"
    references = (tiny(1),) if branch else ()
    asked = [Request(operation, prompt, Options(), references=references, branch=branch)]
    run = engine.run(asked, engine.plan(ProviderChoice("google"), asked))
    run.done.wait(60)
    branch = engine.branch_after(run.tasks[0])
print("there", flush=True)
time.sleep(600)
"""


def killed(home: Path, doubles: Doubles, state: str) -> None:
    """A process that makes two turns and is killed in a state of the second."""

    def received() -> None:
        assert doubles.wait(prompt="turn two", state="received")

    reached = received if state == "sent" else "there"
    kill(_CHILD, str(home), doubles.base_url("google"), state, KEY, reached=reached)


def turn(engine: Engine, prompt: str, branch: Branch | None) -> ImageTask:
    references = (tiny(1),) if prompt == "turn two" else ()
    asked = [replace(request("edit" if branch else "generate", 0, prompt=prompt), references=references, branch=branch)]
    run = engine.run(asked, engine.plan(ProviderChoice("google"), asked))
    assert run.done.wait(60) and run.error is None
    return run.tasks[0]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("state", ["reserved", "sent", "answered", "incoming", "stored"])
def test_a_killed_conversation_goes_on_and_pays_no_turn_twice_unasked(
    tmp_path: Path, doubles: Doubles, state: str
) -> None:
    doubles.reset()
    doubles.fault("small")
    if state == "sent":
        doubles.fault("slow=600 times=1", provider="google", match="turn two")
    killed(tmp_path, doubles, state)
    doubles.clear_faults()
    doubles.fault("small")
    engine = Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "google", key=KEY))
    assert engine.recover().wait(60)
    one = turn(engine, "turn one", None)
    assert one.source == "store"
    two = turn(engine, "turn two", engine.branch_after(one))
    is_asked = state in ("sent", "answered")
    if is_asked:  # its answer may have been lost: the user decides
        assert two.error is not None and two.error.charged == "maybe" and two.result is None
        two = turn(engine, "turn two", engine.branch_after(one))
    assert two.result is not None and two.source == ("store" if state in ("incoming", "stored") else "provider")
    three = turn(engine, "turn three", engine.branch_after(two))
    assert three.result is not None
    (entry,) = doubles.request_log("turn three")["requests"]
    assert [each["role"] for each in entry["fields"]["contents"]] == ["user", "model", "user", "model", "user"]
    sent = [len(doubles.request_log(f"turn {number}")["requests"]) for number in ("one", "two", "three")]
    assert sent == [1, 2 if is_asked else 1, 1]
    _assert_swept(engine)
    content = three.result.file.partition(".")[0]
    found = engine.branch_of(content)
    assert found is not None and all(each.can_be_sent for each in found.turns) and len(found.turns) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_picture_that_was_written_before_its_turn_is_had_for_nothing(tmp_path: Path, doubles: Doubles) -> None:
    """What is paid comes first: the conversation goes on from the picture alone."""
    doubles.reset()
    doubles.fault("small")
    killed(tmp_path, doubles, "written")
    engine = Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "google", key=KEY))
    assert engine.recover().wait(60)
    one = turn(engine, "turn one", None)
    two = turn(engine, "turn two", engine.branch_after(one))
    assert two.result is not None and two.source == "store"
    three = turn(engine, "turn three", engine.branch_after(two))
    assert three.result is not None and three.source == "provider"
    assert [len(doubles.request_log(f"turn {number}")["requests"]) for number in ("one", "two", "three")] == [1, 1, 1]


def _assert_swept(engine: Engine) -> None:
    """No turn and no mark of a picture is taken for one that was left behind."""
    results = engine.ledger.results.folder
    assert len(list(results.glob("*/*.turn.json"))) == 3
    marks = list(results.glob("references/*/*.used"))
    for file in marks:
        os.utime(file, (0, 0))
    sweep = TurnSweep(engine.ledger.database, engine.ledger.results, engine.ledger.turns)
    assert sweep.run(lambda: None) == 0
    assert len(list(results.glob("*/*.turn.json"))) == 3
    assert len(list(results.glob("references/*/*.used"))) == len(marks) == 1


def test_marks_and_references_of_pictures_that_never_came_are_deleted(doubles: Doubles, tmp_path: Path) -> None:
    """Those of others stay; the sweep is done once a week."""
    doubles.reset()
    doubles.fault("small")
    engine = Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "google", key=KEY))
    one = turn(engine, "turn one", None)
    two = turn(engine, "turn two", engine.branch_after(one))
    assert two.result is not None
    references = tmp_path / "results" / "references"
    (kept,) = references.glob("*/*.webp")
    lost = references / "ab" / f"{'ab' * 32}.webp"
    lost.parent.mkdir(exist_ok=True)
    lost.write_bytes(kept.read_bytes())
    (lost.parent / f"{'ab' * 32}.{'0' * 32}.used").touch()
    ordered = tmp_path / "results" / "ordered" / f"{'1' * 32}.turn.json"
    ordered.parent.mkdir(exist_ok=True)
    ordered.write_bytes(next(tmp_path.glob("results/*/*.turn.json")).read_bytes())
    for file in references.glob("*/*"):
        os.utime(file, (0, 0))
    engine.sweep(lambda: None)
    assert not lost.exists() and not ordered.exists() and kept.exists()
    assert engine.branch_after(two).last.can_be_sent
    if sys.platform != "win32":
        assert (tmp_path / "results" / "turns.swept").stat().st_mode & 0o077 == 0
    ordered.write_bytes(b"{}")
    engine.sweep(lambda: None)
    assert ordered.exists()
