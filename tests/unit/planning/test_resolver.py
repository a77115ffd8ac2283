"""Which provider does a request: named, automatic, substituted, fallen back; all without a network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dialect_driver import request
from pack.core.config.settings import Settings
from pack.core.errors import ConfigError, Impossible
from pack.core.keys.store import StoredKey, origin_of
from pack.core.planning.choice import MOST_PROVIDERS, ProviderChoice, problem_with
from pack.core.planning.resolver import ProviderResolver
from pack.core.providers import BUILT_IN, model_names

KEYS = {
    "google": {"GEMINI_API_KEY": "key-google-1"},
    "onerouter": {"ONEROUTER_API_KEY": "key-onerouter-1"},
    "apiframe": {"APIFRAME_API_KEY": "key-apiframe-1"},
    "runflow": {"RUNFLOW_API_KEY": "key-runflow-1"},
    "openrouter": {"OPENROUTER_API_KEY": "key-openrouter-1"},
    "nanobanana": {
        "NANO_BANANA_NANOBANANA_API_KEY": "key-nano-1",
        "NANO_BANANA_NANOBANANA_BASE_URL": "https://reseller.example",
    },
}


def resolver(*providers: str, store: Any = None, **more: str) -> ProviderResolver:
    """A machine with keys for these providers; further variables by their end."""
    environ = {name: value for provider in providers for name, value in KEYS[provider].items()}
    environ |= {f"NANO_BANANA_{name}": value for name, value in more.items()}
    return ProviderResolver(Settings(environ), store=store, local_address=lambda: "http://127.0.0.1:1/offline")


def ids(plan: Any) -> list[tuple[str, str]]:
    return [(target.spec.id, target.model.name) for target, _ in plan.targets]


def test_a_named_provider_is_used_with_its_address_and_key() -> None:
    """One target, nothing to tell."""
    plan = resolver("onerouter", "runflow").plan(ProviderChoice("runflow", "nano-banana-pro"), [request()])
    (target, fits), *rest = plan.targets
    assert not rest and plan.notices == () and len(fits) == 1
    assert target.base_url == "https://api.runflow.io" and target.key and target.key.value == "key-runflow-1"
    assert ids(plan) == [("runflow", "nano-banana-pro")]


def test_recommended_is_the_provider_s_choice() -> None:
    """For each provider its own."""
    for name in ("onerouter", "apiframe", "runflow", "nanobanana"):
        assert ids(resolver(name).plan(ProviderChoice(name), [request()])) == [(name, BUILT_IN[name].recommended)]


def test_auto_takes_the_first_with_a_key_in_the_user_s_order() -> None:
    """Built-in order without settings; nothing connected means auto too."""
    assert ids(resolver("runflow", "onerouter").plan(None, [request()]))[0][0] == "onerouter"
    ordered = resolver("runflow", "onerouter", ORDER="nobody, runflow")
    assert ids(ordered.plan(ProviderChoice(), [request()]))[0][0] == "runflow"
    assert ordered.with_keys() == ["runflow", "onerouter"]


def test_auto_passes_over_those_that_can_t_do_it() -> None:
    """An extreme ratio exists at Runflow only; every request of the node has to be possible."""
    machine = resolver("onerouter", "apiframe", "runflow")
    assert ids(machine.plan(None, [request(aspect_ratio="1:8")])) == [("runflow", "nano-banana-2")]
    assert ids(machine.plan(None, [request(), request(aspect_ratio="8:1")]))[0][0] == "runflow"
    with pytest.raises(Impossible) as refusal:
        resolver("onerouter", "apiframe").plan(None, [request(aspect_ratio="1:8")])
    assert "OneRouter" in str(refusal.value) and "APIFRAME" in str(refusal.value)


def test_auto_is_never_offline() -> None:
    """Pictures that say SIMULATION are nobody's fallback."""
    with pytest.raises(ConfigError) as refusal:
        resolver().plan(None, [request()])
    assert "NANO_BANANA_" in str(refusal.value) and "offline" in str(refusal.value)
    assert "offline" not in resolver("onerouter").with_keys()


def test_auto_needs_an_address_too() -> None:
    """A key for a reseller without its address can't be used, and hinders nobody."""
    machine = resolver("runflow", NANOBANANA_API_KEY="key-nano-1")
    assert machine.with_keys() == ["runflow"] and ids(machine.plan(None, [request()]))[0][0] == "runflow"


