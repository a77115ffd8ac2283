"""Models as the user's own file gives them: limits of a model that is known, with the wire id and the price that are said.

Used by `own_file`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from ..providers.spec import (
    EXTREME_RATIOS,
    OMITTED,
    OPERATIONS,
    RATIOS,
    RESOLUTIONS,
    Capabilities,
    Endpoint,
    Model,
    Operation,
    Option,
    Price,
    ProviderSpec,
)
from .fields import OPTIONS, offerable, routes, unsayable
from .sending import references_of, refuse_unread
from .settings_entries import checked_wire
from .yaml_reader import FILE, YamlError, YamlReader, scalar

ROUTE_WORDS = ("paths", "fields", "references", "constants")
"""What gives a model, or all models of a provider, a path and field names."""


def models_of(spec: ProviderSpec, told: YamlReader, dated: str, *, new: bool) -> tuple[Model, ...]:
    """A new provider has the models that are named; an overlay changes some, and adds others behind them. Raises Mistake."""
    named = {
        name: _model(spec, name, YamlReader(node, name, key), dated, new=new) for name, (key, node) in told.items()
    }
    if new:
        return tuple(named.values())
    for model in spec.models:
        if model.name in named and unpriced(named[model.name]) == unpriced(model):
            what = f"{model.name} is changed in nothing here: {spec.label} has it so already. Leave it out or say another value"
            raise YamlError(told.at(model.name), what)
    kept = [named.pop(model.name, model) for model in spec.models]
    return (*kept, *named.values())


def unpriced(model: Model) -> Model:
    """A model without where its price is from: two that cost the same are equal."""
    return replace(model, price=replace(model.price, source="", dated="") if model.price else None)


def _model(spec: ProviderSpec, name: str, told: YamlReader, dated: str, *, new: bool) -> Model:
    wrong = checked_wire(name)
    if wrong:
        raise YamlError(told.key, f"the model's name {wrong}")
    if name == "recommended":
        raise YamlError(told.key, "recommended is a word of its own: a model has another name")
    base_name = told.choice("like", [model.name for model in spec.models])
    base = spec.model(base_name) if base_name else spec.model(name) or spec.model("recommended") or spec.models[0]
    assert base is not None
    known = bool(base_name) or base.name == name
    wires = _wires(told, "wire")
    price_node = told.take("price")
    model = replace(
        base,
        name=name,
        family=told.text("family") or (base.family if known or not new else name),
        price=_price(price_node, dated) if price_node is not None else (base.price if base.name == name else None),
        note=told.text("note") or (base.note if base.name == name else ""),
    )
    own = _own_routes(spec, model, told)
    facts = _facts(told)
    for operation in OPERATIONS:
        offer = model.capabilities(operation)
        can, here = _apart(told, operation, offer is not None)
        if not can:
            model = _offering(model, operation, None)
            continue
        if offer is None:
            raise YamlError(told.key, f"{base.name} can't {operation}, so {name} needs to be like a model that can")
        if operation in own:
            offer = replace(
                offerable(offer, own[operation], offer.endpoint or spec.endpoints[operation]), endpoint=own[operation]
            )
        mine = {**facts, **(_facts(here) if here else {})}
        if operation == "generate":
            mine.pop("max_references", None)
            mine.pop("auto_ratio", None)
        fact, why = unsayable(offer.endpoint or spec.endpoints[operation], mine)
        if fact:
            raise YamlError(here.at(fact) if here and fact in here else told.at(fact), why)
        # Another model's id in its place would be asked for, and paid.
        wire = (here.text("wire") if here else "") or wires.get(operation) or (offer.model_id if known else "")
        wrong = checked_wire(wire) if wire else ""
        if wrong and here:
            raise YamlError(here.at("wire"), f"wire {wrong}")
        if not wire:
            raise YamlError(told.key, f"{name} needs a wire: the id that the provider has for it")
        model = _offering(model, operation, replace(offer, model_id=wire, **mine))
        if here:
            here.end()
    if model.generate is None and model.edit is None:
        raise YamlError(told.key, f"{name} can do nothing")
    told.end()
    return model


def _apart(told: YamlReader, operation: Operation, default: bool) -> tuple[bool, YamlReader | None]:
    """`generate: false`, or `generate: {...}` with what holds for that operation alone."""
    node = told.take(operation)
    if isinstance(node, yaml.MappingNode):
        return True, YamlReader(node, operation, told.at(operation))
    return told.flag(operation, default), None


def _facts(told: YamlReader) -> dict[str, Any]:
    """What is said of an Offer, by its attributes."""
    facts: dict[str, Any] = {}
    for fact, allowed in (("ratios", [*RATIOS, *EXTREME_RATIOS]), ("resolutions", [*RESOLUTIONS])):
        if fact in told:
            facts[fact] = told.choices(fact, allowed)
    if "resolutions" in facts:
        facts["fixed_resolution"] = ""
    default = told.choice("default_resolution", [*RESOLUTIONS])
    if default or facts.get("resolutions") == ():
        facts["default_resolution"] = default
    if facts.get("resolutions") == ():
        facts["fixed_resolution"] = default  # one size only, and nothing to ask it with
    for fact, most in (("max_references", 14), ("max_count", 16), ("max_prompt", 1_000_000)):
        if fact in told:
            facts[fact] = told.number(fact, 0, 0 if fact != "max_count" else 1, most)
    if "options" in told:
        facts["options"] = frozenset(told.choices("options", list(OPTIONS)))
    auto = told.text("auto_ratio")
    if auto:
        if auto not in ("auto", "match_input_image", "omitted", "none"):
            raise YamlError(told.at("auto_ratio"), "auto_ratio is one of: auto, match_input_image, omitted, none")
        facts["auto_ratio"] = OMITTED if auto == "omitted" else "" if auto == "none" else auto
    choices = told.map("choices")
    if choices is not None:
        found: dict[Option, tuple[str, ...]] = {}
        for option, (key, _) in choices.items():
            if option not in OPTIONS:
                raise YamlError(key, f"choices has no {option[:40]}: {', '.join(OPTIONS)}")
            found[option] = tuple(choices.words(option))
        facts["option_values"] = found
    return facts


def _own_routes(spec: ProviderSpec, model: Model, told: YamlReader) -> dict[Operation, Endpoint]:
    """The path and the field names of this model alone, where some are said."""
    if not any(word in told for word in ROUTE_WORDS):
        return {}
    refuse_unread(spec, told)
    name, transport = references_of(spec, told)
    if transport:
        raise YamlError(
            told.at("references"), "how references travel is said of the provider: here references is a field"
        )
    offers = {operation: model.capabilities(operation) for operation in OPERATIONS}
    known = {operation: offer.endpoint or spec.endpoints[operation] for operation, offer in offers.items() if offer}
    return dict(routes(known, told, name))


def _wires(told: YamlReader, name: str) -> dict[Operation, str]:
    """A wire id for both operations, or `{generate: ..., edit: ...}`."""
    node = told.take(name)
    if node is None:
        return {}
    if isinstance(node, yaml.ScalarNode):
        found = dict.fromkeys(OPERATIONS, told.text(name))
    else:
        each = YamlReader(node, name, told.at(name))
        found = {operation: each.text(operation) for operation in OPERATIONS}
        each.end()
    for wire in found.values():
        wrong = checked_wire(wire) if wire else ""
        if wrong:
            raise YamlError(node, f"{name} {wrong}")
    return found


def _offering(model: Model, operation: Operation, offer: Capabilities | None) -> Model:
    return replace(model, generate=offer) if operation == "generate" else replace(model, edit=offer)


def _price(node: yaml.Node, dated: str) -> Price:
    """US dollars per picture: a number, or `{1K: 0.05, 2K: 0.08}`."""
    if isinstance(node, yaml.ScalarNode):
        return Price({"": _dollars(node)}, FILE, dated)
    prices = {}
    for size, (key, each) in YamlReader(node, "price").items():
        if size not in RESOLUTIONS:
            raise YamlError(key, f"price has no {size[:20]}: {', '.join(RESOLUTIONS)}")
        prices[size] = _dollars(each)
    return Price(prices, FILE, dated)


def _dollars(node: yaml.Node) -> float:
    value = scalar(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1000:
        raise YamlError(node, "a price is a number of US dollars per picture, for example 0.05")
    return float(value)
