"""Linked lists: the host runs the node once per element, and the elements are one group.

What succeeded goes on, what failed is named by its place, and money is that of all elements.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pack.tests.host.graph_parts import chain, infos, list_of
from pack.tests.host.kit import Bench, Ran, colours, node
from pack.tests.host.ws_client import WsClient, ws_client

Graph = dict[str, Any]
KEEP, FAIL, BLOCK = "keep what succeeded", "fail", "stop this branch"
PRICE = 0.08
"""OneRouter's recommended model at 1K, in US dollars."""


def generate(
    bench: Bench, prompts: list[Any], save: str = "SaveImage", more: Graph | None = None, **inputs: Any
) -> Ran:
    """Generate "make" over a list of prompts, into SaveImage or another node called "show"."""
    graph: Graph = {"config": node("ProviderConfig", provider="onerouter"), **(more or {})}
    link = list_of(graph, "prompts", prompts)
    graph["make"] = node("NanoBananaGenerate", prompt=link, provider=["config", 0], **inputs)
    shown = {"filename_prefix": "lists"} if save == "SaveImage" else {}
    graph["show"] = node(save, images=["make", 0], **shown)
    graph["infos"] = node("PreviewAny", source=["make", 3])
    return bench.run(graph)


def spent(ran: Ran) -> float:
    return sum(info["cost_usd"] for info in infos(ran))


def four(tag: str) -> list[str]:
    return [f"{tag} one", f"{tag} two", f"{tag} three [[sim: refuse]]", f"{tag} four"]


@pytest.fixture
def listener(bench: Bench) -> Iterator[WsClient]:
    with ws_client(bench.host) as listening:
        yield listening


# ------------------------------------------------------------------------------------------------------- on_failure


def test_what_succeeded_goes_on_in_order(bench: Bench, tag: str) -> None:
    ran = generate(bench, four(tag))
    assert ran.status == "success", ran.error
    assert len(ran.images()) == 3
    found = infos(ran)
    assert [(info["element"], info["elements"]) for info in found] == [(n, 4) for n in range(1, 5)]
    assert [len(info["images"]) for info in found] == [1, 1, 0, 1]
    assert [len(info["failed"]) for info in found] == [0, 0, 1, 0]
    for info in found:
        assert [text for text in info["notices"] if text.startswith("element 3: ")]
        assert [text for text in info["notices"] if "moved up" in text and BLOCK in text]
    assert spent(ran) == pytest.approx(3 * PRICE) and bench.paid(tag) == 3
    assert "element 3: " in bench.host.tail()
    flowing = [json.loads(text) for text in ran.text("infos")]
    assert [info["element"] for info in flowing] == [1, 2, 4]

    again = generate(bench, four(tag))
    assert again.status == "success", again.error
    assert [[image["from"] for image in info["images"]] for info in infos(again)] == [
        ["store"],
        ["store"],
        [],
        ["store"],
    ]
    assert spent(again) == 0 and bench.paid(tag) == 3
    assert [np.array_equal(*pair) for pair in zip(ran.images(), again.images(), strict=True)] == [True] * 3


def test_a_blocked_place_is_kept(bench: Bench, tag: str) -> None:
    """Nodes that run once per element go on with the others, at their places."""
    graph: Graph = {"config": node("ProviderConfig", provider="onerouter")}
    link = list_of(graph, "prompts", four(tag))
    graph["make"] = node("NanoBananaGenerate", prompt=link, provider=["config", 0], on_failure=BLOCK)
    sizes = list_of(graph, "sizes", [32, 64, 96, 128], "PrimitiveInt")
    graph["small"] = node(
        "ImageScale", image=["make", 0], upscale_method="area", width=sizes, height=32, crop="disabled"
    )
    graph["show"] = node("PreviewImage", images=["small", 0])
    ran = bench.run(graph)
    assert ran.status == "success", ran.error
    assert [picture.shape[1] for picture in ran.images()] == [32, 64, 128]
    for info in infos(ran):
        assert [text for text in info["notices"] if "blocked" in text and "whole list" in text]
        assert not [text for text in info["notices"] if "moved up" in text]


def test_fail_is_one_error_with_the_money_of_all(bench: Bench, tag: str) -> None:
    ran = generate(bench, four(tag), on_failure=FAIL)
    assert ran.status == "error" and ran.error_type == "NanoBanana.Refused"
    assert "element 3: " in ran.error and "1 of the 4 elements" in ran.error
    assert "Spent $0.24" in ran.error and "Nothing was charged" not in ran.error
    assert "3 of 4 pictures are there and are kept" in ran.error


