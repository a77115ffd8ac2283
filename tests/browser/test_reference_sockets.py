"""Links of an edit's references, and of what is behind them, stay at their sockets; the node says what each picture is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pack.tests.browser.page_parts import BOTH_RENDERERS, CAPTURE, OPEN_SUBGRAPH, run
from playwright.sync_api import expect

BUILD = """async (count) => {
    const empty = { last_node_id: 0, last_link_id: 0, nodes: [], links: [], groups: [], config: {}, extra: {}, version: 0.4 };
    await window.app.loadGraphData(empty);
    const graph = window.app.rootGraph;
    const make = (type, title, x, y) => {
        const node = window.LiteGraph.createNode(type);
        node.title = title;
        node.pos = [x, y];
        graph.add(node);
        return node;
    };
    const edit = make('NanoBananaEdit', 'The edit', 1000, 0);
    const link = (source, slot, name) =>
        source.connect(slot, edit, edit.inputs.findIndex((input) => input.name === name));
    for (let i = 1; i <= count; i += 1) {
        const load = make('LoadImage', `Load ${i}`, (i % 2) * 340, Math.floor(i / 2) * 380);
        load.widgets.find((widget) => widget.name === 'image').value = 'example.png';
        link(load, 0, `images.image_${i}`);
        if (i === count) link(load, 1, 'mask');
    }
    link(make('ProviderConfig', 'Config', 680, 600), 0, 'provider');
    const text = make('PrimitiveStringMultiline', 'Words', 680, 900);
    text.widgets[0].value = 'Put picture 3 into picture 1';
    link(text, 0, 'prompt');
    edit.connect(0, make('PreviewImage', 'Preview', 1500, 0), 0);
    window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
    await window.app.extensionManager.command.execute('Comfy.Canvas.FitView');
}"""
"""An edit with so many references, a provider, a mask and a linked prompt."""
SELECT = """([titles, last]) => {
    const { canvas } = window.app;
    canvas.deselectAll();
    for (const title of titles) {
        const found = canvas.graph.nodes.filter(
            (node) => !title || node.title === title || (title === "subgraph" && node.subgraph));
        canvas.selectItems(last ? found.slice(-1) : found, true);
    }
}"""
REMOVE = """(titles) => {
    const { graph } = window.app.canvas;
    for (const title of titles) graph.remove(graph.nodes.find((node) => node.title === title));
}"""
DISCONNECT = """(names) => {
    const edit = window.app.canvas.graph.nodes.find((node) => node.type === 'NanoBananaEdit');
    for (const name of names) edit.disconnectInput(edit.inputs.findIndex((input) => input.name === name));
}"""
CONNECT = """([title, slot, name]) => {
    const { graph } = window.app.canvas;
    const edit = graph.nodes.find((node) => node.type === 'NanoBananaEdit');
    graph.nodes.find((node) => node.title === title).connect(slot, edit, edit.inputs.findIndex((input) => input.name === name));
}"""
MODE = """([title, mode]) => {
    window.app.canvas.graph.nodes.find((node) => node.title === title).mode = mode;
    window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
}"""
CLOSER = """() => {
    const { canvas } = window.app;
    const edit = canvas.graph.nodes.findLast((node) => node.type === 'NanoBananaEdit');
    canvas.ds.scale = Math.min(0.9, 780 / (edit.size[1] + 60));
    canvas.ds.offset = [600 - edit.pos[0], 120 / canvas.ds.scale - edit.pos[1]];
    canvas.setDirty(true, true);
}"""
"""Looks at the last edit."""
SOCKETS = """() => window.app.canvas.graph.nodes.find((n) => n.type === 'NanoBananaEdit').inputs.map((i) => i.name)"""
LABELS = """() => window.app.canvas.graph.nodes.filter((n) => n.type === 'NanoBananaEdit').map(
    (node) => node.inputs.filter((i) => i.name.startsWith('images.')).map((i) => i.label || i.localized_name))"""
"""How the sockets of references are called on the page."""


def links_of(page: Any) -> list[dict[str, str]]:
    """What feeds each linked input of every edit as it would be sent, by the titles of the sources."""
    output = page.prompt()
    return [
        {
            name: f"{output[value[0]]['_meta']['title']}:{value[1]}"
            for name, value in node["inputs"].items()
            if isinstance(value, list)
        }
        for node in output.values()
        if node["class_type"] == "NanoBananaEdit"
    ]


def built(count: int) -> dict[str, str]:
    """The links that BUILD makes."""
    references = {f"images.image_{i}": f"Load {i}:0" for i in range(1, count + 1)}
    return references | {"mask": f"Load {count}:1", "provider": "Config:0", "prompt": "Words:0"}


def closer(page: Any) -> None:
    """Looks at the last edit, once the frontend has moved to where it wants."""
    page.page.wait_for_timeout(600)
    run(page, CLOSER)


def press(page: Any, keys: str) -> None:
    """Presses keys on the canvas."""
    page.page.evaluate("() => window.app.canvas.canvas.focus()")
    page.page.keyboard.press(keys)
    page.settle()
    page.settle()


def wait_links(page: Any, *expected: dict[str, str]) -> None:
    """Waits until the edits have these links."""
    for _ in range(100):
        if links_of(page) == list(expected):
            return
        page.page.wait_for_timeout(50)
    assert links_of(page) == list(expected)


class Prompts:
    """What the page would queue: the host is not asked."""

    def __init__(self, page: Any) -> None:
        self.bodies: list[Any] = []
        page.page.route("**/api/prompt", self._answer)

    def _answer(self, route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        self.bodies.append(route.request.post_data_json)
        answer = {"prompt_id": f"{len(self.bodies):032d}", "number": 1, "node_errors": {}}
        route.fulfill(status=200, content_type="application/json", body=json.dumps(answer))


def lines(page: Any) -> list[str]:
    """What the edit says of its pictures."""
    return [str(text) for text in page.page.locator(".nb-pictures li").all_text_contents()]


def expect_lines(page: Any, *texts: str) -> None:
    expect(page.page.locator(".nb-pictures li")).to_have_text(list(texts))


LONG = pytest.mark.long
COUNTS = pytest.mark.parametrize("count", [pytest.param(1, marks=LONG), 3, pytest.param(14, marks=LONG)])


def file_in(title: str) -> str:
    """How the lines name a node that loads a picture: as the person sees it, with its file."""
    return f"{title} 'example.png'"


@COUNTS
@BOTH_RENDERERS
def test_links_survive_paste(pages: Callable[[bool], Any], vue: bool, count: int) -> None:
    """With everything; alone with the links from outside; and alone, where nobody expects a link."""
    page = pages(vue)
    run(page, BUILD, count)
    assert links_of(page) == [built(count)]
    run(page, SELECT, [[""], False])
    press(page, "Control+c")
    press(page, "Control+v")
    wait_links(page, built(count), built(count))
    run(page, SELECT, [["The edit"], True])
    press(page, "Control+c")
    press(page, "Control+Shift+V")
    wait_links(page, built(count), built(count), built(count))
    press(page, "Control+v")
    wait_links(page, built(count), built(count), built(count), {})
    sockets = [f"image_{i}" for i in range(1, min(max(count + 1, 2), 14) + 1)]
    assert run(page, LABELS) == [sockets] * 4
    page.page.wait_for_timeout(400)
    assert page.page.get_by_text("is not here").count() == 0
    assert page.complaints == []


@COUNTS
@pytest.mark.parametrize("inside", [["The edit"], ["The edit", "Load 1", "Config"]], ids=["alone", "with-sources"])
@BOTH_RENDERERS
def test_links_survive_subgraphs(pages: Callable[[bool], Any], vue: bool, inside: list[str], count: int) -> None:
    """Converting, copying and unpacking; then undo and redo."""
    page = pages(vue)
    run(page, BUILD, count)
    run(page, SELECT, [inside, False])
    page.command("Comfy.Graph.ConvertToSubgraph")
    wait_links(page, built(count))
    run(page, SELECT, [["subgraph"], False])
    press(page, "Control+c")
    press(page, "Control+Shift+V")
    wait_links(page, built(count), built(count))
    run(page, SELECT, [["subgraph"], True])
    page.command("Comfy.Graph.UnpackSubgraph")
    wait_links(page, built(count), built(count))
    run(page, CAPTURE)
    for command in ("Comfy.Undo", "Comfy.Redo"):
        page.command(command)
        wait_links(page, built(count), built(count))
    assert page.complaints == []


@BOTH_RENDERERS
def test_sockets_are_in_order_after_a_reload(canvas: Callable[..., Any], vue: bool) -> None:
    """`image_1` is also how the name of `image_12` begins."""
    page = canvas(vue=vue)
    run(page, BUILD, 12)
    sockets = run(page, SOCKETS)
    assert sockets[:15] == [*(f"images.image_{i}" for i in range(1, 14)), "provider", "mask"]
    saved = "() => Object.keys(localStorage).some((key) => (localStorage[key].match(/LoadImage/g) ?? []).length >= 12)"
    page.page.wait_for_function(saved)
    page.open()
    page.page.wait_for_function("() => window.app.graph.nodes.some((node) => node.type === 'NanoBananaEdit')")
    wait_links(page, built(12))
    assert run(page, SOCKETS) == sockets
    assert page.complaints == []


@BOTH_RENDERERS
def test_what_is_left_moves_up_and_is_named(pages: Callable[[bool], Any], vue: bool) -> None:
    page = pages(vue)
    run(page, BUILD, 5)
    expect_lines(page, *(f"picture {i} = image_{i} · {file_in(f'Load {i}')}" for i in range(1, 6)))
    behind = {"mask": "Load 5:1", "provider": "Config:0", "prompt": "Words:0"}
    run(page, REMOVE, ["Load 1", "Load 2"])
    left = {"images.image_1": "Load 3:0", "images.image_2": "Load 4:0", "images.image_3": "Load 5:0"}
    wait_links(page, left | behind)
    expect_lines(page, *(f"picture {i} = image_{i} · {file_in(f'Load {i + 2}')}" for i in range(1, 4)))
    assert run(page, SOCKETS)[:6] == [*(f"images.image_{i}" for i in range(1, 5)), "provider", "mask"]
    run(page, CONNECT, ["Load 5", 0, "images.image_1"])  # takes the place of a link
    wait_links(page, {**left, "images.image_1": "Load 5:0"} | behind)
    run(page, DISCONNECT, ["images.image_3"])
    wait_links(page, {"images.image_1": "Load 5:0", "images.image_2": "Load 4:0"} | behind)
    run(page, DISCONNECT, ["images.image_1"])
    wait_links(page, {"images.image_1": "Load 4:0"} | behind)
    expect_lines(page, f"picture 1 = image_1 · {file_in('Load 4')}")
    assert run(page, SOCKETS)[:4] == ["images.image_1", "images.image_2", "provider", "mask"]
    assert page.complaints == []


@BOTH_RENDERERS
def test_each_picture_is_named_in_every_mode(pages: Callable[[bool], Any], vue: bool) -> None:
    """What a frame is in the each modes, what a muted source means, the mask as a picture, and many pictures."""
    page = pages(vue)
    run(page, BUILD, 3)
    page.page.evaluate("() => { window.app.graph.nodes.find((n) => n.title === 'Load 2').title = 'A tree'; }")
    run(page, MODE, ["A tree", 2])
    expect_lines(
        page,
        f"picture 1 = image_1 · {file_in('Load 1')}",
        "image_2: no picture comes (muted, or not connected outside)",
        f"picture 2 = image_3 · {file_in('Load 3')}",
    )
    run(page, MODE, ["A tree", 0])
    page.choose("NanoBananaEdit", "batch_mode", "each")
    page.choose("NanoBananaEdit", "mask_hint", "as last reference")
    one, *others = (f"picture {i} = image_{i}" for i in (1, 2, 3))
    files = [file_in(title) for title in ("Load 1", "A tree", "Load 3")]
    mask = "picture 4 = mask · the mask as a picture"
    first, *more = zip((f"{one} (one frame per request)", *others), files, strict=True)
    expect_lines(page, " · ".join(first), *(" · ".join(each) for each in more), mask)
    page.choose("NanoBananaEdit", "batch_mode", "each paired")
    paired = zip((one, *others), files, strict=True)
    expect_lines(page, *(f"{each} (frame by frame) · {file}" for each, file in paired), mask)
    closer(page)
    page.shoot("pictures-paired")
    page.choose("NanoBananaEdit", "region", "masked region")
    expect(page.page.locator(".nb-pictures li").first).to_contain_text(f"{one} (the masked region, frame by frame)")
    run(page, BUILD, 14)
    closer(page)
    expect(page.page.get_by_text("11 more pictures")).to_be_visible()
    expect(page.page.get_by_text(f"picture 3 = image_3 · {file_in('Load 3')}")).to_be_visible()
    expect(page.page.get_by_text(f"picture 4 = image_4 · {file_in('Load 4')}")).not_to_be_visible()
    page.shoot("pictures-folded")
    page.page.get_by_text("11 more pictures").evaluate("(summary) => summary.click()")
    expect(page.page.get_by_text(f"picture 14 = image_14 · {file_in('Load 14')}")).to_be_visible()
    page.shoot("pictures-unfolded")
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_lost_link_is_named_and_asked_about(pages: Callable[[bool], Any], vue: bool) -> None:
    """Inside a subgraph the frontend can't paste what comes from outside."""
    page = pages(vue)
    run(page, BUILD, 3)
    run(page, SELECT, [["The edit", "Preview", "Load 1", "Config"], False])
    page.command("Comfy.Graph.ConvertToSubgraph")
    run(page, OPEN_SUBGRAPH)
    page.command("Comfy.Canvas.FitView")
    expect_lines(page, *(f"picture {i} = image_{i} · {file_in(f'Load {i}')}" for i in (1, 2, 3)))
    run(page, SELECT, [["The edit", "Preview"], False])
    press(page, "Control+c")
    press(page, "Control+Shift+V")
    wait_links(page, built(3), {"images.image_1": "Load 1:0", "provider": "Config:0"})
    note = page.page.get_by_text("These inputs were connected where this node was saved or copied, and are not here")
    expect(note).to_contain_text("image_2, image_3, mask, prompt")
    closer(page)
    page.shoot("lost-links")
    prompts = Prompts(page)
    page.page.evaluate("() => void window.app.queuePrompt(0)")
    dialog = page.page.get_by_role("dialog", name="Run all the same?")
    expect(dialog).to_contain_text("image_2, image_3, mask, prompt")
    page.shoot("lost-links-question")
    dialog.get_by_role("button", name="Cancel").click()
    assert prompts.bodies == []
    page.page.get_by_role("button", name="That is right").evaluate("(button) => button.click()")
    expect(note).to_have_count(0)
    assert page.page.evaluate("() => window.app.queuePrompt(0)")
    assert len(prompts.bodies) == 1
    assert page.complaints == []


