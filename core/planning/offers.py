"""What every provider would take for the same requests, with each of its models: for a person who chooses one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import NanoBananaError
from ..errors.messages import msg
from ..providers.spec import Model, ProviderSpec
from ..request import Request
from .choice import RECOMMENDED
from .negotiate import ResolvedRequest, negotiate


@dataclass(frozen=True)
class ModelOffer:
    """The requests as one model would get them, or why it can't do them."""

    model: Model
    resolved: tuple[ResolvedRequest, ...]
    problem: str = ""


@dataclass(frozen=True)
class ProviderOffer:
    """One provider with its models."""

    spec: ProviderSpec
    usable: bool
    """Whether it could be asked now: it needs no key, or has one and a valid address."""
    preferred: Model | None
    """Its model of the kind that is asked for; None where it has none."""
    models: tuple[ModelOffer, ...]

    @property
    def problem(self) -> str:
        """Why it can't do the requests with the kind of model that is asked for; "" where it can."""
        if self.preferred is None:
            return msg("automatic.has_no_such_model", provider=self.spec.label)
        return next((offer.problem for offer in self.models if offer.model is self.preferred), "")


def provider_offer(
    spec: ProviderSpec, usable: bool, family: str, name: str, requests: Sequence[Request]
) -> ProviderOffer:
    """`family`: of the models that is asked for, "" = the recommended one of each provider. `name`: the preferred one of it."""
    preferred = spec.model_of_family(family, name) if family else spec.model(RECOMMENDED)
    models = (model for model in spec.models if model.capabilities(requests[0].operation))
    return ProviderOffer(spec, usable, preferred, tuple(_model_offer(spec, model, requests) for model in models))


def _model_offer(spec: ProviderSpec, model: Model, requests: Sequence[Request]) -> ModelOffer:
    try:
        return ModelOffer(model, tuple(negotiate(request, spec, model) for request in requests))
    except NanoBananaError as error:
        return ModelOffer(model, (), error.reason)
