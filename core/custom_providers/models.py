"""Models of a custom provider, and models added to a built-in one: the limits of a known model, with another wire id and price.

The same entry, with the same checks, is in `providers.yaml` and comes from Settings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from ..errors.messages import msg
from ..providers.model_ids import model_id_problem
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
from .endpoints import OPTIONS, endpoints, supported, unsupported
from .mapping_reader import MappingError, MappingReader, scalar
from .sending import references_of, refuse_unread

ENDPOINT_WORDS = ("paths", "fields", "references", "constants")
"""What gives a model, or all models of a provider, a path and field names."""


def models_of(spec: ProviderSpec, reader: MappingReader, dated: str, *, new: bool) -> tuple[Model, ...]:
    """A new provider has the models that are named; an overlay changes some, and adds others behind them. Raises
    MappingError."""
    named = {
        name: model_of(spec, name, MappingReader(node, name, key), dated, new=new)
        for name, (key, node) in reader.items()
    }
    if new:
        return tuple(named.values())
    for model in spec.models:
        if model.name in named and unpriced(named[model.name]) == unpriced(model):
            what = msg("models.model_change_is_empty", model=model.name, provider=spec.label)
            raise MappingError(reader.at(model.name), what)
    kept = [named.pop(model.name, model) for model in spec.models]
    return (*kept, *named.values())


def unpriced(model: Model) -> Model:
    """A model without the source of its price, so that two that cost the same are equal."""
    return replace(model, price=replace(model.price, source="", dated="") if model.price else None)


def model_of(spec: ProviderSpec, name: str, reader: MappingReader, dated: str, *, new: bool) -> Model:
    """The model that an entry describes. Raises MappingError.

    `dated`: the day that its price is from. `new`: the provider is described here, and not only changed.
    """
    problem = model_id_problem(name)
    if problem:
        raise MappingError(reader.key, msg("models.model_name_problem", problem=problem))
    if name in ("recommended", "auto"):
        raise MappingError(reader.key, msg("models.model_name_reserved", name=name))
    base_name = reader.choice("like", [model.name for model in spec.models])
    base = spec.model(base_name) if base_name else spec.model(name) or spec.model("recommended") or spec.models[0]
    assert base is not None
    known = bool(base_name) or base.name == name
    model_ids = _model_ids(reader, "wire")
    model = replace(
        base,
        name=name,
        family=reader.text("family") or (base.family if known or not new else name),
        price=_price(reader, dated) if "price" in reader else (base.price if base.name == name else None),
        note=reader.text("note") or (base.note if base.name == name else ""),
    )
    endpoint_of = _model_endpoints(spec, model, reader)
    common = _capabilities(reader)
    for operation in OPERATIONS:
        capabilities = model.capabilities(operation)
        named = capabilities is not None or _has_own_model_id(reader, operation)
        can, entry = _operation_entry(reader, operation, named)
        if not can:
            model = _with_capabilities(model, operation, None)
            continue
        if capabilities is None:
            raise MappingError(
                reader.key, msg("models.base_lacks_operation", base=base.name, operation=operation, name=name)
            )
        endpoint = capabilities.endpoint or spec.endpoints[operation]
        if operation in endpoint_of:
            own = endpoint_of[operation]
            capabilities, endpoint = replace(supported(capabilities, own, endpoint), endpoint=own), own
        changes = _changes(operation, endpoint, reader, common, entry)
        # Another model's id in its place would be asked for, and paid.
        model_id = changes.pop("wire", "") or model_ids.get(operation) or (capabilities.model_id if known else "")
        if not model_id:
            raise MappingError(reader.key, msg("models.model_needs_wire", name=name))
        model = _with_capabilities(model, operation, replace(capabilities, model_id=model_id, **changes))
    if model.generate is None and model.edit is None:
        raise MappingError(reader.key, msg("models.model_can_do_nothing", name=name))
    reader.end()
    return model


def _changes(
    operation: Operation, endpoint: Endpoint, reader: MappingReader, common: dict[str, Any], entry: MappingReader | None
) -> dict[str, Any]:
    """What is said of one operation, by the attributes of Capabilities: by the model (`common`), and by the operation's own
    entry. Raises MappingError for what `endpoint` has no field for."""
    changes = {**common, **(_capabilities(entry) if entry else {})}
    if operation == "generate":
        changes.pop("max_references", None)
        changes.pop("auto_ratio", None)
    fact, why = unsupported(endpoint, changes)
    if fact:
        raise MappingError(entry.at(fact) if entry and fact in entry else reader.at(fact), why)
    if entry:
        changes["wire"] = entry.text("wire")
        problem = model_id_problem(changes["wire"]) if changes["wire"] else ""
        if problem:
            raise MappingError(entry.at("wire"), f"wire {problem}")
        entry.end()
    return changes


def _has_own_model_id(reader: MappingReader, operation: Operation) -> bool:
    """Whether `wire` has an id for this operation alone."""
    node = reader.node("wire")
    return isinstance(node, yaml.MappingNode) and bool(MappingReader(node, "wire").text(operation))


def _operation_entry(reader: MappingReader, operation: Operation, default: bool) -> tuple[bool, MappingReader | None]:
    """`generate: false`, or `generate: {...}` with what holds for that operation alone."""
    node = reader.node(operation)
    if isinstance(node, yaml.MappingNode):
        return True, MappingReader(node, operation, reader.at(operation))
    return reader.flag(operation, default), None


def _capabilities(reader: MappingReader) -> dict[str, Any]:
    """What is said of a model's capabilities, by the attributes of Capabilities."""
    facts: dict[str, Any] = {}
    for fact, allowed in (("ratios", [*RATIOS, *EXTREME_RATIOS]), ("resolutions", [*RESOLUTIONS])):
        if fact in reader:
            facts[fact] = reader.choices(fact, allowed)
    if "resolutions" in facts:
        facts["fixed_resolution"] = ""
    default = reader.choice("default_resolution", [*RESOLUTIONS])
    if default or facts.get("resolutions") == ():
        facts["default_resolution"] = default
    if facts.get("resolutions") == ():
        facts["fixed_resolution"] = default  # one size only, and nothing to ask it with
    for fact, most in (("max_references", 14), ("max_count", 16), ("max_prompt", 1_000_000)):
        if fact in reader:
            facts[fact] = reader.number(fact, 0, 0 if fact != "max_count" else 1, most)
    if "options" in reader:
        facts["options"] = frozenset(reader.choices("options", list(OPTIONS)))
    auto = reader.text("auto_ratio")
    if auto:
        if auto not in ("auto", "match_input_image", "omitted", "none"):
            raise MappingError(reader.at("auto_ratio"), msg("models.auto_ratio_choices"))
        facts["auto_ratio"] = OMITTED if auto == "omitted" else "" if auto == "none" else auto
    choices = reader.mapping("choices")
    if choices is not None:
        found: dict[Option, tuple[str, ...]] = {}
        for option, (key, _) in choices.items():
            if option not in OPTIONS:
                raise MappingError(key, msg("models.unknown_choice", option=option[:40], options=", ".join(OPTIONS)))
            found[option] = tuple(choices.texts(option))
        facts["option_values"] = found
    return facts


