"""A provider of the user's own: a name, an address and a dialect make a provider that works like a built-in one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import drive, job, request
from pack.core.config.settings import Settings
from pack.core.config.settings_file import set_base_url
from pack.core.custom_providers.settings_form import known_specs, model_id_of, remove, save, spec_of
from pack.core.custom_providers.templates import AUTH, dialects
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Done, Send
from pack.core.engine import Engine
from pack.core.errors import ConfigError
from pack.core.http.transport import Transport
from pack.core.images.picture import Encoded
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import OPERATIONS, UNKNOWN_PRICE_USD
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles

FACTS = {"label": "My shop", "base_url": "https://shop.example/v1/images/generations ", "dialect": "openai_images"}


def specs(home: Path) -> dict[str, Any]:
    return known_specs(Settings.read(home, {}))


def test_it_stands_behind_the_built_in_ones_and_before_the_simulation(tmp_path: Path) -> None:
    """In the order of adding; the pasted address is tidied."""
    save(tmp_path, "my_shop", FACTS)
    save(tmp_path, "another", {**FACTS, "base_url": "http://127.0.0.1:3000"})
    ids = list(specs(tmp_path))
    assert ids[-3:] == ["my_shop", "another", "offline"] and ids[:-3] == [
        r.id for r in BUILT_IN.values() if not r.local
    ]
    spec = specs(tmp_path)["my_shop"]
    assert (spec.label, spec.base_url) == ("My shop", "https://shop.example")
    assert (spec.auth_header, spec.auth_template) == ("Authorization", "Bearer {key}")


@pytest.mark.parametrize("dialect", list(dialects()))
def test_every_dialect_can_be_spoken(dialect: str) -> None:
    """Models, limits and field names are copied from the dialect's provider; its keys and its promises aren't."""
    template = dialects()[dialect]
    spec = spec_of("my_shop", {**FACTS, "dialect": dialect})
    assert spec.dialect == dialect and spec.endpoints == template.endpoints and spec.recommended == template.recommended
    assert [m.name for m in spec.models] == [m.name for m in template.models]
    assert not spec.key_env_vars and not spec.key_url and not spec.key_check and not spec.local
    assert all(model.price is None for model in spec.models)
    # What a built-in provider documents about money, another host has never said.
    assert not spec.failures_unbilled and not spec.idempotency_header


@pytest.mark.parametrize("name", list(dialects()))
def test_a_copy_of_every_dialect_makes_and_edits(doubles: Doubles, name: str) -> None:
    """Against the strict double. Where references fit inside they go there: a copy need not have the uploads."""
    doubles.reset()
    known = dialects()[name]
    auth = next(form for form, sent in AUTH.items() if sent == (known.auth_header, known.auth_template))
    spec = spec_of("my_shop", {**FACTS, "dialect": name, "auth": auth})
    base = doubles.base_url(known.id)
    for operation in OPERATIONS:
        end, paid = drive(job(spec, request(operation, prompt=name), base_url=base), Transport(base), "sim-copy")
        assert isinstance(end, Done) and paid == 1, end
    uploads = [call for call in doubles.request_log()["free"] if call["kind"] == "upload"]
    assert bool(uploads) == (spec.reference_encoding == "upload")


def test_a_copy_of_gemini_keeps_to_what_fits_into_one_request() -> None:
    """Google takes longer ones through its Files API, which a copy of it need not have: 20 MB are its limit then."""
    spec = spec_of("my_shop", {**FACTS, "dialect": "gemini"})
    assert BUILT_IN["google"].upload_above == 20_000_000 < BUILT_IN["google"].max_request_bytes
    most = Encoded(bytes(spec.max_request_bytes // 4 * 3), "jpeg", 1, 1)
    send = dialect("gemini").start(replace(job(spec, request("edit")), references=(most,)))
    assert isinstance(send, Send) and send.paid and send.body is not None
    assert 19_000_000 < len(send.body) < 20_000_000 and spec.max_reference_bytes * 4 // 3 <= spec.max_request_bytes


def test_its_pictures_count_as_the_dearest(tmp_path: Path) -> None:
    """Nobody knows what a shop takes: the cap must not be passed by not knowing."""
    save(tmp_path, "my_shop", FACTS)
    environ = {"NANO_BANANA_MY_SHOP_API_KEY": "sim-x"}
    plan = Engine(tmp_path, environ=environ).plan(ProviderChoice("my_shop"), [request()])
    (_, (resolved,)) = plan.targets[0]
    assert resolved.usd is None and resolved.counted_usd == UNKNOWN_PRICE_USD


@pytest.mark.parametrize("auth", list(AUTH))
def test_the_key_is_sent_as_the_shop_wants_it(auth: str) -> None:
    """Header and words."""
    spec = spec_of("my_shop", {**FACTS, "auth": auth})
    assert (spec.auth_header, spec.auth_template) == AUTH[auth] and "{key}" in spec.auth_template


def test_its_own_model_id_is_the_recommended_one(tmp_path: Path) -> None:
    """For both operations; the dialect's other models stay."""
    spec = spec_of("my_shop", {**FACTS, "model": " vendor/banana-x:v2 "})
    template = dialects()["openai_images"]
    recommended = spec.model("recommended")
    assert recommended is not None
    offers = [offer for offer in (recommended.generate, recommended.edit) if offer]
    assert offers and all(offer.model_id == "vendor/banana-x:v2" for offer in offers)
    others = [m for m in spec.models if m is not recommended]
    assert [replace(m, price=None) for m in template.models if m.name != recommended.name] == others
    save(tmp_path, "my_shop", {**FACTS, "model": " vendor/banana-x:v2 "})
    stored = Settings.read(tmp_path, {})
    assert (model_id_of(stored, "my_shop"), model_id_of(stored, "fal")) == ("vendor/banana-x:v2", "")


