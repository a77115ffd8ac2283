"""What is painted in the host's MaskEditor on a node of ours becomes the mask of an edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.tests.browser.page_parts import (
    BOTH_RENDERERS,
    CAPTURE,
    OPEN_SUBGRAPH,
    prompted,
    run,
    text_to_image,
    toast,
)
from playwright.sync_api import TimeoutError, expect

HAS_PICTURE = """(kind) => {
    const node = window.app.graph.nodes.find((each) => each.type === kind);
    const drawn = [...(node.imgs ?? []), ...document.querySelectorAll(`.lg-node[data-node-id="${node.id}"] img`)];
    return drawn.length > 0 && drawn.every((image) => image.naturalWidth > 64 && !image.src.includes('clipspace'));
}"""
"""Whether a node shows its own picture, and not what was painted on it."""


LAYERS = """() => [...document.querySelectorAll('.mask-editor-dialog canvas')].map((canvas) => {
    const { width, height } = canvas;
    const pixels = width && height ? canvas.getContext('2d')?.getImageData(0, 0, width, height).data : undefined;
    let sum = 0;
    for (let index = 3; index < (pixels?.length ?? 0); index += 4) sum += pixels[index];
    return sum;
})"""
"""What is drawn on each canvas of the host's editor for masks: the sum of its alpha."""


STROKES = 10
"""How often a stroke is tried."""


def paint_a_mask(page: Any, kind: str) -> None:
    """On the picture of a node, in the host's editor for masks: one stroke, then Save."""
    page.page.evaluate(
        "(kind) => window.app.canvas.selectNode(window.app.graph.nodes.find((node) => node.type === kind))", kind
    )
    # Nodes 2.0 hands the picture that it shows to the node a moment later, and the editor doesn't open without.
    page.page.wait_for_function(
        "(kind) => window.app.graph.nodes.find((node) => node.type === kind).imgs?.length > 0", arg=kind
    )
    page.command("Comfy.MaskEditor.OpenMaskEditor")
    zone = page.page.get_by_test_id("pointer-zone")
    zone.wait_for()
    # A stroke is lost that comes before the picture is drawn, and sometimes the first one after that.
    page.page.wait_for_function(f"() => ({LAYERS})().some((sum) => sum > 0)")
    before = page.page.evaluate(LAYERS)
    for _ in range(STROKES):
        box = zone.bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.page.mouse.move(*middle)
        page.page.mouse.down()
        page.page.mouse.move(middle[0] + 60, middle[1] + 40, steps=4)
        page.page.mouse.up()
        try:
            page.page.wait_for_function(
                f"(before) => ({LAYERS})().join() !== before.join()", arg=before, timeout=10_000
            )
            break
        except TimeoutError:
            continue
    else:
        raise AssertionError("no stroke was drawn")
    page.shoot("mask-editor")
    page.page.locator(".mask-editor-dialog button").filter(has_text="Save").click()
    expect(zone).to_have_count(0)


def upload_painted(page: Any, number: int = 1) -> str:
    """Uploads a file as the MaskEditor does; returns its name."""
    requests = page.page.request
    picture = requests.get(f"{page.host.url}/view?filename=example.png&type=input").body()
    file = {"name": f"clipspace-painted-masked-{number}.png", "mimeType": "image/png", "buffer": picture}
    uploaded = requests.post(f"{page.host.url}/upload/image", multipart={"image": file, "subfolder": "clipspace"})
    return str(uploaded.json()["name"])


HAND_PAINTED = """([kind, filename]) => {
    const node = window.app.canvas.graph.nodes.findLast((each) => each.type === kind);
    node.images = [{ filename, subfolder: 'clipspace', type: 'input' }];
    node.graph.change();
}"""
"""What the MaskEditor does with a node at its end, without a person's strokes."""
SHOWN_BEHIND_EDIT = """() => {
    const { graph } = window.app;
    const edit = graph.nodes.find((node) => node.type === 'NanoBananaEdit');
    return edit.outputs[0].links.some((id) => graph.getNodeById(graph.links.get(id).target_id).type === 'PreviewImage');
}"""
SEED = """(chosen) => {
    const generate = window.app.graph.nodes.find((node) => node.type === 'NanoBananaGenerate');
    const seed = generate.widgets.find((widget) => widget.name === 'seed');
    seed.linkedWidgets[0].value = chosen ?? seed.linkedWidgets[0].value;
    return [seed.value, seed.linkedWidgets[0].value];
}"""
"""Seed of the Generate, and what changes it after a run."""
EDITS = "() => window.app.canvas.graph.nodes.filter((node) => node.type === 'NanoBananaEdit').length"


