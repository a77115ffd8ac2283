"""A masked region is sent alone at the size the model draws at, and goes back to its place without touching anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from long_rows import first
from pack.core.errors import Impossible
from pack.core.execution.image_task import ImageTask
from pack.core.execution.outcome import ResultImage
from pack.core.images.picture import Picture
from pack.core.planning.negotiate import ResolvedRequest, negotiate
from pack.core.providers import BUILT_IN
from pack.core.request import Options, Request
from pack.nodes.alignment.notices import alignment_notices
from pack.nodes.alignment.registration import Movement
from pack.nodes.alignment.result import Alignment
from pack.nodes.edit_batch import EditBatch, EditOptions
from pack.nodes.output_image import OutputImage
from pack.tests.unit.example_count import examples
from PIL import Image

GOOGLE = BUILT_IN["google"]
NARROW = next(model for model in GOOGLE.models if model.edit and "8:1" in model.edit.ratios)
EDIT = EditOptions("paint", Options(), 1, 1, "together", False, True, 8, True, 1.5)


def noise(height: int, width: int, channels: int = 3, seed: int = 1) -> torch.Tensor:
    """A batch of one frame with values between the 8-bit steps."""
    return torch.rand(1, height, width, channels, generator=torch.Generator().manual_seed(seed))


def painted(height: int, width: int, *boxes: tuple[int, int, int, int]) -> torch.Tensor:
    """A mask with islands (left, top, width, height)."""
    mask = torch.zeros(height, width)
    for left, top, across, down in boxes:
        mask[top : top + down, left : left + across] = 1.0
    return mask


def resolved(request: Request) -> ResolvedRequest:
    return negotiate(request, GOOGLE, GOOGLE.models[0])


def result_of(edit: EditBatch, pixels: Sequence[np.ndarray]) -> list[OutputImage]:
    """The outputs for results with these pixels, one for each request."""
    found = []
    for request, each in zip(edit.requests, pixels, strict=True):
        (slot,) = request.slots()
        task = ImageTask(slot, request, resolved={"v1:x": resolved(request)})
        task.complete(ResultImage(each, "png", lambda: b""), "", "v1:x")
        found.append(edit.output(task))
    return found


def blue(picture: Picture) -> np.ndarray:
    """A result of a reference's size that shows one colour."""
    return np.full((picture.height, picture.width, 3), (0, 0, 255), np.uint8)


def edit_of(images: dict[str, torch.Tensor], mask: torch.Tensor | None, **more: Any) -> EditBatch:
    return EditBatch(replace(EDIT, **more), images, mask)


ISLANDS = {
    "one": [(1000, 800, 300, 200)],
    "two islands": [(1000, 800, 60, 60), (1300, 700, 40, 90)],
    "in a corner": [(0, 0, 120, 90)],
    "at the far corner": [(2840, 1930, 160, 70)],
    "one pixel": [(1700, 333, 1, 1)],
}


@pytest.mark.parametrize("island", first(1, ["two islands", "at the far corner", "one", "in a corner", "one pixel"]))
@pytest.mark.parametrize("channels", first(1, [4, 3]))
def test_nothing_outside_the_mask_changes(island: str, channels: int) -> None:
    """Colours and alpha, bit for bit; inside, the result is there. The size is image_1's."""
    frame, mask = noise(2000, 3000, channels), painted(2000, 3000, *ISLANDS[island])
    edit = edit_of({"image_1": frame}, mask, mask_feather=0)
    sent = resolved(edit.requests[0]).references[0]
    assert 0.9 < sent.width * sent.height / 1024**2 < 1.1
    (output,) = result_of(edit, [blue(sent)])
    assert tuple(output.image.shape) == (2000, 3000, 3)
    inside = mask > 0
    assert bool(((output.image == frame[0, ..., :3]).all(-1) | inside).all())
    assert torch.allclose(output.image[inside], torch.tensor([0.0, 0.0, 1.0]), atol=1e-5)
    transparency = 1 - frame[0, ..., 3] if channels == 4 else torch.zeros(2000, 3000)
    assert bool(((output.mask == transparency) | inside).all())
    assert not bool(output.mask[inside].any())
    left, top, width, height = output.facts["region"]
    assert min(left, top) >= 0 and left + width <= 3000 and top + height <= 2000
    assert not bool(mask[:top].any() or mask[top + height :].any() or mask[:, :left].any())


