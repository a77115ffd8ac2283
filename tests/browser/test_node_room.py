"""The room on a node: folded settings, the picture of the result, notes; none moves the prompt or covers a neighbour."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pack.tests.browser.page_parts import BOTH_RENDERERS, example, prompted, text_to_image
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

FRAMES = """() => window.app.graph.nodes.filter((n) => n.type.startsWith('NanoBanana'))
    .map((n) => [n.id, ...n.pos, ...n.size].map((each) => Math.round(Number(each))))"""
PROMPTS = """() => window.app.graph.nodes.filter((n) => n.type.startsWith('NanoBanana'))
    .map((n) => Math.round(n.widgets.find((w) => w.name === 'prompt').computedHeight))"""
PICTURES_INSIDE = """() => window.app.graph.nodes.filter((n) => n.type.startsWith('NanoBanana')).map((n) => {
    const picture = n.widgets.find((w) => w.name === '$$canvas-image-preview');
    return Boolean(picture && !picture.hidden && picture.y > 0 && picture.computedHeight >= 60
        && picture.y + picture.computedHeight <= n.size[1] + 1);
})"""
SHOWN = """(name) => {
    const node = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    return !node.widgets.find((w) => w.name === name).hidden;
}"""

RESIZED = """(height) => {
    const node = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    node.setSize([node.size[0], height]);
}"""


def test_a_run_leaves_the_nodes_as_large_as_they_are(canvas: Callable[..., Any]) -> None:
    """Pictures, notes and progress texts take the room of the nodes that show them; what is saved stays, too."""
    page = canvas()
    page.load(example("several_references"))
    expect(page.page.get_by_role("button", name="more settings")).to_have_count(3)
    page.settle()
    frames, prompts = page.page.evaluate(FRAMES), page.page.evaluate(PROMPTS)
    saved = [node["size"] for node in page.workflow()["nodes"]]
    page.queue()
    page.page.wait_for_function(f"() => ({PICTURES_INSIDE})().every(Boolean)")
    expect(page.page.locator(".nb-note").first).to_be_visible()
    page.settle()
    page.shoot("node-room")
    assert page.page.evaluate(FRAMES) == frames
    assert page.page.evaluate(PROMPTS) == prompts
    assert [node["size"] for node in page.workflow()["nodes"]] == saved
    assert page.complaints == []


@pytest.mark.own_page
def test_a_height_that_was_chosen_in_nodes_2_stays_in_the_classic_canvas(canvas: Callable[..., Any]) -> None:
    """It is a person's choice, though the classic canvas has not drawn the node before."""
    page = canvas(vue=True)
    page.load(text_to_image("offline"))
    expect(page.page.locator(".nb-price:visible")).to_have_text("1K · free")
    page.page.evaluate(RESIZED, 900)
    page.page.evaluate("() => window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', false)")
    page.page.wait_for_function("() => window.app.graph.nodes.every((n) => !n.widgets?.length || n.widgets[0].y > 0)")
    page.settle()
    heights = {node["type"]: node["size"][1] for node in page.workflow()["nodes"]}
    assert heights["NanoBananaGenerate"] == 900


def test_a_picture_grows_a_node_only_as_far_as_nothing_is_covered(canvas: Callable[..., Any]) -> None:
    """Two nodes without room, one above the other: the upper one stays, the lower one grows, and neither is saved larger."""
    page = canvas()
    workflow = prompted(text_to_image("offline"), "A heron without room")
    workflow["nodes"] = [node for node in workflow["nodes"] if node["type"] != "MarkdownNote"]
    page.load(workflow)
    small = page.page.evaluate(
        """() => {
            const upper = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
            const wall = window.LiteGraph.createNode('PreviewAny');
            upper.setSize([upper.size[0], upper.computeSize()[1]]);
            wall.pos = [upper.pos[0], upper.pos[1] + upper.size[1] + 180];
            window.app.graph.add(wall);
            return upper.size[1];
        }"""
    )
    height = "() => window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate').size[1]"
    ran = "() => window.app.graph.nodes.some((n) => n.widgets?.some((w) => w.name === '$$canvas-image-preview'))"
    page.queue()
    page.page.wait_for_function(ran)
    page.settle()
    page.shoot("node-room-wall")
    covered = """() => {
        const [upper, wall] = ['NanoBananaGenerate', 'PreviewAny'].map((type) =>
            window.app.graph.nodes.find((n) => n.type === type && (type !== 'PreviewAny' || !n.inputs[0].link)));
        return upper.pos[1] + upper.size[1] > wall.pos[1] - 30;
    }"""
    assert not page.page.evaluate(covered)
    assert page.page.evaluate(height) >= small


