"""What is on a node after a run over a list: the money of all elements, and which of them failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pack.tests.browser.page_parts import BOTH_RENDERERS, example, note
from playwright.sync_api import expect

pytestmark = pytest.mark.used_pages


@BOTH_RENDERERS
def test_the_node_adds_up_its_elements(canvas: Callable[..., Any], doubles: Any, vue: bool) -> None:
    """Three prompts for one picture: one is declined, the others are paid; queued again they are free."""
    page = canvas(vue=vue)
    page.load(example("prompt_list"))
    page.choose("ProviderConfig", "provider", "onerouter")
    place = f"the old harbour, {page.look}"
    prompts = [f"A rainy night, {place}", f"A foggy morning, {place} [[sim: refuse]]", f"Snow, {place}"]
    for nth, prompt in enumerate(prompts):
        page.choose("PrimitiveStringMultiline", "value", prompt, nth)
    page.choose("NanoBananaEdit", "seed", 5)
    entry = page.queue()
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    expect(note(page)).to_have_count(2)
    made, failed = note(page).nth(0), note(page).nth(1)
    expect(made).to_contain_text(re.compile(r"^Spent \$0\.16.* · 3 elements, 1 failed"))
    expect(made).to_contain_text("have moved up")
    expect(made).not_to_contain_text("element 2")
    expect(failed).to_have_attribute("data-tone", "bad")
    expect(failed.locator(".nb-note-title")).to_contain_text(re.compile(r"^element 2: .*declined"))
    expect(failed.locator(".nb-pill")).to_have_text("nothing charged")
    page.command("Comfy.Canvas.FitView")
    page.shoot("list")
    page.queue()
    expect(made).to_contain_text(re.compile(r"^Nothing was spent.* · 3 elements, 1 failed"))
    assert doubles.request_log(prompt=place)["paid_images"] == 2
    assert page.complaints == []


def tiles(workflow: dict[str, Any]) -> dict[str, Any]:
    """The workflow with a node that cuts a picture into a list of tiles in the place of Create List."""
    (node,) = [each for each in workflow["nodes"] if each["type"] == "CreateList"]
    (first, *others) = [each["link"] for each in node["inputs"] if each["link"] is not None]
    node["type"], node["widgets_values"] = "SplitImageToTileList", [512, 512, 0]
    node["inputs"] = [{"name": "image", "type": "IMAGE", "link": first}]
    node["outputs"] = [{"name": "IMAGE", "type": "IMAGE", "links": node["outputs"][0]["links"]}]
    workflow["links"] = [each for each in workflow["links"] if each[0] not in others]
    for each in workflow["nodes"]:
        for output in each.get("outputs", []):
            output["links"] = [link for link in output["links"] or [] if link not in others]
    return workflow


def test_the_price_is_that_of_all_elements(canvas: Callable[..., Any], doubles: Any) -> None:
    """The elements of Create List are counted, through nodes that run once for each; tiles can't be counted."""
    page = canvas()
    asked_before = len(doubles.request_log()["requests"])
    shown = page.page.locator(".nb-price").first
    for name in ("prompt_list", "text_lines"):
        page.load(example(name))
        page.choose("ProviderConfig", "provider", "onerouter")
        expect(shown).to_have_text("1K · 3 × $0.08")
    page.command("NanoBanana.DryRun")
    expect(page.page.get_by_text("In all $0.24")).to_be_visible()
    page.page.keyboard.press("Escape")
    page.load(tiles(example("picture_list")))
    page.choose("ProviderConfig", "provider", "onerouter")
    expect(shown).to_have_text("1K · ≈ 1 × $0.08 per element")
    shown.click()
    expect(page.page.get_by_role("columnheader", name="Per element")).to_be_visible()
    assert len(doubles.request_log()["requests"]) == asked_before and page.complaints == []
