"""What a person is told about results: the same for paid and stored ones, other sizes than asked, batches that fell apart,
alpha around a mask, sizes for a VAE, and which picture has which number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pack.dev.comfy_host import TEST_ARGUMENTS, Host
from pack.tests.host.graph_parts import Graph, frames, mask_link
from pack.tests.host.kit import ODD_NODE, Bench, Ran, colours, node, provider_variables

LACKING: list[tuple[str, str, dict[str, Any]]] = [
    ("onerouter", "output_format", {"output_format": "webp"}),
    ("onerouter", "thinking", {"thinking": "high"}),
    ("onerouter", "system_prompt", {"system_prompt": "be brief"}),
    ("apiframe", "safety_tolerance", {"safety_tolerance": "2"}),
    ("apiframe", "limit_generations", {"limit_generations": "on"}),
    ("apiframe", "enable_web_search", {"enable_web_search": True}),
    ("runflow", "thinking", {"thinking": "medium"}),
]


@pytest.mark.parametrize(
    ("provider", "name", "option"), LACKING, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_option_that_is_left_out_is_told_of_a_stored_picture_too(
    bench: Bench, tag: str, provider: str, name: str, option: dict[str, Any]
) -> None:
    """Set after the picture was paid it changes no request: the stored picture comes with the notice of a paid one."""
    paid = bench.generate(f"{tag} paid", provider, **option)
    before = bench.generate(f"{tag} stored", provider)
    after = bench.generate(f"{tag} stored", provider, **option)
    assert len(bench.asked(f"{tag} stored")) == 1 and after.info()["images"][0]["from"] == "store"
    assert after.info()["notices"] == paid.info()["notices"] != before.info()["notices"]
    assert any(name in notice for notice in after.info()["notices"])


def test_a_seed_and_a_ratio_of_a_stored_edit_are_told_again(bench: Bench, tag: str) -> None:
    """OneRouter's edits take no seed."""
    name = bench.put(f"{tag}.png", colours(300, 400))
    runs = [bench.edit(tag, {"image_1": name}, "nanobanana", seed=7, mask_feather=feather) for feather in (8, 9)]
    first, second = (ran.info() for ran in runs)
    assert [info["images"][0]["from"] for info in (first, second)] == ["provider", "store"]
    assert first["notices"] == second["notices"]
    assert any("seed" in notice for notice in second["notices"]) and any(
        "4:3" in notice for notice in second["notices"]
    )


@pytest.mark.parametrize("provider", ["onerouter", "offline"])
def test_another_size_than_asked_is_told_with_both(bench: Bench, tag: str, provider: str) -> None:
    """The provider that gives what is asked is not."""
    if provider == "onerouter":
        bench.doubles.fault("small times=1", provider=provider, match=tag)
        config = {"model": "nano-banana-pro"}
        ran = bench.generate(tag, provider, config, aspect_ratio="16:9", resolution="4K")
        again = bench.generate(tag, provider, config, aspect_ratio="16:9", resolution="4K", system_prompt="")
        for info in (ran.info(), again.info()):
            assert info["notices"] == ["asked for 16:9 at 4K (5504x3072), received 64x64"]
    good = bench.generate(
        f"{tag} good [[sim: longest=0]]", provider, aspect_ratio="16:9", resolution="1K", num_images=2
    )
    assert good.status == "success" and good.info()["notices"] == []


def test_a_frame_of_another_size_names_what_makes_one_batch(bench: Bench, tag: str) -> None:
    """Twelve frames, one of them small: a video node behind would make twelve videos."""
    graph: Graph = {
        "videos": node("TestLook", code="tuple(a.shape)", a=["make", 0]),
        "seen": node("PreviewAny", source=["videos", 0]),
    }
    one, _ = frames(bench, tag, graph, "one", 12, (64, 64))
    bench.doubles.fault("longest=0", provider="onerouter", match=tag)
    bench.doubles.fault("small times=1", provider="onerouter", match=tag)
    inputs: dict[str, Any] = {"more": graph, "batch_mode": "each", "resolution": "0.5K"}
    ran = bench.edit(tag, {"image_1": one}, **inputs)
    assert ran.status == "success", ran.error
    assert len(ran.text("seen")) == 12
    assert any("12 single pictures" in n and "match first image" in n for n in ran.info()["notices"])
    assert any("asked for 0.5K, received 64x64 for 1 of 12 pictures" in n for n in ran.info()["notices"])
    matched = bench.edit(tag, {"image_1": one}, output_size="match first image", **inputs)
    assert len(matched.text("seen")) == 1 and bench.paid(tag) == 12
    assert not any("single pictures" in n for n in matched.info()["notices"])