def until_sent(page: Any, prompts: Prompts, count: int) -> None:
    """Waits until the page has sent that many prompts."""
    for _ in range(600):
        if len(prompts.bodies) >= count:
            return
        page.page.wait_for_timeout(50)
    raise AssertionError(f"{len(prompts.bodies)} of {count} prompts were sent")


def newer(workflow: dict[str, Any]) -> dict[str, Any]:
    """The workflow as a version of next year may save it: two more inputs, and a choice that isn't known here."""
    (edit,) = (node for node in workflow["nodes"] if node["type"] == "NanoBananaEdit")
    for name, kind, value in (("next_region", "COMBO", "masked sky"), ("next_order", "BOOLEAN", True)):
        edit["inputs"].append({"name": name, "type": kind, "widget": {"name": name}, "link": None})
        edit["widgets_values"].append(value)
        edit.get("widgets_values_named", {})[name] = value
    return workflow


def unknown_inputs(edit: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in edit["inputs"] if entry["name"].startswith("next_")]


NEXT = re.compile("(?=.*next_region = .masked sky.)(?=.*next_order = true)", re.DOTALL)


@BOTH_RENDERERS
def test_a_node_of_a_newer_version_asks_before_it_runs(pages: Callable[[bool], Any], vue: bool) -> None:
    page = pages(vue)
    run(page, BUILD, 3)
    workflow = newer(page.workflow())
    page.load(workflow)
    wait_links(page, built(3))
    expect(page.page.get_by_text("Saved by a newer version of this pack")).to_contain_text(NEXT)
    closer(page)
    page.shoot("newer-version")
    prompts = Prompts(page)
    page.page.evaluate("() => void window.app.queuePrompt(0)")
    dialog = page.page.get_by_role("dialog", name="Run all the same?")
    expect(dialog).to_contain_text(NEXT)
    page.shoot("newer-version-question")
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert prompts.bodies == []
    # What this version doesn't know is saved again, and so goes through undo, a copy and a subgraph.
    run(page, SELECT, [["The edit"], False])
    page.command("Comfy.Graph.ConvertToSubgraph")
    run(page, OPEN_SUBGRAPH)
    expect(page.page.get_by_text("Saved by a newer version of this pack")).to_contain_text(NEXT)
    run(page, "() => window.app.canvas.setGraph(window.app.rootGraph)")
    run(page, CAPTURE)
    while not any(node["type"] == "NanoBananaEdit" for node in page.workflow()["nodes"]):
        page.command("Comfy.Undo")  # opening a subgraph is a step, too
    (edit,) = (node for node in page.workflow()["nodes"] if node["type"] == "NanoBananaEdit")
    values = dict(zip(unknown_inputs(edit), edit["widgets_values"][-2:], strict=True))
    assert values == {"next_region": "masked sky", "next_order": True}
    page.page.evaluate("() => void window.app.queuePrompt(0)")
    dialog.get_by_role("button", name="Run all the same").click()
    page.page.wait_for_function("() => !document.querySelector('dialog[open]')")
    until_sent(page, prompts, 1)
    page.page.evaluate("() => void window.app.queuePrompt(0)")  # which may wait for the one before
    until_sent(page, prompts, 2)
    assert len(prompts.bodies) == 2
    assert page.complaints == []


