"""The results panel as a gallery: the grid, the viewer, and what is done from there."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import (
    BOTH_RENDERERS,
    CAPTURE,
    bytes_of,
    entered,
    open_panel,
    prompted,
    run,
    text_to_image,
    toast,
)
from pack.tests.host.kit import Bench, node
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.used_pages

NAMES = "(list) => [...list.querySelectorAll('.nb-tile-picture')].map((each) => each.ariaLabel)"
FOCUSED = "() => document.activeElement.ariaLabel ?? document.activeElement.textContent"


def until_focused(page: Any, end: str) -> None:
    """A closed dialog gives the focus back first, and then says that it is closed: what is focused next comes later."""
    page.page.wait_for_function(f"(end) => ({FOCUSED})().endsWith(end)", arg=end)


@pytest.fixture
def bench(host: Host, doubles: Any) -> Bench:
    """Pictures made without a browser."""
    return Bench(host, doubles)


def made(bench: Bench, *prompts: str, provider: str = "onerouter", **options: Any) -> None:
    """One picture each, the last is the newest."""
    for prompt in prompts:
        ran = bench.generate(prompt, provider, **options)
        assert ran.status == "success", ran.error


def open_grid(page: Any, query: str, name: str = "Nano Banana: paid pictures") -> Locator:
    """Opens the panel as a grid of what a search finds; its tiles."""
    open_panel(page, name)
    page.page.locator(".nb-views .pi-th-large").click()
    with page.page.expect_response(lambda answer: f"query={query}" in answer.url):
        page.page.locator(".nb-results input[type=search]").fill(query)
    tiles: Locator = page.page.locator(".nb-tile")
    return tiles


@pytest.mark.parametrize(
    ("vue", "light", "locale"), [(False, False, "en"), (True, True, "zh")], ids=["classic-dark-en", "nodes2-light-zh"]
)
def test_pictures_are_a_grid_and_open_as_large_as_the_window(
    canvas: Callable[..., Any], bench: Bench, vue: bool, light: bool, locale: str
) -> None:
    """Arrows go to the neighbours, the size can be changed, Escape closes, and the focus is on what was seen last."""
    page = canvas(vue=vue, light=light, locale=locale)
    made(bench, *(f"albatross-{page.look} {n}" for n in (1, 2, 3)))
    tiles = open_grid(
        page, f"albatross-{page.look}", "Nano Banana: paid pictures" if locale == "en" else "Nano Banana：已付费的图片"
    )
    expect(tiles).to_have_count(3)
    expect(tiles.nth(2).locator("img")).to_have_js_property("complete", True)
    boxes = [each.bounding_box() for each in tiles.all()]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"], "tiles stand beside each other"
    page.shoot("grid")
    tiles.first.locator("a").click()
    viewer = page.page.locator("dialog.nb-viewer")
    heading = viewer.locator("h2")
    expect(heading).to_have_text("Picture 1 of 3" if locale == "en" else "第 1 张，共 3 张")
    picture = viewer.locator(".nb-stage img")
    expect(picture).to_have_js_property("complete", True)
    page.shoot("viewer")
    page.page.keyboard.press("ArrowRight")
    expect(heading).to_have_text("Picture 2 of 3" if locale == "en" else "第 2 张，共 3 张")
    expect(viewer.locator(".nb-details")).to_contain_text(f"albatross-{page.look} 2")
    name = str(picture.get_attribute("alt"))
    assert name.endswith(f"albatross-{page.look} 2") and "2" in name.split("albatross")[0]
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("ArrowLeft")
    expect(heading).to_have_text("Picture 1 of 3" if locale == "en" else "第 1 张，共 3 张")
    page.page.keyboard.press("ArrowRight")
    expect(viewer.locator(".nb-scale")).to_contain_text("%")  # the picture is here
    before = float(viewer.locator(".nb-scale").inner_text().removesuffix(" %"))
    page.page.keyboard.press("+")
    expect(viewer.locator(".nb-stage")).to_have_class("nb-stage nb-movable")
    assert float(viewer.locator(".nb-scale").inner_text().removesuffix(" %")) > before
    page.page.keyboard.press("0")
    expect(viewer.locator(".nb-stage")).to_have_class("nb-stage")
    page.page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    until_focused(page, f"albatross-{page.look} 2")
    assert page.complaints == []


@pytest.mark.long
def test_the_arrows_go_through_the_grid(canvas: Callable[..., Any], bench: Bench) -> None:
    """In both directions; Enter opens; a screen reader hears which picture it is."""
    page = canvas()
    made(bench, *(f"petrel {n}" for n in range(1, 7)))
    tiles = open_grid(page, "petrel")
    expect(tiles).to_have_count(6)
    names = page.page.locator(".nb-list").evaluate(NAMES)
    assert names == [f"Picture {n} of 6: petrel {7 - n}" for n in range(1, 7)]
    columns = len({box["x"] for box in (each.bounding_box() for each in tiles.all())})
    tiles.first.locator("a").focus()
    for key, place in (("ArrowRight", 2), ("ArrowDown", 2 + columns), ("ArrowUp", 2), ("End", 6), ("Home", 1)):
        page.page.keyboard.press(key)
        assert page.page.evaluate(FOCUSED) == names[place - 1], key
    page.page.keyboard.press("Enter")
    expect(page.page.locator("dialog.nb-viewer h2")).to_have_text("Picture 1 of 6")
    page.page.keyboard.press("Escape")
    assert page.page.evaluate(FOCUSED) == names[0]
    assert page.complaints == []


def test_what_failed_is_one_line_until_it_is_opened(canvas: Callable[..., Any], bench: Bench) -> None:
    """What may have been charged is never folded."""
    page = canvas()
    made(bench, "fulmar, made")
    for fault in ("refuse", "refuse"):
        bench.generate(f"fulmar {fault} [[sim: {fault}]]", "runflow", seed=len(fault))
    bench.generate("fulmar refused again [[sim: refuse]]", "runflow")
    bench.generate("fulmar lost [[sim: drop=headers]]", "onerouter")
    tiles = open_grid(page, "fulmar")
    expect(tiles).to_have_count(1)
    lost = page.page.locator(".nb-result")
    expect(lost).to_have_count(1)
    expect(lost).to_contain_text("May have been charged")
    fold = page.page.locator(".nb-fold-button")
    expect(fold).to_have_attribute("aria-expanded", "false")
    page.shoot("folded")
    fold.press("Enter")
    expect(page.page.locator(".nb-fold-button")).to_have_attribute("aria-expanded", "true")
    expect(page.page.locator(".nb-result").filter(has_text="fulmar refused again")).to_be_visible()
    page.page.locator(".nb-fold-button").press("Enter")
    expect(page.page.locator(".nb-result")).to_have_count(1)
    assert page.complaints == []


# ------------------------------------------------------------------------------------- filters, favourites, comparison


def search_with(page: Any, part: str, act: Callable[[], Any]) -> None:
    """Does something that asks for the list anew, with `part` in its address, and waits for the answer."""
    with page.page.expect_response(lambda answer: "/nano_banana/results?" in answer.url and part in answer.url):
        act()


def test_the_list_is_narrowed_by_all_that_is_chosen(canvas: Callable[..., Any], bench: Bench) -> None:
    """Provider, model, state, day and favourites hold together, and one button shows everything again."""
    page = canvas()
    made(bench, "skua, one", "skua, two")
    made(bench, "skua, three", provider="apiframe")
    bench.generate("skua, refused [[sim: refuse]]", "runflow")
    tiles = open_grid(page, "skua")
    expect(tiles).to_have_count(3)
    browser = page.page
    opener = browser.get_by_role("button", name="Filters", exact=True)
    opener.click()
    provider = browser.get_by_label("Provider", exact=True)
    expect(provider.locator("option")).not_to_have_count(1)
    search_with(page, "provider=onerouter", lambda: provider.select_option("onerouter"))
    expect(tiles).to_have_count(2)
    models = (
        browser.get_by_label("Model", exact=True).locator("option").evaluate_all("(all) => all.map((o) => o.value)")
    )
    assert len(models) >= 2
    search_with(page, "model=", lambda: browser.get_by_label("Model", exact=True).select_option(models[1]))
    expect(tiles).to_have_count(2)
    page.shoot("filters")
    day, filters = browser.locator(".nb-filters label", has_text="Day"), browser.locator(".nb-filters")
    expect(day.get_by_text("Day")).to_be_visible()
    right = "(element) => element.getBoundingClientRect().right"
    assert day.locator("input").evaluate(right) <= filters.evaluate(right), "the field is within the panel"
    expect(browser.get_by_role("button", name="Filters: 2 chosen")).to_be_visible()
    search_with(page, "since=", lambda: browser.get_by_label("Day").fill("2001-02-03"))
    expect(tiles).to_have_count(0)
    expect(browser.get_by_text("Nothing found.")).to_be_visible()
    search_with(page, "query=skua", lambda: browser.get_by_role("button", name="Show all").click())
    expect(tiles).to_have_count(3)
    search_with(page, "state=refused", lambda: browser.get_by_label("State", exact=True).select_option("refused"))
    expect(tiles).to_have_count(0)
    expect(browser.locator(".nb-fold-button")).to_have_text("1 without a picture, nothing charged", use_inner_text=True)
    assert page.complaints == []


def test_what_was_spent_is_asked_for_when_it_may_have_changed(canvas: Callable[..., Any], bench: Bench) -> None:
    """Not at each letter of a search, and not at each filter; a picture that comes in asks."""
    page = canvas()
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url.partition("/nano_banana")[2]))
    made(bench, "hoopoe")
    tiles = open_grid(page, "hoopoe")
    expect(tiles).to_have_count(1)
    before = asked.count("/spend")
    assert before >= 1
    search = page.page.locator(".nb-results input[type=search]")
    for text in ("hoop", "hoo", "ho", "hoopoe"):
        search_with(page, f"query={text}&", partial(search.fill, text))
    search_with(page, "favourite=yes", lambda: page.page.get_by_role("button", name="Favourites only").click())
    expect(tiles).to_have_count(0)
    assert asked.count("/spend") == before
    page.load(prompted(text_to_image("onerouter"), "hoopoe, another"))
    with page.page.expect_response(lambda answer: answer.url.endswith("/nano_banana/spend")):
        page.queue()
    assert page.complaints == []


def test_favourites_are_kept_on_the_server(canvas: Callable[..., Any], bench: Bench, host: Host) -> None:
    """Another browser sees them; the key F, the star and the viewer do the same."""
    page = canvas()
    made(bench, *(f"gannet {n}" for n in (1, 2, 3)))
    tiles = open_grid(page, "gannet")
    expect(tiles).to_have_count(3)
    star = tiles.first.locator(".nb-star")
    tiles.first.hover()
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    tiles.nth(1).locator("a").focus()
    page.page.keyboard.press("f")
    expect(tiles.nth(1).locator(".nb-star")).to_have_attribute("aria-pressed", "true")
    until_focused(page, "gannet 2")  # the keyboard goes on from there
    page.page.keyboard.press("Enter")
    viewer = page.page.locator("dialog.nb-viewer")
    viewer.get_by_role("button", name="★ Favourite").click()
    expect(viewer.get_by_role("button", name="Favourite", exact=True)).to_be_visible()
    page.page.keyboard.press("Escape")
    page.shoot("favourites")
    other = canvas()
    tiles = open_grid(other, "gannet")
    expect(tiles).to_have_count(3)
    search_with(other, "favourite=yes", lambda: other.page.get_by_role("button", name="Favourites only").click())
    expect(tiles).to_have_count(1)
    expect(tiles.locator("a")).to_have_attribute("aria-label", "Picture 1 of 1: gannet 3")
    found = host.get("/nano_banana/results?query=gannet&favourite=yes")["results"]
    assert [each["prompt"] for each in found] == ["gannet 3"]
    assert page.complaints == [] and other.complaints == []


def test_two_pictures_are_compared_with_a_slider(canvas: Callable[..., Any], bench: Bench) -> None:
    """The button of the panel, then a click on each; with the keyboard in the comparison. Its labels say what differs."""
    page = canvas()
    for n in (1, 2, 3):
        made(bench, f"skimmer {n}", seed=n)
    tiles = open_grid(page, "skimmer")
    expect(tiles).to_have_count(3)
    before = tiles.first.bounding_box()
    page.page.get_by_role("button", name="Compare two pictures").click()
    expect(page.page.locator(".nb-chosen-pictures")).to_contain_text("Choose two pictures to compare.")
    expect(tiles.nth(1).locator(".nb-choose")).to_have_css("opacity", "1")
    for index in (0, 2):
        tiles.nth(index).locator("a").click()
    assert tiles.first.bounding_box() == before, "the list stays where it is"
    for index, tick in enumerate(("visible", "hidden", "visible")):
        expect(tiles.nth(index).locator(".nb-choose .pi")).to_have_css("visibility", tick)
    page.shoot("chosen")
    page.page.get_by_role("button", name="Compare", exact=True).click()
    dialog = page.page.get_by_role("dialog", name="Compare two pictures")
    images = dialog.locator(".nb-two img")
    for side, prompt in enumerate(("skimmer 3", "skimmer 1")):
        expect(images.nth(side)).to_have_attribute("alt", prompt)
        expect(images.nth(side)).to_have_js_property("complete", True)
    slider = dialog.get_by_role("slider")
    expect(slider).to_be_focused()
    page.page.keyboard.press("Home")
    expect(images.first).to_have_css("clip-path", "inset(0px 100% 0px 0px)")
    for _ in range(30):
        page.page.keyboard.press("ArrowRight")
    expect(images.first).to_have_css("clip-path", "inset(0px 70% 0px 0px)")
    for place, seed in (("left", 3), ("right", 1)):
        expect(dialog.locator(f".nb-label-{place}")).to_have_text(f"seed {seed}")
    page.shoot("compare")
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    until_focused(page, "skimmer 1")
    page.page.get_by_role("button", name="Done").click()
    tiles.first.locator("a").click()
    expect(page.page.locator("dialog.nb-viewer h2")).to_have_text("Picture 1 of 3")
    assert page.complaints == []


# -------------------------------------------------------------------------------------------------- onto the canvas

LINKS = """() => window.app.graph.nodes.filter((node) => node.type === 'NanoBananaEdit').map((edit) => [
    edit.properties.which ?? '', edit.inputs.filter((input) => input.link !== null && input.link !== undefined).map((input) =>
        `${input.name}=${window.app.graph.getNodeById(window.app.graph.getLink(input.link).origin_id).type}`)])"""
TWO_EDITS = """() => {
    window.app.graph.clear();
    for (const [which, x] of [['left', 400], ['right', 1200]]) {
        const node = window.LiteGraph.createNode('NanoBananaEdit');
        node.pos = [x, 100];
        node.properties.which = which;
        window.app.graph.add(node);
    }
    window.app.canvas.selectNode(window.app.graph.nodes[1]);
}"""
DROP = """([from, where]) => {
    const data = new DataTransfer();
    const fire = (target, kind, more = {}) => {
        const event = new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data, ...more });
        target.dispatchEvent(event);
        return event.defaultPrevented;
    };
    const canvas = window.app.canvas;
    const box = canvas.canvas.getBoundingClientRect();
    const [x, y] = canvas.ds.convertOffsetToCanvas(where);
    const at = { clientX: box.left + x, clientY: box.top + y };
    fire(document.querySelector(from), 'dragstart');
    const allowed = fire(canvas.canvas, 'dragover', at);
    fire(canvas.canvas, 'drop', at);
    fire(document.querySelector(from), 'dragend');
    return allowed;
}"""


def picture_beside_two_edits(page: Any, query: str) -> Locator:
    """Opens the panel with the one picture of a prompt, and a graph of two edits, of which the second is selected."""
    tiles = open_grid(page, query)
    expect(tiles).to_have_count(1)
    page.page.evaluate(TWO_EDITS)
    return tiles


def press_in_viewer(page: Any, tiles: Locator, name: str) -> None:
    """Opens the first picture and presses a button that closes the viewer."""
    tiles.first.locator("a").click()
    viewer = page.page.locator("dialog.nb-viewer")
    page.shoot("viewer-actions")
    viewer.get_by_role("button", name=name).click()
    expect(viewer).to_have_count(0)


LEFT_OVER = """() => {
    const node = window.app.graph.nodes[0];
    window.app.canvas.deselectAll();
    window.app.canvas.selectNode(node);
    const mask = window.LiteGraph.createNode('SolidMask');
    window.app.graph.add(mask);
    mask.connect(0, node, node.inputs.findIndex((input) => input.name === 'mask'));
    node.widgets.find((widget) => widget.name === 'delivery').value = 'batch';
}"""
"""The first edit is selected, has a mask, and is set to order its picture."""


def test_a_conversation_goes_on_from_a_picture(canvas: Callable[..., Any], bench: Bench, doubles: Any) -> None:
    """From the viewer: a node with the picture's content id, connected to the selected node; without one, it stands alone."""
    page = canvas()
    with entered(bench.host, "google", doubles.base_url("google")):
        made(bench, "lapwing", provider="google")
    tiles = picture_beside_two_edits(page, "lapwing")
    for _ in range(2):
        press_in_viewer(page, tiles, "Continue this conversation")
        page.page.evaluate("() => window.app.canvas.deselectAll()")
    taken = ["images.image_1=LoadImage", "conversation=NanoBananaConversation"]
    assert page.page.evaluate(LINKS) == [["left", []], ["right", taken]]
    ids = page.page.evaluate(
        """() => window.app.graph.nodes.filter((node) => node.type === 'NanoBananaConversation').map((node) =>
            node.widgets.find((widget) => widget.name === 'picture').value)"""
    )
    (found,) = bench.host.get("/nano_banana/results?query=lapwing")["results"]
    assert ids == [found["content"]] * 2 and len(found["content"]) == 64
    page.page.evaluate(LEFT_OVER)
    press_in_viewer(page, tiles, "Continue this conversation")
    for told in ("Its mask stays connected", "Its delivery is batch"):
        expect(toast(page, "Continue this conversation").last).to_contain_text(told)
    page.command("Comfy.Canvas.FitView")
    page.page.wait_for_function(
        "() => [...document.querySelectorAll('.nb-conversation img')].filter((each) => each.naturalWidth > 0).length === 3"
    )
    page.shoot("conversation")
    assert page.complaints == []


