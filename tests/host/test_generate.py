"""What a run means: seeds, slots, partial results, fallbacks, and what is left out with a notice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pack.core.request import mixed_seed
from pack.dev.comfy_host import Host
from pack.tests.host.kit import KEYED, Bench, node, provider_variables
from pack.tests.host.page import Page


def test_auto_sends_nothing_and_the_report_says_what_it_means(bench: Bench, tag: str) -> None:
    ran = bench.generate(tag, "apiframe")
    assert set(bench.asked(tag)[0]["fields"]) == {"prompt"}
    info = ran.info()
    assert info["resolution_effective"] == "2K" and info["cost_usd"] is None and info["cost_source"] == "unknown"


def test_the_report_is_complete_and_true(bench: Bench, tag: str) -> None:
    ran = bench.generate(tag, "onerouter", resolution="1K", aspect_ratio="16:9", num_images=2, seed=7)
    info = ran.info()
    assert info["provider"] == "onerouter" and info["model"] == "nano-banana-2" and info["operation"] == "generate"
    sizes = [(image["width"], image["height"]) for image in info["images"]]
    assert sizes == [(picture.shape[1], picture.shape[0]) for picture in ran.images()]
    assert [image["slot"] for image in info["images"]] == [0, 1]
    assert {image["from"] for image in info["images"]} == {"provider"} and info["failed"] == []
    assert info["cost_usd"] == pytest.approx(0.16) and info["cost_source"] == "price list"
    assert info["requests"][0]["attempts"] == 1 and info["requests"][0]["id"]
    assert info["tried"] == [{"provider": "onerouter", "model": "nano-banana-2", "images": 2}]


def test_the_cost_that_the_provider_reports_wins(bench: Bench, tag: str) -> None:
    bench.doubles.switch("runflow", "run", 404)
    try:
        info = bench.generate(tag, "runflow").info()
    finally:
        bench.doubles.switch("runflow", "run", 0)
        # The host has learned the other form now; other tests know it by the first.
        bench.doubles.switch("runflow", "runs", 404)
        back = bench.generate(f"{tag} back", "runflow")
        bench.doubles.switch("runflow", "runs", 0)
    assert back.status == "success" and len(bench.asked(f"{tag} back")) == 2
    assert info["cost_source"] == "provider" and info["cost_usd"] > 0


def test_slot_zero_sends_the_widgets_seed_and_the_others_a_fixed_mix(bench: Bench, tag: str) -> None:
    """Six pictures at four a call: two calls, whose seeds are those of their first slots."""
    ran = bench.generate(tag, "onerouter", num_images=6, seed=41)
    sent = sorted((request["fields"]["n"], request["fields"]["seed"]) for request in bench.asked(tag))
    assert sent == sorted([(4, 41), (2, mixed_seed(41, 4))])
    assert [image["seed"] for image in ran.info()["images"]] == [mixed_seed(41, slot) for slot in range(6)]
    assert mixed_seed(41, 1) != 42


def test_a_linked_seed_of_any_size_is_folded_with_a_notice(bench: Bench, tag: str) -> None:
    ran = bench.run(
        {
            "big": node("PrimitiveInt", value=2**40 + 5),
            "config": node("ProviderConfig", provider="onerouter"),
            "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0], seed=["big", 0]),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    assert ran.status == "success", ran.error or ran.refusal
    assert bench.asked(tag)[0]["fields"]["seed"] == (2**40 + 5) & (2**31 - 1)
    assert any(str(2**40 + 5) in notice for notice in ran.info()["notices"])


def test_what_a_provider_lacks_is_left_out_with_a_notice(bench: Bench, tag: str) -> None:
    options = {
        "seed": 5,
        "enable_web_search": True,
        "safety_tolerance": "2",
        "limit_generations": "on",
        "output_format": "png",
        "thinking": "high",
        "system_prompt": "be brief",
        "with_text": True,
        "temperature": 1.0,
        "top_p": 0.5,
    }
    ran = bench.generate(tag, "apiframe", **options)
    assert set(bench.asked(tag)[0]["fields"]) == {"prompt"}
    notices = " ".join(ran.info()["notices"])
    for name in options:
        assert name in notices


def test_a_new_seed_is_a_new_request_where_none_is_sent(bench: Bench, tag: str) -> None:
    bench.generate(tag, "apiframe", seed=1)
    bench.generate(tag, "apiframe", seed=2)
    assert bench.paid(tag) == 2


def test_an_empty_prompt_is_refused(bench: Bench) -> None:
    ran = bench.generate("   ")
    assert "prompt is empty" in ran.error and "Nothing was charged" in ran.error


def test_the_same_request_is_free_the_second_time(bench: Bench, tag: str) -> None:
    """Another graph, so that the host's own cache has no part in it."""
    first = bench.generate(tag)
    second = bench.run(
        {
            "make": node("NanoBananaGenerate", prompt=tag),
            "blur": node("ImageInvert", image=["make", 0]),
            "show": node("PreviewImage", images=["make", 0]),
            "other": node("PreviewImage", images=["blur", 0]),
        }
    )
    assert bench.paid(tag) == 1
    assert second.info()["images"][0]["from"] == "store" and second.info()["cost_usd"] == 0
    assert np.array_equal(first.images()[0], second.images()[0])


