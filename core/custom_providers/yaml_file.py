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

import yaml

from ..dialects import dialect
from ..files.regular_files import NotReadable, read_regular
from ..providers.spec import Endpoint, Operation, ProviderSpec
from .fields import routes, sayable
from .models import ROUTE_WORDS, models_of, unpriced
from .sending import references_of, sending
from .settings_entries import bare, checked_id
from .yaml_reader import FILE, YamlError, YamlReader, entries

MAX_BYTES = 256 << 10
"""Some two seconds of reading."""


@dataclass(frozen=True)
class Own:
    """What the file says."""

    specs: Mapping[str, ProviderSpec] = field(default_factory=dict)
    """New providers, and built-in ones as they are changed, by id."""
    mistakes: tuple[str, ...] = ()
    """Each with the line that it is on."""


_read: dict[Path, tuple[tuple[int, int], Own]] = {}
_lock = threading.Lock()


def read_own(home: Path, built_in: Mapping[str, ProviderSpec]) -> Own:
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


def _parsed(path: Path, built_in: Mapping[str, ProviderSpec], dated: str) -> Own:
    try:
        data = read_regular(path, MAX_BYTES)
        text = data.decode("utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except NotReadable:
        what = (
            f"is larger than {MAX_BYTES >> 10} kB, and is not read" if path.is_file() else "is no file, and is not read"
        )
        return Own(mistakes=(f"{FILE} {what}",))
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
    specs: dict[str, ProviderSpec] = {}
    mistakes: list[str] = []
    top = entries(root, "the file", mistakes)
    for name, (key, _) in top.items():
        if name not in ("overlays", "providers"):
            mistakes.append(str(YamlError(key, f"the file has no {name[:40]}: overlays, providers")))

    def each(section: str, make: Callable[[str, YamlReader], ProviderSpec]) -> None:
        for name, (key, node) in entries(top[section][1] if section in top else None, section, mistakes).items():
            try:
                specs[name] = make(name, YamlReader(node, name, key))
            except YamlError as mistake:
                mistakes.append(str(mistake))

    each("overlays", lambda name, told: _overlaid(name, told, built_in, dated))
    # A new provider may be like one that was changed above.
    known = {**built_in, **specs}
    each("providers", lambda name, told: _new(name, told, known, dated))
    return Own(specs, tuple(mistakes))


def _new(name: str, told: YamlReader, known: Mapping[str, ProviderSpec], dated: str) -> ProviderSpec:
    problem = checked_id(name)
    if problem:
        raise YamlError(told.key, problem)
    dialects: dict[str, ProviderSpec] = {}
    for spec in known.values():
        if not spec.local:
            dialects.setdefault(spec.dialect, spec)
    like = told.choice("like", [spec.id for spec in known.values() if not spec.local])
    speaks = told.choice("dialect", list(dialects))
    if not like and not speaks:
        raise YamlError(told.key, f"{name} needs a dialect ({', '.join(dialects)}) or like: a provider that is known")
    template = known[like] if like else dialects[speaks]
    if speaks and template.dialect != speaks:
        raise YamlError(told.key, f"{like} speaks {template.dialect}, not {speaks}")
    url = told.text("base_url")
    if not url:
        raise YamlError(told.at("base_url"), f"{name} needs a base_url")
    spec = replace(
        bare(template), id=name, label=told.text("label")[:60] or name, base_url=told.checked("base_url", url)
    )
    return _changed(spec, told, dated, new=True)


def _overlaid(name: str, told: YamlReader, known: Mapping[str, ProviderSpec], dated: str) -> ProviderSpec:
    if name not in known or known[name].local:
        names = ", ".join(spec.id for spec in known.values() if not spec.local)
        raise YamlError(told.key, f"there is no built-in provider {name[:40]}: {names}")
    spec = known[name]
    url = told.text("base_url")
    address = told.checked("base_url", url) if url else spec.base_url
    if address != spec.base_url:
        # The key is for that address now: the provider's own one for uploads must not see it.
        spec = replace(spec, base_url=address, upload_url="")
    changed = _changed(spec, told, dated, new=False)
    if _unpriced(changed) == _unpriced(known[name]):
        raise YamlError(
            told.key, f"{name} is changed in nothing here: all of it is so already. Take it away, or say another value"
        )
    return changed


def _unpriced(spec: ProviderSpec) -> ProviderSpec:
    return replace(spec, models=tuple(unpriced(model) for model in spec.models))


def _changed(spec: ProviderSpec, told: YamlReader, dated: str, *, new: bool) -> ProviderSpec:
    """A row with everything that is said about it."""
    before = spec.endpoints
    spec = sending(spec, told)
    spec = replace(
        spec,
        key_url=told.page("key_url") or spec.key_url,
        key_check=told.path("key_check") or spec.key_check,
        proxy=told.proxy("proxy") or spec.proxy,
        ca_bundle=told.text("ca_bundle") or spec.ca_bundle,
        max_parallel=told.number("max_parallel", spec.max_parallel, 1, 64),
        max_reference_bytes=told.number("max_reference_bytes", spec.max_reference_bytes, 1000, 2_000_000_000),
        max_request_bytes=told.number("max_request_bytes", spec.max_request_bytes, 1000, 2_000_000_000),
        reference_formats=told.choices("reads", ["png", "jpeg", "webp"]) or spec.reference_formats,
        takes_alpha=told.flag("takes_alpha", spec.takes_alpha),
        key_env_vars=tuple(told.words("key_variables")) or spec.key_env_vars,
        endpoints=_routes(spec, told),
    )
    if spec.auth == "key" and any("{project}" in route.path for route in spec.endpoints.values()):
        raise YamlError(told.at("paths"), "paths has to be given, with your project in place of {project}")
    spec = replace(spec, models=tuple(sayable(spec, model, before) for model in spec.models))
    known, models = spec, told.map("models")
    if models is not None:
        found = models_of(spec, models, dated, new=new)
        if not found:
            raise YamlError(models.key, "models is empty: leave it out, or name one")
        spec = replace(spec, models=found)
    _refuse_unreached(spec, known, told, models)
    recommended = told.choice("recommended", [model.name for model in spec.models])
    if recommended or spec.model(spec.recommended) is None:
        spec = replace(spec, recommended=recommended or spec.models[0].name)
    spec = replace(spec, retired=_retired(spec, told))
    told.end()
    return spec


def _routes(spec: ProviderSpec, told: YamlReader) -> Mapping[Operation, Endpoint]:
    name, _ = references_of(spec, told)
    known = spec.endpoints
    if "multipart" in dialect(spec.dialect).REFERENCES and spec.reference_encoding != "multipart":
        # References in JSON go where pictures are made from text, unless paths says otherwise: the edits route takes a form.
        known = {**known, "edit": replace(known["edit"], path=known["generate"].path)}
    return routes(known, told, name)


def _refuse_unreached(spec: ProviderSpec, known: ProviderSpec, told: YamlReader, models: YamlReader | None) -> None:
    """Raises Mistake where a path or a field is said of all models, and some have their own, which it would not change.

    `known`: the row before its models were changed.
    """
    name, _ = references_of(spec, told)
    apart = {each.name for each in known.models if any(o and o.endpoint for o in (each.generate, each.edit))}
    for word in ROUTE_WORDS:
        if word not in told or (word == "references" and not name):
            continue
        unreached = []
        for model in spec.models:
            node = models.take(model.name) if models else None
            entry = YamlReader(node, model.name) if node is not None else None
            like = entry.text("like") if entry else ""
            if (like or model.name) in apart and not (entry and word in entry):
                unreached.append(model.name)
        if unreached:
            raise YamlError(
                told.at(word),
                f"{word} doesn't reach {' and '.join(unreached)}, whose paths and fields are their own: say {word} below "
                f"models for {'it' if len(unreached) == 1 else 'each of them'}, too",
            )


def _retired(spec: ProviderSpec, told: YamlReader) -> Mapping[str, str]:
    """`retired: {old: new}`: names and wire ids that are answered with the model that took their place."""
    each = told.map("retired")
    found = dict(spec.retired)
    for old in [old for old, _ in each.items()] if each else ():
        assert each is not None
        if spec.model(old) is not None:
            raise YamlError(each.at(old), f"{old[:60]} is a model that is offered: leave it out of models first")
        found[old] = each.choice(old, [model.name for model in spec.models])
    return {old: new for old, new in found.items() if spec.model(new) is not None}
