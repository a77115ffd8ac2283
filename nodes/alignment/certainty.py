"""How certain a measured movement is: whether another one would explain the pictures as well, and how large its error may be.

A picture that repeats itself (tiles, fabric, stripes) is explained by many movements. A picture in another technique (pencil,
comic) is explained by none well, and the edges of its parts seem to be moved by different ways.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .subpixel import Pair, compared, likeness, moved_back
from .tile_votes import Model

_REACH = 64
"""Largest other shift that is tried, px in each direction."""
_BESIDE = 3
"""px from which a shift is another one: below, what was measured explains the pictures nearly as well by itself."""
_RIVALS = 5
"""Other shifts that are looked at between whole px, too."""
_SAME = 0.003
"""Difference, as a part of what is compared, below which two pictures are the same."""
_LEAST_OVERLAP = 0.4
"""Share of what is alike that another shift has to leave in the picture."""
_BLOCK = 64
"""px of the squares whose errors are taken as independent of each other."""
_LEAST_BLOCK = 16
_LEAST_FREEDOM = 3
"""Squares, as if all said as much, above the number of parameters: with fewer, nothing can be said."""
_CELL = 4
"""px of a square of likeness."""


def lead(pair: Pair, model: Model) -> float:
    """How many times as much the planes of a pair differ by the best other shift as by `model`.

    Around 1 where the picture repeats itself, or has edges in one direction only; 0 where nothing is alike.
    """
    first = pair.first
    height, width = first.shape
    weight = likeness(pair, model).repeat_interleave(_CELL, 0).repeat_interleave(_CELL, 1)
    second = moved_back(pair.second, model, 1)
    seen = moved_back(torch.ones_like(second), model, 1) > 0.999
    weight = weight[:height, :width] * seen
    down, across = min(_REACH, height - 1), min(_REACH, width - 1)
    size = (_fast_length(height + down), _fast_length(width + across))

    def spectrum(plane: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft2(plane, s=size)

    def by_shift(product: torch.Tensor) -> torch.Tensor:
        """[2 * down + 1, 2 * across + 1], no shift in the middle."""
        rolled = torch.roll(torch.fft.irfft2(product, s=size), (down, across), (0, 1))
        return rolled[: 2 * down + 1, : 2 * across + 1]

    # The sum of w * (first - second)^2 for all shifts at once, and that of w * first^2 where `second` is seen.
    weighted = first * weight
    own = spectrum(weighted * first).conj_physical_().mul_(spectrum(seen.float()))
    other = spectrum(weight).conj_physical_().mul_(spectrum(second * second * seen))
    both = spectrum(weighted).conj_physical_().mul_(spectrum(second * seen))
    energy = by_shift(own)
    difference = (own + other).div_(2).sub_(both)
    rest = by_shift(difference) / energy.clamp(min=1e-6)
    if float(energy[down, across]) <= 1e-3:
        return 0.0
    found = max(float(rest[down, across]), _SAME)
    distance = torch.arange(-down, down + 1)[:, None] ** 2 + torch.arange(-across, across + 1)[None] ** 2
    rest[(distance < _BESIDE**2) | (energy < _LEAST_OVERLAP * energy[down, across])] = float("inf")
    best = float("inf")
    for _ in range(_RIVALS):
        row, column = divmod(int(rest.argmin()), rest.shape[1])
        if not bool(torch.isfinite(rest[row, column])):
            break
        between = _between_px(difference, size, row - down, column - across) / float(energy[row, column])
        best = min(best, between)
        rest[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = float("inf")
    return best / found if best < float("inf") else 0.0


def _between_px(spectrum: torch.Tensor, size: tuple[int, int], dy: int, dx: int) -> float:
    """The least value within half a px of (dy, dx) of the plane of `size` that has this spectrum (as of `rfft2`)."""
    offsets = torch.linspace(-0.5, 0.5, 9, dtype=torch.float64)
    height, width = size
    rows = torch.fft.fftfreq(height, dtype=torch.float64)
    columns = torch.fft.rfftfreq(width, dtype=torch.float64)
    down = torch.exp(2j * math.pi * (dy + offsets)[:, None] * rows[None]).to(torch.complex64)
    across = torch.exp(2j * math.pi * (dx + offsets)[None] * columns[:, None]).to(torch.complex64)
    # Each of the columns stands for its mirror image, too, the first and, in an even width, the last one for none.
    across[1 : (width + 1) // 2] *= 2
    return float((down @ spectrum @ across).real.min()) / (height * width)


def _fast_length(length: int) -> int:
    """The next length that has no other prime factors than 2, 3 and 5."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1


