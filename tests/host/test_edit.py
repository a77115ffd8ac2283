"""What an edit means: which pictures go where, what a mask keeps, and which size comes back."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from pack.tests.host.kit import Bench, colours, node


def digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def references(request: dict[str, Any]) -> list[str]:
    return [one["sha256_pixels"] for one in request["references"]]


@pytest.mark.parametrize("provider", ["onerouter", "apiframe", "nanobanana", "runflow", "offline"])
def test_references_arrive_in_order_and_pixel_for_pixel(bench: Bench, tag: str, provider: str) -> None:
    """Lossless means lossless: what the provider decodes is what LoadImage loaded."""
    pictures = [colours(40 + i, 60 + i, i) for i in range(3)]
    names = {f"image_{i + 1}": bench.put(f"{tag}-{i}.png", picture) for i, picture in enumerate(pictures)}
    ran = bench.edit(tag, names, provider)
    assert ran.status == "success", ran.error
    if provider != "offline":  # the host's own simulator is in its own process
        assert references(bench.asked(tag)[0]) == [digest(picture) for picture in pictures]
    assert ran.info()["operation"] == "edit"


def batch(bench: Bench, tag: str, sizes: list[int]) -> tuple[dict[str, Any], list[list[np.ndarray]]]:
    """Graph nodes that give one IMAGE batch per number in `sizes`, named batch_1, ..., and their frames."""
    graph: dict[str, Any] = {}
    frames = []
    for index, size in enumerate(sizes, 1):
        made = [colours(32, 48, 100 * index + i) for i in range(size)]
        frames.append(made)
        link: list[Any] = []
        for i, frame in enumerate(made):
            name = f"load_{index}_{i}"
            graph[name] = node("LoadImage", image=bench.put(f"{tag}-{index}-{i}.png", frame))
            if link:
                graph[f"join_{index}_{i}"] = node("ImageBatch", image1=link, image2=[name, 0])
                link = [f"join_{index}_{i}", 0]
            else:
                link = [name, 0]
        graph[f"batch_{index}"] = node("RepeatImageBatch", image=link, amount=1)
    return graph, frames


def test_together_sends_every_frame_in_socket_then_frame_order(bench: Bench, tag: str) -> None:
    """A gap and batches: the numbering isn't obvious, so a notice lists it."""
    graph, frames = batch(bench, tag, [2, 1])
    ran = bench.edit(tag, {"image_1": ["batch_1", 0], "image_3": ["batch_2", 0]}, more=graph)
    assert ran.status == "success", ran.error
    (request,) = bench.asked(tag)
    assert references(request) == [digest(f) for f in [*frames[0], *frames[1]]]
    assert "picture 1 = image_1 frame 1, picture 2 = image_1 frame 2, picture 3 = image_3" in ran.info()["notices"]


def test_plain_single_images_need_no_numbering_notice(bench: Bench, tag: str) -> None:
    ran = bench.edit(tag, {"image_1": bench.put(f"{tag}.png", colours(32, 32))})
    assert not [n for n in ran.info()["notices"] if "picture 1" in n]


def test_each_makes_a_request_per_frame_with_the_others_along(bench: Bench, tag: str) -> None:
    graph, frames = batch(bench, tag, [3, 2])
    ran = bench.edit(tag, {"image_1": ["batch_1", 0], "image_2": ["batch_2", 0]}, more=graph, batch_mode="each")
    assert ran.status == "success", ran.error
    got = sorted(references(request) for request in bench.asked(tag))
    assert got == sorted([digest(frame), *(digest(f) for f in frames[1])] for frame in frames[0])
    assert [image["frame"] for image in ran.info()["images"]] == [0, 1, 2]


def test_each_paired_goes_frame_by_frame(bench: Bench, tag: str) -> None:
    graph, frames = batch(bench, tag, [2, 2, 1])
    pictures = {"image_1": ["batch_1", 0], "image_2": ["batch_2", 0], "image_3": ["batch_3", 0]}
    ran = bench.edit(tag, pictures, more=graph, batch_mode="each paired")
    assert ran.status == "success", ran.error
    got = sorted(references(request) for request in bench.asked(tag))
    want = [[digest(frames[0][i]), digest(frames[1][i]), digest(frames[2][0])] for i in range(2)]
    assert got == sorted(want)


def test_each_paired_refuses_unequal_lengths(bench: Bench, tag: str) -> None:
    graph, _ = batch(bench, tag, [3, 2])
    ran = bench.edit(tag, {"image_1": ["batch_1", 0], "image_2": ["batch_2", 0]}, more=graph, batch_mode="each paired")
    assert "image_1 has 3, image_2 has 2" in ran.error and "Nothing was charged" in ran.error
    assert not bench.asked(tag)