LAST_PROMPT = """() => window.app.graph.nodes.findLast((node) => node.type === 'NanoBananaEdit').widgets
    .find((widget) => widget.name === 'prompt').value"""


def type_into_last_edit(page: Any, text: str) -> None:
    """Types once a prompt has the focus, and waits until the last edit has the text."""
    page.page.wait_for_function("() => document.activeElement?.tagName === 'TEXTAREA'")
    assert page.page.evaluate(LAST_PROMPT) == ""
    page.page.keyboard.type(text)
    page.page.wait_for_function(f"(text) => ({LAST_PROMPT})() === text", arg=text)


@BOTH_RENDERERS
def test_a_picture_is_edited_in_a_node_of_its_own(canvas: Callable[..., Any], bench: Bench, vue: bool) -> None:
    """At its provider and model; the selected edit is left alone unless it is new; one undo takes all of it back."""
    page = canvas(vue=vue)
    prompt = f"sandpiper-{page.look}"
    made(bench, prompt, provider="onerouter", config={"model": "nano-banana-pro"})
    tiles = picture_beside_two_edits(page, prompt)
    page.page.evaluate(LEFT_OVER)
    page.choose("NanoBananaEdit", "prompt", "Of another picture")
    page.page.evaluate(CAPTURE)
    before = page.page.evaluate(LINKS)
    press_in_viewer(page, tiles, "Edit this picture")
    expect(toast(page, "Edit this picture")).to_contain_text("write in its prompt what is to change")
    taken = ["images.image_1=LoadImage", "provider=ProviderConfig"]
    assert page.page.evaluate(LINKS) == [*before, ["", taken]]
    type_into_last_edit(page, "Make it night")
    asked = [page.widget("ProviderConfig", name)["value"] for name in ("provider", "model", "profile")]
    assert asked == ["onerouter", "nano-banana-pro", "default"]
    assert page.page.evaluate(SHOWN)
    page.shoot("edit-this-picture")
    page.page.evaluate("() => document.activeElement.blur()")
    page.command("Comfy.Undo")
    if page.page.evaluate(LINKS) != before:  # what was typed is a step of its own
        page.command("Comfy.Undo")
    assert page.page.evaluate(LINKS) == before
    assert page.page.evaluate("() => window.app.graph.nodes.map((node) => node.type).sort()") == [
        "NanoBananaEdit",
        "NanoBananaEdit",
        "SolidMask",
    ]
    assert page.complaints == []


