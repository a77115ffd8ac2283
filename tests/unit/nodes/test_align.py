"""Alignment: movements are found to a fraction of a pixel, edits don't mislead it, unrelated pictures are not trusted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pack.nodes.align import Movement, movement, put_right
from pack.nodes.tile_votes import Votes, agreed
from pack.tests.moved_pictures import error_at_corners, moved_view
from PIL import Image

WIDTH, HEIGHT = 480, 360


def scene(seed: int) -> Image.Image:
    """A picture with structure at all scales, as photographs have it, larger than what is compared."""
    random = np.random.default_rng(seed)
    size = (HEIGHT + 120, WIDTH + 120)
    total = np.zeros((*size, 3), np.float32)
    for side in (4, 9, 20, 45, 100):
        coarse = (random.random((size[0] // side + 2, size[1] // side + 2, 3)) * 255).astype(np.uint8)
        grown = Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BICUBIC)
        total += np.asarray(grown, np.float32) * side**0.5
    total -= total.min()
    return Image.fromarray((total / total.max() * 255).astype(np.uint8))


def view(picture: Image.Image, moved: Movement) -> torch.Tensor:
    return moved_view(picture, moved, WIDTH, HEIGHT)


def error(found: Movement, wanted: Movement) -> float:
    return error_at_corners(found, wanted, WIDTH, HEIGHT)


MOVED = [
    Movement(0.0, 0.0),
    Movement(3.0, 4.0),
    Movement(-0.4, 0.3),
    Movement(11.37, -7.81),
    Movement(2.2, -1.6, 1.02, 1.02),
    Movement(-5.5, 3.1, 0.975, 0.985),
]


@pytest.mark.parametrize("moved", MOVED, ids=lambda each: f"{each.dx},{each.dy},{each.sx}")
@pytest.mark.parametrize("part", [0.0, 0.5], ids=["kept", "half replaced"])
def test_a_known_movement_is_found(moved: Movement, part: float) -> None:
    """Through other brightness, contrast and noise, and with a half that shows something else."""
    original = view(scene(1), Movement(0, 0))
    noise = torch.from_numpy(np.random.default_rng(5).normal(0, 0.01, (HEIGHT, WIDTH, 3)).astype(np.float32))
    result = (view(scene(1), moved) * 0.93 + 0.02 + noise).clamp(0, 1)
    if part:
        result[:, : int(WIDTH * part)] = view(scene(2), Movement(0, 0))[:, : int(WIDTH * part)]
    found = movement(original, result, with_scale=moved.sx != 1)
    assert found is not None and found.is_trusted
    assert error(found, moved) < 0.25


def test_exact_votes_beat_a_few_more_that_are_barely_near() -> None:
    """With many movements to choose from, a wrong one finds votes at the limit by chance."""
    dx = torch.cat([torch.full((20,), -12.0), torch.linspace(3.8, 6.2, 23)])
    place = torch.linspace(-100, 100, len(dx))
    assert agreed(Votes(place, place, dx, torch.zeros(len(dx)), 32), False).dx == -12


def test_only_what_a_mask_keeps_has_a_vote() -> None:
    """Nine tenths were repainted and look moved by another way; the kept rest says what happened."""
    moved = Movement(4.25, -2.5)
    original, result = view(scene(1), Movement(0, 0)), view(scene(1), moved)
    result[:, 120:] = view(scene(1), Movement(-9, 6))[:, 120:]
    kept = torch.zeros(HEIGHT, WIDTH)
    kept[:, :110] = 1
    found = movement(original, result, kept)
    assert found is not None and found.is_trusted and error(found, moved) < 0.25


@pytest.mark.parametrize("with_scale", [False, True])
def test_unrelated_pictures_are_not_trusted(with_scale: bool) -> None:
    found = movement(view(scene(1), Movement(0, 0)), view(scene(2), Movement(0, 0)), with_scale=with_scale)
    assert found is None or not found.is_trusted


def test_nothing_is_measured_where_there_is_no_texture() -> None:
    flat = torch.full((HEIGHT, WIDTH, 3), 0.5)
    assert movement(flat, flat) is None
    assert movement(view(scene(1), Movement(0, 0)), flat) is None


def test_nothing_is_measured_where_a_mask_keeps_nothing() -> None:
    original = view(scene(1), Movement(0, 0))
    assert movement(original, original, torch.zeros(HEIGHT, WIDTH)) is None


def test_a_negative_is_not_moved() -> None:
    """It is where the original is, and its parts agree on a ripple beside that."""
    original = view(scene(1), Movement(0, 0))
    found = movement(original, 1 - original, with_scale=True)
    assert found is None or not found.is_trusted or max(abs(found.dx), abs(found.dy)) < 0.25


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 40)])
def test_small_pictures_are_no_error(size: tuple[int, int]) -> None:
    picture = torch.rand(*size, 3, generator=torch.Generator().manual_seed(1))
    found = movement(picture, picture, with_scale=True)
    assert found is None or abs(found.dx) < 0.5


@pytest.mark.parametrize("moved", MOVED, ids=lambda each: f"{each.dx},{each.dy},{each.sx}")
def test_a_movement_is_undone(moved: Movement) -> None:
    """The middle is the original again; what the result does not cover is the original bit for bit."""
    original, result = view(scene(1), Movement(0, 0)), view(scene(1), moved)
    right = put_right(result, original, moved)
    inner = (slice(24, -24), slice(24, -24))
    before, after = (result - original)[inner].abs().mean(), (right - original)[inner].abs().mean()
    assert after < 0.004
    assert after < before / 2 or before < 0.004
    if moved.dx > 1 and moved.sx == 1:
        assert torch.equal(right[:, -int(moved.dx) :], original[:, -int(moved.dx) :])


def test_nothing_is_changed_by_no_movement() -> None:
    picture = view(scene(3), Movement(0, 0))
    assert torch.allclose(put_right(picture, torch.zeros_like(picture), Movement(0, 0)), picture, atol=1e-6)
