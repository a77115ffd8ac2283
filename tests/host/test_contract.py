"""The public contract of the nodes: ids, inputs and their order, types, defaults, outputs, and what old prompts may do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pack.dev.comfy_host import PromptFailed
from pack.tests.host.kit import Bench, colours, node

SHARED = [
    ("aspect_ratio", "COMBO", "auto"), ("resolution", "COMBO", "auto"), ("num_images", "INT", 1), ("seed", "INT", 0),
    ("enable_web_search", "BOOLEAN", False), ("safety_tolerance", "COMBO", "default"),
    ("limit_generations", "COMBO", "default"), ("output_format", "COMBO", "auto"), ("thinking", "COMBO", "default"),
    ("system_prompt", "STRING", ""), ("on_failure", "COMBO", "keep what succeeded"),
]  # fmt: skip
LATEST = [
    ("with_text", "BOOLEAN", False), ("temperature", "FLOAT", -1.0), ("top_p", "FLOAT", -1.0), ("delivery", "COMBO", "now"),
]  # fmt: skip
CONVERSATION = ("conversation", "NANO_BANANA_CONVERSATION", None)
CONTRACT: dict[str, list[tuple[str, str, Any]]] = {
    "ProviderConfig": [
        ("provider", "COMBO", "auto"), ("model", "COMBO", "recommended"), ("profile", "COMBO", "default"),
        ("timeout", "INT", 600), ("max_parallel", "INT", 0), ("model_override", "STRING", ""),
        ("fallback", "NANO_BANANA_PROVIDER", None),
    ],
    "NanoBananaGenerate": [("prompt", "STRING", None), ("provider", "NANO_BANANA_PROVIDER", None), *SHARED, *LATEST,
                           CONVERSATION],
    "NanoBananaEdit": [
        ("prompt", "STRING", None), ("images", "COMFY_AUTOGROW_V3", None), ("provider", "NANO_BANANA_PROVIDER", None),
        ("mask", "MASK", None), ("batch_mode", "COMBO", "together"), ("output_size", "COMBO", "as returned"), *SHARED,
        ("mask_feather", "INT", 8), ("mask_hint", "COMBO", "none"), ("reference_format", "COMBO", "auto"),
        ("region", "COMBO", "whole image"), ("region_context", "FLOAT", 1.5), ("align", "COMBO", "off"),
        *LATEST, CONVERSATION,
    ],
    "NanoBananaConversation": [("picture", "STRING", "")],
}  # fmt: skip
OUTPUTS = {
    "ProviderConfig": (["NANO_BANANA_PROVIDER"], ["provider"], [False]),
    "NanoBananaGenerate": (
        ["IMAGE", "MASK", "STRING", "STRING", "IMAGE", "NANO_BANANA_CONVERSATION"],
        ["images", "masks", "text", "info", "thoughts", "conversation"], [True] * 6,
    ),
    "NanoBananaEdit": (
        ["IMAGE", "MASK", "STRING", "STRING", "IMAGE", "IMAGE", "NANO_BANANA_CONVERSATION"],
        ["images", "masks", "text", "info", "originals", "thoughts", "conversation"], [True] * 7,
    ),
    "NanoBananaConversation": (["NANO_BANANA_CONVERSATION"], ["conversation"], [False]),
}  # fmt: skip


RATIOS = ["auto", "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1"]
FAILURES = ["keep what succeeded", "fail", "stop this branch"]
CHOICES: dict[str, dict[str, list[str]]] = {
    "NanoBananaGenerate": {
        "aspect_ratio": RATIOS, "resolution": ["auto", "0.5K", "1K", "2K", "4K"],
        "safety_tolerance": ["default", "1", "2", "3", "4", "5", "6"], "limit_generations": ["default", "on", "off"],
        "output_format": ["auto", "png", "jpeg", "webp"], "thinking": ["default", "minimal", "medium", "high"],
        "on_failure": FAILURES, "delivery": ["now", "batch"],
    },
}  # fmt: skip
CHOICES["NanoBananaEdit"] = CHOICES["NanoBananaGenerate"] | {
    "batch_mode": ["together", "each", "each paired"],
    "output_size": ["as returned", "match first image", "multiple of 8", "multiple of 64"],
    "on_failure": [*FAILURES, "keep the original frame"],
    "mask_hint": ["none", "as last reference"],
    "reference_format": ["auto", "lossless", "jpeg"],
    "region": ["whole image", "masked region"],
    "align": ["off", "shift", "shift and scale"],
}
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "ProviderConfig": {"timeout": (10, 3600), "max_parallel": (0, 64)},
    "NanoBananaGenerate": {
        "num_images": (1, 16),
        "seed": (0, 2**31 - 1),
        "temperature": (-1.0, 2.0),
        "top_p": (-1.0, 1.0),
    },
    "NanoBananaEdit": {
        "num_images": (1, 16),
        "seed": (0, 2**31 - 1),
        "mask_feather": (0, 512),
        "region_context": (1.0, 8.0),
        "temperature": (-1.0, 2.0),
        "top_p": (-1.0, 1.0),
    },
    "NanoBananaConversation": {},
}
ADVANCED: dict[str, set[str]] = {
    "NanoBananaConversation": set(),
    "ProviderConfig": {"timeout", "max_parallel", "model_override"},
    "NanoBananaGenerate": {name for name, _, _ in [*SHARED[4:], *LATEST]},
    "NanoBananaEdit": {name for name, _, _ in [*SHARED[4:], *LATEST]}
    | {"mask_feather", "mask_hint", "reference_format", "region", "region_context", "align"},
}


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


@pytest.mark.parametrize("name", CONTRACT)
def test_widgets_offer_what_the_contract_says(bench: Bench, name: str) -> None:
    """Choices in their order, ranges, and which widgets are under Advanced."""
    definition = bench.host.get(f"/object_info/{name}")[name]["input"]
    everything = {**definition.get("required", {}), **definition.get("optional", {})}
    options = {wanted: found[1] for wanted, found in everything.items()}
    for wanted, choices in CHOICES.get(name, {}).items():
        assert options[wanted]["options"] == choices, wanted
    for wanted, (least, most) in RANGES[name].items():
        assert (options[wanted]["min"], options[wanted]["max"]) == (least, most), wanted
    assert {wanted for wanted, found in options.items() if found.get("advanced")} == ADVANCED[name]


def test_the_prompt_is_sent_as_it_is_written(bench: Bench, tag: str) -> None:
    """Braces and bars are no alternatives to choose from, and line ends stay."""
    prompt = f"{tag} {{red|blue}} // not a comment\n  second line"
    definition = bench.host.get("/object_info/NanoBananaGenerate")["NanoBananaGenerate"]["input"]["required"]["prompt"]
    assert definition[1]["multiline"] and not definition[1].get("dynamicPrompts")
    assert bench.generate(prompt).status == "success"
    assert bench.asked(tag)[0]["fields"]["prompt"] == prompt


def test_an_edit_has_fourteen_image_sockets_of_which_one_is_needed(bench: Bench) -> None:
    template = bench.host.get("/object_info/NanoBananaEdit")["NanoBananaEdit"]["input"]["required"]["images"][1]
    assert template["template"]["names"] == [f"image_{number}" for number in range(1, 15)]
    assert template["template"]["min"] == 1


def test_providers_and_models_begin_with_the_ones_that_need_no_choice(bench: Bench) -> None:
    """`auto` first, `offline` last of the built-in ones, `recommended` first, and every provider's models are there."""
    inputs = bench.host.get("/object_info/ProviderConfig")["ProviderConfig"]["input"]["optional"]
    providers, models = inputs["provider"][1]["options"], inputs["model"][1]["options"]
    order = ["auto", "google", "vertex", "onerouter", "apiframe", "apiframe_v2", "nanobanana", "runflow", "fal",
             "replicate", "openrouter", "kie", "wavespeed", "offline"]  # fmt: skip
    assert providers == [name for name in order if name in providers]
    assert {"onerouter", "apiframe", "nanobanana", "runflow", "offline"} < set(providers)
    assert models[0] == "recommended" and len(models) == len(set(models))
    assert {"nano-banana-pro", "nano-banana-2", "nano-banana", "nano-banana-hd"} < set(models)


