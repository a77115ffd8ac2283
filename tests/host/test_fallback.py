"""Who is asked, in which order, and what is never paid twice: fallbacks, `auto`, failures that end a run, runs that go on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pack.core.request import mixed_seed
from pack.tests.host.graph_parts import Graph, chain, chained, frames
from pack.tests.host.kit import Bench, Ran, colours, node

# ------------------------------------------------------------------------------------------------------- fallbacks


def test_a_chain_is_gone_through_to_its_end(bench: Bench, tag: str) -> None:
    """Two providers without money, the third one delivers; the report names all three and what they cost."""
    bench.doubles.fault("status=402", provider="runflow", match=tag)
    bench.doubles.fault("status=402", provider="nanobanana", match=tag)
    ran = chained(bench, tag, "runflow", "nanobanana", "onerouter", num_images=2)
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    info = ran.info()
    assert [(t["provider"], t["images"], t.get("charged")) for t in info["tried"]] == [
        ("runflow", 0, "no"), ("nanobanana", 0, "no"), ("onerouter", 2, None),
    ]  # fmt: skip
    assert info["provider"] == "onerouter" and info["failed"] == [] and bench.paid(tag) == 2
    assert all(tried["reason"] for tried in info["tried"][:2])


def test_a_fallback_makes_only_what_is_missing(bench: Bench, tag: str) -> None:
    """One of three is refused by the first provider: the second one is asked for that one, and order stays."""
    bench.doubles.fault("refuse times=1", provider="nanobanana", match=tag)
    ran = chained(bench, tag, "nanobanana", "onerouter", num_images=3, seed=4)
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    (second,) = bench.asked(tag, "onerouter")
    assert (second["fields"]["n"], second["fields"]["seed"]) == (1, 4)
    info = ran.info()
    assert [image["seed"] for image in info["images"]] == [mixed_seed(4, slot) for slot in range(3)]
    assert [(t["provider"], t["images"]) for t in info["tried"]] == [("nanobanana", 2), ("onerouter", 1)]
    assert bench.paid(tag) == 3 and len(ran.images()) == 3


def test_what_may_have_been_charged_is_not_asked_of_the_fallback(bench: Bench, tag: str) -> None:
    """One of three is lost on the way, two are refused: the fallback makes the two, the lost one is only reported."""
    bench.doubles.fault("drop=headers times=1", provider="apiframe", match=tag)
    bench.doubles.fault("status=402", provider="apiframe", match=tag)
    ran = chained(bench, tag, "apiframe", "onerouter", num_images=3)
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    assert [request["fields"]["n"] for request in bench.asked(tag, "onerouter")] == [2]
    (failed,) = ran.info()["failed"]
    assert (failed["slot"], failed["charged"]) == (0, "maybe") and len(ran.images()) == 2
    assert [n for n in ran.info()["notices"] if "1 picture may have been charged" in n]


def test_the_same_provider_twice_in_a_chain_is_asked_once(bench: Bench, tag: str) -> None:
    """A refusal is not tried again by writing it down twice."""
    bench.doubles.fault("status=402", provider="onerouter", match=tag)
    ran = chained(bench, tag, "onerouter", "onerouter")
    bench.doubles.clear_faults()
    assert "no credit" in ran.error and len(bench.asked(tag)) == 1


def test_offline_may_be_named_as_the_last_resort(bench: Bench, tag: str) -> None:
    """Only because the graph says so; the report says who drew it, and that it was free."""
    bench.doubles.fault("status=402", provider="onerouter", match=tag)
    ran = chained(bench, tag, "onerouter", "offline")
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    info = ran.info()
    assert info["provider"] == "offline" and info["cost_usd"] == 0 and len(ran.images()) == 1


def test_what_a_fallback_made_is_not_paid_again_at_the_first_provider(bench: Bench, tag: str) -> None:
    """The first provider is well again: the picture is here already, so nobody is asked."""
    bench.doubles.fault("status=402", provider="runflow", match=tag)
    first = chained(bench, tag, "runflow", "onerouter")
    bench.doubles.clear_faults()
    assert first.status == "success" and bench.paid(tag) == 1
    graph = {
        **chain("runflow", "onerouter"),
        "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0]),
        "invert": node("ImageInvert", image=["make", 0]),
        "show": node("PreviewImage", images=["make", 0]),
        "other": node("PreviewImage", images=["invert", 0]),
    }
    second = bench.run(graph)
    assert second.status == "success", second.error
    assert bench.paid(tag) == 1, "the store of every provider of the chain is asked before anything is sent"
    assert second.info()["images"][0]["from"] == "store"


def test_an_incomplete_run_with_a_fallback_pays_only_for_what_is_missing(bench: Bench, tag: str) -> None:
    """Slot 0 came from the fallback, slot 1 from nobody; next time only slot 1 is bought."""
    bench.doubles.fault("status=402 times=1", provider="runflow", match=tag)
    bench.doubles.fault("fewer times=1", provider="onerouter", match=tag)
    first = chained(bench, tag, "runflow", "onerouter", num_images=2)
    bench.doubles.clear_faults()
    assert first.status == "success", first.error
    assert [failed["slot"] for failed in first.info()["failed"]] == [1] and bench.paid(tag) == 1
    second = chained(bench, tag, "runflow", "onerouter", num_images=2)
    assert second.info()["failed"] == [] and bench.paid(tag) == 2
    assert [image["from"] for image in second.info()["images"]] == ["store", "provider"]


# ------------------------------------------------------------------------------------------------ auto and settings


@contextlib.contextmanager
def settings(bench: Bench, **values: Any) -> Iterator[None]:
    """The user's settings.json, read again by every run."""
    assert bench.host.home is not None
    file = bench.host.home / "settings.json"
    file.write_text(json.dumps(values), "utf-8")
    try:
        yield
    finally:
        file.unlink()


