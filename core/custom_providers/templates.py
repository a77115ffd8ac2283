"""What a custom provider is copied from: the built-in provider that its dialect is known from, without what holds for that
provider's own host alone."""

from __future__ import annotations

import re
from dataclasses import replace

from ..errors.messages import msg
from ..providers import BUILT_IN
from ..providers.spec import ProviderSpec

AUTH: dict[str, tuple[str, str]] = {
    "bearer": ("Authorization", "Bearer {key}"),
    "raw": ("Authorization", "{key}"),
    "key": ("Authorization", "Key {key}"),
    "x-api-key": ("X-API-Key", "{key}"),
    "x-goog-api-key": ("x-goog-api-key", "{key}"),
}
"""How a key is sent: the header and its value."""
_ID = re.compile(r"[a-z][a-z0-9_]{1,31}")
_RESERVED = frozenset({"auto", "offline"})
_TEXT_BYTES = 500_000
"""Of a request that has a largest size, for everything but the pictures."""


def dialects() -> dict[str, ProviderSpec]:
    """The dialects that a custom provider may speak, each with the first built-in provider that speaks it."""
    found: dict[str, ProviderSpec] = {}
    for spec in BUILT_IN.values():
        if not spec.local:
            found.setdefault(spec.dialect, spec)
    return found


def for_another_host(template: ProviderSpec) -> ProviderSpec:
    """A copy without what only its own host can promise: keys, prices, uploads elsewhere, what is billed."""
    # Where pictures can go inside the request they do: a reseller of the dialect need not have the uploads.
    spec = with_inline_references(template) if template.upload_above else template
    return replace(
        spec,
        models=tuple(replace(model, price=None) for model in spec.models),
        auth="key",
        key_env_vars=(),
        shared_env_vars=(),
        key_sibling="",
        key_prefix="",
        sibling_key_prefix="",
        sibling_env_vars=(),
        key_url="",
        key_check="",
        docs=(),
        checked="",
        upload_url="",
        upload_path="",
        stores_references="",
        failures_unbilled=False,
        conversations=False,
        idempotency_header="",
        retired={},
        local=False,
    )


def with_inline_references(spec: ProviderSpec) -> ProviderSpec:
    """`spec` with all of its references inside the request, where some may be uploaded."""
    most, largest = spec.max_request_bytes, spec.max_reference_bytes
    known = dialects()[spec.dialect].upload_above
    if spec.reference_encoding == "upload" and known:
        # A longer request is refused, and here there is nowhere to upload it to.
        most = min(most, known - _TEXT_BYTES)
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


def id_problem(name: str) -> str:
    """What is wrong with the id of a custom provider; "" when nothing is."""
    # onerouter_team would be sent the key in NANO_BANANA_ONEROUTER_TEAM_API_KEY: that of OneRouter's profile `team`.
    reserved = name in _RESERVED or any(f"{name}_".startswith(f"{known}_") for known in BUILT_IN)
    if _ID.fullmatch(name) and not reserved:
        return ""
    return msg("templates.provider_id_invalid")
