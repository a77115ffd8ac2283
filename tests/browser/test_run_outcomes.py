"""What a run left on its node, after the host has made all nodes anew: another workflow was shown, or something was undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.tests.browser.page_parts import BOTH_RENDERERS, CAPTURE, LOST, prompted, text_to_image
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.used_pages

UNDO_READY = "() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length > 0"
SEEN = """() => {
    window.seenNode = window.app.graph.nodes.find((node) => node.type === 'NanoBananaGenerate');
}"""
IS_ANEW = """() => {
    const node = window.app.graph.nodes.find((each) => each.type === 'NanoBananaGenerate');
    return node && node !== window.seenNode;
}"""


def notes(page: Any, tone: str) -> Locator:
    found: Locator = page.page.locator(f'.nb-note[data-tone="{tone}"]:visible')
    return found


@BOTH_RENDERERS
def test_what_may_have_been_charged_is_still_asked_about_in_its_own_workflow(
    canvas: Callable[..., Any], vue: bool
) -> None:
    """In no other one, whose nodes have the same ids; the button there does what it did before."""
    page = canvas(vue=vue)
    page.load(prompted(text_to_image("onerouter"), f"A stone-curlew, {page.look} {LOST}"))
    page.queue()
    expect(notes(page, "bad")).to_contain_text("may have cost $0.08")
    page.load(prompted(text_to_image("onerouter"), f"A plover, {page.look}"))
    expect(page.page.locator(".nb-price:visible")).to_contain_text("$0.08")
    expect(notes(page, "bad")).to_have_count(0)
    page.command("Workspace.PreviousOpenedWorkflow")
    buttons = notes(page, "bad").get_by_role("button")
    expect(buttons).to_have_text(["Pay again $0.08", "I was not charged", "Usage page ↗"])
    page.shoot("asked-again-after-another-workflow")

    page.page.evaluate(CAPTURE)
    page.choose("NanoBananaGenerate", "seed", 41)
    page.page.evaluate(CAPTURE)
    page.page.wait_for_function(UNDO_READY)
    page.page.evaluate(SEEN)
    page.command("Comfy.Undo")
    page.page.wait_for_function(IS_ANEW)
    expect(notes(page, "bad")).to_contain_text("may have cost $0.08")
    buttons.nth(1).click()
    page.page.locator(".nb-dialog").get_by_role("button", name="I was not charged").click()
    expect(notes(page, "bad")).to_have_count(0)
    expect(page.page.get_by_text("Taken out of your sums.")).to_be_visible()
    assert page.complaints == []


@BOTH_RENDERERS
def test_a_run_that_ends_while_another_workflow_is_shown_says_so_in_its_own(
    canvas: Callable[..., Any], doubles: Any, vue: bool
) -> None:
    page = canvas(vue=vue)
    prompt = f"A sanderling, {page.look}"
    page.load(prompted(text_to_image("onerouter"), f"{prompt} [[sim: hold]]"))
    with page.page.expect_response(lambda answer: answer.url.endswith("/prompt")) as queued:
        page.page.evaluate("() => window.app.queuePrompt(0)")
    progress = page.page.locator(".nb-progress:visible")
    expect(progress).to_contain_text("0 of 1 back")
    page.load(prompted(text_to_image("onerouter"), f"A jacana, {page.look}"))
    expect(page.page.locator(".nb-price:visible")).to_contain_text("$0.08")
    expect(progress).to_have_count(0)
    doubles.release()
    prompt_id = queued.value.json()["prompt_id"]
    while not page.host.get(f"/history/{prompt_id}"):
        expect(progress).to_have_count(0)
        page.page.wait_for_timeout(50)
    page.settle()
    expect(notes(page, "good")).to_have_count(0)
    page.command("Workspace.PreviousOpenedWorkflow")
    expect(notes(page, "good")).to_contain_text("Spent")
    assert doubles.request_log(prompt=prompt)["paid_images"] == 1
    assert page.complaints == []