def test_a_new_edit_takes_the_picture_itself(canvas: Callable[..., Any], bench: Bench) -> None:
    """The selected one, which has nothing yet; the next picture then has a node of its own, at the same provider."""
    page = canvas()
    made(bench, "turnstone", provider="onerouter", config={"model": "nano-banana-pro"})
    tiles = picture_beside_two_edits(page, "turnstone")
    taken = ["images.image_1=LoadImage", "provider=ProviderConfig"]
    for expected in ([["left", []], ["right", taken]], [["left", []], ["right", taken], ["", taken]]):
        press_in_viewer(page, tiles, "Edit this picture")
        page.page.wait_for_function("() => document.activeElement?.tagName === 'TEXTAREA'")
        assert page.page.evaluate(LINKS) == expected
    kinds = page.page.evaluate("() => window.app.graph.nodes.map((node) => node.type)")
    assert kinds.count("ProviderConfig") == 1 and kinds.count("PreviewImage") == 2
    assert page.complaints == []


VIEW = """([scale, x, y]) => {
    const { canvas } = window.app;
    canvas.ds.scale = scale;
    canvas.ds.offset = [x, y];
    canvas.setDirty(true, true);
}"""
COVERED = """() => {
    const title = 30;
    const places = window.app.graph.nodes.map(({ type, pos, size }) => ({ type, left: pos[0], top: pos[1] - title,
        right: pos[0] + size[0], bottom: pos[1] + size[1] }));
    return places.flatMap((one, at) => places.slice(at + 1).filter((other) => one.left < other.right && one.right > other.left
        && one.top < other.bottom && one.bottom > other.top).map((other) => `${one.type} and ${other.type}`));
}"""
"""Which nodes lie over each other."""


