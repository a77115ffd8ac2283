"""Where keys come from. A graph names a profile and never holds a key.

Order: NANO_BANANA_<ID>_API_KEY, NANO_BANANA_<ID>_API_KEY_FILE, the provider's usual variable, the store, and last, where the
provider is named, variables that other software uses, too. Two providers of one vendor may share a usual variable: the key's
prefix tells which one it belongs to. A profile other than `default` has NANO_BANANA_<ID>_<PROFILE>_API_KEY (or ..._FILE), then
the store. Where the provider's key is a service account, a variable holds its document or the path of it. Nothing here logs,
and no error repeats a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..config.settings import variable
from ..errors import ConfigError
from ..errors.messages import msg
from ..providers.spec import ProviderSpec
from .account_document import is_api_key, looks_like_document
from .google_service_account import document, project_of
from .pasted_key import unquoted, without_assignment

PROFILE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_KEY_LIKE = re.compile(r"(?i)^(sk|rf|afk|r8|pk|ghp|hf|key|fal)[-_]|^AIza|:")
_MAX = 4096


@dataclass(frozen=True)
class Key:
    """A key and the name of the place it is from. The key itself is never shown."""

    value: str = field(repr=False)
    source: str
    project: str = ""
    """The project that it belongs to, where it says so."""

    def __str__(self) -> str:
        return f"key from {self.source}"


Store = Callable[[str, str], str | None]
"""Provider id and profile -> the stored key."""


def find_key(
    spec: ProviderSpec,
    profile: str,
    environ: Mapping[str, str],
    store: Store | None = None,
    *,
    allow_shared: bool = True,
) -> Key | None:
    """The key of a provider and profile, or None. Raises ConfigError for a key that can't be one.

    `allow_shared`: whether a variable counts that other software uses, too.
    """
    sibling_problem: ConfigError | None = None
    for name in variables(spec, profile):
        if environ.get(name, "").strip():
            if name in spec.sibling_env_vars:
                sibling_problem = _sibling_problem(spec, cleaned(environ[name], name), name)
                if sibling_problem is not None:
                    continue
            return _checked_key(spec, environ[name], name)
        if name.startswith("NANO_BANANA_") and environ.get(f"{name}_FILE", "").strip():
            return _checked_key(spec, _file(environ[f"{name}_FILE"].strip(), f"{name}_FILE"), f"{name}_FILE")
    kept = store(spec.id, profile) if store else None
    if kept:
        return _checked_key(spec, kept, msg("sources.key_store_name"))
    shared = spec.shared_env_vars if allow_shared and profile == "default" else ()
    found = next((_checked_key(spec, environ[name], name) for name in shared if environ.get(name, "").strip()), None)
    if found is None and sibling_problem is not None and allow_shared:
        raise sibling_problem
    return found


def _checked_key(spec: ProviderSpec, text: str, source: str) -> Key:
    if spec.auth == "google_service_account" and not looks_like_document(text) and not is_api_key(text):
        text = _file(text.strip().strip("'\""), source)
    value = key_for(spec, text, source)
    return Key(value, source, project_of(value) if spec.auth == "google_service_account" else "")


def key_for(spec: ProviderSpec, text: str, source: str) -> str:
    """A key of a provider as it was meant: a token, or the document of a service account. Raises ConfigError, also for one
    that is known to be another provider's."""
    if spec.auth == "google_service_account":
        return document(text, source)
    key = cleaned(text, source)
    problem = _sibling_problem(replace(spec, key_prefix=""), key, source)
    if problem is not None:
        raise problem
    return key


def _sibling_problem(spec: ProviderSpec, key: str, source: str) -> ConfigError | None:
    """The error for a key from `source` that by its prefix belongs to the provider's sibling; None for any other key."""
    if spec.sibling_key_prefix and key.startswith(spec.sibling_key_prefix):
        why = msg(
            "sources.looks_like_sibling_key", sibling_key_prefix=spec.sibling_key_prefix, key_sibling=spec.key_sibling
        )
    elif spec.key_prefix and not key.startswith(spec.key_prefix):
        why = msg(
            "sources.prefix_of_key_missing", key_prefix=spec.key_prefix, spec=spec.id, key_sibling=spec.key_sibling
        )
    else:
        return None
    return ConfigError(
        msg("sources.key_not_sent", source=source, why=why, provider=spec.label),
        cure=msg(
            "sources.choose_sibling_provider",
            key_sibling=spec.key_sibling,
            spec=spec.id,
            variable=variable(spec.id, "API_KEY"),
        ),
    )


def variables(spec: ProviderSpec, profile: str = "default") -> list[str]:
    """The environment variables that are looked at for a key, in order, without the _FILE twins."""
    if profile == "default":
        return [variable(spec.id, "API_KEY"), *spec.key_env_vars]
    return [variable(spec.id, f"{profile.upper().replace('-', '_')}_API_KEY")]


def cleaned(text: str, source: str) -> str:
    """A key as it was meant: without quotes, spaces, a pasted scheme and the name in `NAME=key`. Raises ConfigError."""
    key = without_assignment(unquoted(without_assignment(text)))
    key = unquoted(re.sub(r"(?i)^(authorization\s*:\s*)?(bearer|key)(\s+|$)", "", key))
    if not key:
        raise ConfigError(msg("sources.key_is_empty", source=source), cure=msg("sources.paste_key_there"))
    if key.startswith("{") and '"' in key:
        raise ConfigError(
            msg("sources.key_is_json_document", source=source),
            cure=msg("sources.service_accounts_belong_to_vertex"),
        )
    if "\n" in key or "\r" in key:
        raise ConfigError(
            msg("sources.key_has_several_lines", source=source),
            cure=msg("sources.paste_key_alone"),
        )
    if len(key) > _MAX or any(not 0x21 <= ord(c) <= 0x7E for c in key):
        raise ConfigError(
            msg("sources.key_has_invisible_characters", source=source),
            cure=msg("sources.paste_from_provider_page"),
        )
    return key


def checked_profile(profile: str) -> str | None:
    """None when `profile` is a good name, else what is wrong with it, without repeating it."""
    compact = profile.strip()
    long_token = len(compact) >= 20 and any(c.isdigit() for c in compact) and any(c.isalpha() for c in compact)
    if len(compact) >= 12 and _KEY_LIKE.search(compact) or long_token:
        return msg("sources.profile_looks_like_key")
    if not PROFILE.fullmatch(profile):
        return msg("sources.profile_name_invalid")
    return None


def _file(path: str, name: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(_MAX * 4)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except (ValueError, RuntimeError):  # a null byte; the home of a user that there is not
        reason = msg("sources.not_a_path")
    else:
        return _text(data, name)
    raise ConfigError(
        msg("sources.key_file_unreadable", name=name, reason=reason),
        cure=msg("sources.correct_path"),
    )


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(msg("sources.key_file_not_text", name=name), cure=msg("sources.must_hold_key_only")) from None