@BOTH_RENDERERS
def test_settings_for_experts_are_folded_and_lose_nothing(canvas: Callable[..., Any], vue: bool) -> None:
    """One press shows them; the choice is saved and undone, values and prompt are the same either way."""
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("offline"), "A folded map"))
    expect(page.page.locator(".nb-price").first).to_be_visible()
    workflow, prompt = page.workflow(), page.prompt()
    more = page.page.locator(".nb-footer:has(.nb-price) .nb-more")
    if vue:  # has its own button
        expect(more).to_be_hidden()
        assert page.page.evaluate(SHOWN, "system_prompt")
        return
    expect(more).to_have_text(re.compile(r"^\d+ more settings$"))
    assert not page.page.evaluate(SHOWN, "system_prompt")
    page.shoot("settings-folded")
    more.click()
    page.page.wait_for_function(SHOWN, arg="system_prompt")
    page.settle()
    page.shoot("settings-unfolded")
    written = "() => window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate').widgets"
    written += ".filter((w) => ['temperature', 'top_p'].includes(w.name)).map((w) => w._displayValue)"
    assert page.page.evaluate(written) == ["provider's own"] * 2
    page.choose("NanoBananaGenerate", "temperature", 0.5)
    assert page.page.evaluate(written) == ["0.50", "provider's own"]
    page.choose("NanoBananaGenerate", "temperature", -1)
    opened = page.workflow()
    generate = next(node for node in opened["nodes"] if node["type"] == "NanoBananaGenerate")
    before = next(node for node in workflow["nodes"] if node["type"] == "NanoBananaGenerate")
    assert generate["widgets_values"] == before["widgets_values"]
    assert page.prompt() == prompt
    page.load(opened)
    page.page.wait_for_function(SHOWN, arg="system_prompt")
    page.page.get_by_role("button", name="Fewer settings").click()
    page.page.wait_for_function(f"(name) => !({SHOWN})(name)", arg="system_prompt")
    page.command("Comfy.Undo")
    page.page.wait_for_function(SHOWN, arg="system_prompt")
    assert page.complaints == []


def test_a_folded_setting_that_is_linked_or_changed_is_not_forgotten(canvas: Callable[..., Any]) -> None:
    """A linked one is shown beside its wire, and arrives in the prompt; a changed one is counted."""
    page = canvas()
    page.load(prompted(text_to_image("offline"), "A linked map"))
    page.choose("NanoBananaGenerate", "output_format", "jpeg")
    page.page.evaluate("() => window.app.canvas.setDirty(true, true)")
    expect(page.page.get_by_role("button", name="1 changed")).to_be_visible()
    assert not page.page.evaluate(SHOWN, "system_prompt")
    page.page.evaluate(
        """() => {
            const node = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
            const text = window.LiteGraph.createNode('PrimitiveStringMultiline');
            text.pos = [node.pos[0] - 400, node.pos[1] + 400];
            window.app.graph.add(text);
            text.widgets[0].value = 'Only in blue.';
            text.connect(0, node, node.inputs.findIndex((input) => input.name === 'system_prompt'));
        }"""
    )
    page.page.wait_for_function(SHOWN, arg="system_prompt")
    page.shoot("settings-linked")
    inputs = next(n["inputs"] for n in page.prompt().values() if n["class_type"] == "NanoBananaGenerate")
    assert isinstance(inputs["system_prompt"], list) and inputs["output_format"] == "jpeg"
    assert json.dumps(page.workflow()).count("show_more_settings") == 0
    assert page.complaints == []


ROWS = """() => [...document.querySelectorAll('.lg-node:has(.nb-choice) [data-testid="node-widget"]')]
    .slice(0, 5).map((row) => row.offsetTop)"""