@pytest.mark.long
@BOTH_RENDERERS
@pytest.mark.own_page
def test_the_nodes_of_a_new_edit_lie_beside_each_other(canvas: Callable[..., Any], bench: Bench, vue: bool) -> None:
    """Once the Load Image has its picture, too: on an empty canvas and beside nodes, zoomed, in a small window."""
    page = canvas(vue=vue)
    prompt = f"dotterel-{page.look}"
    made(bench, prompt, provider="onerouter")
    tiles = open_grid(page, prompt)
    expect(tiles).to_have_count(1)
    empty = {**text_to_image("offline"), "nodes": [], "links": [], "groups": []}
    loaded = "() => window.app.graph.nodes.find((node) => node.type === 'LoadImage')?.imgs?.[0]?.naturalWidth > 0"
    for workflow, width, height, view in (
        (empty, 1600, 950, [1, 0, 0]),
        (empty, 1600, 950, [0.5, 0, 0]),
        (text_to_image("offline"), 1600, 950, [1, -600, -300]),
        (text_to_image("offline"), 900, 600, [1, 0, 0]),
    ):
        page.page.set_viewport_size({"width": width, "height": height})
        page.page.evaluate("async (w) => { await window.app.loadGraphData(w) }", workflow)
        run(page, VIEW, view)
        press_in_viewer(page, tiles, "Edit this picture")
        page.command("Comfy.Canvas.FitView")  # the classic canvas loads the picture of a node that is in view
        page.page.wait_for_function(loaded)
        page.settle()
        assert page.page.evaluate(COVERED) == []
    page.shoot("edit-beside")
    assert page.complaints == []