def test_an_edit_with_nothing_but_its_required_inputs_runs(bench: Bench, tag: str) -> None:
    """As exported before any other input existed: no ProviderConfig, no `_meta`, one picture."""
    bench.put(f"{tag}.png", colours(32, 32))
    ran = bench.run(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": f"{tag}.png"}},
            "2": {
                "class_type": "NanoBananaEdit",
                "inputs": {"prompt": tag, "images.image_1": ["1", 0], "strength": 0.5},
            },
            "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
        }
    )
    assert ran.status == "success", ran.error or ran.refusal
    assert len(bench.asked(tag)) == 1 and len(ran.images("3")) == 1


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


def test_a_model_from_next_year_is_told_apart_where_nobody_knows_it(bench: Bench, tag: str) -> None:
    """Also with `auto`: it must not become `recommended` silently."""
    ran = bench.generate(tag, "auto", {"model": "nano-banana-99"})
    assert "nano-banana-99" in ran.refusal + ran.error and not bench.asked(tag)


def test_an_unknown_linked_input_of_provider_config_is_refused_by_name(bench: Bench, tag: str) -> None:
    ran = bench.run(
        {
            "word": node("PrimitiveString", value="x"),
            "config": node("ProviderConfig", provider="onerouter", region=["word", 0]),
            "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0]),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    assert "region" in ran.error and not bench.asked(tag)


def test_a_model_that_the_provider_lacks_is_refused_with_what_it_has(bench: Bench, tag: str) -> None:
    ran = bench.generate(tag, config={"model": "nano-banana-99"})
    assert "nano-banana-99" in ran.error and "nano-banana-pro" in ran.error and not bench.asked(tag)


def test_a_key_in_profile_is_refused_and_not_repeated(bench: Bench, tag: str) -> None:
    """Neither in the refusal, nor in what the host remembers or logs."""
    key = f"sk-0123456789abcdef{len(tag)}ABCDEF0123456789"
    prompt = {
        "config": node("ProviderConfig", provider="onerouter", profile=key),
        "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0]),
        "show": node("PreviewImage", images=["make", 0]),
    }
    with pytest.raises(PromptFailed) as failed:
        bench.host.queue_prompt(prompt)
    assert "revoke" in str(failed.value)
    for text in (
        failed.value.details,
        bench.host.get("/history"),
        bench.host.get("/queue"),
        bench.host.get("/object_info/ProviderConfig"),
        bench.host.log.read_text(errors="replace"),
    ):
        assert key not in json.dumps(text)
    assert not bench.asked(tag)


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


def test_a_missing_key_names_the_cures(bench: Bench, tag: str) -> None:
    """Variable, Settings, offline, and the keys that are there: everything a person needs to go on."""
    ran = bench.generate(tag, provider="kie")
    for word in ("NANO_BANANA_KIE_API_KEY", "Settings", "offline", "onerouter", "Nothing was charged"):
        assert word in ran.error
    assert ran.error_type == "NanoBanana.ConfigError"
    assert bench.generate(tag, provider="offline").status == "success"


@pytest.mark.parametrize("provider", ["offline", "auto"])
def test_a_retired_model_name_still_runs_and_is_told(bench: Bench, tag: str, provider: str) -> None:
    """It isn't offered, but an old workflow that has it goes on with its successor."""
    gone = "nano-banana-pro-preview"
    assert (
        gone
        not in bench.host.get("/object_info/ProviderConfig")["ProviderConfig"]["input"]["optional"]["model"][1][
            "options"
        ]
    )
    ran = bench.generate(tag, provider, {"model": gone})
    assert ran.status == "success", ran.error or ran.refusal
    assert ran.info()["model"] == "nano-banana-pro" and any(gone in notice for notice in ran.info()["notices"])
