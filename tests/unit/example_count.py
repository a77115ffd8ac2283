"""How many examples a property tries that wants more or fewer than others."""

from __future__ import annotations

from hypothesis import settings


def examples(count: int) -> int:
    """`count` with --long, and without it the share of them that other properties try, at least 5."""
    return max(5, count * settings().max_examples // 100)