def test_the_region_is_what_is_sent() -> None:
    """A marker beside the mask is seen, one far away isn't; the other references go along unchanged."""
    frame, mask = torch.zeros(1, 2000, 3000, 3), painted(2000, 3000, (1000, 800, 300, 300))
    frame[0, 780:790, 1000:1300] = 1.0
    frame[0, 100:200, 100:200] = 1.0
    other = noise(40, 60)
    edit = edit_of({"image_1": frame, "image_2": other}, mask)
    references = resolved(edit.requests[0]).references
    assert [(each.width, each.height) for each in references] == [(1024, 1024), (60, 40)]
    seen = references[0]._load()
    factor = 1024 / 450
    rows = np.flatnonzero(seen[:, 512, 0] > 128)
    assert abs(rows[0] - (780 - 725) * factor) < 2 and abs(rows[-1] - (790 - 725) * factor) < 2
    assert (seen > 128).any(axis=(1, 2)).sum() == len(rows)
    assert edit.requests[0].references[1] is references[1]


def test_the_mask_goes_along_cut_alike() -> None:
    mask = painted(2000, 3000, (1000, 800, 300, 300))
    edit = edit_of({"image_1": noise(2000, 3000)}, mask, mask_as_reference=True)
    part, hint = resolved(edit.requests[0]).references
    assert (part.width, part.height) == (hint.width, hint.height) == (1024, 1024)
    white = np.argwhere(hint._load()[..., 0] == 255)
    low, high = white.min(0), white.max(0)
    assert np.abs(low - 75 * 1024 / 450).max() <= 2 and np.abs(high - 375 * 1024 / 450).max() <= 2


def test_the_resolution_says_how_large_the_region_is_sent() -> None:
    mask = painted(2000, 3000, (1000, 800, 300, 300))
    edit = edit_of({"image_1": noise(2000, 3000)}, mask, options=Options(resolution="2K"))
    assert resolved(edit.requests[0]).references[0].width == 2048


def test_an_aspect_ratio_of_ones_own_is_taken() -> None:
    mask = painted(2000, 3000, (1000, 800, 300, 300))
    edit = edit_of({"image_1": noise(2000, 3000)}, mask, options=Options(aspect_ratio="16:9"))
    how = resolved(edit.requests[0])
    assert how.region is not None and dict(how.options)["aspect_ratio"] == "16:9"
    assert how.region.height == 450 and how.region.width == 800


def test_a_change_outside_the_region_is_the_same_request() -> None:
    mask = painted(2000, 3000, (1000, 800, 300, 300))
    frame = noise(2000, 3000)
    far, near = frame.clone(), frame.clone()
    far[0, 0, 0] = 0.5
    near[0, 730, 930] = 0.5
    edits = [edit_of({"image_1": each}, mask) for each in (frame, far, near)]
    names = [resolved(edit.requests[0]).fingerprint(edit.requests[0], edit.requests[0].slots()[0]) for edit in edits]
    assert names[0] == names[1] != names[2]


def test_a_region_of_most_of_the_picture_is_the_whole_picture() -> None:
    frame, mask = noise(300, 400), painted(300, 400, (10, 10, 380, 280))
    how = resolved(edit_of({"image_1": frame}, mask).requests[0])
    assert how.region is None and (how.references[0].width, how.references[0].height) == (400, 300)
    assert any("whole picture" in notice and "image_1" in notice for notice in how.notices)


