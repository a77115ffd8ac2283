"""Pictures of the doubles that take a tenth of the time: squares of colour instead of a drawing. Most tests look at none."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import numpy as np
from pack.simulator import drawing
from pack.simulator.drawing import Card
from PIL import Image

SIDE = 32
"""Pixels of a square's side."""


def encode(card: Card, form: str) -> bytes:
    """As `drawing.encode`: the same card gives the same bytes, another card others."""
    if card.mode != "RGB":
        return drawing.encode(card, form)
    facts = [*card.facts(), card.variety, card.slot, card.prompt, card.footnote]
    seed = hashlib.sha256(repr(facts).encode("utf-8", "backslashreplace"))
    for each in card.thumbnails:
        seed.update(each.tobytes())
    chance = np.random.default_rng(int.from_bytes(seed.digest(), "big"))
    squares = chance.integers(0, 256, (-(-card.height // SIDE), -(-card.width // SIDE), 3), dtype=np.uint8)
    rows = squares.repeat(SIDE, axis=1)[:, : card.width]
    if form == "png":
        return _png(rows, card.height)
    image = Image.fromarray(np.ascontiguousarray(rows.repeat(SIDE, axis=0)[: card.height]))
    out = io.BytesIO()
    if form == "jpeg":
        image.save(out, "JPEG", quality=93, subsampling=0)
    else:
        image.save(out, "WEBP", lossless=True, quality=0, method=0)
    return out.getvalue()


def _png(rows: np.ndarray, height: int) -> bytes:
    """Of each row of squares only the first line is written; the others are "as above", which is quickly packed and read."""
    count, width, _ = rows.shape
    lines = np.zeros((count, SIDE, 1 + width * 3), np.uint8)
    lines[:, 0, 1:] = rows.reshape(count, -1)
    lines[:, 1:, 0] = 2  # the filter "up": the difference to the line above
    pixels = lines.reshape(count * SIDE, -1)[:height].tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(pixels, 1)), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
