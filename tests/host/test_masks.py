"""What a mask promises: nothing outside it changes, the soft edge is inside, and what is odd is refused or told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pack.tests.host.graph_parts import Graph, digest, frames, mask_link, references
from pack.tests.host.kit import Bench, Ran, colours, node


def hole(height: int, width: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """A mask that is 1 in a rectangle."""
    mask = np.zeros((height, width))
    mask[top:bottom, left:right] = 1
    return mask


def edit(bench: Bench, tag: str, original: np.ndarray, mask: np.ndarray, name: str = "", **inputs: Any) -> Ran:
    """An edit of one picture with one mask; `name` keeps several of a test apart on disk."""
    graph: Graph = {}
    link = mask_link(bench, f"{tag}{name}", graph, [mask])
    picture = bench.put(f"{tag}{name}.png", original)
    return bench.edit(tag, {"image_1": picture}, more=graph, mask=link, **inputs)


def test_the_feather_is_a_ramp_inside_the_mask_and_costs_nothing_to_change(bench: Bench, tag: str) -> None:
    """The same paid picture with another feather: outside untouched, full strength from `feather` px on, between both."""
    original, mask = colours(80, 120, 1), hole(80, 120, 20, 30, 60, 90)
    hard = edit(bench, tag, original, mask, mask_feather=0).images()[0].astype(float)
    soft_run = edit(bench, tag, original, mask, mask_feather=6)
    soft = soft_run.images()[0].astype(float)
    assert bench.paid(tag) == 1 and soft_run.info()["images"][0]["from"] == "store"
    rows, columns = np.mgrid[0:80, 0:120]
    depth = np.minimum.reduce([rows - 19, 60 - rows, columns - 29, 90 - columns])
    assert np.array_equal(soft[depth <= 0], original[depth <= 0])
    assert np.abs(soft[depth >= 7] - hard[depth >= 7]).max() <= 1
    edge = (depth > 0) & (depth < 7)
    weight = np.clip(depth / 7, 0, 1)[..., None]
    blended = original + (hard - original) * weight
    assert np.abs(soft[edge] - blended[edge]).max() <= 2
    assert np.abs(soft[edge] - hard[edge]).mean() > 5


def test_grey_in_a_mask_mixes_and_only_black_protects(bench: Bench, tag: str) -> None:
    """A painted 40 % changes 40 %; 0 is the input's value exactly."""
    original, mask = colours(48, 72, 2), np.zeros((48, 72))
    mask[:, 24:48], mask[:, 48:] = 0.4, 1
    result = edit(bench, tag, original, mask, mask_feather=0).images()[0].astype(float)
    whole = edit(bench, tag, original, np.ones((48, 72)), "-whole", mask_feather=0).images()[0].astype(float)
    assert bench.paid(tag) == 1
    assert np.array_equal(result[:, :24], original[:, :24])
    assert np.array_equal(result[:, 48:], whole[:, 48:])
    mixed = original * 0.6 + whole * 0.4
    assert np.abs(result[:, 24:48] - mixed[:, 24:48]).max() <= 2


def test_a_feather_wider_than_the_mask_keeps_the_outside(bench: Bench, tag: str) -> None:
    original, mask = colours(64, 64, 3), hole(64, 64, 30, 30, 34, 34)
    ran = edit(bench, tag, original, mask, mask_feather=512)
    assert ran.status == "success", ran.error
    result = ran.images()[0]
    assert np.array_equal(result[mask == 0], original[mask == 0])


def test_a_mask_forces_the_size_of_its_image_whatever_came_back(bench: Bench, tag: str) -> None:
    """A result of another ratio is scaled to cover and cut, and the notice has the numbers."""
    original, mask = colours(101, 77, 4), hole(101, 77, 40, 20, 80, 60)
    bench.doubles.fault("longest=0", match=tag)
    ran = edit(bench, tag, original, mask, aspect_ratio="16:9", output_size="as returned")
    (result,) = ran.images()
    assert result.shape == (101, 77, 3)
    assert np.array_equal(result[mask == 0], original[mask == 0])
    assert [n for n in ran.info()["notices"] if "1376x768" in n and "cut to 77x101" in n]


def test_a_mask_almost_of_the_images_shape_is_fitted(bench: Bench, tag: str) -> None:
    """Half a percent off is rounding; what is refused is over one percent."""
    original, mask = colours(100, 150, 5), hole(199, 300, 0, 0, 199, 150)
    ran = edit(bench, tag, original, mask, mask_feather=0)
    assert ran.status == "success", ran.error
    result = ran.images()[0]
    assert np.array_equal(result[:, 75:], original[:, 75:])
    assert (result[:, :74] != original[:, :74]).any(axis=2).mean() > 0.9
    off = edit(bench, tag, original, hole(196, 300, 0, 0, 196, 150), "-off")
    assert "300x196" in off.error and "150x100" in off.error and len(bench.asked(tag)) == 1


def test_each_uses_the_mask_of_each_frame(bench: Bench, tag: str) -> None:
    graph: Graph = {}
    one, made = frames(bench, tag, graph, "one", 2, (40, 60))
    masks = [hole(40, 60, 0, 0, 40, 20), hole(40, 60, 0, 40, 40, 60)]
    link = mask_link(bench, tag, graph, masks)
    ran = bench.edit(tag, {"image_1": one}, more=graph, mask=link, batch_mode="each", mask_feather=0)
    assert ran.status == "success", ran.error
    for result, original, mask in zip(ran.images(), made, masks, strict=True):
        assert np.array_equal(result[mask == 0], original[mask == 0])
        assert (result[mask == 1] != original[mask == 1]).any(axis=1).mean() > 0.9


