"""Outpainting: what ComfyUI's Pad Image for Outpainting gives is recognized, and its old part stays bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pack.core.execution.image_task import ImageTask
from pack.core.execution.outcome import ResultImage
from pack.core.request import Options
from pack.nodes.edit_batch import EditBatch, EditOptions
from pack.nodes.outpaint import Padding, padding_mask, padding_of, reflected
from pack.nodes.output_image import OutputImage


def padded(image: torch.Tensor, padding: Padding, feathering: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the node gives for one frame [H, W, C]: written from its documented behaviour, pixel by pixel."""
    height, width, channels = image.shape
    left, top, right, bottom = padding.left, padding.top, padding.right, padding.bottom
    canvas = torch.full((height + top + bottom, width + left + right, channels), 0.5)
    canvas[top : top + height, left : left + width] = image
    mask = torch.ones(canvas.shape[:2])
    fades = 0 < feathering * 2 < min(height, width)
    for y in range(height):
        for x in range(width):
            distances = [y] * bool(top) + [x] * bool(left) + [height - y] * bool(bottom) + [width - x] * bool(right)
            depth = max(0.0, (feathering - min(distances)) / feathering) if fades and distances else 0.0
            mask[top + y, left + x] = depth**2
    return canvas, mask


def photo(height: int, width: int, channels: int = 3, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return torch.from_numpy(values).float() / 255


paddings = st.builds(Padding, *[st.integers(0, 20)] * 4)


@settings(max_examples=60)
@example(Padding(0, 1, 1, 0), 8, 8, 1, 3)
@example(Padding(0, 0, 1, 0), 8, 8, 1, 3)
@given(paddings, st.integers(8, 40), st.integers(8, 40), st.integers(0, 12), st.sampled_from([3, 4]))
def test_the_padding_is_found(padding: Padding, height: int, width: int, feathering: int, channels: int) -> None:
    """Of any sides, with any feathering, with and without alpha, and in half precision."""
    image = photo(height, width, channels)
    canvas, mask = padded(image, padding, feathering)
    nothing = padding == Padding(0, 0, 0, 0)
    assert padding_of(canvas, mask) == (None if nothing else padding)
    assert padding_of(canvas.half(), mask.half().float()) == (None if nothing else padding)
    if nothing:
        return
    new = padding_mask(mask, padding)
    assert int(new.sum()) == new.numel() - height * width and set(new.unique().tolist()) == {0.0, 1.0}
    whole = reflected(canvas, padding)
    old = (slice(padding.top, padding.top + height), slice(padding.left, padding.left + width))
    assert whole.shape == canvas.shape and torch.equal(whole[old], image)
    assert not bool((whole == 0.5).any()), "no grey is left to mix with"


@pytest.mark.parametrize("change", ["picture", "hole", "painted", "ramp", "all"])
def test_what_only_resembles_it_is_an_ordinary_mask(change: str) -> None:
    canvas, mask = padded(photo(40, 50), Padding(8, 0, 8, 0), 6)
    if change == "picture":
        canvas = canvas + 0.001
    elif change == "hole":
        mask[10, 2] = 0  # what is protected in the padding would change
        mask[10, 55] = 0
    elif change == "painted":
        mask[20:25, 25:30] = 1  # somebody wants more than the padding to change
    elif change == "ramp":
        mask[:, 8:11] = 0.5
    else:
        canvas, mask = torch.full((40, 50, 3), 0.5), torch.ones(40, 50)
    found = padding_of(canvas, mask)
    assert found is None or (change == "hole" and found.left < 8 and found.right < 8)


def outpainted(
    padding: Padding, feathering: int, mask_feather: int, colour: int = 255
) -> tuple[OutputImage, torch.Tensor, EditBatch]:
    """An edit of a padded photograph whose result has one colour, and the photograph."""
    image = photo(40, 60)
    canvas, mask = padded(image, padding, feathering)
    options = EditOptions("go on", Options(), 0, 1, "together", False, match_first=True, mask_feather=mask_feather)
    batch = EditBatch(options, {"image_1": canvas[None]}, mask[None])
    (request,) = batch.requests
    (slot,) = request.slots()
    task = ImageTask(slot, request)
    task.result = ResultImage(np.full((*canvas.shape[:2], 3), 255, np.uint8), "png", lambda: b"")
    return batch.output(task), image, batch


@pytest.mark.parametrize("feathering", [0, 10])
@pytest.mark.parametrize("mask_feather", [0, 8])
def test_the_old_part_is_bit_exact_and_the_seam_lies_outside_it(feathering: int, mask_feather: int) -> None:
    output, image, batch = outpainted(Padding(16, 0, 24, 8), feathering, mask_feather)
    assert torch.equal(output.image[:40, 16:76], image)
    assert bool((output.image[:, : 16 - mask_feather] == 1).all()), "beyond the soft edge it is the result alone"
    if mask_feather:
        seam = output.image[20, 16 - mask_feather : 16].flip(0)
        steps = torch.arange(1, mask_feather + 1)[:, None] / (mask_feather + 1)
        wanted = torch.lerp(image[20, 1 : mask_feather + 1], torch.ones(()), steps)
        assert torch.allclose(seam, wanted, atol=1e-5), "the old part's reflection fades into the result"
    assert output.original is not None and bool((output.original[:, :16] == 0.5).all()), "originals are the input"
    assert any("outpainting (left 16, top 0, right 24, bottom 8 px)" in notice for notice in batch.notices)


def test_a_failed_picture_is_the_padded_input() -> None:
    _, _, batch = outpainted(Padding(16, 0, 0, 0), 10, 8)
    (request,) = batch.requests
    (slot,) = request.slots()
    kept = batch.output(ImageTask(slot, replace(request)))
    assert kept.original is not None and torch.equal(kept.image, kept.original)
    assert bool((kept.image[:, :16] == 0.5).all())
