"""Which picture goes where: order, pixels and numbering of the references, and the words the user gets about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pack.tests.host.graph_parts import Graph, digest, frames, references
from pack.tests.host.kit import Bench, colours, node


def numbering(ran: Any) -> list[str]:
    """The notices that say which picture is which."""
    return [notice for notice in ran.info()["notices"] if notice.startswith("picture 1 =")]


def test_sockets_go_by_their_number_and_a_gap_is_told(bench: Bench, tag: str) -> None:
    """image_10 comes after image_2, whatever the order in the JSON or the alphabet; the gap makes a notice."""
    graph: Graph = {}
    links, made = {}, {}
    for socket in ("image_10", "image_2", "image_1"):
        links[socket], (made[socket],) = frames(bench, tag, graph, socket, 1)
    ran = bench.edit(tag, links, more=graph)
    assert ran.status == "success", ran.error
    (request,) = bench.asked(tag)
    assert references(request) == [digest(made[name]) for name in ("image_1", "image_2", "image_10")]
    assert numbering(ran) == ["picture 1 = image_1, picture 2 = image_2, picture 3 = image_10"]


def test_together_lists_batches_frame_by_frame(bench: Bench, tag: str) -> None:
    """A prompt may say 'picture 3': with a batch in front that is no longer image_3."""
    graph: Graph = {}
    one, first = frames(bench, tag, graph, "one", 1)
    two, second = frames(bench, tag, graph, "two", 2)
    three, third = frames(bench, tag, graph, "three", 1)
    ran = bench.edit(tag, {"image_1": one, "image_2": two, "image_3": three}, more=graph)
    assert references(bench.asked(tag)[0]) == [digest(picture) for picture in [*first, *second, *third]]
    assert numbering(ran) == [
        "picture 1 = image_1, picture 2 = image_2 frame 1, picture 3 = image_2 frame 2, picture 4 = image_3"
    ]


def test_each_needs_no_list_for_single_images_in_a_row(bench: Bench, tag: str) -> None:
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 2)
    two, _ = frames(bench, tag, graph, "two", 1)
    ran = bench.edit(tag, {"image_1": one, "image_2": two}, more=graph, batch_mode="each")
    assert ran.status == "success", ran.error
    assert numbering(ran) == []


def test_each_lists_the_others_when_they_are_batches_or_leave_a_gap(bench: Bench, tag: str) -> None:
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 2)
    four, _ = frames(bench, tag, graph, "four", 2)
    ran = bench.edit(tag, {"image_1": one, "image_4": four}, more=graph, batch_mode="each")
    assert numbering(ran) == [
        "picture 1 = the frame of image_1, picture 2 = image_4 frame 1, picture 3 = image_4 frame 2"
    ]


def test_each_paired_repeats_a_single_frame_and_lists_a_gap(bench: Bench, tag: str) -> None:
    graph: Graph = {}
    one, first = frames(bench, tag, graph, "one", 2)
    five, (fifth,) = frames(bench, tag, graph, "five", 1)
    ran = bench.edit(tag, {"image_1": one, "image_5": five}, more=graph, batch_mode="each paired")
    assert ran.status == "success", ran.error
    wanted = sorted([digest(frame), digest(fifth)] for frame in first)
    assert sorted(references(request) for request in bench.asked(tag)) == wanted
    assert numbering(ran) == ["picture 1 = image_1, picture 2 = image_5"]


def test_each_paired_refuses_a_batch_that_image_1_does_not_have(bench: Bench, tag: str) -> None:
    """Results stay aligned with the frames of image_1, so it has to be the one with the frames."""
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 1)
    two, _ = frames(bench, tag, graph, "two", 3)
    ran = bench.edit(tag, {"image_1": one, "image_2": two}, more=graph, batch_mode="each paired")
    assert "image_1" in ran.error and "3" in ran.error and "Nothing was charged" in ran.error
    assert not bench.asked(tag)


def test_each_with_several_images_gives_every_frame_its_own(bench: Bench, tag: str) -> None:
    """Two frames, two pictures each, at a provider with one per call: four calls, frame by frame in the output."""
    graph: Graph = {"originals": node("PreviewImage", images=["make", 4])}
    one, made = frames(bench, tag, graph, "one", 2)
    ran = bench.edit(tag, {"image_1": one}, "nanobanana", more=graph, batch_mode="each", num_images=2)
    assert ran.status == "success", ran.error
    sent = sorted(references(request)[0] for request in bench.asked(tag))
    assert sent == sorted(digest(frame) for frame in made for _ in range(2))
    assert [(image["frame"], image["slot"]) for image in ran.info()["images"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    wanted = [made[0], made[0], made[1], made[1]]
    assert all(np.array_equal(got, want) for got, want in zip(ran.images("originals"), wanted, strict=True))


@pytest.mark.parametrize("provider", ["onerouter", "apiframe", "nanobanana", "runflow"])
def test_transparency_and_the_colours_under_it_arrive_exactly(bench: Bench, tag: str, provider: str) -> None:
    """Fully transparent pixels have colours too, and an encoder that drops them has changed the picture."""
    rgba = colours(40, 56, 5, 4)
    rgba[:20, :, 3] = 0
    colour = bench.put(f"{tag}-colour.png", np.ascontiguousarray(rgba[..., :3]))
    alpha = bench.put(f"{tag}-alpha.png", np.repeat(255 - rgba[..., 3:], 3, 2))
    graph: Graph = {
        "colour": node("LoadImage", image=colour),
        "hole": node("LoadImageMask", image=alpha, channel="red"),
        "joined": node("JoinImageWithAlpha", image=["colour", 0], alpha=["hole", 0]),
    }
    ran = bench.edit(tag, {"image_1": ["joined", 0]}, provider, more=graph)
    assert ran.status == "success", ran.error
    assert references(bench.asked(tag)[0]) == [digest(rgba)]
    assert not [notice for notice in ran.info()["notices"] if "transparen" in notice]


def test_jpeg_references_say_that_transparency_is_gone(bench: Bench, tag: str) -> None:
    bench.put(f"{tag}.png", colours(32, 32, 3, 4))
    graph: Graph = {
        "load": node("LoadImage", image=f"{tag}.png"),
        "joined": node("JoinImageWithAlpha", image=["load", 0], alpha=["load", 1]),
    }
    ran = bench.edit(tag, {"image_1": ["joined", 0]}, more=graph, reference_format="jpeg")
    (reference,) = bench.asked(tag)[0]["references"]
    assert (reference["format"], reference["mode"]) == ("JPEG", "RGB")
    assert [notice for notice in ran.info()["notices"] if "transparency" in notice and "white" in notice]


@pytest.mark.parametrize(
    ("size", "ratio"), [((120, 120), "1:1"), ((160, 90), "9:16"), ((40, 400), "21:9"), ((100, 128), "5:4")]
)
def test_the_nearest_ratio_stands_in_where_the_provider_has_no_word_for_it(
    bench: Bench, tag: str, size: tuple[int, int], ratio: str
) -> None:
    """By shape of picture 1, and the notice has the ratio and the picture's size."""
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 1, size)
    two, _ = frames(bench, tag, graph, "two", 1, (64, 64))
    ran = bench.edit(tag, {"image_1": one, "image_2": two}, "nanobanana", more=graph)
    assert bench.asked(tag)[0]["fields"]["aspect_ratio"] == ratio
    height, width = size
    assert [n for n in ran.info()["notices"] if ratio in n and f"{width}x{height}" in n]


def test_a_host_list_makes_one_run_per_element_with_its_own_report(bench: Bench, tag: str) -> None:
    """Three frames of three sizes as a list: three requests, three originals, in the list's order."""
    graph: Graph = {
        "originals": node("PreviewImage", images=["make", 4]),
        "words": node("PreviewAny", source=["make", 3]),
    }
    link, made = frames(bench, tag, graph, "one", 3)
    graph["list"] = node("RebatchImages", images=link, batch_size=1)
    ran = bench.edit(tag, {"image_1": ["list", 0]}, more=graph)
    assert ran.status == "success", ran.error
    wanted = sorted([digest(frame)] for frame in made)
    assert sorted(references(request) for request in bench.asked(tag)) == wanted
    assert all(np.array_equal(got, want) for got, want in zip(ran.images("originals"), made, strict=True))
    assert len(ran.text("words")) == 3
