"""Feeds the simulator's reader of multipart bodies: only Problem may come out of it.

An input is the Content-Type, a line feed, and the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import inputs
from harness import Harness
from pack.simulator.multipart import parse_multipart, single_texts
from pack.simulator.problem import Problem

_TYPES = inputs.words("multipart", "types")
_LINES = inputs.words("multipart", "lines")


def run(data: bytes) -> None:
    """Reads the body; a Problem has a status and words."""
    kind, _, body = data.partition(b"\n")
    try:
        parts = parse_multipart(kind.decode("latin-1"), body)
        for part in parts:
            assert part.name and isinstance(part.content, bytes), "a part without a name"
        single_texts(parts, files=("image",))
    except Problem as problem:
        assert 400 <= problem.status < 500, "not the sender's fault"


def make(rng: Random) -> bytes:
    boundary = b"--abc"
    pieces = []
    for _ in range(rng.randrange(4)):
        lines = "\r\n".join(rng.choice(_LINES) for _ in range(rng.choice((1, 1, 2, 3)))).encode("latin-1")
        content = rng.choice(
            (b"x", b"", inputs.PNG, b"\r\n--ab", b"--abc", inputs.text(rng).encode("utf-8", "surrogatepass"))
        )
        pieces.append(boundary + b"\r\n" + lines + b"\r\n\r\n" + content + b"\r\n")
    end = rng.choice((b"--abc--\r\n", b"--abc--", b"--abc", b"", b"--abc--\r\nmore"))
    data = rng.choice(_TYPES).encode("latin-1") + b"\n" + b"".join(pieces) + end
    return inputs.mutated_bytes(data, rng) if rng.random() < 0.3 else data


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return inputs.mutated_bytes(data, rng, others)


HARNESS = Harness("multipart", run, make, mutate, ("simulator/multipart.py",), inputs_in_suite=6000)
