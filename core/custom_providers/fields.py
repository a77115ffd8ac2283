"""Paths and field names as the user's own file gives them, and what a model may promise with them.

What no field can say would be dropped from a request, or sent as it is: a model loses it where it is taken over from the
row that is copied, and where the file itself promises it, that is a mistake. Used by `own_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

import yaml

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
    ProviderSpec,
)
from .yaml_reader import YamlError, YamlReader, scalar

OPTIONS: tuple[Option, ...] = get_args(Option)
_SHAPE: frozenset[Option] = frozenset({"aspect_ratio", "resolution", "count"})
"""What a model has limits for; the other options it has or hasn't."""
_OURS: Mapping[str, tuple[str, ...]] = {
    # `auto` and `match_input_image` are providers' own words for the ratio of the first picture.
    "aspect_ratio": (*RATIOS, *EXTREME_RATIOS, "auto", "match_input_image"),
    "resolution": RESOLUTIONS,
    "web_search": ("True",),
    "safety_tolerance": ("1", "2", "3", "4", "5", "6"),
    "limit_generations": ("on", "off"),
    "output_format": ("png", "jpeg", "webp"),
    "thinking": ("minimal", "medium", "high"),
}
"""Our values of the options that have a few only: what `values` gives a spelling to."""


def routes(known: Mapping[Operation, Endpoint], told: YamlReader, references: str) -> Mapping[Operation, Endpoint]:
    """`known` with `paths: {generate, edit}`, `fields: {option: name}`, `constants`, and `references` as the field of those."""
    paths, fields, constants = told.map("paths"), told.map("fields"), told.map("constants")
    named: dict[Option, Field | None] = {}
    apart: dict[Operation, dict[Option, Field | None]] = {}
    for word, (key, node) in fields.items() if fields else ():
        if word in OPERATIONS:
            apart[word] = {_option(o, k): _field(o, k, n) for o, (k, n) in YamlReader(node, word, key).items()}
        else:
            named[_option(word, key)] = _field(word, key, node)
    fixed: dict[str, Any] = {name: scalar(node) for name, (_, node) in constants.items()} if constants else {}
    found: dict[Operation, Endpoint] = {}
    for operation, route in known.items():
        spelled: dict[Option, Field | None] = {**route.fields, **named, **apart.get(operation, {})}
        kept = {option: each for option, each in spelled.items() if each is not None}
        always = {name: value for name, value in {**route.constants, **fixed}.items() if value is not None}
        found[operation] = replace(
            route,
            path=(paths.path(operation) if paths else "") or route.path,
            fields=kept,
            references_field=(references or route.references_field)
            if operation == "edit" or route.references_field
            else "",
            constants=always,
        )
    if paths:
        for operation in OPERATIONS:
            paths.path(operation)
        paths.end()
    return found


def _option(word: str, key: yaml.Node) -> Option:
    if word not in OPTIONS:
        raise YamlError(key, f"fields has no {word[:40]}: {', '.join((*OPTIONS, *OPERATIONS))}")
    return word


def sayable(spec: ProviderSpec, model: Model, before: Mapping[Operation, Endpoint]) -> Model:
    """`model` without what the row's fields can't say, and with the options that have a field now and had none `before`."""

    def offered(operation: Operation) -> Capabilities | None:
        offer = model.capabilities(operation)
        if offer is None:
            return None
        return offerable(offer, offer.endpoint or spec.endpoints[operation], offer.endpoint or before[operation])

    return replace(model, generate=offered("generate"), edit=offered("edit"))


def offerable(offer: Capabilities, route: Endpoint, before: Endpoint) -> Capabilities:
    """`offer` as far as the fields of `route` can say it, with the options that `before` had no field for."""
    fields = route.fields
    sizes = _spelled(fields.get("resolution"), offer.resolutions)
    return replace(
        offer,
        ratios=_spelled(fields.get("aspect_ratio"), offer.ratios),
        auto_ratio=offer.auto_ratio if "aspect_ratio" in fields else "",
        resolutions=sizes,
        fixed_resolution=offer.default_resolution if offer.resolutions and not sizes else offer.fixed_resolution,
        max_count=offer.max_count if "count" in fields else 1,
        options=(offer.options | frozenset(fields).difference(before.fields, _SHAPE)) & frozenset(fields),
    )


def unsayable(route: Endpoint, facts: Mapping[str, Any]) -> tuple[str, str]:
    """The first of a model's `facts` (attributes of an Offer) that `route` has no field for, and why; "" twice for none."""
    fields = route.fields
    named: tuple[tuple[str, Option], ...] = (("ratios", "aspect_ratio"), ("resolutions", "resolution"))
    for fact, option in named:
        for value in facts.get(fact, ()):
            if not _spelled(fields.get(option), (value,)):
                return fact, f"there is no field to ask for {value} with: {option} in fields has to know it"
    if facts.get("max_count", 1) > 1 and "count" not in fields:
        return "max_count", "there is no field to ask for several pictures with: name it as count in fields"
    for option in sorted(facts.get("options", ())):
        if option not in fields:
            return "options", f"there is no field for {option}: name it in fields"
    return "", ""


def _spelled(field: Field | None, values: tuple[str, ...]) -> tuple[str, ...]:
    if field is None:
        return ()
    return tuple(value for value in values if field.values is None or value in field.values)


def _field(option: str, key: yaml.Node, node: yaml.Node) -> Field | None:
    """`name`, or `{name: ..., values: {ours: theirs}}`; null takes the field away."""
    if isinstance(node, yaml.ScalarNode):
        return None if scalar(node) is None else Field(str(node.value))
    told = YamlReader(node, option, key)
    name, values = told.text("name"), told.map("values")
    told.end()
    if not name:
        raise YamlError(key, f"the field of {option} needs a name")
    if values is None:
        return Field(name)
    ours = _OURS.get(option)
    if ours is None:
        raise YamlError(told.at("values"), f"{option} has no values of its own: it is sent as it is")
    spelled: dict[str, str | int | bool] = {}
    for word, (place, each) in values.items():
        asked = word.capitalize() if option == "web_search" else word
        if asked not in ours:
            raise YamlError(place, f"values of {option} are spellings of {', '.join(ours)}, and not of {word[:40]}")
        theirs = scalar(each)
        if theirs is None:
            raise YamlError(place, f"a value of {option} is empty")
        spelled[asked] = cast("str | int | bool", theirs)
    return Field(name, spelled)
