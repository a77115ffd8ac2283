"""The mask of an edit: which shapes are fitted, which are refused, and how many masks there may be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pack.core.errors import EmptyMask, Impossible
from pack.nodes import tensors
from pack.nodes.edit_masks import validated_masks


def fitted(mask: torch.Tensor, *sizes: tuple[int, int], mode: str = "together") -> list[torch.Tensor]:
    """The masks for frames of `sizes` (width, height)."""
    return validated_masks(mask, [torch.zeros(height, width, 3) for width, height in sizes], mode, [])


@given(st.integers(1, 400), st.integers(1, 400), st.integers(-1, 1), st.integers(-1, 1))
def test_a_mask_that_is_a_pixel_off_is_fitted(width: int, height: int, across: int, down: int) -> None:
    assume(width + across > 0 and height + down > 0)
    (mask,) = fitted(torch.ones(1, height + down, width + across), (width, height))
    assert mask.shape == (height, width)


@given(st.integers(16, 2000), st.integers(16, 2000), st.sampled_from([2, 4, 8, 3]), st.booleans())
def test_a_mask_made_by_scaling_its_image_is_fitted(width: int, height: int, factor: int, up: bool) -> None:
    """However its sides were rounded, as long as it has enough of them to show a shape."""
    rounded = (lambda side: -(-side // factor)) if up else (lambda side: side // factor)
    assume(min(width, height) // factor >= 22)
    (mask,) = fitted(torch.ones(1, rounded(height), rounded(width)), (width, height))
    assert mask.shape == (height, width)


@pytest.mark.parametrize(
    ("mask", "image"),
    [
        ((64, 64), (96, 64)),
        ((300, 196), (150, 100)),
        ((2, 1), (100, 100)),
        ((65, 60), (130, 128)),
        ((48, 63), (63, 48)),
    ],
)
def test_another_shape_is_refused_with_both_sizes(mask: tuple[int, int], image: tuple[int, int]) -> None:
    with pytest.raises(Impossible, match=f"{mask[0]}x{mask[1]}.*{image[0]}x{image[1]}"):
        fitted(torch.ones(1, mask[1], mask[0]), image)


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (1, 1, 5, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bool, torch.uint8])
def test_masks_of_the_shapes_in_use_are_taken(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    (mask,) = tensors.masks(torch.ones(shape, dtype=dtype))
    assert mask.shape == (5, 7) and mask.dtype == torch.float32 and bool((mask == 1).all())


def test_a_batch_of_masks_with_channels_keeps_its_order() -> None:
    batch = torch.arange(3).reshape(3, 1, 1, 1).expand(3, 1, 4, 6) / 2
    assert [float(mask[0, 0]) for mask in tensors.masks(batch)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("shape", [(0, 5, 7), (0, 1, 5, 7)])
def test_an_empty_batch_of_masks_is_refused_by_name(shape: tuple[int, ...]) -> None:
    with pytest.raises(Impossible, match="MASK without frames"):
        tensors.masks(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 5, 7, 3), (0, 5, 7, 4), (0, 0, 0, 3)])
def test_an_empty_batch_of_frames_is_refused_by_name(shape: tuple[int, ...]) -> None:
    with pytest.raises(Impossible, match="image_2 has no frames"):
        tensors.frames(torch.zeros(shape), "image_2")


@pytest.mark.parametrize(
    ("masks", "frames", "words"), [(3, 1, "3 masks for 1 frame of"), (2, 3, "2 masks for 3 frames of")]
)
def test_too_many_masks_are_refused_and_their_union_is_offered(masks: int, frames: int, words: str) -> None:
    with pytest.raises(Impossible, match=words) as failed:
        fitted(torch.ones(masks, 4, 4), *[(4, 4)] * frames, mode="each")
    assert "union" in failed.value.cure


def test_a_mask_that_vanishes_when_it_is_scaled_is_refused() -> None:
    """Nearest neighbour may skip the one pixel that may change."""
    mask = torch.zeros(1, 400, 400)
    mask[0, 1, 1] = 1
    with pytest.raises(Impossible, match="nothing left"):
        fitted(mask, (40, 40))


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.001])
def test_a_mask_too_faint_to_change_a_pixel_is_empty(value: float) -> None:
    """It would be paid for, and nothing would change."""
    with pytest.raises(EmptyMask, match="is empty, so nothing may change"):
        fitted(torch.full((1, 32, 32), value), (32, 32))
    assert fitted(torch.full((1, 32, 32), 0.004), (32, 32))
