"""What can't be done is refused with the list of what can, before anything is sent; what is merely lacking is left out."""

from __future__ import annotations

from typing import Any

import pytest
from pack.core.request import mixed_seed
from pack.tests.host.graph_parts import Graph, frames
from pack.tests.host.kit import Bench, colours, node


def refused(bench: Bench, tag: str, ran: Any, *words: str) -> None:
    """The panel has the words, says that it was free, and that is true."""
    assert ran.error_type == "NanoBanana.Impossible", ran.error or ran.refusal
    for word in (*words, "Nothing was charged."):
        assert word in ran.error
    assert not bench.asked(tag)


@pytest.mark.parametrize(
    ("provider", "model", "inputs", "words"),
    [
        ("apiframe", "nano-banana", {}, ("can't make pictures from text alone", "nano-banana-pro")),
        ("onerouter", "nano-banana-pro", {"resolution": "0.5K"}, ("0.5K", "auto, 1K, 2K, 4K")),
        ("onerouter", "nano-banana", {"resolution": "2K"}, ("2K", "auto, 1K")),
        ("nanobanana", "nano-banana-hd", {"resolution": "1K"}, ("1K", "auto, 4K")),
        ("apiframe", "recommended", {"aspect_ratio": "4:1"}, ("4:1", "21:9")),
        ("offline", "nano-banana-pro", {"aspect_ratio": "1:8"}, ("1:8", "21:9")),
    ],
)
def test_the_impossible_is_refused_with_what_is_possible(
    bench: Bench, tag: str, provider: str, model: str, inputs: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Operation, resolution and ratio, each with its cure."""
    refused(bench, tag, bench.generate(tag, provider, {"model": model}, **inputs), *words)


def test_one_frame_too_many_in_each_request_is_refused(bench: Bench, tag: str) -> None:
    """In `each` the others go along: 14 of them and the frame are 15."""
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 2, (16, 16))
    two, _ = frames(bench, tag, graph, "two", 1, (16, 16))
    graph["many"] = node("RepeatImageBatch", image=two, amount=14)
    ran = bench.edit(tag, {"image_1": one, "image_2": ["many", 0]}, more=graph, batch_mode="each")
    refused(bench, tag, ran, "15 reference images", "up to 14")


def test_the_mask_picture_counts_as_a_reference(bench: Bench, tag: str) -> None:
    """14 pictures are possible; with the mask as the last one they are 15."""
    graph: Graph = {"whole": node("SolidMask", value=1.0, width=16, height=16)}
    one, _ = frames(bench, tag, graph, "one", 1, (16, 16))
    graph["many"] = node("RepeatImageBatch", image=one, amount=14)
    inputs: dict[str, Any] = {"mask": ["whole", 0], "mask_hint": "as last reference"}
    refused(bench, tag, bench.edit(tag, {"image_1": ["many", 0]}, more=graph, **inputs), "15 reference images")


def test_an_edit_without_its_first_image_is_refused(bench: Bench, tag: str) -> None:
    """image_2 alone would silently become picture 1."""
    name = bench.put(f"{tag}.png", colours(16, 16))
    ran = bench.edit(tag, {"image_2": name})
    assert "image_1" in (ran.refusal or ran.error) and not bench.asked(tag)


def test_an_edit_with_an_empty_prompt_is_refused_even_with_a_mask_hint(bench: Bench, tag: str) -> None:
    """The words added for the mask are no prompt."""
    graph: Graph = {"whole": node("SolidMask", value=1.0, width=16, height=16)}
    name = bench.put(f"{tag}.png", colours(16, 16))
    before = len(bench.asked(""))
    ran = bench.edit(" \n", {"image_1": name}, more=graph, mask=["whole", 0], mask_hint="as last reference")
    assert "prompt is empty" in ran.error and "Nothing was charged." in ran.error
    assert len(bench.asked("")) == before


def test_a_fixed_resolution_may_be_named_and_is_not_sent(bench: Bench, tag: str) -> None:
    """The first Nano Banana gives 1K and has no field for it: asking for 1K is right, sending it would be refused."""
    ran = bench.generate(tag, config={"model": "nano-banana"}, resolution="1K")
    assert ran.status == "success", ran.error
    assert "resolution" not in bench.asked(tag)[0]["fields"]
    assert ran.info()["resolution_effective"] == "1K"


def test_what_is_chosen_is_sent_in_the_providers_spelling(bench: Bench, tag: str) -> None:
    """Types too: the tolerance is a string, the switches are booleans, the seed is a number."""
    ran = bench.generate(
        f"{tag} [[sim: longest=0]]", aspect_ratio="21:9", resolution="0.5K", seed=12, enable_web_search=True,
        safety_tolerance="6", limit_generations="off",
    )  # fmt: skip
    assert ran.status == "success", ran.error
    fields = bench.asked(tag)[0]["fields"]
    sent = {name: fields[name] for name in fields if name not in ("model", "prompt", "n", "output_format")}
    assert sent == {
        "aspect_ratio": "21:9", "resolution": "0.5K", "seed": 12, "enable_web_search": True, "safety_tolerance": "6",
        "limit_generations": False,
    }  # fmt: skip
    assert ran.info()["notices"] == []


def test_a_value_the_provider_lacks_is_left_out_and_named(bench: Bench, tag: str) -> None:
    """It has the option, only not this step of it: the notice says which ones there are."""
    ran = bench.generate(tag, "runflow", thinking="medium")
    assert "thinking_level" not in bench.asked(tag)[0]["fields"]
    assert [n for n in ran.info()["notices"] if "thinking medium" in n and "minimal, high" in n]


def test_offline_takes_every_option_there_is(bench: Bench, tag: str) -> None:
    """A graph built without a key must not learn of a refusal only when it costs."""
    ran = bench.generate(
        tag, "offline", aspect_ratio="16:9", resolution="0.5K", num_images=5, seed=3, enable_web_search=True,
        safety_tolerance="2", limit_generations="on", output_format="webp", thinking="medium", system_prompt="be brief",
    )  # fmt: skip
    assert ran.status == "success", ran.error
    info = ran.info()
    assert info["notices"] == [] and info["cost_usd"] == 0 and {image["format"] for image in info["images"]} == {"webp"}
    assert [image["seed"] for image in info["images"]] == [mixed_seed(3, slot) for slot in range(5)]


def test_a_new_seed_on_an_edit_that_sends_none_is_a_new_picture(bench: Bench, tag: str) -> None:
    """OneRouter's edits take no seed; changing it is how a person asks for another try."""
    name = bench.put(f"{tag}.png", colours(16, 16))
    runs = [bench.edit(tag, {"image_1": name}, seed=seed) for seed in (1, 2, 1)]
    assert all(ran.status == "success" for ran in runs)
    assert bench.paid(tag) == 2 and all("seed" not in request["fields"] for request in bench.asked(tag))
    assert [n for n in runs[0].info()["notices"] if "seed was not sent" in n]
