"""Models that were added to built-in providers in Settings: kept, offered, sent, priced; and what is no model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import keyed, request
from pack.core.config.settings import Settings
from pack.core.custom_providers.added_models import MOST, added, change_models, drop_models, model_of, with_added
from pack.core.custom_providers.mapping_reader import FILE
from pack.core.engine import Engine
from pack.core.errors import ConfigError, Impossible
from pack.core.estimate import estimate
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN, model_names
from pack.core.providers.spec import UNKNOWN_PRICE_USD
from pack.tests.doubles.server import Doubles

GOOGLE = BUILT_IN["google"]


def engine(home: Path, **environ: str) -> Engine:
    return Engine(home, environ=environ)


def test_it_is_like_the_recommended_one_and_stands_in_the_list(tmp_path: Path) -> None:
    """Limits and family are copied; wire id, price and name are its own. The picker lists it behind the known names."""
    change_models(tmp_path, GOOGLE, {"nano-banana-9": {"wire": " gemini-nine ", "price": 0.05}})
    specs = engine(tmp_path).specs()
    new, known = specs["google"].model("nano-banana-9"), GOOGLE.model("recommended")
    assert new and known and new.generate and known.generate and new.edit and known.edit and new.price
    assert new.generate == replace(known.generate, model_id="gemini-nine")
    assert new.edit == replace(known.edit, model_id="gemini-nine") and new.family == known.family
    assert (new.price.usd_for("2K"), new.price.source) == (0.05, "Settings") and new.price.dated
    assert specs["google"].recommended == GOOGLE.recommended and specs["google"].models[:-1] == GOOGLE.models
    assert "nano-banana-9" in model_names(specs.values())
    assert all(spec == BUILT_IN[name] for name, spec in specs.items() if name != "google")


def test_it_may_be_like_another_and_have_an_id_for_one_operation(tmp_path: Path) -> None:
    facts = {"wire": {"edit": "pro-edit-9"}, "like": "nano-banana-pro", "price": {"1K": 0.2, "4K": 0.4}}
    change_models(tmp_path, BUILT_IN["fal"], {"pro-9": facts})
    model = engine(tmp_path).specs()["fal"].model("pro-9")
    assert model and model.generate is None and model.edit and model.edit.model_id == "pro-edit-9" and model.price
    assert model.family == "pro" and (model.price.usd_for("4K"), model.price.usd_for("2K")) == (0.4, None)


def test_it_is_asked_for_by_its_wire_id_and_costs_what_was_said(doubles: Doubles, tmp_path: Path) -> None:
    """From the choice in a graph to the bill."""
    doubles.reset()
    change_models(tmp_path, GOOGLE, {"my-pro": {"wire": "gemini-3-pro-image", "price": {"1K": 0.011}}})
    here = Engine(tmp_path, environ=keyed(doubles, "google"))
    asked = [request(prompt="an added model")]
    run = here.run(asked, here.plan(ProviderChoice("google", "my-pro"), asked))
    assert run.done.wait(30) and run.error is None and run.tasks[0].error is None
    (sent,) = doubles.request_log("an added model")["requests"]
    assert "models/gemini-3-pro-image:" in sent["route"]
    assert run.report.usd == pytest.approx(0.011)


def test_without_a_price_it_counts_as_the_dearest_and_the_estimate_says_so(doubles: Doubles, tmp_path: Path) -> None:
    """A cap can't be passed by not knowing."""
    change_models(tmp_path, GOOGLE, {"free-of-price": {"wire": "x"}, "priced": {"wire": "y", "price": {"1K": 0.02}}})
    here = engine(tmp_path, NANO_BANANA_CAP_RUN="0.35", **keyed(doubles, "google"))
    asked = [request()]
    unknown = estimate(here, ProviderChoice("google", "free-of-price"), asked, pixels=False)
    assert (unknown.usd_each, unknown.usd_counted) == (None, UNKNOWN_PRICE_USD)
    priced = estimate(here, ProviderChoice("google", "priced"), asked, pixels=False)
    assert (priced.usd_each, priced.usd_counted, priced.price_source) == (0.02, 0.02, "Settings")
    two = [replace(request(), num_images=2)]
    run = here.run(two, here.plan(ProviderChoice("google", "free-of-price"), two))
    assert run.done.wait(10)
    assert [error.reason if (error := each.error) else "" for each in run.tasks] == [
        "2 x $0.30 = $0.60, and your cap per run is $0.35."
    ] * 2
    assert not doubles.request_log("a fox in snow", "google")["requests"]


