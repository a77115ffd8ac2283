"""Money reads alike everywhere: in messages of the server and on the page, whatever the amount."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest
from pack.core.errors.amounts import usd_digits
from pack.dev import cache, node

MODULE = Path(__file__).resolve().parents[2] / "web" / "amounts.mjs"


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "0.00"),
        (0.000001, "0.0001"),
        (0.0168, "0.0168"),
        (0.0336, "0.0336"),
        (0.039, "0.039"),
        (0.08, "0.08"),
        (0.1, "0.10"),
        (0.134, "0.134"),
        (0.467, "0.467"),
        (0.9999, "1.00"),
        (1.107, "1.11"),
        (12.346, "12.35"),
        (1000, "1000.00"),
    ],
)
def test_an_amount_has_the_digits_that_count(usd: float, text: str) -> None:
    assert usd_digits(usd) == text


def test_the_page_writes_the_same() -> None:
    """The same rule in two languages: prices, sums of prices, and amounts at which rounding goes up."""
    tools = node.ready(cache.opened())
    if tools is None:
        pytest.skip("there is no Node in the cache: `python3 dev.py test --lint` fetches it")
    chance = random.Random(7)
    amounts = [0.0, 0.00004, 0.0001, 0.0625, 0.1875, 0.3125, 0.99949, 0.9995, 1.125, 2.375]
    amounts += [0.0336 * n for n in range(1, 60)] + [10 ** chance.uniform(-5, 3) for _ in range(500)]
    script = (
        f"import {{ usdDigits }} from {json.dumps(MODULE.as_uri())};"
        f"console.log(JSON.stringify({json.dumps(amounts)}.map(usdDigits)));"
    )
    done = subprocess.run(
        [str(tools.program), "--input-type=module", "-e", script], capture_output=True, check=True, text=True
    )
    assert json.loads(done.stdout) == [usd_digits(usd) for usd in amounts]