def unconnected(bench: Bench, tag: str, **inputs: Any) -> Ran:
    """A Generate node with nothing on its `provider` input."""
    return bench.run(
        {
            "make": node("NanoBananaGenerate", prompt=tag, **inputs),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )


def test_offline_is_never_auto_even_when_it_is_first_in_the_users_order(bench: Bench, tag: str) -> None:
    """A simulation instead of a picture would be a result that is not one."""
    with settings(bench, order=["offline", "apiframe", "onerouter"]):
        ran = unconnected(bench, tag)
    assert ran.status == "success", ran.error
    assert [request["provider"] for request in bench.asked(tag)] == ["apiframe"]


def test_auto_refuses_what_nobody_can_and_says_who_lacks_what(bench: Bench, tag: str) -> None:
    ran = unconnected(bench, tag, aspect_ratio="1:8", resolution="4K", system_prompt="x")
    assert ran.status == "success" and bench.asked(tag)[0]["provider"] == "runflow"
    bench.put(f"{tag}.png", colours(16, 16))
    graph: Graph = {"many": node("RepeatImageBatch", image=["load", 0], amount=15),
                    "load": node("LoadImage", image=f"{tag}.png")}  # fmt: skip
    many = bench.edit(f"{tag} many", {"image_1": ["many", 0]}, "auto", more=graph)
    assert "No provider with a key on this machine can do this" in many.error
    assert "OneRouter takes up to 14" in many.error and "Runflow takes up to 14" in many.error
    assert not bench.asked(f"{tag} many")


def test_auto_keeps_the_family_of_the_model_that_was_named(bench: Bench, tag: str) -> None:
    """The Pro family has another name at the reseller's; a flash-class model doesn't stand in for it."""
    with settings(bench, order=["nanobanana"]):
        ran = bench.generate(tag, "auto", {"model": "nano-banana-pro"})
        other = bench.generate(f"{tag} flash", "auto", {"model": "nano-banana-2"})
    assert bench.asked(tag)[0]["fields"]["model"] == "nano-banana-2" and ran.info()["provider"] == "nanobanana"
    assert bench.asked(f"{tag} flash")[0]["provider"] != "nanobanana" and other.info()["model"] == "nano-banana-2"


def test_substitution_never_stands_in_for_a_profile(bench: Bench, tag: str) -> None:
    """A profile is somebody's account: billing another one instead is not what was asked."""
    with settings(bench, missing_provider="substitute"):
        ran = bench.generate(tag, config={"profile": "studio"})
    assert "NANO_BANANA_ONEROUTER_STUDIO_API_KEY" in ran.error and not bench.asked(tag)


# -------------------------------------------------------------------------------------------- failures that end a run


@pytest.mark.parametrize(
    ("provider", "words", "asked"),
    [
        ("onerouter", "status=401", 1),
        ("runflow", "status=402", 1),
        ("nanobanana", "status=402", 1),
        ("apiframe", "status=400", 3),
    ],
    ids=["key", "credit", "quota", "three free failures"],
)
def test_every_picture_that_was_not_sent_is_counted_as_such(
    bench: Bench, tag: str, provider: str, words: str, asked: int
) -> None:
    """Sixteen pictures: those asked for have their own reason, the rest say that they were never sent."""
    ran = chained(bench, f"{tag} [[sim: {words}]]", provider, num_images=16, on_failure="stop this branch")
    assert ran.status == "success", ran.error
    per_call = 4 if provider in ("onerouter", "runflow") else 1
    failed = ran.info()["failed"]
    dropped = [one for one in failed if "not sent" in one["reason"]]
    assert len(bench.asked(tag)) == asked
    assert (len(failed), len(dropped)) == (16, 16 - asked * per_call)
    assert {one["charged"] for one in failed} == {"no"} and bench.paid(tag) == 0


def test_all_frames_failed_is_an_error_even_with_the_originals_at_hand(bench: Bench, tag: str) -> None:
    """Handing on nothing but inputs would look like an edit that did nothing."""
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 2)
    ran = bench.edit(f"{tag} [[sim: refuse]]", {"image_1": one}, more=graph, batch_mode="each",
                     on_failure="keep the original frame")  # fmt: skip
    assert "2 of 2 pictures could not be made" in ran.error and "Nothing was charged." in ran.error


