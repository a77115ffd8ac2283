"""Every text that the pack shows can be read in both themes: its contrast is measured, as WCAG 2 counts it (AA: 4.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.tests.browser.page_parts import (
    BOTH_RENDERERS,
    COLOURS,
    open_panel,
    price,
    prompted,
    provider_card,
    text_to_image,
    weak,
)
from playwright.sync_api import expect

WITHOUT_RING = (
    """() => {"""
    + COLOURS
    + r"""
    const missing = [];
    let count = 0;
    for (const root of document.querySelectorAll('.nb-footer, .nb-dialog, .nb-results')) {
        for (const each of root.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')) {
            if (each.disabled || !each.checkVisibility()) continue;
            each.focus({ preventScroll: true });
            if (document.activeElement !== each) continue; // what is behind a dialog
            count += 1;
            const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(each);
            const found = outlineStyle === 'none' ? 0 : contrast(outlineColor, ground(each.parentElement));
            const name = each.ariaLabel ?? each.textContent;
            if (found < 3 || parseFloat(outlineWidth) < 1) missing.push(`${found.toFixed(2)} ${each.className} ${name}`);
        }
    }
    return [count, missing];
}"""
)
"""Whoever goes by keyboard sees where the focus is: the ring is told from what it is on (WCAG 2: 3)."""

GROUNDS = """() => {
    const choice = document.querySelector('.nb-choice');
    const ground = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const colour = getComputedStyle(each).backgroundColor;
            if (colour !== 'rgba(0, 0, 0, 0)') return colour;
        }
    };
    return [choice, choice.closest('.lg-node').querySelector('textarea')].map(ground);
}"""
"""What a button of ours and the prompt stand on."""


def without_ring(page: Any, least: int) -> list[str]:
    """What shows no focus, of at least so many."""
    page.page.keyboard.press("Tab")  # the ring is for those who use keys
    count, found = page.page.evaluate(WITHOUT_RING)
    assert count >= least
    return list(found)


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@BOTH_RENDERERS
def test_every_text_can_be_read(canvas: Callable[..., Any], vue: bool, light: bool) -> None:
    """On the nodes, in the panel with what went well and what didn't, in the dialogs."""
    page = canvas(vue=vue, light=light)
    open_panel(page)
    for provider, what in (
        ("onerouter", "made"),
        ("runflow", "[[sim: refuse]]"),
        ("onerouter", "[[sim: drop=headers]]"),
    ):
        page.load(prompted(text_to_image(provider), f"A linnet, {page.look} {what}"))
        page.queue()
        expect(page.page.locator(".nb-result").first).to_contain_text(f"{page.look} {what}")
    assert weak(page, 30) == []
    assert without_ring(page, 15) == []
    page.load(text_to_image("nextyear"))
    expect(price(page)).to_have_text("can't run")
    page.page.locator(".nb-menu summary").click()
    assert weak(page, 30) == []
    page.page.keyboard.press("Escape")
    page.command("NanoBanana.Settings")
    card = provider_card(page, "openrouter")
    page.page.locator(".nb-more-providers summary").click()
    card.get_by_role("button", name="Add key").click()
    page.page.get_by_role("button", name="Add a provider…").click()
    assert weak(page, 100) == []
    assert without_ring(page, 5) == []
    page.page.keyboard.press("Escape")
    assert without_ring(page, 30) == []


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_buttons_on_a_node_stand_on_what_its_widgets_stand_on(canvas: Callable[..., Any], light: bool) -> None:
    """In Nodes 2.0, whose light theme has a lighter ground for them than the classic canvas."""
    page = canvas(vue=True, light=light)
    page.load(text_to_image("offline"))
    expect(price(page)).to_have_text("1K · free")
    ours, theirs = page.page.evaluate(GROUNDS)
    assert ours == theirs
