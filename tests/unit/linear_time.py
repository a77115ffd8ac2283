"""Measures that twice the input takes about twice the time, on a machine that does other things as well."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def assert_linear(work: Callable[[T], object], half: T, whole: T, *, slack: float, tries: int = 12) -> None:
    """`work(whole)` takes at most 2.5 times as long as `work(half)`, of half the length, and `slack` seconds.

    Both are CPU seconds of this thread, the least of as many measurements as it takes, at most `tries`.
    """

    def seconds(value: T) -> float:
        begun = time.thread_time()
        work(value)
        return time.thread_time() - begun

    once = twice = float("inf")
    for _ in range(tries):
        once, twice = min(once, seconds(half)), min(twice, seconds(whole))
        if twice <= 2.5 * once + slack:
            return
    pytest.fail(f"{once * 1000:.2f} ms for half of it, {twice * 1000:.2f} ms for all")
