"""A failure as a dialect reads it from a reply, and the error that the user reads for it."""

from __future__ import annotations

from dataclasses import dataclass

from .classes import CLASS_OF, Charged, Kind, NanoBananaError, sentence
from .messages import catalogue, filled, joined, msg, spelled


@dataclass(frozen=True)
class ProviderFailure:
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


def provider_error(
    failure: ProviderFailure,
    label: str,
    charged: Charged,
    *,
    key_hint: str = "",
    what: str = "",
    task: str = "",
    kept: str = "",
) -> NanoBananaError:
    """The error a user sees for `failure` at the provider called `label`.

    `task` is its number there, which it did not say; `kept` names the file in the results folder that holds its answer.
    """
    provider_text = msg("failure.provider_said", message=_unstopped(failure.message)) if failure.message else ""
    provider_text += msg("failure.task_id", task=task) if task else ""
    status = msg("error.status", status=failure.status) if failure.status else ""
    opening = what or _opening(failure)
    cure = failure.cure or (key_hint if failure.kind == "key" else "") or _cure(failure)
    if kept:
        cure = joined(sentence(cure), msg("cure.read_again", kept=kept))
    return CLASS_OF[failure.kind](
        filled(opening, label=label, status=status) + provider_text,
        cure=cure,
        charged=charged,
        status=failure.status,
        request_id=failure.request_id,
    )


def _opening(failure: ProviderFailure) -> str:
    if failure.kind == "key" and failure.status == 403:
        return msg("opening.denied")
    named = f"opening.{failure.kind}"
    return failure.opening or msg(named if named in catalogue("en") else "opening.other")


def _cure(failure: ProviderFailure) -> str:
    named = "cure.server_with_id" if failure.kind == "server" and failure.request_id else f"cure.{failure.kind}"
    return msg(named) if named in catalogue("en") else ""


def _unstopped(text: str) -> str:
    """A provider's message without its full stop, which the quotation supplies; an ellipsis stays."""
    return spelled(text, text[:-1]) if text.endswith(".") and not text.endswith("..") else text
