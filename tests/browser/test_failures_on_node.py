"""What a node says of a failure, and what its buttons do: pay again, forget it, the usage page, another provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import (
    BOTH_RENDERERS,
    LOST,
    in_doubt,
    open_panel,
    price,
    prompted,
    run,
    send_json,
    text_to_image,
)
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.used_pages

KEY = "sim-failures-on-node"
EDIT = """() => {
    const graph = window.app.graph;
    graph.clear();
    const [source, edit, preview] = ['EmptyImage', 'NanoBananaEdit', 'PreviewImage'].map((kind, at) => {
        const node = window.LiteGraph.createNode(kind);
        node.pos = [300 + 450 * at, 200];
        graph.add(node);
        return node;
    });
    source.connect(0, edit, edit.inputs.findIndex((input) => input.name === 'images.image_1'));
    edit.connect(0, preview, 0);
}"""
"""The picture that is edited comes from a node that has yet to run."""


MASKED = """(file) => {
    const graph = window.app.graph;
    const [load, edit, preview] = ['LoadImage', 'NanoBananaEdit', 'PreviewImage'].map((kind, at) => {
        const node = window.LiteGraph.createNode(kind);
        node.pos = [200 + 450 * at, 200];
        graph.add(node);
        return node;
    });
    load.widgets.find((widget) => widget.name === 'image').value = file;
    const slot = (name) => edit.inputs.findIndex((input) => input.name === name);
    load.connect(0, edit, slot('images.image_1'));
    load.connect(1, edit, slot('mask'));
    edit.connect(0, preview, 0);
}"""
"""An edit whose mask is that of a loaded picture, in which nothing is painted."""
MASK_LINK = """() => {
    const edit = window.app.graph.nodes.find((node) => node.type === 'NanoBananaEdit');
    return edit.inputs.find((input) => input.name === 'mask').link;
}"""

SAY = """async () => {
    const style = document.querySelector('link[href*="/extensions/"][href$="/style.css"]');
    const { toast } = await import(new URL('toast.mjs', style.href));
    toast('warn', 'Something to know', 'Said while a failure is shown.');
}"""


SET = """async (settings) => {
    for (const [name, value] of Object.entries(settings)) await window.app.extensionManager.setting.set(name, value);
}"""
FOOTER_IN_THE_CORNER = """() => {
    const { canvas, graph } = window.app;
    const [x, y] = graph.nodes.find((node) => node.type === 'NanoBananaGenerate').pos;
    canvas.ds.scale = 1;
    canvas.ds.offset = [1150 - x, -220 - y];
    canvas.setDirty(true, true);
}"""
COVERED = """() => {
    const parts = '.actionbar-container, .comfy-menu, .side-tool-bar-container, .side-bar-panel, .nb-footer button, '
        + '.workflow-tabs-container, [data-testid=queue-progress-overlay], [data-testid=queue-notification-banner]';
    const boxes = (selector) => [...document.querySelectorAll(selector)].map((each) => [each, each.getBoundingClientRect()]);
    const messages = boxes('.p-toast-message');
    return boxes(parts).filter(([each, box]) => box.width && box.height && messages.some(([, { left, right, top, bottom }]) =>
        left < box.right && right > box.left && top < box.bottom && bottom > box.top)).map(([each]) => each.className);
}"""
"""What of the host, and which buttons of our nodes, messages in the corner cover."""


def failed(page: Any) -> Locator:
    found: Locator = page.page.locator('.nb-note[data-tone="bad"]')
    return found


@BOTH_RENDERERS
def test_what_may_have_been_charged_is_paid_again_or_withdrawn(
    canvas: Callable[..., Any], host: Host, doubles: Any, vue: bool
) -> None:
    """Withdrawn it leaves the sums; paid again it is asked for once more. Neither happens without a click."""
    page = canvas(vue=vue)
    before = in_doubt(host)
    page.load(prompted(text_to_image("onerouter"), f"A water rail, {page.look} {LOST}"))
    page.queue()
    expect(failed(page).locator(".nb-pill")).to_have_text("may have cost $0.08")
    expect(failed(page).get_by_role("note", name="may have cost $0.08: It is not known")).to_be_visible()
    buttons = failed(page).get_by_role("button")
    expect(buttons).to_have_text(["Pay again $0.08", "I was not charged", "Usage page ↗"])
    assert in_doubt(host) > before
    buttons.nth(1).click()
    dialog = page.page.locator(".nb-dialog")
    expect(dialog).to_contain_text("Nothing is deleted")
    page.shoot("forget-it")
    dialog.get_by_role("button", name="I was not charged").click()
    expect(failed(page)).to_have_count(0)
    expect(page.page.get_by_text("Taken out of your sums.")).to_be_visible()
    assert in_doubt(host) == before

    prompt = f"A whimbrel, {page.look} {LOST}"
    page.choose("ProviderConfig", "provider", "replicate")
    page.choose("NanoBananaGenerate", "prompt", prompt)
    page.queue()
    expect(buttons).to_have_text(["Pay again $0.30", "I was not charged", "Usage page ↗"])
    page.shoot("may-have-been-charged")
    asked = len(doubles.request_log(prompt=prompt)["requests"])
    entry = page.queue(press=buttons.nth(0).click)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    assert len(doubles.request_log(prompt=prompt)["requests"]) > asked
    expect(failed(page)).to_have_count(0)
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_second_run_says_first_that_it_was_not_sent_and_that_a_third_pays(
    canvas: Callable[..., Any], host: Host, doubles: Any, vue: bool
) -> None:
    """A title is cut after three lines: what a further run does stands before which request it was."""
    page = canvas(vue=vue)
    prompt = f"A turnstone, {page.look} {LOST}"
    page.load(prompted(text_to_image("onerouter"), prompt))
    page.queue()
    expect(failed(page)).to_contain_text("no answer came back")
    asked = len(doubles.request_log(prompt=prompt)["requests"])
    page.queue()
    title = failed(page).locator(".nb-note-title")
    expect(title).to_contain_text("Not sent again")
    expect(title).to_contain_text("Running it again now pays again.")
    assert title.evaluate("(element) => element.scrollHeight <= element.clientHeight + 1"), "no word of it is cut off"
    assert len(doubles.request_log(prompt=prompt)["requests"]) == asked
    failed(page).get_by_text("Details").click()
    expect(failed(page)).to_contain_text("1 request for its picture may have been charged, about $0.08")
    page.shoot("asked-before")
    failed(page).get_by_role("button", name="I was not charged").click()
    page.page.locator(".nb-dialog").get_by_role("button", name="I was not charged").click()
    expect(failed(page)).to_have_count(0)
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_refused_key_is_said_and_never_offered_again(
    canvas: Callable[..., Any], bare_host: Host, doubles: Any, vue: bool
) -> None:
    """The only key is the refused one: no button leads back to it, and the cure is to replace it."""
    send_json(bare_host, "/keys/onerouter/default", {"key": KEY})
    page = canvas(vue=vue, on=bare_host)
    page.load(prompted(text_to_image("onerouter"), f"A snipe, {page.look} [[sim: status=401]]"))
    expect(page.page.get_by_text("Key stored on this machine")).to_be_visible()
    page.queue()
    expect(failed(page).get_by_role("button")).to_have_text(["Replace key", "Try it offline, free"])
    expect(failed(page).locator(".nb-pill")).to_have_text("nothing charged")
    expect(page.page.get_by_text("OneRouter refused this key")).to_be_visible()
    expect(page.page.get_by_text("Key stored on this machine")).to_have_count(0)
    page.shoot("refused-key")
    page.page.locator(".nb-choice").first.click()
    expect(page.page.locator('.nb-picker [data-provider="onerouter"]')).to_contain_text("key refused")
    page.page.keyboard.press("Escape")
    failed(page).get_by_role("button", name="Replace key").click()
    expect(page.page.get_by_label("Key for OneRouter")).to_be_focused()
    page.page.keyboard.press("Escape")
    page.choose("ProviderConfig", "provider", "offline")
    offline = page.page.locator(".nb-note", has_text="A free simulation on this machine")
    expect(offline.get_by_role("button")).to_have_text(["Replace key"])
    page.choose("ProviderConfig", "provider", "onerouter")
    send_json(bare_host, "/keys/runflow/studio", {"key": KEY})
    page.command("NanoBanana.Settings")
    expect(page.page.locator('.nb-dialog [data-provider="runflow"]')).to_be_visible()
    page.page.keyboard.press("Escape")
    # It has a key, and not the one that a click would choose.
    expect(page.page.get_by_role("button", name="Use my provider")).to_have_count(0)
    page.choose("ProviderConfig", "provider", "auto")
    order = page.page.locator(".nb-note", has_text="Tried in this order")
    expect(order).to_have_text("Tried in this order: OneRouter (key refused)")
    page.shoot("auto-with-a-refused-key")
    page.choose("ProviderConfig", "profile", "studio")
    expect(page.page.get_by_text("the providers that have a key called studio")).to_be_visible()
    page.choose("ProviderConfig", "profile", "default")
    page.choose("ProviderConfig", "provider", "onerouter")
    send_json(bare_host, "/keys/runflow/studio", None, "DELETE")
    send_json(bare_host, "/keys/runflow/default", {"key": KEY})
    page.command("NanoBanana.Settings")
    expect(page.page.locator('.nb-dialog [data-provider="runflow"]')).to_be_visible()
    page.page.keyboard.press("Escape")
    page.page.get_by_role("button", name="Use my provider").first.click()
    assert page.widget("ProviderConfig", "provider")["value"] == "runflow", "auto would begin with the refused one"
    for provider in ("onerouter", "runflow"):
        send_json(bare_host, f"/keys/{provider}/default", None, "DELETE")
    assert page.complaints == []


def test_a_run_that_would_change_nothing_costs_nothing(canvas: Callable[..., Any], doubles: Any) -> None:
    """Pictures of other nodes aren't known before they run; what was made from them is, until something changes."""
    page = canvas()
    page.page.evaluate(EDIT)
    page.choose("NanoBananaEdit", "prompt", "A pipit, unchanged")
    expect(price(page)).to_contain_text("$0.08")
    page.queue()
    expect(price(page)).to_have_text("as the last run · free")
    page.choose("NanoBananaEdit", "prompt", "A pipit, changed")
    expect(price(page)).to_contain_text("$0.08")
    page.choose("NanoBananaEdit", "prompt", "A pipit, unchanged")
    expect(price(page)).to_have_text("as the last run · free")
    assert page.complaints == []


