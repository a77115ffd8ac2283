"""Fourteen 4K references on all cores: how long they hold the interpreter, and how much faster two cores are than one.

Run by `python3 dev.py bench references`. The figures of cores are wall times, so they count on a quiet machine only; on a
busy one the CPU time of the threads says how the work was divided. Linux only: threads are tied to cores.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from unittest.mock import patch

import torch
from measuring import Gaps, Table, is_quiet
from pack.core.images import parallel
from pack.core.images.parallel import on_all_cores
from pack.core.images.picture import Encoded, Picture
from pack.nodes import tensors
from photographs import as_tensor, mosaic

COUNT, SIDE = 14, 4096
PAIRS, NEEDED = 7, 5


def references(frames: Sequence[torch.Tensor]) -> list[Picture]:
    return [tensors.picture(frame, "image") for frame in frames]


def seconds(frames: Sequence[torch.Tensor], cores: int) -> tuple[float, float]:
    """Wall seconds to encode them, and how many times the CPU time of the busiest thread all threads together took."""
    everywhere = os.sched_getaffinity(0)
    worked: defaultdict[int, float] = defaultdict(float)

    def encode(picture: Picture) -> Encoded:
        begun = time.thread_time()
        file = picture.encoded("webp")
        worked[threading.get_ident()] += time.thread_time() - begun
        return file

    os.sched_setaffinity(0, sorted(everywhere)[:cores])
    try:
        begun = time.perf_counter()
        with patch.object(parallel, "CORES", cores):
            on_all_cores(encode, references(frames))
        return time.perf_counter() - begun, sum(worked.values()) / max(worked.values())
    finally:
        os.sched_setaffinity(0, everywhere)


def main() -> int:
    if sys.platform != "linux":
        print("Linux only.")
        return 0
    whole = as_tensor(mosaic(SIDE))
    frames = [whole.roll(index * 37, 0) for index in range(COUNT)]
    table = Table(f"{COUNT} references of {SIDE}x{SIDE}")
    holds = []
    for _ in range(3):
        gaps = Gaps()
        on_all_cores(lambda picture: picture.encoded("webp"), references(frames))
        holds.append(gaps.end())
    quiet = is_quiet()
    table.line("longest hold of the interpreter", min(holds), 50, " ms", counts=quiet)
    if parallel.CORES < 2:
        return table.end()
    speeds, divided = [], []
    for _ in range(PAIRS):
        one, _ = seconds(frames, 1)
        two, share = seconds(frames, 2)
        speeds.append(one / two)
        divided.append(share)
    quiet = quiet and is_quiet()
    speed = sorted(speeds, reverse=True)[NEEDED - 1]
    note = f"reached by {NEEDED} of {PAIRS} pairs of runs"
    table.line("two cores against one", speed, 1.6, at_least=True, note=note, counts=quiet)
    table.line("CPU of both threads against the busier one", min(divided), 1.6, at_least=True)
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
