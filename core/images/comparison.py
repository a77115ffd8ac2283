"""Whether one picture is another one, encoded again: a JPEG of it, or a small version."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .decoding import Pixels

_BLOCK = 16
"""Pixels a side whose means are compared: the noise of a JPEG is gone in them, and an edit of that size is not."""
_SHORTEST_SIDE = 64
"""Smaller pictures have too few blocks."""
_SMALL_SIDE = 512
"""The longest side of what counts as a small version; a larger picture of another size was drawn anew."""
_MOST_MEAN, _MOST_BLOCK = 1.0, 6.0
"""Levels of 255 by which all blocks together, and any single one, may differ. JPEG of quality 40 stays below; a picture that
a model has drawn anew differs by more nearly everywhere, a local edit in some block."""
_LEAST_CONTRAST = 4.0
"""The standard deviation of the blocks of a picture that can be told from others; a plain one can't."""


def may_repeat(size: tuple[int, int], original: tuple[int, int]) -> bool:
    """Whether a picture of `size` (width, height) can be the `original`, by their sizes alone: it costs no decoding."""
    if min(size) < _SHORTEST_SIDE:
        return False
    if size == original:
        return True
    ratio = size[0] * original[1] / (size[1] * original[0])
    return max(size) <= _SMALL_SIDE and size[0] < original[0] and abs(ratio - 1) < 0.01


def is_repeated(pixels: Pixels, original: Pixels) -> bool:
    """Whether `pixels` show what `original` shows and nothing else. Both uint8 `[H, W, C]`; alpha is not looked at."""
    height, width = pixels.shape[:2]
    grid = max(1, width // _BLOCK), max(1, height // _BLOCK)
    first, second = _means(pixels, grid), _means(original, grid)
    if second.reshape(-1, 3).std(axis=0).max() < _LEAST_CONTRAST:
        return False
    differences = np.abs(first - second)
    return bool(differences.mean() <= _MOST_MEAN and differences.max() <= _MOST_BLOCK)


def _means(pixels: Pixels, grid: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    return np.asarray(image.resize(grid, Image.Resampling.BOX), np.float32)