def test_fail_sends_nothing_where_an_element_can_t_be_asked(bench: Bench, tag: str) -> None:
    ran = generate(bench, [f"{tag} one", " "], on_failure=FAIL)
    assert "element 2: the prompt is empty" in ran.error and "Nothing was charged" in ran.error
    assert not bench.asked(tag)


def test_all_failed_is_one_error_for_all(bench: Bench, tag: str) -> None:
    ran = generate(bench, [f"{tag} one [[sim: refuse]]", "", f"{tag} two [[sim: status=500]]"])
    assert ran.status == "error"
    for number in (1, 2, 3):
        assert f"element {number}: " in ran.error
    assert "3 of the 3 elements" in ran.error


def test_elements_that_failed_alike_are_named_by_ranges(bench: Bench, tag: str) -> None:
    """Two reasons for ten elements, nothing of which is sent."""
    ran = generate(bench, [f"{tag} {n}" if n in (1, 6) else " " for n in range(10)], num_images=16, resolution="4K")
    assert "elements 1, 3–6, 8–10: the prompt is empty" in ran.error and "elements 2, 7: 32 x " in ran.error
    assert not bench.asked(tag)


# ------------------------------------------------------------------------------------------------------- bad elements


def test_an_empty_prompt_is_a_failed_element(bench: Bench, tag: str) -> None:
    ran = generate(bench, [f"{tag} one", f"{tag} two", "", f"{tag} four"])
    assert ran.status == "success", ran.error
    assert len(ran.images()) == 3
    for info in infos(ran):
        assert [text for text in info["notices"] if text.startswith("element 3: the prompt is empty")]
    (failed,) = infos(ran)[2]["failed"]
    assert failed["charged"] == "no"


def test_a_value_that_can_t_be_taken_is_a_failed_element(bench: Bench, tag: str) -> None:
    """The first of the list: the host would start no other if it raised at once."""
    more = {"audio": node("EmptyAudio", duration=0.1, sample_rate=44100, channels=1)}
    ran = generate(bench, [["audio", 0], f"{tag} two"], more=more)
    assert ran.status == "success", ran.error
    assert len(ran.images()) == 1
    assert [text for text in infos(ran)[1]["notices"] if text.startswith("element 1: ") and "prompt" in text]


def test_more_than_the_cap_allows_is_refused_as_a_whole(bench: Bench, tag: str) -> None:
    """The cap per run, of $5, is that of the group: not the first elements are paid and the last refused."""
    ran = generate(bench, [f"{tag} {n}" for n in range(8)], num_images=8, resolution="1K")
    assert ran.status == "error" and ran.error_type == "NanoBanana.OverCap", ran.error
    assert ran.error.count("64 x") == 1 and not bench.asked(tag)


def test_providers_of_a_list_share_the_cap(bench: Bench, tag: str) -> None:
    """4 pictures at one and 16 at the other are over $5: the one that comes second is refused, the other paid."""
    graph: Graph = {
        "one": node("ProviderConfig", provider="onerouter"),
        "two": node("ProviderConfig", provider="apiframe"),
    }
    graph["make"] = node(
        "NanoBananaGenerate",
        prompt=tag,
        provider=list_of(graph, "providers", [["one", 0], ["two", 0]]),
        num_images=list_of(graph, "counts", [4, 16], "PrimitiveInt"),
        resolution="1K",
    )
    graph["show"] = node("PreviewImage", images=["make", 0])
    ran = bench.run(graph)
    assert ran.status == "success", ran.error
    (made,) = [info for info in infos(ran) if info["images"]]
    (refused,) = [info for info in infos(ran) if info["failed"]]
    assert made["element"] != refused["element"] and bench.paid(tag) == len(made["images"]) in (4, 16)
    assert {each["charged"] for each in refused["failed"]} == {"no"} and refused["cost_usd"] == 0
    start = f"element {refused['element']}: "
    for info in infos(ran):
        assert [text for text in info["notices"] if text.startswith(start) and "your cap per run is $5" in text]


# ------------------------------------------------------------------------------------------------------- other lists