@pytest.mark.parametrize(
    "name",
    ["", "x", "X9", "9x", "my shop", "my-shop", "../x", "a" * 33, "auto", "offline", "onerouter", "nanobanana", "ä1", "a\n",
     "onerouter_team"],
)  # fmt: skip
def test_an_id_is_small_letters_and_nobody_else_s(name: str, tmp_path: Path) -> None:
    """It is part of a variable's name: onerouter_team would be sent the key of OneRouter's profile `team`."""
    with pytest.raises(ConfigError, match="id"):
        save(tmp_path, name, FACTS)
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": ""},
        {"base_url": None},
        {"base_url": "http://shop.example"},
        {"base_url": "https://user:pass@shop.example"},
        {"dialect": "smtp"},
        {"dialect": None},
        {"dialect": ["openai_images"]},
        {"auth": "cookie"},
        {"model": "../x y"},
        {"model": "a" * 300},
    ],
)
def test_facts_that_make_no_sense_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """Before anything is written."""
    with pytest.raises(ConfigError):
        save(tmp_path, "my_shop", {**FACTS, **change})
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.parametrize("facts", [None, [], "x", 5])
def test_facts_are_an_object(facts: Any, tmp_path: Path) -> None:
    """Said, not crashed on."""
    with pytest.raises(ConfigError, match="object"):
        save(tmp_path, "my_shop", facts)


def test_a_label_is_one_short_line(tmp_path: Path) -> None:
    """Line ends, half characters and novels become something a menu can show; without one it is the id."""
    spec = save(tmp_path, "my_shop", {**FACTS, "label": "  My\n\tbanana \ud800 shop " + "x" * 10_000})
    assert spec.label.startswith("My banana") and spec.label.isprintable() and len(spec.label) <= 60
    assert specs(tmp_path)["my_shop"].label == spec.label and len((tmp_path / "settings.json").read_bytes()) < 1000
    assert save(tmp_path, "other", {**FACTS, "label": " "}).label == "other"


