"""A host that dies while pictures are out, seen from a page that stays open: they arrive, and nothing is lost in a
store of thousands.

One host on one data folder, killed once; the tests follow one another on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import Host
from pack.tests.browser.page_parts import open_panel, prompted, row, send_json, text_to_image, toast
from pack.tests.host.kit import Bench, node, provider_variables, states, until
from playwright.sync_api import expect

MANY = 5000
LONG_AGO = 1_700_000_000
ROW = 146
"""Height of a row in CSS pixels."""
AT = """([place, height]) => {
    const list = document.querySelector('.nb-list');
    list.scrollTop = place * height;
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
        const top = list.getBoundingClientRect().top;
        const seen = [...list.querySelectorAll('.nb-result')].find((each) =>
            Math.abs(each.getBoundingClientRect().top - top) < 2);
        done([list.querySelectorAll('.nb-result').length, seen?.querySelector('.nb-prompt').textContent]);
    })));
}"""
LENGTH = "() => document.querySelector('.nb-list-room').offsetHeight"
"""Of all rows that are known, in CSS pixels."""


class Machine:
    """A host on a data folder that outlives it."""

    def __init__(self, doubles: Any, base: Path) -> None:
        self.doubles, self.base, self.home = doubles, base, base / "home"
        self.host = self.start()

    def start(self, port: int = 0, *without: str) -> Host:
        variables = provider_variables(self.doubles) | {"NANO_BANANA_HOME": str(self.home)}
        for name in without:
            del variables[f"NANO_BANANA_{name.upper()}_API_KEY"]
        return Host.start(self.base, variables, port=port)

    def crash(self, *without: str) -> None:
        """SIGKILL, many years of pictures, and a new start at the same address, without some providers' keys."""
        self.host.kill()
        years_of_pictures(self.home)
        self.host = self.start(self.host.port, *without)


def years_of_pictures(home: Path) -> None:
    """Writes MANY old rows beside the real ones, each like the newest stored one and with its bytes."""
    with sqlite3.connect(home / "journal.sqlite", timeout=20) as connection:
        connection.row_factory = sqlite3.Row
        model = dict(connection.execute("SELECT * FROM picture WHERE state = 'stored' ORDER BY created").fetchone())
        model["graph"] = ""
        made = [
            model
            | {
                "uid": f"{number:032x}",
                "fingerprint": f"old-{number}",
                "prompt": f"Picture number {number}",
                "created": float(LONG_AGO + number),
            }
            for number in range(MANY)
        ]
        names = ", ".join(f":{name}" for name in model)
        connection.executemany(f"INSERT INTO picture ({', '.join(model)}) VALUES ({names})", made)
    connection.close()


