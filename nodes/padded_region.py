"""A padded region at a smaller size: what is beyond the picture is reflected after the picture was made smaller.

A narrow ratio may need a region of several times the picture (32000x4000 px in one of 8000x4000), which would take gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ..core.images.picture import Pixels
from .region import reflection

_STRIP = 8 << 20
"""Values of the picture that are made smaller at a time."""
_LANCZOS_REACH = 3
"""px of the smaller picture that Lanczos' window reaches on each side."""


@dataclass(frozen=True)
class _Side:
    """One side of a region, and how it is made smaller: px `first` to `last` of the `sent` ones show the picture."""

    before: int
    """px of padding in front of the picture, and `length` those of the picture."""
    length: int
    after: int
    sent: int

    @property
    def step(self) -> float:
        """px of the region for each that is sent."""
        return (self.before + self.length + self.after) / self.sent

    @property
    def first(self) -> int:
        return int(self.before / self.step)

    @property
    def last(self) -> int:
        return min(self.sent, math.ceil((self.before + self.length) / self.step))

    @property
    def margin(self) -> int:
        """px beyond the picture that its outermost px are made of."""
        return math.ceil((_LANCZOS_REACH + 1) * self.step)

    def widened(self) -> np.ndarray:
        """Indices into the picture that go on beyond it as far as its outermost px need."""
        return reflection(self.length, min(self.before, self.margin), min(self.after, self.margin)).numpy()

    def box(self) -> tuple[float, float]:
        """Where px `first` to `last` are among the widened ones."""
        begin = self.before - min(self.before, self.margin)
        return self.first * self.step - begin, self.last * self.step - begin

    def canvas(self) -> np.ndarray:
        """Indices into px `first` to `last` that fill all that is sent."""
        return reflection(self.last - self.first, self.first, self.sent - self.last).numpy()


def padded_and_reduced(
    inside: torch.Tensor,
    padding: tuple[int, int, int, int],
    size: tuple[int, int],
    pixels: Callable[[torch.Tensor], Pixels],
    resample: Image.Resampling,
) -> Pixels:
    """`inside` [h, w, ...], padded by `padding` px (left, top, right, bottom) of its reflection, at a smaller size (w, h).

    `pixels` makes uint8 [h, w, C] of some rows. They are made smaller a strip at a time, so that no copy of `inside` is made.
    """
    left, top, right, bottom = padding
    across, down = _Side(left, inside.shape[1], right, size[0]), _Side(top, inside.shape[0], bottom, size[1])
    columns, rows = across.widened(), max(1, _STRIP // (across.length * 3))
    narrow = []
    for begin in range(0, down.length, rows):
        strip = pixels(inside[begin : begin + rows])[:, columns]
        box = (across.box()[0], 0.0, across.box()[1], float(len(strip)))
        narrow.append(_resized(strip, (across.last - across.first, len(strip)), resample, box))
    whole = np.concatenate(narrow)[down.widened()]
    box = (0.0, down.box()[0], float(whole.shape[1]), down.box()[1])
    small = _resized(whole, (whole.shape[1], down.last - down.first), resample, box)
    return np.ascontiguousarray(small[down.canvas()][:, across.canvas()])


def _resized(
    pixels: Pixels, size: tuple[int, int], resample: Image.Resampling, box: tuple[float, float, float, float]
) -> Pixels:
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, resample, box))
