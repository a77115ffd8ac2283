"""The host's own Gemini image nodes, which are paid in its credits, become ours by their menu: values and links are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pack.tests.browser.page_parts import BOTH_RENDERERS, text_to_image

MADE = """([kind, values]) => {
    const { app, LiteGraph } = window;
    // Ids go on: the frontend still knows the widgets of nodes that were cleared away.
    for (const each of [...app.graph.nodes]) app.graph.remove(each);
    const make = (type, x) => {
        const node = LiteGraph.createNode(type);
        node.pos = [x, 100];
        app.graph.add(node);
        return node;
    };
    const node = make(kind, 500);
    for (const [name, value] of Object.entries(values)) {
        node.widgets.find((widget) => widget.name === name || widget.name.endsWith('.' + name)).value = value;
    }
    const image = node.inputs.findIndex((input) => /(^|[.])images?([._]|$)/.test(input.name));
    make('LoadImage', 0).connect(0, node, image);
    node.connect(0, make('PreviewImage', 1000), 0);
    node.connect(1, make('PreviewAny', 1300), 0);
    app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
}"""
CHOOSE = """(kind) => {
    const node = window.app.graph.nodes.find((each) => each.type === kind);
    const items = window.app.extensions.flatMap((each) => each.getNodeMenuItems?.(node) ?? []);
    items.find((item) => item?.content === 'Use my own key').callback();
}"""
SHOWN = """() => {
    const { graph } = window.app;
    const find = (type) => graph.nodes.find((each) => each.type === type);
    const node = find('NanoBananaEdit');
    const value = (of, name) => of.widgets.find((widget) => widget.name === name)?.value;
    const from = (of, name) => {
        const link = graph.getLink(of.inputs.find((input) => input.name === name)?.link);
        const origin = link && graph.getNodeById(link.origin_id);
        return origin && `${origin.type} ${origin.outputs[link.origin_slot].name}`;
    };
    return {
        nodes: graph.nodes.map((each) => each.type).sort(),
        links: [from(node, 'images.image_1'), from(node, 'provider'), from(find('PreviewImage'), 'images'),
            from(find('PreviewAny'), 'source')],
        values: Object.fromEntries(['prompt', 'seed', 'aspect_ratio', 'resolution', 'system_prompt', 'with_text'].map(
            (name) => [name, value(node, name)])),
        control: node.widgets.find((widget) => widget.name === 'seed').linkedWidgets[0].value,
        model: value(find('ProviderConfig'), 'model'),
    };
}"""
STEPS = "() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length"
VALUES = {
    "prompt": "a swift",
    "seed": 77,
    "aspect_ratio": "16:9",
    "system_prompt": "Be brief",
}
AFTER = {"control_after_generate": "increment", "response_modalities": "IMAGE+TEXT"}
KINDS = {
    "GeminiImageNode": ("nano-banana", "auto"),
    "GeminiImage2Node": ("nano-banana-pro", "2K"),
    "GeminiNanoBanana2": ("nano-banana-2", "2K"),
    "GeminiNanoBanana2V2": ("nano-banana-2", "2K"),
}


@BOTH_RENDERERS
def test_a_partner_s_node_becomes_ours_and_back(canvas: Callable[..., Any], vue: bool) -> None:
    """In one step: Undo brings the old node back with its links, Redo ours."""
    page = canvas(vue=vue)
    page.load(text_to_image("onerouter"))
    for kind, (model, resolution) in KINDS.items():
        values = VALUES if resolution == "auto" else VALUES | {"resolution": resolution}
        page.page.evaluate(MADE, [kind, values | AFTER])
        page.settle()
        before, steps = page.workflow(), page.page.evaluate(STEPS)
        page.page.evaluate(CHOOSE, kind)
        page.page.wait_for_function(f"(steps) => ({STEPS})() === steps", arg=steps + 1)
        ours = {
            "nodes": ["LoadImage", "NanoBananaEdit", "PreviewAny", "PreviewImage", "ProviderConfig"],
            "links": ["LoadImage IMAGE", "ProviderConfig provider", "NanoBananaEdit images", "NanoBananaEdit text"],
            "values": VALUES | {"resolution": resolution, "with_text": True},
            "control": "increment",
            "model": model,
        }
        assert page.page.evaluate(SHOWN) == ours, kind
        if kind == "GeminiImageNode":
            page.command("Comfy.Canvas.FitView")
            page.shoot("own-key")
        page.command("Comfy.Undo")
        assert nodes_of(page.workflow()) == nodes_of(before), kind
        assert len(page.workflow()["links"]) == len(before["links"]) == 3
        page.command("Comfy.Redo")
        assert page.page.evaluate(SHOWN) == ours, kind
    assert page.complaints == []


def nodes_of(workflow: dict[str, Any]) -> list[Any]:
    return sorted((node["type"], node.get("widgets_values") or []) for node in workflow["nodes"])