def test_a_strip_is_padded_and_the_padding_is_not_in_the_result() -> None:
    frame, mask = noise(300, 4000), painted(300, 4000, (100, 0, 2600, 300))
    edit = edit_of({"image_1": frame}, mask, mask_feather=0, region_context=1.0)
    sent = resolved(edit.requests[0]).references[0]
    (output,) = result_of(edit, [blue(sent)])
    assert any(output.facts["padding"]) and tuple(output.image.shape) == (300, 4000, 3)
    assert torch.equal(output.image[mask == 0], frame[0][mask == 0])


def test_each_frame_has_a_region_of_its_own() -> None:
    frames = torch.cat([noise(900, 1200, seed=seed) for seed in range(3)])
    masks = torch.stack([painted(900, 1200, (100 + 300 * i, 100 + 200 * i, 90, 90)) for i in range(3)])
    edit = edit_of({"image_1": frames}, masks, batch_mode="each", mask_feather=0)
    outputs = result_of(edit, [blue(resolved(request).references[0]) for request in edit.requests])
    assert len({tuple(each.facts["region"]) for each in outputs}) == 3
    for output, frame, mask in zip(outputs, frames, masks, strict=True):
        assert torch.equal(output.image[mask == 0], frame[mask == 0])
        assert torch.allclose(output.image[mask == 1], torch.tensor([0.0, 0.0, 1.0]), atol=1e-5)


@pytest.mark.long
def test_the_soft_edge_is_that_of_the_whole_picture() -> None:
    """Where the region ends at the mask, the fade begins at the px beyond it."""
    frame, mask = noise(1200, 1600), painted(1200, 1600, (400, 300, 512, 512))
    (whole,) = result_of(edit_of({"image_1": frame}, mask, only_region=False), [np.zeros((1200, 1600, 3), np.uint8)])
    edit = edit_of({"image_1": frame}, mask, region_context=1.0)
    assert resolved(edit.requests[0]).region.inside == (400, 300, 512, 512)  # type: ignore[union-attr]
    (part,) = result_of(edit, [np.zeros((1024, 1024, 3), np.uint8)])
    assert torch.allclose(whole.image, part.image, atol=1e-6)


def test_without_a_mask_a_region_is_refused() -> None:
    with pytest.raises(Impossible, match="no mask"):
        edit_of({"image_1": noise(300, 400)}, None)


