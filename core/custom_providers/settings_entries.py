"""Providers that the user has added: a name, an address, a dialect and how the key is sent.

Such a row is a copy of the row that the dialect is known from, with models, limits and field names taken from there. Its
prices aren't known, so it counts as the dearest. Kept under "providers" in `settings.json`; the user's own file says more
(see `own_file`, whose rows come first).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.settings import Settings
from ..config.settings_file import rewrite
from ..errors import ConfigError
from ..http.url_policy import checked_base_url
from ..providers import BUILT_IN
from ..providers.spec import Model, ProviderSpec

AUTH: dict[str, tuple[str, str]] = {
    "bearer": ("Authorization", "Bearer {key}"),
    "raw": ("Authorization", "{key}"),
    "key": ("Authorization", "Key {key}"),
    "x-api-key": ("X-API-Key", "{key}"),
    "x-goog-api-key": ("x-goog-api-key", "{key}"),
}
"""How a key is sent: the header and what stands in it."""
_ID = re.compile(r"[a-z][a-z0-9_]{1,31}")
_RESERVED = frozenset({"auto", "offline"})
_WORDS_BYTES = 500_000
"""Of a request that has a largest size, for everything that is no picture."""


def known_specs(settings: Settings, own: Mapping[str, ProviderSpec] | None = None) -> dict[str, ProviderSpec]:
    """The built-in rows, those of the user's file (`own`) and of the settings, `offline` last.

    An own row that makes no sense is left out.
    """
    specs = {spec.id: spec for spec in BUILT_IN.values() if not spec.local} | dict(own or {})
    stored = settings.stored.get("providers")
    for name, facts in (stored if isinstance(stored, Mapping) else {}).items():
        try:
            spec = spec_of(str(name), facts)
        except ConfigError:
            continue
        specs.setdefault(spec.id, spec)
    return specs | {spec.id: spec for spec in BUILT_IN.values() if spec.local}


def dialects() -> dict[str, ProviderSpec]:
    """The dialects that an own provider may speak, each with the row it is known from."""
    found: dict[str, ProviderSpec] = {}
    for spec in BUILT_IN.values():
        if not spec.local:
            found.setdefault(spec.dialect, spec)
    return found


def spec_of(name: str, facts: Any) -> ProviderSpec:
    """The row of an own provider. `facts`: label, base_url, dialect, auth, model (a wire id, or ""). Raises ConfigError."""
    if not isinstance(facts, Mapping):
        raise _wrong("A provider is an object with label, base_url, dialect and auth")
    problem = checked_id(name)
    if problem:
        raise _wrong(problem)
    label = "".join(c if c.isprintable() else " " for c in str(facts.get("label") or ""))
    label = " ".join(label.split())[:60] or name
    known = dialects()
    template = known.get(str(facts.get("dialect")))
    if template is None:
        raise _wrong(f"The dialect is one of: {', '.join(known)}")
    auth = str(facts.get("auth") or "bearer")
    if auth not in AUTH:
        raise _wrong(f"auth is one of: {', '.join(AUTH)}")
    wire = str(facts.get("model") or "").strip()
    wrong = checked_wire(wire) if wire else ""
    if wrong:
        raise _wrong(f"model {wrong}")
    header, form = AUTH[auth]
    spec = bare(template)
    return replace(
        spec,
        id=name,
        label=label,
        base_url=checked_base_url(str(facts.get("base_url") or ""), "the field", routes=template.paths),
        auth_header=header,
        auth_template=form,
        models=_only(spec, wire) if wire else spec.models,
    )


def bare(template: ProviderSpec) -> ProviderSpec:
    """A row without what only its own host can promise: keys, prices, uploads elsewhere, what is billed."""
    # Where pictures can go inside the request they do: a reseller of the dialect need not have the uploads.
    spec = inside(template) if template.upload_above else template
    return replace(
        spec,
        models=tuple(replace(model, price=None) for model in spec.models),
        auth="key",
        key_env_vars=(),
        shared_env_vars=(),
        key_sibling="",
        key_prefix="",
        not_key_prefix="",
        sibling_env_vars=(),
        key_url="",
        key_check="",
        docs=(),
        checked="",
        upload_url="",
        upload_path="",
        stores_references="",
        failures_unbilled=False,
        idempotency_header="",
        retired={},
        local=False,
    )


def inside(spec: ProviderSpec) -> ProviderSpec:
    """A row whose references may be uploaded, with all of them inside the request."""
    most, largest = spec.max_request_bytes, spec.max_reference_bytes
    known = dialects()[spec.dialect].upload_above
    if spec.reference_encoding == "upload" and known:
        # A longer request is refused, and here there is nowhere to upload it to.
        most = min(most, known - _WORDS_BYTES)
        largest = min(largest, most * 3 // 4)
    return replace(
        spec,
        reference_encoding="base64" if spec.reference_encoding == "upload" else spec.reference_encoding,
        max_request_bytes=most,
        max_reference_bytes=largest,
        upload_above=0,
        upload_url="",
        upload_path="",
    )


def checked_id(name: str) -> str:
    """What is wrong with the id of an own provider; "" when nothing is."""
    # onerouter_team would be sent the key in NANO_BANANA_ONEROUTER_TEAM_API_KEY: that of OneRouter's profile `team`.
    theirs = name in _RESERVED or any(f"{name}_".startswith(f"{known}_") for known in BUILT_IN)
    if _ID.fullmatch(name) and not theirs:
        return ""
    return (
        "A provider's id has 2 to 32 small letters, digits or _, begins with a letter, and is no built-in one, "
        "alone or followed by _"
    )


def checked_wire(wire: str) -> str:
    """What is wrong with a model id; "" when nothing is."""
    good = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}", wire) and ".." not in wire and "//" not in wire
    return "" if good else "is an id: letters, digits and . _ : / @ - only"


def save(home: Path, name: str, facts: Any) -> ProviderSpec:
    """Adds or changes an own provider. Raises ConfigError."""
    spec = spec_of(name, facts)
    kept = {key: str(facts.get(key) or "").strip() for key in ("dialect", "auth", "model")}
    kept |= {"label": spec.label, "base_url": spec.base_url}

    def put(stored: dict[str, Any]) -> None:
        known = stored.get("providers")
        stored["providers"] = {**(known if isinstance(known, dict) else {}), name: kept}

    rewrite(home, put)
    return spec


def wire_of(settings: Settings, name: str) -> str:
    """The wire id that was given for an own provider's recommended model; "" for its dialect's usual one."""
    stored = settings.stored.get("providers")
    facts = stored.get(name) if isinstance(stored, Mapping) else None
    return str(facts.get("model") or "") if isinstance(facts, Mapping) else ""


def remove(home: Path, name: str) -> bool:
    """Takes an own provider away; False when there is none of that id. Raises ConfigError."""
    found = False

    def put(stored: dict[str, Any]) -> None:
        nonlocal found
        known = stored.get("providers")
        if isinstance(known, dict):
            found = known.pop(name, None) is not None

    rewrite(home, put)
    return found


def _only(template: ProviderSpec, wire: str) -> tuple[Model, ...]:
    """The recommended model under the provider's own id, first; the others stay."""
    first = template.model("recommended")
    assert first is not None

    def renamed(model: Model) -> Model:
        generate = replace(model.generate, model_id=wire) if model.generate else None
        edit = replace(model.edit, model_id=wire) if model.edit else None
        return replace(model, generate=generate, edit=edit, price=None)

    return tuple(renamed(m) if m is first else replace(m, price=None) for m in template.models)


def _wrong(what: str) -> ConfigError:
    return ConfigError(what, cure="Correct it and save again")
