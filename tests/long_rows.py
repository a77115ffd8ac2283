"""Rows of a parametrized test that run with --long only."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from pairwise import each_value


def first(count: int, values: Iterable[Any]) -> list[Any]:
    """The first `count` values as they are; the others are long."""
    return [
        value if place < count else pytest.param(value, marks=pytest.mark.long) for place, value in enumerate(values)
    ]


def every_value(*choices: Sequence[Any], most: int | None = None) -> list[Any]:
    """All combinations of some choices. Without --long as few as have every value once, of these the first `most`."""
    few = each_value({str(place): tuple(values) for place, values in enumerate(choices)}, 1)
    short = [tuple(row.values()) for row in few][:most]
    rows = itertools.product(*choices)
    return [row if row in short else pytest.param(*row, marks=pytest.mark.long) for row in rows]