def photo(height: int, width: int, seed: int = 3) -> np.ndarray:
    """A picture with structure at several scales, as photographs have it."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for side in (4, 9, 20, 45, 100):
        coarse = (random.random((height // side + 2, width // side + 2, 3)) * 255).astype(np.uint8)
        grown = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(grown, np.float32) * side**0.5
    total -= total.min()
    return (total / total.max() * 255).astype(np.uint8)


def shifted(pixels: np.ndarray, dx: int, dy: int) -> np.ndarray:
    return np.roll(pixels, (dy, dx), (0, 1))


def frame_of(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / 255)[None]


@pytest.mark.parametrize("align", ["off", "shift", "shift and scale"])
def test_a_moved_result_is_told_and_put_right_where_it_is_asked(align: str) -> None:
    pixels = photo(480, 640)
    edit = edit_of({"image_1": frame_of(pixels)}, None, only_region=False, align=align)
    (output,) = result_of(edit, [shifted(pixels, 3, 4)])
    dx, dy, sx, sy = output.facts["moved"]
    assert abs(dx - 3) < 0.1 and abs(dy - 4) < 0.1 and abs(sx - 1) < 0.001 and abs(sy - 1) < 0.001
    (notice,) = alignment_notices([output.alignment] if output.alignment else [])
    assert ("set align to shift" in notice) == (align == "off")
    error = (output.image - frame_of(pixels)[0]).abs()
    assert (float(error.mean()) < 0.005) == (align != "off")
    if align == "shift":
        # What the moved result does not cover is the original's.
        assert torch.equal(output.image[-4:], frame_of(pixels)[0, -4:])


def test_a_moved_result_of_a_region_is_put_right_against_the_region() -> None:
    pixels = photo(1200, 1600)
    mask = painted(1200, 1600, (700, 500, 120, 100))
    edit = edit_of({"image_1": frame_of(pixels)}, mask, align="shift", mask_feather=0)
    sent = resolved(edit.requests[0]).references[0]
    (output,) = result_of(edit, [shifted(sent._load(), 12, -8)])
    dx, dy, _, _ = output.facts["moved"]
    factor = output.facts["region"][2] / sent.width
    assert abs(dx - 12 * factor) < 0.25 and abs(dy + 8 * factor) < 0.25
    assert torch.equal(output.image[mask == 0], frame_of(pixels)[0][mask == 0])
    assert float((output.image - frame_of(pixels)[0])[mask == 1].abs().mean()) < 0.02


def test_an_unrelated_result_is_moved_nowhere_and_that_is_told() -> None:
    pixels, other = photo(480, 640), photo(480, 640, seed=9)
    for align, noticed in (("off", False), ("shift and scale", True)):
        edit = edit_of({"image_1": frame_of(pixels)}, None, only_region=False, align=align)
        (output,) = result_of(edit, [other])
        assert output.facts["moved"] is None and torch.equal(output.image, frame_of(other)[0])
        assert bool(alignment_notices([output.alignment] if output.alignment else [])) is noticed


@pytest.mark.long
def test_each_of_sixteen_frames_is_judged_by_itself() -> None:
    """Moved ones are put right, unrelated, flat and repeating ones stay as they came, and one notice counts each kind."""
    stripes = np.tile((np.arange(320) // 4 % 2 * 200).astype(np.uint8)[None, :, None], (240, 1, 3))
    originals, results = [], []
    for index in range(16):
        kind, pixels = index % 4, photo(240, 320, seed=index)
        original = stripes if kind == 2 else np.full_like(pixels, 99) if kind == 3 else pixels
        originals.append(original)
        results.append(photo(240, 320, seed=99 - index) if kind == 1 else shifted(original, 3, -4))
    frames = torch.cat([frame_of(each) for each in originals])
    edit = edit_of({"image_1": frames}, None, only_region=False, align="shift", batch_mode="each")
    outputs = result_of(edit, results)
    for index, (output, original, result) in enumerate(zip(outputs, originals, results, strict=True)):
        if index % 4 == 0:
            assert output.facts["moved"] is not None
            assert float((output.image - frame_of(original)[0]).abs().mean()) < 0.005
        else:
            assert output.facts["moved"] is None and torch.equal(output.image, frame_of(result)[0])
    put_right, lost = alignment_notices([output.alignment for output in outputs if output.alignment])
    assert "4 of 16" in put_right and "12 of 16" in lost


def test_a_zoom_that_a_shift_can_not_undo_names_the_choice_that_does() -> None:
    pixels = photo(480, 640)
    zoomed = np.asarray(Image.fromarray(pixels).resize((640, 480), Image.Resampling.LANCZOS, box=(16, 12, 624, 468)))
    edit = edit_of({"image_1": frame_of(pixels)}, None, only_region=False, align="shift")
    (output,) = result_of(edit, [zoomed])
    assert output.alignment is not None and not output.alignment.applied
    (notice,) = alignment_notices([output.alignment])
    assert "set align to shift and scale" in notice and "105." in notice


def test_an_align_that_can_not_work_is_told() -> None:
    edit = edit_of({"image_1": noise(60, 80)}, None, only_region=False, match_first=False, align="shift")
    assert any("align was left out" in notice for notice in edit.notices)
    (output,) = result_of(edit, [np.zeros((60, 80, 3), np.uint8)])
    assert "moved" not in output.facts


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_outside_the_region_is_refused(value: float) -> None:
    """It isn't sent, and it would be in the result."""
    frame = noise(900, 1200)
    frame[0, 5, 5, 1] = value
    with pytest.raises(Impossible, match="image_1 holds values that are not numbers"):
        edit_of({"image_1": frame}, painted(900, 1200, (800, 700, 20, 20)))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (2, 300), (300, 3), (4, 33), (6, 8)])
