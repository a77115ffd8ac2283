"""The photographs that benchmarks measure with: scikit-image's samples, of which nothing is shipped.

`dev.py bench` installs scikit-image beside everything else and names its folder in the variable PHOTOS; a folder with other
photographs serves, too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SAMPLES = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "motorcycle_left.png", "retina.jpg",
           "rocket.jpg")  # fmt: skip
"""scikit-image's photographs, by which the constants of registration were chosen."""
_TILE = 512


def photographs(names: Sequence[str] = SAMPLES) -> dict[str, Image.Image]:
    """The photographs by name: those of scikit-image in the folder PHOTOS, or all that are in a folder without any of them.

    Raises SystemExit where there are none.
    """
    folder = Path(os.environ.get("PHOTOS", ""))
    paths = [folder / name for name in names if (folder / name).is_file()]
    paths = paths or [path for path in sorted(folder.iterdir()) if path.suffix in (".png", ".jpg", ".jpeg", ".webp")]
    if not os.environ.get("PHOTOS") or not paths:
        raise SystemExit("name a folder with photographs in the variable PHOTOS, or run `python3 dev.py bench`")
    return {path.stem: Image.open(path).convert("RGB") for path in paths}


def mosaic(side: int) -> np.ndarray:
    """A square picture of the photographs, uint8 RGB: tiles of 512 px at their own scale, small ones mirrored."""
    tiles = cycle([_tile(np.asarray(photo)) for photo in photographs().values()])
    count = -(-side // _TILE)
    rows = [np.concatenate(list(islice(tiles, count)), axis=1) for _ in range(count)]
    return np.ascontiguousarray(np.concatenate(rows)[:side, :side])


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / 255.0)


def _tile(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    missing = [(0, max(0, _TILE - length)) for length in (height, width)]
    top, left = max(0, height - _TILE) // 2, max(0, width - _TILE) // 2
    return np.pad(pixels, [*missing, (0, 0)], "symmetric")[top : top + _TILE, left : left + _TILE]