def test_stop_this_branch_blocks_pictures_masks_and_originals_only(bench: Bench, tag: str) -> None:
    """One of two frames fails: text and info still flow, a sibling goes on, and the next run pays for one picture."""
    graph: Graph = {
        "seen": node("MaskToImage", mask=["make", 1]),
        "masks": node("PreviewImage", images=["seen", 0]),
        "texts": node("PreviewAny", source=["make", 2]),
        "infos": node("PreviewAny", source=["make", 3]),
        "originals": node("PreviewImage", images=["make", 4]),
        "sibling": node("NanoBananaGenerate", prompt=f"{tag} sibling"),
        "show_sibling": node("PreviewImage", images=["sibling", 0]),
    }
    one, _ = frames(bench, tag, graph, "one", 2)
    inputs: dict[str, Any] = {"batch_mode": "each", "on_failure": "stop this branch"}
    bench.doubles.fault("refuse times=1", provider="onerouter", match=f"{tag} edit")
    ran = bench.edit(f"{tag} edit", {"image_1": one}, "onerouter", {"max_parallel": 1}, graph, **inputs)
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    for blocked in ("show", "masks", "originals"):
        assert not ran.images(blocked)
    assert len(ran.images("show_sibling")) == 1 and len(ran.text("texts")) == 1
    assert len(json.loads(ran.text("infos")[0])["failed"]) == 1
    again = bench.edit(f"{tag} edit", {"image_1": one}, "onerouter", {"max_parallel": 1}, graph, **inputs)
    assert len(again.images()) == len(again.images("originals")) == 2 and bench.paid(f"{tag} edit") == 2


def test_fail_in_each_names_the_numbers_and_the_next_run_pays_the_rest(bench: Bench, tag: str) -> None:
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 3)
    inputs: dict[str, Any] = {"batch_mode": "each", "on_failure": "fail"}
    bench.doubles.fault("refuse times=1", provider="onerouter", match=tag)
    ran = bench.edit(tag, {"image_1": one}, "onerouter", {"max_parallel": 1}, graph, **inputs)
    bench.doubles.clear_faults()
    assert "1 of 3 pictures could not be made" in ran.error and "2 of 3 pictures are there and are kept" in ran.error
    again = bench.edit(tag, {"image_1": one}, "onerouter", {"max_parallel": 1}, graph, **inputs)
    assert again.status == "success" and bench.paid(tag) == 3
    assert sorted(image["from"] for image in again.info()["images"]) == ["provider", "store", "store"]


# ------------------------------------------------------------------------------------------------ never paid twice


