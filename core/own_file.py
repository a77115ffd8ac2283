"""Reads `providers.yaml`: the user's own providers, and changes to built-in ones. Never writes it.

    providers:
      my_reseller:                 # small letters, digits, _
        label: My reseller
        like: nanobanana           # whose dialect, models and field names it has
        base_url: https://api.example.com
        auth: bearer
        models: {...}              # only these, where it is said
    overlays:
      google:
        models:
          nano-banana-3: {like: nano-banana-2.1, wire: gemini-nano-banana-3, price: {1K: 0.05}}

What isn't said is taken from the row that it is like. A mistake is reported with its line and costs that provider or that
overlay only; the rest works. The file is read anew when it has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from .own_fields import OPTIONS, path, routes, sayable, unsayable
from .own_mapping import FILE, Mistake, Told, entries, scalar
from .own_providers import AUTH, bare, checked_id, checked_wire
from .providers.row import (
    EXTREME_RATIOS,
    OPERATIONS,
    RATIOS,
    RESOLUTIONS,
    Model,
    Offer,
    Operation,
    Price,
    Provider,
)

MAX_BYTES = 256 << 10
"""Some two seconds of reading."""


@dataclass(frozen=True)
class Own:
    """What the file says."""

    rows: Mapping[str, Provider] = field(default_factory=dict)
    """New providers, and built-in ones as they are changed, by id."""
    mistakes: tuple[str, ...] = ()
    """Each with the line that it is on."""


_read: dict[Path, tuple[tuple[int, int], Own]] = {}
_lock = threading.Lock()


def read_own(home: Path, built_in: Mapping[str, Provider]) -> Own:
    """The file of a data folder as it is now; nothing and no mistakes where there is none."""
    path = home / FILE
    try:
        facts = path.stat()
    except OSError:
        return Own()
    stamp = (facts.st_mtime_ns, facts.st_size)
    with _lock:
        known = _read.get(path)
    if known is None or known[0] != stamp:
        known = (stamp, _parsed(path, built_in, date.fromtimestamp(facts.st_mtime).isoformat()))
        with _lock:
            _read[path] = known
    return known[1]


def _parsed(path: Path, built_in: Mapping[str, Provider], dated: str) -> Own:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            return Own(mistakes=(f"{FILE} is larger than {MAX_BYTES >> 10} kB, and is not read",))
        text = data.decode("utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        return Own(mistakes=(f"{FILE} can't be read: {error.strerror or error}",))
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        return Own(mistakes=(f"{FILE} line {number}: it is not UTF-8 text",))
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        return Own(mistakes=(f"{FILE} line {number}: a character stands here that is none of text",))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        return Own(mistakes=(f"{FILE}{line}: {getattr(error, 'problem', None) or 'it is not YAML'}",))
    except RecursionError:
        return Own(mistakes=(f"{FILE}: it is nested too deeply",))
    rows: dict[str, Provider] = {}
    mistakes: list[str] = []
    top = entries(root, "the file", mistakes)
    for name, (key, _) in top.items():
        if name not in ("overlays", "providers"):
            mistakes.append(str(Mistake(key, f"the file has no {name[:40]}: overlays, providers")))

    def each(section: str, make: Callable[[str, Told], Provider]) -> None:
        for name, (key, node) in entries(top[section][1] if section in top else None, section, mistakes).items():
            try:
                rows[name] = make(name, Told(node, name, key))
            except Mistake as mistake:
                mistakes.append(str(mistake))

    each("overlays", lambda name, told: _overlaid(name, told, built_in, dated))
    # A new provider may be like one that was changed above.
    known = {**built_in, **rows}
    each("providers", lambda name, told: _new(name, told, known, dated))
    return Own(rows, tuple(mistakes))


def _new(name: str, told: Told, known: Mapping[str, Provider], dated: str) -> Provider:
    problem = checked_id(name)
    if problem:
        raise Mistake(told.key, problem)
    dialects: dict[str, Provider] = {}
    for row in known.values():
        if not row.local:
            dialects.setdefault(row.dialect, row)
    like = told.choice("like", [row.id for row in known.values() if not row.local])
    speaks = told.choice("dialect", list(dialects))
    if not like and not speaks:
        raise Mistake(told.key, f"{name} needs a dialect ({', '.join(dialects)}) or like: a provider that is known")
    template = known[like] if like else dialects[speaks]
    if speaks and template.dialect != speaks:
        raise Mistake(told.key, f"{like} speaks {template.dialect}, not {speaks}")
    url = told.text("base_url")
    if not url:
        raise Mistake(told.at("base_url"), f"{name} needs a base_url")
    row = replace(
        bare(template), id=name, label=told.text("label")[:60] or name, base_url=told.checked("base_url", url)
    )
    return _changed(row, told, dated, new=True)


def _overlaid(name: str, told: Told, known: Mapping[str, Provider], dated: str) -> Provider:
    if name not in known or known[name].local:
        names = ", ".join(row.id for row in known.values() if not row.local)
        raise Mistake(told.key, f"there is no built-in provider {name[:40]}: {names}")
    row = known[name]
    url = told.text("base_url")
    address = told.checked("base_url", url) if url else row.base_url
    if address != row.base_url:
        # The key is for that address now: the provider's own one for uploads must not see it.
        row = replace(row, base_url=address, upload_url="")
    return _changed(row, told, dated, new=False)


def _changed(row: Provider, told: Told, dated: str, *, new: bool) -> Provider:
    """A row with everything that is said about it."""
    auth = told.choice("auth", list(AUTH))
    if auth:
        header, form = AUTH[auth]
        row = replace(row, auth_header=header, auth_template=form, auth="key")
    before = row.routes
    row = replace(
        row,
        key_url=told.page("key_url") or row.key_url,
        key_check=path(told, "key_check") or row.key_check,
        proxy=told.proxy("proxy") or row.proxy,
        ca_bundle=told.text("ca_bundle") or row.ca_bundle,
        max_parallel=told.number("max_parallel", row.max_parallel, 1, 64),
        max_reference_bytes=told.number("max_reference_bytes", row.max_reference_bytes, 1000, 2_000_000_000),
        max_request_bytes=told.number("max_request_bytes", row.max_request_bytes, 1000, 2_000_000_000),
        reads=told.choices("reads", ["png", "jpeg", "webp"]) or row.reads,
        takes_alpha=told.flag("takes_alpha", row.takes_alpha),
        key_variables=tuple(told.words("key_variables")) or row.key_variables,
        routes=routes(before, told),
    )
    if row.auth == "key" and any("{project}" in route.path for route in row.routes.values()):
        raise Mistake(told.at("paths"), "paths has to be given, with your project in place of {project}")
    row = replace(row, models=tuple(sayable(row, model, before) for model in row.models))
    models = told.map("models")
    if models is not None:
        found = _models(row, models, dated, new=new)
        if not found:
            raise Mistake(models.key, "models is empty: leave it out, or name one")
        row = replace(row, models=found)
    recommended = told.choice("recommended", [model.name for model in row.models])
    if recommended or row.model(row.recommended) is None:
        row = replace(row, recommended=recommended or row.models[0].name)
    told.end()
    return row


def _models(row: Provider, told: Told, dated: str, *, new: bool) -> tuple[Model, ...]:
    """A new provider has the models that are named; an overlay changes some and adds others, in front."""
    named = {name: _model(row, name, Told(node, name, key), dated) for name, (key, node) in told.items()}
    if new:
        return tuple(named.values())
    kept = [named.pop(model.name, model) for model in row.models]
    return (*named.values(), *kept)


def _model(row: Provider, name: str, told: Told, dated: str) -> Model:
    wrong = checked_wire(name)
    if wrong:
        raise Mistake(told.key, f"the model's name {wrong}")
    base_name = told.choice("like", [model.name for model in row.models])
    base = row.model(base_name) if base_name else row.model(name) or row.models[0]
    assert base is not None
    known = bool(base_name) or base.name == name
    wires = _wires(told, "wire")
    price_node = told.take("price")
    model = replace(
        base,
        name=name,
        family=told.text("family") or (base.family if known else name),
        price=_price(price_node, dated) if price_node is not None else (base.price if base.name == name else None),
        note=told.text("note") or (base.note if base.name == name else ""),
    )
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
    for operation in OPERATIONS:
        offer = model.offer(operation)
        if not told.flag(operation, offer is not None):
            model = _offering(model, operation, None)
            continue
        if offer is None:
            raise Mistake(told.key, f"{base.name} can't {operation}, so {name} needs to be like a model that can")
        mine = dict(facts)
        if operation == "generate":
            mine.pop("max_references", None)
        fact, why = unsayable(offer.route or row.routes[operation], mine)
        if fact:
            raise Mistake(told.at(fact), why)
        # Another model's id in its place would be asked for, and paid.
        wire = wires.get(operation) or (offer.wire if known else "")
        if not wire:
            raise Mistake(told.key, f"{name} needs a wire: the id that the provider has for it")
        model = _offering(model, operation, replace(offer, wire=wire, **mine))
    if model.generate is None and model.edit is None:
        raise Mistake(told.key, f"{name} can do nothing")
    told.end()
    return model


def _wires(told: Told, name: str) -> dict[Operation, str]:
    """A wire id for both operations, or `{generate: ..., edit: ...}`."""
    node = told.take(name)
    if node is None:
        return {}
    if isinstance(node, yaml.ScalarNode):
        found = dict.fromkeys(OPERATIONS, told.text(name))
    else:
        each = Told(node, name, told.at(name))
        found = {operation: each.text(operation) for operation in OPERATIONS}
        each.end()
    for wire in found.values():
        wrong = checked_wire(wire) if wire else ""
        if wrong:
            raise Mistake(node, f"{name} {wrong}")
    return found


def _offering(model: Model, operation: Operation, offer: Offer | None) -> Model:
    return replace(model, generate=offer) if operation == "generate" else replace(model, edit=offer)


def _price(node: yaml.Node, dated: str) -> Price:
    """US dollars per picture: a number, or `{1K: 0.05, 2K: 0.08}`."""
    if isinstance(node, yaml.ScalarNode):
        return Price({"": _dollars(node)}, FILE, dated)
    prices = {}
    for size, (key, each) in Told(node, "price").items():
        if size not in RESOLUTIONS:
            raise Mistake(key, f"price has no {size[:20]}: {', '.join(RESOLUTIONS)}")
        prices[size] = _dollars(each)
    return Price(prices, FILE, dated)


def _dollars(node: yaml.Node) -> float:
    value = scalar(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1000:
        raise Mistake(node, "a price is a number of US dollars per picture, for example 0.05")
    return float(value)