"""Where the rows of the widgets begin, in the canvas's pixels."""
DOT_OF_PROMPT = """() => {
    const node = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    const slot = node.inputs.findIndex((input) => input.name === 'prompt');
    const dot = document.querySelector(`[data-slot-key="${node.id}-in-${slot}"]`)?.getBoundingClientRect();
    const { scale, offset } = window.app.canvas.ds;
    const canvas = window.app.canvas.canvas.getBoundingClientRect();
    const drawn = (node.getInputPos(slot)[1] + offset[1]) * scale + canvas.top;
    return dot && Math.abs(dot.top + dot.height / 2 - drawn);
}"""
"""How far the end of a wire into the prompt is from the prompt's dot, in pixels of the screen."""


def test_a_note_moves_no_row_in_nodes_2(canvas: Callable[..., Any]) -> None:
    """The prompt keeps its height, and so every wire ends at its dot; a higher node gives the prompt more room."""
    page = canvas(vue=True)
    page.load(prompted(text_to_image("offline"), "A steady row"))
    expect(page.page.locator(".nb-price").first).to_have_text(re.compile("free"))
    expect(page.page.locator(".lg-node:has(.nb-choice) textarea").first).to_have_attribute(
        "style", re.compile("height")
    )
    page.settle()
    rows = page.page.evaluate(ROWS)
    page.queue()
    expect(page.page.locator(".nb-footer:has(.nb-price) .nb-note")).to_be_visible()
    expect(page.page.locator(".lg-node:has(.nb-choice) .image-preview")).to_be_visible()
    page.settle()
    page.shoot("node-room")
    assert page.page.evaluate(ROWS) == rows
    page.page.wait_for_function(f"() => ({DOT_OF_PROMPT})() < 3")
    page.page.evaluate(
        """() => {
            const node = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
            node.setSize([node.size[0], node.size[1] + 200]);
        }"""
    )
    page.page.wait_for_function(f"(rows) => ({ROWS})()[1] > rows[1] + 12", arg=rows)
    page.page.wait_for_function(f"() => ({DOT_OF_PROMPT})() < 3")
    assert page.complaints == []


UPPER_AND_WALL = """(room) => {
    const upper = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    const wall = window.LiteGraph.createNode('PreviewAny');
    upper.setSize([upper.size[0], upper.computeSize()[1]]);
    wall.pos = [upper.pos[0], upper.pos[1] + upper.size[1] + room];
    window.app.graph.add(wall);
    window.wall = wall;
}"""
COVERED = """() => {
    const upper = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate');
    return upper.pos[1] + upper.size[1] > window.wall.pos[1] - 30;
}"""


def test_what_a_node_says_covers_no_neighbour(canvas: Callable[..., Any]) -> None:
    """Notes that have no room scroll. Settings that are unfolded move what is below them, and back when they are folded."""
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), f"A tight place, {page.look} [[sim: refuse]]"))
    page.page.evaluate(UPPER_AND_WALL, 110)
    place = page.page.evaluate("() => window.wall.pos[1]")
    page.queue()
    notes = page.page.locator(".nb-footer:has(.nb-price) .nb-notes")
    expect(notes.get_by_role("button").first).to_be_attached()
    page.page.wait_for_function(
        "() => [...document.querySelectorAll('.nb-notes')].some((n) => n.scrollHeight > n.clientHeight)"
    )
    page.settle()
    page.shoot("node-room-notes")
    assert not page.page.evaluate(COVERED)
    assert page.page.evaluate("() => window.wall.pos[1]") == place
    page.page.locator(".nb-footer:has(.nb-price) .nb-more").click()
    page.page.wait_for_function(SHOWN, arg="system_prompt")
    page.settle()
    page.shoot("node-room-unfolded")
    assert not page.page.evaluate(COVERED)
    assert page.page.evaluate("() => window.wall.pos[1]") > place
    page.page.locator(".nb-footer:has(.nb-price) .nb-more").click()
    page.page.wait_for_function("(place) => window.wall.pos[1] === place", arg=place)
    assert not page.page.evaluate(COVERED)
    assert page.complaints == []


