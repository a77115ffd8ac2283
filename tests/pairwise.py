"""Few combinations instead of all: in which each value occurs at least once, or each pair of values of two options."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

_Value = tuple[int, int]
"""The number of an option, and the number of one of its values."""


def pairwise(choices: Mapping[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Few combinations in which every pair of values of two different options occurs."""
    names = list(choices)
    values = [[(option, value) for value in range(len(choices[name]))] for option, name in enumerate(names)]
    missing = {pair for one, two in itertools.combinations(values, 2) for pair in itertools.product(one, two)}
    combinations = []
    while missing:
        chosen = _combination(values, missing)
        combinations.append({names[option]: choices[names[option]][value] for option, value in chosen})
        missing.difference_update(itertools.combinations(chosen, 2))
    return combinations


def each_value(choices: Mapping[str, tuple[Any, ...]], turn: int = 0) -> list[dict[str, Any]]:
    """The fewest combinations in which every value occurs. Other values meet in each `turn`."""
    count = max(map(len, choices.values()))
    return [
        {name: values[(number + turn * index) % len(values)] for index, (name, values) in enumerate(choices.items())}
        for number in range(count)
    ]


def _combination(values: list[list[_Value]], missing: set[tuple[_Value, _Value]]) -> list[_Value]:
    """A value of each option that covers many missing pairs, one at least."""
    # The smallest missing pair, so that the outcome doesn't depend on the order of a set.
    chosen = list(min(missing))

    def gain(value: _Value) -> int:
        return sum((min(value, other), max(value, other)) in missing for other in chosen)

    for option, possible in enumerate(values):
        if all(option != other for other, _ in chosen):
            chosen.append(max(possible, key=gain))
    return sorted(chosen)