def test_alpha_outside_a_mask_is_the_inputs_and_mixed_inside(bench: Bench, tag: str) -> None:
    """In `masks` it is 1 - alpha; the soft edge has the weights of the colours; `originals` stays RGB."""
    alpha = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    original = np.dstack([colours(64, 96), alpha])
    mask = np.zeros((64, 96))
    mask[16:48, 40:80] = 1
    graph: Graph = {
        "load": node("LoadImage", image=bench.put(f"{tag}.png", original)),
        "inverted": node("InvertMask", mask=["load", 1]),
        "rgba": node("JoinImageWithAlpha", image=["load", 0], alpha=["load", 1]),
        "seen": node("MaskToImage", mask=["make", 1]),
        "masks": node("PreviewImage", images=["seen", 0]),
        "shape": node("TestLook", code="tuple(a.shape)", a=["make", 4]),
        "shapes": node("PreviewAny", source=["shape", 0]),
    }
    link = mask_link(bench, tag, graph, [mask])
    ran = bench.edit(tag, {"image_1": ["rgba", 0]}, more=graph, mask=link, mask_feather=6)
    assert ran.status == "success", ran.error
    (seen,) = ran.images("masks")
    transparency = 255 - alpha.astype(int)
    assert np.abs(seen[..., 0].astype(int) - transparency)[mask == 0].max() <= 1
    assert seen[32, 60, 0] == 0, "the result is opaque"
    rows, columns = np.mgrid[0:64, 0:96]
    depth = np.minimum.reduce([rows - 15, 48 - rows, columns - 39, 80 - columns])
    weight = np.clip(depth / 7, 0, 1)
    assert np.abs(seen[..., 0] - transparency * (1 - weight)).max() <= 2
    assert ran.text("shapes") == ["(1, 64, 96, 3)"]


IMAGES, MASKS, ORIGINALS = 0, 1, 4
"""Outputs of an Edit node."""
CHANGED_PIXELS = "((a != b).any(-1)).sum().item()"


def seen(name: str, code: str, other: int) -> Graph:
    """Nodes that show under `name` what `code` gives for a = the images of "make" and b = another of its outputs."""
    return {
        f"look_{name}": node("TestLook", code=code, a=["make", IMAGES], b=["make", other]),
        name: node("PreviewAny", source=[f"look_{name}", 0]),
    }


@pytest.mark.parametrize(("choice", "sides"), [("multiple of 8", (96, 120)), ("multiple of 64", (64, 64))])
def test_outputs_are_cut_to_a_multiple_alike(bench: Bench, tag: str, choice: str, sides: tuple[int, int]) -> None:
    """The centre of all three outputs; outside the mask the originals' pixels bit for bit."""
    original, mask = colours(101, 125), np.zeros((101, 125))
    mask[40:60, 50:70] = 1
    graph: Graph = {
        **seen("seen", "[tuple(x.shape[1:3]) for x in (a, b)]", MASKS),
        **seen("changed", CHANGED_PIXELS, ORIGINALS),
        "originals": node("PreviewImage", images=["make", 4]),
    }
    link = mask_link(bench, tag, graph, [mask])
    ran = bench.edit(tag, {"image_1": bench.put(f"{tag}.png", original)}, more=graph, mask=link, output_size=choice)
    assert ran.status == "success", ran.error
    height, width = sides
    top, left = (101 - height) // 2, (125 - width) // 2
    centre = (slice(top, top + height), slice(left, left + width))
    (result,) = ran.images()
    assert ran.text("seen") == [f"[({height}, {width}), ({height}, {width})]"]
    assert np.array_equal(ran.images("originals")[0], original[centre])
    outside = mask[centre] == 0
    assert np.array_equal(result[outside], original[centre][outside])
    assert 0 < int(ran.text("changed")[0]) <= int((~outside).sum())
    assert any("125x101" in n and f"{width}x{height}" in n for n in ran.info()["notices"])
    assert (ran.info()["images"][0]["width"], ran.info()["images"][0]["height"]) == (width, height)


