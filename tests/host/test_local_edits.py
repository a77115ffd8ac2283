"""Local edits and alignment in the real host: what is sent, where the result lands, and how a moved one is put right.

The double paints green what it may change in the first reference, and moves its result where a test asks for it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from pack.tests.host.graph_parts import Graph, Link, infos, list_of, references
from pack.tests.host.kit import Bench, Ran, node

GREEN = np.array([0, 255, 0], np.uint8)
RESULT = 512
"""Pixels of a result's longer side: a quarter of the work that a whole one makes."""
NEARLY = 12
"""Of 255: a filter that reduces a result mixes a little of what lies beside a hard edge."""
REGION: dict[str, Any] = {"region": "masked region", "mask_feather": 0, "mask_hint": "as last reference"}


def scenes(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Pictures [count, H, W, 3] of blocks in two sizes: enough structure to be registered."""
    found = []
    for number in range(count):
        random = np.random.default_rng(seed * 1000 + number)
        fine = np.kron(random.integers(0, 128, (height // 4, width // 4, 3)), np.ones((4, 4, 1)))
        coarse = np.kron(random.integers(0, 128, (height // 20, width // 20, 3)), np.ones((20, 20, 1)))
        found.append(fine + coarse)
    return np.stack(found).astype(np.uint8)


def boxes_mask(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask with islands (left, top, width, height)."""
    mask = np.zeros((height, width), np.uint8)
    for left, top, across, down in boxes:
        mask[top : top + down, left : left + across] = 1
    return mask


def batch(bench: Bench, tag: str, graph: Graph, name: str, pixels: np.ndarray) -> Link:
    """Puts frames [B, H, W, C] or masks [B, H, W], 0..255 or 0..1, into `graph` as one tensor."""
    # The host keeps what a node gave for the same expression.
    path = bench.host.base / "input" / f"{tag}-{name}-{hashlib.sha256(pixels.tobytes()).hexdigest()[:8]}.npy"
    np.save(path, pixels)
    whole = 255 if pixels.ndim == 4 else 1
    code = f"torch.from_numpy(np.load({str(path)!r}).astype(np.float32) / {whole})"
    graph[name] = node("TestOdd", code=code)
    return [name, 0]


def edit(bench: Bench, tag: str, frames: np.ndarray, masks: np.ndarray | None, move: str = "0:0", **inputs: Any) -> Ran:
    """An edit of frames by the painting double; its outputs `originals` and `masks` are shown, too."""
    graph: Graph = {"show_originals": node("PreviewImage", images=["make", 4])}
    graph["masks_seen"] = node("MaskToImage", mask=["make", 1])
    graph["show_masks"] = node("PreviewImage", images=["masks_seen", 0])
    if masks is not None:
        inputs["mask"] = batch(bench, tag, graph, "masks", masks)
    pictures = {"image_1": batch(bench, tag, graph, "frames", frames)}
    ran = bench.edit(f"{tag} [[sim: edited={move} longest={RESULT}]]", pictures, more=graph, **inputs)
    assert ran.status == "success", ran.error
    return ran


ISLANDS = {
    "islands": [(300, 240, 60, 50), (420, 320, 30, 80)],
    "edge": [(880, 300, 80, 90)],
    "corner": [(0, 0, 40, 70)],
    "one pixel": [(500, 333, 1, 1)],
}


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param(ISLANDS[name], id=name, marks=pytest.mark.long if name in ("edge", "one pixel") else ())
        for name in ISLANDS
    ],
)
def test_only_the_surroundings_of_the_mask_are_sent_and_only_the_mask_changes(
    bench: Bench, tag: str, boxes: list[tuple[int, int, int, int]]
) -> None:
    frames, mask = scenes(1, 720, 960), boxes_mask(720, 960, *boxes)
    ran = edit(bench, tag, frames, mask[None], **REGION)
    (result,) = ran.images()
    assert result.shape == (720, 960, 3)
    assert np.array_equal(result[mask == 0], frames[0][mask == 0])
    assert np.abs(result[mask == 1].astype(int) - GREEN).max() <= NEARLY
    (sent,) = bench.asked(tag)
    part, hint = sent["references"]
    assert (part["width"], part["height"]) == (hint["width"], hint["height"]) != (960, 720)
    (facts,) = ran.info()["images"]
    left, top, width, height = facts["region"]
    assert (facts["width"], facts["height"]) == (960, 720) and facts["padding"] == [0, 0, 0, 0]
    assert min(width, height) >= 256 and left + width <= 960 and top + height <= 720
    assert mask[top : top + height, left : left + width].sum() == mask.sum()