def test_a_host_list_maps(bench: Bench, tag: str) -> None:
    """A list into image_1 runs the node once per element, as everywhere in ComfyUI."""
    graph, _ = batch(bench, tag, [3])
    graph["list"] = node("RebatchImages", images=["batch_1", 0], batch_size=1)
    ran = bench.edit(tag, {"image_1": ["list", 0]}, more=graph)
    assert ran.status == "success", ran.error
    assert len(bench.asked(tag)) == 3 and len(ran.images()) == 3


@pytest.mark.parametrize(
    ("provider", "field", "value"),
    [
        ("onerouter", "size", "auto"),
        ("apiframe", "aspect_ratio", "match_input_image"),
        ("runflow", "aspect_ratio", "auto"),
        ("nanobanana", "aspect_ratio", "16:9"),
    ],
)
def test_auto_ratio_on_an_edit_is_the_first_images(
    bench: Bench, tag: str, provider: str, field: str, value: str
) -> None:
    """The provider's own word, else the nearest ratio it has, with a notice."""
    ran = bench.edit(tag, {"image_1": bench.put(f"{tag}.png", colours(90, 165))}, provider)
    assert ran.status == "success", ran.error
    fields = bench.asked(tag)[0]["fields"]
    assert fields.get("input", fields)[field] == value  # the host may have learned the other form of a provider by now
    assert any("16:9" in notice for notice in ran.info()["notices"]) == (provider == "nanobanana")


def test_alpha_of_a_reference_is_kept(bench: Bench, tag: str) -> None:
    """RGBA goes out as RGBA, colours under transparent pixels included."""
    rgba = colours(32, 32, 3, 4)
    bench.put(f"{tag}.png", rgba)
    graph = {
        "load": node("LoadImage", image=f"{tag}.png"),
        "joined": node("JoinImageWithAlpha", image=["load", 0], alpha=["load", 1]),
    }
    ran = bench.edit(tag, {"image_1": ["joined", 0]}, more=graph)
    assert ran.status == "success", ran.error
    assert bench.asked(tag)[0]["references"][0]["mode"] == "RGBA"


@pytest.mark.parametrize("form", ["lossless", "jpeg"])
def test_reference_format_is_obeyed(bench: Bench, tag: str, form: str) -> None:
    bench.edit(tag, {"image_1": bench.put(f"{tag}.png", colours(32, 32))}, reference_format=form)
    sent = bench.asked(tag)[0]["references"][0]["format"].lower()
    assert sent == "jpeg" if form == "jpeg" else sent in ("webp", "png")


# ----------------------------------------------------------------------------------------------------------- masks


def masked(
    bench: Bench, tag: str, mask: np.ndarray, size: tuple[int, int] = (64, 96), **inputs: Any
) -> tuple[Any, np.ndarray]:
    """An edit of noise with a mask picture (white may change); gives what ran and the input."""
    original = colours(*size, 9)
    bench.put(f"{tag}.png", original)
    bench.put(f"{tag}-mask.png", np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, 2))
    graph = {
        "mask_file": node("LoadImageMask", image=f"{tag}-mask.png", channel="red"),
        "originals": node("PreviewImage", images=["make", 4]),
    }
    ran = bench.edit(tag, {"image_1": f"{tag}.png"}, more=graph, mask=["mask_file", 0], **inputs)
    return ran, original


def test_every_pixel_outside_the_mask_is_the_inputs(bench: Bench, tag: str) -> None:
    """Bit for bit, at the input's own size, with the feather on the inside only."""
    mask = np.zeros((64, 96), bool)
    mask[16:48, 30:70] = True
    ran, original = masked(bench, tag, mask, mask_feather=6)
    assert ran.status == "success", ran.error
    (result,) = ran.images()
    assert result.shape == original.shape
    assert np.array_equal(result[~mask], original[~mask])
    core = np.zeros_like(mask)
    core[24:40, 38:62] = True
    assert (result[core] != original[core]).any(axis=1).mean() > 0.9
    assert np.array_equal(ran.images("originals")[0], original)


def test_a_mask_of_another_size_fits_by_nearest(bench: Bench, tag: str) -> None:
    mask = np.zeros((32, 48), bool)
    mask[8:24, 12:36] = True
    ran, original = masked(bench, tag, mask, mask_feather=0)
    outside = ~np.repeat(np.repeat(mask, 2, 0), 2, 1)
    assert np.array_equal(ran.images()[0][outside], original[outside])


def test_an_empty_mask_is_refused(bench: Bench, tag: str) -> None:
    """LoadImage gives 64x64 zeros for a picture without alpha: connecting it by accident must not cost anything."""
    bench.put(f"{tag}.png", colours(64, 96))
    graph = {"other": node("LoadImage", image=f"{tag}.png")}
    ran = bench.edit(tag, {"image_1": f"{tag}.png"}, more=graph, mask=["other", 1])
    assert "nothing may change" in ran.error and "disconnect" in ran.error and not bench.asked(tag)


