"""Registers a result against the picture it was made from: how it is shifted and scaled, and whether that can be trusted.

Models return pictures that are a few pixels off: shifted by a part of the size they work at, or zoomed by a percent. Tiles
of both pictures vote for a movement, and the share of the votes that agree says how far to trust it; what is alike then gives
the fraction of a pixel, whether another movement would do as well, and how large the error may be.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .certainty import certainty, lead
from .subpixel import Pair, refined
from .tile_votes import Votes, agreed, tile_votes

MEASURED_SIDE = 1024
"""The longest side in px at which pictures are compared: finer detail does not change a result by more than 0.1 px."""
TRUSTED_SHARE = 0.2
"""Least share of votes that agree: unrelated pictures reach 0.07, pictures of which half was replaced 0.4."""
TRUSTED_VOTES = 4
_RIVAL_SHARE = 0.7
"""Votes for another movement, as a part of those for the found one, from which nothing says which of the two is right."""
TRUSTED_LEAD = 2.0
"""Least difference by the best other movement, in multiples of that by the found one: about 1 where a picture repeats."""
TRUSTED_ERROR = 0.25
"""px of the original at a corner, below which 99 % of random errors have to be."""
TRUSTED_REST = 1.0
"""px at the size of measurement: where more is left, the picture was drawn again with its edges beside their places."""
_TILES = (128, 64, 32)
_TILES_A_SIDE = 5
"""Smaller tiles are taken where fewer than these fit beside each other: some votes agree by chance."""


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
    rivals: int = 0
    """Votes for the next best movement."""
    lead: float = 0.0
    """How many times as much the pictures differ by the best other movement."""
    error: float = 0.0
    """px of the original at a corner, below which 99 % of random errors are."""
    rest: float = 0.0
    """px at the size of measurement by which edges lie beside their places."""
    noise: float = 0.0
    """px of the original: a smaller movement of a corner can't be told from edges that were drawn beside their places."""

    @property
    def is_trusted(self) -> bool:
        agree = self.share >= TRUSTED_SHARE and self.votes >= TRUSTED_VOTES and self.rivals < _RIVAL_SHARE * self.votes
        is_one_picture = self.lead >= TRUSTED_LEAD and self.rest <= TRUSTED_REST
        return agree and is_one_picture and self.error <= TRUSTED_ERROR


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
        votes = tile_votes(a, b, weight, side)
        if votes is not None and len(votes.x) >= TRUSTED_VOTES:
            break
    else:
        return None
    coarse = agreed(votes, with_scale)
    pair = Pair.of(a, b, weight)
    moved = refined(pair, votes, coarse, with_scale)
    near = moved.near(votes)
    sure = certainty(pair, moved, with_scale)
    horizontal, vertical = width / size[1], height / size[0]
    return Movement(
        moved.dx * horizontal,
        moved.dy * vertical,
        moved.sx,
        moved.sy,
        float(near.float().mean()),
        int(near.sum()),
        _rivals(votes, near, with_scale),
        lead(pair, moved),
        sure.error / factor,
        sure.rest,
        sure.rest / 2 / factor,
    )


def _rivals(votes: Votes, near: torch.Tensor, with_scale: bool) -> int:
    """How many of the votes that are not near the found movement agree on another one."""
    rest = votes.of(~near)
    return int(agreed(rest, with_scale).near(rest).sum()) if len(rest.x) else 0


def _grey(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Luma [h, w] at the size of measurement."""
    return _scaled((picture[..., :3] @ torch.tensor([0.299, 0.587, 0.114])).unsqueeze(-1), size)


def _scaled(plane: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(plane.shape[:2]) == size:
        return plane[..., 0].contiguous()
    moved = plane.movedim(-1, 0)[None]
    return torch.nn.functional.interpolate(moved, size=size, mode="bilinear", antialias=True, align_corners=False)[0, 0]
