"""The first minute: a new node is neutral, the free way takes three clicks, and a pasted key is a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import BOTH_RENDERERS, send_json, text_to_image
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages

KEY = "sim-first-minute"
SECONDS = 10.0
NEW = """(prompt) => {
    const graph = window.app.graph;
    graph.clear();
    const node = window.LiteGraph.createNode('NanoBananaGenerate');
    node.pos = [500, 200];
    graph.add(node);
    const preview = window.LiteGraph.createNode('PreviewImage');
    preview.pos = [1000, 200];
    graph.add(preview);
    node.connect(0, preview, 0);
    node.widgets.find((each) => each.name === 'prompt').value = prompt;
}"""
LONE = """(prompt) => {
    const graph = window.app.graph;
    graph.clear();
    window.app.canvas.ds.offset = [0, 0];
    const node = window.LiteGraph.createNode('NanoBananaGenerate');
    node.pos = [120, 160];
    graph.add(node);
    node.widgets.find((each) => each.name === 'prompt').value = prompt;
    window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
}"""
"""A node without anything before or behind it, at the left edge of the view."""
BESIDE = """(kind) => {
    const { graph, canvas } = window.app;
    const box = ({ pos, size }) => [pos[0], pos[1] - 30, pos[0] + size[0], pos[1] + size[1]];
    const all = graph.nodes.map(box);
    const overlap = all.some((one, at) => all.some(
        (other, to) => at < to && one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]));
    const [node, maker] = [kind, 'NanoBananaGenerate'].map((type) => graph.nodes.find((each) => each.type === type));
    const [one, other] = [box(node), box(maker)];
    const [left, top, width, height] = canvas.ds.visible_area;
    const seen = one[0] >= left && one[1] >= top && one[2] <= left + width && one[3] <= top + height;
    return { side: one[2] <= other[0] ? 'left' : one[0] >= other[2] ? 'right' : '', seen, overlap };
}"""
"""Where a node stands beside the one that makes pictures."""
NOBODY_ASKED = """async () => {
    const { queueSettings } = window.app.extensionManager;
    const { queuePrompt } = window.app.api;
    const sent = [];
    window.app.api.queuePrompt = async (...given) => { sent.push(given); return { node_errors: {} }; };
    queueSettings.mode = 'change';
    try {
        await window.app.queuePrompt(0);
    } finally {
        queueSettings.mode = 'disabled';
        window.app.api.queuePrompt = queuePrompt;
    }
    return sent.length;
}"""
"""The queue runs by itself once; the host gets nothing."""
HAS_WORKFLOW = "() => window.app.extensionManager.workflow.activeWorkflow?.changeTracker"
KINDS = "() => window.app.graph.nodes.map((node) => node.type).sort().join()"
COUNT_CLICKS = """() => {
    const count = (event) => { if (event.isTrusted && event.detail > 0) window.clicks += 1; };
    if (window.clicks === undefined) window.addEventListener('click', count, true);
    window.clicks = 0;
}"""
IN_VIEW = """() => {
    const [left, top, width, height] = window.app.canvas.ds.visible_area;
    const { pos, size } = window.app.graph.nodes.find((node) => node.type === 'ProviderConfig');
    return pos[0] >= left && pos[1] >= top && pos[0] + size[0] <= left + width && pos[1] + size[1] <= top + height;
}"""


@pytest.fixture
def keyless(bare_host: Host) -> Iterator[Host]:
    """A host without keys, whatever a test enters."""
    yield bare_host
    for provider in bare_host.get("/nano_banana/providers")["providers"]:
        for key in provider["keys"]:
            if key["state"] == "stored":
                send_json(bare_host, f"/keys/{provider['id']}/{key['profile']}", None, "DELETE")


def run_button(page: Any) -> Any:
    return page.page.get_by_test_id("queue-button")


def nothing_is_red(page: Any) -> None:
    assert page.page.locator('.nb-footer [data-tone="bad"]').count() == 0


@BOTH_RENDERERS
def test_the_first_offline_picture_takes_three_clicks(canvas: Callable[..., Any], keyless: Host, vue: bool) -> None:
    """The node stands there by one; then the free way, and Run."""
    page = canvas(vue=vue, on=keyless)
    page.page.evaluate(NEW, f"A heron, {page.look}")
    note = page.page.locator(".nb-note")
    expect(note.get_by_role("button")).to_have_text(["Add a key", "Try it offline, free", "Where do I get a key?"])
    expect(page.page.locator(".nb-choice")).to_have_text("autono key yet")
    expect(note).to_have_attribute("data-tone", "plain")
    expect(page.page.locator(".nb-footer")).not_to_contain_text("NANO_BANANA")
    nothing_is_red(page)
    page.shoot("a-new-node")
    page.page.evaluate(COUNT_CLICKS)
    note.get_by_role("button", name="Try it offline, free").click()
    expect(page.page.locator(".nb-price").first).to_have_text("1K · free")
    assert page.page.evaluate(IN_VIEW)
    nothing_is_red(page)
    began = time.monotonic()
    entry = page.queue(press=run_button(page).click)
    assert entry["status"]["status_str"] == "success"
    assert time.monotonic() - began < SECONDS
    expect(page.page.get_by_text("Nothing was spent")).to_be_visible()
    nothing_is_red(page)
    assert page.page.evaluate("() => window.clicks") == 2, "with the one that adds the node, three"
    page.shoot("first-offline-picture")
    assert page.complaints == []


@BOTH_RENDERERS
def test_pictures_that_go_nowhere_get_a_preview(canvas: Callable[..., Any], keyless: Host, vue: bool) -> None:
    """By Run and by New variation, beside the node; Undo takes it away. What feeds the node is to its left."""
    page = canvas(vue=vue, on=keyless)
    page.page.wait_for_function(HAS_WORKFLOW)
    page.page.evaluate(LONE, f"A bittern, {page.look}")
    page.page.locator(".nb-note").get_by_role("button", name="Try it offline, free").click()
    expect(page.page.locator(".nb-price").first).to_have_text("1K · free")
    page.settle()
    assert page.page.evaluate(BESIDE, "ProviderConfig") == {"side": "left", "seen": True, "overlap": False}
    for press in (run_button(page), page.page.get_by_role("button", name="New variation")):
        entry = page.queue(press=press.click)
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
        expect(page.page.locator(".p-toast-message").filter(has_text="Preview Image added").last).to_be_visible()
        page.settle()
        assert page.page.evaluate(BESIDE, "PreviewImage") == {"side": "right", "seen": True, "overlap": False}
        page.shoot("preview-added")
        page.command("Comfy.Undo")
        if "PreviewImage" in page.page.evaluate(
            KINDS
        ):  # the host may have counted its drawing of the picture as a step
            page.command("Comfy.Undo")
        assert page.page.evaluate(KINDS) == "NanoBananaGenerate,ProviderConfig"
    assert page.page.evaluate(NOBODY_ASKED) >= 1
    assert page.page.evaluate(KINDS) == "NanoBananaGenerate,ProviderConfig", "it would pay at each edit"
    assert page.complaints == []


@BOTH_RENDERERS
def test_an_empty_prompt_is_refused_before_anything_is_added(
    canvas: Callable[..., Any], keyless: Host, vue: bool
) -> None:
    """By Run and by New variation: nothing is queued, the seed stays, and what is said goes once there is a prompt."""
    page = canvas(vue=vue, on=keyless)
    page.page.wait_for_function(HAS_WORKFLOW)
    page.page.evaluate(LONE, " ")
    page.page.locator(".nb-note").get_by_role("button", name="Try it offline, free").click()
    expect(page.page.locator(".nb-price").first).to_have_text("1K · free")
    prompts = sent_prompts(page)
    seed = page.widget("NanoBananaGenerate", "seed")["value"]
    failed = page.page.locator('.nb-note[data-tone="bad"]')
    variation = page.page.get_by_role("button", name="New variation")
    for press in (lambda: page.page.evaluate("() => window.app.queuePrompt(0)"), variation.click):
        press()
        expect(failed.locator(".nb-note-title")).to_have_text("The prompt is empty.")
        expect(variation).not_to_have_attribute("aria-busy", "true")
        page.shoot("empty-prompt")
        page.choose("NanoBananaGenerate", "prompt", f"A rail, {page.look}")
        expect(failed).to_have_count(0)
        page.choose("NanoBananaGenerate", "prompt", "")
    assert page.widget("NanoBananaGenerate", "seed")["value"] == seed
    assert page.page.evaluate(KINDS) == "NanoBananaGenerate,ProviderConfig"
    assert prompts == [] and page.complaints == []


def sent_prompts(page: Any) -> list[Any]:
    """What the page sends to be run from now on."""
    sent: list[Any] = []
    page.page.on(
        "request",
        lambda request: sent.append(request) if request.url.endswith("/prompt") and request.method == "POST" else None,
    )
    return sent


@BOTH_RENDERERS
@pytest.mark.parametrize("loose", [False, True], ids=["saved", "loose"])
def test_a_variation_in_a_queue_on_change_runs_once(
    canvas: Callable[..., Any], keyless: Host, loose: bool, vue: bool
) -> None:
    """The new seed is a change as well. Nothing is added for pictures that go nowhere: each later change would pay for them."""
    page = canvas(vue=vue, on=keyless)
    prompt = f"A crake, {'loose' if loose else 'saved'}, {page.look}"
    page.page.wait_for_function(HAS_WORKFLOW)
    page.page.evaluate(LONE if loose else NEW, prompt)
    page.page.locator(".nb-note").get_by_role("button", name="Try it offline, free").click()
    expect(page.page.locator(".nb-price").first).to_have_text("1K · free")
    kinds = page.page.evaluate(KINDS)
    if not loose:
        # The first picture is a change of the node that shows it, too, and the page would run again for that.
        page.queue()
        page.page.wait_for_function(SHOWS_PICTURE)
    page.page.evaluate("() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState()")
    page.page.evaluate(MODE, "change")
    prompts = sent_prompts(page)
    entry = page.queue(press=page.page.get_by_role("button", name="New variation").click)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    expect(page.page.get_by_text("Nothing was spent")).to_be_visible()
    page.page.evaluate("() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState()")
    page.page.evaluate(MODE, "disabled")
    page.queue()  # what the page had still to queue is queued before this
    assert len(prompts) == 2 and page.complaints == []
    assert page.page.evaluate(KINDS) == (",".join(sorted([*kinds.split(","), "PreviewImage"])) if loose else kinds)


SHOWS_PICTURE = """() => {
    const node = window.app.graph.nodes.find((n) => n.type === 'PreviewImage');
    const image = document.querySelector(`.lg-node[data-node-id="${node.id}"] img`);
    return node.imgs?.length > 0 && (node.widgets?.length > 0 || image?.naturalWidth > 0);
}"""
"""The classic canvas draws it by a widget, Nodes 2.0 as an element."""
MODE = "(mode) => { window.app.extensionManager.queueSettings.mode = mode; }"
"""How the queue of the page runs."""


@BOTH_RENDERERS
def test_red_comes_after_run_and_goes_with_its_cause(
    canvas: Callable[..., Any], keyless: Host, doubles: Any, vue: bool
) -> None:
    """A title, what it cost, two buttons, the rest folded; once there is a key the price stands there and no error."""
    page = canvas(vue=vue, on=keyless)
    page.page.evaluate(NEW, f"A crane, {page.look}")
    expect(page.page.locator('.nb-note[data-tone="plain"]')).to_be_visible()
    page.queue()
    failed = page.page.locator('.nb-note[data-tone="bad"]')
    expect(failed.locator(".nb-note-title")).to_have_text("No provider has a key on this machine.")
    expect(failed.locator(".nb-pill")).to_have_text("nothing charged")
    expect(failed.get_by_role("button")).to_have_text(["Add a key", "Try it offline, free"])
    expect(failed.get_by_text("NANO_BANANA")).not_to_be_visible()
    failed.locator("summary").click()
    expect(failed.locator("details")).to_contain_text("NANO_BANANA")
    page.shoot("red-after-run")
    send_json(keyless, "/keys/onerouter/default", {"key": KEY})
    page.choose("NanoBananaGenerate", "seed", 3)
    page.command("NanoBanana.Settings")
    page.page.keyboard.press("Escape")
    expect(page.page.locator(".nb-who")).to_have_text("auto → OneRouter · nano-banana-2")
    expect(failed).to_have_count(0)
    assert page.complaints == []


def test_a_pasted_key_is_a_picture(canvas: Callable[..., Any], keyless: Host, doubles: Any) -> None:
    """From the picker: Add key leads to the field of that provider; Enter stores it; then Run."""
    page = canvas(on=keyless)
    prompt = f"A stork, {page.look}"
    page.page.evaluate(NEW, prompt)
    page.page.evaluate(COUNT_CLICKS)
    page.page.get_by_role("button", name="Where do I get a key?").click()
    row = page.page.locator('.nb-picker [data-provider="onerouter"]')
    expect(row.get_by_role("link", name="Get a key ↗")).to_be_visible()
    expect(page.page.locator(".nb-price-sources summary")).to_have_text("Where the prices are from")
    page.shoot("picker-without-keys")
    row.get_by_role("button", name="Add key").click()
    field = page.page.get_by_label("Key for OneRouter")
    expect(field).to_be_focused()
    field.fill(KEY)
    began = time.monotonic()
    field.press("Enter")
    expect(page.page.get_by_text("did not refuse the key")).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(page.page.locator(".nb-who")).to_have_text("auto → OneRouter · nano-banana-2")
    page.queue(press=run_button(page).click)
    expect(page.page.get_by_text("Spent $0.08 (price list)")).to_be_visible()
    assert time.monotonic() - began < SECONDS
    assert page.page.evaluate("() => window.clicks") == 3
    assert doubles.request_log(prompt=prompt)["paid_images"] == 1
    assert page.complaints == []


@BOTH_RENDERERS
def test_the_price_is_in_the_title_bar_also_of_a_collapsed_node(canvas: Callable[..., Any], vue: bool) -> None:
    """As the host's own badge, on a host without partner nodes: what the next run costs, drawn anew when the price changes."""
    badge = (
        "() => { const node = window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate'); "
        "return node.badges.map((each) => (typeof each === 'function' ? each() : each).text).join('|'); }"
    )
    page = canvas(vue=vue)
    page.load(text_to_image("onerouter"))
    page.choose("NanoBananaGenerate", "resolution", "1K")
    page.choose("NanoBananaGenerate", "prompt", f"A badge, {page.look}")
    page.page.wait_for_function(f"() => ({badge})().endsWith('$0.08')")
    page.choose("NanoBananaGenerate", "num_images", 3)
    page.page.wait_for_function(f"() => ({badge})().endsWith('$0.24')")
    header = page.page.locator('[data-testid^="node-header-"]').filter(has_text="Nano Banana Generate")
    if vue:
        expect(header.get_by_text("$0.24", exact=True)).to_be_visible()
    page.page.evaluate("() => window.app.graph.nodes.find((n) => n.type === 'NanoBananaGenerate').collapse()")
    if vue:
        expect(page.page.locator(".nb-choice")).to_have_count(0)
        expect(header.get_by_text("$0.24", exact=True)).to_be_visible()
    page.choose("ProviderConfig", "provider", "replicate")
    page.choose("NanoBananaGenerate", "num_images", 1)
    if vue:  # which parts a badge at its first space, and shows none there
        expect(header.get_by_text("counts as $0.30", exact=True)).to_be_visible()
    page.shoot("collapsed")
    page.page.evaluate(
        """() => {
            const graph = window.app.graph;
            const { id } = graph.nodes.find((node) => node.type === 'NanoBananaGenerate');
            graph.clear();
            const node = window.LiteGraph.createNode('NanoBananaGenerate');
            node.id = id;
            graph.add(node);
        }"""
    )
    page.choose("NanoBananaGenerate", "prompt", f"Another node in its place, {page.look}")
    page.choose("NanoBananaGenerate", "num_images", 2)
    page.page.wait_for_function(f"() => ({badge})().endsWith('$0.16')")
    if vue:
        expect(header.get_by_text("$0.16", exact=True)).to_be_visible()
    assert page.complaints == []
