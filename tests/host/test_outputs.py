"""What comes out: lists that stay aligned, pixels that are the provider's, and a report that is true."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pack.core.request import mixed_seed
from pack.tests.host.graph_parts import Graph, drawn, frames
from pack.tests.host.kit import Bench, colours, node
from PIL import Image

ALL = {"images": 0, "masks": 1, "text": 2, "info": 3, "originals": 4}


def viewers(edit: bool = False) -> Graph:
    """A node on every output of "make" that shows each of its elements."""
    graph: Graph = {
        "seen": node("MaskToImage", mask=["make", ALL["masks"]]),
        "masks": node("PreviewImage", images=["seen", 0]),
        "texts": node("PreviewAny", source=["make", ALL["text"]]),
        "infos": node("PreviewAny", source=["make", ALL["info"]]),
    }
    if edit:
        graph["originals"] = node("PreviewImage", images=["make", ALL["originals"]])
    return graph


def generated(bench: Bench, prompt: str, provider: str = "onerouter", **inputs: Any) -> Any:
    """One Generate node with a viewer on every output."""
    return bench.run(
        {
            "config": node("ProviderConfig", provider=provider, max_parallel=1),
            "make": node("NanoBananaGenerate", prompt=prompt, provider=["config", 0], **inputs),
            "show": node("PreviewImage", images=["make", 0]),
            **viewers(),
        }
    )


def test_the_graph_gets_the_providers_pixels(bench: Bench, tag: str) -> None:
    """Three pictures of one call, each pixel as it is in the file that was paid for."""
    ran = generated(bench, tag, num_images=3, seed=77)
    wanted = drawn(bench, bench.asked(tag)[0])
    assert len(wanted) == 3
    assert all(np.array_equal(got, want) for got, want in zip(ran.images(), wanted, strict=True))


def test_transparency_becomes_one_minus_alpha_pixel_for_pixel(bench: Bench, tag: str) -> None:
    """RGB keeps its colours, the mask is what alpha lacked, both at full size."""
    ran = generated(bench, f"{tag} [[sim: rgba]]", seed=5)
    (wanted,) = drawn(bench, bench.asked(tag)[0])
    assert wanted.shape[2] == 4 and 0 < wanted[..., 3].mean() < 255
    (picture,), (mask,) = ran.images(), ran.images("masks")
    assert np.array_equal(picture, wanted[..., :3])
    assert np.abs(mask[..., 0].astype(int) - (255 - wanted[..., 3].astype(int))).max() <= 1


def test_an_opaque_result_has_a_black_mask_of_its_size(bench: Bench, tag: str) -> None:
    """Not the host's 64x64 stand-in: the mask can be used with the picture at once."""
    ran = generated(bench, f"{tag} [[sim: longest=0]]", aspect_ratio="16:9")
    (mask,) = ran.images("masks")
    assert mask.shape[:2] == ran.images()[0].shape[:2] == (768, 1376) and mask.max() == 0


def test_pictures_of_one_size_are_one_batch_with_one_text_and_one_report(bench: Bench, tag: str) -> None:
    """What comes behind runs once with a batch of three, not three times."""
    ran = generated(bench, tag, num_images=3)
    assert len(ran.images()) == len(ran.images("masks")) == 3
    assert len(ran.text("texts")) == len(ran.text("infos")) == 1
    assert json.loads(ran.text("infos")[0]) == ran.info()


def test_pictures_of_several_sizes_come_one_by_one_and_every_output_follows(bench: Bench, tag: str) -> None:
    """Five lists of three elements each, aligned."""
    graph = viewers(edit=True)
    one, (original,) = frames(bench, tag, graph, "one", 1)
    ran = bench.edit(f"{tag} [[sim: sizes]]", {"image_1": one}, more=graph, num_images=3)
    assert ran.status == "success", ran.error
    shapes = [picture.shape[:2] for picture in ran.images()]
    assert len(set(shapes)) == 3
    assert [mask.shape[:2] for mask in ran.images("masks")] == shapes
    assert [(image["height"], image["width"]) for image in ran.info()["images"]] == shapes
    assert len(ran.text("texts")) == len(ran.text("infos")) == 3
    assert len(ran.images("originals")) == 3
    assert all(np.array_equal(frame, original) for frame in ran.images("originals"))


def test_originals_stay_aligned_when_a_frame_in_the_middle_fails(bench: Bench, tag: str) -> None:
    """Three frames, the second refused: two results, and their originals are frames 0 and 2."""
    graph = viewers(edit=True)
    one, made = frames(bench, tag, graph, "one", 3)
    bench.doubles.fault("refuse times=1", provider="onerouter", match=tag)
    bench.doubles.fault("slow=0 times=1", provider="onerouter", match=tag)
    ran = bench.edit(tag, {"image_1": one}, more=graph, batch_mode="each", config={"max_parallel": 1})
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    info = ran.info()
    (failed,) = info["failed"]
    kept = [image["frame"] for image in info["images"]]
    assert sorted([*kept, failed["frame"]]) == [0, 1, 2] and kept == sorted(kept)
    assert failed["charged"] == "no" and "declined" in failed["reason"]
    originals = ran.images("originals")
    assert len(ran.images()) == len(ran.images("masks")) == len(originals) == 2
    assert all(np.array_equal(got, made[frame]) for got, frame in zip(originals, kept, strict=True))


