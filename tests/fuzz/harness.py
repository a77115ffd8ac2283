"""What a harness is, and the loop that feeds it.

An input is bytes, so that hypothesis, the loop here and a coverage-guided fuzzer can all feed the same harness and a crash is
a file. `python3 dev.py fuzz` runs the loop; `test_fuzz.py` runs a bounded part of it.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.machinery
import importlib.util
import random
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = Path(__file__).resolve().parent / "seeds"

if "pack" not in sys.modules:
    spec = importlib.machinery.ModuleSpec("pack", None, is_package=True)
    spec.submodule_search_locations = [str(ROOT)]
    sys.modules["pack"] = importlib.util.module_from_spec(spec)

LONG_SEED = 20_000
"""Bytes from which a seed takes part less often: it would take most of the time."""


class Slow(AssertionError):
    """An input took more CPU time than its size allows."""


@dataclass(frozen=True)
class Harness:
    """One entry of the pack that reads what others wrote."""

    name: str
    run: Callable[[bytes], None]
    """Reads an input; raises for what must not happen."""
    make: Callable[[random.Random], bytes]
    """A new input."""
    mutate: Callable[[bytes, random.Random, Sequence[bytes]], bytes]
    """An input like this one; the others may lend parts."""
    subjects: tuple[str, ...]
    """The files that it attacks, relative to the clone."""
    prepare: Callable[[], None] = lambda: None
    """Called before each input, outside its time: loads what the harness needs."""
    cpu_seconds: float = 1.0
    """CPU time that one input may take. The longest inputs take 0.06 s, so only work beyond linear comes near it."""
    inputs_in_suite: int = 2000
    """How many inputs the bounded run gives it."""
    examples: int = 100
    """How many examples hypothesis gives it there."""

    def seeds(self) -> dict[str, bytes]:
        """The kept inputs by file name, each crash of the past among them."""
        folder = SEEDS / self.name
        return {file.name: file.read_bytes() for file in sorted(folder.iterdir())} if folder.is_dir() else {}

    def check(self, data: bytes) -> None:
        """Runs an input; raises what it raises, and Slow."""
        self.prepare()
        began = time.perf_counter()
        self.run(data)
        if time.perf_counter() - began > self.cpu_seconds:
            # It may have waited for other processes. Asking for CPU time each time would take longer than most inputs.
            self._measure(data)

    def _measure(self, data: bytes) -> None:
        self.prepare()
        began = time.process_time()
        self.run(data)
        spent = time.process_time() - began
        if spent > self.cpu_seconds:
            raise Slow(f"{len(data)} bytes took {spent:.1f} s of CPU time")


@dataclass
class Finding:
    """An input that broke a promise."""

    where: str
    """The kind of error and the last line of the pack that it came through."""
    data: bytes
    trace: str
    number: int
    times: int = 1

    @property
    def name(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:12]


@dataclass
class Report:
    """What came of a run of the loop."""

    harness: str
    seed: int
    inputs: int = 0
    seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    def text(self) -> str:
        """The report as a person reads it."""
        rate = self.inputs / self.seconds if self.seconds else 0.0
        lines = [f"{self.harness}: {self.inputs} inputs, {rate:.0f} per second, seed {self.seed}"]
        for finding in self.findings.values():
            lines.append(f"  {finding.where} ({finding.times} times; input {finding.number}, file {finding.name})")
        return "\n".join(lines)


def input_of(harness: Harness, seeds: Sequence[bytes], seed: int, number: int) -> bytes:
    """The input with this number of the run with this seed: the same each time."""
    rng = random.Random(seed * 1_000_003 + number)
    if not seeds or rng.random() < 0.35:
        return harness.make(rng)
    data = rng.choice(seeds)
    if len(data) > LONG_SEED and rng.random() < 0.9:  # most of the time would be spent on the long ones
        data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        data = harness.mutate(data, rng, seeds)
    return data


def fuzz(
    harness: Harness,
    seed: int,
    *,
    inputs: int = sys.maxsize,
    seconds: float = float("inf"),
    first: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Feeds a harness until it has had so many inputs, so much time, or `stop` says so."""
    seeds = list(harness.seeds().values())
    report = Report(harness.name, seed)
    began = time.monotonic()
    gc.freeze()
    for number in range(first, first + inputs):
        data = input_of(harness, seeds, seed, number)
        try:
            harness.check(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            _note(report, error, data, number)
        report.inputs += 1
        if not number % 64:
            report.seconds = time.monotonic() - began
            if report.seconds > seconds or stop():
                break
    report.seconds = time.monotonic() - began
    return report


def _note(report: Report, error: BaseException, data: bytes, number: int) -> None:
    where = place_of(error)
    known = report.findings.get(where)
    if known is None:
        trace = "".join(traceback.format_exception(error, limit=-12))[-6000:]
        report.findings[where] = Finding(where, data, trace, number)
        return
    known.times += 1
    if len(data) < len(known.data):
        known.data, known.number = data, number


def place_of(error: BaseException) -> str:
    """What an error is and where: its type and the last line that it came through, of the pack's own code if any."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if str(ROOT) in frame.filename and "/tests/" not in frame.filename]
    frame = (own or list(frames))[-1]
    path = Path(frame.filename)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    words = f": {error}"[:120] if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} at {shown}:{frame.lineno}{words}"
