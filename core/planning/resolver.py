"""Which provider does a request: what a graph names, held against what this machine has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ..config.allowed_models import UnknownModel, counted_usd
from ..config.settings import Settings
from ..errors import ConfigError, Impossible, NanoBananaError
from ..keys.resolver import KeyLookup, KeyRing
from ..keys.sources import Key, variables
from ..ledger.types import Caps
from ..providers import BUILT_IN
from ..providers.spec import Model, Provider
from ..request import Request
from .choice import AUTO, RECOMMENDED, ProviderChoice, problem_with
from .negotiate import fit
from .plan import Asked, Plan, Target, Terms
from .successor import GoneId, current, notice


class Shelf:
    """The providers of this machine: rows, settings and keys as they are now."""

    def __init__(
        self,
        settings: Settings,
        rows: Mapping[str, Provider] | None = None,
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
        self.rows = BUILT_IN if rows is None else rows
        self.keys = KeyRing(settings, self.rows, store)
        self._local = local_address

    def check(self, choice: ProviderChoice) -> None:
        """Refuses a choice that can't work on this machine whatever is asked. Raises ConfigError or Impossible."""
        for link in choice.chain():
            self._check_link(link)

    def _check_link(self, choice: ProviderChoice) -> None:
        problem = problem_with(choice)
        if problem:
            raise Impossible(problem, kind="impossible")
        if choice.provider != AUTO:
            row = self._row(choice.provider)
            _named_model(row, choice)
            if self.keys.key(row, choice.profile) is None and row.needs_key:
                if choice.profile != "default" or not self.settings.substitutes:
                    raise self.no_key(row, choice.profile)
            else:
                self._address(row)

    def plan(self, choice: ProviderChoice | None, requests: Sequence[Request]) -> Plan:
        """Who does `requests`, first choice first. Raises ConfigError or Impossible when nobody can."""
        notices: list[str] = []
        targets: list[Asked] = []
        looked: list[Asked] = []
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
        free = all(target.row.local for target, _ in targets)
        terms = Terms(Caps() if free else settings.caps, settings.resends, settings.project)
        return Plan(tuple(targets), tuple(notices), tuple(looked), terms, refusal)

    def target_of(self, provider: str, profile: str, address: str, wire: str = "") -> Target | None:
        """The target that can go on with a call made earlier; None when its key or its address is not here any more.

        A key goes to the address it was used at and nowhere else. The local simulator forgets its tasks with the process.
        """
        row = self.rows.get(provider)
        if row is None or row.local:
            return None
        try:
            key = self.keys.key(row, profile)
            if (key is None and row.needs_key) or self.settings.base_url(row) != address:
                return None
            models = [m for m in row.models if wire in {offer.wire for offer in (m.generate, m.edit) if offer}]
            return self._target(row, (models or list(row.models))[0], key, ProviderChoice(provider, profile=profile))
        except ConfigError:
            return None

    def ids(self) -> list[str]:
        """Every provider in the order of `auto`, the local one last."""
        return [*(row.id for row in self._ordered()), *(row.id for row in self.rows.values() if row.local)]

    def with_keys(self) -> list[str]:
        """Ids of the providers that have a usable default key, in the order of `auto`."""
        return [row.id for row in self._ordered() if self._usable(row)]

    def no_key(self, row: Provider, profile: str) -> ConfigError:
        """Why a provider can't be used, and every way out."""
        elsewhere = self.keys.elsewhere(row, profile)
        if elsewhere:
            return ConfigError(
                elsewhere, cure="Enter it again in Settings > Nano Banana for the new address", kind="config"
            )
        others = [name for name in self.with_keys() if name != row.id]
        here = f" Keys are here for: {', '.join(others)}." if others else ""
        named = "" if profile == "default" else f" with the profile {profile}"
        place = f"the environment variable {variables(row, profile)[0]} and restart ComfyUI, or into "
        if self.keys.is_another_s(row, profile):
            place = ""
        return ConfigError(
            f"There is no key for {row.label}{named} on this machine",
            cure=f"Put it into {place}Settings > Nano Banana; or choose the provider offline, which is free.{here}",
            kind="config",
        )

    def target(self, row: Provider, profile: str) -> Target:
        """A provider with its key as it would be used, whatever is asked. Raises ConfigError."""
        model = row.model(RECOMMENDED) or row.models[0]
        return self._target(row, model, self.keys.key(row, profile), ProviderChoice(row.id, profile=profile))

    def offers(self, choice: ProviderChoice, requests: Sequence[Request]) -> list[tuple[Provider, Asked | str]]:
        """What each provider with a key would make of `requests` with the same family of model: its fits, or why not."""
        if choice.provider == AUTO:
            family, _ = self._family(choice.model)
        else:
            family = _named_model(self._row(choice.provider), choice).family if choice.model != RECOMMENDED else ""
        found: list[tuple[Provider, Asked | str]] = []
        for row in self._ordered():
            if not self._usable(row):
                continue
            named = ProviderChoice(row.id, choice.model)
            try:
                asked = self._asked(row, self.keys.key(row, "default"), named, family, requests)
                found.append((row, asked if isinstance(asked, str) else self._current(asked, requests)[0]))
            except NanoBananaError as error:
                found.append((row, error.reason))
        return found

    # ------------------------------------------------------------------------------------------------ inside

    def _resolve(self, choice: ProviderChoice, requests: Sequence[Request], notices: list[str]) -> list[Asked]:
        """Who does it, and, where nobody was named, the others who could."""
        problem = problem_with(choice)
        if problem:
            raise Impossible(problem, kind="impossible")
        if choice.provider == AUTO:
            family, gone = self._family(choice.model)
            notices.extend(gone)
            return self._automatic(choice, requests, family, notices)
        row = self._row(choice.provider)
        model = _named_model(row, choice)
        notices.extend(_retired(row, model, choice))
        key = self.keys.key(row, choice.profile)
        if key is None and row.needs_key:
            if choice.profile != "default" or not self.settings.substitutes:
                raise self.no_key(row, choice.profile)
            found = self._automatic(choice, requests, model.family, notices)
            used = found[0][0]
            notices.append(
                f"{row.label} has no key on this machine: {used.row.label} ({used.model.name}) was used instead"
            )
            return found
        target = self._target(row, model, key, choice)
        override = choice.model_override
        usd = None if not override or self._unknown_model(target) else counted_usd(row, override, self.settings)
        asked = target, tuple(fit(request, row, model, override, usd) for request in requests)
        return self._current(asked, requests, notices)

    def _unknown_model(self, target: Target) -> UnknownModel | None:
        """Why a target may not be sent anything: nobody has described or allowed the id in `model_override`."""
        try:
            if target.override:
                counted_usd(target.row, target.override, self.settings)
        except UnknownModel as error:
            return error
        return None

    def _current(self, asked: Asked, requests: Sequence[Request], notices: list[str] | None = None) -> list[Asked]:
        """Who is asked, and the model before it whose id is gone; the change is told in `notices`. Raises Impossible."""
        found = current(asked, requests, self._gone)
        if notices is not None and len(found) > 1:
            notices.append(notice(asked, found[0]))
        return found

    def _automatic(
        self, choice: ProviderChoice, requests: Sequence[Request], family: str, notices: list[str]
    ) -> list[Asked]:
        """The providers that have a key and can do all of it, in the user's order; `family` "" = any model.

        One whose key or address makes no sense is passed over, with a notice.
        """
        reasons: list[str] = []
        broken: list[str] = []
        able: list[Asked] = []
        absent: list[Asked] = []
        for row in self._ordered():
            try:
                key = self.keys.key(row, choice.profile, named=False)
                if key is None and row.needs_key:
                    absent += self._without_key(row, choice, family, requests)
                    continue
                asked = self._asked(row, key, choice, family, requests)
                if isinstance(asked, str):
                    reasons.append(asked)
                else:
                    able += self._current(asked, requests, None if able else notices)
            except NanoBananaError as error:
                if error.kind == "impossible" and not requests[0].prompt.strip():
                    raise
                reasons.append(error.reason)
                if error.kind == "config":
                    broken.append(f"{row.label} was passed over: {error.reason}")
                    absent += self._without_key(row, choice, family, requests)
        if able:
            notices.extend(broken)
            return [*able, *absent]
        if reasons:
            raise Impossible(
                "No provider with a key on this machine can do this: " + " ".join(reasons),
                cure="Change the request, or add a key for another provider",
                kind="impossible",
            )
        names = ", ".join(row.label for row in self._ordered() if row.needs_key)
        example = next((variables(row)[0] for row in self._ordered() if row.needs_key), "")
        profile = "" if choice.profile == "default" else f" with the profile {choice.profile}"
        raise ConfigError(
            f"No provider has a key on this machine{profile}",
            cure=f"Put one into the environment, for example {example}, and restart ComfyUI, or into Settings > Nano Banana "
            f"(providers: {names}); or connect a ProviderConfig set to offline, which is free",
            kind="config",
        )

    def _without_key(
        self, row: Provider, choice: ProviderChoice, family: str, requests: Sequence[Request]
    ) -> list[Asked]:
        """What a provider that can't be asked now would make of `requests`: it may have made them while its key was here."""
        try:
            asked = self._asked(row, None, choice, family, requests)
        except NanoBananaError:
            return []
        return [] if isinstance(asked, str) else [asked]

    def _asked(
        self, row: Provider, key: Key | None, choice: ProviderChoice, family: str, requests: Sequence[Request]
    ) -> Asked | str:
        """What a provider that nobody named makes of `requests`, or that it has no model of the family. Raises Impossible."""
        model = row.of_family(family, choice.model) if family else row.model(RECOMMENDED)
        if model is None:
            return f"{row.label} has no such model"
        target = self._target(row, model, key, choice, override="")
        return target, tuple(fit(request, row, model) for request in requests)

    def _family(self, name: str) -> tuple[str, tuple[str, ...]]:
        """What a model name means where no provider is named, "" for `recommended`; and what to say about it."""
        if name == RECOMMENDED:
            return "", ()
        # The local row has the names as Google uses them; elsewhere one may mean another model.
        rows = [*sorted(BUILT_IN.values(), key=lambda row: not row.local), *self.rows.values()]
        for row in rows:
            model = row.model(name)
            if model:
                return model.family, ()
        for row in rows:
            model = row.model(row.retired.get(name, ""))
            if model:
                return model.family, (f"The model {name} has been retired: {model.name} takes its place",)
        raise Impossible(
            f"The model {name[:60]} is not known here", cure=f"Choose {RECOMMENDED} or another model", kind="impossible"
        )

    def _target(
        self, row: Provider, model: Model, key: Key | None, choice: ProviderChoice, override: str | None = None
    ) -> Target:
        own = min(row.max_parallel, self.settings.parallel or row.max_parallel)
        return Target(
            row,
            model,
            self._address(row),
            key,
            choice.profile,
            choice.timeout,
            min(own, choice.max_parallel or own),
            choice.model_override if override is None else override,
            self.settings.form(row),
            self.settings.proxy or row.proxy,
            self.settings.ca_bundle or row.ca_bundle,
        )

    def _row(self, name: str) -> Provider:
        if name not in self.rows:
            raise Impossible(
                f"The provider {name[:40]} is not known here",
                cure=". ".join((f"Known are: {', '.join((AUTO, *self.rows))}", *self._mistakes)),
                kind="impossible",
            )
        return self.rows[name]

    def _address(self, row: Provider) -> str:
        if row.local:
            if self._local is None:
                raise ConfigError("The offline provider can't be started here", kind="config")
            return self._local()
        return self.settings.base_url(row)

    def _usable(self, row: Provider) -> bool:
        try:
            return self.keys.key(row, "default", named=False) is not None and bool(self.settings.base_url(row))
        except ConfigError:
            return False

    def _ordered(self) -> list[Provider]:
        """Every provider but the local one, the user's order first."""
        rows = [row for row in self.rows.values() if not row.local]
        wanted = self.settings.order
        return sorted(rows, key=lambda row: wanted.index(row.id) if row.id in wanted else len(wanted))


