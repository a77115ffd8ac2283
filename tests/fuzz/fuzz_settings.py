"""Feeds the readers of settings and keys, from files and from the environment: only ConfigError may come out of them.

An input is JSON {"settings.json", "keys.json", "environment"}: two texts, and variables by their names without the prefix.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import inputs
from folders import folder
from harness import Harness
from pack.core.config import settings_file
from pack.core.config.settings import PREFIX, Settings
from pack.core.custom_providers import added_models
from pack.core.custom_providers.settings_form import known_specs
from pack.core.errors import ConfigError
from pack.core.keys import account_document
from pack.core.keys.sources import checked_profile, cleaned, find_key
from pack.core.keys.store import KeyStore
from pack.core.providers import BUILT_IN

_FOLDER = folder("settings")
_ROWS = tuple(BUILT_IN.values())
_PLACES = inputs.words("settings", "places")
_STORED = inputs.words("settings", "stored")
_TEXTS = inputs.words("settings", "texts")
_PROPERTIES = "order substitutes parallel caps resends results_folder results_bytes project proxy ca_bundle".split()


def run(data: bytes) -> None:
    """Reads everything that the input says."""
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        given = {"settings.json": data.decode("latin-1"), "keys.json": data.decode("latin-1")}
    if not isinstance(given, dict):
        given = {"settings.json": json.dumps(given)}
    for name in ("settings.json", "keys.json"):
        text = given.get(name)
        text = text if isinstance(text, str) else json.dumps(text)
        (_FOLDER / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    variables = given.get("environment")
    environ = {
        PREFIX + str(name).upper(): str(text)
        for name, text in (variables if isinstance(variables, dict) else {}).items()
    }
    _read_settings(Settings.read(_FOLDER, environ))
    store = KeyStore(_FOLDER)
    spec = _ROWS[len(data) % len(_ROWS)]
    _only_config(store.get, spec.id, "default")
    _only_config(store.profiles, spec.id)
    _only_config(store.tested, spec.id, "default")
    for each in (spec, BUILT_IN["vertex"], BUILT_IN["google"]):
        _only_config(find_key, each, "default", environ, _kept(store))
    for text in environ.values():
        _only_config(cleaned, text, "x")
        account_document.looks_like_document(text)
        found = account_document.parsed(text)
        assert isinstance(found, (dict, str)), "neither a document nor words"
        checked_profile(text)


def _kept(store: KeyStore) -> Callable[[str, str], str | None]:
    def kept(provider: str, profile: str) -> str | None:
        found = store.get(provider, profile)
        if found is not None:
            found.is_for("https://api.example.com")
        return found.value if found else None

    return kept


def _read_settings(settings: Settings) -> None:
    for name in _PROPERTIES:
        value = _only_config(getattr, settings, name)
        if name == "caps" and value is not None:
            for cap in (value.run, value.day, value.month):
                assert cap is None or (math.isfinite(cap) and cap >= 0), f"a cap of {cap}"
        if name == "parallel" and value is not None:
            assert 0 <= value <= 64, f"{value} at a time"
    settings_file.shown(settings)
    specs = known_specs(settings)
    named = list(specs.values())
    turn = len(specs) + len(settings.environ) + len(str(settings.stored)[:500])
    for spec in (*named[:1], named[turn % len(named)], named[-2], *(spec for spec in named if spec.id not in BUILT_IN)):
        _only_config(settings.base_url, spec)
        _only_config(settings.api_variant, spec)
        if spec.id in BUILT_IN:
            changed = added_models.with_added(spec, settings)
            assert changed.model(changed.recommended) is not None, "a provider without its model"


def _only_config(read: Callable[..., Any], *given: Any) -> Any:
    try:
        return read(*given)
    except ConfigError as error:
        assert error.message, "an error without words"
        return None


def _value(rng: Random, depth: int = 0) -> Any:
    draw = rng.random()
    if depth > 4 or draw < 0.4:
        return rng.choice(_TEXTS) if rng.random() < 0.5 else rng.choice(inputs.NUMBERS)
    if draw < 0.5:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {rng.choice(_STORED): _value(rng, depth + 1) for _ in range(rng.randrange(5))}


def make(rng: Random) -> bytes:
    value: dict[str, Any] = {"environment": {rng.choice(_PLACES): _text(rng) for _ in range(rng.randrange(4))}}
    for name in ("settings.json", "keys.json"):
        value[name] = (
            _value(rng) if rng.random() < 0.9 else rng.choice(("", "[" * 3000, '{"a":' * 3000, "\ufeff{}", "\0", "{"))
        )
    if rng.random() < 0.4:
        models = {rng.choice(("a", "x2", "nano-banana-2", "é")): _value(rng, 2) for _ in range(2)}
        value["settings.json"] = {"models": {rng.choice(list(BUILT_IN)): models}, "providers": {"mine": _value(rng, 2)}}
    return json.dumps(value).encode()


def _text(rng: Random) -> str:
    draw = rng.random()
    if draw < 0.6:
        return rng.choice(_TEXTS)
    return inputs.mutated_text(rng.choice(_TEXTS), rng) if draw < 0.9 else inputs.text(rng)


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return inputs.mutated_json(data, rng, others)


HARNESS = Harness(
    "settings",
    run,
    make,
    mutate,
    (
        *(
            "core/config/settings.py",
            "core/config/settings_file.py",
            "core/keys/store.py",
            "core/keys/sources.py",
            "core/keys/account_document.py",
        ),
        *("core/custom_providers/added_models.py", "core/custom_providers/settings_form.py", "core/keys/pasted_key.py"),
    ),
    inputs_in_suite=600,
    examples=40,
)