def test_tiles_are_paid_together(bench: Bench, tag: str) -> None:
    ran = bench.run(
        {
            "config": node("ProviderConfig", provider="onerouter"),
            "load": node("LoadImage", image=bench.put(f"{tag}.png", colours(512, 640))),
            "tiles": node("SplitImageToTileList", image=["load", 0], tile_width=320, tile_height=256, overlap=0),
            "make": node(
                "NanoBananaEdit",
                prompt=tag,
                images__image_1=["tiles", 0],
                provider=["config", 0],
                output_size="match first image",
                seed=["large", 0],
            ),
            "large": node("PrimitiveInt", value=2**33),
            "show": node("SaveImage", images=["make", 0], filename_prefix="lists"),
        }
    )
    assert ran.status == "success", ran.error
    assert [picture.shape[:2] for picture in ran.images()] == [(256, 320)] * 4
    assert spent(ran) == pytest.approx(4 * PRICE) and bench.paid(tag) == 4
    assert all(info["notices"] for info in infos(ran))
    assert [info["images"][0]["frame"] for info in infos(ran)] == [0] * 4


def test_one_prompt_against_pictures_masks_and_seeds(bench: Bench, tag: str) -> None:
    """Lists of different lengths: the host repeats the last of the shorter. Each result gets its own picture and mask."""
    graph: Graph = {"config": node("ProviderConfig", provider="onerouter")}
    pictures = [colours(96, 128, seed) for seed in (1, 2, 3)]
    loads = []
    for i, pixels in enumerate(pictures):
        graph[f"load_{i}"] = node("LoadImage", image=bench.put(f"{tag}-{i}.png", pixels))
        loads.append([f"load_{i}", 0])
    masks = []
    for i, (left, width) in enumerate(((0, 32), (64, 64))):
        grey = np.zeros((96, 128, 3), np.uint8)
        grey[:, left : left + width] = 255
        graph[f"grey_{i}"] = node("LoadImage", image=bench.put(f"{tag}-mask-{i}.png", grey))
        graph[f"painted_{i}"] = node("ImageToMask", image=[f"grey_{i}", 0], channel="red")
        masks.append([f"painted_{i}", 0])
    graph["make"] = node(
        "NanoBananaEdit",
        prompt=tag,
        images__image_1=list_of(graph, "images", loads),
        mask=list_of(graph, "masks", masks),
        seed=list_of(graph, "seeds", [5, 6, 7], "PrimitiveInt"),
        provider=["config", 0],
        mask_feather=0,
    )
    graph["show"] = node("PreviewImage", images=["make", 0])
    graph["inputs"] = node("PreviewImage", images=["make", 4])
    ran = bench.run(graph)
    assert ran.status == "success", ran.error
    assert [info["images"][0]["seed"] for info in infos(ran)] == [5, 6, 7]
    for i, (result, kept, picture) in enumerate(zip(ran.images(), ran.images("inputs"), pictures, strict=True)):
        assert np.array_equal(kept, picture)
        outside = np.ones((96, 128), bool)
        outside[:, slice(0, 32) if i == 0 else slice(64, 128)] = False
        assert np.array_equal(result[outside], picture[outside])
        assert not np.array_equal(result[~outside], picture[~outside])


def test_what_is_made_while_others_are_awaited_goes_to_its_own_frame(
    bench: Bench, listener: WsClient, tag: str
) -> None:
    """Three frames are back before the one of the first element: their output pictures are made then."""
    graph: Graph = {"config": node("ProviderConfig", provider="onerouter")}
    pictures = [colours(96, 128, seed) for seed in (1, 2, 3, 4)]
    protected = [np.zeros((96, 128), bool) for _ in pictures]
    for i, (pixels, part) in enumerate(zip(pictures, protected, strict=True)):
        part[:, 32 * (i % 3 + 1) :] = True
        grey = np.repeat(np.where(part, 0, 255).astype(np.uint8)[..., None], 3, 2)
        graph[f"load_{i}"] = node("LoadImage", image=bench.put(f"{tag}-{i}.png", pixels))
        graph[f"grey_{i}"] = node("LoadImage", image=bench.put(f"{tag}-mask-{i}.png", grey))
    for name in ("load", "grey"):
        graph[f"two_{name}"] = node("ImageBatch", image1=[f"{name}_1", 0], image2=[f"{name}_2", 0])
        graph[f"three_{name}"] = node("ImageBatch", image1=[f"two_{name}", 0], image2=[f"{name}_3", 0])
    graph["painted"] = node("ImageToMask", image=["grey_0", 0], channel="red")
    graph["three_painted"] = node("ImageToMask", image=["three_grey", 0], channel="red")
    graph["make"] = node(
        "NanoBananaEdit",
        prompt=list_of(graph, "prompts", [f"{tag} first", f"{tag} others"]),
        images__image_1=list_of(graph, "images", [["load_0", 0], ["three_load", 0]]),
        mask=list_of(graph, "masks", [["painted", 0], ["three_painted", 0]]),
        batch_mode="each",
        provider=["config", 0],
        mask_feather=0,
    )
    graph["show"] = node("PreviewImage", images=["make", 0])
    graph["infos"] = node("PreviewAny", source=["make", 3])
    bench.doubles.fault("hold", provider="onerouter", match=f"{tag} first")
    prompt_id = bench.host.queue_prompt(graph, listener.client)
    listener.wait_text("3 of 4 back")
    bench.doubles.clear_faults()
    ran = Ran(bench.host, bench.host.wait_prompt(prompt_id))
    assert ran.status == "success", ran.error
    assert len(ran.images()) == 4 and bench.paid(tag) == 4
    for result, picture, kept in zip(ran.images(), pictures, protected, strict=True):
        assert np.array_equal(result[kept], picture[kept]) and not np.array_equal(result[~kept], picture[~kept])


