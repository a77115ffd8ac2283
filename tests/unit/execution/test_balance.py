"""The balance of an account: read from the answer to the test of a key, remembered for minutes, never of another address."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.engine import Engine
from pack.core.execution.balance import REMEMBERED_SECONDS, Balance, Balances, read_balance
from pack.core.execution.key_check import check_key
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import BalanceField
from pack.tests.doubles.server import Doubles

NAMING = {name: spec.balance for name, spec in BUILT_IN.items() if spec.balance}


@pytest.mark.parametrize("provider", NAMING)
def test_the_test_of_a_key_brings_the_balance_for_nothing(provider: str, doubles: Doubles, tmp_path: Path) -> None:
    doubles.reset()
    prefix = f"NANO_BANANA_{provider.upper()}"
    environ = {f"{prefix}_API_KEY": "sim-key-1", f"{prefix}_BASE_URL": doubles.base_url(provider)}
    resolver = Engine(tmp_path, environ=environ).resolver()
    found = check_key(resolver.target(resolver.specs[provider], "default"))
    assert found.verdict == "works" and found.balance is not None
    assert found.balance.amount in (100.0, 1000.0) and found.balance.unit in ("USD", "credits")
    seen = doubles.request_log()
    assert seen["paid_images"] == 0 and [call["method"] for call in seen["free"]] == ["GET"]


def test_each_belief_about_a_balance_names_its_judge() -> None:
    assert set(NAMING) == {"apiframe", "runflow", "kie", "wavespeed"}
    for name, field in NAMING.items():
        assert field.source and BUILT_IN[name].key_check


FIELD = BalanceField(("data", "balance"), "USD", "test", ("data", "currency"))


@pytest.mark.parametrize("amount", [0, -3.5, 12.25, "100.00"])
def test_a_number_or_its_text_is_a_balance(amount: object) -> None:
    found = read_balance(FIELD, {"data": {"balance": amount, "currency": "eur"}}, 5.0)
    assert found == Balance(float(str(amount)), "EUR", 5.0)


@pytest.mark.parametrize("amount", [None, True, "", "much", "nan", "inf", 1e400, [1], {}, "9" * 50, 10**400])
def test_anything_else_is_none(amount: object) -> None:
    assert read_balance(FIELD, {"data": {"balance": amount}}, 5.0) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "balance", "currency"]), inner),
)


@given(JSON)
def test_no_answer_breaks_it(value: object) -> None:
    found = read_balance(FIELD, value, 1.0)
    assert found is None or (abs(found.amount) < float("inf") and (found.unit == "USD" or len(found.unit) == 3))


def test_it_is_remembered_for_minutes_for_its_key_and_address() -> None:
    now = [1000.0]
    balances = Balances(lambda: now[0])
    balance = Balance(3.0, "USD", now[0])
    balances.remember("kie", "default", "https://a.example", balance)
    assert balances.get("kie", "default", "https://a.example") == balance
    assert balances.get("kie", "default", "https://b.example") is None
    assert balances.get("kie", "studio", "https://a.example") is None
    now[0] += REMEMBERED_SECONDS
    assert balances.get("kie", "default", "https://a.example") is None
    now[0] = 1000.0
    balances.forget("kie", "default")
    assert balances.get("kie", "default", "https://a.example") is None
