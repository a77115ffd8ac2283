"""GET providers; PUT and DELETE providers/{id}.

A built-in provider takes two changes: its address, PUT {"base_url": "https://..." or null}, and models that are added to it,
PUT {"models": {name: {"wire", "price", "like"} or null}}; DELETE takes all of those away. An own one is label, base_url,
dialect, auth and model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import comfyui
from ..core.config import settings_file
from ..core.config.settings import variable
from ..core.custom_providers import added_models, settings_form
from ..core.custom_providers.mapping_reader import FILE
from ..core.custom_providers.templates import AUTH, dialects
from ..core.engine import Engine
from ..core.errors import ConfigError
from ..core.errors.messages import msg
from ..core.keys.sources import variables
from ..core.planning.negotiate import options_of
from ..core.planning.resolver import ProviderResolver
from ..core.providers import BUILT_IN
from ..core.providers.spec import Capabilities, Model, ProviderSpec
from .security import ApiError, RouteRequest


def list_providers(request: RouteRequest) -> dict[str, Any]:
    """Every provider in the order of `auto`: what it can do, its address, its keys and where they come from."""
    engine = comfyui.engine()
    resolver = engine.resolver()
    order = resolver.ordered_ids()
    return {
        "providers": [_provider(engine, resolver, resolver.specs[name]) for name in order],
        "dialects": {name: spec.label for name, spec in dialects().items()},
        "auths": list(AUTH),
        "profiles": engine.profiles(),
        "mistakes": list(engine.providers_file().errors),
    }


def put(request: RouteRequest) -> dict[str, Any]:
    name, engine = request.path["id"], comfyui.engine()
    if name in BUILT_IN:
        _change(engine, BUILT_IN[name], request.body)
    else:
        _not_from_file(engine, name)
        settings_form.save(engine.home, name, request.body)
    return _one(engine, name)


def delete(request: RouteRequest) -> dict[str, Any]:
    """Takes an own provider away, with its keys: they are of no use to anything else. Of a built-in one the added models."""
    name, engine = request.path["id"], comfyui.engine()
    if name in BUILT_IN:
        if not added_models.drop_models(engine.home, name):
            raise ApiError(400, msg("providers.built_in_not_removable"), msg("providers.delete_its_key"))
        return {"removed": name}
    _not_from_file(engine, name)
    if not settings_form.remove(engine.home, name):
        raise ApiError(404, msg("providers.unknown_provider"))
    for profile in engine.keys.profiles(name):
        engine.keys.delete(name, profile)
    return {"removed": name}


def _change(engine: Engine, spec: ProviderSpec, body: Mapping[str, Any]) -> None:
    """Changes a built-in provider's address, its added models, or both."""
    if not body or not set(body) <= {"base_url", "models"}:
        what = msg("providers.built_in_mostly_fixed")
        raise ApiError(400, what, msg("providers.send_base_url_or_models"))
    if spec.local:
        raise ApiError(400, msg("providers.nothing_to_change", provider=spec.label))
    url = body.get("base_url")
    if url is not None and not isinstance(url, str):
        raise ApiError(400, msg("providers.base_url_must_be_address"))
    if "models" in body:
        added_models.change_models(engine.home, engine.without_added_models(spec.id), body["models"])
    if "base_url" in body:
        settings_file.set_base_url(engine.home, spec.id, url or None, spec.paths)


def _not_from_file(engine: Engine, name: str) -> None:
    if name in engine.providers_file().specs:
        raise ApiError(
            409, msg("providers.defined_in_read_only_file", name=name, file=FILE), msg("providers.change_it_there")
        )


def _one(engine: Engine, name: str) -> dict[str, Any]:
    resolver = engine.resolver()
    return _provider(engine, resolver, resolver.specs[name])


