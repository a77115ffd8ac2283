"""Which stored pictures were edited with a mask, from a real journal."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from journal_driver import FREE, entry, open_journal, png, run_context
from pack.core.ledger.history import History
from pack.core.ledger.journal import Journal

if "pack.routes" not in sys.modules:
    # The folder's own __init__ is for a running ComfyUI.
    spec = importlib.machinery.ModuleSpec("pack.routes", None, is_package=True)
    spec.submodule_search_locations = [str(Path(__file__).resolve().parents[3] / "routes")]
    sys.modules["pack.routes"] = importlib.util.module_from_spec(spec)
MaskedEdits = importlib.import_module("pack.routes.masked_edits").MaskedEdits


def node(**inputs: Any) -> dict[str, Any]:
    return {"class_type": "NanoBananaEdit", "inputs": inputs}


PROMPT = {"1": node(mask=["9", 1]), "2": node(), "3": node(mask="constant"), "4": "no node"}


def store(journal: Journal, name: str, node_id: str, prompt: Any = PROMPT, operation: str = "edit") -> str:
    """A stored picture of a node; gives its uid."""
    graph = {"prompt": prompt, "workflow": None}
    journal.reserve([entry(name, operation=operation)], run_context(name, node=node_id, graph=graph), FREE)
    journal.mark_sent([name], name)
    journal.write_incoming(name, png(len(name)))
    journal.mark_stored(name, "", 0.1, "")
    return journal.look_up([name])[name].uid


def test_only_edits_whose_node_has_a_linked_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever shape the stored prompt has; a workflow that was read once isn't read again."""
    journal = open_journal(tmp_path)
    history, edits = History(journal), MaskedEdits(limit=100)
    masked = {store(journal, "a", "1"), store(journal, "b", "1")}
    for name, node_id, prompt in (
        ("c", "2", PROMPT),
        ("d", "3", PROMPT),
        ("e", "4", PROMPT),
        ("f", "1", ["no prompt"]),
    ):
        store(journal, name, node_id, prompt)
    store(journal, "g", "1", operation="generate")
    assert edits.among(history, history.pictures()) == masked
    monkeypatch.setattr(history, "prompt", lambda graph_id: pytest.fail("it is read again"))
    assert edits.among(history, history.pictures()) == masked
    assert edits.among(history, []) == set()
    journal.close()


def test_what_is_forgotten_for_lack_of_room_is_read_again(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    history, edits = History(journal), MaskedEdits(limit=1)
    masked = {store(journal, "a", "1"), store(journal, "b", "1", {"1": node(mask=["2", 0])})}
    store(journal, "c", "2")
    for _ in range(3):
        assert edits.among(history, history.pictures()) == masked
    journal.close()
