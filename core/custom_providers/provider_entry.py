"""A provider as an entry describes it: a new one, or a change to a built-in one (an overlay).

The entry is in `providers.yaml` or comes from the Settings form. What it doesn't say is taken from the provider that it
is like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..dialects import dialect
from ..errors.messages import msg
from ..providers.model_ids import model_id_problem
from ..providers.spec import Endpoint, Model, Operation, ProviderSpec
from .endpoints import endpoints, with_fields_of
from .mapping_reader import MappingError, MappingReader
from .models import ENDPOINT_WORDS, models_of, unpriced
from .sending import references_of, with_sending
from .templates import for_another_host, id_problem


def custom_provider(
    name: str, reader: MappingReader, known: Mapping[str, ProviderSpec], dated: str = ""
) -> ProviderSpec:
    """The new provider that an entry describes. Raises MappingError.

    `known`: the providers that it may be like, by id. `dated`: the day that its prices are from.
    """
    problem = id_problem(name)
    if problem:
        raise MappingError(reader.key, problem)
    template = _template(name, reader, known)
    url = reader.base_url("base_url", template.paths)
    if not url:
        raise MappingError(reader.at("base_url"), msg("provider_entry.needs_base_url", name=name))
    spec = replace(for_another_host(template), id=name, label=reader.label("label") or name, base_url=url)
    return _changed(_with_recommended_model_id(spec, reader), reader, dated, new=True)


def overlaid_provider(
    name: str, reader: MappingReader, known: Mapping[str, ProviderSpec], dated: str = ""
) -> ProviderSpec:
    """A built-in provider with the changes that an entry describes. Raises MappingError."""
    if name not in known or known[name].local:
        names = ", ".join(spec.id for spec in known.values() if not spec.local)
        raise MappingError(reader.key, msg("provider_entry.unknown_built_in_provider", name=name[:40], names=names))
    spec = known[name]
    url = reader.base_url("base_url", spec.paths) or spec.base_url
    if url != spec.base_url:
        # The key is for that address now: the provider's own one for uploads must not see it.
        spec = replace(spec, base_url=url, upload_url="")
    changed = _changed(spec, reader, dated, new=False)
    if _unpriced(changed) == _unpriced(known[name]):
        raise MappingError(
            reader.key,
            msg("provider_entry.change_is_empty", name=name),
        )
    return changed


def _template(name: str, reader: MappingReader, known: Mapping[str, ProviderSpec]) -> ProviderSpec:
    """The provider that a new one is like: the one that is named, or the first that speaks its dialect."""
    by_dialect: dict[str, ProviderSpec] = {}
    for spec in known.values():
        if not spec.local:
            by_dialect.setdefault(spec.dialect, spec)
    like = reader.choice("like", [spec.id for spec in known.values() if not spec.local])
    dialect_name = reader.choice("dialect", list(by_dialect))
    if not like and not dialect_name:
        raise MappingError(
            reader.key,
            msg("provider_entry.needs_dialect_or_like", name=name, by_dialect=", ".join(by_dialect)),
        )
    template = known[like] if like else by_dialect[dialect_name]
    if dialect_name and template.dialect != dialect_name:
        raise MappingError(
            reader.key,
            msg("provider_entry.like_has_another_dialect", like=like, dialect=template.dialect, wanted=dialect_name),
        )
    return template


def _with_recommended_model_id(spec: ProviderSpec, reader: MappingReader) -> ProviderSpec:
    """`spec` with `model` as the wire id of its recommended model; the others stay."""
    model_id = reader.text("model")
    if not model_id:
        return spec
    problem = model_id_problem(model_id)
    if problem:
        raise MappingError(reader.at("model"), f"model {problem}")
    if "models" in reader:
        raise MappingError(reader.at("model"), msg("provider_entry.model_belongs_below_models"))
    recommended = spec.model("recommended")

    def renamed(model: Model) -> Model:
        generate = replace(model.generate, model_id=model_id) if model.generate else None
        return replace(model, generate=generate, edit=replace(model.edit, model_id=model_id) if model.edit else None)

    return replace(spec, models=tuple(renamed(model) if model is recommended else model for model in spec.models))


def _unpriced(spec: ProviderSpec) -> ProviderSpec:
    return replace(spec, models=tuple(unpriced(model) for model in spec.models))


def _changed(spec: ProviderSpec, reader: MappingReader, dated: str, *, new: bool) -> ProviderSpec:
    """`spec` with everything that an entry says about it."""
    before = spec.endpoints
    spec = with_sending(spec, reader)
    spec = replace(
        spec,
        key_url=reader.page("key_url") or spec.key_url,
        usage_url=reader.page("usage_url") or spec.usage_url,
        key_check=reader.path("key_check") or spec.key_check,
        balance=None if reader.path("key_check") else spec.balance,
        proxy=reader.proxy("proxy") or spec.proxy,
        ca_bundle=reader.text("ca_bundle") or spec.ca_bundle,
        max_parallel=reader.number("max_parallel", spec.max_parallel, 1, 64),
        max_reference_bytes=reader.number("max_reference_bytes", spec.max_reference_bytes, 1000, 2_000_000_000),
        max_request_bytes=reader.number("max_request_bytes", spec.max_request_bytes, 1000, 2_000_000_000),
        reference_formats=reader.choices("reads", ["png", "jpeg", "webp"]) or spec.reference_formats,
        takes_alpha=reader.flag("takes_alpha", spec.takes_alpha),
        conversations=_conversations(spec, reader),
        key_env_vars=tuple(reader.texts("key_variables")) or spec.key_env_vars,
        endpoints=_endpoints(spec, reader),
    )
    if spec.auth == "key" and any("{project}" in endpoint.path for endpoint in spec.endpoints.values()):
        raise MappingError(reader.at("paths"), msg("provider_entry.paths_need_project"))
    spec = replace(spec, models=tuple(with_fields_of(spec, model, before) for model in spec.models))
    known, models = spec, reader.mapping("models")
    if models is not None:
        found = models_of(spec, models, dated, new=new)
        if not found:
            raise MappingError(models.key, msg("provider_entry.models_is_empty"))
        spec = replace(spec, models=found)
    _refuse_unreached(spec, known, reader, models)
    recommended = reader.choice("recommended", [model.name for model in spec.models])
    if recommended or spec.model(spec.recommended) is None:
        spec = replace(spec, recommended=recommended or spec.models[0].name)
    spec = replace(spec, retired=_retired(spec, reader))
    reader.end()
    return spec


def _conversations(spec: ProviderSpec, reader: MappingReader) -> bool:
    """Raises MappingError for a dialect that sends no turns: they would be left out in silence."""
    wanted = reader.flag("conversations", spec.conversations)
    if wanted and spec.dialect != "gemini":
        raise MappingError(reader.at("conversations"), msg("provider_entry.no_conversations", dialect=spec.dialect))
    return wanted


def _endpoints(spec: ProviderSpec, reader: MappingReader) -> Mapping[Operation, Endpoint]:
    name, _ = references_of(spec, reader)
    known = spec.endpoints
    if "multipart" in dialect(spec.dialect).reference_encodings and spec.reference_encoding != "multipart":
        # References in JSON go where pictures are made from text, unless paths says otherwise: the edits route takes a form.
        known = {**known, "edit": replace(known["edit"], path=known["generate"].path)}
    return endpoints(known, reader, name)


def _refuse_unreached(
    spec: ProviderSpec, known: ProviderSpec, reader: MappingReader, models: MappingReader | None
) -> None:
    """Raises MappingError where a path or a field is said of all models, and some have their own, which it would not change.

    `known`: the provider before its models were changed.
    """
    name, _ = references_of(spec, reader)
    separate = {each.name for each in known.models if any(o and o.endpoint for o in (each.generate, each.edit))}
    for word in ENDPOINT_WORDS:
        if word not in reader or (word == "references" and not name):
            continue
        unreached = []
        for model in spec.models:
            node = models.node(model.name) if models else None
            entry = MappingReader(node, model.name) if node is not None else None
            like = entry.text("like") if entry else ""
            if (like or model.name) in separate and not (entry and word in entry):
                unreached.append(model.name)
        if unreached:
            raise MappingError(
                reader.at(word),
                msg("provider_entry.key_not_applied_to_model", word=word, unreached=unreached[0])
                if len(unreached) == 1
                else msg("provider_entry.key_not_applied_to_models", word=word, unreached=" and ".join(unreached)),
            )


def _retired(spec: ProviderSpec, reader: MappingReader) -> Mapping[str, str]:
    """`retired: {old: new}`: names and wire ids that are answered with the model that took their place."""
    each = reader.mapping("retired")
    found = dict(spec.retired)
    for old in [old for old, _ in each.items()] if each else ():
        assert each is not None
        if spec.model(old) is not None:
            raise MappingError(each.at(old), msg("provider_entry.retired_model_still_offered", old=old[:60]))
        found[old] = each.choice(old, [model.name for model in spec.models])
    return {old: new for old, new in found.items() if spec.model(new) is not None}