@pytest.mark.parametrize("align", ["off", "shift and scale"])
def test_a_picture_too_small_to_measure_stays_where_it_is(size: tuple[int, int], align: str) -> None:
    frame, result = noise(*size), (noise(*size, seed=2)[0].numpy() * 255).astype(np.uint8)
    (output,) = result_of(edit_of({"image_1": frame}, None, only_region=False, align=align), [result])
    assert output.facts["moved"] is None
    assert torch.equal(output.image, torch.from_numpy(result.astype(np.float32)) / 255)


@pytest.mark.parametrize(
    ("moved", "zoomed", "message"),
    [
        (Movement(3.04, -1.5), False, "came back moved by 3.0, -1.5 px against"),
        (Movement(0.02, -0.04, 1.006, 1.0061), True, "came back zoomed to 100.6 % against"),
        (Movement(-0.01, 0.0, 0.996, 1.0), True, "came back zoomed to 99.6 % across and 100.0 % down against"),
        (Movement(2.0, -0.01, 1.01, 1.01), True, "came back moved by 2.0, 0.0 px and zoomed to 101.0 % against"),
    ],
)
def test_the_notice_names_what_was_measured_and_nothing_else(moved: Movement, zoomed: bool, message: str) -> None:
    (notice,) = alignment_notices([Alignment(moved, 3.0, zoomed)])
    assert message in notice


@given(
    st.tuples(st.integers(300, 700), st.integers(300, 700)),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.sampled_from(("auto", "1:1", "9:16", "21:9", "8:1", "1:8")),
    st.floats(1.0, 4.0),
    st.sampled_from(("off", "shift", "shift and scale")),
    st.tuples(st.integers(-6, 6), st.integers(-6, 6)),
    st.sampled_from((3, 4)),
)
@settings(max_examples=examples(40), deadline=None)
def test_a_region_and_align_change_nothing_outside_the_mask(
    sides: tuple[int, int],
    box: tuple[float, float, float, float],
    ratio: str,
    context: float,
    align: str,
    moved: tuple[int, int],
    channels: int,
) -> None:
    """Bit for bit, colours and alpha, at any box, ratio and padding, whatever the movement is taken for."""
    width, height = sides
    across, down = max(1, round(box[2] * width)), max(1, round(box[3] * height))
    mask = painted(height, width, (round(box[0] * (width - across)), round(box[1] * (height - down)), across, down))
    frame = frame_of(photo(height, width))
    if channels == 4:
        frame = torch.cat([frame, torch.rand(1, height, width, 1)], -1)
    options = Options(aspect_ratio=ratio)
    edit = edit_of({"image_1": frame}, mask, region_context=context, align=align, options=options, mask_feather=5)
    (request,) = edit.requests
    how = negotiate(request, GOOGLE, NARROW)
    sent = how.references[0]._load()
    assert how.region is None or sent.shape[0] * sent.shape[1] < 1.1 * max(1024**2, width * height)
    task = ImageTask(request.slots()[0], request, resolved={"": how})
    task.complete(ResultImage(shifted(sent, *moved), "png", lambda: b""), "", "")
    output = edit.output(task)
    outside = mask == 0
    assert torch.equal(output.image[outside], frame[0, ..., :3][outside])
    transparency = 1 - frame[0, ..., 3] if channels == 4 else torch.zeros(height, width)
    assert torch.equal(output.mask[outside], transparency[outside])
    if how.region is not None:
        assert output.facts["region"] == list(how.region.inside)