def test_auto_keeps_to_the_family_of_a_named_model() -> None:
    """nano-banana-pro is the name of one family, and the S3 reseller's nano-banana-2 belongs to it."""
    assert ids(resolver("nanobanana").plan(ProviderChoice(model="nano-banana-pro"), [request()])) == [
        ("nanobanana", "nano-banana-2")
    ]
    assert ids(resolver("nanobanana", "runflow").plan(ProviderChoice(model="nano-banana-2"), [request()])) == [
        ("runflow", "nano-banana-2")
    ]
    with pytest.raises(Impossible, match="not known"):
        resolver("runflow").plan(ProviderChoice(model="nano-banana-99"), [request()])


def test_offline_needs_no_key() -> None:
    """Named, it is free and local."""
    (target, _), *_ = resolver().plan(ProviderChoice("offline"), [request()]).targets
    assert target.key is None and target.base_url == "http://127.0.0.1:1/offline"


def test_a_missing_key_fails_at_once_with_the_ways_out() -> None:
    """The variable, the settings, offline, and whose keys are here; in `check` already."""
    machine = resolver("runflow")
    for ask in (
        lambda: machine.check(ProviderChoice("onerouter")),
        lambda: machine.plan(ProviderChoice("onerouter"), [request()]),
    ):
        with pytest.raises(ConfigError) as refusal:
            ask()
        for words in ("NANO_BANANA_ONEROUTER_API_KEY", "Settings", "offline", "runflow"):
            assert words in str(refusal.value)
        assert "key-runflow-1" not in str(refusal.value)


def test_a_missing_key_may_be_substituted_if_the_user_wants_it() -> None:
    """As auto with the same family, and it is said; never for a profile."""
    machine = resolver("runflow", MISSING_PROVIDER="substitute")
    machine.check(ProviderChoice("onerouter"))
    plan = machine.plan(ProviderChoice("onerouter", "nano-banana-pro"), [request()])
    assert (
        ids(plan) == [("runflow", "nano-banana-pro")]
        and "Runflow" in plan.notices[0]
        and "OneRouter" in plan.notices[0]
    )
    with pytest.raises(ConfigError):
        machine.plan(ProviderChoice("onerouter", profile="team"), [request()])
    with pytest.raises(ConfigError):
        machine.check(ProviderChoice("onerouter", profile="team"))


def test_an_unknown_provider_is_told_with_those_there_are() -> None:
    """Its name is cut: it may be anything."""
    with pytest.raises(Impossible) as refusal:
        resolver().check(ProviderChoice("x" * 500))
    assert "onerouter" in str(refusal.value) and len(str(refusal.value)) < 400


def test_a_model_the_provider_doesn_t_have_is_told_with_its_models() -> None:
    """By `check` too."""
    with pytest.raises(Impossible, match="nano-banana-pro"):
        resolver("onerouter").check(ProviderChoice("onerouter", "nano-banana-hd"))


def test_fallbacks_follow_in_order_and_each_stands_once() -> None:
    """The same target twice is asked once."""
    chain = ProviderChoice(
        "onerouter", fallback=ProviderChoice("runflow", fallback=ProviderChoice("onerouter", "nano-banana-2"))
    )
    assert ids(resolver("onerouter", "runflow").plan(chain, [request()])) == [
        ("onerouter", "nano-banana-2"),
        ("runflow", "nano-banana-2"),
    ]


def test_a_fallback_that_can_t_do_it_is_skipped_with_a_notice() -> None:
    """The first choice works; but the first choice itself is never skipped."""
    chain = ProviderChoice("runflow", fallback=ProviderChoice("onerouter"))
    plan = resolver("onerouter", "runflow").plan(chain, [request(aspect_ratio="1:8")])
    assert ids(plan) == [("runflow", "nano-banana-2")]
    assert "onerouter" in plan.notices[0] and "1:8" in plan.notices[0]
    with pytest.raises(Impossible):
        resolver("onerouter", "runflow").plan(
            ProviderChoice("onerouter", fallback=ProviderChoice("runflow")), [request(aspect_ratio="1:8")]
        )


def test_a_graph_can_only_lower_parallelism() -> None:
    """Row, user, graph: the least of them."""

    def parallel(asked: int, **more: str) -> int:
        plan = resolver("onerouter", **more).plan(ProviderChoice("onerouter", max_parallel=asked), [request()])
        return plan.targets[0][0].parallel

    spec = BUILT_IN["onerouter"].max_parallel
    assert parallel(0) == spec and parallel(64) == spec and parallel(2) == 2
    assert parallel(0, PARALLEL="3") == 3 and parallel(5, PARALLEL="3") == 3 and parallel(0, PARALLEL="64") == spec


