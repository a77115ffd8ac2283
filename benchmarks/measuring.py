"""What the benchmarks share: the pack under its test name, pictures to measure with, and a table that says whether a bar holds.

Every figure is a ratio against something measured in the same run on the same machine.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FIGURES = "FIGURES"
_QUIET_SPREAD = 0.05

if "pack" not in sys.modules:
    spec = importlib.machinery.ModuleSpec("pack", None, is_package=True)
    spec.submodule_search_locations = [str(ROOT)]
    sys.modules["pack"] = importlib.util.module_from_spec(spec)


def photo(side: int, seed: int = 1) -> np.ndarray:
    """A picture with the statistics of a photograph: structure on all scales, soft edges, a little sensor noise."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    picture = np.zeros((side, side, 3), np.float32)
    cells = 4
    while cells <= side // 2:
        small = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        for channel in range(3):
            layer = Image.fromarray(small[..., channel]).resize((side, side), Image.Resampling.BICUBIC)
            picture[..., channel] += np.asarray(layer) * (60 / cells**0.75)
        cells *= 2
    grey = picture.mean(2, keepdims=True)
    picture = grey + (picture - grey) * 0.4
    picture = 120 + picture * (48 / picture.std()) + rng.normal(0, 1.5, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def noise(side: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (side, side, 3), dtype=np.uint8)


def gradient(side: int) -> np.ndarray:
    x = np.linspace(0, 255, side)
    return np.stack([np.tile(x, (side, 1)), np.tile(x[:, None], (1, side)), (x[None] + x[:, None]) / 2], 2).astype(
        np.uint8
    )


def flat(side: int) -> np.ndarray:
    """Flat art: a few hundred rectangles of plain colour."""
    rng = np.random.default_rng(3)
    picture = np.full((side, side, 3), 240, np.uint8)
    for _ in range(300):
        top, left = rng.integers(0, side, 2)
        height, width = rng.integers(side // 40, side // 4, 2)
        picture[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return picture


def median_seconds(work: Callable[[], Any], rounds: int = 5) -> float:
    """The median of some rounds after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def paired_cpu(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int = 5) -> tuple[float, float]:
    """CPU seconds of this process, all its threads, for two pieces of work: medians over rounds in turn, one warms up.

    Wall time says nothing on a machine that does other work, too.
    """
    pairs = []
    for _ in range(rounds + 1):
        pair = []
        for work in (ours, theirs):
            _settle()
            begun = time.process_time()
            work()
            pair.append(time.process_time() - begun)
        pairs.append(pair)
    first, second = (statistics.median(each) for each in zip(*pairs[1:], strict=True))
    return first, second


def _settle() -> None:
    """Waits until what other threads still do for the work before is done; a second at most."""
    for _ in range(50):
        worked = time.process_time()
        time.sleep(0.02)
        if time.process_time() - worked < 0.001:
            return


def is_quiet() -> bool:
    """Whether the same work takes the same time again and again: if not, wall times say nothing about us."""
    times = []
    for _ in range(9):
        begun = time.perf_counter()
        sum(range(2_000_000))
        times.append(time.perf_counter() - begun)
    spread = max(times) / min(times) - 1
    if spread >= _QUIET_SPREAD:
        print(f"(this machine is busy: the same loop varies by {spread:.0%}, so bars of wall time don't count)")
    return spread < _QUIET_SPREAD


class Gaps:
    """The longest gap between the ticks of a thread, no longer than the CPU time of this process in it."""

    def __init__(self) -> None:
        self.longest, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def _tick(self) -> None:
        last, worked = time.perf_counter(), time.process_time()
        while not self._over.is_set():
            time.sleep(0.001)
            now, work = time.perf_counter(), time.process_time()
            self.longest = max(self.longest, min(now - last, work - worked))
            last, worked = now, work

    def end(self) -> float:
        """The gap in ms."""
        self._over.set()
        self._thread.join()
        return self.longest * 1000


class Table:
    """Prints a line per figure and remembers whether all bars held.

    The figures also go as lines of JSON into the file that the variable FIGURES names: `dev.py bench` makes one table of all.
    """

    def __init__(self, title: str) -> None:
        self.missed, self._title = 0, title
        print(f"{title}\n{'':44}{'figure':>10} {'bar':>10}")

    def line(
        self,
        name: str,
        value: float,
        bar: float,
        unit: str = "x",
        *,
        at_least: bool = False,
        note: str = "",
        counts: bool = True,
    ) -> None:
        """`counts`: whether a missed bar is a failure."""
        good = value >= bar if at_least else value <= bar
        self.missed += counts and not good
        sign = ">=" if at_least else "<="
        missed = "" if good else "MISSED " if counts else "missed on a busy machine "
        print(f"{name:44}{value:>9.2f}{unit} {sign} {bar:g}{unit} {missed}{note}", flush=True)
        if path := os.environ.get(FIGURES):
            figure = {"table": self._title, "name": name, "value": value, "bar": bar, "unit": unit, "at_least": at_least,
                      "note": note, "counts": counts}  # fmt: skip
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(figure) + "\n")

    def end(self) -> int:
        """Exit code: 1 when a bar was missed."""
        return 1 if self.missed else 0
