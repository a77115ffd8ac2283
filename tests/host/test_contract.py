"""The public contract of the nodes: ids, inputs and their order, types, defaults, outputs, and what old prompts may do."""

from __future__ import annotations

from typing import Any

import pytest
from pack.tests.host.kit import Bench, colours, node

SHARED = [
    ("aspect_ratio", "COMBO", "auto"), ("resolution", "COMBO", "auto"), ("num_images", "INT", 1), ("seed", "INT", 0),
    ("enable_web_search", "BOOLEAN", False), ("safety_tolerance", "COMBO", "default"),
    ("limit_generations", "COMBO", "default"), ("output_format", "COMBO", "auto"), ("thinking", "COMBO", "default"),
    ("system_prompt", "STRING", ""), ("on_failure", "COMBO", "keep what succeeded"),
]  # fmt: skip
CONTRACT: dict[str, list[tuple[str, str, Any]]] = {
    "ProviderConfig": [
        ("provider", "COMBO", "auto"), ("model", "COMBO", "recommended"), ("profile", "COMBO", "default"),
        ("timeout", "INT", 600), ("max_parallel", "INT", 0), ("model_override", "STRING", ""),
        ("fallback", "NANO_BANANA_PROVIDER", None),
    ],
    "NanoBananaGenerate": [("prompt", "STRING", None), ("provider", "NANO_BANANA_PROVIDER", None), *SHARED],
    "NanoBananaEdit": [
        ("prompt", "STRING", None), ("images", "COMFY_AUTOGROW_V3", None), ("provider", "NANO_BANANA_PROVIDER", None),
        ("mask", "MASK", None), ("batch_mode", "COMBO", "together"), ("output_size", "COMBO", "as returned"), *SHARED,
        ("mask_feather", "INT", 8), ("mask_hint", "COMBO", "none"), ("reference_format", "COMBO", "auto"),
    ],
}  # fmt: skip
OUTPUTS = {
    "ProviderConfig": (["NANO_BANANA_PROVIDER"], ["provider"], [False]),
    "NanoBananaGenerate": (["IMAGE", "MASK", "STRING", "STRING"], ["images", "masks", "text", "info"], [True] * 4),
    "NanoBananaEdit": (
        ["IMAGE", "MASK", "STRING", "STRING", "IMAGE"], ["images", "masks", "text", "info", "originals"], [True] * 5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRACT)
def test_inputs_have_their_names_order_types_and_defaults(bench: Bench, name: str) -> None:
    """Saved widget values are positional: a moved input would change old workflows silently."""
    definition = bench.host.get(f"/object_info/{name}")[name]
    order = [*definition["input_order"].get("required", []), *definition["input_order"].get("optional", [])]
    assert order == [wanted for wanted, _, _ in CONTRACT[name]]
    everything = {**definition["input"].get("required", {}), **definition["input"].get("optional", {})}
    for wanted, kind, default in CONTRACT[name]:
        found_kind, options = everything[wanted]
        assert (found_kind, options.get("default")) == (kind, default) or default is None and found_kind == kind
    assert set(definition["input"].get("required", {})) <= {"prompt", "images"}
    assert (definition["output"], definition["output_name"], definition["output_is_list"]) == tuple(OUTPUTS[name])
    assert definition["category"] == "image/nano banana"
    assert definition["display_name"].endswith("(your key)")
    assert not definition["api_node"]


def test_seed_stays_fixed_unless_the_user_says_otherwise(bench: Bench) -> None:
    """A seed that randomises by default would bill at every queueing."""
    seed = bench.host.get("/object_info/NanoBananaGenerate")["NanoBananaGenerate"]["input"]["optional"]["seed"][1]
    assert seed["control_after_generate"] == "fixed" and seed["max"] == 2**31 - 1


def test_a_prompt_with_nothing_but_a_prompt_runs(bench: Bench, tag: str) -> None:
    """Prompts from before an input existed go on running, and unknown constants are dropped by the host."""
    ran = bench.run(
        {
            "make": node("NanoBananaGenerate", prompt=tag, from_last_year="x"),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    assert ran.status == "success", ran.error or ran.refusal
    assert len(bench.asked(tag)) == 1
    assert set(bench.asked(tag)[0]["fields"]) == {"model", "prompt", "n", "output_format", "seed"}


@pytest.mark.parametrize("stray", ["picture", "images.image_15"])
def test_an_unknown_linked_input_is_refused_by_name(bench: Bench, tag: str, stray: str) -> None:
    """The host hands unknown links through; taking them silently would drop a reference."""
    bench.put("stray.png", colours(32, 32))
    ran = bench.run(
        {
            "load": node("LoadImage", image="stray.png"),
            "make": {"class_type": "NanoBananaEdit",
                     "inputs": {"prompt": tag, "images.image_1": ["load", 0], stray: ["load", 0]}},
            "show": node("PreviewImage", images=["make", 0]),
        }
    )  # fmt: skip
    assert stray.split(".")[-1] in ran.error and "Nothing was charged" in ran.error
    assert not bench.asked(tag)


def test_a_provider_from_next_year_gets_our_words(bench: Bench, tag: str) -> None:
    ran = bench.generate(tag, provider="nextyear")
    assert "nextyear is not known here" in ran.refusal and "offline" in ran.refusal


def test_a_model_that_the_provider_lacks_is_refused_with_what_it_has(bench: Bench, tag: str) -> None:
    ran = bench.generate(tag, config={"model": "nano-banana-99"})
    assert "nano-banana-99" in ran.error and "nano-banana-pro" in ran.error and not bench.asked(tag)


def test_a_key_in_profile_is_refused_and_not_repeated(bench: Bench, tag: str) -> None:
    key = "sk-0123456789abcdefABCDEF0123456789"
    ran = bench.generate(tag, config={"profile": key})
    assert "revoke" in ran.refusal and key not in ran.refusal


def test_an_unknown_profile_always_fails(bench: Bench, tag: str) -> None:
    ran = bench.generate(tag, config={"profile": "studio"})
    assert "NANO_BANANA_ONEROUTER_STUDIO_API_KEY" in ran.error and "Nothing was charged" in ran.error
    assert not bench.asked(tag)


@pytest.mark.parametrize("bad", ["../x", "a//b", "a b", "/x", "x/", "-x"])
def test_model_override_takes_model_ids_only(bench: Bench, tag: str, bad: str) -> None:
    assert "model_override" in bench.generate(tag, config={"model_override": bad}).refusal


def test_model_override_needs_a_named_provider(bench: Bench, tag: str) -> None:
    assert "named provider" in bench.generate(tag, provider="auto", config={"model_override": "x/y"}).refusal


def test_model_override_is_what_is_sent(bench: Bench, tag: str) -> None:
    wire = "google/nano-banana-pro-text-to-image"
    ran = bench.generate(tag, config={"model_override": wire})
    assert ran.status == "success", ran.error
    assert bench.asked(tag)[0]["fields"]["model"] == wire
    assert ran.info()["cost_usd"] is None and ran.info()["cost_source"] == "unknown"


def test_the_range_of_unnamed_inputs_is_still_checked_by_the_host(bench: Bench, tag: str) -> None:
    """Naming an input in validate_inputs switches the host's own check off; we name only what we check."""
    assert bench.generate(tag, num_images=99).refusal
    assert bench.generate(tag, aspect_ratio="7:3").refusal
    assert not bench.asked(tag)


def test_a_missing_key_names_the_cures(bench: Bench, fresh: Any, simulator: Any, tag: str) -> None:
    """Variable, Settings, offline, and the keys that are there: everything a person needs to go on."""
    other = fresh(simulator, {"NANO_BANANA_RUNFLOW_API_KEY": ""})
    ran = other.generate(tag, provider="runflow")
    for word in ("NANO_BANANA_RUNFLOW_API_KEY", "Settings", "offline", "onerouter", "Nothing was charged"):
        assert word in ran.error
    assert ran.error_type == "NanoBanana.ConfigError"
    assert other.generate(tag, provider="offline").status == "success"