@BOTH_RENDERERS
def test_an_edit_of_what_was_painted_has_the_provider_of_its_subgraph(pages: Callable[[bool], Any], vue: bool) -> None:
    page = pages(vue)
    page.load(text_to_image("offline"))
    page.page.evaluate(
        """() => {
        const { canvas } = window.app;
        canvas.deselectAll();
        canvas.selectItems(canvas.graph.nodes.filter((node) => node.type === 'NanoBananaGenerate'));
    }"""
    )
    page.command("Comfy.Graph.ConvertToSubgraph")
    run(page, OPEN_SUBGRAPH)
    run(page, HAND_PAINTED, ["NanoBananaGenerate", upload_painted(page)])
    page.page.wait_for_function(f"() => ({EDITS})() === 1")
    prompt = page.prompt()
    providers = [node["inputs"].get("provider") for node in prompt.values() if "NanoBanana" in node["class_type"]]
    (edit,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "NanoBananaEdit")
    assert [prompt[each[0]]["class_type"] for each in providers] == ["ProviderConfig"] * 2
    assert prompt[edit["mask"][0]]["class_type"] == "LoadImage"
    assert page.complaints == []


@BOTH_RENDERERS
def test_what_is_painted_on_a_picture_becomes_a_mask(canvas: Callable[..., Any], vue: bool) -> None:
    """On Generate it is the mask of a new edit of its picture; on that edit it takes the place of the one before."""
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("offline"), f"A mask painted here, {page.look}"))
    page.choose("NanoBananaGenerate", "seed", 5)
    run(page, SEED, "increment")
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
    run(page, CAPTURE)
    paint_a_mask(page, "NanoBananaGenerate")
    page.page.wait_for_function(f"() => ({EDITS})() === 1")
    assert run(page, SEED) == [5, "fixed"]
    assert run(page, SHOWN_BEHIND_EDIT)
    page.choose("NanoBananaEdit", "prompt", f"Only where it was painted, {page.look}")
    page.shoot("painted-mask-new-edit")
    files = []
    for press in (page.page.get_by_role("button", name="New variation").last.click, None):
        entry = page.queue(press=press)
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
        nodes = entry["prompt"][2]
        (edit,) = [node["inputs"] for node in nodes.values() if node["class_type"] == "NanoBananaEdit"]
        sources = {name: nodes[edit[name][0]] for name in ("images.image_1", "mask", "provider")}
        assert [source["class_type"] for source in sources.values()] == [
            "NanoBananaGenerate",
            "LoadImage",
            "ProviderConfig",
        ]
        files.append(sources["mask"]["inputs"]["image"])
        if press:
            page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaEdit")
            page.shoot("painted-mask")
            paint_a_mask(page, "NanoBananaEdit")
            page.page.wait_for_function(
                "(before) => window.app.graph.nodes.find((n) => n.type === 'LoadImage').widgets[0].value !== before",
                arg=files[0],
            )
    assert len(set(files)) == 2
    assert page.page.evaluate(HAS_PICTURE, "NanoBananaEdit")
    assert entry["prompt"][2][edit["images.image_1"][0]]["inputs"]["seed"] == 5
    assert page.complaints == []


SMALL_VIEW = "() => { window.app.canvas.ds.scale = 0.4; window.app.canvas.setDirty(true, true); }"
PROMPT = """() => {
    const edit = window.app.graph.nodes.find((node) => node.type === 'NanoBananaEdit');
    const field = window.LiteGraph.vueNodesMode ? document.querySelector(`.lg-node[data-node-id="${edit.id}"] textarea`)
        : edit.widgets.find((widget) => widget.name === 'prompt').element;
    const { left, right, top, bottom } = field?.getBoundingClientRect() ?? { top: -1 };
    const tabs = document.querySelector('.workflow-tabs-container').getBoundingClientRect().bottom;
    const inSight = left >= 0 && right <= innerWidth && top >= tabs && bottom <= innerHeight;
    return inSight && (right - left) / field.offsetWidth;
}"""
"""How large the prompt of the edit is drawn; false where it is not in sight as a whole."""


@pytest.mark.long
@BOTH_RENDERERS
def test_the_prompt_of_the_new_edit_can_be_read_in_a_small_window(canvas: Callable[..., Any], vue: bool) -> None:
    page = canvas(vue=vue)
    page.page.set_viewport_size({"width": 900, "height": 600})
    page.load(prompted(text_to_image("offline"), f"Painted in a small window, {page.look}"))
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
    run(page, SMALL_VIEW)
    run(page, HAND_PAINTED, ["NanoBananaGenerate", upload_painted(page)])
    page.page.wait_for_function(f"() => ({EDITS})() === 1")
    page.page.wait_for_function(f"() => ({PROMPT})() >= 0.8")
    page.shoot("painted-small-window")
    assert page.complaints == []


