"""A request and the capabilities of a model: what is sent, what is left out, and the nearest ratio."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from dialect_driver import EVERY_OPTION, INPUTS_OF_OPTIONS, negotiated, request, tiny
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors import Impossible
from pack.core.images.picture import Picture
from pack.core.planning.negotiate import nearest_ratio, negotiate, options_of
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import EXTREME_RATIOS, RATIOS, UNKNOWN_PRICE_USD, Model, Operation, ProviderSpec
from pack.core.request import Options

ONEROUTER, APIFRAME, RUNFLOW = BUILT_IN["onerouter"], BUILT_IN["apiframe"], BUILT_IN["runflow"]
NANO, OFFLINE = BUILT_IN["nanobanana"], BUILT_IN["offline"]


def shaped(width: int, height: int) -> Picture:
    return Picture(lambda: np.zeros((height, width, 3), np.uint8), width, height, 3)


def test_defaults_send_nothing_and_say_nothing() -> None:
    """Everything at "leave it to the provider"."""
    for spec in BUILT_IN.values():
        for model in spec.models:
            if model.generate:
                how = negotiate(request(), spec, model)
                assert how.options == () and how.notices == ()


def test_ratio_auto_on_an_edit_is_the_provider_s_own_word() -> None:
    """Where it has one, without a notice."""
    assert dict(negotiated(ONEROUTER, request("edit")).options)["aspect_ratio"] == "auto"
    assert dict(negotiated(APIFRAME, request("edit")).options)["aspect_ratio"] == "match_input_image"
    assert negotiated(APIFRAME, request("edit")).notices == ()


@pytest.mark.parametrize(
    ("width", "height", "ratio"), [(1920, 1080, "16:9"), (100, 100, "1:1"), (100, 3000, "9:16"), (3000, 100, "21:9")]
)
def test_ratio_auto_on_an_edit_is_else_the_nearest_to_the_first_image(width: int, height: int, ratio: str) -> None:
    """With a notice that has the numbers; the other images don't matter."""
    asked = replace(request("edit"), references=(shaped(width, height), shaped(50, 60)))
    how = negotiated(NANO, asked)
    assert dict(how.options)["aspect_ratio"] == ratio
    assert len(how.notices) == 1 and ratio in how.notices[0] and f"{width}x{height}" in how.notices[0]


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_the_nearest_ratio_is_nearest_by_logarithm(width: int, height: int) -> None:
    """Symmetric: turning the picture turns the ratio."""
    ratios = (*RATIOS, *EXTREME_RATIOS)

    def distance(ratio: str) -> float:
        across, down = map(int, ratio.split(":"))
        return abs(math.log(width * down / (height * across)))

    chosen = nearest_ratio(width, height, ratios)
    assert distance(chosen) <= min(map(distance, ratios)) + 1e-9
    turned = nearest_ratio(height, width, [":".join(reversed(ratio.split(":"))) for ratio in ratios])
    assert math.isclose(distance(":".join(reversed(turned.split(":")))), distance(chosen), abs_tol=1e-9)


@given(st.sampled_from((*RATIOS, *EXTREME_RATIOS)), st.integers(1, 300))
def test_an_exact_ratio_is_found(ratio: str, scale: int) -> None:
    """At any size."""
    across, down = map(int, ratio.split(":"))
    assert nearest_ratio(across * scale, down * scale, (*RATIOS, *EXTREME_RATIOS)) == ratio


def test_unsupported_options_are_left_out_with_a_notice_each() -> None:
    """By the widget's name, and never sent."""
    asked = request(**EVERY_OPTION, seed=4)
    how = negotiated(APIFRAME, asked)
    assert how.options == () and not how.sends_seed and len(how.notices) == 7
    for name in ("seed", *INPUTS_OF_OPTIONS):
        assert any(name in notice.lower() for notice in how.notices), name


def test_a_value_the_model_does_not_have_is_left_out_with_those_it_has() -> None:
    """Runflow's thinking has no medium."""
    how = negotiated(RUNFLOW, request(thinking="medium"))
    assert "thinking" not in dict(how.options) and "minimal, high" in how.notices[0]
    assert dict(negotiated(RUNFLOW, request(thinking="high")).options)["thinking"] == "high"


def test_words_beside_a_picture_may_cost_its_size() -> None:
    """Reported of Google: told where a size is asked for, and only there."""
    google = BUILT_IN["google"]
    notices = negotiated(google, request(with_text=True, resolution="2K")).notices
    assert [notice for notice in notices if "with_text" in notice and "another size" in notice]
    assert negotiated(google, request(with_text=True)).notices == ()


def test_no_seed_no_notice() -> None:
    """Seed 0 is the widget's default: nobody asked for anything."""
    assert negotiated(APIFRAME, request(seed=0)).notices == ()
    assert "seed" in negotiated(APIFRAME, request(seed=1)).notices[0].lower()


def test_the_only_resolution_is_accepted_and_not_sent() -> None:
    """Where the provider has no field for it."""
    how = negotiated(ONEROUTER, request(resolution="1K"), "nano-banana")
    assert how.options == () and how.resolution == "1K"
    with pytest.raises(Impossible, match="2K"):
        negotiated(ONEROUTER, request(resolution="2K"), "nano-banana")


