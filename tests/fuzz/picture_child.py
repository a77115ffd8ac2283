"""Decodes pictures in a process of its own, so that a crash of a decoder, or its memory, is one finding and not the end.

Reads the length and the bytes of a picture from stdin, and answers each with a line: `ok`, `refused`, or what went wrong.
"""

from __future__ import annotations

import resource
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness  # noqa: E402, F401  (puts the pack under its name)
from pack.core.images import decoding  # noqa: E402
from pack.core.images.decoding import MAX_PIXELS, UnreadablePicture, measure  # noqa: E402

ADDRESS_SPACE = 4 << 30
BEYOND = 400 << 20
"""Bytes beyond its pixels, and Pillow's four bytes for each, that a picture may take."""
CPU_SECONDS = 2.0
"""CPU time that a picture may take, and once more for each `PIXELS_A_SECOND` of its pixels."""
PIXELS_A_SECOND = 5_000_000
CPU_END = 120
"""CPU seconds for one picture after which the system ends this process."""
WHOLE_WAY = 400
"""Of so many pictures one may go the pack's whole way, which starts a process for some; the others are decoded here."""
_count = 0


def peak() -> int:
    """The most memory that this process has ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def verdict(data: bytes) -> str:
    """What comes of a picture; raises whatever is not a refusal."""
    global _count
    _count += 1
    before, began = peak(), time.process_time()
    size = (0, 0)
    try:
        size = measure(data)
        whole = _count % WHOLE_WAY == 0
        pixels = decoding.decode(data) if whole else decoding._decoded_in_process(data)
    except UnreadablePicture:
        outcome, cost = "refused", 0
    else:
        good = pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.dtype == "uint8" and pixels.size
        outcome, cost = ("ok" if good else f"pixels of shape {pixels.shape} {pixels.dtype}"), pixels.nbytes
    grown, spent, claimed = peak() - before, time.process_time() - began, min(size[0] * size[1], MAX_PIXELS)
    if grown > cost + claimed * 8 + BEYOND:
        return f"{grown >> 20} MB more for {size[0]}x{size[1]} ({outcome})"
    if spent > CPU_SECONDS * (1 + claimed / PIXELS_A_SECOND):
        return f"{spent:.1f} s of CPU time for {size[0]}x{size[1]} ({outcome})"
    return outcome


def main() -> None:
    """Answers until stdin ends."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    incoming, outgoing = sys.stdin.buffer, sys.stdout
    while head := incoming.read(4):
        data = incoming.read(struct.unpack(">I", head)[0])
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + CPU_END, resource.RLIM_INFINITY))
        try:
            outcome = verdict(data)
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"[:300].replace("\n", " ")
        outgoing.write(outcome + "\n")
        outgoing.flush()


if __name__ == "__main__":
    main()