@pytest.mark.parametrize("override", ["x", "google/nano-banana-3", "gemini-3.1-flash@002", "a:b_c.d-e/f"])
def test_good_model_overrides(override: str) -> None:
    """They go out as the wire id and count as the dearest price."""
    choice = ProviderChoice("onerouter", model_override=override)
    assert problem_with(choice) is None and override in str(choice)
    target, (resolved,) = (
        resolver("onerouter", ALLOW_MODELS=f"onerouter:{override}").plan(choice, [request()]).targets[0]
    )
    assert target.override == resolved.model_id == override and resolved.usd is None


@pytest.mark.parametrize(
    "override", ["../x", "a//b", "a/", "/a", "a b", "a?b", "a#b", "a%2f", "a\n", "ä", "x" * 201, ".a", "a..b", "a\\b"]
)
def test_bad_model_overrides(override: str) -> None:
    """They become part of an address: nothing that could lead elsewhere."""
    with pytest.raises(Impossible, match="model_override"):
        resolver("onerouter").check(ProviderChoice("onerouter", model_override=override))


def test_an_override_needs_a_named_provider() -> None:
    """With auto nobody knows whose model it is; anywhere in the chain."""
    with pytest.raises(Impossible, match="named provider"):
        resolver("onerouter").plan(ProviderChoice(model_override="x"), [request()])
    with pytest.raises(Impossible, match="named provider"):
        resolver("onerouter").check(ProviderChoice("onerouter", fallback=ProviderChoice(model_override="x")))


def test_a_key_in_the_profile_is_refused_without_being_repeated() -> None:
    """By `check` and by `plan`."""
    choice = ProviderChoice("onerouter", profile="sk-abcdef1234567890abcdef")
    for ask in (lambda: resolver("onerouter").check(choice), lambda: resolver("onerouter").plan(choice, [request()])):
        with pytest.raises(Impossible, match="revoke") as refusal:
            ask()
        assert "sk-abcdef" not in str(refusal.value)


def test_a_profile_takes_the_stored_key_of_that_name() -> None:
    """And fails without one, whoever else has a key."""
    stored = {("onerouter", "team"): StoredKey("key-team-1", origin_of(BUILT_IN["onerouter"].base_url))}
    machine = resolver("onerouter", "runflow", store=lambda *place: stored.get(place))
    target, _ = machine.plan(ProviderChoice("onerouter", profile="team"), [request()]).targets[0]
    assert target.key and target.key.value == "key-team-1" and target.profile == "team"
    with pytest.raises(ConfigError, match="other"):
        machine.plan(ProviderChoice("onerouter", profile="other"), [request()])


def test_auto_passes_over_a_key_that_makes_no_sense_and_says_so() -> None:
    """One mistyped variable doesn't take the other providers away; the provider itself, named, fails by it."""
    machine = resolver("runflow", ONEROUTER_API_KEY="key with\u00a0foreign characters")
    plan = machine.plan(ProviderChoice(), [request()])
    assert [target.spec.id for target, _ in plan.targets] == ["runflow"]
    assert any("OneRouter was passed over" in each and "NANO_BANANA_ONEROUTER_API_KEY" in each for each in plan.notices)
    with pytest.raises(ConfigError, match="NANO_BANANA_ONEROUTER_API_KEY"):
        machine.plan(ProviderChoice("onerouter"), [request()])


def test_what_travels_through_the_graph_has_no_secret() -> None:
    """Frozen, comparable, and a target's repr shows neither key nor proxy."""
    choice = ProviderChoice("onerouter", fallback=ProviderChoice("runflow"))
    assert choice == replace(choice) and hash(choice) == hash(replace(choice))
    target, _ = (
        resolver("onerouter", PROXY="http://user:pass@proxy").plan(ProviderChoice("onerouter"), [request()]).targets[0]
    )
    assert "key-onerouter-1" not in repr(target) and "pass" not in repr(target)


def test_an_empty_prompt_is_told_as_that_by_auto_too() -> None:
    """And not as "no provider can do this"."""
    with pytest.raises(Impossible, match="prompt is empty"):
        resolver("onerouter", "runflow").plan(None, [request(prompt=" ")])


PREVIEW = "nano-banana-pro-preview"


@pytest.mark.parametrize("provider", ["google", "openrouter"])
def test_a_retired_name_leads_to_its_successor_with_a_notice(provider: str) -> None:
    """An old workflow goes on: the same picture as under the new name, and it is said."""
    machine = resolver(provider)
    old, new = ProviderChoice(provider, PREVIEW), ProviderChoice(provider, "nano-banana-pro")
    machine.check(old)
    plans = [machine.plan(choice, [request()]) for choice in (old, new)]
    assert ids(plans[0]) == ids(plans[1]) == [(provider, "nano-banana-pro")]
    assert PREVIEW in plans[0].notices[0] and "nano-banana-pro" in plans[0].notices[0] and not plans[1].notices
    prints = [plan.targets[0][1][0].fingerprint(request(), request().slots()[0]) for plan in plans]
    assert prints[0] == prints[1], "what was paid under one name is found under the other"


