"""A movement to a fraction of a pixel: least squares over the pixels that are alike (Lucas and Kanade, 1981).

Both pictures are normalised by the mean and the deviation of their neighbourhoods, as models change brightness and contrast.
A neighbourhood that reaches into an edit is normalised by what the edit shows, so a pixel counts for less the less of its
neighbourhood is alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .tile_votes import Model, Votes

_ALIKE = 0.8
"""Correlation from which two neighbourhoods show the same."""
_STEEP = 8
"""Power of the share of a neighbourhood that is alike: where a tenth of it was edited, a pixel counts for 43 %."""
_LEAST_WEIGHT = 0.001
"""What a pixel counts for whose neighbourhood is mostly edited: enough to decide where there is no better one."""
_ROUNDS = 2
_STEPS = 5
_SETTLED, _LOST = 0.002, 3
"""px of a step below which the movement has settled, and above which it runs away."""
_LEAST_PIXELS, _MOST_PIXELS = 64, 120_000
"""Pixels that least squares need, and that are enough for them."""
_QUIET = 0.05
"""Deviation (of 0..1) below which a neighbourhood is mostly noise, and counts for less."""
_CELL = 4
"""px of the squares in which likeness is measured."""
_STEEP_ENOUGH = 2 / 255
"""Slope of 0..1 a px at which a quarter of a px changes a value by half a step of 8 bits: what is flatter is rounded away."""


@dataclass(frozen=True)
class Pair:
    """Two planes [h, w] to compare at the size of measurement."""

    first: torch.Tensor
    second: torch.Tensor
    """Both normalised."""
    smooth: torch.Tensor
    """What `first` was before it was normalised, 0..1, with less noise."""
    kept: torch.Tensor | None = None
    """bool, where `second` should show what `first` does; everywhere without it."""

    @classmethod
    def of(cls, original: torch.Tensor, result: torch.Tensor, kept: torch.Tensor | None = None) -> Pair:
        """Of two planes of 0..1."""
        return cls(normalised(original), normalised(result), _box(original, 3), kept)


@dataclass(frozen=True)
class System:
    """Weighted least squares at one movement: how the differences at some pixels change with its parameters."""

    xs: torch.Tensor
    ys: torch.Tensor
    jacobian: torch.Tensor
    """[n, 2] for dx and dy, or [n, 4] with sx and sy."""
    rest: torch.Tensor
    """[n], what `first` is above `second`."""
    weight: torch.Tensor
    normal: torch.Tensor
    """The normal equations' matrix."""


def refined(pair: Pair, votes: Votes, model: Model, with_scale: bool) -> Model:
    """`model`, the movement of the second plane against the first one, to a fraction of a pixel; `model` where that fails.

    `votes`: those that `model` was found by.
    """
    found = model
    # What is alike is seen better with the better model.
    for _ in range(_ROUNDS):
        xs, ys, weight = _pixels(pair, found)
        better = _least_squares(pair, xs, ys, weight, found, with_scale) if len(xs) >= _LEAST_PIXELS else None
        if better is None:
            return model
        found = better
    # Least squares may run away from the votes where a picture repeats itself.
    return found if int(found.near(votes).sum()) >= int(model.near(votes).sum()) * 0.8 else model


def compared(pair: Pair, model: Model, with_scale: bool) -> System | None:
    """The least squares at `model`; None where too little is alike."""
    xs, ys, weight = _pixels(pair, model)
    if len(xs) < _LEAST_PIXELS:
        return None
    return _system(pair, xs, ys, weight, _jacobian(pair.first, xs, ys, with_scale), model)