def test_a_small_edit_of_a_large_picture_is_drawn_at_the_size_of_the_model(bench: Bench, tag: str) -> None:
    """Whole, 1800x1200 goes through about 1K and the edit is scaled up; as a region it is made larger than it is needed."""
    frames, mask = scenes(1, 1200, 1800), boxes_mask(1200, 1800, (800, 520, 180, 180))
    (whole,), (part,) = (
        edit(bench, f"{tag} {name}", frames, mask[None], **{**REGION, "region": name}).info()["images"]
        for name in ("whole image", "masked region")
    )
    sent = [bench.asked(f"{tag} {name}")[0]["references"][0] for name in ("whole image", "masked region")]
    assert "region" not in whole and (whole["width"], whole["height"]) == (part["width"], part["height"]) == (
        1800,
        1200,
    )
    left, top, width, height = part["region"]
    assert left <= 800 and left + width >= 980 and top <= 520 and top + height >= 700 and max(width, height) <= 384
    assert sent[0]["width"] == 1800 and sent[1]["width"] >= 2 * width


def test_what_lies_outside_the_region_is_not_paid_again(bench: Bench, tag: str) -> None:
    frames, mask = scenes(1, 720, 960), boxes_mask(720, 960, (400, 300, 80, 80))
    edit(bench, tag, frames, mask[None], **REGION)
    changed = frames.copy()
    changed[0, :40, :40] = 200
    again = edit(bench, tag, changed, mask[None], **REGION)
    assert bench.paid(tag) == 1 and again.info()["images"][0]["from"] == "store"
    assert np.array_equal(again.images()[0][mask == 0], changed[0][mask == 0])
    assert again.info()["images"][0]["region"][2] < 960


@pytest.mark.parametrize("mode", [pytest.param("each", marks=pytest.mark.long), "each paired"])
def test_each_frame_has_its_own_region(bench: Bench, tag: str, mode: str) -> None:
    frames = scenes(3, 600, 800)
    masks = np.stack([boxes_mask(600, 800, (80 + 200 * i, 60 + 150 * i, 50, 60)) for i in range(3)])
    graph: Graph = {}
    others = scenes(3 if mode == "each paired" else 1, 40, 60, seed=5)
    link = batch(bench, tag, graph, "frames", frames)
    second = batch(bench, tag, graph, "others", others)
    mask = batch(bench, tag, graph, "masks", masks)
    ran = bench.edit(f"{tag} [[sim: edited longest={RESULT}]]", {"image_1": link, "image_2": second}, more=graph, mask=mask,
                     batch_mode=mode, **REGION)  # fmt: skip
    assert ran.status == "success", ran.error
    for result, frame, one in zip(ran.images(), frames, masks, strict=True):
        assert np.array_equal(result[one == 0], frame[one == 0])
        assert np.abs(result[one == 1].astype(int) - GREEN).max() <= NEARLY
    assert len({tuple(each["region"]) for each in ran.info()["images"]}) == 3
    assert all(len(references(request)) == 3 for request in bench.asked(tag))


