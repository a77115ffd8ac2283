"""Tensors to pixels and back: rounding, every dtype, batches, and masks that keep what they must bit for bit."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from example_count import examples  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from pack.core.errors import Impossible  # noqa: E402
from pack.core.images.picture import pixel_digest  # noqa: E402
from pack.nodes import tensors  # noqa: E402

ALL = torch.arange(256, dtype=torch.float32).reshape(16, 16, 1).expand(16, 16, 3) / 255
CPU = torch.device("cpu")


def noise(*shape: int, seed: int = 0) -> Any:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------------- float to uint8


def test_every_value_comes_back_exactly() -> None:
    """All 256 values, uint8 to float and float to uint8."""
    values = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2)
    there = tensors.image(values)
    assert there.dtype == torch.float32 and there.shape == (16, 16, 3)
    assert np.array_equal(tensors.pixels(there), values)
    assert torch.equal(tensors.image(tensors.pixels(ALL)), ALL)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (-0.01, 0),
        (-5.0, 0),
        (1.01, 255),
        (7.0, 255),
        (0.9999, 255),
        (0.49 / 255, 0),
        (0.51 / 255, 1),
        (1.49 / 255, 1),
        (1.51 / 255, 2),
        (254.49 / 255, 254),
        (254.51 / 255, 255),
        (-0.4 / 255, 0),
        (0.5, 128),
    ],
)
def test_values_are_rounded_and_clamped(value: float, wanted: int) -> None:
    """To the nearest step, never cut off and never wrapped around."""
    assert (tensors.pixels(torch.full((2, 3, 3), value)) == wanted).all()


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.floats(-2, 3, width=32), min_size=3, max_size=60))
def test_rounding_is_never_off_by_more_than_half_a_step(values: list[float]) -> None:
    """For any finite values."""
    row = torch.tensor(values[: len(values) // 3 * 3], dtype=torch.float32).reshape(1, -1, 3)
    exact = row.clamp(0, 1).double() * 255
    assert (torch.from_numpy(tensors.pixels(row)).double() - exact).abs().max() <= 0.5001


@settings(max_examples=examples(40), deadline=None)
@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.integers(0, 999),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32]),
)
def test_pixels_and_so_fingerprints_are_those_of_earlier_versions(
    height: int, width: int, seed: int, dtype: Any
) -> None:
    """Up to the last bit, with values that lie halfway between two steps among them."""
    random = torch.Generator().manual_seed(seed)
    halves = torch.randint(-20, 540, (height, width, 3), generator=random) / 2
    frame = ((halves + torch.randint(0, 2, halves.shape, generator=random) * 1e-5) / 255).to(dtype)
    earlier = (frame.float() * 255.0).round().clamp(0, 255).to(torch.uint8)
    assert torch.equal(torch.from_numpy(tensors.pixels(frame)), earlier)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("side", [1, 40, 700])
def test_values_of_0_to_255_are_told_once_for_an_input(side: int, dtype: Any) -> None:
    """With what was seen in all of its frames, and what to do."""
    frames = list((noise(2, side, side + 3, 3) * 250).to(dtype))
    frames[1][0, 0, 1] = 255
    (notice,) = tensors.value_notices(frames, "image_2")
    assert "image_2 has values up to 255," in notice and "divide it by 255" in notice


@pytest.mark.parametrize("least", [0.0, -0.8])
@pytest.mark.parametrize("most", [0.2, 1.0, 1.5])
def test_values_about_0_to_1_are_not_worth_a_word(least: float, most: float) -> None:
    """Sharpening and upscaling go a little beyond both ends."""
    frame = noise(300, 200, 4) * (most - least) + least
    frame[100, 100], frame[7, 3] = most, least
    assert tensors.value_notices([frame], "image_1") == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_left_to_its_own_refusal(value: float) -> None:
    assert tensors.value_notices([torch.full((5, 5, 3), value)], "image_1") == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", [(0, 0, 0), (511, 700, 2), (1999, 799, 1)])
def test_what_is_no_number_is_refused_wherever_it_stands(value: float, where: tuple[int, int, int]) -> None:
    """In any strip of a large frame; the input is named."""
    frame = torch.zeros(2000, 800, 3)
    frame[where] = value
    with pytest.raises(Impossible, match="image_2.*NaN"):
        tensors.pixels(frame, "image_2")


def test_opposite_infinities_do_not_cancel_out() -> None:
    """inf - inf is NaN, but a sum over many values is checked in strips."""
    frame = torch.zeros(8, 8, 3)
    frame[0, 0, 0], frame[0, 0, 1] = float("inf"), float("-inf")
    with pytest.raises(Impossible):
        tensors.pixels(frame)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_float_dtype(dtype: Any) -> None:
    """Half precision is converted before it is scaled: as near as the dtype itself allows."""
    frame = noise(9, 7, 3).to(dtype)
    exact = frame.double() * 255
    assert (torch.from_numpy(tensors.pixels(frame)).double() - exact).abs().max() <= 0.5001
    assert (tensors.pixels(torch.ones(2, 2, 3, dtype=dtype)) == 255).all()


def test_memory_layout_does_not_matter() -> None:
    """Permuted, flipped, expanded, sliced."""
    planes = noise(3, 20, 30)
    frame = planes.permute(1, 2, 0)
    assert not frame.is_contiguous()
    assert np.array_equal(tensors.pixels(frame), tensors.pixels(frame.contiguous()))
    assert np.array_equal(tensors.pixels(frame[::2, 3::4]), tensors.pixels(frame)[::2, 3::4])
    assert np.array_equal(tensors.pixels(frame.flip(0)), tensors.pixels(frame)[::-1])


def test_a_frame_larger_than_a_strip_is_whole() -> None:
    """Strips join without a seam."""
    frame = noise(1500, 1100, 3)
    expected = (frame * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    assert np.array_equal(tensors.pixels(frame), expected)


def test_inference_tensors_are_read_on_another_thread_and_left_alone() -> None:
    """The host runs nodes in inference mode; references are encoded on threads of ours that aren't."""
    with torch.inference_mode():
        batch = noise(2, 8, 8, 4)
        before = batch.clone()
        handles = [tensors.picture(frame, "image_1") for frame in tensors.frames(batch, "image_1")]
    found: list[Any] = []

    def work() -> None:
        try:
            found.extend(handle.encoded("png").data for handle in handles)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert len(found) == 2 and all(isinstance(data, bytes) for data in found), found
    assert torch.equal(batch, before)


