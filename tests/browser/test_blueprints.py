"""The pack's subgraph blueprints in the real frontend: listed, and each puts one node with its inputs on the canvas."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import BOTH_RENDERERS

pytestmark = pytest.mark.used_pages

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "subgraphs").glob("*.json"))


def blueprint(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_the_host_lists_them(host: Host) -> None:
    listed = host.get("/global_subgraphs").values()
    ours = {entry["name"] for entry in listed if entry["info"]["node_pack"] == f"custom_nodes.{ROOT.name}"}
    assert ours == {path.stem for path in FILES} and ours


@BOTH_RENDERERS
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_blueprint_is_one_node_that_runs_what_is_in_it(canvas: Callable[..., Any], path: Path, vue: bool) -> None:
    """The values of its inputs are those that are sent; a name is given to each."""
    page = canvas(vue=vue)
    (node,) = blueprint(path)["nodes"]
    page.load(blueprint(path))
    shown = page.page.evaluate("() => window.app.graph.nodes[0].inputs.map((input) => input.label ?? input.name)")
    assert shown == [each["label"] or each["name"] for each in node["inputs"]]
    inner = page.prompt()
    kinds = {each["class_type"] for each in inner.values()}
    assert kinds and kinds <= {"NanoBananaEdit", "StringConcatenate", "ImageStitch"}
    texts = [value for each in inner.values() for value in each["inputs"].values() if isinstance(value, str)]
    values = page.page.evaluate("() => window.app.graph.nodes[0].widgets.map((widget) => widget.value)")
    assert values and all(value in texts for value in values if isinstance(value, str) and value)
    page.shoot(f"blueprint-{path.stem}")
    assert page.complaints == []
