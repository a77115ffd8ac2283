"""Numbers and texts that reach a node by a link: each is checked, named in the error, and only a seed may have any size."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors import Impossible
from pack.nodes.value_checks import number_of, real_of, text_of

NO_NUMBERS: list[Any] = [
    None, True, False, "5", "nan", "", b"5", [], [5], (5,), {}, {"a": 5}, object(), np.bool_(True), np.zeros(1), np.zeros(3),
    torch.tensor(5), torch.zeros(1, 8, 8, 3), Decimal(5), 5j, math.nan, math.inf, -math.inf, np.float32("nan"),
    np.float16("inf"), float,
]  # fmt: skip


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: f"{type(value).__name__}-{value!r:.20}")
def test_what_is_no_number_is_refused_by_name(value: Any) -> None:
    """Also where any size is taken, and never with Python's own error."""
    for name in ("num_images", "seed"):
        with pytest.raises(Impossible, match=name):
            number_of(name, value, 1, 16)
    with pytest.raises(Impossible, match="region_context"):
        real_of("region_context", value, 1.0, 8.0)


@given(st.integers() | st.floats())
def test_a_whole_number_is_in_its_range_or_refused(value: float) -> None:
    if math.isfinite(value) and float(value).is_integer() and 1 <= value <= 16:
        assert number_of("num_images", value, 1, 16) == value
        return
    with pytest.raises(Impossible, match="num_images is .*a whole number from 1 to 16"):
        number_of("num_images", value, 1, 16)


@given(st.integers() | st.floats() | st.fractions())
def test_a_real_number_is_in_its_range_or_refused(value: Any) -> None:
    if math.isfinite(value) and 1 <= value <= 8:
        assert real_of("region_context", value, 1.0, 8.0) == pytest.approx(float(value))
        return
    with pytest.raises(Impossible, match="region_context is .*a number from 1.0 to 8.0"):
        real_of("region_context", value, 1.0, 8.0)


@given(st.integers())
def test_a_seed_may_have_any_size(value: int) -> None:
    assert number_of("seed", value, 0, 2**31 - 1) == value


@pytest.mark.parametrize("value", [np.int64(7), np.uint8(7), np.float32(7), np.float64(7), 7.0, Fraction(7)])
def test_numbers_of_numpy_are_numbers(value: Any) -> None:
    """Other packs compute with numpy; the value is what a person means."""
    number = number_of("num_images", value, 1, 16)
    assert type(number) is int and number == 7 and real_of("region_context", value, 1.0, 8.0) == 7.0


@pytest.mark.parametrize("value", [10**5000, -(10**5000), 1e300], ids=["long", "negative", "float"])
def test_a_number_of_any_length_has_a_short_message(value: float) -> None:
    """Python refuses to write an integer of thousands of digits."""
    for check in (number_of, real_of):
        with pytest.raises(Impossible, match="a very large number") as failed:
            check("num_images", value, 1, 16)
        assert len(failed.value.message) < 300


@pytest.mark.parametrize("value", [None, 5, True, 5.5, b"x", ["x"], {"x": 1}, np.zeros(3), torch.zeros(2), object()])
def test_what_is_no_text_is_refused_by_name(value: Any) -> None:
    with pytest.raises(Impossible, match="prompt is .*a text"):
        text_of("prompt", value)


def test_a_text_in_the_wrong_place_is_not_repeated() -> None:
    """It may be a key."""
    with pytest.raises(Impossible) as failed:
        number_of("num_images", "sk-secret", 1, 16)
    assert "sk-secret" not in failed.value.message
