"""Regions: the box of a masked edit holds the mask, has a ratio of the model, and goes back to where it was cut out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pack.core.request import Region
from pack.nodes.region import (
    LEAST_SIDE,
    WHOLE_ABOVE,
    cut,
    painted_box,
    paste,
    region_around,
    sent_size,
    share_of,
    within,
)

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")


def painted(width: int, height: int, *boxes: tuple[int, int, int, int]) -> torch.Tensor:
    """A mask with islands (left, top, width, height)."""
    mask = torch.zeros(height, width)
    for left, top, across, down in boxes:
        mask[top : top + down, left : left + across] = 1.0
    return mask


def region_of(mask: torch.Tensor, context: float, ratios: Sequence[str]) -> Region | None:
    """The region of a mask; None where it is most of the picture."""
    height, width = mask.shape
    region = region_around(painted_box(mask), width, height, context, ratios)
    return None if share_of(region, width, height) > WHOLE_ABOVE else region


@st.composite
def masks(draw: st.DrawFn) -> torch.Tensor:
    width, height = draw(st.integers(8, 900)), draw(st.integers(8, 900))
    boxes = []
    for _ in range(draw(st.integers(1, 3))):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        boxes.append((left, top, draw(st.integers(1, width - left)), draw(st.integers(1, height - top))))
    return painted(width, height, *boxes)


def holds(region: Region, mask: torch.Tensor) -> bool:
    left, top, width, height = region.inside
    outside = mask.clone()
    outside[top : top + height, left : left + width] = 0
    return not bool(outside.any())


@given(masks(), st.floats(1.0, 8.0), st.lists(st.sampled_from(RATIOS), min_size=1, unique=True))
def test_a_region_holds_the_mask_in_a_ratio_of_the_model(mask: torch.Tensor, context: float, ratios: list[str]) -> None:
    region = region_of(mask, context, ratios)
    height, width = mask.shape
    if region is None:
        return
    assert holds(region, mask)
    assert region.ratio in ratios
    across, down = (int(part) for part in region.ratio.split(":"))
    # One pixel is the most that rounding takes away.
    assert abs(region.width - region.height * across / down) <= max(1, across / down)
    left, top, right, bottom = region.padding
    assert (left or right) == 0 or region.width > width
    assert (top or bottom) == 0 or region.height > height
    x, y, inside_width, inside_height = region.inside
    assert x >= 0 and y >= 0 and x + inside_width <= width and y + inside_height <= height
    assert inside_width * inside_height <= WHOLE_ABOVE * width * height


@given(
    st.tuples(*[st.integers(1, 9000)] * 4),
    st.tuples(st.integers(0, 9000), st.integers(0, 9000)),
    st.floats(1.0, 8.0),
    st.lists(st.sampled_from((*RATIOS, "1:4", "4:1", "1:8", "8:1")), min_size=1, unique=True),
)
def test_no_box_of_a_ratio_holds_the_mask_with_less_padding(
    sides: tuple[int, int, int, int], place: tuple[int, int], context: float, ratios: list[str]
) -> None:
    width, height = max(sides[:2]), max(sides[2:])
    across, down = min(sides[:2]), min(sides[2:])
    left, top = min(place[0], width - across), min(place[1], height - down)
    region = region_around((left, top, left + across, top + down), width, height, context, ratios)
    inside = region.inside
    assert inside[0] <= left and inside[1] <= top
    assert left + across <= inside[0] + inside[2] and top + down <= inside[1] + inside[3]
    padding = region.width * region.height - inside[2] * inside[3]
    for ratio in ratios:
        one, other = (int(part) for part in ratio.split(":"))
        unit = max(across / one, down / other)
        least = (unit * one + 1) * (unit * other + 1) - min(unit * one, width) * min(unit * other, height)
        assert padding <= least + unit * (one + other)


def test_a_tall_mask_and_a_wide_ratio_are_padded_without_context() -> None:
    """With context it would be 48,000 px wide."""
    region = region_around((3000, 500, 3300, 4500), 8000, 6000, 1.5, ["8:1"])
    assert (region.width, region.height) == (32000, 4000) and region.inside == (0, 500, 8000, 4000)


@given(masks(), st.floats(1.0, 4.0), st.sampled_from(RATIOS))
def test_what_is_cut_out_goes_back_bit_for_bit(mask: torch.Tensor, context: float, ratio: str) -> None:
    region = region_of(mask, context, [ratio])
    if region is None:
        return
    picture = torch.rand(*mask.shape, 3)
    part = cut(picture, region)
    assert tuple(part.shape) == (region.height, region.width, 3)
    left, top, width, height = region.inside
    before, above = region.padding[:2]
    inside = part[above : above + height, before : before + width]
    assert torch.equal(inside, within(picture, region))
    changed = picture.clone()
    paste(changed, inside, region)
    assert torch.equal(changed, picture)
    paste(changed, torch.zeros_like(inside), region)
    assert not bool(changed[top : top + height, left : left + width].any())
    changed[top : top + height, left : left + width] = picture[top : top + height, left : left + width]
    assert torch.equal(changed, picture)


@pytest.mark.parametrize("at", [(0, 0), (2999, 1999), (0, 1999), (1500, 1000)])
def test_a_mask_of_one_pixel_has_a_region_of_some_size(at: tuple[int, int]) -> None:
    region = region_of(painted(3000, 2000, (*at, 1, 1)), 1.5, RATIOS)
    assert region is not None and region.padding == (0, 0, 0, 0)
    assert region.width == region.height == LEAST_SIDE and region.ratio == "1:1"


def test_a_region_is_centred_and_moved_inside() -> None:
    inside = region_of(painted(3000, 2000, (1000, 800, 300, 300)), 1.5, RATIOS)
    assert inside == Region(925, 725, 450, 450, "1:1")
    edge = region_of(painted(3000, 2000, (0, 1700, 300, 300)), 1.5, RATIOS)
    assert edge == Region(0, 1550, 450, 450, "1:1")


def test_islands_are_one_region() -> None:
    mask = painted(3000, 2000, (100, 100, 50, 50), (900, 100, 50, 50))
    region = region_of(mask, 1.0, RATIOS)
    assert region is not None and holds(region, mask) and region.width >= 850


def test_a_strip_that_no_ratio_holds_inside_is_padded() -> None:
    """A mask along the whole of a panorama: the smallest box of a ratio is higher than the picture."""
    mask = painted(4000, 300, (0, 0, 2600, 300))
    region = region_of(mask, 1.0, ["1:1", "3:2"])
    assert region is not None and region.ratio == "3:2"
    assert region.padding[1] > 0 and region.padding[3] > 0 and region.padding[0] == region.padding[2] == 0
    part = cut(torch.rand(300, 4000, 3), region)
    assert tuple(part.shape[:2]) == (region.height, region.width)


def test_a_ratio_that_fits_goes_before_padding() -> None:
    """The nearest ratio would leave the picture, the next one holds the mask inside."""
    mask = painted(1000, 300, (100, 20, 500, 260))
    region = region_of(mask, 1.0, ["16:9", "21:9", "1:1"])
    assert region is not None and not any(region.padding) and holds(region, mask)


def test_a_region_of_most_of_the_picture_is_the_whole_picture() -> None:
    assert region_of(painted(1000, 1000, (0, 0, 950, 950)), 1.0, RATIOS) is None


def test_a_region_is_enlarged_and_made_smaller_only_where_it_is_padded() -> None:
    assert sent_size(Region(0, 0, 450, 450, "1:1"), 1024 * 1024) == (1024, 1024)
    assert sent_size(Region(0, 0, 3000, 2000, "3:2"), 1024 * 1024) == (3000, 2000)
    width, height = sent_size(Region(0, 0, 400, 225, "16:9"), 1024 * 1024)
    assert math.isclose(width / height, 400 / 225, rel_tol=0.01)
    padded = Region(0, 0, 32000, 4000, "8:1", (0, 0, 24000, 0))
    assert sent_size(padded, 1024 * 1024) == (2896, 362)


def test_a_model_without_ratios_gets_the_box_as_it_is() -> None:
    region = region_of(painted(3000, 2000, (1000, 800, 400, 300)), 1.5, ())
    assert region == Region(900, 725, 600, 450, "")
