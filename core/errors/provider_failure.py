"""What a user reads when a provider fails: the fault as a dialect reads it, and the error with what happened and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from .classes import CLASS_OF, Charged, Kind, NanoBananaError, sentence
from .messages import catalogue, filled, joined, msg


@dataclass(frozen=True)
class Fault:
    """A failure as a dialect reads it from one reply: plain data, no policy and no prose about money."""

    kind: Kind
    message: str = ""
    """The provider's own words, already cut and redacted."""
    status: int | None = None
    retry_after: float | None = None
    """Seconds that the reply's body asks to wait, where it has them (the retry policy reads the header)."""
    unbilled: bool | None = None
    """True or False where the provider says whether it charged, None where it doesn't say."""
    request_id: str = ""
    cure: str = ""
    """What to do, where the kind alone doesn't say it."""
    opening: str = ""
    """What happened, where the kind alone doesn't say it: `{label}` and `{status}` are filled in."""
    final: bool = False
    """True where asking again has been tried and can't help, although the kind alone would say that it might."""


def failure(
    fault: Fault, label: str, charged: Charged, *, key_hint: str = "", what: str = "", task: str = "", kept: str = ""
) -> NanoBananaError:
    """The error a user sees for `fault` at the provider called `label`.

    `task` is its number there, which it did not say; `kept` names the file in the results folder that holds its answer.
    """
    said = msg("failure.provider_said", words=_unstopped(fault.message)) if fault.message else ""
    said += msg("failure.task_id", task=task) if task else ""
    status = f" (HTTP {fault.status})" if fault.status else ""
    opening = what or _opening(fault)
    cure = fault.cure or (key_hint if fault.kind == "key" else "") or _cure(fault)
    if kept:
        cure = joined(sentence(cure), msg("cure.read_again", kept=kept))
    return CLASS_OF[fault.kind](
        filled(opening, label=label, status=status) + said,
        cure=cure,
        charged=charged,
        status=fault.status,
        request_id=fault.request_id,
    )


def _opening(fault: Fault) -> str:
    if fault.kind == "key" and fault.status == 403:
        return msg("opening.denied")
    named = f"opening.{fault.kind}"
    return fault.opening or msg(named if named in catalogue("en") else "opening.other")


def _cure(fault: Fault) -> str:
    named = "cure.server_with_id" if fault.kind == "server" and fault.request_id else f"cure.{fault.kind}"
    return msg(named) if named in catalogue("en") else ""


def _unstopped(words: str) -> str:
    """A provider's words without their full stop, which the quotation supplies; an ellipsis stays."""
    return words if words.endswith("..") else words.removesuffix(".")