def _provider(engine: Engine, resolver: ProviderResolver, spec: ProviderSpec) -> dict[str, Any]:
    from_file = spec.id in engine.providers_file().specs
    built_in = spec.id in BUILT_IN
    added = added_models.added(engine.settings(), spec.id) if built_in else {}
    keys = _keys(engine, resolver, spec) if spec.needs_key else []
    facts: dict[str, Any] = {
        "id": spec.id,
        "label": spec.label,
        "dialect": spec.dialect,
        "built_in": built_in and not spec.local,
        "own": not built_in and not from_file,
        "from_file": from_file,
        "local": spec.local,
        "needs_key": spec.needs_key,
        "key_url": spec.key_url,
        "usage_url": spec.usage_url,
        "recommended": spec.recommended,
        "checked": spec.checked,
        "models": [_model(model, spec, added) for model in spec.models],
        "keys": keys,
        "names_balance": spec.balance is not None and bool(spec.key_check),
        "balance": next((key["balance"] for key in keys if key["balance"]), None),
        "key_variable": variables(spec)[0] if spec.needs_key else "",
        **_address(resolver, spec),
    }
    if facts["own"]:
        facts["auth"] = next(
            (name for name, auth in AUTH.items() if auth == (spec.auth_header, spec.auth_template)), ""
        )
        facts["model"] = settings_form.model_id_of(engine.settings(), spec.id)
    return facts


def _address(resolver: ProviderResolver, spec: ProviderSpec) -> dict[str, Any]:
    if spec.local:
        return {"base_url": "", "base_url_source": "row", "base_url_problem": "", "base_url_variable": ""}
    url, problem = "", ""
    try:
        url = resolver.settings.base_url(spec)
    except ConfigError as error:
        problem = error.what
    return {
        "base_url": url,
        "base_url_source": resolver.settings.address_source(spec),
        "base_url_problem": problem,
        "base_url_variable": variable(spec.id, "BASE_URL"),
    }


def _keys(engine: Engine, resolver: ProviderResolver, spec: ProviderSpec) -> list[dict[str, Any]]:
    """The state of each key: "environment", "stored", "disabled" or "none", without anything of the key itself."""
    found = []
    try:
        stored = engine.keys.profiles(spec.id)
        tests = {profile: engine.keys.tested(spec.id, profile) for profile in ("default", *stored)}
    except ConfigError:  # reported beside each key that would be looked for there; those of the environment still work
        stored, tests = [], {}
    for profile in ["default", *(name for name in stored if name != "default")]:
        state, source, problem = "none", "", ""
        try:
            key = resolver.keys.key(spec, profile)
            unused = "" if key else resolver.keys.unused_reason(spec, profile)
            if key is not None:
                state, source = ("stored", "") if key.source == "the key store" else ("environment", key.source)
            elif unused:
                state, problem = "disabled", unused
        except ConfigError as error:
            state, problem = "disabled", error.what
        found.append(
            {
                "profile": profile,
                "state": state,
                "source": source,
                "problem": problem,
                "replaceable": profile in stored,
                "tested": tests.get(profile),
                "balance": _balance(engine, resolver, spec, profile) if state in ("stored", "environment") else None,
            }
        )
    return found


def _balance(engine: Engine, resolver: ProviderResolver, spec: ProviderSpec, profile: str) -> dict[str, Any] | None:
    """What the account of a key had when it was last tested, where that was minutes ago."""
    try:
        found = engine.balances.get(spec.id, profile, resolver.settings.base_url(spec))
    except ConfigError:  # an address that makes no sense: said beside it
        return None
    return found.facts() if found else None


def _model(model: Model, spec: ProviderSpec, added: Mapping[str, Any]) -> dict[str, Any]:
    facts = added.get(model.name)
    return {
        "name": model.name,
        "family": model.family,
        "recommended": model.name == spec.recommended,
        "note": model.note,
        "added": facts is not None,
        "like": str(facts.get("like") or "") if isinstance(facts, Mapping) else "",
        "generate": _described(model.generate, spec, "generate"),
        "edit": _described(model.edit, spec, "edit"),
        "price": None if model.price is None else {"usd": dict(model.price.usd), "source": model.price.source,
                                                   "dated": model.price.dated, "counted": dict(model.price.counted),
                                                   "counted_source": model.price.counted_source},
    }  # fmt: skip


def _described(capabilities: Capabilities | None, spec: ProviderSpec, operation: Any) -> dict[str, Any] | None:
    if capabilities is None:
        return None
    takes = options_of(spec, operation, capabilities)
    return {
        "wire": capabilities.model_id,
        "ratios": list(capabilities.ratios),
        "resolutions": list(capabilities.all_resolutions),
        "default_resolution": capabilities.default_resolution,
        "max_references": capabilities.max_references,
        "max_count": capabilities.max_count,
        "options": {option: None if (few := takes[option]) is None else list(few) for option in sorted(takes)},
    }


ROUTES = [
    ("GET", "/providers", list_providers),
    ("PUT", "/providers/{id}", put),
    ("DELETE", "/providers/{id}", delete),
]
