"""Which provider does a request: what a graph names, held against what this machine has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ..config.allowed_models import UnknownModel, counted_usd
from ..config.caps import Caps
from ..config.settings import Settings
from ..errors import ConfigError, Impossible, NanoBananaError
from ..keys.resolver import KeyLookup, KeyResolver
from ..keys.sources import Key, variables
from ..providers import BUILT_IN
from ..providers.spec import Model, ProviderSpec
from ..request import Request
from .choice import AUTO, RECOMMENDED, ProviderChoice, problem_with
from .negotiate import negotiate
from .plan import Candidate, Plan, Target, Terms
from .successor import GoneId, current, notice


class ProviderResolver:
    """The providers of this machine: rows, settings and keys as they are now."""

    def __init__(
        self,
        settings: Settings,
        specs: Mapping[str, ProviderSpec] | None = None,
        store: KeyLookup | None = None,
        local_address: Callable[[], str] | None = None,
        mistakes: Sequence[str] = (),
        *,
        gone: Collection[GoneId] = frozenset(),
    ) -> None:
        """`mistakes`: what is wrong with the user's own rows, told where one of them is looked for in vain. `gone`: models
        that a provider is known to have dropped: their successors are asked."""
        self._mistakes, self._gone = tuple(mistakes), gone
        self.settings = settings
        self.specs = BUILT_IN if specs is None else specs
        self.keys = KeyResolver(settings, self.specs, store)
        self._local = local_address

    def check(self, choice: ProviderChoice) -> None:
        """Refuses a choice that can't work on this machine whatever is asked. Raises ConfigError or Impossible."""
        for link in choice.chain():
            self._check_link(link)

    def _check_link(self, choice: ProviderChoice) -> None:
        problem = problem_with(choice)
        if problem:
            raise Impossible(problem)
        if choice.provider != AUTO:
            spec = self._spec(choice.provider)
            _named_model(spec, choice)
            if self.keys.key(spec, choice.profile) is None and spec.needs_key:
                if choice.profile != "default" or not self.settings.substitutes:
                    raise self.no_key(spec, choice.profile)
            else:
                self._address(spec)

    def plan(self, choice: ProviderChoice | None, requests: Sequence[Request]) -> Plan:
        """Who does `requests`, first choice first. Raises ConfigError or Impossible when nobody can."""
        notices: list[str] = []
        targets: list[Candidate] = []
        looked: list[Candidate] = []
        refusal: UnknownModel | None = None
        first = True
        for link in (choice or ProviderChoice()).chain():
            try:
                found, *others = self._resolve(link, requests, notices)
                looked += others
                unknown = self._unknown_model(found[0])
                refusal = refusal or unknown
                if unknown and not first:
                    looked.append(found)  # its pictures may be here
                    raise unknown
                if all(_identity(found[0]) != _identity(target) for target, _ in targets):
                    targets.append(found)
            except NanoBananaError as error:
                if first:
                    raise
                notices.append(f"The fallback {link.provider} was skipped: {error.reason}")
            first = False
        settings = self.settings
        free = all(target.spec.local for target, _ in targets)
        terms = Terms(Caps() if free else settings.caps, settings.resends, settings.project)
        return Plan(tuple(targets), tuple(notices), tuple(looked), terms, refusal)

    def target_of(self, provider: str, profile: str, address: str, wire: str = "") -> Target | None:
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
            models = [m for m in spec.models if wire in {offer.model_id for offer in (m.generate, m.edit) if offer}]
            return self._target(spec, (models or list(spec.models))[0], key, ProviderChoice(provider, profile=profile))
        except ConfigError:
            return None

    def ids(self) -> list[str]:
        """Every provider in the order of `auto`, the local one last."""
        return [*(spec.id for spec in self._ordered()), *(spec.id for spec in self.specs.values() if spec.local)]

    def with_keys(self) -> list[str]:
        """Ids of the providers that have a usable default key, in the order of `auto`."""
        return [spec.id for spec in self._ordered() if self._usable(spec)]

    def no_key(self, spec: ProviderSpec, profile: str) -> ConfigError:
        """Why a provider can't be used, and every way out."""
        elsewhere = self.keys.elsewhere(spec, profile)
        if elsewhere:
            return ConfigError(elsewhere, cure="Enter it again in Settings > Nano Banana for the new address")
        others = [name for name in self.with_keys() if name != spec.id]
        here = f" Keys are here for: {', '.join(others)}." if others else ""
        named = "" if profile == "default" else f" with the profile {profile}"
        place = f"the environment variable {variables(spec, profile)[0]} and restart ComfyUI, or into "
        if self.keys.is_another_s(spec, profile):
            place = ""
        return ConfigError(
            f"There is no key for {spec.label}{named} on this machine",
            cure=f"Put it into {place}Settings > Nano Banana; or choose the provider offline, which is free.{here}",
        )

    def target(self, spec: ProviderSpec, profile: str) -> Target:
        """A provider with its key as it would be used, whatever is asked. Raises ConfigError."""
        model = spec.model(RECOMMENDED) or spec.models[0]
        return self._target(spec, model, self.keys.key(spec, profile), ProviderChoice(spec.id, profile=profile))

    def offers(self, choice: ProviderChoice, requests: Sequence[Request]) -> list[tuple[ProviderSpec, Candidate | str]]:
        """What each provider with a key would make of `requests` with the same family of model: its fits, or why not."""
        if choice.provider == AUTO:
            family, _ = self._family(choice.model)
        else:
            family = _named_model(self._spec(choice.provider), choice).family if choice.model != RECOMMENDED else ""
        found: list[tuple[ProviderSpec, Candidate | str]] = []
        for spec in self._ordered():
            if not self._usable(spec):
                continue
            named = ProviderChoice(spec.id, choice.model)
            try:
                asked = self._asked(spec, self.keys.key(spec, "default"), named, family, requests)
                found.append((spec, asked if isinstance(asked, str) else self._current(asked, requests)[0]))
            except NanoBananaError as error:
                found.append((spec, error.reason))
        return found

    # ------------------------------------------------------------------------------------------------ inside

    def _resolve(self, choice: ProviderChoice, requests: Sequence[Request], notices: list[str]) -> list[Candidate]:
        """Who does it, and, where nobody was named, the others who could."""
        problem = problem_with(choice)
        if problem:
            raise Impossible(problem)
        if choice.provider == AUTO:
            family, gone = self._family(choice.model)
            notices.extend(gone)
            return self._automatic(choice, requests, family, notices)
        spec = self._spec(choice.provider)
        model = _named_model(spec, choice)
        notices.extend(_retired(spec, model, choice))
        key = self.keys.key(spec, choice.profile)
        if key is None and spec.needs_key:
            if choice.profile != "default" or not self.settings.substitutes:
                raise self.no_key(spec, choice.profile)
            found = self._automatic(choice, requests, model.family, notices)
            used = found[0][0]
            notices.append(
                f"{spec.label} has no key on this machine: {used.spec.label} ({used.model.name}) was used instead"
            )
            return found
        target = self._target(spec, model, key, choice)
        override = choice.model_override
        usd = None if not override or self._unknown_model(target) else counted_usd(spec, override, self.settings)
        asked = target, tuple(negotiate(request, spec, model, override, usd) for request in requests)
        return self._current(asked, requests, notices)

    def _unknown_model(self, target: Target) -> UnknownModel | None:
        """Why a target may not be sent anything: nobody has described or allowed the id in `model_override`."""
        try:
            if target.override:
                counted_usd(target.spec, target.override, self.settings)
        except UnknownModel as error:
            return error
        return None

    def _current(
        self, asked: Candidate, requests: Sequence[Request], notices: list[str] | None = None
    ) -> list[Candidate]:
        """Who is asked, and the model before it whose id is gone; the change is told in `notices`. Raises Impossible."""
        found = current(asked, requests, self._gone)
        if notices is not None and len(found) > 1:
            notices.append(notice(asked, found[0]))
        return found

    def _automatic(
        self, choice: ProviderChoice, requests: Sequence[Request], family: str, notices: list[str]
    ) -> list[Candidate]:
        """The providers that have a key and can do all of it, in the user's order; `family` "" = any model.

        One whose key or address makes no sense is passed over, with a notice.
        """
        reasons: list[str] = []
        broken: list[str] = []
        able: list[Candidate] = []
        absent: list[Candidate] = []
        for spec in self._ordered():
            try:
                key = self.keys.key(spec, choice.profile, named=False)
                if key is None and spec.needs_key:
                    absent += self._without_key(spec, choice, family, requests)
                    continue
                asked = self._asked(spec, key, choice, family, requests)
                if isinstance(asked, str):
                    reasons.append(asked)
                else:
                    able += self._current(asked, requests, None if able else notices)
            except NanoBananaError as error:
                if error.kind == "impossible" and not requests[0].prompt.strip():
                    raise
                reasons.append(error.reason)
                if error.kind == "config":
                    broken.append(f"{spec.label} was passed over: {error.reason}")
                    absent += self._without_key(spec, choice, family, requests)
        if able:
            notices.extend(broken)
            return [*able, *absent]
        if reasons:
            raise Impossible(
                "No provider with a key on this machine can do this: " + " ".join(reasons),
                cure="Change the request, or add a key for another provider",
            )
        names = ", ".join(spec.label for spec in self._ordered() if spec.needs_key)
        example = next((variables(spec)[0] for spec in self._ordered() if spec.needs_key), "")
        profile = "" if choice.profile == "default" else f" with the profile {choice.profile}"
        raise ConfigError(
            f"No provider has a key on this machine{profile}",
            cure=f"Put one into the environment, for example {example}, and restart ComfyUI, or into Settings > Nano Banana "
            f"(providers: {names}); or connect a ProviderConfig set to offline, which is free",
        )

    def _without_key(
        self, spec: ProviderSpec, choice: ProviderChoice, family: str, requests: Sequence[Request]
    ) -> list[Candidate]:
        """What a provider that can't be asked now would make of `requests`: it may have made them while its key was here."""
        try:
            asked = self._asked(spec, None, choice, family, requests)
        except NanoBananaError:
            return []
        return [] if isinstance(asked, str) else [asked]

    def _asked(
        self, spec: ProviderSpec, key: Key | None, choice: ProviderChoice, family: str, requests: Sequence[Request]
    ) -> Candidate | str:
        """What a provider that nobody named makes of `requests`, or that it has no model of the family. Raises Impossible."""
        model = spec.model_of_family(family, choice.model) if family else spec.model(RECOMMENDED)
        if model is None:
            return f"{spec.label} has no such model"
        target = self._target(spec, model, key, choice, override="")
        return target, tuple(negotiate(request, spec, model) for request in requests)

    def _family(self, name: str) -> tuple[str, tuple[str, ...]]:
        """What a model name means where no provider is named, "" for `recommended`; and what to say about it."""
        if name == RECOMMENDED:
            return "", ()
        # The local row has the names as Google uses them; elsewhere one may mean another model.
        specs = [*sorted(BUILT_IN.values(), key=lambda spec: not spec.local), *self.specs.values()]
        for spec in specs:
            model = spec.model(name)
            if model:
                return model.family, ()
        for spec in specs:
            model = spec.model(spec.retired.get(name, ""))
            if model:
                return model.family, (f"The model {name} has been retired: {model.name} takes its place",)
        raise Impossible(f"The model {name[:60]} is not known here", cure=f"Choose {RECOMMENDED} or another model")

    def _target(
        self, spec: ProviderSpec, model: Model, key: Key | None, choice: ProviderChoice, override: str | None = None
    ) -> Target:
        own = min(spec.max_parallel, self.settings.parallel or spec.max_parallel)
        return Target(
            spec,
            model,
            self._address(spec),
            key,
            choice.profile,
            choice.timeout,
            min(own, choice.max_parallel or own),
            choice.model_override if override is None else override,
            self.settings.form(spec),
            self.settings.proxy or spec.proxy,
            self.settings.ca_bundle or spec.ca_bundle,
        )

    def _spec(self, name: str) -> ProviderSpec:
        if name not in self.specs:
            raise Impossible(
                f"The provider {name[:40]} is not known here",
                cure=". ".join((f"Known are: {', '.join((AUTO, *self.specs))}", *self._mistakes)),
            )
        return self.specs[name]

    def _address(self, spec: ProviderSpec) -> str:
        if spec.local:
            if self._local is None:
                raise ConfigError("The offline provider can't be started here")
            return self._local()
        return self.settings.base_url(spec)

    def _usable(self, spec: ProviderSpec) -> bool:
        try:
            return self.keys.key(spec, "default", named=False) is not None and bool(self.settings.base_url(spec))
        except ConfigError:
            return False

    def _ordered(self) -> list[ProviderSpec]:
        """Every provider but the local one, the user's order first."""
        specs = [spec for spec in self.specs.values() if not spec.local]
        wanted = self.settings.order
        return sorted(specs, key=lambda spec: wanted.index(spec.id) if spec.id in wanted else len(wanted))