def test_gradients_are_no_obstacle() -> None:
    """A frame that wants one."""
    assert tensors.pixels(torch.ones(2, 2, 3, requires_grad=True)).max() == 255


def test_nothing_is_changed_in_place() -> None:
    """Inputs belong to other nodes too."""
    frame = noise(5, 5, 3) * 3 - 1
    before = frame.clone()
    tensors.pixels(frame)
    tensors.covering(frame, 9, 3)
    tensors.keep_outside(frame, frame.flip(0), noise(5, 5), 2)
    assert torch.equal(frame, before)


# --------------------------------------------------------------------------------------------------------- frames


def test_frames_of_every_accepted_shape() -> None:
    """Batches, one frame without a batch, one channel, alpha."""
    assert [tuple(f.shape) for f in tensors.frames(noise(3, 4, 5, 3), "x")] == [(4, 5, 3)] * 3
    assert [tuple(f.shape) for f in tensors.frames(noise(4, 5, 3), "x")] == [(4, 5, 3)]
    assert [tuple(f.shape) for f in tensors.frames(noise(2, 4, 5, 4), "x")] == [(4, 5, 4)] * 2
    grey = tensors.frames(noise(1, 4, 5, 1), "x")[0]
    assert grey.shape == (4, 5, 3) and np.array_equal(tensors.pixels(grey)[..., 0], tensors.pixels(grey)[..., 2])


def test_frames_are_views() -> None:
    """A batch of many large frames isn't copied to be looked at."""
    batch = noise(2, 4, 5, 3)
    assert tensors.frames(batch, "x")[1].data_ptr() == batch[1].data_ptr()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "image",
        torch.zeros(4, 5),
        torch.zeros(1, 1, 4, 5, 3),
        torch.zeros(1, 4, 5, 2),
        torch.zeros(1, 4, 5, 5),
        torch.zeros(0, 4, 5, 3),
        torch.zeros(1, 0, 5, 3),
        torch.zeros(1, 4, 5, 3, dtype=torch.uint8),
        torch.zeros(1, 4, 5, 3, dtype=torch.int64),
    ],
    ids=lambda value: str(getattr(value, "shape", value)),
)
def test_what_is_no_image_is_refused_by_name(value: Any) -> None:
    """Latents, masks, empty batches, integers."""
    with pytest.raises(Impossible, match="image_3"):
        tensors.frames(value, "image_3")


