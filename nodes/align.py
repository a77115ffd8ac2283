"""Registers a result against the picture it was made from: how it is shifted and scaled, and whether that can be trusted.

Models return pictures that are a few pixels off: shifted by a part of the size they work at, or zoomed by a percent. Both
pictures are compared in tiles, each of which votes with the peak of its phase correlation (Kuglin and Hines, 1975). Tiles
that were edited vote for anything, those that were kept vote alike, so the largest group of votes that one shift and scale
explain is the movement, and its share of the votes says how far to trust it. Least squares over the pixels that are alike
(Lucas and Kanade, 1981) then give the fraction of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .tensors import resampled

MEASURED_SIDE = 1024
"""The longest side in px at which pictures are compared: finer detail does not change a result by more than 0.1 px."""
TRUSTED_SHARE = 0.2
"""Least share of votes that agree: unrelated pictures reach 0.05, pictures of which half was replaced 0.4."""
TRUSTED_VOTES = 4
MAX_SCALE = 0.12
"""Largest zoom that is looked for, as a part of 1."""
_TILES = (128, 64, 32)
_LEAST_TILE = 16
"""px: in a smaller picture a peak has no neighbours on both sides, and there is nothing to measure."""
_TILES_A_SIDE = 5
"""Smaller tiles are taken where fewer than these fit beside each other: some votes agree by chance."""
_NEAR = 1.5
"""Votes agree when they are within this many px of measurement of one movement."""
_FLAT = 0.012
"""Tiles whose values deviate by less than this (of 0..1) have nothing to hold on to."""


_ALIKE = 0.8
"""Correlation from which two neighbourhoods show the same."""
_ROUNDS = 2
_LEAST_PIXELS, _MOST_PIXELS = 64, 120_000
"""Pixels that least squares need, and that are enough for them."""


@dataclass(frozen=True)
class Movement:
    """Where the content of the original is in the result, in px of the original.

    A point at (x, y) from the centre is at (sx * x + dx, sy * y + dy) from the centre of the result.
    """

    dx: float
    dy: float
    sx: float = 1.0
    sy: float = 1.0
    share: float = 1.0
    """Share of the textured, kept tiles that agree."""
    votes: int = 0

    @property
    def is_trusted(self) -> bool:
        return self.share >= TRUSTED_SHARE and self.votes >= TRUSTED_VOTES


def movement(
    original: torch.Tensor, result: torch.Tensor, kept: torch.Tensor | None = None, *, with_scale: bool = False
) -> Movement | None:
    """How `result` is moved against `original`, both float [H, W, 3] of one size, 0..1, on the CPU.

    `kept`: [H, W], above 0 where the result should show what the original does; everywhere without it.
    None where too little is kept or textured for any measure; see `Movement.is_trusted` for whether its parts agree.
    """
    height, width = original.shape[:2]
    factor = min(1.0, MEASURED_SIDE / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    a, b = _grey(original, size), _grey(result, size)
    weight = None if kept is None else _scaled(kept.float().unsqueeze(-1), size) > 0.999
    for side in _TILES:
        if side * _TILES_A_SIDE > min(size) and side != _TILES[-1]:
            continue
        votes = _vote(a, b, weight, side)
        if votes is not None and len(votes.x) >= TRUSTED_VOTES:
            break
    else:
        return None
    coarse = _agreed(votes, with_scale)
    moved = _refined(a, b, weight, votes, coarse, with_scale)
    share = float(moved.near(votes).float().mean())
    horizontal, vertical = width / size[1], height / size[0]
    return Movement(moved.dx * horizontal, moved.dy * vertical, moved.sx, moved.sy, share, int(moved.near(votes).sum()))


def put_right(result: torch.Tensor, original: torch.Tensor, moved: Movement) -> torch.Tensor:
    """`result` [H, W, C] with its movement undone; edges that it does not cover come from `original`, of the same shape."""
    height, width = result.shape[:2]
    columns = _positions(width, moved.sx, moved.dx)
    rows = _positions(height, moved.sy, moved.dy)
    out = resampled(resampled(result, 1, columns), 0, rows).clamp_(0, 1)
    bare_columns, bare_rows = _beyond(columns, width), _beyond(rows, height)
    out[:, bare_columns] = original[:, bare_columns]
    out[bare_rows] = original[bare_rows]
    return out


def _positions(length: int, scale: float, shift: float) -> torch.Tensor:
    """Where in the result each px of the original is along one side."""
    middle = (length - 1) / 2
    return (torch.arange(length, dtype=torch.float64) - middle) * scale + middle + shift


def _beyond(positions: torch.Tensor, length: int) -> torch.Tensor:
    return (positions < -0.5) | (positions > length - 0.5)


@dataclass
class _Votes:
    """Centres of tiles, from the picture's centre, and the displacement that each votes for; float [N], px."""

    x: torch.Tensor
    y: torch.Tensor
    dx: torch.Tensor
    dy: torch.Tensor
    side: int
    left: torch.Tensor
    top: torch.Tensor


