"""A stranger's workflow can't order what nobody has described: unknown ids are refused until the user allows them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import keyed, request
from hypothesis import given
from hypothesis import strategies as st
from journal_driver import claim_one, png
from pack.core.config.allowed_models import MOST, UnknownModel, allow, allowed, counted_usd, forbid, known_model_ids
from pack.core.config.settings import Settings
from pack.core.custom_providers.added_models import change_models
from pack.core.custom_providers.mapping_reader import FILE
from pack.core.engine import Engine
from pack.core.errors import ConfigError, Impossible
from pack.core.estimate import estimate
from pack.core.execution.run import Run
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import UNKNOWN_PRICE_USD
from pack.core.request import Request
from pack.tests.doubles.server import Doubles

VIDEO = "fal-ai/veo3"
FAL = BUILT_IN["fal"]
ORDER = ProviderChoice("fal", model_override=VIDEO)


def engine(doubles: Doubles, home: Path, **environ: str) -> Engine:
    return Engine(home, environ=keyed(doubles, "fal", "onerouter") | environ)


def refusal(here: Engine, choice: ProviderChoice) -> UnknownModel:
    """The same in the run and in the estimate. Not in ProviderConfig, which doesn't know what is stored."""
    here.resolver().check(choice)
    ran = done(here, choice, request())
    for pixels in (False, True):
        with pytest.raises(UnknownModel) as found:
            estimate(here, choice, [request()], pixels=pixels)
        assert isinstance(ran.error, UnknownModel) and ran.error.message == found.value.message
    return found.value


def done(here: Engine, choice: ProviderChoice, asked: Request) -> Run:
    """A run that has ended."""
    run = here.run([asked], here.plan(choice, [asked]))
    assert run.done.wait(20)
    return run


def test_an_id_that_nobody_knows_is_refused_with_every_way_out(doubles: Doubles, tmp_path: Path) -> None:
    """Provider, id, unknown price, the three places to allow it. Nothing is sent, nothing is written."""
    doubles.reset()
    here = engine(doubles, tmp_path)
    error = refusal(here, ORDER)
    assert (error.provider, error.model_id) == ("fal", VIDEO)
    for word in (FAL.label, VIDEO, "price unknown", "Allow on this machine", "Settings", f"fal:{VIDEO}",
                 "NANO_BANANA_ALLOW_MODELS", "Nothing was sent"):  # fmt: skip
        assert word in error.message, word
    assert not doubles.request_log()["requests"] and here.ledger.is_empty


def test_sixteen_nodes_with_sixteen_pictures_send_nothing(doubles: Doubles, tmp_path: Path) -> None:
    doubles.reset()
    here = engine(doubles, tmp_path)
    for number in range(16):
        assert isinstance(
            done(here, ORDER, replace(request(prompt=f"node {number}"), num_images=16)).error, UnknownModel
        )
    assert not doubles.request_log()["requests"]


@pytest.mark.parametrize("provider", [spec.id for spec in BUILT_IN.values()])
def test_every_id_that_the_data_names_runs_as_before(provider: str) -> None:
    """All models, both operations, and ids that have been retired."""
    spec = BUILT_IN[provider]
    wires = known_model_ids(spec)
    assert {offer.model_id for m in spec.models for offer in (m.generate, m.edit) if offer} | set(spec.retired) == wires
    assert all(counted_usd(spec, wire, Settings()) == UNKNOWN_PRICE_USD for wire in wires)


def test_ids_near_a_known_one_are_not_it() -> None:
    """A known beginning says nothing about what follows it."""
    for wire in sorted(known_model_ids(FAL))[:3]:
        for near in (f"{wire}/video", wire.upper(), wire[:-1], f"x/{wire}"):
            with pytest.raises(UnknownModel):
                counted_usd(FAL, near, Settings())


def test_ids_that_the_user_has_described_are_known(doubles: Doubles, tmp_path: Path) -> None:
    """In providers.yaml, or as a model added in Settings. What yaml leaves out of the list is still known."""
    wire = next(iter(known_model_ids(FAL)))
    (tmp_path / FILE).write_text("overlays:\n  fal: {models: {mine: {wire: me/in-yaml}}, recommended: mine}\n", "utf-8")
    here = engine(doubles, tmp_path)
    change_models(tmp_path, here.without_added_models("fal"), {"nine": {"wire": "me/in-settings", "price": 0.1}})
    for known in ("me/in-yaml", "me/in-settings", wire):
        assert here.plan(ProviderChoice("fal", model_override=known), [request()]).targets[0][1][0].model_id == known