def test_the_effective_resolution_is_what_was_asked_or_the_provider_s_default() -> None:
    """APIFRAME's Pro gives 2K by itself."""
    assert negotiated(APIFRAME, request()).resolution == "2K"
    assert negotiated(APIFRAME, request(resolution="4K")).resolution == "4K"
    assert negotiated(ONEROUTER, request()).resolution == "1K"


def test_prices_and_what_counts_against_a_cap() -> None:
    """A known price; an unknown one and any override count as the dearest."""
    assert negotiated(ONEROUTER, request(resolution="1K")).usd == 0.08
    unknown = negotiated(ONEROUTER, request(resolution="4K"))
    assert unknown.usd is None and unknown.counted_usd == UNKNOWN_PRICE_USD
    model = ONEROUTER.model("nano-banana-2")
    assert model is not None
    override = negotiate(request(), ONEROUTER, model, "google/new-model")
    assert (
        override.model_id == "google/new-model" and override.usd is None and override.counted_usd == UNKNOWN_PRICE_USD
    )
    assert negotiated(OFFLINE, request()).counted_usd == 0.0


def test_a_prompt_of_spaces_is_empty_and_any_other_is_sent_as_it_is() -> None:
    """No strip, no change."""
    with pytest.raises(Impossible):
        negotiated(OFFLINE, request(prompt="\n  \t"))
    with pytest.raises(Impossible, match="empty"):
        negotiated(OFFLINE, request(prompt="\u200b\ufeff\u3000\x00"))
    assert negotiated(OFFLINE, request(prompt="  x\n")).options == ()


def test_a_blank_system_prompt_is_none() -> None:
    """Nobody asked for it, so nothing is said about it."""
    assert negotiated(APIFRAME, request(system_prompt="  ")).notices == ()


@given(
    st.builds(
        Options,
        aspect_ratio=st.sampled_from(["auto", *RATIOS, *EXTREME_RATIOS]),
        resolution=st.sampled_from(["auto", "0.5K", "1K", "2K", "4K"]),
        web_search=st.booleans(),
        safety_tolerance=st.sampled_from(["default", "1", "6"]),
        limit_generations=st.sampled_from(["default", "on", "off"]),
        output_format=st.sampled_from(["auto", "png", "jpeg", "webp"]),
        thinking=st.sampled_from(["default", "minimal", "medium", "high"]),
        system_prompt=st.sampled_from(["", "brief"]),
        with_text=st.booleans(),
        temperature=st.sampled_from([None, 0.0, 0.7, 2.0]),
        top_p=st.sampled_from([None, 0.0, 1.0]),
    ),
    st.sampled_from([(spec, model) for spec in BUILT_IN.values() for model in spec.models]),
    st.sampled_from(["generate", "edit"]),
)
def test_every_asked_option_is_sent_or_noticed_or_refused(
    options: Options, place: tuple[ProviderSpec, Model], operation: Operation
) -> None:
    """No option is ever dropped in silence."""
    spec, model = place
    references = (tiny(),) if operation == "edit" else ()
    asked = replace(request(operation, 0), options=options, references=references)
    try:
        how = negotiate(asked, spec, model)
    except Impossible as refusal:
        assert refusal.cure and refusal.charged == "no"
        return
    sent: dict[Any, Any] = dict(how.options)
    notices = " ".join(notice for notice in how.notices if "another size" not in notice)
    assert options.aspect_ratio in ("auto", sent.get("aspect_ratio"))
    assert options.resolution in ("auto", sent.get("resolution"), how.capabilities.fixed_resolution)
    for name, widget, default in (
        ("web_search", "enable_web_search", False),
        ("safety_tolerance", "safety_tolerance", "default"),
        ("limit_generations", "limit_generations", "default"),
        ("output_format", "output_format", "auto"),
        ("thinking", "thinking", "default"),
        ("system_prompt", "system_prompt", ""),
        ("with_text", "with_text", False),
        ("temperature", "temperature", None),
        ("top_p", "top_p", None),
    ):
        value = getattr(options, name)
        if value == default:
            assert name not in sent and widget not in notices
        else:
            assert (sent.get(name) == value) != (f"{widget}" in notices)


def test_what_is_possible_is_what_this_model_is_sent() -> None:
    """The browser offers this: a model with fewer levels than its provider, and one with its own field names."""
    fal, kie = BUILT_IN["fal"], BUILT_IN["kie"]
    lite, newest, first = fal.model("nano-banana-lite"), fal.model("nano-banana-2.1"), kie.model("nano-banana")
    assert lite and lite.generate and newest and newest.generate and first and first.edit
    assert options_of(fal, "generate", lite.generate)["thinking"] == ("minimal", "high")
    assert options_of(fal, "generate", newest.generate)["thinking"] == ("minimal", "medium", "high")
    assert options_of(kie, "edit", first.edit) == {"output_format": ("png", "jpeg")}


@pytest.mark.parametrize("option", ["thinking", "safety_tolerance", "output_format"])
def test_every_possible_value_is_sent(option: Any) -> None:
    for spec in BUILT_IN.values():
        for model in spec.models:
            offer = model.generate
            for value in (options_of(spec, "generate", offer).get(option) or ()) if offer else ():
                assert (option, value) in negotiate(request(**{option: value}), spec, model).options, (
                    spec.id,
                    model.name,
                    value,
                )
