"""Custom providers of the Settings form: read like an entry of `providers.yaml`, and kept in `settings.json`.

The form has a name, an address, a dialect, how the key is sent, and the wire id of the recommended model. They are kept under
"providers"; of two providers with the same id the one in `providers.yaml` counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.settings import Settings
from ..config.settings_file import rewrite
from ..errors import ConfigError
from ..errors.messages import msg
from ..providers import BUILT_IN
from ..providers.spec import ProviderSpec
from .mapping_reader import MappingError, MappingReader, form_node
from .provider_entry import custom_provider

_FIELDS = ("label", "base_url", "dialect", "auth", "model")
_DEFAULT_AUTH = "bearer"


def known_specs(settings: Settings, from_file: Mapping[str, ProviderSpec] | None = None) -> dict[str, ProviderSpec]:
    """The built-in providers, those of `providers.yaml` (`from_file`) and those of the settings, `offline` last.

    An entry of the settings that can't be used is left out.
    """
    specs = {spec.id: spec for spec in BUILT_IN.values() if not spec.local} | dict(from_file or {})
    stored = settings.stored.get("providers")
    for name, entry in (stored if isinstance(stored, Mapping) else {}).items():
        try:
            spec = spec_of(str(name), entry)
        except ConfigError:
            continue
        specs.setdefault(spec.id, spec)
    return specs | {spec.id: spec for spec in BUILT_IN.values() if spec.local}


def spec_of(name: str, entry: Any) -> ProviderSpec:
    """The provider that the form describes. Fields that the form doesn't have are ignored. Raises ConfigError."""
    if not isinstance(entry, Mapping):
        raise refused(msg("settings_form.provider_must_be_object"))
    given = {field: entry[field] for field in _FIELDS if entry.get(field) not in (None, "")}
    try:
        reader = form_reader(name, {"dialect": "", "auth": _DEFAULT_AUTH, **given})
        return custom_provider(name, reader, BUILT_IN)
    except MappingError as error:
        raise refused(error.what, error.cure) from None


def form_reader(name: str, entry: Mapping[str, Any]) -> MappingReader:
    """The reader of a form's entry. Raises MappingError."""
    return MappingReader(form_node(dict(entry)), name)


def refused(what: str, cure: str = "") -> ConfigError:
    """The error for an entry that can't be used."""
    # In the file the line's number begins the sentence. A field's name stays as it is.
    what = what[:1].upper() + what[1:] if what.startswith(("the ", "a ")) else what
    return ConfigError(what, cure=cure or msg("settings_form.correct_and_save_again"))


def save(home: Path, name: str, entry: Any) -> ProviderSpec:
    """Adds or changes a custom provider. Raises ConfigError."""
    spec = spec_of(name, entry)
    kept = {field: str(entry.get(field) or "").strip() for field in ("dialect", "auth", "model")}
    kept |= {"label": spec.label, "base_url": spec.base_url}

    def change(stored: dict[str, Any]) -> None:
        known = stored.get("providers")
        stored["providers"] = {**(known if isinstance(known, dict) else {}), name: kept}

    rewrite(home, change)
    return spec


def model_id_of(settings: Settings, name: str) -> str:
    """The wire id that was given for a custom provider's recommended model; "" for its dialect's usual one."""
    stored = settings.stored.get("providers")
    entry = stored.get(name) if isinstance(stored, Mapping) else None
    return str(entry.get("model") or "") if isinstance(entry, Mapping) else ""


def remove(home: Path, name: str) -> bool:
    """Removes a custom provider; False when there is none of that id. Raises ConfigError."""
    found = False

    def change(stored: dict[str, Any]) -> None:
        nonlocal found
        known = stored.get("providers")
        if isinstance(known, dict):
            found = known.pop(name, None) is not None

    rewrite(home, change)
    return found
