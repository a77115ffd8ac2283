"""What an order of a thousand frames takes: memory, and the journal's time for each picture, against an order of ten.

Run by `dev.py bench`. Each order is made in a process of its own, against the double of Google in another: frames of 384x384,
each with a reference of its own, written, uploaded as a file, and collected until every picture is stored.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Table, photo
from pack.core.engine import Engine
from pack.core.execution.orders import order
from pack.core.images.picture import Picture
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Options, Request
from pack.dev.doubles_process import DoublesProcess

SIZES = (10, 1000)
SIDE = 384
MOST_GROWTH = 64.0
"""MB that the larger order may take beyond the smaller one."""


class _JournalClock:
    """Processor time that all threads spend in write transactions of one journal, and how many there are."""

    def __init__(self, engine: Engine) -> None:
        self.seconds, self.count = 0.0, 0
        self._lock = threading.Lock()
        database = engine.ledger.database
        self._write = database.write
        database.write = self._timed  # type: ignore[method-assign]

    @contextmanager
    def _timed(self, *given: Any, **more: Any) -> Iterator[Any]:
        begun = time.thread_time()
        try:
            with self._write(*given, **more) as connection:
                yield connection
        finally:
            with self._lock:
                self.seconds += time.thread_time() - begun
                self.count += 1


def peak() -> float:
    """The most memory that this process has had, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measure(frames: int, url: str) -> dict[str, float]:
    """One order of that many frames, from the run to the last picture."""
    order.FIRST_PAUSE = order.LONGEST_PAUSE = 0.2
    base = photo(SIDE + 64)
    with tempfile.TemporaryDirectory() as folder:
        environ = {"NANO_BANANA_GOOGLE_API_KEY": "sim-bench", "NANO_BANANA_GOOGLE_BASE_URL": f"{url}/google"}
        engine = Engine(Path(folder), environ=environ | {"NANO_BANANA_CAP_RUN": "none", "NANO_BANANA_CAP_DAY": "none"})
        ended = threading.Event()
        engine.orders.on_end = lambda end: ended.set()
        engine.ledger.look_up(["begin"])
        clock = _JournalClock(engine)

        def frame(number: int) -> Picture:
            def load() -> np.ndarray:
                left, top = number % 64, number // 64
                return np.ascontiguousarray(base[top : top + SIDE, left : left + SIDE])

            return Picture(load, SIDE, SIDE, 3)

        wanted = [
            Request("edit", "[[sim: small]] redraw", Options(delivery="batch"), references=(frame(n),), frame=n)
            for n in range(frames)
        ]
        begun = time.perf_counter()
        run = engine.run(wanted, engine.plan(ProviderChoice("google"), wanted))
        run.done.wait()
        placed = time.perf_counter() - begun
        assert run.error is None and all(task.order for task in run.tasks), run.error
        assert ended.wait(900)
        pictures = len(list((Path(folder) / "results").glob("*/*.turn.json")))
        assert pictures == frames, f"{pictures} of {frames} pictures have their turn"
        return {
            "peak": peak(),
            "journal_ms": clock.seconds * 1000 / frames,
            "transactions": clock.count / frames,
            "placed": placed,
            "seconds": time.perf_counter() - begun,
        }


def main() -> int:
    if len(sys.argv) == 3:
        print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
        return 0
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        doubles = DoublesProcess(Path(folder))
        try:
            for frames in SIZES:
                command = [sys.executable, __file__, str(frames), doubles.url]
                found[frames] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        finally:
            doubles.stop()
    few, many = (found[frames] for frames in SIZES)
    table = Table(f"an order of {SIZES[1]:,} frames, against one of {SIZES[0]}")
    table.line("memory beyond it", many["peak"] - few["peak"], MOST_GROWTH, "MB", note=f"peak {many['peak']:.0f} MB")
    note = f"{many['journal_ms']:.1f} ms of processor time"
    table.line("journal's time per picture", many["journal_ms"] / few["journal_ms"], 1.2, note=note)
    note = f"placed in {many['placed']:.0f} s, all stored after {many['seconds']:.0f} s"
    table.line("transactions per picture", many["transactions"], 3.0, "", note=note)
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
