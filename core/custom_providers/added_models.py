"""Models added to built-in providers in Settings: read like an entry below `models` in `providers.yaml`.

An entry has a wire id, a price and the model that it is like; family and limits are those of that model, of the recommended one
where none is named. Without a price a picture counts as the dearest. Kept under "models" in `settings.json`, by provider
and name. A name that a later version of the pack knows itself keeps the wire id and the price that were given for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from ..config.settings import Settings
from ..config.settings_file import rewrite
from ..errors import ConfigError
from ..errors.messages import msg
from ..providers.spec import OPERATIONS, Model, ProviderSpec
from . import models as model_entry
from .mapping_reader import MappingError
from .settings_form import form_reader, refused

MOST = 50
"""Models that may be added to one provider."""
_FIELDS = ("wire", "price", "like", "dated")


def added(settings: Settings, provider: str) -> Mapping[str, Any]:
    """The models that were added to a provider: name -> entry as it is kept."""
    stored = settings.stored.get("models")
    found = stored.get(provider) if isinstance(stored, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def with_added(spec: ProviderSpec, settings: Settings) -> ProviderSpec:
    """`spec` with the models that were added to it. An entry that can't be used is left out."""
    models = {model.name: model for model in spec.models}
    for name, entry in added(settings, spec.id).items():
        try:
            models[str(name)] = model_of(spec, str(name), entry)
        except ConfigError:
            continue
    return replace(spec, models=tuple(models.values()))


def model_of(spec: ProviderSpec, name: str, entry: Any) -> Model:
    """The model of an entry: wire (an id, or one for each operation), price (US dollars, by resolution), like.

    Raises ConfigError.
    """
    if not isinstance(entry, Mapping):
        raise refused(msg("added_models.model_must_be_object"))
    for field in entry:
        if field not in _FIELDS:
            raise refused(msg("added_models.unknown_model_field", field=str(field)[:40]))
    model_ids = _model_ids(entry.get("wire"))
    described: dict[str, Any] = {"wire": model_ids, "price": None}
    # An operation without a wire id isn't offered.
    described |= {
        operation: False for operation in OPERATIONS if isinstance(model_ids, dict) and operation not in model_ids
    }
    if entry.get("price") not in (None, "", {}):
        described["price"] = entry["price"]
    if entry.get("like"):
        described["like"] = entry["like"]
    try:
        model = model_entry.model_of(spec, name, form_reader(name, described), str(entry.get("dated") or ""), new=False)
    except MappingError as error:
        raise refused(error.what, error.cure) from None
    return replace(model, note="")


def change_models(home: Path, spec: ProviderSpec, changes: Any) -> None:
    """Adds and changes models of a built-in provider by name; None removes one. Raises ConfigError.

    `spec`: the provider without its added models.
    """
    if not isinstance(changes, Mapping) or not changes:
        raise refused(msg("added_models.models_must_be_named"))
    kept = {str(name): _kept(spec, str(name), entry) for name, entry in changes.items() if entry is not None}

    def change(stored: dict[str, Any]) -> None:
        known = stored.get("models")
        models = dict(known) if isinstance(known, dict) else {}
        current = models.get(spec.id)
        current = dict(current) if isinstance(current, dict) else {}
        for name in changes:
            current.pop(str(name), None)
        current |= kept
        if len(current) > MOST:
            raise refused(msg("added_models.too_many_models", most=MOST))
        models[spec.id] = current
        stored["models"] = {name: each for name, each in models.items() if each}

    rewrite(home, change)


def drop_models(home: Path, provider: str) -> bool:
    """Removes every model that was added to a provider; False when there is none. Raises ConfigError."""
    found = False

    def change(stored: dict[str, Any]) -> None:
        nonlocal found
        known = stored.get("models")
        if isinstance(known, dict):
            found = bool(known.pop(provider, None))

    rewrite(home, change)
    return found


def _kept(spec: ProviderSpec, name: str, entry: Any) -> dict[str, Any]:
    """An entry as it is kept. Raises ConfigError where it can't be used."""
    dated = date.today().isoformat()
    model = model_of(spec, name, {**entry, "dated": dated} if isinstance(entry, Mapping) else entry)
    if spec.model(name) is not None:
        raise refused(msg("added_models.name_already_taken", provider=spec.label, name=name))
    model_ids = {
        operation: capabilities.model_id for operation in OPERATIONS if (capabilities := model.capabilities(operation))
    }
    kept: dict[str, Any] = {"wire": model_ids, "dated": dated}
    if model.price is not None:
        kept["price"] = dict(model.price.usd)
    if entry.get("like"):
        kept["like"] = str(entry["like"])
    return kept


def _model_ids(value: Any) -> str | dict[str, Any]:
    """A wire id, or those by operation without the empty ones. Raises ConfigError where there is none."""
    found = (
        {name: model_id for name, model_id in value.items() if model_id not in (None, "")}
        if isinstance(value, Mapping)
        else value
    )
    if not found or not isinstance(found, (str, dict)):
        raise refused(msg("added_models.wire_must_be_id"))
    return found