def test_alpha_outside_the_mask_is_the_inputs(bench: Bench, tag: str) -> None:
    alpha = (np.arange(960) * 255 // 959).astype(np.uint8)
    frames = np.concatenate([scenes(1, 720, 960), np.broadcast_to(alpha[:, None], (1, 720, 960, 1))], -1)
    mask = boxes_mask(720, 960, (400, 300, 80, 80))
    ran = edit(bench, tag, frames, mask[None], **REGION)
    seen = ran.images("show_masks")[0][..., 0].astype(int)
    wanted = np.broadcast_to(255 - alpha.astype(int), (720, 960))
    assert np.abs(seen - wanted)[mask == 0].max() <= 1 and seen[mask == 1].max() == 0


def test_a_region_of_most_of_the_picture_is_sent_whole_and_told(bench: Bench, tag: str) -> None:
    frames, mask = scenes(1, 240, 320), boxes_mask(240, 320, (20, 20, 280, 200))
    ran = edit(bench, tag, frames, mask[None], **REGION)
    assert [notice for notice in ran.info()["notices"] if "whole picture" in notice]
    assert "region" not in ran.info()["images"][0]


def test_a_region_without_a_mask_is_refused(bench: Bench, tag: str) -> None:
    graph: Graph = {}
    link = batch(bench, tag, graph, "frames", scenes(1, 240, 320))
    ran = bench.edit(tag, {"image_1": link}, more=graph, region="masked region")
    assert "no mask is connected" in ran.error and not bench.asked(tag)


@pytest.mark.parametrize("region", ["whole image", "masked region"])
def test_a_moved_result_is_told_and_put_right(bench: Bench, tag: str, region: str) -> None:
    """The same paid picture first as it came, then in line."""
    frames, mask = scenes(1, 720, 720), boxes_mask(720, 720, (300, 260, 200, 200))
    inputs = {**REGION, "region": region}
    loose = edit(bench, tag, frames, mask[None], "3:4", **inputs)
    aligned = edit(bench, tag, frames, mask[None], "3:4", align="shift", **inputs)
    assert bench.paid(tag) == 1
    (facts,) = loose.info()["images"]
    factor = facts.get("region", [0, 0, 720, 720])[2] / RESULT
    dx, dy, _, _ = facts["moved"]
    assert abs(dx - 3 * factor) < 0.35 and abs(dy - 4 * factor) < 0.35
    assert [notice for notice in loose.info()["notices"] if "set align to shift" in notice]
    assert not [notice for notice in aligned.info()["notices"] if "set align" in notice]
    green = [np.abs(ran.images()[0][mask == 1].astype(int) - GREEN).max(1) > 30 for ran in (loose, aligned)]
    assert green[1].mean() < green[0].mean() / 2
    for ran in (loose, aligned):
        assert np.array_equal(ran.images()[0][mask == 0], frames[0][mask == 0])


@pytest.mark.parametrize("region", [pytest.param("whole image", marks=pytest.mark.long), "masked region"])
def test_elements_of_a_list_are_put_right_each_against_its_own_picture(bench: Bench, tag: str, region: str) -> None:
    """Pictures, masks and prompts as lists: each element comes back moved by another way, and one is refused."""
    sides, moves = [720, 640, 600, 560], [(3, 4), (-6, 5), (0, 0), (9, -7)]
    pictures = [scenes(1, side, side, seed=side) for side in sides]
    masks = [boxes_mask(side, side, (200 + 60 * number, 220, 90, 80)) for number, side in enumerate(sides)]
    prompts = [f"{tag} [[sim: edited={dx}:{dy} longest={RESULT}]]" for dx, dy in moves]
    prompts[2] = f"{tag} [[sim: refuse]]"
    graph: Graph = {"infos": node("PreviewAny", source=["make", 3])}
    links = [batch(bench, tag, graph, f"picture_{number}", each) for number, each in enumerate(pictures)]
    painted = [batch(bench, tag, graph, f"mask_{number}", each[None]) for number, each in enumerate(masks)]
    ran = bench.edit(
        list_of(graph, "prompts", prompts),
        {"image_1": list_of(graph, "pictures", links)},
        more=graph, mask=list_of(graph, "masks", painted), align="shift", **{**REGION, "region": region},
    )  # fmt: skip
    assert ran.status == "success", ran.error
    found = infos(ran)
    assert [(info["element"], len(info["images"])) for info in found] == [(1, 1), (2, 1), (3, 0), (4, 1)]
    assert [json.loads(text)["element"] for text in ran.text("infos")] == [1, 2, 4]
    for result, number in zip(ran.images(), (0, 1, 3), strict=True):
        (facts,) = found[number]["images"]
        factor = facts.get("region", [0, 0, sides[number]])[2] / RESULT
        assert np.abs(np.subtract(facts["moved"], (*(factor * px for px in moves[number]), 1, 1))).max() < 0.25
        outside = masks[number] == 0
        assert np.array_equal(result[outside], pictures[number][0][outside])
        # In line, the green of the model covers the mask; moved as it came, it would leave a strip of the input.
        assert (np.abs(result[~outside].astype(int) - GREEN).max(1) <= 30).mean() > 0.95


def test_an_edit_without_a_mask_has_no_drift(bench: Bench, tag: str) -> None:
    """match first image and align: what was kept is where it was."""
    frames = scenes(1, 720, 960)
    runs = [
        edit(bench, tag, frames, None, "3:4", output_size="match first image", align=align)
        for align in ("off", "shift and scale")
    ]
    kept = np.ones((720, 960), bool)
    kept[240:480, 340:620] = False
    errors = [np.abs(ran.images()[0].astype(int) - frames[0])[kept].mean() for ran in runs]
    assert errors[1] < errors[0] / 2
    assert bench.paid(tag) == 1


@pytest.mark.long
def test_a_hundred_frames_keep_order_alpha_and_alignment(bench: Bench, tag: str) -> None:
    count = 100
    alpha = np.broadcast_to((np.arange(count) + 100).astype(np.uint8)[:, None, None, None], (count, 360, 480, 1))
    frames = np.concatenate([scenes(count, 360, 480), alpha], -1)
    masks = np.stack([boxes_mask(360, 480, (i * 4, i * 3, 20, 24)) for i in range(count)])
    ran = edit(bench, tag, frames, masks, "3:4", batch_mode="each", align="shift", provider="fal",
               config={"model": "nano-banana"}, **REGION)  # fmt: skip
    assert bench.paid(tag) == count
    results, seen = ran.images(), ran.images("show_masks")
    assert len(results) == count and [each["frame"] for each in ran.info()["images"]] == list(range(count))
    for index, (result, shown) in enumerate(zip(results, seen, strict=True)):
        outside = masks[index] == 0
        assert np.array_equal(result[outside], frames[index, ..., :3][outside])
        assert np.abs(shown[..., 0].astype(int) - (155 - index))[outside].max() <= 1
        assert np.abs(result[~outside].astype(int) - GREEN).max(1).mean() < 60