# ----------------------------------------------------------------------------------- painted twice, undone, elsewhere

MASKS = """() => {
    const { graph } = window.app;
    const input = (node, name) => graph.getLink(node.inputs.find((each) => each.name === name).link);
    const edits = graph.nodes.filter((node) => node.type === 'NanoBananaEdit');
    const file = (link) => link && String(graph.getNodeById(link.origin_id).widgets[0].value);
    return { masks: edits.map((edit) => file(input(edit, 'mask'))),
        loaded: graph.nodes.filter((node) => node.type === 'LoadImage').map((node) => node.widgets[0].value) };
}"""
"""The file of each edit's mask, and those of all Load Image nodes."""
EDIT_OF_A_FILE = """([prompt, ratio]) => {
    const { graph } = window.app;
    graph.clear();
    const make = (type, x) => {
        const node = window.LiteGraph.createNode(type);
        node.pos = [x, 100];
        graph.add(node);
        return node;
    };
    const [load, mask, config, edit, show] = [['LoadImage', 0], ['SolidMask', 350], ['ProviderConfig', 620],
        ['NanoBananaEdit', 1000], ['PreviewImage', 1600]].map(([type, x]) => make(type, x));
    mask.pos = [350, 600];
    const set = (node, name, value) => { node.widgets.find((widget) => widget.name === name).value = value; };
    const link = (source, name) => source.connect(0, edit, edit.inputs.findIndex((input) => input.name === name));
    set(load, 'image', 'example.png');
    set(config, 'provider', 'offline');
    set(edit, 'prompt', prompt);
    set(edit, 'aspect_ratio', ratio);
    link(load, 'images.image_1');
    link(config, 'provider');
    edit.connect(0, show, 0);
}"""
CONNECT_MASK = """() => {
    const { graph } = window.app;
    const edit = graph.nodes.find((node) => node.type === 'NanoBananaEdit');
    const slot = edit.inputs.findIndex((each) => each.name === 'mask');
    graph.nodes.find((node) => node.type === 'SolidMask').connect(0, edit, slot);
}"""
UNDO_READY = "() => window.app.extensionManager.workflow.activeWorkflow?.changeTracker?.undoQueue.length > 0"
PAINTED_TOAST = "Your painting is a mask now"


def undo_painting(page: Any, edits: int) -> None:
    """Takes back what a painting has added, as Ctrl+Z does, until so many edits and no mask are there."""
    page.page.wait_for_function(UNDO_READY)
    for _ in range(3):  # the host may have counted its drawing of a picture as a step
        page.command("Comfy.Undo")
        if page.page.evaluate(EDITS) == edits and not any(page.page.evaluate(MASKS)["masks"]):
            return
    raise AssertionError(page.page.evaluate(MASKS))


@pytest.mark.long
@BOTH_RENDERERS
def test_painting_again_after_an_undo_is_one_mask(canvas: Callable[..., Any], vue: bool) -> None:
    """On Generate, and then on the edit: its own picture stays, and an edit has one mask, that of the last painting."""
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("offline"), f"Painted, undone, painted again, {page.look}"))
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
    run(page, CAPTURE)
    for _ in range(2):
        paint_a_mask(page, "NanoBananaGenerate")
        page.page.wait_for_function(f"() => ({EDITS})() === 1")
        run(page, CAPTURE)
        found = page.page.evaluate(MASKS)
        assert found["loaded"] == found["masks"] and "painted-masked" in found["masks"][0]
        page.command("Comfy.Canvas.FitView")  # the classic canvas loads the picture of a node that is in view
        page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
        page.shoot("painted-again")
        undo_painting(page, edits=0)
        page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
    page.page.evaluate(EDIT_OF_A_FILE, [f"An edit, painted and undone, {page.look}", "1:1"])
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaEdit")
    run(page, CAPTURE)
    files = []
    for undone in (True, False):
        paint_a_mask(page, "NanoBananaEdit")
        page.page.wait_for_function(f"() => Boolean(({MASKS})().masks[0])")
        run(page, CAPTURE)
        found = page.page.evaluate(MASKS)
        assert len(found["masks"]) == 1 and sorted(found["loaded"]) == sorted(["example.png", *found["masks"]])
        files += found["masks"]
        page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaEdit")
        if undone:
            undo_painting(page, edits=1)
            page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaEdit")
    assert len(set(files)) == 2
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_painting_is_not_for_another_workflow(canvas: Callable[..., Any], vue: bool) -> None:
    """Another tab with a node of the same id is opened while the MaskEditor is: nothing is added there, and it is said."""
    page = canvas(vue=vue)
    workflow = prompted(text_to_image("offline"), f"Painted in another tab, {page.look}")
    page.load(workflow)
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
    page.page.evaluate(
        "() => { window.nodePainted = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate'); }"
    )
    opens = "async (w) => { await window.app.loadGraphData(w, true, true, 'Another workflow.json'); }"
    page.page.evaluate(opens, prompted(text_to_image("offline"), f"Another tab, {page.look}"))
    count = page.page.evaluate("() => window.app.graph.nodes.length")
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
    run(page, SAVED_LATE, upload_painted(page))
    expect(toast(page, "Your painting is not connected")).to_contain_text("is not open any more")
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
    assert page.page.evaluate("() => window.app.graph.nodes.length") == count
    page.shoot("painted-in-another-workflow")
    assert page.complaints == []


