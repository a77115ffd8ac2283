"""Names the places of many elements of a list in few words."""

from __future__ import annotations

from collections.abc import Sequence

_SHORTEST_RANGE = 3


def named_places(numbers: Sequence[int]) -> str:
    """`numbers`, ascending, as "1, 4–9": three and more in a row are a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) >= _SHORTEST_RANGE else ", ".join(map(str, run)) for run in runs)
