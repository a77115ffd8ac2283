"""Paths and field names as the user's own file gives them, and what a model may promise with them.

What no field can say would be dropped from a request, or sent as it is: a model loses it where it is taken over from the
row that is copied, and where the file itself promises it, that is a mistake. Used by `own_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

import yaml

from .own_mapping import Mistake, Told, scalar
from .providers.row import EXTREME_RATIOS, RATIOS, RESOLUTIONS, Field, Model, Offer, Operation, Option, Provider, Route

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


def path(told: Told, name: str) -> str:
    """A path below the base URL; "" where none is given. Raises Mistake."""
    found = told.text(name)
    if found and (not found.startswith("/") or " " in found):
        raise Mistake(told.at(name), f"{name} is a path: it begins with / and has no spaces")
    return found


def routes(known: Mapping[Operation, Route], told: Told) -> Mapping[Operation, Route]:
    """`known` with `paths: {generate, edit}`, `fields: {option: name}`, `references: name` and `constants`."""
    paths, fields, constants = told.map("paths"), told.map("fields"), told.map("constants")
    references = told.text("references")
    named: dict[Option, Field | None] = {}
    for option, (key, node) in fields.items() if fields else ():
        if option not in OPTIONS:
            raise Mistake(key, f"fields has no {option[:40]}: {', '.join(OPTIONS)}")
        named[option] = _field(option, key, node)
    fixed: dict[str, Any] = {name: scalar(node) for name, (_, node) in constants.items()} if constants else {}
    found: dict[Operation, Route] = {}
    for operation, route in known.items():
        kept = {**route.fields, **{option: each for option, each in named.items() if each is not None}}
        for option, each in named.items():
            if each is None:
                kept.pop(option, None)
        found[operation] = replace(
            route,
            path=(path(paths, operation) if paths else "") or route.path,
            fields=kept,
            references=(references or route.references) if operation == "edit" or route.references else "",
            constants={**route.constants, **fixed},
        )
    if paths:
        paths.end()
    return found


def sayable(row: Provider, model: Model, before: Mapping[Operation, Route]) -> Model:
    """`model` without what the row's fields can't say, and with the options that have a field now and had none `before`."""

    def offered(operation: Operation) -> Offer | None:
        offer = model.offer(operation)
        if offer is None:
            return None
        fields = (offer.route or row.routes[operation]).fields
        sizes = _spelled(fields.get("resolution"), offer.resolutions)
        new = frozenset() if offer.route else frozenset(fields).difference(before[operation].fields, _SHAPE)
        return replace(
            offer,
            ratios=_spelled(fields.get("aspect_ratio"), offer.ratios),
            auto_ratio=offer.auto_ratio if "aspect_ratio" in fields else "",
            resolutions=sizes,
            fixed_resolution=offer.default_resolution if offer.resolutions and not sizes else offer.fixed_resolution,
            max_count=offer.max_count if "count" in fields else 1,
            options=offer.options | new,
        )

    return replace(model, generate=offered("generate"), edit=offered("edit"))


def unsayable(route: Route, facts: Mapping[str, Any]) -> tuple[str, str]:
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
    told = Told(node, option, key)
    name, values = told.text("name"), told.map("values")
    told.end()
    if not name:
        raise Mistake(key, f"the field of {option} needs a name")
    if values is None:
        return Field(name)
    ours = _OURS.get(option)
    if ours is None:
        raise Mistake(told.at("values"), f"{option} has no values of its own: it is sent as it is")
    spelled: dict[str, str | int | bool] = {}
    for word, (place, each) in values.items():
        asked = word.capitalize() if option == "web_search" else word
        if asked not in ours:
            raise Mistake(place, f"values of {option} are spellings of {', '.join(ours)}, and not of {word[:40]}")
        theirs = scalar(each)
        if theirs is None:
            raise Mistake(place, f"a value of {option} is empty")
        spelled[asked] = cast("str | int | bool", theirs)
    return Field(name, spelled)
