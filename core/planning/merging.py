"""Makes one plan of several, so that their requests are one run: with one reservation, one limit of failures and one bill."""

from __future__ import annotations

from collections.abc import Sequence

from .plan import Candidate, Plan


def can_merge(one: Plan, other: Plan) -> bool:
    """Whether both ask the same providers in the same way."""
    return (
        [each.target for each in one.targets] == [each.target for each in other.targets]
        and [each.target for each in one.store_only] == [each.target for each in other.store_only]
        and one.terms == other.terms
        and one.delivery == other.delivery
        and type(one.refusal) is type(other.refusal)
    )


def merged(plans: Sequence[Plan]) -> Plan:
    """The plan for the requests of all `plans`, in their order. Each two of them must be such that `can_merge`."""
    first = plans[0]
    if len(plans) == 1:
        return first
    return Plan(
        _together([plan.targets for plan in plans]),
        tuple(dict.fromkeys(notice for plan in plans for notice in plan.notices)),
        _together([plan.store_only for plan in plans]),
        first.terms,
        first.refusal,
    )


def _together(chains: Sequence[tuple[Candidate, ...]]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(same[0].target, tuple(resolved for each in same for resolved in each.resolved))
        for same in zip(*chains, strict=True)
    )