@dataclass
class _Model:
    dx: float
    dy: float
    sx: float = 1.0
    sy: float = 1.0

    def near(self, votes: _Votes) -> torch.Tensor:
        off_x = votes.dx - (self.dx + (self.sx - 1) * votes.x)
        off_y = votes.dy - (self.dy + (self.sy - 1) * votes.y)
        return (off_x.abs() < _NEAR) & (off_y.abs() < _NEAR)


def _grey(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Luma [h, w] at the size of measurement."""
    return _scaled((picture[..., :3] @ torch.tensor([0.299, 0.587, 0.114])).unsqueeze(-1), size)


def _scaled(plane: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(plane.shape[:2]) == size:
        return plane[..., 0].contiguous()
    moved = plane.movedim(-1, 0)[None]
    return torch.nn.functional.interpolate(moved, size=size, mode="bilinear", antialias=True, align_corners=False)[0, 0]


def _vote(a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor | None, side: int) -> _Votes | None:
    """The displacement of each textured tile, by phase correlation; None where there is no such tile."""
    height, width = a.shape
    side = min(side, height, width)
    if side < _LEAST_TILE:
        return None
    step = max(1, side // 2)
    tops = torch.arange(0, height - side + 1, step)
    lefts = torch.arange(0, width - side + 1, step)
    first = a.unfold(0, side, step).unfold(1, side, step).reshape(-1, side, side)
    second = b.unfold(0, side, step).unfold(1, side, step).reshape(-1, side, side)
    top, left = (each.reshape(-1) for each in torch.meshgrid(tops, lefts, indexing="ij"))
    good = (first.std((1, 2), correction=0) > _FLAT) & (second.std((1, 2), correction=0) > _FLAT)
    if weight is not None:
        good &= weight.float().unfold(0, side, step).unfold(1, side, step).reshape(-1, side * side).mean(1) > 0.9
    first, second, top, left = first[good], second[good], top[good], left[good]
    if not len(first):
        return None
    window = torch.hann_window(side, periodic=True)
    window = window[:, None] * window[None]
    spectra = [torch.fft.rfft2((tiles - tiles.mean((1, 2), keepdim=True)) * window) for tiles in (first, second)]
    cross = spectra[1] * spectra[0].conj()
    across = torch.fft.rfftfreq(side)[None] ** 2 + torch.fft.fftfreq(side)[:, None] ** 2
    # High frequencies are where two renderings of one picture differ most.
    cross = cross / (cross.abs() + 1e-6) * torch.exp(-across / (2 * 0.18**2))
    surface = torch.fft.irfft2(cross, s=(side, side))
    reach = side * 3 // 8
    surface = torch.roll(surface, (side // 2, side // 2), (1, 2))
    lo, hi = side // 2 - reach, side // 2 + reach + 1
    # In a negative, the valley is where the picture is, and each peak is a ripple beside it.
    is_peak = surface.amax((1, 2)) > -surface.amin((1, 2))
    surface, top, left = surface[is_peak], top[is_peak], left[is_peak]
    if not len(surface):
        return None
    inner = surface[:, lo:hi, lo:hi]
    best = inner.reshape(len(inner), -1).argmax(1)
    rows, columns = best // inner.shape[2] + lo, best % inner.shape[2] + lo
    each = torch.arange(len(surface))

    def peak(before: torch.Tensor, at: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """The vertex of a parabola through three values."""
        bend = before - 2 * at + after
        return torch.where(bend.abs() > 1e-9, 0.5 * (before - after) / bend, torch.zeros(())).clamp(-0.5, 0.5)

    at = surface[each, rows, columns]
    dy = rows - side // 2 + peak(surface[each, rows - 1, columns], at, surface[each, rows + 1, columns])
    dx = columns - side // 2 + peak(surface[each, rows, columns - 1], at, surface[each, rows, columns + 1])
    x = left + (side - 1) / 2 - (width - 1) / 2
    y = top + (side - 1) / 2 - (height - 1) / 2
    return _Votes(x, y, dx, dy, side, left, top)


def _agreed(votes: _Votes, with_scale: bool) -> _Model:
    """The movement that most votes are near to."""
    ones = torch.ones_like(votes.dx)
    parameters = torch.stack([votes.dx, votes.dy, ones, ones], 1)
    if with_scale and len(votes.x) > 1:
        parameters = torch.cat([parameters, _scales(votes)])
    off_x = votes.dx[None] - (parameters[:, 0:1] + (parameters[:, 2:3] - 1) * votes.x[None])
    off_y = votes.dy[None] - (parameters[:, 1:2] + (parameters[:, 3:4] - 1) * votes.y[None])
    near = (off_x.abs() < _NEAR) & (off_y.abs() < _NEAR)
    distance = torch.where(near, off_x.abs() + off_y.abs(), torch.zeros(())).sum(1)
    best = int((near.sum(1).float() - 0.01 * distance).argmax())
    agreeing = near[best]
    return _fitted(votes, agreeing, with_scale) if int(agreeing.sum()) > 1 else _Model(*parameters[best].tolist())


def _scales(votes: _Votes) -> torch.Tensor:
    """The movements [N, 4] (dx, dy, sx, sy) that pairs of votes stand for."""
    pairs = torch.randint(len(votes.x), (600, 2), generator=torch.Generator().manual_seed(1))
    i, j = pairs[:, 0], pairs[:, 1]
    across, down = votes.x[i] - votes.x[j], votes.y[i] - votes.y[j]
    wide, high = across.abs() >= votes.side, down.abs() >= votes.side
    sx = 1 + (votes.dx[i] - votes.dx[j]) / torch.where(wide, across, torch.ones(()))
    sy = 1 + (votes.dy[i] - votes.dy[j]) / torch.where(high, down, torch.ones(()))
    # Models zoom nearly alike in both directions; where a pair says nothing of one, the other stands for it.
    sx, sy = torch.where(wide, sx, sy), torch.where(high, sy, sx)
    dx, dy = votes.dx[i] - (sx - 1) * votes.x[i], votes.dy[i] - (sy - 1) * votes.y[i]
    usable = (wide | high) & ((sx - 1).abs() < MAX_SCALE) & ((sy - 1).abs() < MAX_SCALE)
    return torch.stack([dx, dy, sx, sy], 1)[usable]


def _fitted(votes: _Votes, agreeing: torch.Tensor, with_scale: bool) -> _Model:
    """Least squares through the votes that agree."""

    def line(at: torch.Tensor, values: torch.Tensor) -> tuple[float, float]:
        middle = at.mean()
        spread = ((at - middle) ** 2).sum()
        if not with_scale or float(spread) < votes.side**2:
            return float(values.median()), 1.0
        slope = ((at - middle) * (values - values.mean())).sum() / spread
        slope = slope.clamp(-MAX_SCALE, MAX_SCALE)
        return float(values.mean() - slope * middle), float(1 + slope)

    dx, sx = line(votes.x[agreeing], votes.dx[agreeing])
    dy, sy = line(votes.y[agreeing], votes.dy[agreeing])
    return _Model(dx, dy, sx, sy)


def _refined(
    a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor | None, votes: _Votes, model: _Model, with_scale: bool
) -> _Model:
    """`model` to a fraction of a pixel: least squares over the pixels that are alike once it is undone."""
    first, second = _banded(a), _banded(b)
    planes = torch.stack([second, *_slopes(second)])[None]
    found = model
    # What is alike is seen better with the better model.
    for _ in range(_ROUNDS):
        use = _alike(first, _at(second, found))
        if weight is not None:
            use &= weight
        use[:2], use[-2:], use[:, :2], use[:, -2:] = False, False, False, False
        ys, xs = torch.nonzero(use, as_tuple=True)
        if len(xs) < _LEAST_PIXELS:
            return model
        if len(xs) > _MOST_PIXELS:
            some = torch.linspace(0, len(xs) - 1, _MOST_PIXELS).long()
            ys, xs = ys[some], xs[some]
        better = _least_squares(first[ys, xs], planes, xs, ys, found, with_scale)
        if better is None:
            return model
        found = better
    # Least squares may run away from the votes where a picture repeats itself.
    return found if int(found.near(votes).sum()) >= int(model.near(votes).sum()) * 0.8 else model


def _slopes(plane: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much a plane rises per px, to the right and down."""
    right, down = (plane[:, 2:] - plane[:, :-2]) / 2, (plane[2:] - plane[:-2]) / 2
    return torch.nn.functional.pad(right, (1, 1)), torch.nn.functional.pad(down, (0, 0, 1, 1))


def _least_squares(
    values: torch.Tensor, planes: torch.Tensor, xs: torch.Tensor, ys: torch.Tensor, model: _Model, with_scale: bool
) -> _Model | None:
    """The model near `model` that brings `planes` (the other picture and its slopes) closest to `values` at xs, ys.

    Pixels that differ by much count for little (Tukey's weights). None where it does not settle.
    """
    height, width = planes.shape[-2:]
    x, y = xs - (width - 1) / 2, ys - (height - 1) / 2
    p = torch.tensor([model.dx, model.dy, model.sx, model.sy], dtype=torch.float64)
    for _ in range(5):
        at_x, at_y = float(p[2]) * x + float(p[0]), float(p[3]) * y + float(p[1])
        grid = torch.stack([at_x * 2 / (width - 1), at_y * 2 / (height - 1)], -1)[None, None].float()
        seen = torch.nn.functional.grid_sample(planes, grid, mode="bilinear", align_corners=True)[0, :, 0]
        rest = values - seen[0]
        inside = (grid[0, 0].abs() <= 1).all(-1)
        scale = 1.4826 * rest[inside].abs().median().clamp(min=1e-5) if bool(inside.any()) else torch.ones(())
        w = (1 - (rest / (4.685 * scale)).clamp(-1, 1) ** 2) ** 2 * inside
        columns = [seen[1], seen[2]]
        if with_scale:
            columns += [seen[1] * x, seen[2] * y]
        jacobian = torch.stack(columns, 1).double()
        weighted = jacobian * w[:, None].double()
        normal = jacobian.T @ weighted
        normal += torch.diag(normal.diagonal() * 1e-6 + 1e-12)
        step = torch.linalg.solve(normal, weighted.T @ rest.double())
        if not bool(torch.isfinite(step).all()) or float(step[:2].abs().max()) > 3:
            return None
        p[: len(step)] += step
        if float(step[:2].abs().max()) < 0.002:
            break
    return _Model(*p.tolist())


def _at(plane: torch.Tensor, model: _Model) -> torch.Tensor:
    """`plane` moved back by `model`."""
    height, width = plane.shape
    x = (torch.arange(width) - (width - 1) / 2) * model.sx + model.dx
    y = (torch.arange(height) - (height - 1) / 2) * model.sy + model.dy
    grid = torch.stack(torch.meshgrid(x * 2 / (width - 1), y * 2 / (height - 1), indexing="xy"), -1)[None]
    moved = torch.nn.functional.grid_sample(plane[None, None], grid.float(), mode="bilinear", align_corners=True)
    return moved[0, 0]


def _alike(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Where two planes show the same: their correlation in a neighbourhood of about 36 px is above _ALIKE."""
    both, first, second = (_spread(_box(_quarter(each), 9), a) for each in (a * b, a * a, b * b))
    return both > _ALIKE * (first * second).sqrt().clamp(min=1e-6)


def _banded(plane: torch.Tensor) -> torch.Tensor:
    """Without its slow changes (a model changes brightness and contrast) and without its noise."""
    fine = _box(_box(plane, 3), 3)
    wide = _spread(_blurred(plane), plane)
    local = plane - wide
    return (fine - wide) / (_spread(_blurred(local * local), plane).sqrt() + 0.02)


def _blurred(plane: torch.Tensor) -> torch.Tensor:
    """A quarter of `plane`, smoothed over about 40 px of it: what changes slowly needs no more values."""
    return _box(_box(_quarter(plane), 5), 5)


def _box(plane: torch.Tensor, side: int) -> torch.Tensor:
    """The mean in a square of `side` px (odd) around each value."""
    pooled = torch.nn.functional.avg_pool2d(plane[None, None], side, 1, side // 2, count_include_pad=False)
    return pooled[0, 0]


def _quarter(plane: torch.Tensor) -> torch.Tensor:
    """A plane at a quarter of its sides, each value the mean of a square of 4 px."""
    return torch.nn.functional.avg_pool2d(plane[None, None], 4, ceil_mode=True, count_include_pad=False)[0, 0]


def _spread(quarter: torch.Tensor, plane: torch.Tensor) -> torch.Tensor:
    """A quarter at the size of the plane that it was made of."""
    height, width = plane.shape
    whole = torch.nn.functional.interpolate(quarter[None, None], scale_factor=4, mode="bilinear", align_corners=False)
    return whole[0, 0, :height, :width]