def test_more_of_the_same_pays_only_for_what_is_new(bench: Bench, tag: str) -> None:
    bench.generate(tag, num_images=2)
    ran = bench.generate(tag, num_images=5)
    assert bench.paid(tag) == 5
    assert [image["from"] for image in ran.info()["images"]] == ["store"] * 2 + ["provider"] * 3


def test_an_incomplete_run_runs_again_and_pays_for_what_is_missing(bench: Bench, tag: str) -> None:
    """The host caches what a node returned; an incomplete result must not be what it keeps."""
    graph = {
        "config": node("ProviderConfig", provider="nanobanana", max_parallel=1),
        "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0], num_images=3),
        "show": node("PreviewImage", images=["make", 0]),
    }
    bench.doubles.fault("refuse times=1", provider="nanobanana", match=tag)
    first = bench.run(graph)
    bench.doubles.clear_faults()
    assert first.status == "success", first.error
    assert [failed["slot"] for failed in first.info()["failed"]] == [0] and len(first.images()) == 2
    assert first.info()["failed"][0]["charged"] == "no"
    second = bench.run(graph)
    assert [image["from"] for image in second.info()["images"]] == ["provider", "store", "store"]
    assert bench.paid(tag) == 3
    third = bench.run(graph)
    assert third.status == "success" and "make" not in third.outputs or bench.paid(tag) == 3


def test_a_complete_run_is_cached_by_the_host(bench: Bench, tag: str) -> None:
    graph = {"make": node("NanoBananaGenerate", prompt=tag), "show": node("PreviewImage", images=["make", 0])}
    bench.run(graph)
    again = bench.run(graph)
    cached = next(data["nodes"] for name, data in again.entry["status"]["messages"] if name == "execution_cached")
    assert "make" in cached and bench.paid(tag) == 1


def test_fail_ends_the_prompt_and_keeps_what_was_paid(bench: Bench, tag: str) -> None:
    bench.doubles.fault("refuse times=1", provider="nanobanana", match=tag)
    ran = bench.generate(tag, "nanobanana", num_images=3, on_failure="fail", config={"max_parallel": 1})
    bench.doubles.clear_faults()
    assert ran.status == "error" and "1 of 3 pictures could not be made" in ran.error
    assert "2 of 3 pictures are there and are kept" in ran.error
    assert bench.generate(tag, "nanobanana", num_images=3, on_failure="fail").status == "success"
    assert bench.paid(tag) == 3


