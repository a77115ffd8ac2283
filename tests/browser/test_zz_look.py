"""Scratch look at the nodes."""
from __future__ import annotations
from typing import Any
from collections.abc import Callable
import json
import pytest
from pack.tests.browser.test_examples import example

NEW = """() => {
  const g = window.app.graph; g.clear();
  const make = (t, x) => { const n = window.LiteGraph.createNode(t); g.add(n); n.pos = [x, 60]; return n; };
  make('ProviderConfig', 0); make('NanoBananaGenerate', 500); make('NanoBananaEdit', 1000);
}"""

@pytest.mark.parametrize("vue", [False, True], ids=["classic", "nodes2"])
@pytest.mark.parametrize("locale", ["en", "zh"])
def test_look(canvas: Callable[..., Any], vue: bool, locale: str) -> None:
    page = canvas(vue=vue, locale=locale)
    page.page.evaluate(NEW)
    page.settle()
    page.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    page.settle()
    page.shoot("new-nodes")
    print(json.dumps(page.page.evaluate("() => window.app.graph.nodes.map(n => [n.title, n.inputs.map(i => [i.name, i.label, i.localized_name]), n.widgets.map(w => [w.name, w.label]), n.outputs.map(i => [i.name, i.label, i.localized_name])])"), ensure_ascii=False))
    page.load(example("masked_region"))
    page.shoot("masked")
    print(page.complaints)