def test_a_mask_of_another_shape_is_refused(bench: Bench, tag: str) -> None:
    ran, _ = masked(bench, tag, np.ones((64, 64), bool))
    assert "64x64" in ran.error and "96x64" in ran.error and not bench.asked(tag)


def test_masks_are_one_or_as_many_as_the_frames(bench: Bench, tag: str) -> None:
    graph, _ = batch(bench, tag, [3])
    graph["one"] = node("SolidMask", value=1.0, width=48, height=32)
    graph["two"] = node("SolidMask", value=1.0, width=48, height=32)
    graph["picture_1"], graph["picture_2"] = node("MaskToImage", mask=["one", 0]), node("MaskToImage", mask=["two", 0])
    graph["both"] = node("ImageBatch", image1=["picture_1", 0], image2=["picture_2", 0])
    graph["masks"] = node("ImageToMask", image=["both", 0], channel="red")
    ran = bench.edit(tag, {"image_1": ["batch_1", 0]}, more=graph, mask=["masks", 0], batch_mode="each")
    assert "2 masks for 3 frames" in ran.error and not bench.asked(tag)


def test_mask_hint_tells_the_model_and_the_user(bench: Bench, tag: str) -> None:
    mask = np.zeros((64, 96), bool)
    mask[16:48, 30:70] = True
    ran, original = masked(bench, tag, mask, mask_hint="as last reference")
    (request,) = bench.asked(tag)
    white = np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, 2)
    assert references(request) == [digest(original), digest(white)]
    words = [notice for notice in ran.info()["notices"] if notice.startswith("added to the prompt")]
    assert words and words[0].split(": ", 1)[1] in request["fields"]["prompt"]


def test_match_first_image_gives_exactly_its_size(bench: Bench, tag: str) -> None:
    """Cover and centre crop, with the numbers where something was cut."""
    bench.put(f"{tag}.png", colours(301, 403))
    ran = bench.edit(tag, {"image_1": f"{tag}.png"}, output_size="match first image", aspect_ratio="16:9")
    assert ran.images()[0].shape == (301, 403, 3)
    assert any("cut to 403x301" in notice for notice in ran.info()["notices"])


def test_the_original_frame_stands_in_for_a_failed_one(bench: Bench, tag: str) -> None:
    """One frame is refused; its place keeps the input, and the report says so."""
    graph, frames = batch(bench, tag, [2])
    bench.doubles.fault("refuse times=1", provider="onerouter", match=tag)
    ran = bench.edit(tag, {"image_1": ["batch_1", 0]}, more=graph, batch_mode="each",
                     on_failure="keep the original frame", output_size="match first image",
                     config={"max_parallel": 1})  # fmt: skip
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    first, second = ran.images()
    assert np.array_equal(first, frames[0][0]) and not np.array_equal(second, frames[0][1])
    assert [image["from"] for image in ran.info()["images"]] == ["original", "provider"]
    assert ran.info()["failed"][0]["frame"] == 0


def test_keeping_the_original_frame_needs_an_each_mode(bench: Bench, tag: str) -> None:
    name = bench.put(f"{tag}.png", colours(32, 32))
    ran = bench.edit(tag, {"image_1": name}, on_failure="keep the original frame")
    assert "each" in ran.error and not bench.asked(tag)


def test_too_many_references_are_refused_with_the_limit(bench: Bench, tag: str) -> None:
    bench.put(f"{tag}.png", colours(16, 16))
    graph = {
        "load": node("LoadImage", image=f"{tag}.png"),
        "many": node("RepeatImageBatch", image=["load", 0], amount=15),
    }
    ran = bench.edit(tag, {"image_1": ["many", 0]}, more=graph)
    assert "15 reference images" in ran.error and "up to 14" in ran.error and not bench.asked(tag)


def test_fourteen_references_arrive(bench: Bench, tag: str) -> None:
    bench.put(f"{tag}.png", colours(16, 16))
    graph = {
        "load": node("LoadImage", image=f"{tag}.png"),
        "many": node("RepeatImageBatch", image=["load", 0], amount=14),
    }
    assert bench.edit(tag, {"image_1": ["many", 0]}, more=graph).status == "success"
    assert len(bench.asked(tag)[0]["references"]) == 14


def test_a_ratio_the_provider_lacks_is_refused_with_what_it_has(bench: Bench, tag: str) -> None:
    name = bench.put(f"{tag}.png", colours(16, 16))
    ran = bench.edit(tag, {"image_1": name}, aspect_ratio="1:8")
    assert "1:8" in ran.error and "21:9" in ran.error and not bench.asked(tag)