@pytest.fixture(scope="module")
def machine(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(doubles, tmp_path_factory.mktemp("crashing"))
    yield made
    made.host.stop()


@pytest.fixture(scope="module")
def stored(machine: Machine) -> str:
    """A picture of before, whose bytes all the old rows share."""
    ran = Bench(machine.host, machine.doubles).generate("A rail, long ago")
    assert ran.status == "success"
    return "A rail, long ago"


@pytest.fixture(scope="module")
def page(lasting_canvas: Callable[..., Any], machine: Machine) -> Any:
    """One page through all of it."""
    return lasting_canvas(on=machine.host)


def test_an_open_page_sees_what_was_paid_come_home(page: Any, machine: Machine, doubles: Any, stored: str) -> None:
    """The host is killed with a task out; started again, the page that stayed open hears of the picture."""
    open_panel(page)
    page.load(prompted(text_to_image("apiframe"), "A coot, on its way [[sim: task steps=2]]"))
    # Two tasks: one whose provider's key is there after the crash, and one whose isn't.
    machine.host.queue_prompt(
        {
            "config": node("ProviderConfig", provider="nanobanana"),
            "make": node("NanoBananaGenerate", prompt="A coot, waiting [[sim: task steps=2]]", provider=["config", 0]),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    until(lambda: states(machine.home, "A coot, waiting") == ["accepted"])
    machine.host.post("/interrupt", {})
    page.page.evaluate("() => window.app.queuePrompt(0)")
    until(lambda: states(machine.home, "A coot, on its way") == ["accepted"])
    machine.crash("nanobanana")
    expect(toast(page, "Paid pictures were recovered")).to_contain_text(
        "1 picture paid for before the restart was collected", timeout=120_000
    )
    expect(row(page, "A coot, on its way").locator("img")).to_be_visible()
    page.shoot("came-home")
    assert doubles.request_log(prompt="A coot, on its way")["paid_images"] == 1
    assert page.complaints == []


def test_a_page_that_comes_later_is_told_once(lasting_canvas: Callable[..., Any], page: Any, machine: Machine) -> None:
    """It was not connected when the pictures came; after a reload it has heard of them."""
    late = lasting_canvas(on=machine.host)
    expect(toast(late, "Paid pictures were recovered")).to_be_visible()
    with late.page.expect_response(lambda answer: answer.url.endswith("/results/collected")):
        late.open()
    late.settle()
    expect(toast(late, "Paid pictures were recovered")).to_have_count(0)
    assert late.complaints == []


def test_what_was_paid_is_recovered_when_its_key_is_back(page: Any, machine: Machine) -> None:
    """Without its key the task can't be asked for: the row says so, and one click brings the picture, for nothing."""
    open_panel(page)
    card = row(page, "A coot, waiting")
    expect(card).to_contain_text("Paid and not here yet")
    expect(card).to_have_attribute("data-tone", "warn")
    page.shoot("recoverable")
    send_json(machine.host, "/keys/nanobanana/default", {"key": "sim-test"})
    card.get_by_role("button", name="Recover").click()
    expect(card.locator("img")).to_be_visible(timeout=120_000)
    expect(toast(page, "Recover")).to_contain_text("was collected")
    expect(card.get_by_role("button", name="Recover")).to_have_count(0)
    assert machine.doubles.request_log(prompt="A coot, waiting")["paid_images"] == 1
    assert page.complaints == []


def test_thousands_of_rows_scroll_to_the_end(page: Any, machine: Machine) -> None:
    """Never more than a few elements, each row at its place, and the list stays where it is when something comes in."""
    rows = open_panel(page)
    expect(rows.first).to_be_visible()
    browser = page.page
    known, total = 0, len(states(machine.home))
    while known < total * ROW:
        browser.evaluate(
            "() => { const list = document.querySelector('.nb-list'); list.scrollTop = list.scrollHeight; }"
        )
        browser.wait_for_function(f"(known) => ({LENGTH})() > known", arg=known)
        known = browser.evaluate(LENGTH)
        assert rows.count() <= 40
    browser.evaluate(AT, [total, ROW])
    assert known == total * ROW
    expect(rows.last).to_contain_text("Picture number 0")
    page.shoot("the-end-of-thousands")
    for index in range(total - MANY, total - 10, 311):
        count, prompt = browser.evaluate(AT, [index, ROW])
        assert prompt == f"Picture number {total - 1 - index}" and count <= 40
    box = browser.locator(".nb-list").bounding_box()
    browser.mouse.move(box["x"] + 50, box["y"] + 200)
    before = browser.evaluate("() => document.querySelector('.nb-list').scrollTop")
    browser.mouse.wheel(0, -3 * ROW)
    browser.wait_for_function(f"(at) => document.querySelector('.nb-list').scrollTop === at - {3 * ROW}", arg=before)

    seen = browser.evaluate(AT, [2000, ROW])[1]
    assert Bench(machine.host, machine.doubles).generate("A grebe, just in").status == "success"
    browser.evaluate("() => window.comfyAPI.api.api.dispatchCustomEvent('execution_success', {})")
    browser.wait_for_function(f"() => ({LENGTH})() === {known + ROW}")
    assert browser.evaluate("() => document.querySelector('.nb-list').scrollTop") == 2001 * ROW
    assert browser.evaluate(AT, [2001, ROW])[1] == seen
    assert page.complaints == []


TILES = """() => [...document.querySelectorAll('.nb-tile')].map((tile) => {
    const { left, top, right, bottom } = tile.getBoundingClientRect();
    return [Number(tile.ariaPosInSet), left, top, right, bottom, tile.querySelector('a').ariaLabel];
})"""


@pytest.mark.long
def test_thousands_of_tiles_scroll_to_the_end(page: Any, machine: Machine) -> None:
    """Never more than a few elements, none over another, each with its number among all."""
    open_panel(page)
    browser = page.page
    browser.locator(".nb-views .pi-th-large").click()
    expect(browser.locator(".nb-tile").first).to_be_visible()
    total = len(states(machine.home))
    last = 0
    while last < total:
        browser.evaluate(
            "() => { const list = document.querySelector('.nb-list'); list.scrollTop = list.scrollHeight; }"
        )
        browser.wait_for_function(
            "(last) => Number([...document.querySelectorAll('.nb-tile')].at(-1)?.ariaPosInSet) > last", arg=last
        )
        tiles = browser.evaluate(TILES)
        assert len(tiles) <= 80, "elements are as many as are in sight, whatever the number of pictures"
        last = tiles[-1][0]
    for part in (1, 0.77, 0.31, 0):
        browser.evaluate(
            """(part) => { const list = document.querySelector('.nb-list'); list.scrollTop = part * list.scrollHeight; }""",
            part,
        )
        page.settle()
        tiles = browser.evaluate(TILES)
        assert 0 < len(tiles) <= 80
        for (place, _, top, right, _, name), (next_place, next_left, next_top, *_) in pairwise(tiles):
            assert next_place == place + 1 and name.startswith(f"Picture {place} of {total}: "), name
            assert next_left >= right if next_top == top else next_top > top and next_left < right
        page.shoot(f"thousands-{round(part * 100)}")
    assert page.complaints == []


@pytest.mark.long
@pytest.mark.usefixtures("one_day")
def test_many_are_forgotten_from_the_menu(page: Any, machine: Machine) -> None:
    """First what is older than a month, then all; each asks first. What was spent stays."""
    rows = open_panel(page)
    expect(rows.first).to_be_visible()
    spent = page.page.get_by_text("Today $").inner_text()
    recent = len(states(machine.home)) - MANY
    dialog = page.page.get_by_role("alertdialog", name="Are you sure?")
    for item, words, left in (
        ("Delete all older than 30 days…", f"{MANY} pictures were deleted.", recent),
        ("Delete all…", f"{recent} pictures were deleted.", 0),
    ):
        page.page.locator(".nb-menu summary").click()
        page.page.get_by_role("button", name=item).click()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        assert rows.count() > left
        page.page.locator(".nb-menu summary").click()
        page.shoot("menu")
        page.page.get_by_role("button", name=item).click()
        dialog.get_by_role("button", name="Delete").click()
        expect(toast(page, words)).to_be_visible(timeout=120_000)
        expect(rows).to_have_count(left)
    expect(page.page.get_by_text("Every picture that you make is kept here")).to_be_visible()
    assert not [file for file in machine.home.glob("results/*/*") if file.suffix in (".png", ".json")]
    assert page.page.get_by_text("Today $").inner_text() == spent
    assert page.complaints == []