def test_stop_this_branch_lets_siblings_go_on(bench: Bench, tag: str) -> None:
    ran = bench.run(
        {
            "bad": node("NanoBananaGenerate", prompt=f"{tag} bad [[sim: refuse]]", on_failure="stop this branch"),
            "good": node("NanoBananaGenerate", prompt=f"{tag} good"),
            "show_bad": node("PreviewImage", images=["bad", 0]),
            "show_good": node("PreviewImage", images=["good", 0]),
            "why": node("PreviewAny", source=["bad", 3]),
        }
    )
    assert ran.status == "success", ran.error
    assert not ran.images("show_bad") and len(ran.images("show_good")) == 1
    assert "declined" in ran.text("why")[0]


def test_all_failed_is_an_error(bench: Bench, tag: str) -> None:
    ran = bench.generate(f"{tag} [[sim: refuse]]", "nanobanana", num_images=2)
    assert "2 of 2 pictures could not be made" in ran.error and ran.error_type == "NanoBanana.Refused"


def test_pictures_of_different_sizes_all_arrive(bench: Bench, tag: str) -> None:
    ran = bench.generate(f"{tag} [[sim: sizes]]", num_images=3)
    assert ran.status == "success", ran.error
    assert len({picture.shape for picture in ran.images()}) == 3


def test_transparency_comes_out_as_a_mask(bench: Bench, tag: str) -> None:
    ran = bench.run(
        {
            "make": node("NanoBananaGenerate", prompt=f"{tag} [[sim: rgba]]"),
            "show": node("PreviewImage", images=["make", 0]),
            "seen": node("MaskToImage", mask=["make", 1]),
            "mask": node("PreviewImage", images=["seen", 0]),
        }
    )
    assert ran.status == "success", ran.error
    (picture,), (mask,) = ran.images(), ran.images("mask")
    assert picture.shape[2] == 3 and mask.shape[:2] == picture.shape[:2] and mask.max() > 0


def test_more_pictures_than_asked_are_not_lost(bench: Bench, tag: str) -> None:
    """The last is the result; the other is kept for the results panel, with a notice."""
    ran = bench.generate(f"{tag} [[sim: more]]", "nanobanana")
    assert len(ran.images()) == 1 and any("1 picture more" in notice for notice in ran.info()["notices"])


def test_fewer_pictures_than_asked_are_named(bench: Bench, tag: str) -> None:
    ran = bench.generate(f"{tag} [[sim: fewer]]", num_images=3)
    assert len(ran.images()) == 2 and [failed["slot"] for failed in ran.info()["failed"]] == [2]