def test_a_handle_has_the_size_of_its_frame_and_loads_late() -> None:
    """Width before height; pixels only when they are needed, and then refused by name."""
    frame = torch.zeros(4, 6, 3)
    frame[0, 0, 0] = float("nan")
    handle = tensors.picture(frame, "image_7")
    assert (handle.width, handle.height, handle.channels) == (6, 4, 3)
    with pytest.raises(Impossible, match="image_7"):
        _ = handle.digest


def test_a_handle_s_digest_is_that_of_its_rounded_pixels() -> None:
    """Differences below half a step don't make a new request."""
    frame = tensors.image(np.full((3, 3, 3), 100, np.uint8))
    nudged = frame + 0.3 / 255
    assert (
        tensors.picture(frame, "x").digest == tensors.picture(nudged, "x").digest == pixel_digest(tensors.pixels(frame))
    )
    assert tensors.picture(frame + 0.7 / 255, "x").digest != tensors.picture(frame, "x").digest


# ------------------------------------------------------------------------------------------------- results to tensors


def test_results_lose_their_alpha_into_a_mask() -> None:
    """RGB as it is; the mask is 1 - alpha, exactly, and zeros without alpha."""
    values = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    values[0, 0] = (10, 20, 30, 0)
    assert tensors.image(values).shape == (5, 6, 3) and np.array_equal(
        tensors.pixels(tensors.image(values)), values[..., :3]
    )
    mask = tensors.transparency(values)
    assert mask[0, 0] == 1 and np.array_equal(((1 - mask) * 255).round().to(torch.uint8).numpy(), values[..., 3])
    assert torch.equal(tensors.transparency(values[..., :3]), torch.zeros(5, 6))


def test_read_only_pixels_become_writable_tensors() -> None:
    """Pillow's arrays are read only, and a node after us may write."""
    values = np.zeros((2, 2, 4), np.uint8)
    values.setflags(write=False)
    tensors.image(values).add_(1)
    tensors.transparency(values).add_(1)


def test_results_of_one_size_are_one_batch() -> None:
    """And of several sizes one batch each; order, dtype and place are kept."""
    same = [noise(4, 5, 3, seed=n) for n in range(3)]
    (batch,) = tensors.batches(list(same), CPU, torch.float32)
    assert torch.equal(batch, torch.stack(same))
    mixed = [noise(4, 5, 3), noise(5, 4, 3), noise(4, 5, 3, seed=2)]
    apart = tensors.batches(mixed, CPU, torch.float16)
    assert [tuple(item.shape) for item in apart] == [(1, 4, 5, 3), (1, 5, 4, 3), (1, 4, 5, 3)]
    assert all(item.dtype == torch.float16 for item in apart)
    assert tensors.batches([noise(4, 5)], CPU, torch.float32)[0].shape == (1, 4, 5)


def test_a_batch_lets_its_items_go() -> None:
    """A hundred pictures are not in memory twice; whoever looks at one later looks into the batch."""
    items = [noise(4, 5, 3, seed=n) for n in range(3)]
    wanted, gone = torch.stack(items), [weakref.ref(item) for item in items]
    (batch,) = tensors.batches(items, CPU, torch.float32)
    assert torch.equal(batch, wanted) and not items
    assert [each() for each in gone] == [None] * 3


# ------------------------------------------------------------------------------------------------------------ fitting


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_covering_gives_exactly_the_size(have_h: int, have_w: int, width: int, height: int) -> None:
    """Any size to any size, within 0..1."""
    result = tensors.covering(noise(have_h, have_w, 3), width, height)
    assert tuple(result.shape) == (height, width, 3)
    assert result.min() >= 0 and result.max() <= 1 and bool(torch.isfinite(result).all())


@settings(max_examples=examples(60), deadline=None)
@given(st.tuples(*[st.integers(1, 60)] * 4), st.tuples(*[st.floats(0, 1)] * 4))
def test_a_part_of_covering_is_what_the_whole_has_there(
    sizes: tuple[int, int, int, int], box: tuple[float, float, float, float]
) -> None:
    """Within what the two filters of an enlargement differ by at the edges of small frames."""
    have_h, have_w, width, height = sizes
    across, down = max(1, round(box[2] * width)), max(1, round(box[3] * height))
    left, top = round(box[0] * (width - across)), round(box[1] * (height - down))
    frame = torch.nn.functional.interpolate(noise(1, 3, 4, 4), size=(have_h, have_w), mode="bilinear")[0].movedim(0, -1)
    whole = tensors.covering(frame, width, height)[top : top + down, left : left + across]
    part = tensors.covering_part(frame, width, height, (left, top, across, down))
    assert part.shape == whole.shape and float((part - whole).abs().max()) < 0.06