def test_after_an_incomplete_run_only_this_node_runs_again_and_then_rests(bench: Bench, tag: str) -> None:
    """Incomplete, completed, cached: the neighbour is cached from the second run on, this node from the third."""
    graph = {
        **chain("nanobanana", max_parallel=1),
        "make": node("NanoBananaGenerate", prompt=f"{tag} make", provider=["config", 0], num_images=2),
        "good": node("NanoBananaGenerate", prompt=f"{tag} good", provider=["config", 0]),
        "show": node("PreviewImage", images=["make", 0]),
        "show_good": node("PreviewImage", images=["good", 0]),
    }

    def cached(ran: Ran) -> set[str]:
        messages = ran.entry["status"]["messages"]
        return {"make", "good"} & set(next(data["nodes"] for name, data in messages if name == "execution_cached"))

    bench.doubles.fault("refuse times=1", provider="nanobanana", match=f"{tag} make")
    first = bench.run(graph)
    bench.doubles.clear_faults()
    second, third = bench.run(graph), bench.run(graph)
    assert [ran.status for ran in (first, second, third)] == ["success"] * 3
    assert [cached(ran) for ran in (first, second, third)] == [set(), {"good"}, {"good", "make"}]
    assert bench.paid(f"{tag} make") == 2 and bench.paid(f"{tag} good") == 1
    # The host keeps what an output showed for a cached node, so the complete pictures are still what is seen.
    assert len(second.images()) == 2


def test_a_frame_that_stands_twice_in_a_batch_is_paid_once(bench: Bench, tag: str) -> None:
    """A still in a video: equal frames are one picture, and both places get it."""
    graph: Graph = {}
    one, _ = frames(bench, tag, graph, "one", 1)
    graph["still"] = node("RepeatImageBatch", image=one, amount=3)
    ran = bench.edit(tag, {"image_1": ["still", 0]}, more=graph, batch_mode="each")
    assert ran.status == "success", ran.error
    first, second, third = ran.images()
    assert bench.paid(tag) == 1 and np.array_equal(first, second) and np.array_equal(first, third)
    assert ran.info()["cost_usd"] == pytest.approx(0.08)
    assert sorted(image["from"] for image in ran.info()["images"]) == ["provider", "store", "store"]


def test_two_nodes_that_overlap_in_part_pay_for_the_union(bench: Bench, tag: str) -> None:
    """One wants one picture, the other three of the same: three are paid, whoever comes first."""
    prompt = f"{tag} [[sim: slow=0.4]]"
    ran = bench.run(
        {
            "one": node("NanoBananaGenerate", prompt=prompt, seed=6),
            "three": node("NanoBananaGenerate", prompt=prompt, seed=6, num_images=3),
            "show_one": node("PreviewImage", images=["one", 0]),
            "show_three": node("PreviewImage", images=["three", 0]),
        }
    )
    assert ran.status == "success", ran.error
    assert bench.paid(tag) == 3
    assert np.array_equal(ran.images("show_one")[0], ran.images("show_three")[0])
    assert ran.info("one")["cost_usd"] + ran.info("three")["cost_usd"] == pytest.approx(0.24)


def test_twins_of_which_one_failed_both_have_the_picture_next_time(bench: Bench, tag: str) -> None:
    """Two nodes want one picture; the first ask is refused for free, and the waiting node asks once more and gets it.

    The host knows both by one cache key and may show either result for both; it must not keep the incomplete one.
    """
    graph = {
        "a": node("NanoBananaGenerate", prompt=tag, on_failure="stop this branch"),
        "b": node("NanoBananaGenerate", prompt=tag, on_failure="stop this branch"),
        "show_a": node("PreviewImage", images=["a", 0]),
        "show_b": node("PreviewImage", images=["b", 0]),
    }
    bench.doubles.fault("slow=0.4 refuse times=1", provider="onerouter", match=tag)
    first = bench.run(graph)
    bench.doubles.clear_faults()
    assert first.status == "success", first.error
    assert len(bench.asked(tag)) == 2 and bench.paid(tag) == 1
    second = bench.run(graph)
    assert second.status == "success", second.error
    assert len(second.images("show_a")) == len(second.images("show_b")) == 1
    assert bench.paid(tag) == 1


def test_what_does_not_change_the_picture_does_not_cost(bench: Bench, tag: str) -> None:
    """Timeout, parallelism, reference format, output size and on_failure are no part of what was paid for."""
    name = bench.put(f"{tag}.png", colours(48, 48))
    bench.edit(tag, {"image_1": name})
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"timeout": 77}, {}),
        ({"max_parallel": 2}, {}),
        ({}, {"reference_format": "lossless"}),
        ({}, {"output_size": "match first image"}),
        ({}, {"on_failure": "fail"}),
    ]
    for config, inputs in cases:
        ran = bench.edit(tag, {"image_1": name}, config=config, **inputs)
        assert ran.info()["images"][0]["from"] == "store", (config, inputs)
    assert bench.paid(tag) == 1