SAVED_LATE = """(filename) => {
    const node = window.nodePainted;
    const images = [{ filename, subfolder: 'clipspace', type: 'input' }];
    node.images = images;
    window.app.nodeOutputs[String(node.id)] = { images };
    window.app.canvas.setDirty(true, true);
}"""
"""What the MaskEditor does at its end, with the node that it was opened on: the host keeps its pictures by its id."""


@pytest.mark.long
@BOTH_RENDERERS
def test_what_a_painting_replaces_or_cannot_be_is_said(canvas: Callable[..., Any], vue: bool) -> None:
    """A mask that was connected by hand is named as replaced; a result of another ratio than image_1 gets no mask."""
    page = canvas(vue=vue)
    page.page.evaluate(EDIT_OF_A_FILE, [f"A mask is replaced, {page.look}", "1:1"])
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaEdit")
    page.page.evaluate(CONNECT_MASK)
    name = upload_painted(page)
    run(page, HAND_PAINTED, ["NanoBananaEdit", name])
    said = toast(page, PAINTED_TOAST)
    expect(said).to_contain_text("It takes the place of the mask that was connected before.")
    assert page.page.evaluate(MASKS)["masks"] == [f"clipspace/{name} [input]"]
    page.shoot("painted-replaced")
    page.page.evaluate(EDIT_OF_A_FILE, [f"Wider than its picture, {page.look}", "21:9"])
    page.command("Comfy.Canvas.FitView")
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaEdit")
    run(page, HAND_PAINTED, ["NanoBananaEdit", upload_painted(page, 2)])
    refused = toast(page, "Your painting is not connected")
    expect(refused).to_contain_text("another aspect ratio than this result")
    assert page.page.evaluate(MASKS)["masks"] == [None]
    page.shoot("painted-other-ratio")
    assert page.complaints == []


READABLE_PROMPT = """(vue) => {
    const edit = window.app.graph.nodes.find((node) => node.type === 'NanoBananaEdit');
    const { ds } = window.app.canvas;
    if (vue) {
        const field = document.querySelector(`.lg-node[data-node-id="${edit.id}"] textarea`)?.getBoundingClientRect();
        return field && field.top > 0 && field.bottom < window.innerHeight ? [ds.scale, field.height] : [ds.scale, 0];
    }
    return [ds.scale, edit.widgets.find((widget) => widget.name === 'prompt').computedHeight * ds.scale];
}"""
"""How large the canvas is drawn, and the height of the new edit's prompt in pixels of the screen."""


@BOTH_RENDERERS
def test_the_prompt_of_what_was_painted_can_be_read(canvas: Callable[..., Any], vue: bool) -> None:
    """The new edit is brought into sight as large as its prompt needs, however small the canvas is drawn."""
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("offline"), f"A mask from far away, {page.look}"))
    page.queue()
    page.page.wait_for_function(HAS_PICTURE, arg="NanoBananaGenerate")
    page.page.evaluate("() => window.app.canvas.ds.changeScale(0.3)")
    page.settle()
    page.page.evaluate(HAND_PAINTED, ["NanoBananaGenerate", upload_painted(page)])
    page.page.wait_for_function(f"(vue) => ({EDITS})() === 1 && ({READABLE_PROMPT})(vue)[1] >= 48", arg=vue)
    page.shoot("painted-from-afar")
    scale, _ = page.page.evaluate(READABLE_PROMPT, vue)
    assert scale >= 0.8
    assert page.complaints == []
