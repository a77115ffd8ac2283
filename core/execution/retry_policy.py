"""When a step is tried again, and how long a refusal is waited for. What a failure costs is decided in `charge`.

Pure functions over plain data; the clock and the jitter are arguments. A free step is tried again after anything
transient. A paid one only when it surely never arrived, was surely refused before work began, or carries an idempotency
key. Everything else about a paid step is "maybe charged" and ends there.

A paid step that was surely refused before work began (`refused_before_work`) is waited for within the call's patience:
`refusal_pause` and `after_refusal` say how long, `rate_limit` shares the pause among the calls of a key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..dialects.parsing.error_phrases import seconds_in
from ..errors import Charged, ProviderFailure
from ..errors.messages import msg
from ..http import backoff
from ..http.backoff import parse_retry_after
from ..http.failures import BytesSent
from ..providers.spec import ProviderSpec
from .charge import charged_by, charged_by_break

LONGEST_WAIT = 60.0
"""Seconds of `Retry-After` that a free step waits for; a longer one ends the step with that number in the message."""
FREE_TRIES = 6
PAID_TRIES = 3
UNKNOWN_TRIES = 3
"""How often a task that was accepted is asked for that the provider says not to know."""


@dataclass(frozen=True)
class WaitPolicy:
    """How refusals before work are waited for; all values are seconds."""

    first_pause: float = 1.0
    """After the first refusal without a hint; each further one in a row doubles it."""
    longest_pause: float = 15.0
    """The longest pause without a hint."""
    shortest_pause: float = 0.05
    """Also where the provider asks for none."""
    fallback_patience: float = 20.0
    """How long a call waits in all where another provider can do the request."""
    shortest_patience: float = 0.5
    """Less patience than this is not waited for any more."""
    answer_due: float = 3.0
    """A refusal comes quickly: a request that has been out for this long counts as accepted by the rate limit."""
    forget_after: float = 60.0
    """A key that was not refused for this long is as good as new."""


DEFAULT_WAITS = WaitPolicy()


@dataclass(frozen=True)
class Retry:
    """Try the step again after a pause."""

    seconds: float
    charged: Charged = "no"
    """What this try may have cost: "maybe" where the next carries the same idempotency key."""


@dataclass(frozen=True)
class GiveUp:
    """Give up."""

    charged: Charged
    wait: float | None = None
    """Seconds that the provider asks to wait, where it says so."""


RetryDecision = Retry | GiveUp


def after_failure(
    spec: ProviderSpec,
    failure: ProviderFailure,
    headers: Mapping[str, str],
    *,
    paid: bool,
    attempt: int,
    now: float,
    jitter: float,
    remaining_patience: float = math.inf,
) -> RetryDecision:
    """What to do after the provider answered with `failure`.

    `attempt` counts from 1, `now` is the Unix time, `jitter` is in 0..1. A paid step that was `refused_before_work` is
    waited for while `remaining_patience`, in seconds, allows it, however many attempts that takes. A call asks its key's
    `rate_limit` instead, where the refusals of the other calls count as well.
    """
    hint = retry_after_hint(failure, headers, now)
    if paid and refused_before_work(spec, failure):
        return after_refusal(refusal_pause(attempt, hint, jitter), hint, remaining_patience)
    if paid:
        return _paid(spec, failure, hint, attempt, jitter)
    if failure.final:
        return GiveUp("no", hint)
    status = failure.status or 0
    if failure.kind == "task_lost" and failure.status == 404 and attempt < UNKNOWN_TRIES:
        return _wait(hint, attempt, jitter, "no")  # a server of theirs may not know yet what another one has accepted
    # The status alone, whatever the words: a gateway's 503 about models says nothing about a task that was accepted.
    transient = (
        status in (408, 409, 425, 429) or status >= 500 or failure.kind in ("rate", "busy", "server", "unreadable")
    )
    if not transient or attempt >= FREE_TRIES:
        return GiveUp("no", hint)
    return _wait(hint, attempt, jitter, "no")


def after_broken_connection(
    spec: ProviderSpec, sent: BytesSent, *, paid: bool, attempt: int, jitter: float, lasting: bool = False
) -> RetryDecision:
    """What to do after a connection failed before a whole answer came back.

    `lasting`: it failed for a reason that another try won't change, such as a certificate.
    """
    if lasting and sent == "none":
        return GiveUp("no")
    charged = charged_by_break(sent, paid=paid)
    if charged == "no" or spec.idempotency_header:
        tries = PAID_TRIES if paid else FREE_TRIES
        return Retry(backoff.delay(attempt, jitter), charged) if attempt < tries else GiveUp(charged)
    return GiveUp(charged)


def refused_before_work(spec: ProviderSpec, failure: ProviderFailure) -> bool:
    """Whether a paid step was surely refused before work began, in a way that a later try may not be."""
    return (
        failure.kind in ("rate", "busy")
        and failure.status in spec.refuses_before_work
        and charged_by(spec, failure, accepted=False) == "no"
    )


def patience(timeout: float, has_alternative: bool, policy: WaitPolicy = DEFAULT_WAITS) -> float:
    """Seconds that a call waits for refusals, from when it first has to wait.

    `timeout`: the request's own. `has_alternative`: another provider can do the request if this one refuses.
    """
    return min(timeout, policy.fallback_patience) if has_alternative else timeout


def refusal_pause(
    refusals: int, hint: float | None, jitter: float, *, first: float | None = None, policy: WaitPolicy = DEFAULT_WAITS
) -> float:
    """Seconds until the key may be tried again after its `refusals`-th refusal in a row.

    Without a hint the pause doubles from `first` (the policy's where it is None) up to the policy's longest, less up to a
    quarter by `jitter` (0..1). A hint is kept exactly; one that has proved too short is lengthened in the same way.
    """
    count = refusals if hint is None else refusals - 1
    base = policy.first_pause if first is None else first
    grown = min(policy.longest_pause, base * 2.0 ** min(count - 1, 30)) * (1 - 0.25 * jitter) if count > 0 else 0.0
    return max(grown, hint or 0.0, policy.shortest_pause)


def after_refusal(
    pause: float, hint: float | None, remaining_patience: float, policy: WaitPolicy = DEFAULT_WAITS
) -> RetryDecision:
    """What a call does that was refused before work began and whose key pauses for `pause` seconds.

    `remaining_patience`: what remains of its patience. A hint has to fit into it; a pause of our own is cut to it.
    """
    if hint is not None and hint > remaining_patience:
        return GiveUp("no", hint)
    if remaining_patience < policy.shortest_patience:
        return GiveUp("no", hint)
    return Retry(min(pause, remaining_patience))


def format_seconds(seconds: float) -> str:
    """A wait as a person says it."""
    if seconds > 86400:
        return msg("retry_policy.more_than_day")
    whole = math.ceil(seconds - 0.5) if seconds >= 1 else 1
    return msg("retry_policy.one_second") if whole == 1 else msg("retry_policy.seconds", seconds=whole)


def retry_after_hint(failure: ProviderFailure, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a reply asks to wait: in its body, its headers or its words; None where it doesn't say.

    `retry-after-ms` is Azure's header, read by OpenAI's SDK (openai-python, `_parse_retry_after_header`). "Please retry in
    2.1s" is in Google's and OpenAI's messages, and resellers pass them on without the fields beside them.
    """
    if failure.retry_after is not None:
        return failure.retry_after
    thousandths = parse_retry_after(headers.get("retry-after-ms", ""), now)
    if thousandths is not None:
        return thousandths / 1000
    seconds = parse_retry_after(headers.get("retry-after", ""), now)
    if seconds is not None or failure.kind not in ("rate", "busy"):
        return seconds
    return seconds_in(failure.message)


def _paid(
    spec: ProviderSpec, failure: ProviderFailure, hint: float | None, attempt: int, jitter: float
) -> RetryDecision:
    charged = charged_by(spec, failure, accepted=False)
    same_again = bool(spec.idempotency_header) and failure.kind in ("server", "unreadable", "busy", "rate")
    if not same_again or attempt >= PAID_TRIES:
        return GiveUp(charged, hint)
    return _wait(hint, attempt, jitter, charged)


def _wait(hint: float | None, attempt: int, jitter: float, charged: Charged) -> RetryDecision:
    if hint is None:
        return Retry(backoff.delay(attempt, jitter), charged)
    if hint > LONGEST_WAIT:
        return GiveUp(charged, hint)
    return Retry(max(hint, 0.05), charged)
