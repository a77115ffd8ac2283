"""What was spent, as a chart and against a bill, in the real frontend."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import open_panel, weak
from pack.tests.host.kit import Bench
from playwright.sync_api import expect


@pytest.mark.usefixtures("one_day")
@pytest.mark.parametrize(
    ("vue", "light", "locale"), [(False, False, "en"), (True, True, "zh")], ids=["classic-dark-en", "nodes2-light-zh"]
)
def test_what_was_spent_is_drawn_and_held_against_a_bill(
    canvas: Callable[..., Any], host: Host, doubles: Any, vue: bool, light: bool, locale: str
) -> None:
    """From the results panel: a bar for each provider of today, the same as a table; a bill that is equal, more or less."""
    bench = Bench(host, doubles)
    page = canvas(vue=vue, light=light, locale=locale)
    english = locale == "en"
    assert bench.generate(f"rook {page.look}", "onerouter", num_images=2).status == "success"
    assert bench.generate(f"crow {page.look}", "apiframe").status == "success"
    assert bench.generate(f"daw {page.look} [[sim: drop=headers]]", "onerouter").status == "error"
    rows = host.get("/nano_banana/spend?by=day,provider&days=366")["rows"]
    counted = {row["provider"]: row["usd"] for row in rows if row["usd"]}
    doubt = {row["provider"]: row["usd_in_doubt"] for row in rows}
    open_panel(page, "Nano Banana: paid pictures" if english else "Nano Banana：已付费的图片")
    page.page.locator(".nb-results .nb-link").click()
    dialog = page.page.get_by_role("dialog", name="What was spent" if english else "花费情况")
    chart = dialog.locator(".nb-chart")
    expect(chart.locator("rect")).to_have_count(len(counted))
    expect(chart).to_have_attribute("aria-label", re.compile(r"\$\d"))
    heights = chart.locator("rect").evaluate_all("(bars) => bars.map((bar) => Number(bar.getAttribute('height')))")
    scale = max(heights) / max(counted.values())
    expected = sorted(max(1, usd * scale) for usd in counted.values())  # the lowest bar can still be pointed at
    assert sorted(heights) == pytest.approx(expected, rel=0.01)
    assert all("$" in text for text in chart.locator("rect title").all_text_contents())
    dialog.locator("summary").click()
    expect(dialog.locator("tbody tr")).to_have_count(len(counted))
    dialog.locator("fieldset select").first.select_option("onerouter")
    amount, answer = dialog.locator("fieldset input"), dialog.locator("fieldset [role=status]")
    for billed, words in (
        (counted["onerouter"], ("they agree", "两者一致")),
        (counted["onerouter"] + 2, ("$2.00 more was billed", "账单多出 $2.00")),
        (counted["onerouter"] - doubt["onerouter"], ("only may have been charged", "只是可能已扣费")),
        (0, ("prices here may be too high", "价格可能偏高")),
    ):
        amount.fill(f"{billed:.4f}".replace(".", ","))
        expect(answer).to_contain_text(words[0 if english else 1])
    page.shoot("spending")
    amount.fill("12 apples")
    expect(answer).to_contain_text("12 apples")
    assert weak(page, 20) == []
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.complaints == []


@pytest.mark.long
def test_the_chart_is_a_line_until_something_is_spent(canvas: Callable[..., Any]) -> None:
    page = canvas()
    page.page.route("**/spend?by=day*", lambda route: route.fulfill(json={"rows": []}))
    open_panel(page)
    page.page.locator(".nb-results .nb-link").click()
    dialog = page.page.get_by_role("dialog", name="What was spent")
    expect(dialog.get_by_text("Nothing was spent in the last 30 days.")).to_be_visible()
    expect(dialog.get_by_text("Once something was spent")).to_be_visible()
    expect(dialog.locator("svg, table")).to_have_count(0)
    page.shoot("spending-empty")
    assert page.complaints == []
