"""The successor of a model whose id the provider no longer knows.

A provider that answers a paid request with "unknown model" has charged nothing. Where its data names a successor, the run
asks that one for the same pictures, with its own limits, price and fingerprints. Pure functions; what is remembered is in
`ProviderCache`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..errors import Impossible, NanoBananaError
from ..errors.messages import msg
from ..request import Request
from .negotiate import negotiate
from .plan import Candidate, Target

GoneId = tuple[str, str, str]
"""Provider id, base URL and wire model id of a model that the provider no longer knows there."""

_UNKNOWN = frozenset({400, 404, 410, 422})
"""Statuses that speak of the request. A 503 about a model may mean that it is busy."""


def is_unknown_model(error: NanoBananaError | None) -> bool:
    """Whether a provider has refused a request, free of charge, because it doesn't know the model."""
    return error is not None and error.kind == "model" and error.charged == "no" and error.status in _UNKNOWN


def gone_id(candidate: Candidate) -> GoneId:
    """What is remembered of a model that the provider doesn't know."""
    target, resolved = candidate
    return target.spec.id, target.base_url, resolved[0].model_id


def has_successor(target: Target) -> bool:
    """Whether another model may be asked instead. An id that the user has written by hand is never replaced."""
    return (
        not target.override and bool(target.model.successor) and target.spec.model(target.model.successor) is not None
    )


def successor_of(candidate: Candidate, requests: Sequence[Request]) -> Candidate | None:
    """The same provider with the successor of its model; None where there is none.

    Raises Impossible where the successor can't do one of the requests.
    """
    target, resolved = candidate
    model = target.spec.model(target.model.successor)
    if not has_successor(target) or model is None:
        return None
    try:
        again = tuple(negotiate(each, target.spec, model, base_url=target.base_url) for each in requests)
        return Candidate(replace(target, model=model), again)
    except Impossible as error:
        raise Impossible(
            msg(
                "successor.successor_cannot_do_this",
                provider=target.spec.label,
                model=target.model.name,
                model_id=resolved[0].model_id,
                error=error.what,
            ),
            cure=error.cure,
        ) from None


def with_successors(candidate: Candidate, requests: Sequence[Request], gone: Collection[GoneId]) -> list[Candidate]:
    """The successor of a candidate whose model is in `gone`, then the candidate itself, whose pictures may be stored.

    Raises Impossible where the successor can't do one of the requests.
    """
    found = [candidate]
    while gone_id(found[0]) in gone and (after := successor_of(found[0], requests)) is not None:
        if len(found) > len(candidate.target.spec.models):
            break  # successors that lead in a circle
        found.insert(0, after)
    return found


def successor_notice(old: Candidate, new: Candidate) -> str:
    """The notice that a successor is asked."""
    before, after = (
        f"{old.target.model.name} ({old.resolved[0].model_id})",
        f"{new.target.model.name} ({new.resolved[0].model_id})",
    )
    return msg(
        "successor.successor_asked_instead",
        provider=old.target.spec.label,
        before=before,
        after=after,
        model=new.target.model.name,
    )