def test_a_frame_one_px_wide_is_enlarged_along_its_length() -> None:
    frame = torch.linspace(0, 1, 5)[:, None, None].expand(5, 1, 3)
    ramp = tensors.covering(frame, 1, 7)[:, 0, 0]
    assert ramp.shape == (7,) and bool((ramp.diff() > 0).all())


def test_covering_the_own_size_changes_nothing() -> None:
    """Not even a bit."""
    frame = noise(7, 9, 3)
    assert tensors.covering(frame, 9, 7) is frame


def test_covering_cuts_the_centre() -> None:
    """A wide picture brought to a square keeps its middle third; a tall one likewise."""
    frame = torch.zeros(30, 90, 3)
    frame[:, 30:60] = 1
    assert tensors.covering(frame, 30, 30).min() > 0.99
    assert tensors.covering(frame.transpose(0, 1), 30, 30).min() > 0.99
    assert tensors.covering(frame, 10, 10)[:, 2:-2].mean() > 0.95


def test_covering_a_flat_colour_keeps_it() -> None:
    """No dark edges from the resampling."""
    result = tensors.covering(torch.full((33, 47, 3), 0.6), 100, 51)
    assert (result - 0.6).abs().max() < 1e-4


def test_masks_of_every_accepted_shape() -> None:
    """With and without a batch, clamped, as float32."""
    assert [tuple(m.shape) for m in tensors.masks(noise(2, 3, 4))] == [(3, 4)] * 2
    (one,) = tensors.masks(torch.tensor([[-1.0, 2.0], [0.25, 1.0]], dtype=torch.float64))
    assert one.dtype == torch.float32 and one.tolist() == [[0, 1], [0.25, 1]]


@pytest.mark.parametrize("value", [None, torch.zeros(2, 3, 4, 1), torch.zeros(3), torch.zeros(0, 3, 4)])
def test_what_is_no_mask_is_refused(value: Any) -> None:
    """Images and nothing."""
    with pytest.raises(Impossible, match="MASK"):
        tensors.masks(value)
    with pytest.raises(Impossible, match="not numbers"):
        tensors.masks(torch.full((2, 2), float("nan")))


def places(have: int, want: int) -> tuple[Any, Any]:
    """Of which of `have` places each of `want` is; twice, for those right between two."""
    exact = torch.arange(want) * have
    return exact // want, (exact // want - (exact % want == 0).long()).clamp(min=0)


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 90), st.integers(1, 90))
def test_a_mask_is_fitted_by_nearest(have_h: int, have_w: int, width: int, height: int) -> None:
    """No value that wasn't there, and each from the place below it."""
    mask = noise(have_h, have_w)
    negotiated = tensors.fitted_mask(mask, width, height)
    assert tuple(negotiated.shape) == (height, width)
    assert set(negotiated.flatten().tolist()) <= set(mask.flatten().tolist())
    # Where a place falls right between two, float arithmetic may take either.
    rows, columns = places(have_h, height), places(have_w, width)
    assert torch.stack([negotiated == mask[row][:, column] for row in rows for column in columns]).any(0).all()


# ------------------------------------------------------------------------------------------------------ keeping outside