@BOTH_RENDERERS
def test_an_empty_mask_is_painted_or_disconnected(canvas: Callable[..., Any], doubles: Any, vue: bool) -> None:
    """No other provider could do anything about it, and none is offered."""
    page = canvas(vue=vue)
    prompt = f"A wigeon, unpainted, {page.look}"
    page.page.evaluate(MASKED, "example.png")
    page.choose("NanoBananaEdit", "prompt", prompt)
    page.command("Comfy.Canvas.FitView")
    expect(price(page)).to_contain_text("$")
    assert page.queue()["status"]["status_str"] == "error"
    expect(failed(page)).to_contain_text("Mask is empty")
    buttons = failed(page).get_by_role("button")
    expect(buttons).to_have_text(["Paint the mask", "Disconnect the mask"])
    page.shoot("empty-mask")
    buttons.first.click()
    expect(page.page.get_by_test_id("pointer-zone")).to_be_visible()
    page.page.locator(".mask-editor-dialog button").filter(has_text="Cancel").click()
    expect(page.page.get_by_test_id("pointer-zone")).to_have_count(0)
    buttons.nth(1).click()
    expect(failed(page)).to_have_count(0)
    assert page.page.evaluate(MASK_LINK) is None
    assert page.queue()["status"]["status_str"] == "success"
    assert len(doubles.request_log(prompt=prompt)["requests"]) == 1
    assert page.complaints == []


