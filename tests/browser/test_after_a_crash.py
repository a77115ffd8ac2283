"""A host that dies while pictures are out, seen from a page that stays open: they come home, and nothing is lost in a
store of thousands.

One host on one data folder, killed once; the tests follow one another on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pack.dev.running import Host
from pack.tests.browser.test_costs import prompted
from pack.tests.browser.test_results import open_panel, row
from pack.tests.browser.test_running import begin, toast
from pack.tests.browser.test_settings import put, text_to_image
from pack.tests.host.kit import Bench, node, provider_variables
from pack.tests.host.test_ledger import states, until
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

    def __init__(self, simulator: Any, base: Path) -> None:
        self.simulator, self.base, self.home = simulator, base, base / "home"
        self.host = self.start()

    def start(self, port: int = 0, *without: str) -> Host:
        variables = provider_variables(self.simulator) | {"NANO_BANANA_HOME": str(self.home)}
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
def machine(simulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(simulator, tmp_path_factory.mktemp("crashing"))
    yield made
    made.host.stop()


@pytest.fixture(scope="module")
def stored(machine: Machine) -> str:
    """A picture of before, whose bytes all the old rows share."""
    ran = Bench(machine.host, machine.simulator).generate("A rail, long ago")
    assert ran.status == "success"
    return "A rail, long ago"


def test_an_open_page_sees_what_was_paid_come_home(
    canvas: Callable[..., Any], machine: Machine, simulator: Any, stored: str
) -> None:
    """The host is killed with a task out; started again, the page that stayed open hears of the picture."""
    page = canvas(on=machine.host)
    open_panel(page)
    # Two tasks: one whose provider's key is there after the crash, and one whose isn't.
    machine.host.queue_prompt(
        {
            "config": node("ProviderConfig", provider="nanobanana"),
            "make": node("NanoBananaGenerate", prompt="A coot, waiting [[sim: task steps=9]]", provider=["config", 0]),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    until(lambda: states(machine.home, "A coot, waiting") == ["accepted"])
    machine.host.post("/interrupt", {})
    begin(page, "A coot, on its way [[sim: task steps=9]]", "apiframe")
    until(lambda: states(machine.home, "A coot, on its way") == ["accepted"])
    machine.crash("nanobanana")
    expect(toast(page, "Paid pictures came home")).to_contain_text(
        "1 picture paid for before the restart was collected", timeout=40_000
    )
    expect(row(page, "A coot, on its way").locator("img")).to_be_visible()
    page.shoot("came-home")
    assert simulator.ledger(prompt="A coot, on its way")["paid_images"] == 1
