"""Settings: the environment before the file before the spec; an invalid value is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import request
from pack.core.config.settings import Settings, variable
from pack.core.errors import ConfigError
from pack.core.planning.choice import ProviderChoice
from pack.core.planning.resolver import ProviderResolver
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import ProviderSpec

NANO, RUNFLOW, ONEROUTER = BUILT_IN["nanobanana"], BUILT_IN["runflow"], BUILT_IN["onerouter"]


def test_variables_are_named_after_the_provider() -> None:
    """Upper case, everything else an underscore."""
    assert variable("apiframe_v2", "API_KEY") == "NANO_BANANA_APIFRAME_V2_API_KEY"
    assert variable("my-host.2", "BASE_URL") == "NANO_BANANA_MY_HOST_2_BASE_URL"


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    """And an empty variable doesn't."""
    (tmp_path / "settings.json").write_text(json.dumps({"parallel": 3, "order": ["runflow"], "proxy": "http://p"}))
    stored = Settings.read(tmp_path, {})
    assert (stored.parallel, stored.order, stored.proxy) == (3, ["runflow"], "http://p")
    both = Settings.read(tmp_path, {"NANO_BANANA_PARALLEL": "5", "NANO_BANANA_ORDER": " ", "NANO_BANANA_PROXY": ""})
    assert (both.parallel, both.proxy) == (5, "http://p")
    assert Settings.read(tmp_path, {"NANO_BANANA_ORDER": "a; b,,c "}).order == ["a", "b", "c"]


@pytest.mark.parametrize("named", ["gs://bucket/prefix", "file:///tmp/results", "a\0b", "~nobody-has-this-name/x"])
def test_an_address_is_no_folder_of_results(named: str) -> None:
    """It would become a folder of that name on this machine, where no other one of a farm sees it."""
    with pytest.raises(ConfigError, match="NANO_BANANA_RESULTS"):
        assert Settings({"NANO_BANANA_RESULTS": named}).results_folder is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"', "\ufeff{}", "\x00"])
def test_a_broken_file_counts_as_empty(content: str, tmp_path: Path) -> None:
    """A half-written file must not stop every node."""
    (tmp_path / "settings.json").write_text(content, "utf-8")
    settings = Settings.read(tmp_path, {})
    assert settings.parallel == 0 and settings.order == [] and not settings.substitutes


@pytest.mark.parametrize("content", ["", "{", '{"cap_day": "1",}', "[]", "\x00"])
def test_a_broken_file_lifts_no_cap(content: str, tmp_path: Path) -> None:
    """What stood in it isn't known: what is paid waits for it, and what is free doesn't."""
    (tmp_path / "settings.json").write_text(content, "utf-8")
    with pytest.raises(ConfigError) as refusal:
        _ = Settings.read(tmp_path, {}).caps
    assert "settings.json" in str(refusal.value)
    machine = ProviderResolver(
        Settings.read(tmp_path, {"ONEROUTER_API_KEY": "key-onerouter-1"}), local_address=lambda: "http://127.0.0.1:1"
    )
    with pytest.raises(ConfigError):
        machine.plan(ProviderChoice("onerouter"), [request()])
    assert machine.plan(ProviderChoice("offline"), [request()]).targets


def test_no_file_no_folder_no_problem(tmp_path: Path) -> None:
    """Nothing is created by reading."""
    assert Settings.read(tmp_path / "none", {}).parallel == 0
    assert Settings.read(None, {}).proxy == "" and not list(tmp_path.iterdir())


def test_a_broken_order_in_the_environment_does_not_hide_the_file(tmp_path: Path) -> None:
    """Blank is not set."""
    (tmp_path / "settings.json").write_text(json.dumps({"order": ["runflow"]}))
    assert Settings.read(tmp_path, {"NANO_BANANA_ORDER": "  "}).order == ["runflow"]


@pytest.mark.parametrize("text", ["-1", "65", "many", "1.5", "²", "1e1", "0x8"])
def test_parallel_makes_sense_or_says_so(text: str) -> None:
    """0 to 64; named as the variable to correct."""
    with pytest.raises(ConfigError, match="NANO_BANANA_PARALLEL"):
        _ = Settings({"NANO_BANANA_PARALLEL": text}).parallel


def test_missing_provider_is_one_of_two_words() -> None:
    """In any case; anything else is said."""
    assert Settings({"NANO_BANANA_MISSING_PROVIDER": "Substitute"}).substitutes
    assert not Settings({"NANO_BANANA_MISSING_PROVIDER": "fail"}).substitutes
    with pytest.raises(ConfigError, match="fail or substitute"):
        _ = Settings({"NANO_BANANA_MISSING_PROVIDER": "ask"}).substitutes


def test_the_address_of_a_provider() -> None:
    """Environment, then settings, then the spec; cleaned; nowhere is an error that names the variable."""
    environ, stored = (
        {"NANO_BANANA_NANOBANANA_BASE_URL": "https://env.example/v1/"},
        {"base_urls": {"nanobanana": "https://set.example"}},
    )
    assert Settings(environ, stored).base_url(NANO) == "https://env.example"
    assert Settings({}, stored).base_url(NANO) == "https://set.example"
    assert Settings({}, stored).base_url(ONEROUTER) == ONEROUTER.base_url
    several: tuple[dict[str, Any], ...] = (
        {},
        {"base_urls": []},
        {"base_urls": {"nanobanana": ""}},
        {"base_urls": {"nanobanana": None}},
    )
    for broken in several:
        with pytest.raises(ConfigError, match="NANO_BANANA_NANOBANANA_BASE_URL"):
            Settings({}, broken).base_url(NANO)


def test_plain_http_on_a_network_is_an_opt_in_per_provider() -> None:
    """For one provider; not for its neighbours."""
    environ = {
        "NANO_BANANA_NANOBANANA_BASE_URL": "http://192.168.1.9:3000",
        "NANO_BANANA_ONEROUTER_BASE_URL": "http://192.168.1.9:3000",
        "NANO_BANANA_NANOBANANA_PLAIN_HTTP": "1",
    }
    assert Settings(environ).base_url(NANO) == "http://192.168.1.9:3000"
    with pytest.raises(ConfigError, match="plain http"):
        Settings(environ).base_url(ONEROUTER)


@pytest.mark.parametrize(
    ("spec", "text", "form"),
    [
        (NANO, "", ""),
        (NANO, "json", "json"),
        (NANO, "async", "multipart async"),
        (NANO, "JSON+async", "json async"),
        (NANO, "async, json", "json async"),
        (RUNFLOW, "runs", "runs"),
    ],
)
def test_the_variant_to_begin_with(spec: ProviderSpec, text: str, form: str) -> None:
    """In any order and case."""
    name = "NANOBANANA" if spec is NANO else "RUNFLOW"
    assert Settings({f"NANO_BANANA_{name}_FORM": text}).api_variant(spec) == form


def test_an_unknown_variant_is_refused_with_those_there_are() -> None:
    """Also where there is nothing to choose."""
    with pytest.raises(ConfigError, match="run, runs"):
        Settings({"NANO_BANANA_RUNFLOW_FORM": "json"}).api_variant(RUNFLOW)
    with pytest.raises(ConfigError, match="one form only"):
        Settings({"NANO_BANANA_ONEROUTER_FORM": "json"}).api_variant(ONEROUTER)


def test_the_environment_is_not_shown() -> None:
    """It is full of keys."""
    assert "secret" not in repr(Settings({"NANO_BANANA_X_API_KEY": "secret"}, {"note": "secret"}))
