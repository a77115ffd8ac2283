"""Every node of ours in an example or a blueprint says which pack and version it is of; `dev.py examples` writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pack.dev.example_stamps import PACK_NODES, nodes, stamped

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for folder in ("example_workflows", "subgraphs") for path in sorted((ROOT / folder).glob("*.json"))]
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_an_example_names_the_pack_of_its_nodes(path: Path, assert_fresh: Callable[..., None]) -> None:
    assert_fresh(path, stamped(path.read_text("utf-8"), PROJECT), "examples")
    ours = [node for node in nodes(json.loads(path.read_text("utf-8"))) if node["type"] in PACK_NODES]
    assert (ours or path.parent.name == "subgraphs") and all(
        {"cnr_id", "aux_id", "ver"} <= {*node["properties"]} for node in ours
    )