@BOTH_RENDERERS
def test_all_pictures_of_a_run_are_on_its_node(canvas: Callable[..., Any], vue: bool) -> None:
    """In a grid; one that is chosen has the size of the picture below it, not that of its preview."""
    page = canvas(vue=vue)
    prompt = f"Four at once, {page.look} [[sim: sizes]]"
    page.load(prompted(text_to_image("onerouter"), prompt, num_images=4, resolution="1K"))
    entry = page.queue()
    (info,) = {output["nano_banana"][0] for output in entry["outputs"].values() if "nano_banana" in output}
    sizes = [(image["width"], image["height"]) for image in json.loads(info)["images"]]
    assert len(set(sizes)) == 4
    if vue:
        node = page.page.locator(".lg-node:has(.nb-choice)")
        expect(node.get_by_test_id("image-grid").locator("img")).to_have_count(4)
        expect(node.locator("img").locator("visible=true")).to_have_count(4)
        page.shoot("all-pictures")
        node.get_by_test_id("image-grid").get_by_role("button").nth(1).click()
        expect(node.get_by_text(f"{sizes[1][0]} x {sizes[1][1]}").locator("visible=true")).to_have_count(1)
    else:
        page.page.wait_for_function(
            """(sizes) => {
                const images = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate').imgs ?? [];
                return JSON.stringify(images.map((each) => [each.naturalWidth, each.naturalHeight])) === JSON.stringify(sizes);
            }""",
            arg=[list(size) for size in sizes],
        )
        page.shoot("all-pictures")
    expect(page.page.locator(".nb-note").filter(has_text="4 pictures of 4 sizes")).to_be_visible()
    assert page.complaints == []


@BOTH_RENDERERS
def test_the_caption_is_the_size_of_the_picture(canvas: Callable[..., Any], vue: bool) -> None:
    """And not that of the preview, which is at most 512 pixels wide."""
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("offline"), f"A true size, {page.look}"))
    entry = page.queue()
    (info,) = [json.loads(output["nano_banana"][0]) for output in entry["outputs"].values() if "nano_banana" in output]
    width, height = info["images"][0]["width"], info["images"][0]["height"]
    assert width > 512
    if vue:
        expect(
            page.page.locator(".lg-node:has(.nb-price)").get_by_text(f"{width} x {height}").locator("visible=true")
        ).to_have_count(1)
    else:
        page.page.wait_for_function(
            """(width) => window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate')
                .imgs?.[0]?.naturalWidth === width""",
            arg=width,
        )
    page.shoot("true-size")
    assert page.complaints == []


SIDE_PANEL = "(open) => window.app.extensionManager.setting.set('Comfy.RightSidePanel.IsOpen', open)"
SELECT_GENERATE = """() => window.app.canvas.selectNode(
    window.app.graph.nodes.find((node) => node.type === 'NanoBananaGenerate'))"""
AS_WIDE_AS_NODE = """() => {
    const node = window.app.graph.nodes.find((each) => each.type === 'NanoBananaGenerate');
    const footer = document.querySelector('.nb-footer:has(.nb-choice)').getBoundingClientRect();
    return Math.abs(footer.width / window.app.canvas.ds.scale + 12 - node.size[0]) < 2;
}"""
"""But for the margins at both sides."""


def test_the_side_panel_leaves_the_footer_as_wide_as_its_node(canvas: Callable[..., Any]) -> None:
    """The panel shows the widgets of the selected node, and gives some of them its own width."""
    page = canvas()
    page.load(text_to_image("offline"))
    expect(page.page.locator(".nb-price").first).to_have_text("1K · free")
    page.page.wait_for_function(AS_WIDE_AS_NODE)  # the frontend moves to where it fits the view
    page.page.evaluate(SIDE_PANEL, True)
    page.page.evaluate(SELECT_GENERATE)
    page.page.get_by_test_id("properties-panel").locator("canvas").first.wait_for()
    page.settle()
    page.settle()
    assert page.page.evaluate(AS_WIDE_AS_NODE)
    page.page.evaluate(SIDE_PANEL, False)
    assert page.complaints == []
