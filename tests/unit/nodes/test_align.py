"""Alignment: movements are found to a fraction of a pixel, edits don't mislead it, unrelated pictures are not trusted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from long_rows import every_value, first
from pack.nodes.alignment.notices import alignment_notices
from pack.nodes.alignment.registration import Movement, movement
from pack.nodes.alignment.result import aligned, put_right
from pack.nodes.alignment.subpixel import Pair, likeness
from pack.nodes.alignment.tile_votes import Model, Votes, agreed
from pack.simulator.edit import edit
from pack.simulator.scene import scene as drawn_scene
from pack.tests.moved_pictures import error_at_corners, moved_view, tensor
from pack.tests.repeating_pictures import KINDS, repeating
from PIL import Image

WIDTH, HEIGHT = 480, 360


def scene(seed: int, sides: tuple[int, ...] = (4, 9, 20, 45, 100)) -> Image.Image:
    """A picture with structure at all scales (px), as photographs have it, larger than what is compared."""
    random = np.random.default_rng(seed)
    size = (HEIGHT + 120, WIDTH + 120)
    total = np.zeros((*size, 3), np.float32)
    for side in sides:
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


@pytest.mark.parametrize(("moved", "part"), every_value(MOVED, [0.0, 0.5], most=4))
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
@pytest.mark.parametrize("seed", first(1, range(3)))
def test_edits_do_not_pull_what_was_kept_beside_them(seed: int, with_scale: bool) -> None:
    """Half of a soft, faint picture was painted over in patches of hard contrast: its own slopes say where it is."""
    moved = Movement(5.3, -3.7)
    soft = scene(seed, sides=(30, 60))
    original, result = ((view(soft, each) - 0.5) / 4 + 0.5 for each in (Movement(0, 0), moved))
    random = np.random.default_rng(seed)
    checkers = np.kron(random.integers(0, 2, (HEIGHT // 6, WIDTH // 6, 1)), np.ones((6, 6, 3))).astype(np.float32)
    patches = torch.from_numpy(np.kron(random.random((4, 5)) < 0.5, np.ones((90, 96))) > 0)
    result[patches] = torch.from_numpy(checkers)[patches]
    found = movement(original, result, with_scale=with_scale)
    assert found is not None and found.is_trusted and error(found, moved) < 0.1


def test_a_pixel_beside_an_edit_counts_for_less() -> None:
    """What normalises it is partly what the edit shows."""
    original = view(scene(1), Movement(0, 0)).mean(-1)
    result = original.clone()
    result[:, : WIDTH // 2] = view(scene(2), Movement(0, 0)).mean(-1)[:, : WIDTH // 2]
    weight = likeness(Pair.of(original, result), Model(0, 0))
    beside, away = weight[:, WIDTH // 8 + 1], weight[:, WIDTH // 8 + 20]
    inner = slice(10, -10)
    assert float(away[inner].min()) > 0.9 and float(beside[inner].median()) < 0.2


def as_file(picture: torch.Tensor) -> torch.Tensor:
    """As it is read from a file of 8 bits."""
    return (picture * 255).round() / 255


@pytest.mark.parametrize("shift", first(1, [0.4, 0.2, 0.6]))
def test_a_part_of_a_pixel_is_not_rounded_away_with_a_smooth_picture(shift: float) -> None:
    """Most of it changes by less than a step of 8 bits a px, and seems not to be moved; its few details are."""
    picture = np.asarray(scene(1, sides=(100, 200)), np.float32) * 0.04 + 100
    picture[200:300, 260:360] = np.asarray(scene(2))[200:300, 260:360]
    original, result = (
        as_file(view(Image.fromarray(picture.round().astype(np.uint8)), Movement(dx, -dx))) for dx in (0.0, shift)
    )
    found = movement(original, result)
    assert found is not None and error(found, Movement(shift, -shift)) < 0.1


@pytest.mark.parametrize("seed", first(1, range(4)))
def test_a_corner_far_from_all_that_was_kept_is_in_doubt(seed: int) -> None:
    """A zoom that is measured in a tenth of the picture says little of the other end."""
    random = np.random.default_rng(seed)
    moved = Movement(*random.uniform(-6, 6, 2), *random.uniform(0.98, 1.02, 2))
    kept, sizes = torch.zeros(HEIGHT, WIDTH), []
    for part in (0.15, 0.4, 1.0):
        kept[:, : int(WIDTH * part)] = 1
        noise = torch.from_numpy(random.normal(0, 0.02, (HEIGHT, WIDTH, 3)).astype(np.float32))
        result = (view(scene(seed), moved) + noise).clamp(0, 1)
        found = movement(view(scene(seed), Movement(0, 0)), result, kept, with_scale=True)
        assert found is not None
        assert not found.is_trusted or error(found, moved) < 0.25
        sizes.append(found.error)
    assert sizes[0] > 3 * sizes[1] > 3 * sizes[2]


@pytest.mark.parametrize("mode", ["shift", "shift and scale"])
@pytest.mark.parametrize("seed", first(1, range(4)))
def test_a_small_movement_beside_an_edit_is_reported_and_put_right(seed: int, mode: str) -> None:
    random = np.random.default_rng(seed)
    moved = Movement(*random.uniform(0.3, 0.9, 2))
    original, result = view(scene(seed), Movement(0, 0)), view(scene(seed), moved)
    result[:, WIDTH // 2 :] = view(scene(seed + 9), Movement(0, 0))[:, WIDTH // 2 :]
    none = torch.zeros(HEIGHT, WIDTH)
    righted, _, alignment = aligned(result, none, (original, none), None, mode, 1.0)
    assert alignment.fact is not None and error(Movement(*alignment.fact), moved) < 0.1
    part = (slice(20, -20), slice(20, WIDTH // 2 - 20))
    assert float((righted - original)[part].abs().mean()) < float((result - original)[part].abs().mean()) / 2


@pytest.mark.parametrize("with_scale", first(1, [True, False]))
def test_two_halves_that_moved_differently_are_not_trusted(with_scale: bool) -> None:
    """Nothing says which of them was meant to stay."""
    result = view(scene(1), Movement(2.3, -1.7))
    result[:, WIDTH // 2 :] = view(scene(1), Movement(-3.2, 3.3))[:, WIDTH // 2 :]
    found = movement(view(scene(1), Movement(0, 0)), result, with_scale=with_scale)
    assert found is None or not found.is_trusted


@pytest.mark.parametrize("kind", first(1, KINDS))
@pytest.mark.parametrize(("part", "with_scale"), every_value([0.0, 0.5], [False, True]))
def test_a_picture_that_repeats_itself_is_never_moved_to_a_wrong_place(
    kind: str, part: float, with_scale: bool
) -> None:
    """By more than half a period it looks moved the other way."""
    random = np.random.default_rng(sum(map(ord, kind)))
    for period in (5.3, 17.0):
        moved = Movement(period * 0.8, -period * 0.7)
        picture = repeating(kind, period, WIDTH + 80, HEIGHT + 80, random)
        original, result = view(picture, Movement(0, 0)), view(picture, moved)
        result[:, : int(WIDTH * part)] = view(scene(2), Movement(0, 0))[:, : int(WIDTH * part)]
        found = movement(original, result, with_scale=with_scale)
        assert found is None or not found.is_trusted or error(found, moved) < 0.25, (period, found)


STYLES = [
    "as a pencil drawing",
    "as an oil painting",
    "a comic",
    "a watercolour",
    "paper cut",
    "snow",
    "fog",
    "at night",
]


@pytest.mark.parametrize("style", first(1, STYLES))
@pytest.mark.parametrize("subject", first(1, ["a house by a lake, day", "a cat in a garden"]))
def test_another_technique_is_no_movement(style: str, subject: str) -> None:
    """Its edges are beside their places; the picture as a whole is where it was, and nothing is told."""
    before = drawn_scene(512, 384, subject, 3)
    original, result = tensor(before), tensor(edit(512, 384, style, 1, [before]))
    none = torch.zeros(384, 512)
    same, _, alignment = aligned(result, none, (original, none), None, "off", 1.0)
    assert torch.equal(same, result) and not alignment_notices([alignment])
    assert alignment.moved is None or max(abs(alignment.moved.dx), abs(alignment.moved.dy)) < 0.5
    righted, _, _ = aligned(result, none, (original, none), None, "shift and scale", 1.0)
    assert float((righted - result).abs().mean()) < 0.01


@pytest.mark.parametrize("with_scale", first(1, [True, False]))
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


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (700, 1), (3, 200), (16, 16), (40, 40), (30, 900), (900, 30)])
@pytest.mark.parametrize("with_scale", [False, True])
def test_small_and_narrow_pictures_are_no_error(size: tuple[int, int], with_scale: bool) -> None:
    picture = torch.rand(*size, 3, generator=torch.Generator().manual_seed(1))
    found = movement(picture, picture, with_scale=with_scale)
    assert found is None or (abs(found.dx) < 0.5 and abs(found.dy) < 0.5)


def test_a_narrow_strip_is_measured() -> None:
    """1:30, as a panorama's edge."""
    picture = scene(1).resize((1300, 70))
    moved = Movement(6.5, 1.25)
    found = movement(moved_view(picture, Movement(0, 0), 1020, 34), moved_view(picture, moved, 1020, 34))
    assert found is not None and found.is_trusted and error_at_corners(found, moved, 1020, 34) < 0.25


@pytest.mark.parametrize("seed", first(1, range(3)))
@pytest.mark.parametrize("with_scale", [False, True])
def test_noise_is_not_trusted(seed: int, with_scale: bool) -> None:
    one, other = (torch.rand(HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(seed + 9 * i)) for i in (0, 1))
    found = movement(one, other, with_scale=with_scale)
    assert found is None or not found.is_trusted


@pytest.mark.parametrize("part", [slice(0, 1), slice(0, HEIGHT)], ids=["a row", "all"])
def test_what_is_no_number_is_not_trusted(part: slice) -> None:
    original = view(scene(1), Movement(0, 0))
    result = view(scene(1), Movement(3, 4))
    result[part] = float("nan")
    found = movement(original, result, with_scale=True)
    assert found is None or not found.is_trusted or error(found, Movement(3, 4)) < 0.25


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