def test_an_empty_prompt_is_no_matter_of_the_provider(canvas: Callable[..., Any]) -> None:
    page = canvas()
    page.load(prompted(text_to_image("onerouter"), ""))
    assert page.queue()["status"]["status_str"] == "error"
    expect(failed(page)).to_contain_text("The prompt is empty.")
    expect(failed(page).get_by_role("button")).to_have_count(0)
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_message_in_the_corner_leaves_the_host_s_box_about_a_failure_free(
    canvas: Callable[..., Any], vue: bool
) -> None:
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("onerouter"), f"A knot, {page.look} [[sim: status=400]]"))
    assert page.queue()["status"]["status_str"] == "error"
    box = page.page.get_by_test_id("error-overlay")
    expect(box).to_be_visible()
    page.page.evaluate(SAY)
    message = page.page.locator(".p-toast-message", has_text="Something to know")
    expect(message).to_be_visible()
    page.shoot("message-and-failure")
    above, below = box.bounding_box(), message.bounding_box()
    assert above and below and below["y"] >= above["y"] + above["height"]
    box.get_by_test_id("error-overlay-dismiss").click()
    expect(box).to_have_count(0)
    goes_back = "([toast, y]) => toast.getBoundingClientRect().top < y"
    page.page.wait_for_function(goes_back, arg=[message.element_handle(), below["y"]])
    assert page.complaints == []


@pytest.mark.long
@BOTH_RENDERERS
@pytest.mark.own_page
def test_a_message_in_the_corner_covers_neither_the_host_s_bars_nor_buttons_of_a_node(
    canvas: Callable[..., Any], vue: bool
) -> None:
    """The sidebar on the right, its panel, the list of jobs, the old menu, and a footer where the message would be."""
    page = canvas(vue=vue)
    page.load(text_to_image("offline"))
    closed = {"Comfy.Sidebar.Location": "left", "Comfy.UseNewMenu": "Top"}
    try:
        for name, settings in (
            ("sidebar", {"Comfy.Sidebar.Location": "right"}),
            ("jobs", {}),
            ("old-menu", {"Comfy.UseNewMenu": "Disabled"}),
            ("footer", {}),
        ):
            run(page, SET, {**closed, **settings})
            if name == "sidebar":
                open_panel(page)
            elif name == "jobs":
                page.page.get_by_test_id("queue-overlay-toggle").click()
            elif name == "footer":
                run(page, FOOTER_IN_THE_CORNER)
            messages = page.page.locator(".p-toast-message", has_text="Something to know")
            for count in range(1, 6 if name == "old-menu" else 3):
                page.page.evaluate(SAY)
                expect(messages).to_have_count(count)
            page.page.wait_for_function(f"() => ({COVERED})().length === 0")
            expect(messages.first).to_be_in_viewport(ratio=1)
            page.shoot(f"message-beside-{name}")
            page.page.evaluate("() => window.app.extensionManager.toast.removeAll()")
            expect(messages).to_have_count(0)
            if name == "sidebar":
                page.page.get_by_role("button", name="Nano Banana: paid pictures").click()
            elif name == "jobs":
                page.page.get_by_test_id("queue-overlay-toggle").click()
    finally:
        run(page, SET, closed)
    assert page.complaints == []
