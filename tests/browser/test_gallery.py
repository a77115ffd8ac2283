"""The results panel as a gallery: the grid, the viewer, and what is done from there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.test_results import open_panel
from pack.tests.host.kit import Bench
from playwright.sync_api import Locator, expect

NAMES = "(list) => [...list.querySelectorAll('.nb-tile-picture')].map((each) => each.ariaLabel)"
FOCUSED = "() => document.activeElement.ariaLabel ?? document.activeElement.textContent"


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
    before = float(viewer.locator(".nb-scale").inner_text().removesuffix(" %"))
    page.page.keyboard.press("+")
    expect(viewer.locator(".nb-stage")).to_have_class("nb-stage nb-movable")
    assert float(viewer.locator(".nb-scale").inner_text().removesuffix(" %")) > before
    page.page.keyboard.press("0")
    expect(viewer.locator(".nb-stage")).to_have_class("nb-stage")
    page.page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    assert page.page.evaluate(FOCUSED).endswith(f"albatross-{page.look} 2")
    assert page.complaints == []


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