SHOWN = """() => {
    const { graph } = window.app;
    const edit = graph.nodes.findLast((node) => node.type === 'NanoBananaEdit');
    return edit.outputs[0].links.some((id) => graph.getNodeById(graph.getLink(id).target_id).type === 'PreviewImage');
}"""
"""Whether a node shows what the last edit makes."""


def test_a_picture_becomes_the_reference_of_the_selected_edit(canvas: Callable[..., Any], bench: Bench) -> None:
    """From the viewer, which closes; twice, it takes the next socket; one undo takes one back."""
    page = canvas()
    made(bench, "plover")
    tiles = picture_beside_two_edits(page, "plover")
    for _ in range(2):
        press_in_viewer(page, tiles, "Use as reference")
    taken = [["left", []], ["right", ["images.image_1=LoadImage", "images.image_2=LoadImage"]]]
    assert page.page.evaluate(LINKS) == taken
    page.command("Comfy.Canvas.FitView")
    page.shoot("reference")
    assert page.complaints == []


def test_a_picture_is_dragged_onto_the_canvas(canvas: Callable[..., Any], bench: Bench) -> None:
    """Onto an edit it becomes its reference, onto a Load Image node its picture, elsewhere a node of its own."""
    page = canvas()
    made(bench, "dunlin")
    picture_beside_two_edits(page, "dunlin")
    tile = ".nb-tile a"
    count = "(n) => window.app.graph.nodes.filter((node) => node.type === 'LoadImage').length === n"
    assert page.page.evaluate(DROP, [tile, [450, 160]]), "the browser lets it be dropped"
    page.page.wait_for_function(count, arg=1)
    assert page.page.evaluate(LINKS) == [["left", ["images.image_1=LoadImage"]], ["right", []]]
    page.page.evaluate(DROP, [tile, [960, 900]])
    page.page.wait_for_function(count, arg=2)
    new = """() => {
        const node = window.app.graph.nodes.at(-1);
        return [...node.pos, node.widgets.find((widget) => widget.name === 'image').value];
    }"""
    x, y, name = page.page.evaluate(new)
    assert (x, y) == (pytest.approx(800, abs=2), pytest.approx(740, abs=2)) and name.startswith("nano_banana_")
    page.page.evaluate(
        "() => { window.app.graph.nodes.at(-1).widgets.find((w) => w.name === 'image').value = 'other.png'; }"
    )
    page.page.evaluate(DROP, [tile, [820, 760]])
    page.page.wait_for_function(f"(name) => ({new})()[2] === name", arg=name)
    assert page.page.evaluate(f"() => ({count})(2)")
    assert page.complaints == []