def test_a_picture_smaller_than_the_multiple_is_told_and_stays(bench: Bench, tag: str) -> None:
    name = bench.put(f"{tag}.png", colours(50, 130))
    ran = bench.edit(tag, {"image_1": name}, more={"whole": node("SolidMask", value=1.0, width=130, height=50)},
                     mask=["whole", 0], output_size="multiple of 64")  # fmt: skip
    assert ran.images()[0].shape == (50, 128, 3)
    assert any("130x50" in n and "stays as it is" in n for n in ran.info()["notices"])


def numbered(ran: Ran) -> list[tuple[int, str, int | None]]:
    return [(each["picture"], each["input"], each["frame"]) for each in ran.info().get("references", [])]


def test_info_numbers_the_references_of_every_run(bench: Bench, tag: str) -> None:
    """Also where it is obvious, and where each request has a frame of its own."""
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 2, (32, 32))
    two, _ = frames(bench, tag, graph, "two", 1, (32, 32))
    assert numbered(bench.edit(f"{tag} plain", {"image_1": two}, more=graph)) == [(1, "image_1", 0)]
    gap = bench.edit(f"{tag} gap", {"image_1": one, "image_3": two}, more=graph)
    assert numbered(gap) == [(1, "image_1", 0), (2, "image_1", 1), (3, "image_3", 0)]
    each = bench.edit(f"{tag} each", {"image_1": one, "image_2": two}, more=graph, batch_mode="each")
    assert numbered(each) == [(1, "image_1", None), (2, "image_2", 0)]
    graph["whole"] = node("SolidMask", value=1.0, width=32, height=32)
    hint = bench.edit(f"{tag} hint", {"image_1": two}, more=graph, mask=["whole", 0], mask_hint="as last reference")
    assert numbered(hint) == [(1, "image_1", 0), (2, "mask", 0)]
    assert numbered(bench.generate(tag)) == []


@pytest.mark.parametrize("more", [{}, {"feathering": 0}, {"left": 0, "bottom": 48}])
def test_a_picture_padded_for_outpainting_keeps_its_old_part(bench: Bench, tag: str, more: dict[str, int]) -> None:
    """Core's node into Edit in one step, whatever its feathering; the picture has the padded size, and no grey at the seam."""
    original = colours(160, 200, 5)
    sides = {"left": 64, "top": 0, "right": 40, "bottom": 0, **more}
    graph: Graph = {
        "load": node("LoadImage", image=bench.put(f"{tag}.png", original)),
        "pad": node("ImagePadForOutpaint", image=["load", 0], **{"feathering": 40, **sides}),
    }
    ran = bench.edit(tag, {"image_1": ["pad", 0]}, "offline", more=graph, mask=["pad", 1])
    assert ran.status == "success", ran.error
    (result,) = ran.images()
    left, bottom = sides["left"], sides["bottom"]
    assert result.shape == (160 + bottom, 200 + left + 40, 3)
    assert np.array_equal(result[:160, left : left + 200], original)
    # Beside the seam it is the old part's reflection with a ninth of the result in it: mask_feather is 8.
    beside = result[:160, left + 200].astype(int)
    assert np.abs(beside - original[:, -2]).max() <= 255 / 9 + 1
    assert any(f"outpainting (left {left}, top 0, right 40, bottom {bottom} px)" in n for n in ran.info()["notices"])


@pytest.fixture(scope="module")
def half(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A host that keeps tensors between nodes in half precision."""
    base = tmp_path_factory.mktemp("half")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "odd_values.py").write_text(ODD_NODE)
    with Host.start(base, provider_variables(doubles), (*TEST_ARGUMENTS, "--fp16-intermediates")) as host:
        yield Bench(host, doubles)


@pytest.mark.parametrize("more", [{}, {"output_size": "multiple of 8"}, {"batch_mode": "each"}])
def test_half_precision_is_for_images_and_originals(half: Bench, tag: str, more: dict[str, Any]) -> None:
    """And what a mask keeps is the original's very value in both."""
    mask = np.zeros((40, 60))
    mask[10:20, 10:30] = 1
    graph: Graph = {
        **seen("seen", "[str(x.dtype) for x in (a, b)]", ORIGINALS),
        **seen("changed", CHANGED_PIXELS, ORIGINALS),
    }
    link = mask_link(half, tag, graph, [mask])
    ran = half.edit(tag, {"image_1": half.put(f"{tag}.png", colours(40, 60))}, more=graph, mask=link, **more)
    assert ran.status == "success", ran.error
    assert ran.text("seen") == ["['torch.float16', 'torch.float16']"]
    assert 0 < int(ran.text("changed")[0]) <= 200