@BOTH_RENDERERS
def test_an_unknown_choice_and_a_newer_prompt_are_named(pages: Callable[[bool], Any], vue: bool) -> None:
    """A choice that the host will refuse; and a picture without a workflow, which is loaded from its prompt."""
    page = pages(vue)
    run(page, BUILD, 12)
    page.choose("NanoBananaEdit", "output_size", "a quarter of the sky")
    expect(page.page.get_by_text("Not known here, so ComfyUI refuses to run it")).to_contain_text(
        "a quarter of the sky"
    )
    page.choose("NanoBananaEdit", "output_size", "as returned")
    prompt = page.prompt()
    (edit,) = (node for node in prompt.values() if node["class_type"] == "NanoBananaEdit")
    edit["inputs"] = dict(sorted(edit["inputs"].items())) | {"next_region": "masked sky"}
    page.page.evaluate("(prompt) => window.app.loadApiJson(prompt, 'from a picture')", prompt)
    wait_links(page, built(12))
    expect(page.page.get_by_text("Saved by a newer version of this pack")).to_contain_text('next_region = "masked sky"')
    assert page.complaints == []


@pytest.mark.long
@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@BOTH_RENDERERS
def test_notes_about_sockets_read_chinese(canvas: Callable[..., Any], vue: bool, light: bool) -> None:
    page = canvas(vue=vue, light=light, locale="zh")
    run(page, BUILD, 3)
    page.load(newer(page.workflow()))
    expect(page.page.get_by_text(f"图片 3 = image_3 · {file_in('Load 3')}")).to_be_visible()
    expect(page.page.get_by_text("由本扩展的更新版本保存")).to_contain_text(NEXT)
    closer(page)
    page.shoot("sockets-words")
    assert page.complaints == []
