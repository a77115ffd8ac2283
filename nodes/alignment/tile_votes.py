"""Votes of tiles on how one picture is moved against another, and the movement that most of them agree on.

Each tile votes with the peak of its phase correlation (Kuglin and Hines, 1975). Tiles that were edited vote for anything,
those that were kept vote alike, so the largest group of votes that one shift and scale explain is the movement.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

MAX_SCALE = 0.12
"""Largest zoom that is looked for, as a part of 1."""
_LEAST_TILE = 16
"""px: in a smaller picture a peak has no neighbours on both sides, and there is nothing to measure."""
_FLAT = 0.012
"""Tiles whose values deviate by less than this (of 0..1) have nothing to hold on to."""
_KEPT_SHARE = 0.9
"""Share of a tile that has to be kept."""
_NEAR = 1.5
"""Votes agree when they are within this many px of one movement."""
_PAIRS = 600
"""Pairs of votes that are tried for a scale."""


@dataclass
class Votes:
    """Centres of tiles, from the picture's centre, and the displacement that each votes for; float [N], px."""

    x: torch.Tensor
    y: torch.Tensor
    dx: torch.Tensor
    dy: torch.Tensor
    side: int
    """px of a tile."""

    def of(self, which: torch.Tensor) -> Votes:
        """Some of them, by a bool [N]."""
        return Votes(self.x[which], self.y[which], self.dx[which], self.dy[which], self.side)


@dataclass
class Model:
    """A movement at the size of measurement: a point at (x, y) from the centre goes to (sx * x + dx, sy * y + dy)."""

    dx: float
    dy: float
    sx: float = 1.0
    sy: float = 1.0

    def near(self, votes: Votes) -> torch.Tensor:
        """Which votes agree with it, bool [N]."""
        off_x = votes.dx - (self.dx + (self.sx - 1) * votes.x)
        off_y = votes.dy - (self.dy + (self.sy - 1) * votes.y)
        return (off_x.abs() < _NEAR) & (off_y.abs() < _NEAR)


def tile_votes(a: torch.Tensor, b: torch.Tensor, kept: torch.Tensor | None, side: int) -> Votes | None:
    """The votes of the textured tiles of `side` px, half overlapping, of two planes [h, w]; None where there is none.

    `kept`: bool [h, w]; a tile of which less was kept has no vote.
    """
    height, width = a.shape
    side = min(side, height, width)
    if side < _LEAST_TILE:
        return None
    step = max(1, side // 2)
    lefts = torch.arange(0, width - side + 1, step)
    window, low_pass = _window(side), _low_pass(side)
    found = []
    # A row of tiles at a time fits into the processor's cache.
    for top in range(0, height - side + 1, step):
        first, second = (_tiles(plane[top : top + side], side, step) for plane in (a, b))
        good = (first.std((1, 2), correction=0) > _FLAT) & (second.std((1, 2), correction=0) > _FLAT)
        if kept is not None:
            good &= _tiles(kept[top : top + side].float(), side, step).mean((1, 2)) > _KEPT_SHARE
        if not bool(good.any()):
            continue
        dx, dy, is_peak = _shifts(_surfaces(first[good], second[good], window, low_pass))
        left = lefts[good]
        found.append(torch.stack([left, torch.full_like(left, top), dx, dy], 1)[is_peak])
    x, y, dx, dy = torch.cat(found).unbind(1) if found else torch.empty(4, 0)
    if not len(x):
        return None
    return Votes(x + (side - 1) / 2 - (width - 1) / 2, y + (side - 1) / 2 - (height - 1) / 2, dx, dy, side)


def _tiles(rows: torch.Tensor, side: int, step: int) -> torch.Tensor:
    """The tiles [n, side, side] of rows [side, w]."""
    return rows.unfold(1, side, step).transpose(0, 1).contiguous()


def _window(side: int) -> torch.Tensor:
    window = torch.hann_window(side, periodic=True)
    return window[:, None] * window[None]


def _low_pass(side: int) -> torch.Tensor:
    """High frequencies are where two renderings of one picture differ most."""
    square = torch.fft.rfftfreq(side)[None] ** 2 + torch.fft.fftfreq(side)[:, None] ** 2
    return torch.exp(-square / (2 * 0.18**2))


def _surfaces(first: torch.Tensor, second: torch.Tensor, window: torch.Tensor, low_pass: torch.Tensor) -> torch.Tensor:
    """The phase correlation of each pair of tiles, no displacement in the middle."""
    side = first.shape[-1]
    spectra = [torch.fft.rfft2((tiles - tiles.mean((1, 2), keepdim=True)) * window) for tiles in (first, second)]
    cross = spectra[1] * spectra[0].conj()
    cross *= low_pass / (cross.abs() + 1e-6)
    return torch.roll(torch.fft.irfft2(cross, s=(side, side)), (side // 2, side // 2), (1, 2))


def _shifts(surface: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where each surface [n, side, side] has its peak, dx and dy [n] in px, and whether it is one."""
    side = surface.shape[-1]
    reach = side * 3 // 8
    lo, hi = side // 2 - reach, side // 2 + reach + 1
    # In a negative, the valley is where the picture is, and each peak is a ripple beside it.
    is_peak = surface.amax((1, 2)) > -surface.amin((1, 2))
    inner = surface[:, lo:hi, lo:hi]
    best = inner.reshape(len(inner), -1).argmax(1)
    rows, columns = best // inner.shape[2] + lo, best % inner.shape[2] + lo
    each = torch.arange(len(surface))
    at = surface[each, rows, columns]
    dy = rows - side // 2 + _vertex(surface[each, rows - 1, columns], at, surface[each, rows + 1, columns])
    dx = columns - side // 2 + _vertex(surface[each, rows, columns - 1], at, surface[each, rows, columns + 1])
    return dx, dy, is_peak


def _vertex(before: torch.Tensor, at: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """The vertex of a parabola through three values, from the middle one."""
    bend = before - 2 * at + after
    return torch.where(bend.abs() > 1e-9, 0.5 * (before - after) / bend, torch.zeros(())).clamp(-0.5, 0.5)


def agreed(votes: Votes, with_scale: bool) -> Model:
    """The movement that most votes are near to."""
    ones = torch.ones_like(votes.dx)
    parameters = torch.stack([votes.dx, votes.dy, ones, ones], 1)
    if with_scale and len(votes.x) > 1:
        parameters = torch.cat([parameters, _scales(votes)])
    off_x = votes.dx[None] - (parameters[:, 0:1] + (parameters[:, 2:3] - 1) * votes.x[None])
    off_y = votes.dy[None] - (parameters[:, 1:2] + (parameters[:, 3:4] - 1) * votes.y[None])
    # A near vote counts for more: with a scale to choose, a wrong movement finds as many votes at the limit by chance.
    score = ((1 - (off_x / _NEAR) ** 2).clamp(min=0) * (1 - (off_y / _NEAR) ** 2).clamp(min=0)).sum(1)
    best = Model(*parameters[int(score.argmax())].tolist())
    agreeing = best.near(votes)
    return _fitted(votes, agreeing, with_scale) if int(agreeing.sum()) > 1 else best


def _scales(votes: Votes) -> torch.Tensor:
    """The movements [N, 4] (dx, dy, sx, sy) that pairs of votes stand for."""
    pairs = torch.randint(len(votes.x), (_PAIRS, 2), generator=torch.Generator().manual_seed(1))
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


def _fitted(votes: Votes, agreeing: torch.Tensor, with_scale: bool) -> Model:
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
    return Model(dx, dy, sx, sy)