def test_a_fallback_takes_over_what_surely_cost_nothing(bench: Bench, tag: str) -> None:
    bench.doubles.fault("status=402", provider="runflow", match=tag)
    ran = bench.run(
        {
            "second": node("ProviderConfig", provider="onerouter"),
            "first": node("ProviderConfig", provider="runflow", fallback=["second", 0]),
            "make": node("NanoBananaGenerate", prompt=tag, provider=["first", 0], num_images=2),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    bench.doubles.clear_faults()
    assert ran.status == "success", ran.error
    info = ran.info()
    assert info["provider"] == "onerouter" and [t["provider"] for t in info["tried"]] == ["runflow", "onerouter"]
    assert info["tried"][0]["charged"] == "no" and bench.paid(tag) == 2


def test_a_fallback_does_not_take_over_what_may_have_cost(bench: Bench, tag: str) -> None:
    ran = bench.run(
        {
            "second": node("ProviderConfig", provider="onerouter"),
            "first": node("ProviderConfig", provider="apiframe", fallback=["second", 0]),
            "make": node("NanoBananaGenerate", prompt=f"{tag} [[sim: drop=headers]]", provider=["first", 0]),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    assert "may have charged" in ran.error
    assert [request["provider"] for request in bench.asked(tag)] == ["apiframe"]


def test_a_fallback_that_cannot_do_it_is_skipped_with_a_notice(bench: Bench, tag: str) -> None:
    ran = bench.run(
        {
            "second": node("ProviderConfig", provider="apiframe"),
            "first": node("ProviderConfig", provider="runflow", fallback=["second", 0]),
            "make": node("NanoBananaGenerate", prompt=tag, provider=["first", 0], aspect_ratio="1:8"),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    assert ran.status == "success", ran.error
    assert any("apiframe was skipped" in notice for notice in ran.info()["notices"])


@pytest.mark.parametrize(("status", "word"), [("401", "refused the key"), ("402", "no credit")])
def test_after_an_answer_about_key_or_credit_the_rest_is_not_sent(
    bench: Bench, tag: str, status: str, word: str
) -> None:
    ran = bench.generate(f"{tag} [[sim: status={status}]]", "apiframe" if status == "401" else "onerouter", num_images=16,
                         config={"max_parallel": 1})  # fmt: skip
    assert word in ran.error and "Nothing was charged" in ran.error
    assert len(bench.asked(tag)) == 1


def test_after_three_free_failures_in_a_row_the_rest_is_not_sent(bench: Bench, tag: str) -> None:
    ran = bench.generate(f"{tag} [[sim: refuse]]", "nanobanana", num_images=10, config={"max_parallel": 1})
    assert "10 of 10" in ran.error and len(bench.asked(tag)) == 3


def test_the_same_picture_asked_for_twice_at_once_is_paid_once(bench: Bench, tag: str) -> None:
    """Two nodes of one prompt; the host itself would run both."""
    prompt = f"{tag} [[sim: slow=0.5]]"
    ran = bench.run(
        {
            "a": node("NanoBananaGenerate", prompt=prompt),
            "b": node("NanoBananaGenerate", prompt=prompt),
            "show_a": node("PreviewImage", images=["a", 0]),
            "show_b": node("PreviewImage", images=["b", 0]),
        }
    )
    assert ran.status == "success", ran.error
    assert bench.paid(tag) == 1
    assert np.array_equal(ran.images("show_a")[0], ran.images("show_b")[0])


@pytest.fixture(scope="module")
def keyless(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A host without any key."""
    without = {name: "" for name in provider_variables(doubles) if name.endswith("_API_KEY")}
    choices = {"NANO_BANANA_ORDER": "apiframe,runflow", "NANO_BANANA_MISSING_PROVIDER": "substitute"}
    with Host.start(tmp_path_factory.mktemp("keyless"), provider_variables(doubles) | without | choices) as host:
        yield Bench(host, doubles)


def test_no_key_at_all_fails_with_the_cures_and_never_goes_offline(keyless: Bench, tag: str) -> None:
    graph = {"make": node("NanoBananaGenerate", prompt=tag), "show": node("PreviewImage", images=["make", 0])}
    ran = keyless.run(graph)
    for word in ("No provider has a key", "API_KEY", "Settings", "offline", "Nothing was charged"):
        assert word in ran.error


def test_auto_follows_the_users_order_and_skips_who_cannot(keyless: Bench, tag: str) -> None:
    """Also: a named provider without a key runs as auto where the user has said so; offline is never chosen."""
    bench = keyless
    for name in KEYED:
        if name != "onerouter":
            Page(bench).good("PUT", f"/keys/{name}/default", {"key": "sim-test"})
    bench.generate(f"{tag} one", "auto")
    assert bench.asked(f"{tag} one")[0]["provider"] == "apiframe"
    bench.generate(f"{tag} two", "auto", aspect_ratio="1:8")
    assert bench.asked(f"{tag} two")[0]["provider"] == "runflow"
    bench.generate(f"{tag} three", "auto", config={"model": "nano-banana-2"})
    assert (
        bench.asked(f"{tag} three")[0]["fields"]
        .get("model", bench.asked(f"{tag} three")[0]["route"])
        .count("nano-banana-2")
    )
    ran = bench.generate(f"{tag} four", "onerouter", config={"model": "nano-banana-pro"})
    assert bench.asked(f"{tag} four")[0]["provider"] == "apiframe"
    assert any("used instead" in notice for notice in ran.info()["notices"])
