"""Places of a list are named in few words, and every one of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pack.nodes.list_places import named_places


def places_in(text: str) -> list[int]:
    """The numbers that a reader takes from `text`."""
    found: list[int] = []
    for part in text.split(", "):
        first, _, last = part.partition("–")
        found += range(int(first), int(last or first) + 1)
    return found


@given(st.sets(st.integers(1, 400), min_size=1))
def test_every_place_is_named(numbers: set[int]) -> None:
    assert places_in(named_places(sorted(numbers))) == sorted(numbers)


def test_a_row_is_a_range() -> None:
    assert named_places([1, 2, 4, 5, 6, *range(8, 201)]) == "1, 2, 4–6, 8–200"
