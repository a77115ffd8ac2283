"""A line of an aligned table on the console. Used by `demo_command.py` and `test_command.py`."""

from collections.abc import Sequence


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The cells, each padded to its width; a longer one keeps its whole text."""
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