def _model_endpoints(spec: ProviderSpec, model: Model, reader: MappingReader) -> dict[Operation, Endpoint]:
    """The path and the field names of this model alone, where it has some."""
    if not any(word in reader for word in ENDPOINT_WORDS):
        return {}
    refuse_unread(spec, reader)
    name, encoding = references_of(spec, reader)
    if encoding:
        raise MappingError(reader.at("references"), msg("models.references_is_a_field"))
    all_capabilities = {operation: model.capabilities(operation) for operation in OPERATIONS}
    known = {
        operation: capabilities.endpoint or spec.endpoints[operation]
        for operation, capabilities in all_capabilities.items()
        if capabilities
    }
    return dict(endpoints(known, reader, name))


def _model_ids(reader: MappingReader, name: str) -> dict[Operation, str]:
    """A wire id for both operations, or `{generate: ..., edit: ...}`."""
    node = reader.node(name)
    if node is None:
        return {}
    if isinstance(node, yaml.ScalarNode):
        found = dict.fromkeys(OPERATIONS, reader.text(name))
    else:
        each = MappingReader(node, name, reader.at(name))
        found = {operation: each.text(operation) for operation in OPERATIONS}
        each.end()
    for model_id in found.values():
        problem = model_id_problem(model_id) if model_id else ""
        if problem:
            raise MappingError(node, f"{name} {problem}")
    return found


def _with_capabilities(model: Model, operation: Operation, capabilities: Capabilities | None) -> Model:
    return replace(model, generate=capabilities) if operation == "generate" else replace(model, edit=capabilities)


def _price(reader: MappingReader, dated: str) -> Price | None:
    """US dollars per picture: a number, or `{1K: 0.05, 2K: 0.08}`; null where it isn't known."""
    node = reader.node("price")
    assert node is not None
    if isinstance(node, yaml.ScalarNode):
        return None if scalar(node) is None else Price({"": _dollars(node)}, reader.source, dated)
    prices = {}
    for size, (key, each) in MappingReader(node, "price", empty_name=True).items():
        if size not in ("", *RESOLUTIONS):
            raise MappingError(
                key, msg("models.unknown_price_size", size=size[:20], resolutions=", ".join(RESOLUTIONS))
            )
        prices[size] = _dollars(each)
    return Price(prices, reader.source, dated)


def _dollars(node: yaml.Node) -> float:
    value = scalar(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1000:
        raise MappingError(node, msg("models.price_must_be_dollars"))
    return float(value)
