"""Targets on this machine: each provider with its address, its key and the limits of the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..config.settings import Settings
from ..errors import ConfigError, Impossible
from ..errors.messages import msg
from ..keys.resolver import KeyResolver
from ..keys.sources import Key, variables
from ..providers.spec import Model, ProviderSpec
from .choice import AUTO, ProviderChoice
from .plan import Target


class Targets:
    """Settings, provider specs and keys as they are now."""

    def __init__(
        self,
        settings: Settings,
        specs: Mapping[str, ProviderSpec],
        keys: KeyResolver,
        local_address: Callable[[], str] | None = None,
        file_errors: Sequence[str] = (),
    ) -> None:
        """`file_errors`: what is wrong in providers.yaml; part of the error where a provider isn't found."""
        self.settings, self.specs, self.keys = settings, specs, keys
        self._local, self._file_errors = local_address, tuple(file_errors)

    def spec(self, provider: str) -> ProviderSpec:
        """The spec of a provider by its id. Raises Impossible."""
        if provider not in self.specs:
            cure = msg("targets.known_providers", providers=", ".join((AUTO, *self.specs)))
            for error in self._file_errors:
                cure = cure + ". " + error
            raise Impossible(msg("targets.unknown_provider", provider=provider[:40]), cure=cure)
        return self.specs[provider]

    def target(
        self, spec: ProviderSpec, model: Model, key: Key | None, choice: ProviderChoice, override: str = ""
    ) -> Target:
        """`spec` as it would be asked. `override`: the model id that is sent instead of the model's. Raises ConfigError."""
        limit = min(spec.max_parallel, self.settings.parallel or spec.max_parallel)
        return Target(
            spec,
            model,
            self.base_url(spec),
            key,
            choice.profile,
            choice.timeout,
            min(limit, choice.max_parallel or limit),
            override,
            self.settings.api_variant(spec),
            self.settings.proxy or spec.proxy,
            self.settings.ca_bundle or spec.ca_bundle,
        )

    def base_url(self, spec: ProviderSpec) -> str:
        """Its address on this machine. Starts the local simulator where it is asked for. Raises ConfigError."""
        if spec.local:
            if self._local is None:
                raise ConfigError(msg("targets.offline_not_started"))
            return self._local()
        return self.settings.base_url(spec)

    def is_usable(self, spec: ProviderSpec) -> bool:
        """Whether the provider has a default key and a valid address."""
        try:
            return self.keys.key(spec, "default", named=False) is not None and bool(self.settings.base_url(spec))
        except ConfigError:
            return False

    def ordered(self) -> list[ProviderSpec]:
        """Every provider but the local one, in the order of `auto`: the user's order first."""
        specs = [spec for spec in self.specs.values() if not spec.local]
        order = self.settings.order
        return sorted(specs, key=lambda spec: order.index(spec.id) if spec.id in order else len(order))

    def missing_key_error(self, spec: ProviderSpec, profile: str) -> ConfigError:
        """The error for a provider without a key, with every way to give it one."""
        bound_elsewhere = self.keys.unused_reason(spec, profile)
        if bound_elsewhere:
            return ConfigError(bound_elsewhere, cure=msg("targets.enter_key_again"))
        others = [each.id for each in self.ordered() if each.id != spec.id and self.is_usable(each)]
        others_text = msg("targets.keys_found_for", others=", ".join(others)) if others else ""
        profile_text = "" if profile == "default" else msg("targets.with_profile", profile=profile)
        where = msg("targets.environment_variable_or", variables=variables(spec, profile)[0])
        if self.keys.collides_with_other_provider(spec, profile):
            where = ""
        return ConfigError(
            msg("targets.no_key", provider=spec.label, profile_text=profile_text),
            cure=msg("targets.where_to_put_key", where=where, others_text=others_text),
        )
