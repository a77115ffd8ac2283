"""What every provider would take for the same requests, with each of its models: for a person who chooses one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..errors import NanoBananaError
from ..errors.messages import msg
from ..providers.spec import Model, Operation, ProviderSpec
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
    spec: ProviderSpec, usable: bool, family: str, name: str, requests: Sequence[Request], gone: Collection[str] = ()
) -> ProviderOffer:
    """`family`: of the models that is asked for, "" = the recommended one of each provider. `name`: the preferred one of it.

    `gone`: wire ids that the provider no longer knows; their successors stand for them.
    """
    operation = requests[0].operation
    preferred = spec.model_of_family(family, name) if family else spec.model(RECOMMENDED)
    preferred = preferred and _known(spec, preferred, operation, gone)
    models = (
        model
        for model in spec.models
        if model.capabilities(operation) and _known(spec, model, operation, gone) is model
    )
    return ProviderOffer(spec, usable, preferred, tuple(_model_offer(spec, model, requests) for model in models))


def _known(spec: ProviderSpec, model: Model, operation: Operation, gone: Collection[str]) -> Model:
    """The model, or the nearest of its successors that the provider still knows."""
    for _ in spec.models:  # successors may lead in a circle
        capabilities = model.capabilities(operation)
        successor = spec.model(model.successor) if model.successor else None
        if capabilities is None or capabilities.model_id not in gone or successor is None:
            break
        model = successor
    return model


def _model_offer(spec: ProviderSpec, model: Model, requests: Sequence[Request]) -> ModelOffer:
    try:
        return ModelOffer(model, tuple(negotiate(request, spec, model) for request in requests))
    except NanoBananaError as error:
        return ModelOffer(model, (), error.reason)