def test_saving_again_changes_it_and_removing_takes_it_away(tmp_path: Path) -> None:
    """Others stay."""
    save(tmp_path, "my_shop", FACTS)
    save(tmp_path, "other", FACTS)
    save(tmp_path, "my_shop", {**FACTS, "label": "Renamed", "auth": "raw"})
    assert specs(tmp_path)["my_shop"].label == "Renamed" and specs(tmp_path)["my_shop"].auth_template == "{key}"
    assert remove(tmp_path, "my_shop") and not remove(tmp_path, "my_shop") and not remove(tmp_path, "onerouter")
    assert "my_shop" not in specs(tmp_path) and "other" in specs(tmp_path) and "onerouter" in specs(tmp_path)


@pytest.mark.parametrize(
    "stored",
    [
        [],
        "x",
        {"my_shop": None},
        {"my_shop": {"base_url": "http://evil.example", "dialect": "openai_images"}},
        {"my_shop": {"base_url": "https://shop.example", "dialect": "gone"}},
        {"onerouter": {"base_url": "https://evil.example", "dialect": "openai_images"}},
        {"auto": {"base_url": "https://evil.example", "dialect": "openai_images"}},
    ],
)
def test_what_was_edited_into_the_file_by_hand_stops_nothing(stored: Any, tmp_path: Path) -> None:
    """An entry that can't be used is left out, and no built-in one can be replaced."""
    (tmp_path / "settings.json").write_text(json.dumps({"providers": stored}))
    assert specs(tmp_path) == {spec.id: spec for spec in BUILT_IN.values()}


def test_a_page_s_change_of_address_disables_its_key_too(tmp_path: Path) -> None:
    """Saved with another address, or through the list of addresses: the key was entered for the first."""
    engine = Engine(tmp_path, environ={})
    save(tmp_path, "my_shop", FACTS)
    engine.keys.put("my_shop", "default", "sim-x", engine.settings().base_url(engine.specs()["my_shop"]))
    assert engine.resolver().with_keys() == ["my_shop"]
    save(tmp_path, "my_shop", {**FACTS, "base_url": "https://other.example"})
    assert engine.resolver().with_keys() == []
    save(tmp_path, "my_shop", FACTS)
    assert engine.resolver().with_keys() == ["my_shop"]
    set_base_url(tmp_path, "my_shop", "https://third.example")
    assert engine.resolver().with_keys() == []


def test_it_is_there_at_once_and_its_profiles_with_it(tmp_path: Path) -> None:
    """The same engine, without a restart."""
    engine = Engine(tmp_path, environ={})
    assert "my_shop" not in engine.specs() and engine.profiles() == ["default"]
    save(tmp_path, "my_shop", FACTS)
    engine.keys.put("my_shop", "team", "sim-x", "https://shop.example")
    assert "my_shop" in engine.specs() and engine.profiles() == ["default", "team"]
    assert engine.resolver().ordered_ids()[-2:] == ["my_shop", "offline"]


def test_two_dialects_at_one_address_learn_apart(tmp_path: Path) -> None:
    """What works for the one says nothing about the other, which would not even know the word."""
    with start() as doubles:
        for name, dialect in (("images", "openai_images"), ("chat", "openrouter")):
            save(tmp_path, name, {"base_url": doubles.base_url("nanobanana"), "dialect": dialect})
        engine = Engine(tmp_path, environ={f"NANO_BANANA_{name}_API_KEY": "sim-run" for name in ("IMAGES", "CHAT")})
        reasons = []
        for name in ("images", "chat"):
            asked = [request(prompt=f"apart {name}")]
            run = engine.run(asked, engine.plan(ProviderChoice(name), asked))
            assert run.done.wait(20) and run.error is None
            reasons.append(run.tasks[0].error and run.tasks[0].error.reason)
        assert reasons[0] is None and "pack itself" not in (reasons[1] or "")
