"""Every text that the pack shows can be read in both themes: its contrast is measured, as WCAG 2 counts it (AA: 4.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.tests.browser.test_costs import price, prompted
from pack.tests.browser.test_results import open_panel
from pack.tests.browser.test_settings import provider_card, text_to_image
from playwright.sync_api import expect

TOO_WEAK = r"""() => {
    const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const read = (colour) => {
        pixel.clearRect(0, 0, 1, 1);
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        return [...pixel.getImageData(0, 0, 1, 1).data];
    };
    const over = (top, below) => [0, 1, 2].map((i) => (top[i] * top[3] + below[i] * (255 - top[3])) / 255);
    const light = (colour) => {
        const [r, g, b] = colour.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const layers = [];
        for (let each = element; each; each = each.parentElement) {
            const colour = read(getComputedStyle(each).backgroundColor);
            if (colour[3]) layers.push(colour);
            if (colour[3] === 255) break;
        }
        // The classic canvas draws the node below its elements.
        const node = getComputedStyle(document.body).getPropertyValue('--comfy-menu-bg') || '#353535';
        return layers.reverse().reduce((below, top) => over(top, below), read(node).slice(0, 3));
    };
    const weak = [];
    const measure = (element, colour, text) => {
        const below = ground(element);
        const pair = [light(over(read(colour), below)), light(below)];
        const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        if (contrast < 4.5) weak.push(`${contrast.toFixed(2)} ${element.className} ${text}`);
    };
    let count = 0;
    for (const root of document.querySelectorAll('.nb-footer, .nb-dialog, .nb-results')) {
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const element = texts.currentNode.parentElement;
            if (!texts.currentNode.textContent.trim() || !element.checkVisibility()) continue;
            measure(element, getComputedStyle(element).color, texts.currentNode.textContent);
            count += 1;
        }
        for (const field of root.querySelectorAll('input:placeholder-shown[placeholder]'))
            measure(field, getComputedStyle(field, '::placeholder').color, field.placeholder);
    }
    return [count, weak];
}"""


def weak(page: Any, least: int) -> list[str]:
    """The texts that are too weak, of at least so many."""
    count, found = page.page.evaluate(TOO_WEAK)
    assert count >= least
    return list(found)


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("vue", [False, True], ids=["classic", "nodes2"])
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
    page.load(text_to_image("nextyear"))
    expect(price(page)).to_have_text("can't run")
    page.page.locator(".nb-menu summary").click()
    assert weak(page, 30) == []
    page.page.keyboard.press("Escape")
    page.page.evaluate("() => window.app.extensionManager.command.execute('NanoBanana.Settings')")
    card = provider_card(page, "openrouter")
    page.page.locator(".nb-more-providers summary").click()
    card.get_by_role("button", name="Add key").click()
    page.page.get_by_role("button", name="Add a provider…").click()
    assert weak(page, 100) == []
