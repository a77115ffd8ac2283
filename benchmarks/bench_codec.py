"""References into files and results into tensors, against the host's own partner nodes and against Pillow.

Run by `python3 dev.py bench codec`. All figures are CPU seconds of the process. The pictures: see `photographs`.
"""

from __future__ import annotations

import base64
import io
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from measuring import Table, flat, gradient, noise, paired_cpu
from pack.core.http.body import Base64
from pack.core.images.picture import decode
from pack.nodes import tensors
from partner_nodes import partner_encoder
from photographs import as_tensor, mosaic, photographs
from PIL import Image

SMALL = 512


def main() -> int:
    with partner_encoder() as partner:
        return 1 if against_partner(partner) + made_pictures(partner) + fixed_costs() + decoding() else 0


def against_partner(partner: Callable[[torch.Tensor], str]) -> int:
    """Each photograph, and a large picture of all of them."""
    table = Table("encode photographs losslessly, CPU and bytes against tensor_to_base64_string without downscale")
    pictures = {name: np.asarray(photo) for name, photo in photographs().items()}
    pictures["mosaic"] = mosaic(2048)
    speeds, sizes = [], []
    for name, pixels in pictures.items():
        speed, size = compared(pixels, partner)
        speeds.append(speed)
        sizes.append(size)
        note = f"{pixels.shape[1]}x{pixels.shape[0]}, {size:.2f}x the bytes"
        table.line(f"{name}: times less CPU", speed, 1, at_least=True, note=note)
    table.line("geometric mean: times less CPU", geometric_mean(speeds), 4, at_least=True)
    table.line("geometric mean: bytes", geometric_mean(sizes), 0.9)
    return table.end()


def made_pictures(partner: Callable[[torch.Tensor], str]) -> int:
    """What no camera makes."""
    table = Table("the same for made pictures of 2048x2048")
    for name, pixels in (("noise", noise(2048)), ("gradient", gradient(2048)), ("flat art", flat(2048))):
        speed, size = compared(pixels, partner)
        table.line(f"{name}: times less CPU", speed, 1, at_least=True)
        table.line(f"{name}: bytes", size, 1.25)
    return table.end()


def compared(pixels: np.ndarray, partner: Callable[[torch.Tensor], str]) -> tuple[float, float]:
    """How many times less CPU a picture takes here than in the partner nodes, and its bytes against theirs."""
    tensor = as_tensor(pixels)

    def ours() -> bytes:
        return b"".join(Base64(tensors.picture(tensor, "x").encoded("webp").data))

    a, b = ours(), partner(tensor)
    assert np.array_equal(decode(base64.b64decode(a)), pixels)
    ours_seconds, theirs = paired_cpu(ours, partial(partner, tensor), 3 if pixels.size > 3 << 20 else 9)
    return theirs / ours_seconds, len(a) / len(b)


def fixed_costs() -> int:
    """Conversion, digest, copies and locks of a small reference, against what the encoder alone takes."""
    table = Table(f"a reference of {SMALL}x{SMALL} from tensor to file, CPU against the bare encoder")
    pixels = mosaic(SMALL)
    tensor = as_tensor(pixels)

    def bare() -> None:
        options = {"lossless": True, "quality": 0, "method": 0, "exact": True}
        Image.fromarray(pixels).save(io.BytesIO(), "WEBP", **options)

    ours, encoder = paired_cpu(lambda: tensors.picture(tensor, "x").encoded("webp"), bare, 25)
    table.line("one photograph", ours / encoder, 1.3)
    return table.end()


def decoding() -> int:
    table = Table("decode a 4096x4096 PNG into a tensor, CPU against Pillow's decode plus one float conversion")
    out = io.BytesIO()
    Image.fromarray(mosaic(4096)).save(out, "PNG", compress_level=1)
    data = out.getvalue()

    def plain() -> torch.Tensor:
        return torch.from_numpy(np.asarray(Image.open(io.BytesIO(data))).astype(np.float32) / 255.0)

    ours, theirs = paired_cpu(lambda: tensors.image(decode(data)), plain, 3)
    table.line("one photograph", ours / theirs, 1.15)
    return table.end()


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


if __name__ == "__main__":
    sys.exit(main())
