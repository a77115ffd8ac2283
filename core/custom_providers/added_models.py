"""Models that the user has added to built-in providers in Settings: a name, a wire id, a price, and a model that it is like.

Kept under "models" in `settings.json`, by provider and name. Family and limits are those of the model that it is like, the
recommended one where none is named. Without a price a picture counts as the dearest. A name that a later version of the
pack knows itself keeps the wire id and the price that were given for it.
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
from ..providers.spec import OPERATIONS, RESOLUTIONS, Model, Operation, Price, ProviderSpec
from .settings_entries import checked_wire

MOST = 50
"""Models that may be added to one provider."""
_SOURCE = "Settings"


def added(settings: Settings, provider: str) -> Mapping[str, Any]:
    """What was added to a provider: name -> facts as they are kept."""
    stored = settings.stored.get("models")
    found = stored.get(provider) if isinstance(stored, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def with_added(spec: ProviderSpec, settings: Settings) -> ProviderSpec:
    """`spec` with the models that were added to it. One that makes no sense is left out."""
    models = {model.name: model for model in spec.models}
    for name, facts in added(settings, spec.id).items():
        try:
            models[str(name)] = model_of(spec, str(name), facts)
        except ConfigError:
            continue
    return replace(spec, models=tuple(models.values()))


def model_of(spec: ProviderSpec, name: str, facts: Any) -> Model:
    """A model from facts: wire (an id, or one for each operation), price (US dollars, by resolution), like.

    Raises ConfigError.
    """
    if not isinstance(facts, Mapping):
        raise _wrong("A model is an object with wire, price and like")
    for fact in facts:
        if fact not in ("wire", "price", "like", "dated"):
            raise _wrong(f"A model has no {str(fact)[:40]}: wire, price, like")
    problem = checked_wire(name) or ("is a word of its own" if name in ("recommended", "auto") else "")
    if problem:
        raise _wrong(f"The model's name {problem}")
    like = facts.get("like") or ""
    base = spec.model(str(like)) if like else spec.model(name) or spec.model("recommended")
    if base is None:
        raise _wrong(f"like is one of: {', '.join(model.name for model in spec.models)}")
    wires = _wires(facts.get("wire"))
    model = replace(base, name=name, note="", price=_price(facts.get("price"), str(facts.get("dated") or "")))
    for operation in OPERATIONS:
        offer = base.capabilities(operation)
        wire = wires.get(operation, "")
        if wire and offer is None:
            raise _wrong(f"{base.name} can't {operation}: choose a model that can as the one that it is like")
        changed = replace(offer, model_id=wire) if offer and wire else None
        model = replace(model, generate=changed) if operation == "generate" else replace(model, edit=changed)
    return model


def change_models(home: Path, spec: ProviderSpec, changes: Any) -> None:
    """Adds and changes models of a built-in provider by name; None takes one away. Raises ConfigError.

    `spec`: the provider without what was added to it.
    """
    if not isinstance(changes, Mapping) or not changes:
        raise _wrong("models has the models to add by name, each with wire, price and like; null takes one away")
    kept = {str(name): _kept(spec, str(name), facts) for name, facts in changes.items() if facts is not None}

    def put(stored: dict[str, Any]) -> None:
        known = stored.get("models")
        models = dict(known) if isinstance(known, dict) else {}
        mine = models.get(spec.id)
        mine = dict(mine) if isinstance(mine, dict) else {}
        for name in changes:
            mine.pop(str(name), None)
        mine |= kept
        if len(mine) > MOST:
            raise _wrong(f"Up to {MOST} models can be added to one provider")
        models[spec.id] = mine
        stored["models"] = {name: each for name, each in models.items() if each}

    rewrite(home, put)


def drop_models(home: Path, provider: str) -> bool:
    """Takes away every model that was added to a provider; False when there is none. Raises ConfigError."""
    found = False

    def put(stored: dict[str, Any]) -> None:
        nonlocal found
        known = stored.get("models")
        if isinstance(known, dict):
            found = bool(known.pop(provider, None))

    rewrite(home, put)
    return found


def _kept(spec: ProviderSpec, name: str, facts: Any) -> dict[str, Any]:
    """The facts as they are written down. Raises ConfigError for what makes no sense."""
    dated = date.today().isoformat()
    model = model_of(spec, name, {**facts, "dated": dated} if isinstance(facts, Mapping) else facts)
    if spec.model(name) is not None:
        raise _wrong(f"{spec.label} has a model {name} already: give the new one another name")
    wires = {operation: offer.model_id for operation in OPERATIONS if (offer := model.capabilities(operation))}
    kept: dict[str, Any] = {"wire": wires, "dated": dated}
    if model.price is not None:
        kept["price"] = dict(model.price.usd)
    if facts.get("like"):
        kept["like"] = str(facts["like"])
    return kept


def _wires(value: Any) -> dict[Operation, str]:
    """One id for both operations, or one for each that it can do. Raises ConfigError."""
    if isinstance(value, Mapping):
        unknown = [name for name in value if name not in OPERATIONS]
        found = {operation: str(value.get(operation) or "").strip() for operation in OPERATIONS}
    else:
        unknown, found = [], dict.fromkeys(OPERATIONS, value.strip() if isinstance(value, str) else "")
    if unknown or not any(found.values()):
        raise _wrong("wire is the id that the provider has for the model, or {generate: ..., edit: ...}")
    for wire in found.values():
        problem = checked_wire(wire) if wire else ""
        if problem:
            raise _wrong(f"wire {problem}")
    return found


def _price(value: Any, dated: str) -> Price | None:
    """A number, or numbers by resolution; None where nothing is known. Raises ConfigError."""
    if value is None or value == "" or value == {}:
        return None
    usd = {"": value} if not isinstance(value, Mapping) else value
    for size, each in usd.items():
        if size not in ("", *RESOLUTIONS):
            raise _wrong(f"price has no {str(size)[:20]}: {', '.join(RESOLUTIONS)}")
        if isinstance(each, bool) or not isinstance(each, (int, float)) or not 0 <= each < 1000:
            raise _wrong("A price is a number of US dollars per picture, for example 0.05")
    return Price({str(size): float(each) for size, each in usd.items()}, _SOURCE, dated)


def _wrong(what: str) -> ConfigError:
    return ConfigError(what, cure="Correct it and save again")
