"""Feeds the decoder of pictures with broken ones, in a child process with limits of its address space and its CPU time.

Any picture may be refused; nothing else may come of it, above all no end of the process, and no memory and no time without
an end. An input is the file of a picture.
"""

from __future__ import annotations

import atexit
import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from random import Random

import inputs
import picture_child
from harness import Harness
from PIL import Image

CHILD = Path(__file__).with_name("picture_child.py")
INPUTS_A_CHILD = 20_000
_child: subprocess.Popen[bytes] | None = None
_given = 0


class Crash(AssertionError):
    """The child process ended."""


def run(data: bytes) -> None:
    """Has the child decode the picture; raises for anything but pixels or a refusal."""
    global _given
    if os.environ.get("NANO_BANANA_FUZZ_HERE"):
        outcome = picture_child.verdict(data)
        assert outcome in ("ok", "refused"), outcome
        return
    child = _running()
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(struct.pack(">I", len(data)) + data)
        child.stdin.flush()
        outcome = child.stdout.readline().decode("utf-8", "replace").strip()
    except BrokenPipeError:
        outcome = ""
    _given += 1
    if not outcome:
        code = child.wait(60)
        _stop()
        raise Crash(f"the decoder's process ended with {code}")
    assert outcome in ("ok", "refused"), outcome


def _running() -> subprocess.Popen[bytes]:
    global _child, _given
    if _child is None or _given >= INPUTS_A_CHILD:
        _stop()
        _given = 0
        # Warnings of the image library say nothing about the pack.
        _child = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    return _child


@atexit.register
def _stop() -> None:
    global _child
    if _child is not None:
        _child.kill()
        _child.wait(60)
        for pipe in (_child.stdin, _child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
        _child = None


# ------------------------------------------------------------------------------------------------ inputs


def _files() -> tuple[bytes, ...]:
    """Small pictures in every format that Pillow writes here, in several modes."""
    found = []
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16", "I", "F", "CMYK", "YCbCr", "LAB"):
        image = Image.new(mode, (9, 7))
        for form, more in (
            ("PNG", {}),
            ("JPEG", {}),
            ("JPEG", {"progressive": True, "quality": 30}),
            ("WEBP", {"lossless": True}),
            ("WEBP", {"quality": 20}),
            ("GIF", {}),
            ("TIFF", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("TIFF", {"compression": "tiff_adobe_deflate"}),
            ("BMP", {}),
            ("AVIF", {}),
        ):
            file = io.BytesIO()
            try:
                image.save(file, form, **more)
            except Exception:  # not every format has every mode
                continue
            found.append(file.getvalue())
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "TIFF", compression="jpeg")
    found.append(file.getvalue())
    frames = [Image.new("RGB", (9, 7), color) for color in ("red", "green", "blue")]
    for form in ("GIF", "WEBP", "TIFF", "PNG"):
        file = io.BytesIO()
        frames[0].save(file, form, save_all=True, append_images=frames[1:])
        found.append(file.getvalue())
    return tuple(found)


FILES = _files()


def make(rng: Random) -> bytes:
    draw = rng.random()
    if draw < 0.12:
        return inputs.mutated_bytes(_large(rng), rng)
    if draw < 0.2:
        return rng.choice(
            (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
        ) + rng.randbytes(rng.randrange(200))
    return mutate(rng.choice(FILES), rng, FILES)


def _large(rng: Random) -> bytes:
    """A PNG that claims a size of its own choice, with chunks of any kind."""
    width, height = (rng.choice((0, 1, 7, 3000, 16384, 17000, 65535, 2**31 - 1, 2**32 - 1)) for _ in range(2))
    depth, colour = rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 5))
    head = inputs.png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, rng.randrange(3)))
    more = b"".join(
        inputs.png_chunk(
            rng.choice((b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"gAMA")),
            _chunk_data(rng),
        )
        for _ in range(rng.randrange(3))
    )
    data = zlib.compress(b"\0" * rng.choice((0, 10, 4000)), 1)
    return b"\x89PNG\r\n\x1a\n" + head + more + inputs.png_chunk(b"IDAT", data) + inputs.png_chunk(b"IEND", b"")


_PACKED = tuple(zlib.compress(b"x" * size, 9) for size in (10, 100_000, 3_000_000))


def _chunk_data(rng: Random) -> bytes:
    draw = rng.random()
    if draw < 0.3:
        return b"a\0\0" + rng.choice(_PACKED)
    return rng.randbytes(rng.choice((0, 1, 3, 26, 768)))


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    changed = inputs.mutated_bytes(data, rng, others or FILES)
    return _with_sums(changed) if changed[:4] == b"\x89PNG" and rng.random() < 0.7 else changed


def _with_sums(data: bytes) -> bytes:
    """A PNG with right checksums: a wrong one ends the decoder before it reads anything."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        size = struct.unpack(">I", out[at : at + 4])[0]
        end = at + 8 + size
        if end + 4 > len(out):
            break
        out[end : end + 4] = struct.pack(">I", zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


HARNESS = Harness(
    "pictures",
    run,
    make,
    mutate,
    ("core/images/decoding.py", "core/images/strips.py", "core/images/header.py"),
    inputs_in_suite=1500,
    examples=30,
)