def likeness(pair: Pair, model: Model) -> torch.Tensor:
    """How much the pixels of each cell count, 0..1, [h / 4, w / 4], the second plane being moved by `model`."""
    a, b = pair.first[::2, ::2].contiguous(), moved_back(pair.second, model, 2)
    both, squares_a, squares_b = (_box(_cells(each, _CELL // 2), 7) for each in (a * b, a * a, b * b))
    alike = both > _ALIKE * (squares_a * squares_b).sqrt().clamp(min=1e-6)
    if pair.kept is not None:
        alike &= _cells(pair.kept.float()) > 0.999
    # At the picture's edge, too, neighbourhoods differ: the movement brings other content into them.
    share = _box(_box(alike.float(), 5, zeros_beyond=True), 5, zeros_beyond=True)
    return torch.where(alike, share**_STEEP + _LEAST_WEIGHT, torch.zeros(()))


def _pixels(pair: Pair, model: Model) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Columns, rows and weights of the pixels to compare: as many in each cell, at another place in each."""
    weights, (height, width) = likeness(pair, model), pair.first.shape
    rows, columns = torch.nonzero(weights, as_tuple=True)
    if not len(rows):
        return columns, rows, weights[rows, columns]
    count = max(1, min(_CELL**2, _MOST_PIXELS // len(rows)))
    # 7 has no divisor in common with 16, so the places in a cell differ.
    places = (torch.arange(count)[None] * 7 + torch.arange(len(rows))[:, None] * 3) % _CELL**2
    xs = (columns[:, None] * _CELL + places % _CELL).reshape(-1)
    ys = (rows[:, None] * _CELL + places // _CELL).reshape(-1)
    weight = weights[rows, columns].repeat_interleave(count)
    # Slopes need a pixel on both sides; the last cells reach beyond the picture.
    inside = (xs > 0) & (xs < width - 1) & (ys > 0) & (ys < height - 1)
    xs, ys = xs[inside], ys[inside]
    across, down = _slopes(pair.smooth, xs, ys)
    square = across**2 + down**2
    return xs, ys, weight[inside] * square / (square + _STEEP_ENOUGH**2)


def _slopes(plane: torch.Tensor, xs: torch.Tensor, ys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """By how much a plane rises a px at (xs, ys), across and down."""
    return (plane[ys, xs + 1] - plane[ys, xs - 1]) / 2, (plane[ys + 1, xs] - plane[ys - 1, xs]) / 2


def _least_squares(
    pair: Pair, xs: torch.Tensor, ys: torch.Tensor, weight: torch.Tensor, model: Model, with_scale: bool
) -> Model | None:
    """The model near `model` that brings the second plane closest to the first at xs, ys; None where it does not settle.

    Pixels that differ by much count for little (Tukey's weights).
    """
    jacobian = _jacobian(pair.first, xs, ys, with_scale)
    p = torch.tensor([model.dx, model.dy, model.sx, model.sy], dtype=torch.float64)
    for _ in range(_STEPS):
        system = _system(pair, xs, ys, weight, jacobian, Model(*p.tolist()))
        if system is None:
            return None
        step = torch.linalg.solve(system.normal, jacobian.T @ (system.weight * system.rest))
        if not bool(torch.isfinite(step).all()) or float(step[:2].abs().max()) > _LOST:
            return None
        p[: len(step)] += step
        if float(step[:2].abs().max()) < _SETTLED:
            break
    return Model(*p.tolist())


def _jacobian(first: torch.Tensor, xs: torch.Tensor, ys: torch.Tensor, with_scale: bool) -> torch.Tensor:
    columns = [*_slopes(first, xs, ys)]
    if with_scale:
        height, width = first.shape
        columns += [columns[0] * (xs - (width - 1) / 2), columns[1] * (ys - (height - 1) / 2)]
    return torch.stack(columns, 1).double()


def _system(
    pair: Pair,
    xs: torch.Tensor,
    ys: torch.Tensor,
    weight: torch.Tensor,
    jacobian: torch.Tensor,
    model: Model,
) -> System | None:
    """The least squares at xs, ys, the second plane being moved by `model`; None where that brings none into the picture."""
    height, width = pair.second.shape
    x, y = xs - (width - 1) / 2, ys - (height - 1) / 2
    at_x, at_y = model.sx * x + model.dx, model.sy * y + model.dy
    grid = torch.stack([at_x * 2 / (width - 1), at_y * 2 / (height - 1)], -1)[None, None].float()
    rest = pair.first[ys, xs] - _sampled(pair.second, grid)[0]
    inside = (grid[0, 0].abs() <= 1).all(-1)
    if not bool(inside.any()):
        return None
    scale = 1.4826 * rest[inside].abs().median().clamp(min=1e-5)
    w = ((1 - (rest / (4.685 * scale)).clamp(-1, 1) ** 2) ** 2 * inside * weight).double()
    normal = jacobian.T @ (jacobian * w[:, None])
    normal += torch.diag(normal.diagonal() * 1e-6 + 1e-12)
    return System(xs, ys, jacobian, rest.double(), w, normal)


def moved_back(plane: torch.Tensor, model: Model, step: int) -> torch.Tensor:
    """Each `step`-th value of `plane` moved back by `model`; 0 beyond the plane."""
    height, width = plane.shape
    x = (torch.arange(0, width, step) - (width - 1) / 2) * model.sx + model.dx
    y = (torch.arange(0, height, step) - (height - 1) / 2) * model.sy + model.dy
    grid = torch.stack(torch.meshgrid(x * 2 / (width - 1), y * 2 / (height - 1), indexing="xy"), -1)[None]
    return _sampled(plane, grid.float())


def _sampled(plane: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.grid_sample(plane[None, None], grid, mode="bilinear", align_corners=True)[0, 0]


def normalised(plane: torch.Tensor) -> torch.Tensor:
    """Without its slow changes, in units of its deviation in a neighbourhood of about 36 px, and with less noise."""
    wide = _spread(_blurred(plane), plane)
    local = plane - wide
    deviation = _spread(_blurred(local * local), plane).sqrt_()
    return (_box(plane, 3) - wide).div_(deviation.add_(_QUIET))


def _blurred(plane: torch.Tensor) -> torch.Tensor:
    """The cells of a plane, smoothed over about 36 px of it: what changes slowly needs no more values."""
    return _box(_box(_cells(plane), 5), 5)


def _box(plane: torch.Tensor, side: int, zeros_beyond: bool = False) -> torch.Tensor:
    """The mean in a square of `side` px (odd) around each value; beyond the plane is nothing, or zeros."""
    pooled = torch.nn.functional.avg_pool2d(plane[None, None], side, 1, side // 2, count_include_pad=zeros_beyond)
    return pooled[0, 0]


def _cells(plane: torch.Tensor, side: int = _CELL) -> torch.Tensor:
    """The means of the squares of `side` px of a plane."""
    return torch.nn.functional.avg_pool2d(plane[None, None], side, ceil_mode=True, count_include_pad=False)[0, 0]


def _spread(cells: torch.Tensor, plane: torch.Tensor) -> torch.Tensor:
    """Cells at the size of the plane that they were made of."""
    height, width = plane.shape
    whole = torch.nn.functional.interpolate(cells[None, None], scale_factor=_CELL, mode="bilinear", align_corners=False)
    return whole[0, 0, :height, :width]