def _identity(target: Target) -> tuple[str, ...]:
    return target.row.id, target.model.name, target.profile, target.override


def _named_model(row: Provider, choice: ProviderChoice) -> Model:
    """The model that a choice names, or the one that took its place. Raises Impossible."""
    model = row.model(choice.model) or row.model(row.retired.get(choice.model, choice.model))
    if model is None:
        raise Impossible(
            f"{row.label} has no model {choice.model[:60]}",
            cure=f"It has: {RECOMMENDED}, {', '.join(model.name for model in row.models)}",
            kind="impossible",
        )
    return model


def _retired(row: Provider, model: Model, choice: ProviderChoice) -> list[str]:
    """What to say about a name or a wire id that the provider has retired."""
    notices = []
    if choice.model in row.retired and row.model(choice.model) is None and not choice.model_override:
        notices.append(f"{row.label} has retired {choice.model}: {model.name} takes its place")
    successor = row.model(row.retired.get(choice.model_override, ""))
    if choice.model_override and successor:
        wires = [offer.wire for offer in (successor.generate, successor.edit) if offer]
        notices.append(
            f"model_override {choice.model_override} is an id that has been retired at {row.label}. It was sent all the "
            f"same; {wires[0]} took its place: choose the model {successor.name} and leave model_override empty"
        )
    return notices
