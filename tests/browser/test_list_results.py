"""What is on a node after a run over a list: the money of all elements, and which of them failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pack.tests.browser.test_costs import BOTH
from pack.tests.browser.test_examples import example
from pack.tests.browser.test_running import note
from playwright.sync_api import expect


@BOTH
def test_the_node_adds_up_its_elements(canvas: Callable[..., Any], doubles: Any, vue: bool) -> None:
    """Three prompts for one picture: one is declined, the others are paid; queued again they are free."""
    page = canvas(vue=vue)
    page.load(example("prompt_list"))
    page.choose("ProviderConfig", "provider", "onerouter")
    prompts = [f"A rainy night, {page.look}", f"A foggy morning, {page.look} [[sim: refuse]]", f"Snow, {page.look}"]
    for nth, prompt in enumerate(prompts):
        page.choose("PrimitiveStringMultiline", "value", prompt, nth)
    page.choose("NanoBananaEdit", "seed", 5)
    entry = page.queue()
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    expect(note(page)).to_contain_text(re.compile(r"^Spent \$0\.16.* · 3 elements, 1 failed\n"))
    expect(note(page)).to_contain_text(re.compile(r"\n✕ element 2: .*declined"))
    expect(note(page)).to_contain_text("have moved up")
    expect(note(page)).to_have_attribute("data-tone", "bad")
    lines = note(page).locator("span").inner_text().splitlines()
    assert sum("element 2" in line for line in lines) == 1, lines
    page.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    page.shoot("list")
    page.queue()
    expect(note(page)).to_contain_text(re.compile(r"^Nothing was spent.* · 3 elements, 1 failed\n"))
    assert doubles.request_log(prompt=page.look)["paid_images"] == 2
    assert page.complaints == []