def test_providers_as_a_list_are_each_asked(bench: Bench, tag: str) -> None:
    """The same prompt at two providers: two runs, one group."""
    graph: Graph = {
        "one": node("ProviderConfig", provider="onerouter"),
        "two": node("ProviderConfig", provider="nanobanana"),
    }
    choices = list_of(graph, "choices", [["one", 0], ["two", 0]])
    graph["make"] = node("NanoBananaGenerate", prompt=tag, provider=choices)
    graph["show"] = node("PreviewImage", images=["make", 0])
    ran = bench.run(graph)
    assert ran.status == "success", ran.error
    assert [info["provider"] for info in infos(ran)] == ["onerouter", "nanobanana"]
    assert bench.paid(tag) == 2


def test_each_element_names_the_providers_that_it_tried(bench: Bench, tag: str) -> None:
    """The first provider refuses two of three, the second makes one of those."""
    bench.doubles.fault("refuse", provider="nanobanana", match="lacks")
    bench.doubles.fault("refuse", provider="onerouter", match="nowhere")
    graph: Graph = chain("nanobanana", "onerouter", max_parallel=1)
    prompts = [f"{tag} both", f"{tag} lacks", f"{tag} lacks nowhere"]
    graph["make"] = node("NanoBananaGenerate", prompt=list_of(graph, "prompts", prompts), provider=["config", 0])
    graph["show"] = node("PreviewImage", images=["make", 0])
    ran = bench.run(graph)
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    tried = [[(each["provider"], each["images"], each.get("charged")) for each in i["tried"]] for i in infos(ran)]
    assert tried == [
        [("nanobanana", 1, None)],
        [("nanobanana", 0, "no"), ("onerouter", 1, None)],
        [("nanobanana", 0, "no"), ("onerouter", 0, "no")],
    ]
    assert [info["provider"] for info in infos(ran)] == ["nanobanana", "onerouter", "nanobanana"]
    assert bench.paid(tag) == 2


def test_a_blocked_place_of_one_node_stays_one_in_the_next(bench: Bench, tag: str) -> None:
    """Only the elements that ran are counted. The nodes are in a subgraph: their ids are paths."""
    graph: Graph = {"config": node("ProviderConfig", provider="onerouter")}
    prompts = [f"{tag} one [[sim: refuse]]", f"{tag} two", f"{tag} three"]
    link = list_of(graph, "prompts", prompts)
    graph["12:1"] = node("NanoBananaGenerate", prompt=link, provider=["config", 0], on_failure=BLOCK)
    graph["12:make"] = node(
        "NanoBananaEdit", prompt=f"{tag} edited", images__image_1=["12:1", 0], provider=["config", 0]
    )
    sizes = list_of(graph, "sizes", [32, 64, 96], "PrimitiveInt")
    scaled = {"upscale_method": "area", "height": 32, "crop": "disabled"}
    graph["small"] = node("ImageScale", image=["12:make", 0], width=sizes, **scaled)
    graph["show"] = node("PreviewImage", images=["small", 0])
    ran = bench.run(graph)
    assert ran.status == "success", ran.error
    assert [picture.shape[1] for picture in ran.images()] == [64, 96]
    found = [json.loads(text) for text in ran.outputs["12:make"]["nano_banana"]]
    assert [(info["element"], info["elements"]) for info in found] == [(1, 2), (2, 2)]
    assert bench.paid(tag) == 4