def test_an_allowed_id_is_sent_and_counts_as_was_said(doubles: Doubles, tmp_path: Path) -> None:
    """Its price stays unknown; 0.30 where nothing was said; the cap holds by it; taken back, it is refused again."""
    here = engine(doubles, tmp_path, NANO_BANANA_CAP_RUN="5")
    allow(tmp_path, FAL, VIDEO)
    shown = estimate(here, ORDER, [request()], pixels=False)
    assert (shown.usd_each, shown.usd_counted_each, shown.model_id) == (None, UNKNOWN_PRICE_USD, VIDEO)
    allow(tmp_path, FAL, VIDEO, 2.5)
    shown = estimate(here, ORDER, [replace(request(), num_images=3)], pixels=False)
    assert (shown.usd_each, shown.usd_counted_each, shown.usd_counted) == (None, 2.5, 7.5)
    asked = [replace(request(prompt="three videos"), num_images=3)]
    run = here.run(asked, here.plan(ORDER, asked))
    assert run.done.wait(20) and "cap" in str(run.tasks[0].error)
    assert not doubles.request_log("three videos")["requests"]
    assert forbid(tmp_path, "fal", VIDEO) and not forbid(tmp_path, "fal", VIDEO)
    refusal(here, ORDER)


@pytest.mark.parametrize("place", ["only", "fallback"])
def test_what_is_paid_comes_from_the_store_although_its_id_is_no_longer_allowed(
    place: str, doubles: Doubles, tmp_path: Path
) -> None:
    """For nothing; only what is missing is refused, and nothing is sent."""
    here = engine(doubles, tmp_path)
    asked = request(prompt=f"paid before, {place}")
    allow(tmp_path, FAL, VIDEO, 0.2)
    name = here.plan(ORDER, [asked]).all_fingerprints(0, asked, asked.slots()[0])[0]
    assert claim_one(here.ledger, name) == "reserved"
    here.ledger.mark_sent([name], "c" * 32)
    here.ledger.write_incoming(name, png(3))
    here.ledger.mark_stored(name, "", 0.2)
    assert forbid(tmp_path, "fal", VIDEO)
    sent = len(doubles.request_log()["requests"])
    choice = ORDER if place == "only" else ProviderChoice("onerouter", fallback=ORDER)
    again = done(here, choice, asked)
    assert again.error is None and again.tasks[0].source == "store" and again.report.usd == 0
    if place == "only":
        shown = estimate(here, choice, [asked], pixels=True)
        assert (shown.stored, shown.usd) in ((1, None), (1, 0.0))
        more = done(here, choice, replace(asked, num_images=3))
        assert [bool(result.result) for result in more.tasks] == [True, False, False]
        errors = [result.error for result in more.tasks[1:]]
        assert all(type(error) is Impossible and VIDEO in error.message for error in errors)
        with pytest.raises(UnknownModel):
            estimate(here, choice, [replace(asked, num_images=3)], pixels=True)
    assert len(doubles.request_log()["requests"]) == sent


def test_a_described_id_counts_as_what_was_said_of_it(doubles: Doubles, tmp_path: Path) -> None:
    """In model_override, too: a graph can't have a model of $5 count as the dearest of the field."""
    wire = next(iter(known_model_ids(FAL)))
    (tmp_path / FILE).write_text(
        "overlays:\n  fal: {models: {mine: {wire: me/in-yaml, price: {1K: 3, 4K: 7}}}, recommended: mine}\n", "utf-8"
    )
    here = engine(doubles, tmp_path)
    change_models(tmp_path, here.without_added_models("fal"), {"nine": {"wire": "me/in-settings", "price": 5}})
    spec, settings = here.specs()["fal"], here.settings()
    counted = {each: counted_usd(spec, each, settings) for each in ("me/in-yaml", "me/in-settings", wire)}
    assert counted == {"me/in-yaml": 7, "me/in-settings": 5, wire: UNKNOWN_PRICE_USD}
    shown = estimate(here, ProviderChoice("fal", model_override="me/in-settings"), [request()], pixels=False)
    assert shown.usd_counted_each == 5


