"""Paths and field names of a custom provider, and what its models can do with them.

An option without a field would be dropped from a request: a copied model loses it, and a description that promises it all
the same is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import yaml

from ..errors.messages import msg
from ..providers.spec import (
    EXTREME_RATIOS,
    OPERATIONS,
    RATIOS,
    RESOLUTIONS,
    Capabilities,
    Endpoint,
    Field,
    Model,
    Operation,
    Option,
    OptionValue,
    ProviderSpec,
)
from .mapping_reader import MappingError, MappingReader, scalar

OPTIONS: tuple[Option, ...] = get_args(Option)
_LIMITED: frozenset[Option] = frozenset({"aspect_ratio", "resolution", "count"})
"""What a model has limits for; the other options it has or hasn't."""
_VALUES: Mapping[str, tuple[str, ...]] = {
    # `auto` and `match_input_image` are what providers call the ratio of the first picture.
    "aspect_ratio": (*RATIOS, *EXTREME_RATIOS, "auto", "match_input_image"),
    "resolution": RESOLUTIONS,
    "web_search": ("True",),
    "safety_tolerance": ("1", "2", "3", "4", "5", "6"),
    "limit_generations": ("on", "off"),
    "output_format": ("png", "jpeg", "webp"),
    "thinking": ("minimal", "medium", "high"),
    "with_text": ("True",),
}
"""The values of the options that have few: `values` gives the provider's spelling of each."""
_SWITCHES = ("web_search", "with_text")
"""Options that are on or off: their only value is `true`."""


def endpoints(
    known: Mapping[Operation, Endpoint], reader: MappingReader, references: str
) -> Mapping[Operation, Endpoint]:
    """`known` with `paths: {generate, edit}`, `fields: {option: name}`, `constants`, and `references` as the field of
    the reference images."""
    paths, fields, constants = reader.mapping("paths"), reader.mapping("fields"), reader.mapping("constants")
    common: dict[Option, Field | None] = {}
    by_operation: dict[Operation, dict[Option, Field | None]] = {}
    for word, (key, node) in fields.items() if fields else ():
        if word in OPERATIONS:
            by_operation[word] = {
                _option(o, k): _field(o, k, n) for o, (k, n) in MappingReader(node, word, key).items()
            }
        else:
            common[_option(word, key)] = _field(word, key, node)
    fixed: dict[str, Any] = {name: scalar(node) for name, (_, node) in constants.items()} if constants else {}
    changed: dict[Operation, Endpoint] = {}
    for operation, endpoint in known.items():
        merged: dict[Option, Field | None] = {**endpoint.fields, **common, **by_operation.get(operation, {})}
        kept = {option: each for option, each in merged.items() if each is not None}
        always = {name: value for name, value in {**endpoint.constants, **fixed}.items() if value is not None}
        changed[operation] = replace(
            endpoint,
            path=(paths.path(operation) if paths else "") or endpoint.path,
            fields=kept,
            references_field=(references or endpoint.references_field)
            if operation == "edit" or endpoint.references_field
            else "",
            constants=always,
        )
    if paths:
        for operation in OPERATIONS:
            paths.path(operation)
        paths.end()
    return changed


def _option(word: str, key: yaml.Node) -> Option:
    if word not in OPTIONS:
        raise MappingError(
            key, msg("endpoints.unknown_field", word=word[:40], known=", ".join((*OPTIONS, *OPERATIONS)))
        )
    return word


def with_fields_of(spec: ProviderSpec, model: Model, before: Mapping[Operation, Endpoint]) -> Model:
    """`model` without the options that `spec` has no field for, and with those that have a field now and had none
    `before`."""

    def adapted(operation: Operation) -> Capabilities | None:
        capabilities = model.capabilities(operation)
        if capabilities is None:
            return None
        return supported(
            capabilities, capabilities.endpoint or spec.endpoints[operation], capabilities.endpoint or before[operation]
        )

    return replace(model, generate=adapted("generate"), edit=adapted("edit"))


def supported(capabilities: Capabilities, endpoint: Endpoint, before: Endpoint) -> Capabilities:
    """`capabilities` as far as `endpoint` has fields for it, with the options that `before` had no field for."""
    fields = endpoint.fields
    sizes = _spelled(fields.get("resolution"), capabilities.resolutions)
    return replace(
        capabilities,
        ratios=_spelled(fields.get("aspect_ratio"), capabilities.ratios),
        auto_ratio=capabilities.auto_ratio if "aspect_ratio" in fields else "",
        resolutions=sizes,
        fixed_resolution=capabilities.default_resolution
        if capabilities.resolutions and not sizes
        else capabilities.fixed_resolution,
        max_count=capabilities.max_count if "count" in fields else 1,
        options=(capabilities.options | frozenset(fields).difference(before.fields, _LIMITED)) & frozenset(fields),
    )


def unsupported(endpoint: Endpoint, facts: Mapping[str, Any]) -> tuple[str, str]:
    """The first of `facts` (attributes of Capabilities) that `endpoint` has no field for, and why; "" twice for none."""
    fields = endpoint.fields
    valued: tuple[tuple[str, Option], ...] = (("ratios", "aspect_ratio"), ("resolutions", "resolution"))
    for fact, option in valued:
        for value in facts.get(fact, ()):
            if not _spelled(fields.get(option), (value,)):
                return fact, msg("endpoints.no_field_for_value", value=value, option=option)
    if facts.get("max_count", 1) > 1 and "count" not in fields:
        return "max_count", msg("endpoints.no_field_for_count")
    for option in sorted(facts.get("options", ())):
        if option not in fields:
            return "options", msg("endpoints.no_field_for_option", option=option)
    return "", ""


def _spelled(field: Field | None, values: tuple[str, ...]) -> tuple[str, ...]:
    if field is None:
        return ()
    return tuple(value for value in values if field.values is None or value in field.values)


def _field(option: str, key: yaml.Node, node: yaml.Node) -> Field | None:
    """`name`, or `{name: ..., values: {value: spelling}}`; null takes the field away."""
    if isinstance(node, yaml.ScalarNode):
        return None if scalar(node) is None else Field(str(node.value))
    reader = MappingReader(node, option, key)
    name, values = reader.text("name"), reader.mapping("values")
    reader.end()
    if not name:
        raise MappingError(key, msg("endpoints.field_needs_name", option=option))
    if values is None:
        return Field(name)
    possible = _VALUES.get(option)
    if possible is None:
        raise MappingError(reader.at("values"), msg("endpoints.option_has_no_values", option=option))
    spelled: dict[str, OptionValue] = {}
    for word, (value_key, node_of_value) in values.items():
        value = word.capitalize() if option in _SWITCHES else word
        if value not in possible:
            raise MappingError(
                value_key,
                msg("endpoints.unknown_option_value", option=option, possible=", ".join(possible), word=word[:40]),
            )
        spelling = scalar(node_of_value)
        if spelling is None:
            raise MappingError(value_key, msg("endpoints.option_value_empty", option=option))
        spelled[value] = spelling
    return Field(name, spelled)
