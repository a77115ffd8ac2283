"""Resolves a graph's choice of providers on this machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from ..config.allowed_models import UnknownModel, counted_usd
from ..config.caps import Caps
from ..config.settings import Settings
from ..errors import ConfigError, Impossible, NanoBananaError
from ..errors.messages import msg
from ..keys.resolver import KeyLookup, KeyResolver
from ..providers import BUILT_IN
from ..providers.spec import ProviderSpec
from ..request import Request
from .automatic import AutomaticChoice
from .choice import AUTO, RECOMMENDED, ProviderChoice, problem_with
from .model_choice import family_of, model_of, retirement_notices
from .negotiate import negotiate
from .offers import ProviderOffer, provider_offer
from .plan import Candidate, Plan, Target, Terms
from .successor import GoneId, successor_notice, with_successors
from .targets import Targets


class ProviderResolver:
    """The providers of this machine: specs, settings and keys as they are now."""

    def __init__(
        self,
        settings: Settings,
        specs: Mapping[str, ProviderSpec] | None = None,
        store: KeyLookup | None = None,
        local_address: Callable[[], str] | None = None,
        file_errors: Sequence[str] = (),
        *,
        gone: Collection[GoneId] = frozenset(),
    ) -> None:
        """`file_errors`: what is wrong in providers.yaml; part of the error where a provider isn't found. `gone`:
        models that a provider no longer knows: their successors are asked."""
        self.settings, self._gone = settings, gone
        self.specs = BUILT_IN if specs is None else specs
        self.keys = KeyResolver(settings, self.specs, store)
        self._targets = Targets(settings, self.specs, self.keys, local_address, file_errors)

    def check(self, choice: ProviderChoice) -> None:
        """Refuses a choice that can't work on this machine, whatever is requested. Raises ConfigError or Impossible."""
        for link in choice.chain():
            problem = problem_with(link)
            if problem:
                raise Impossible(problem)
            if link.provider == AUTO:
                continue
            spec = self._targets.spec(link.provider)
            model_of(spec, link)
            if self.keys.key(spec, link.profile) is not None or not spec.needs_key:
                self._targets.base_url(spec)
            elif link.profile != "default" or not self.settings.substitutes:
                raise self.missing_key_error(spec, link.profile)

    def plan(self, choice: ProviderChoice | None, requests: Sequence[Request]) -> Plan:
        """Which providers do `requests`, first choice first. Raises ConfigError or Impossible when none can."""
        notices: list[str] = []
        targets: list[Candidate] = []
        store_only: list[Candidate] = []
        refusal: UnknownModel | None = None
        links = (choice or ProviderChoice()).chain()
        ordered = bool(requests) and requests[0].options.delivery == "batch"
        if ordered and len(links) > 1:
            del links[1:]
            notices.append(msg("resolver.no_fallback_for_batch"))
        for index, link in enumerate(links):
            try:
                found, *others = (self._order if ordered else self._resolve)(link, requests, notices)
                store_only += others
                unknown = self._unknown_model(found.target)
                refusal = refusal or unknown
                if unknown and index:
                    store_only.append(found)  # its pictures may be stored
                    raise unknown
                if all(_identity(found.target) != _identity(each.target) for each in targets):
                    targets.append(found)
            except NanoBananaError as error:
                if not index:
                    raise
                notices.append(msg("resolver.fallback_skipped", provider=link.provider, reason=error.reason))
        free = all(each.target.spec.local for each in targets)
        terms = Terms(Caps() if free else self.settings.caps, self.settings.resends, self.settings.project)
        return Plan(tuple(targets), tuple(notices), tuple(store_only), terms, refusal)

    def offers(self, choice: ProviderChoice, requests: Sequence[Request]) -> list[ProviderOffer]:
        """What each provider would take for `requests`, with the kind of model that `choice` names preferred."""
        try:
            if choice.provider == AUTO:
                family, _ = family_of(choice.model, self.specs.values())
            elif choice.model == RECOMMENDED:
                family = ""
            else:
                family = model_of(self._targets.spec(choice.provider), choice).family
        except NanoBananaError:  # a name that isn't known here
            family = ""
        local = [spec for spec in self.specs.values() if spec.local]
        return [
            provider_offer(
                spec, spec.local or self._targets.is_usable(spec), family, choice.model, requests, self._gone_at(spec)
            )
            for spec in (*self._targets.ordered(), *local)
        ]

    def _gone_at(self, spec: ProviderSpec) -> set[str]:
        """The wire ids that a provider no longer knows at its address."""
        ids = [gone for gone in self._gone if gone[0] == spec.id]
        if not ids:
            return set()
        try:
            address = self._targets.base_url(spec)
        except NanoBananaError:  # an address that can't be used: nothing was ever asked there
            return set()
        return {model_id for _, base_url, model_id in ids if base_url == address}

    def target(self, spec: ProviderSpec, profile: str) -> Target:
        """A provider with its key and its recommended model. Raises ConfigError."""
        model = spec.model(RECOMMENDED) or spec.models[0]
        return self._targets.target(spec, model, self.keys.key(spec, profile), ProviderChoice(spec.id, profile=profile))

    def resumable_target(self, provider: str, profile: str, address: str, model_id: str = "") -> Target | None:
        """The target that can go on with a call made earlier; None when its key or its address is not here any more.

        A key goes to the address it was used at and nowhere else. The local simulator forgets its tasks with the process.
        """
        spec = self.specs.get(provider)
        if spec is None or spec.local:
            return None
        try:
            key = self.keys.key(spec, profile)
            if (key is None and spec.needs_key) or self.settings.base_url(spec) != address:
                return None
            models = [m for m in spec.models if model_id in {each.model_id for each in (m.generate, m.edit) if each}]
            model = (models or list(spec.models))[0]
            return self._targets.target(spec, model, key, ProviderChoice(provider, profile=profile))
        except ConfigError:
            return None

    def ordered_ids(self) -> list[str]:
        """Every provider in the order of `auto`, the local one last."""
        local = [spec.id for spec in self.specs.values() if spec.local]
        return [*(spec.id for spec in self._targets.ordered()), *local]

    def with_keys(self) -> list[str]:
        """Ids of the providers that have a usable default key, in the order of `auto`."""
        return [spec.id for spec in self._targets.ordered() if self._targets.is_usable(spec)]

    def missing_key_error(self, spec: ProviderSpec, profile: str) -> ConfigError:
        """The error for a provider without a key, with every way to give it one."""
        return self._targets.missing_key_error(spec, profile)

    def _order(self, choice: ProviderChoice, requests: Sequence[Request], notices: list[str]) -> list[Candidate]:
        """The candidate that takes the requests as an order; then those that may have made the pictures before."""
        if choice.provider != AUTO:
            return self._resolve(choice, requests, notices)
        by_orders = next((spec for spec in self._targets.ordered() if spec.batch), None)
        if by_orders is None:
            return self._resolve(choice, requests, notices)
        family, _ = family_of(choice.model, self.specs.values())
        model = by_orders.model_of_family(family, choice.model) if family else by_orders.model(RECOMMENDED)
        named = replace(choice, provider=by_orders.id, model=model.name if model else choice.model)
        found = self._resolve(named, requests, notices)
        at_once = [replace(request, options=replace(request.options, delivery="now")) for request in requests]
        try:
            others = self._resolve(choice, at_once, [])
        except NanoBananaError:
            return found
        return [*found, *(each for each in others if each.target.spec.id != by_orders.id)]

    def _resolve(self, choice: ProviderChoice, requests: Sequence[Request], notices: list[str]) -> list[Candidate]:
        """The candidate for one choice. After it those that are not asked, but may have made the pictures before."""
        problem = problem_with(choice)
        if problem:
            raise Impossible(problem)
        if choice.provider == AUTO:
            family, family_notices = family_of(choice.model, self.specs.values())
            notices.extend(family_notices)
            return AutomaticChoice(self._targets, requests, family, self._gone).choose(choice, notices)
        spec = self._targets.spec(choice.provider)
        model = model_of(spec, choice)
        notices.extend(retirement_notices(spec, model, choice))
        key = self.keys.key(spec, choice.profile)
        if key is None and spec.needs_key:
            if choice.profile != "default" or not self.settings.substitutes:
                raise self.missing_key_error(spec, choice.profile)
            found = AutomaticChoice(self._targets, requests, model.family, self._gone).choose(choice, notices)
            used = found[0].target
            notices.append(
                msg(
                    "resolver.other_provider_used",
                    provider=spec.label,
                    used_provider=used.spec.label,
                    model=used.model.name,
                )
            )
            return found
        override = choice.model_override
        target = self._targets.target(spec, model, key, choice, override)
        usd = None if not override or self._unknown_model(target) else counted_usd(spec, override, self.settings)
        resolved = (negotiate(each, spec, model, override, usd, base_url=target.base_url) for each in requests)
        candidate = Candidate(target, tuple(resolved))
        chain = with_successors(candidate, requests, self._gone)
        if len(chain) > 1:
            notices.append(successor_notice(candidate, chain[0]))
        return chain

    def _unknown_model(self, target: Target) -> UnknownModel | None:
        """Why nothing may be sent to a target: the id in `model_override` is neither described nor allowed."""
        try:
            if target.override:
                counted_usd(target.spec, target.override, self.settings)
        except UnknownModel as error:
            return error
        return None


def _identity(target: Target) -> tuple[str, ...]:
    return target.spec.id, target.model.name, target.profile, target.override