def test_the_file_is_saved_as_the_provider_sent_it(canvas: Callable[..., Any], bench: Bench) -> None:
    """Byte for byte, under a name that says when and what."""
    page = canvas()
    made(bench, "knot")
    tiles = open_grid(page, "knot")
    expect(tiles).to_have_count(1)
    uid = str(tiles.first.get_attribute("data-id"))
    tiles.first.locator("a").click()
    with page.page.expect_download() as download:
        page.page.locator("dialog.nb-viewer").get_by_role("button", name="Save").click()
    assert download.value.suggested_filename.endswith(f"nano-banana-2-{uid[:8]}.png")
    assert download.value.path().read_bytes() == bytes_of(page.host, uid)
    assert page.complaints == []


def test_the_viewer_says_that_a_picture_is_loading(canvas: Callable[..., Any], bench: Bench) -> None:
    """Its small copy is shown until then, and has had the place of the picture."""
    page = canvas()
    made(bench, "osprey")
    tiles = open_grid(page, "osprey")
    expect(tiles).to_have_count(1)
    held: list[Any] = []
    whole = re.compile("/image$")
    page.page.route(whole, lambda route: held.append(route))
    tiles.first.locator("a").click()
    viewer = page.page.locator("dialog.nb-viewer")
    state, stage, scale = viewer.locator(".nb-load"), viewer.locator(".nb-stage"), viewer.locator(".nb-scale")
    expect(state).to_have_text("Loading…")
    expect(stage).to_have_css("background-image", re.compile("max=256"))
    expect(scale).to_have_text("…")
    page.shoot("viewer-loading")
    for route in held:
        route.continue_()
    page.page.unroute(whole)
    expect(state).to_be_hidden()
    expect(scale).to_have_text(re.compile(r"^\d+ %$"))
    expect(stage).to_have_css("background-image", "none")
    assert page.complaints == []


