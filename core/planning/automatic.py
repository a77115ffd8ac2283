"""Finds the providers that can do a request where the graph names none."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import ConfigError, Impossible, NanoBananaError
from ..errors.messages import concat, listed, msg
from ..keys.sources import Key, variables
from ..providers.spec import ProviderSpec
from ..request import Request
from .choice import RECOMMENDED, ProviderChoice
from .negotiate import negotiate
from .plan import Candidate
from .successor import GoneId, successor_notice, with_successors
from .targets import Targets


class AutomaticChoice:
    """For the same `requests`, of one family of models."""

    def __init__(
        self, targets: Targets, requests: Sequence[Request], family: str, gone: Collection[GoneId] = frozenset()
    ) -> None:
        """`family`: "" = the recommended model of each provider. `gone`: models whose successors are asked instead."""
        self._targets, self._requests, self._family, self._gone = targets, requests, family, gone

    def choose(self, choice: ProviderChoice, notices: list[str]) -> list[Candidate]:
        """The providers that can do all of it: those with a key in the user's order, then those without one.

        One whose key or address is invalid is left out, with a notice. Raises ConfigError or Impossible.
        """
        reasons: list[str] = []
        invalid: list[str] = []
        able: list[Candidate] = []
        without_key: list[Candidate] = []
        for spec in self._targets.ordered():
            try:
                key = self._targets.keys.key(spec, choice.profile, named=False)
                if key is None and spec.needs_key:
                    without_key += self._without_key(spec, choice)
                    continue
                candidate = self._candidate(spec, key, choice)
                if isinstance(candidate, str):
                    reasons.append(candidate)
                    continue
                chain = with_successors(candidate, self._requests, self._gone)
                if len(chain) > 1 and not able:
                    notices.append(successor_notice(candidate, chain[0]))
                able += chain
            except NanoBananaError as error:
                if error.kind == "input":  # no other provider can do it either
                    raise
                reasons.append(error.reason)
                if error.kind == "config":
                    invalid.append(msg("automatic.provider_passed_over", provider=spec.label, reason=error.reason))
                    without_key += self._without_key(spec, choice)
        if able:
            notices.extend(invalid)
            return [*able, *without_key]
        if reasons:
            raise Impossible(
                concat(msg("automatic.no_provider_can_do_this"), listed(" ", reasons)),
                cure=msg("automatic.change_request_or_add_key"),
            )
        raise self._no_key_error(choice.profile)

    def _candidate(self, spec: ProviderSpec, key: Key | None, choice: ProviderChoice) -> Candidate | str:
        """How a provider would do the requests, or that it has no model of the family. Raises Impossible."""
        model = spec.model_of_family(self._family, choice.model) if self._family else spec.model(RECOMMENDED)
        if model is None:
            return msg("automatic.has_no_such_model", provider=spec.label)
        target = self._targets.target(spec, model, key, choice)
        return Candidate(
            target, tuple(negotiate(each, spec, model, base_url=target.base_url) for each in self._requests)
        )

    def _without_key(self, spec: ProviderSpec, choice: ProviderChoice) -> list[Candidate]:
        """A provider that can't be asked now: it may have made the pictures while its key was here."""
        try:
            candidate = self._candidate(spec, None, choice)
        except NanoBananaError:
            return []
        return [] if isinstance(candidate, str) else [candidate]

    def _no_key_error(self, profile: str) -> ConfigError:
        with_keys = [spec for spec in self._targets.ordered() if spec.needs_key]
        names = ", ".join(spec.label for spec in with_keys)
        example = variables(with_keys[0])[0] if with_keys else ""
        profile_text = "" if profile == "default" else msg("automatic.with_profile", profile=profile)
        return ConfigError(
            msg("automatic.no_provider_has_key", profile_text=profile_text),
            cure=msg("automatic.where_to_put_key", example=example, names=names),
        )