def test_a_subgraph_used_twice_has_two_groups(bench: Bench, tag: str) -> None:
    """Both run at the same time, each with its own list and its own failed element."""
    graph: Graph = {"config": node("ProviderConfig", provider="onerouter")}
    for name, refused in (("12", 2), ("13", 3)):
        prompts = [f"{tag} {name} {n}" + " [[sim: refuse]]" * (n == refused) for n in (1, 2, 3)]
        link = list_of(graph, f"{name}:prompts", prompts)
        graph[f"{name}:make"] = node("NanoBananaGenerate", prompt=link, provider=["config", 0])
        graph[f"show{name}"] = node("PreviewImage", images=[f"{name}:make", 0])
    ran = bench.run(graph)
    assert ran.status == "success", ran.error
    for name, refused in (("12", 2), ("13", 3)):
        found = [json.loads(text) for text in ran.outputs[f"{name}:make"]["nano_banana"]]
        assert [info["elements"] for info in found] == [3, 3, 3]
        assert [info["element"] for info in found if info["failed"]] == [refused]
        assert all(info["notices"][0].startswith(f"element {refused}: ") for info in found)
        assert len(ran.images(f"show{name}")) == 2
    assert bench.paid(tag) == 4


# ------------------------------------------------------------------------------------------------------- the group


def test_three_free_failures_end_the_group(bench: Bench, tag: str) -> None:
    """Failures in a row are counted over the elements: the rest is not sent."""
    graph: Graph = {"config": node("ProviderConfig", provider="onerouter", max_parallel=1)}
    prompts = [f"{tag} {n} [[sim: refuse]]" for n in range(6)]
    graph["make"] = node("NanoBananaGenerate", prompt=list_of(graph, "prompts", prompts), provider=["config", 0])
    graph["show"] = node("PreviewImage", images=["make", 0])
    ran = bench.run(graph)
    assert ran.status == "error" and "6 of the 6 elements" in ran.error
    assert len(bench.asked(tag)) == 3


def test_a_long_list_starts_at_once(bench: Bench, listener: WsClient, tag: str) -> None:
    """Twenty elements: reading and planning them holds nothing up."""
    graph: Graph = {"load": node("LoadImage", image=bench.put(f"{tag}.png", colours(1000, 1200)))}
    graph["tiles"] = node("SplitImageToTileList", image=["load", 0], tile_width=240, tile_height=250, overlap=0)
    graph["config"] = node("ProviderConfig", provider="offline")
    graph["make"] = node(
        "NanoBananaEdit", prompt=tag, images__image_1=["tiles", 0], provider=["config", 0], resolution="0.5K"
    )
    graph["show"] = node("PreviewImage", images=["make", 0])
    prompt_id = bench.host.queue_prompt(graph, listener.client)
    began = listener.wait(lambda frame: frame.kind == "executing" and frame.data["node"] == "make").at
    shown = listener.wait_text("of 20 back").at
    assert listener.wait_end(prompt_id).kind == "execution_success"
    print(f"a list of 20: running after {shown - began:.2f} s")
    found = infos(Ran(bench.host, bench.host.wait_prompt(prompt_id)))
    assert [info["element"] for info in found] == list(range(1, 21))


def test_an_interrupt_ends_all_elements(bench: Bench, listener: WsClient, tag: str) -> None:
    graph: Graph = {"config": node("ProviderConfig", provider="onerouter", max_parallel=2)}
    link = list_of(graph, "prompts", [f"{tag} {n}" for n in range(5)])
    graph["make"] = node("NanoBananaGenerate", prompt=link, provider=["config", 0])
    graph["show"] = node("PreviewImage", images=["make", 0])
    bench.doubles.fault("hold", provider="onerouter", match=tag)
    prompt_id = bench.host.queue_prompt(graph, listener.client)
    assert bench.doubles.wait(prompt=tag, count=2)
    listener.wait_text("0 of 5 back")
    pressed = time.monotonic()
    bench.host.post("/interrupt", {})
    end = listener.wait_end(prompt_id)
    print(f"interrupted after {end.at - pressed:.3f} s")
    assert end.kind == "execution_interrupted", end.raw
    bench.doubles.clear_faults()
    message = listener.wait(lambda frame: frame.kind == "nano_banana.stopped").data
    assert (message["asked"], message["on_the_way"], message["dropped"]) == (5, 2, 3)
    again = bench.run(graph)
    assert again.status == "success", again.error
    assert len(again.images()) == 5 and bench.paid(tag) == 5
