"""Resolves the key that is sent to a provider at its current address: from the environment, from the store, or none.

A key that was entered for another address is not used, and `unused_reason` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..config.settings import Settings, variable
from ..errors import ConfigError
from ..errors.messages import msg
from ..providers import BUILT_IN
from ..providers.spec import ProviderSpec
from .sources import Key, find_key, variables
from .store import StoredKey, origin_of

KeyLookup = Callable[[str, str], "StoredKey | None"]
"""Provider id and profile -> the stored key."""


class KeyResolver:
    """The keys of this machine, under its settings as they are now."""

    def __init__(self, settings: Settings, specs: Mapping[str, ProviderSpec], store: KeyLookup | None = None) -> None:
        self._settings, self._specs, self._store = settings, specs, store

    def key(self, spec: ProviderSpec, profile: str, *, named: bool = True) -> Key | None:
        """The key that would be sent, or None. `named`: whether the graph names this provider; only then variables count
        that other programs use, too. Raises ConfigError for an invalid key.
        """
        if not spec.needs_key:
            return None
        not_for_this_address = self._address_changed_in_settings(spec) or self.collides_with_other_provider(
            spec, profile
        )
        return find_key(
            spec, profile, {} if not_for_this_address else self._settings.environ, self._stored_key, allow_shared=named
        )

    def unused_reason(self, spec: ProviderSpec, profile: str) -> str:
        """Why a key that is there isn't used: it was entered for another address. "" where there is none, or it is used."""
        stored = self._store(spec.id, profile) if self._store else None
        if stored is not None:
            try:
                if stored.is_for(self._settings.base_url(spec)):
                    return ""
            except ConfigError:
                pass
        found = find_key(spec, profile, self._settings.environ)
        if found is not None and self._address_changed_in_settings(spec):
            return msg(
                "resolver.key_not_for_settings_address",
                source=found.source,
                base_url=spec.base_url,
                variable=variable(spec.id, "BASE_URL"),
            )
        if stored is None:
            return ""
        return msg("resolver.key_for_another_address", provider=spec.label)

    def collides_with_other_provider(self, spec: ProviderSpec, profile: str) -> bool:
        """Whether a profile's variable is that of another provider's key: `v2` of apiframe, and apiframe_v2."""
        if profile == "default":
            return False
        return variables(spec, profile)[0] in {variable(name, "API_KEY") for name in {*BUILT_IN, *self._specs}}

    def _address_changed_in_settings(self, spec: ProviderSpec) -> bool:
        """Whether Settings has given the provider another origin than the one that keys in the environment are for."""
        if not spec.base_url or self._settings.address_source(spec) != "settings":
            return False
        try:
            return origin_of(self._settings.base_url(spec)) != origin_of(spec.base_url)
        except ConfigError:  # nothing is sent to an invalid address
            return False

    def _stored_key(self, provider: str, profile: str) -> str | None:
        stored = self._store(provider, profile) if self._store else None
        if stored is None:
            return None
        try:
            return stored.value if stored.is_for(self._settings.base_url(self._specs[provider])) else None
        except ConfigError:
            return None