def _identity(target: Target) -> tuple[str, ...]:
    return target.spec.id, target.model.name, target.profile, target.override


def _named_model(spec: ProviderSpec, choice: ProviderChoice) -> Model:
    """The model that a choice names, or the one that took its place. Raises Impossible."""
    model = spec.model(choice.model) or spec.model(spec.retired.get(choice.model, choice.model))
    if model is None:
        raise Impossible(
            f"{spec.label} has no model {choice.model[:60]}",
            cure=f"It has: {RECOMMENDED}, {', '.join(model.name for model in spec.models)}",
        )
    return model


def _retired(spec: ProviderSpec, model: Model, choice: ProviderChoice) -> list[str]:
    """What to say about a name or a wire id that the provider has retired."""
    notices = []
    if choice.model in spec.retired and spec.model(choice.model) is None and not choice.model_override:
        notices.append(f"{spec.label} has retired {choice.model}: {model.name} takes its place")
    successor = spec.model(spec.retired.get(choice.model_override, ""))
    if choice.model_override and successor:
        wires = [offer.model_id for offer in (successor.generate, successor.edit) if offer]
        notices.append(
            f"model_override {choice.model_override} is an id that has been retired at {spec.label}. It was sent all the "
            f"same; {wires[0]} took its place: choose the model {successor.name} and leave model_override empty"
        )
    return notices
