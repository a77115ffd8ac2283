"""References into files and results into tensors, against the host's own partner nodes and against Pillow.

Run by `python3 dev.py bench codec`.
"""

from __future__ import annotations

import base64
import io
import sys

import numpy as np
import torch
from measuring import Table, flat, gradient, median_seconds, noise, photo
from pack.core.images.picture import Picture, decode
from pack.dev import launch
from pack.dev.environment import ready
from pack.nodes import tensors
from PIL import Image


def main() -> int:
    env = ready()
    sys.path.insert(0, str(env.comfyui))  # the partner nodes' own function, to be measured beside ours
    bridge = None if not env.fetched or launch.loads("torchvision") else launch.declare_operators()
    sys.argv = ["bench", "--cpu"]
    from comfy.cli_args import args  # reads the command line when it is imported

    args.cpu = True
    from comfy_api_nodes.util.conversions import tensor_to_base64_string

    table = Table("encode a 2048x2048 reference losslessly, against tensor_to_base64_string without downscale")
    for name, pixels in (
        ("photo", photo(2048)),
        ("noise", noise(2048)),
        ("gradient", gradient(2048)),
        ("flat", flat(2048)),
    ):
        tensor = torch.from_numpy(pixels.astype(np.float32) / 255.0)

        def ours(tensor: torch.Tensor = tensor) -> bytes:
            return base64.b64encode(tensors.picture(tensor, "x").encoded("webp").data)

        def theirs(tensor: torch.Tensor = tensor) -> str:
            return tensor_to_base64_string(tensor, total_pixels=None)

        a, b = ours(), theirs()
        assert np.array_equal(decode(base64.b64decode(a)), pixels)
        speed = median_seconds(theirs, 3) / median_seconds(ours, 5)
        is_photo = name == "photo"
        table.line(f"{name}: times faster", speed, 6 if is_photo else 1, at_least=True)
        table.line(f"{name}: bytes", len(a) / len(b), 1.15 if is_photo else 1.25)
        fast = median_seconds(lambda pixels=pixels: Picture.of(pixels).encoded("png"), 3)
        print(f"{'':44}(PNG for providers without WebP: {median_seconds(theirs, 1) / fast:.1f}x faster)")

    print()
    other = Table("decode a 4096x4096 PNG into a tensor, against Pillow's decode plus one float conversion")
    out = io.BytesIO()
    Image.fromarray(photo(4096)).save(out, "PNG", compress_level=1)
    data = out.getvalue()

    def plain() -> torch.Tensor:
        return torch.from_numpy(np.asarray(Image.open(io.BytesIO(data))).astype(np.float32) / 255.0)

    other.line("photo", median_seconds(lambda: tensors.image(decode(data)), 3) / median_seconds(plain, 3), 1.15)
    table.missed += other.missed
    del bridge
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