def test_match_first_image_scales_to_cover_and_cuts_the_centre(bench: Bench, tag: str) -> None:
    """Held against the uncut picture: the middle survives, undistorted.

    A smooth picture: an edit keeps it, and of noise another filter than the result's makes other pixels.
    """
    smooth = Image.fromarray(colours(20, 20)).resize((400, 400), Image.Resampling.BICUBIC)
    name = bench.put(f"{tag}.png", np.asarray(smooth))
    whole = bench.edit(tag, {"image_1": name}, aspect_ratio="16:9").images()[0]
    ran = bench.edit(tag, {"image_1": name}, aspect_ratio="16:9", output_size="match first image")
    (result,) = ran.images()
    assert bench.paid(tag) == 1 and result.shape == (400, 400, 3)
    height, width = whole.shape[:2]
    left = (width - height) // 2
    wanted = Image.fromarray(whole[:, left : left + height]).resize((400, 400), Image.Resampling.BICUBIC)
    assert np.abs(result.astype(int) - np.asarray(wanted).astype(int)).mean() < 4
    assert [n for n in ran.info()["notices"] if f"{width}x{height}" in n and "400x400" in n]


def test_matching_a_picture_of_the_same_shape_cuts_nothing_and_says_nothing(bench: Bench, tag: str) -> None:
    name = bench.put(f"{tag}.png", colours(512, 512))
    ran = bench.edit(tag, {"image_1": name}, output_size="match first image")
    assert ran.images()[0].shape == (512, 512, 3) and ran.info()["notices"] == []


def test_in_each_every_result_matches_image_1_and_not_the_others(bench: Bench, tag: str) -> None:
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 2, (70, 90))
    two, _ = frames(bench, tag, graph, "two", 1, (200, 100))
    ran = bench.edit(tag, {"image_1": one, "image_2": two}, more=graph, batch_mode="each",
                     output_size="match first image")  # fmt: skip
    assert [picture.shape for picture in ran.images()] == [(70, 90, 3)] * 2


# ------------------------------------------------------------------------------------------------------- the report


def test_the_report_has_every_field_of_the_contract_and_no_other(bench: Bench, tag: str) -> None:
    info = generated(bench, tag, num_images=2, seed=9).info()
    assert set(info) == {
        "provider", "model", "operation", "images", "thoughts", "failed", "resolution_effective", "cost_usd", "cost_source",
        "requests", "tried", "notices",
    }  # fmt: skip
    assert [set(image) for image in info["images"]] == [
        {"slot", "frame", "seed", "width", "height", "format", "from"}
    ] * 2
    assert [(image["slot"], image["frame"], image["seed"], image["format"]) for image in info["images"]] == [
        (slot, 0, mixed_seed(9, slot), "png") for slot in range(2)
    ]
    (request,) = info["requests"]
    assert set(request) == {"id", "seconds", "attempts"} and request["seconds"] > 0
    assert request["id"] == f"sim-{bench.asked(tag)[0]['id']:08d}"


def test_the_report_counts_the_attempts(bench: Bench, tag: str) -> None:
    """Refused once for its rate, then made: one request with two attempts, one payment."""
    info = generated(bench, f"{tag} [[sim: status=429 retry_after=0 times=1]]").info()
    assert [request["attempts"] for request in info["requests"]] == [2]
    assert len(bench.asked(tag)) == 2 and bench.paid(tag) == 1


@pytest.mark.parametrize(
    ("provider", "model", "inputs", "effective", "usd"),
    [
        ("onerouter", "nano-banana-pro", {"resolution": "1K"}, "1K", 0.15),
        ("onerouter", "nano-banana", {}, "1K", 0.039),
        ("onerouter", "nano-banana-2", {"resolution": "2K"}, "2K", None),
        ("apiframe", "nano-banana-pro", {"resolution": "1K"}, "1K", None),
        ("nanobanana", "nano-banana-2", {}, None, None),
        ("nanobanana", "nano-banana", {}, "1K", None),
        ("offline", "nano-banana-pro", {}, "1K", 0.0),
    ],
)
def test_resolution_and_cost_are_what_is_known_of_them(
    bench: Bench, tag: str, provider: str, model: str, inputs: dict[str, Any], effective: str | None, usd: float | None
) -> None:
    """An unknown price is said to be unknown, never guessed and never 0."""
    info = bench.generate(tag, provider, {"model": model}, **inputs).info()
    assert info["resolution_effective"] == effective
    assert info["cost_usd"] == (usd if usd is None else pytest.approx(usd))
    assert info["cost_source"] == ("unknown" if usd is None else "price list")


def test_only_what_this_run_spent_is_in_its_cost(bench: Bench, tag: str) -> None:
    """Two of five are there already: the second run's cost is three pictures, as the provider's own books say."""
    first = generated(bench, tag, num_images=2).info()
    second = generated(bench, tag, num_images=5).info()
    spent = bench.doubles.request_log(prompt=tag)["cost_usd"]
    assert (first["cost_usd"], second["cost_usd"]) == (pytest.approx(0.16), pytest.approx(0.24))
    assert first["cost_usd"] + second["cost_usd"] == pytest.approx(spent)
