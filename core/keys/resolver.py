"""Which key is sent to a provider at the address that it has now: its own, from the environment or the store, or none.

A key that was meant for another address stays where it is, and `elsewhere` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..config.settings import Settings, variable
from ..errors import ConfigError
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
        """The key that would be sent, or None. `named`: whether the graph names this provider, which lets variables that
        belong to other programs, too, count. Raises ConfigError for a key that makes no sense.
        """
        if not spec.needs_key:
            return None
        withheld = self._foreign(spec) or self.is_another_s(spec, profile)
        return find_key(spec, profile, {} if withheld else self._settings.environ, self._kept, borrowed=named)

    def elsewhere(self, spec: ProviderSpec, profile: str) -> str:
        """Why a key that is here isn't used: it was entered for another address. "" when that isn't so."""
        kept = self._store(spec.id, profile) if self._store else None
        if kept is not None:
            try:
                if kept.is_for(self._settings.base_url(spec)):
                    return ""
            except ConfigError:
                pass
        found = find_key(spec, profile, self._settings.environ)
        if found is not None and self._foreign(spec):
            return (
                f"The key in {found.source} is not sent to an address from the settings: it was meant for "
                f"{spec.base_url}. Put the address into {variable(spec.id, 'BASE_URL')} too, or enter the key in the settings"
            )
        if kept is None:
            return ""
        return f"The stored key of {spec.label} was entered for another address than the one {spec.label} has now"

    def is_another_s(self, spec: ProviderSpec, profile: str) -> bool:
        """Whether a profile's variable is the one of another provider's key: apiframe's `v2` and apiframe_v2's own."""
        if profile == "default":
            return False
        return variables(spec, profile)[0] in {variable(name, "API_KEY") for name in {*BUILT_IN, *self._specs}}

    def _foreign(self, spec: ProviderSpec) -> bool:
        """Whether a page has given the provider an address that its keys in the environment were never meant for."""
        if not spec.base_url or self._settings.address_source(spec) != "settings":
            return False
        try:
            return origin_of(self._settings.base_url(spec)) != origin_of(spec.base_url)
        except ConfigError:  # nothing is sent to an address that makes no sense
            return False

    def _kept(self, provider: str, profile: str) -> str | None:
        kept = self._store(provider, profile) if self._store else None
        if kept is None:
            return None
        try:
            return kept.value if kept.is_for(self._settings.base_url(self._specs[provider])) else None
        except ConfigError:
            return None