@st.composite
def painted(draw: st.DrawFn) -> Any:
    """A mask with hard and soft values, as brushes leave them."""
    height, width = draw(st.integers(1, 32)), draw(st.integers(1, 32))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    values = (rng.random((height, width)) < share).astype(np.float32)
    if draw(st.booleans()):
        values *= rng.random((height, width)).astype(np.float32)
    if draw(st.booleans()):
        values[: height // 2] = 0
    return torch.from_numpy(values)


@settings(max_examples=examples(120), deadline=None)
@given(painted(), st.sampled_from([0, 1, 2, 8, 64, 512]), st.integers(0, 99))
def test_outside_the_mask_nothing_changes_by_a_single_bit(mask: Any, feather: int, seed: int) -> None:
    """For any mask and feather; not even where the result holds nonsense."""
    height, width = mask.shape
    original, result = noise(height, width, 3, seed=seed) * 3 - 1, noise(height, width, 3, seed=seed + 1)
    result[mask == 0] = float("nan")
    kept = tensors.keep_outside(result, original, mask, feather)
    outside = mask == 0
    assert torch.equal(kept[outside].view(torch.int32), original[outside].view(torch.int32))
    assert bool(torch.isfinite(kept).all())


@settings(max_examples=examples(80), deadline=None)
@given(painted(), st.sampled_from([0, 1, 2, 8, 64]))
def test_inside_it_lies_between_the_two(mask: Any, feather: int) -> None:
    """A mix, weighted by the mask, never more of the result than the mask allows."""
    zeros, ones = torch.zeros(*mask.shape, 3), torch.ones(*mask.shape, 3)
    weight = tensors.keep_outside(ones, zeros, mask, feather)[..., 0]
    assert (weight <= mask + 1e-6).all() and (weight >= 0).all()
    if feather == 0:
        assert torch.allclose(weight, mask, atol=1e-6)


@pytest.mark.parametrize("feather", [1, 4, 8])
def test_the_feather_goes_inward_and_only_rises(feather: int) -> None:
    """From the edge of the painted region: above 0, monotone, 1 from `feather` px on; nothing outside."""
    mask = torch.zeros(40, 60)
    mask[:, 20:] = 1
    weight = tensors.keep_outside(torch.ones(40, 60, 3), torch.zeros(40, 60, 3), mask, feather)[20, :, 0]
    assert (weight[:20] == 0).all()
    ramp = weight[20:]
    assert (ramp[1:] >= ramp[:-1]).all() and 0 < ramp[0] < 1
    assert (ramp[:feather] < 1).all() and (ramp[feather:] == 1).all()


def test_the_edge_of_the_picture_is_no_edge_of_the_mask() -> None:
    """A fully painted picture isn't faded at its border, nor a region where it touches it."""
    ones, zeros = torch.ones(20, 20, 3), torch.zeros(20, 20, 3)
    assert torch.equal(tensors.keep_outside(ones, zeros, torch.ones(20, 20), 8), ones)
    mask = torch.zeros(20, 20)
    mask[:, 10:] = 1
    assert tensors.keep_outside(ones, zeros, mask, 4)[0, 19, 0] == 1


def test_without_feather_the_inside_is_the_result_bit_for_bit() -> None:
    """A hard mask takes the result as it came."""
    result, original = noise(16, 16, 3), noise(16, 16, 3, seed=5)
    mask = (noise(16, 16, seed=7) > 0.5).float()
    kept = tensors.keep_outside(result, original, mask, 0)
    assert torch.equal(kept[mask == 1], result[mask == 1]) and torch.equal(kept[mask == 0], original[mask == 0])


def test_a_mask_as_a_picture_is_white_where_it_may_change() -> None:
    """Rounded, clamped, RGB."""
    picture = tensors.grey_picture(torch.tensor([[0.0, 0.5, 1.0, 3.0]]))
    assert picture.shape == (1, 4, 3) and picture[0, :, 1].tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize("have", [(60, 400), (400, 60), (7, 333)])
def test_a_narrow_result_is_enlarged_where_it_is_seen_only(
    have: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That changes no value but at the outermost px of the result, where the filter reaches beyond it."""
    frame = torch.rand(*have, 3, generator=torch.Generator().manual_seed(1))
    seen = tensors.covering(frame, 500, 401)
    monkeypatch.setattr(tensors, "_MUCH_MORE", 10**9)
    edge = round(2 * max(401 / have[0], 500 / have[1]))
    inner = (slice(edge, -edge), slice(edge, -edge))
    assert torch.allclose(seen[inner], tensors.covering(frame, 500, 401)[inner], atol=1e-4)


@pytest.mark.parametrize("have", [(1, 16000), (9000, 1)])
def test_a_line_as_a_result_takes_no_gigabytes(have: tuple[int, int]) -> None:
    """Whole, it would be enlarged to 96 or 54 GB."""
    assert tensors.covering(torch.full((*have, 3), 0.25), 400, 500).shape == (500, 400, 3)


def test_a_frame_whose_sign_is_still_to_be_changed_is_read() -> None:
    """What torch gives for the imaginary part of a conjugate, as after a Fourier transform."""
    values = torch.complex(torch.zeros(2, 3, 3), torch.full((2, 3, 3), -0.4)).conj().imag
    assert values.is_neg()
    assert (tensors.pixels(values) == 102).all()