def test_a_permission_is_for_one_provider_and_one_id(doubles: Doubles, tmp_path: Path) -> None:
    here = engine(doubles, tmp_path)
    allow(tmp_path, FAL, VIDEO)
    refusal(here, ProviderChoice("onerouter", model_override=VIDEO))
    refusal(here, ProviderChoice("fal", model_override=f"{VIDEO}/fast"))


def test_a_fallback_s_id_is_asked_about_too(doubles: Doubles, tmp_path: Path) -> None:
    """Nothing is sent to anybody before; the link itself is passed over and told."""
    here = engine(doubles, tmp_path)
    chain = ProviderChoice("onerouter", fallback=ORDER)
    refusal(here, chain)
    plan = here.plan(chain, [request()])
    assert [target.spec.id for target, _ in plan.targets] == ["onerouter"]
    assert any(VIDEO in notice for notice in plan.notices)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"fal:{VIDEO}", {("fal", VIDEO): UNKNOWN_PRICE_USD}),
        (f" fal:{VIDEO}=1.25 ; openrouter:google/x:free=0,", {("fal", VIDEO): 1.25, ("openrouter", "google/x:free"): 0.0}),
        (f'"FAL:{VIDEO}=$2"', {("fal", VIDEO): 2.0}),
        ("fal:*", {}),
        ("fal", {}),
        (f":{VIDEO}", {}),
        ("fal:", {}),
        (f"fal:{VIDEO}=cheap,fal:{VIDEO}=-1,fal:{VIDEO}=nan,fal:{VIDEO}=inf", {}),
        ("fal:../x", {}),
    ],
)  # fmt: skip
def test_what_the_environment_allows(text: str, found: dict[tuple[str, str], float]) -> None:
    """Exact ids; what makes no sense allows nothing."""
    assert {(e.provider, e.model_id): e.usd for e in allowed(Settings({"NANO_BANANA_ALLOW_MODELS": text}))} == found


@pytest.mark.parametrize(
    ("wire", "price"),
    [(None, None), (5, None), ("", None), ("../x", None), ("a b", None), ("x" * 201, None), ("a/b", -0.01), ("a/b", "1"),
     ("a/b", True), ("a/b", float("nan")), ("a/b", float("inf")), ("a/b", 1000), ("a/b", [1])],
)  # fmt: skip
def test_what_is_no_id_or_no_price_is_not_kept(wire: Any, price: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        allow(tmp_path, FAL, wire, price)
    assert not (tmp_path / "settings.json").exists()


def test_a_known_id_and_the_simulation_need_no_permission(tmp_path: Path) -> None:
    for spec, wire in ((FAL, next(iter(known_model_ids(FAL)))), (BUILT_IN["offline"], "anything")):
        with pytest.raises(ConfigError, match="needs no permission"):
            allow(tmp_path, spec, wire)
        assert counted_usd(spec, wire, Settings()) == UNKNOWN_PRICE_USD


def test_so_many_and_no_more(tmp_path: Path) -> None:
    models = {"fal": {f"m{n}": {"price": 0.1} for n in range(MOST)}}
    (tmp_path / "settings.json").write_text(json.dumps({"allowed_models": models}))
    with pytest.raises(ConfigError, match=str(MOST)):
        allow(tmp_path, FAL, "one/more")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["fal", VIDEO, "price"]), inner),
    max_leaves=6,
)


@given(ANYTHING)
def test_whatever_stands_in_the_file_allows_only_what_it_says(stored: Any) -> None:
    """No shape of it is an error, and a price is needed."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "settings.json").write_text(json.dumps({"allowed_models": stored}))
        for each in allowed(Settings.read(home, {})):
            assert stored[each.provider][each.model_id]["price"] == each.usd
        forbid(home, "fal", VIDEO)
        allow(home, FAL, "a/b", 1)
        assert counted_usd(FAL, "a/b", Settings.read(home, {})) == 1
        with pytest.raises(Impossible):
            counted_usd(FAL, VIDEO, Settings.read(home, {}))