def test_the_viewer_says_what_a_picture_was_made_from(canvas: Callable[..., Any], bench: Bench) -> None:
    """The file, and the picture of the same run, which opens; options that aren't at their defaults."""
    page = canvas()
    ran = bench.run(
        {
            "load": node("LoadImage", image="example.png"),
            "config": node("ProviderConfig", provider="onerouter"),
            "make": node("NanoBananaGenerate", prompt="godwit, first", provider=["config", 0]),
            "edit": node(
                "NanoBananaEdit",
                prompt="godwit, second",
                provider=["config", 0],
                aspect_ratio="16:9",
                images__image_1=["load", 0],
                images__image_2=["make", 0],
                mask=["mask", 0],
            ),
            "mask": node("ImageToMask", image=["load", 0], channel="red"),
            "show": node("PreviewImage", images=["edit", 0]),
        }
    )
    assert ran.status == "success", ran.error
    tiles = open_grid(page, "godwit")
    expect(tiles).to_have_count(2)
    # The stored picture is the provider's whole one, and the graph got another: said on the picture, too.
    expect(tiles.first.locator(".nb-masked")).to_have_text("provider's original")
    expect(tiles.nth(1).locator(".nb-masked")).to_have_count(0)
    page.shoot("masked-grid")
    page.page.locator(".nb-views .pi-list").click()
    rows = page.page.locator(".nb-result")
    expect(rows.first.locator(".nb-masked")).to_have_attribute(
        "title", re.compile("^Nothing is wrong: this is the picture as the provider sent it")
    )
    expect(rows.nth(1).locator(".nb-masked")).to_have_count(0)
    page.shoot("masked-list")
    page.page.locator(".nb-views .pi-th-large").click()
    tiles.first.locator("a").click()
    origin = page.page.locator("dialog.nb-viewer .nb-origin")
    expect(origin).to_contain_text("image_1 · example.png")
    expect(origin).to_contain_text("image_2 · picture of the prompt: godwit, first")
    expect(origin).to_contain_text("16:9")
    expect(origin).to_contain_text("as the provider sent it")
    expect(origin.locator("img").first).to_have_js_property("complete", True)
    assert origin.locator("img").first.evaluate("(image) => image.naturalWidth") > 0
    page.shoot("origin")
    origin.get_by_role("button", name="Open this picture").click()
    expect(page.page.locator("dialog.nb-viewer .nb-details")).to_contain_text("godwit, first")
    assert page.complaints == []