def test_a_retired_name_means_its_successor_s_family_with_auto() -> None:
    """Also where the provider that does it never had that name."""
    plan = resolver("runflow").plan(ProviderChoice(model=PREVIEW), [request()])
    assert ids(plan) == [("runflow", "nano-banana-pro")] and PREVIEW in plan.notices[0]
    assert not resolver("runflow").plan(ProviderChoice(model="nano-banana-pro"), [request()]).notices


def test_a_name_that_a_provider_never_had_is_still_refused() -> None:
    """Being retired elsewhere makes it no name here."""
    with pytest.raises(Impossible, match="nano-banana-pro"):
        resolver("onerouter").check(ProviderChoice("onerouter", PREVIEW))


def test_retired_names_are_not_offered() -> None:
    """The widget has the successors only."""
    assert not set(model_names(BUILT_IN.values())) & {name for spec in BUILT_IN.values() for name in spec.retired}


@pytest.mark.parametrize(
    ("provider", "override", "successor"),
    [
        ("openrouter", "google/gemini-3.1-flash-image-preview", "google/gemini-3.1-flash-image"),
        ("openrouter", "google/gemini-3-pro-image-preview", "google/gemini-3-pro-image"),
        ("openrouter", "google/gemini-3-pro-image", ""),
        ("openrouter", "google/gemini-9", ""),
        ("google", "gemini-3-pro-image-preview", "gemini-3-pro-image"),
        ("google", "gemini-3.1-flash-image-preview", "gemini-3.1-flash-image"),
        ("google", "gemini-2.5-flash-image-preview", "gemini-2.5-flash-image"),
        ("google", "gemini-3-pro-image", ""),
    ],
)
def test_a_retired_id_is_sent_as_it_is_and_told(provider: str, override: str, successor: str) -> None:
    """The user named it by hand: it isn't changed behind their back."""
    machine = resolver(provider, ALLOW_MODELS="openrouter:google/gemini-9")
    plan = machine.plan(ProviderChoice(provider, model_override=override), [request()])
    assert plan.targets[0][1][0].model_id == override
    assert bool(plan.notices) == bool(successor) and (not successor or successor + " took its place" in plan.notices[0])


def test_a_profile_s_name_reaches_no_other_provider_s_key() -> None:
    """NANO_BANANA_APIFRAME_V2_API_KEY is the key of apiframe_v2: a graph with apiframe's profile v2 doesn't get it."""
    here = resolver(APIFRAME_V2_API_KEY="key-of-v2", APIFRAME_TEAM_API_KEY="key-of-the-team")
    with pytest.raises(ConfigError) as refused:
        here.plan(ProviderChoice("apiframe", profile="v2"), [request()])
    assert "APIFRAME_V2" not in str(refused.value) and "Settings" in str(refused.value)
    assert here.keys.key(BUILT_IN["apiframe"], "V2") is None
    for name, profile, value in (("apiframe_v2", "default", "key-of-v2"), ("apiframe", "team", "key-of-the-team")):
        key = here.keys.key(BUILT_IN[name], profile)
        assert key and key.value == value


def test_the_wrong_apiframe_is_named_before_anything_is_sent() -> None:
    """A graph that names one version where the vendor's variable has a key of the other; `auto` takes the right one."""
    here = ProviderResolver(Settings({"APIFRAME_API_KEY": "afk_0123456789"}))
    with pytest.raises(ConfigError, match="apiframe_v2"):
        here.check(ProviderChoice("apiframe"))
    with pytest.raises(ConfigError, match="apiframe_v2"):
        here.plan(ProviderChoice("apiframe"), [request()])
    plan = here.plan(ProviderChoice(), [request()])
    assert plan.targets[0][0].spec.id == "apiframe_v2" and not plan.notices
    assert here.with_keys() == ["apiframe_v2"]


@pytest.mark.parametrize("provider", ["auto", "onerouter"])
def test_a_chain_of_fallbacks_has_an_end(provider: str) -> None:
    """A stranger's graph may hold thousands, each of which would be looked at, and none of which anybody needs."""

    def chain(length: int) -> ProviderChoice:
        choice = ProviderChoice(provider)
        for _ in range(length - 1):
            choice = ProviderChoice(provider, fallback=choice)
        return choice

    assert problem_with(chain(MOST_PROVIDERS)) is None
    for length in (MOST_PROVIDERS + 1, 5000):
        assert "one behind the other" in str(problem_with(chain(length)))
        with pytest.raises(Impossible, match="one behind the other"):
            resolver("onerouter").plan(chain(length), [request()])