@dataclass(frozen=True)
class Certainty:
    """How far a movement may be wrong, px at the size of measurement."""

    error: float = float("inf")
    """99 % of random errors are below this at the corner where they are largest, in one direction."""
    rest: float = float("inf")
    """What is left of the difference between the pictures, as the movement of each px by itself that would make it.

    A part of a px in a photograph; more where its edges were drawn again beside their places.
    """


def certainty(pair: Pair, model: Model, with_scale: bool) -> Certainty:
    """How certain `model` is, by what it would be without each of the squares of the picture (the jackknife of Tukey, 1958).

    Noise of single pixels averages out in a square, edges that were redrawn beside their places do not. A square on which
    the whole movement hangs, as at a corner that is far from all that was kept, makes it uncertain.
    """
    height, width = pair.first.shape
    system = compared(pair, model, with_scale)
    if system is None:
        return Certainty()
    side = max(_LEAST_BLOCK, min(_BLOCK, min(height, width) // 4))
    block = (system.ys // side) * (-(-width // side)) + system.xs // side
    count, parameters = int(block.max()) + 1, system.jacobian.shape[1]
    weighted = system.jacobian * system.weight[:, None]
    pulls = torch.zeros(count, parameters, dtype=torch.float64).index_add_(0, block, weighted * system.rest[:, None])
    products = (weighted[:, :, None] * system.jacobian[:, None]).flatten(1)
    parts = torch.zeros(count, parameters**2, dtype=torch.float64).index_add_(0, block, products)
    used = (parts != 0).any(1)
    squares = parts[used].unflatten(1, (parameters, parameters))
    # What each square has of the information. As many equal squares would say as much as these do.
    share = torch.linalg.solve(system.normal, squares).diagonal(dim1=1, dim2=2).sum(1) / parameters
    freedom = float(1 / (share**2).sum()) - parameters if len(share) else 0.0
    if not freedom >= _LEAST_FREEDOM:
        return Certainty()
    without = system.normal - squares
    moves = torch.linalg.solve(without, pulls.sum(0) - pulls[used])
    moves -= moves.mean(0)
    covariance = moves.T @ moves * ((len(moves) - 1) / len(moves))
    error = _at_corners(covariance, width, height) * _student(freedom)
    slopes = float((weighted[:, :2] * system.jacobian[:, :2]).sum())
    rest = float((system.weight * system.rest**2).sum())
    return Certainty(error if math.isfinite(error) else float("inf"), (2 * rest / max(slopes, 1e-12)) ** 0.5)


def _at_corners(covariance: torch.Tensor, width: int, height: int) -> float:
    """The standard error, px in one direction, at the corner where it is largest."""
    variances = []
    for axis, length in enumerate((width, height)):
        for end in (-length / 2, length / 2):
            direction = torch.zeros(len(covariance), dtype=torch.float64)
            direction[axis] = 1
            if len(covariance) > 2:
                direction[axis + 2] = end
            variances.append(float(direction @ covariance @ direction))
    return max(0.0, *variances) ** 0.5


def _student(freedom: float) -> float:
    """How many standard errors 99 % of measurements are within, by Student's distribution (its expansion by Fisher)."""
    return 2.576 + 4.917 / freedom + 8.84 / freedom**2 + 12.15 / freedom**3
