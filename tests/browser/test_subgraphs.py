"""Where a widget's value comes from: a subgraph's own widgets, the frontend's primitives, and what a bypass passes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.tests.browser.page_parts import BOTH_RENDERERS, price, prompted, text_to_image
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

PROMOTED = """([names, levels]) => {
    const graph = window.app.rootGraph;
    const maker = graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    let holder = graph.convertToSubgraph(new Set([maker])).node;
    const inner = holder.subgraph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    const promote = (node) => names.forEach((name) => {
        const slot = node.inputs.find((i) => i.name === name);
        if (slot.link === null) holder.subgraph.addInput(name, String(slot.type)).connect(slot, node);
    });
    promote(inner);
    for (let level = 1; level < levels; level += 1) {
        const before = holder;
        holder = graph.convertToSubgraph(new Set([before])).node;
        promote(holder.subgraph.nodes.find((n) => n.subgraph));
    }
}"""
"""Puts the node into so many subgraphs and promotes widgets to the outermost. The frontend promotes the seed by itself."""
SET = """([name, value, nth]) => {
    const holder = window.app.rootGraph.nodes.filter((n) => n.subgraph)[nth];
    const widget = holder.widgets.find((w) => w.name === name);
    widget.value = value;
    widget.callback?.(value);
    window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
}"""
OUTER = """(name) => {
    const widget = window.app.rootGraph.nodes.find((n) => n.subgraph).widgets.find((w) => w.name === name);
    return { value: widget.value, values: [...(widget.options.values ?? [])] };
}"""
OPEN = """(nth) => {
    const { canvas } = window.app;
    canvas.setGraph(window.app.rootGraph);
    let holders = window.app.rootGraph.nodes.filter((n) => n.subgraph);
    for (let holder = holders[nth]; holder; holder = holder.subgraph.nodes.find((n) => n.subgraph))
        canvas.openSubgraph(holder.subgraph, holder);
}"""
TWIN = """() => {
    const holder = window.app.rootGraph.nodes.find((n) => n.subgraph);
    const twin = window.LiteGraph.createNode(holder.type);
    window.app.rootGraph.add(twin);
    twin.pos = [holder.pos[0], holder.pos[1] + 500];
}"""
PRIMITIVES = """(values) => {
    const graph = window.app.graph;
    const maker = graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    for (const [name, value] of Object.entries(values)) {
        const primitive = window.LiteGraph.createNode('PrimitiveNode');
        graph.add(primitive);
        primitive.connect(0, maker, maker.inputs.findIndex((i) => i.name === name));
        primitive.title = name;
        primitive.widgets[0].value = value;
        primitive.widgets[0].callback?.(value, window.app.canvas, primitive);
    }
}"""
PRIMITIVE = "(name) => window.app.graph.nodes.find((n) => n.title === name).widgets[0].value"
CONFIG_INSIDE = """() => {
    const graph = window.app.graph;
    graph.convertToSubgraph(new Set([graph.nodes.find((n) => n.type === 'ProviderConfig')]));
}"""
MODE = """(mode) => {
    window.app.graph.nodes.find((n) => n.subgraph).mode = mode;
    window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
}"""


def maker_of(page: Any) -> dict[str, Any]:
    """The inputs that the host gets."""
    (found,) = [each["inputs"] for each in page.prompt().values() if each["class_type"] == "NanoBananaGenerate"]
    return dict(found)


@BOTH_RENDERERS
def test_a_promoted_widget_is_the_one_that_counts(canvas: Callable[..., Any], vue: bool) -> None:
    """The host runs the subgraph node's values: the price is theirs, they are narrowed, and their seed is made new."""
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("onerouter"), f"A promoted boat, {page.look}"))
    page.page.evaluate(PROMOTED, [["num_images", "resolution"], 1])
    page.page.evaluate(SET, ["num_images", 4, 0])
    page.page.evaluate(OPEN, 0)
    expect(price(page)).to_have_text("1K · 4 × $0.08")
    page.shoot("promoted")
    page.page.evaluate(
        """() => {
            const model = window.app.rootGraph.nodes.find((n) => n.type === 'ProviderConfig').widgets[1];
            model.value = 'nano-banana';
            model.callback(model.value);
        }"""
    )
    page.page.wait_for_function(f"() => ({OUTER})('resolution').values.join() === 'auto,1K'")
    page.page.evaluate(SET, ["num_images", 1, 0])
    page.queue(press=page.page.get_by_role("button", name="New variation").click)
    assert page.page.evaluate(OUTER, "seed")["value"] == maker_of(page)["seed"] != 0
    assert page.complaints == []


def test_a_widget_promoted_through_two_subgraphs_counts(canvas: Callable[..., Any]) -> None:
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), "A nested boat"))
    page.page.evaluate(PROMOTED, [["num_images"], 2])
    page.page.evaluate(SET, ["num_images", 3, 0])
    page.page.evaluate(OPEN, 0)
    expect(price(page)).to_have_text("1K · 3 × $0.08")
    assert maker_of(page)["num_images"] == 3
    assert page.complaints == []


def test_of_two_nodes_of_a_subgraph_the_opened_one_is_priced(canvas: Callable[..., Any]) -> None:
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), "A twin boat"))
    page.page.evaluate(PROMOTED, [["num_images"], 1])
    page.page.evaluate(TWIN)
    page.page.evaluate(SET, ["num_images", 5, 1])
    for nth, text in ((1, "1K · 5 × $0.08"), (0, "1K · $0.08")):
        page.page.evaluate(OPEN, nth)
        expect(price(page)).to_have_text(text)
    assert page.complaints == []


def test_the_value_of_a_primitive_counts_and_its_seed_is_made_new(canvas: Callable[..., Any]) -> None:
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), "A primitive boat"))
    page.page.evaluate(PRIMITIVES, {"num_images": 3, "seed": 5})
    expect(price(page)).to_have_text("1K · 3 × $0.08")
    page.queue(press=page.page.get_by_role("button", name="New variation").click)
    assert page.page.evaluate(PRIMITIVE, "seed") == maker_of(page)["seed"] != 5
    assert page.complaints == []


def test_a_bypassed_subgraph_configures_nothing(canvas: Callable[..., Any]) -> None:
    """The host leaves it out, so the node runs as `auto`."""
    page = canvas()
    page.load(prompted(text_to_image("kie"), "A boat past the subgraph"))
    page.page.evaluate(CONFIG_INSIDE)
    expect(price(page)).to_have_text("no key yet")
    page.page.evaluate(MODE, 4)
    expect(price(page)).to_have_text("1K · $0.08")
    assert "provider" not in maker_of(page)