def test_changing_and_taking_away(tmp_path: Path) -> None:
    """Others stay, of this provider and of the others; a graph that names one that is gone is told what there is."""
    change_models(tmp_path, GOOGLE, {"a": {"wire": "one"}, "b": {"wire": "two"}})
    change_models(tmp_path, BUILT_IN["fal"], {"a": {"wire": "three"}})
    change_models(tmp_path, GOOGLE, {"a": {"wire": "four", "price": 0.1}, "b": None})
    here = engine(tmp_path, GEMINI_API_KEY="sim-1")
    spec = here.specs()["google"]
    a = spec.model("a")
    assert a and a.generate and a.generate.model_id == "four" and spec.model("b") is None
    assert here.specs()["fal"].model("a") is not None
    with pytest.raises(Impossible, match="It has: recommended"):
        here.plan(ProviderChoice("google", "b"), [request()])
    assert drop_models(tmp_path, "google") and not drop_models(tmp_path, "google")
    assert here.specs()["google"] == GOOGLE and here.specs()["fal"].model("a") is not None


def test_it_goes_onto_what_the_user_s_own_file_says(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("overlays:\n  google: {models: {nb-file: {wire: f}}, recommended: nb-file}\n", "utf-8")
    here = engine(tmp_path)
    change_models(tmp_path, here.without_added_models("google"), {"nb-page": {"wire": "p", "like": "nb-file"}})
    spec = here.specs()["google"]
    assert spec.recommended == "nb-file" and [model.name for model in spec.models[-2:]] == ["nb-file", "nb-page"]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("", {"wire": "x"}),
        ("my model", {"wire": "x"}),
        ("recommended", {"wire": "x"}),
        ("nano-banana-2.1", {"wire": "x"}),
        ("a", None),
        ("a", "x"),
        ("a", {}),
        ("a", {"wire": ""}),
        ("a", {"wire": 5}),
        ("a", {"wire": "../x"}),
        ("a", {"wire": {"generate": ""}}),
        ("a", {"wire": {"make": "x"}}),
        ("a", {"wire": "x", "like": "nobody"}),
        ("a", {"wire": "x", "colour": "red"}),
        ("a", {"wire": "x", "price": "cheap"}),
        ("a", {"wire": "x", "price": -1}),
        ("a", {"wire": "x", "price": True}),
        ("a", {"wire": "x", "price": float("nan")}),
        ("a", {"wire": "x", "price": {"8K": 1}}),
    ],
)
def test_what_is_no_model_is_refused_before_anything_is_written(tmp_path: Path, name: str, facts: Any) -> None:
    with pytest.raises(ConfigError):
        change_models(tmp_path, GOOGLE, {"good": {"wire": "x"}, name: facts} if facts is not None else {})
    assert not (tmp_path / "settings.json").exists()


def test_a_provider_takes_so_many_and_no_more(tmp_path: Path) -> None:
    change_models(tmp_path, GOOGLE, {f"m{n}": {"wire": "x"} for n in range(MOST)})
    with pytest.raises(ConfigError, match=str(MOST)):
        change_models(tmp_path, GOOGLE, {"more": {"wire": "x"}})
    assert len(added(Settings.read(tmp_path, {}), "google")) == MOST


@pytest.mark.parametrize(
    "stored", [5, [], {"google": 5}, {"google": {"a": None, "b": {"wire": "../"}}}, {"nobody": {}}]
)
def test_what_was_edited_into_the_file_by_hand_stops_nothing(tmp_path: Path, stored: Any) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"models": stored}))
    assert engine(tmp_path).specs() == BUILT_IN


def test_a_name_that_the_pack_learns_later_keeps_the_id_and_the_price_that_were_given(tmp_path: Path) -> None:
    change_models(tmp_path, GOOGLE, {"nano-banana-3": {"wire": "mine", "price": 0.07}})
    later = replace(GOOGLE, models=(*GOOGLE.models, model_of(GOOGLE, "nano-banana-3", {"wire": "theirs"})))
    spec = with_added(later, Settings.read(tmp_path, {}))
    model = spec.model("nano-banana-3")
    assert len(spec.models) == len(later.models) and model and model.generate and model.price
    assert (model.generate.model_id, model.price.usd_for("1K")) == ("mine", 0.07)