def test_one_mask_serves_every_frame_and_every_picture(bench: Bench, tag: str) -> None:
    """Two frames with two pictures each: all four are held against the one mask and their own frame."""
    graph: Graph = {}
    one, made = frames(bench, tag, graph, "one", 2, (40, 60))
    mask = hole(40, 60, 10, 10, 30, 50)
    link = mask_link(bench, tag, graph, [mask])
    ran = bench.edit(tag, {"image_1": one}, more=graph, mask=link, batch_mode="each", num_images=2)
    results = ran.images()
    for result, original in zip(results, [made[0], made[0], made[1], made[1]], strict=True):
        assert np.array_equal(result[mask == 0], original[mask == 0])
    assert not np.array_equal(results[0], results[1])


def test_an_empty_mask_among_several_is_refused_by_its_number(bench: Bench, tag: str) -> None:
    """Two good frames don't hide that the second one could not change."""
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 2, (40, 60))
    link = mask_link(bench, tag, graph, [hole(40, 60, 0, 0, 9, 9), np.zeros((40, 60))])
    ran = bench.edit(tag, {"image_1": one}, more=graph, mask=link, batch_mode="each")
    assert "2" in ran.error and "nothing may change" in ran.error and not bench.asked(tag)


@pytest.mark.parametrize("mode", ["each", "each paired"])
def test_the_mask_picture_goes_last_behind_all_references(bench: Bench, tag: str, mode: str) -> None:
    """Each frame gets its own mask as a black and white picture of its own size."""
    graph: Graph = {}
    one, made = frames(bench, tag, graph, "one", 2, (40, 60))
    two, (other,) = frames(bench, tag, graph, "two", 1, (30, 30))
    masks = [hole(40, 60, 0, 0, 40, 20), hole(40, 60, 0, 40, 40, 60)]
    link = mask_link(bench, tag, graph, masks)
    ran = bench.edit(tag, {"image_1": one, "image_2": two}, more=graph, mask=link, batch_mode=mode,
                     mask_hint="as last reference")  # fmt: skip
    assert ran.status == "success", ran.error
    white = [np.repeat((mask * 255).astype(np.uint8)[..., None], 3, 2) for mask in masks]
    wanted = sorted([digest(made[i]), digest(other), digest(white[i])] for i in range(2))
    assert sorted(references(request) for request in bench.asked(tag)) == wanted


def test_without_a_hint_the_model_is_told_nothing(bench: Bench, tag: str) -> None:
    """The mask is the pack's own business then: the prompt and the references are as they were."""
    original = colours(40, 60, 6)
    ran = edit(bench, tag, original, hole(40, 60, 0, 0, 20, 20))
    (request,) = bench.asked(tag)
    assert request["fields"]["prompt"] == tag and references(request) == [digest(original)]
    assert not [n for n in ran.info()["notices"] if "prompt" in n]


def test_a_hint_without_a_mask_is_left_out_with_a_notice(bench: Bench, tag: str) -> None:
    ran = bench.edit(tag, {"image_1": bench.put(f"{tag}.png", colours(32, 32))}, mask_hint="as last reference")
    assert bench.asked(tag)[0]["fields"]["prompt"] == tag
    assert [n for n in ran.info()["notices"] if "mask_hint" in n and "no mask" in n]


def test_pixels_outside_the_mask_are_the_inputs_floats_bit_for_bit(bench: Bench, tag: str) -> None:
    """Not only to 8 bits: a picture between two grey levels, held against itself inside the graph, differs nowhere."""
    graph: Graph = {
        "load": node("LoadImage", image=bench.put(f"{tag}.png", colours(40, 60, 7))),
        # 3/4 of it and a resample: values that no 8-bit picture has.
        "black": node("EmptyImage", width=60, height=40, batch_size=1, color=0),
        "odd": node("ImageBlend", image1=["load", 0], image2=["black", 0], blend_factor=0.3, blend_mode="normal"),
        "odder": node("ImageScale", image=["odd", 0], upscale_method="bicubic", width=67, height=43, crop="disabled"),
        # The host's difference is cut off at 0, so both ways round.
        "over": node("ImageBlend", image1=["make", 0], image2=["odder", 0], blend_factor=1.0, blend_mode="difference"),
        "under": node("ImageBlend", image1=["odder", 0], image2=["make", 0], blend_factor=1.0, blend_mode="difference"),
        "both": node("ImageBatch", image1=["over", 0], image2=["under", 0]),
    }
    for channel in ("red", "green", "blue"):
        # Any difference at all, 1e-7 too, becomes white.
        graph[f"seen_{channel}"] = node("ImageToMask", image=["both", 0], channel=channel)
        graph[f"any_{channel}"] = node("ThresholdMask", mask=[f"seen_{channel}", 0], value=0.0)
        graph[f"picture_{channel}"] = node("MaskToImage", mask=[f"any_{channel}", 0])
        graph[f"shown_{channel}"] = node("PreviewImage", images=[f"picture_{channel}", 0])
    mask = hole(43, 67, 10, 10, 30, 50)
    link = mask_link(bench, tag, graph, [mask])
    ran = bench.edit(tag, {"image_1": ["odder", 0]}, more=graph, mask=link)
    assert ran.status == "success", ran.error
    shown = [picture for channel in ("red", "green", "blue") for picture in ran.images(f"shown_{channel}")]
    changed = np.stack([picture[..., 0] for picture in shown]).max(axis=0) > 0
    assert len(shown) == 6 and not changed[mask == 0].any() and changed[mask == 1].any()
