"""When a step is tried again, how long a refusal is waited for, and what a failure costs.

Pure functions over plain data; the clock and the jitter are arguments. A free step is tried again after anything
transient. A paid one only when it surely never arrived, was surely refused before work began, or carries an idempotency
key. Everything else about a paid step is "maybe charged" and ends there.

A paid step that was surely refused before work began (`refused_before_work`) is waited for within the call's patience:
`refusal_pause` and `after_refusal` say how long, `rate_limit` shares the pause among the calls of a key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from ..dialects.parsing.error_kinds import seconds_in
from ..errors import Charged, Fault, Kind
from ..providers.spec import ProviderSpec

LONGEST_WAIT = 60.0
"""Seconds of `Retry-After` that a free step waits for; a longer one ends the step with that number in the message."""
FREE_TRIES = 6
PAID_TRIES = 3
UNKNOWN_TRIES = 3
"""How often a task that was accepted is asked for that the provider says not to know."""
_FIRST, _CAP = 0.5, 8.0


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
    last_try: float = 0.5
    """Less patience than this is not waited for any more."""
    answer_due: float = 3.0
    """A refusal comes quickly: a request that has been out for this long counts as accepted by the rate limit."""
    forget_after: float = 60.0
    """A key that was not refused for this long is as good as new."""


WAITS = WaitPolicy()

Disposition = Literal["over", "lost", "again"]
"""What remains of a paid call without a picture: "over" when the provider has said what became of it, "lost" when it may have
made a picture that it can't return, "again" when the picture can still be had for nothing."""
_LOSING: frozenset[Kind] = frozenset({"network", "timeout", "unreadable", "download", "picture"})
ABOUT_THE_CALLER: frozenset[Kind] = frozenset(
    {"key", "credit", "quota", "region", "bot_protection", "proxy", "certificate"}
)
"""Refusals of who asks, or from where: nothing is made for them, whatever status they came with."""
_FAILURES: frozenset[Kind] = frozenset({"content", "task", "server", "invalid", "model", "too_large", "busy"})
"""Failures that a provider states in so many words: where it documents that failed requests aren't billed, these aren't."""
_NEVER_REACHED = frozenset({511, 521, 523, 525, 526, 530})
"""The one behind the gateway never had the request: 511 is the network's own log-in page (RFC 6585), the others are
Cloudflare's, whose page on its 5xx errors says that no connection to the origin was made."""
_GATEWAY = frozenset({408, 499, 502, 504, 520, 522, 524})
"""Words of a gateway that has lost sight of the one behind it (from 520 on Cloudflare's); a plain 500 is the provider's own
answer."""

_UNKNOWN_TASK = re.compile(
    r"(?i)\b(task|job|run|prediction|request|generation)[ _]?(id)?\b.{0,60}?"
    r"\b(not found|(does not|doesn't|not) exist|unknown|expired)"
    r"|\b(unknown|no such|invalid) (task|job|run|prediction)\b"
)

Arrival = Literal["nothing", "part", "all"]
"""How much of a request had left when it failed: "nothing" (no connection), "part" of the body, or "all" of it."""


@dataclass(frozen=True)
class Again:
    """Try the step again after a pause."""

    seconds: float
    charged: Charged = "no"
    """What this try may have cost: "maybe" where the next carries the same idempotency key."""


@dataclass(frozen=True)
class Stop:
    """Give up."""

    charged: Charged
    wait: float | None = None
    """Seconds that the provider asks to wait, where it says so."""


Verdict = Again | Stop


def after_failure(
    spec: ProviderSpec,
    fault: Fault,
    headers: Mapping[str, str],
    *,
    paid: bool,
    attempt: int,
    now: float,
    dice: float,
    left: float = math.inf,
) -> Verdict:
    """What to do after the provider answered with `fault`.

    `attempt` counts from 1, `now` is the Unix time, `dice` is in 0..1. A paid step that was `refused_before_work` is
    waited for while `left`, seconds of its call's patience, allow it, however many attempts that takes. A call asks its
    key's `rate_limit` instead, where the refusals of the other calls count as well.
    """
    wish = hint_of(fault, headers, now)
    if paid and refused_before_work(spec, fault):
        return after_refusal(refusal_pause(attempt, wish, dice), wish, left)
    if paid:
        return _paid(spec, fault, wish, attempt, dice)
    if fault.final:
        return Stop("no", wish)
    status = fault.status or 0
    if fault.kind == "task_lost" and fault.status == 404 and attempt < UNKNOWN_TRIES:
        return _wait(wish, attempt, dice, "no")  # a server of theirs may not know yet what another one has accepted
    # The status alone, whatever the words: a gateway's 503 about models says nothing about a task that was accepted.
    transient = (
        status in (408, 409, 425, 429) or status >= 500 or fault.kind in ("rate", "busy", "server", "unreadable")
    )
    if not transient or attempt >= FREE_TRIES:
        return Stop("no", wish)
    return _wait(wish, attempt, dice, "no")


def after_break(
    spec: ProviderSpec, arrived: Arrival, *, paid: bool, attempt: int, dice: float, lasting: bool = False
) -> Verdict:
    """What to do after a connection failed before a whole answer came back.

    `lasting`: it failed for a reason that another try won't change, such as a certificate.
    """
    if lasting and arrived == "nothing":
        return Stop("no")
    if not paid or arrived != "all" or spec.idempotency_header:
        tries = PAID_TRIES if paid else FREE_TRIES
        charged: Charged = "maybe" if paid and arrived == "all" else "no"
        return Again(backoff(attempt, dice), charged) if attempt < tries else Stop(charged)
    return Stop("maybe")


def refused_before_work(spec: ProviderSpec, fault: Fault) -> bool:
    """Whether a paid step was surely refused before work began, in a way that a later try may not be."""
    return (
        fault.kind in ("rate", "busy")
        and fault.status in spec.refuses_before_work
        and charged_by(spec, fault, accepted=False) == "no"
    )


def patience(timeout: float, has_alternative: bool, policy: WaitPolicy = WAITS) -> float:
    """Seconds that a call waits for refusals, from when it first has to wait.

    `timeout`: the request's own. `has_alternative`: another provider can do the request if this one refuses.
    """
    return min(timeout, policy.fallback_patience) if has_alternative else timeout


def refusal_pause(
    refusals: int, hint: float | None, jitter: float, *, first: float | None = None, policy: WaitPolicy = WAITS
) -> float:
    """Seconds until the key may be tried again after its `refusals`-th refusal in a row.

    Without a hint the pause doubles from `first` (the policy's where it is None) up to the policy's longest, less up to a
    quarter by `jitter` (0..1). A hint is kept exactly; one that has proved too short is lengthened in the same way.
    """
    count = refusals if hint is None else refusals - 1
    base = policy.first_pause if first is None else first
    grown = min(policy.longest_pause, base * 2.0 ** min(count - 1, 30)) * (1 - 0.25 * jitter) if count > 0 else 0.0
    return max(grown, hint or 0.0, policy.shortest_pause)


def after_refusal(pause: float, hint: float | None, left: float, policy: WaitPolicy = WAITS) -> Verdict:
    """What a call does that was refused before work began and whose key pauses for `pause` seconds.

    `left`: what remains of its patience. A hint has to fit into it; a pause of our own is cut to it.
    """
    if hint is not None and hint > left:
        return Stop("no", hint)
    if left < policy.last_try:
        return Stop("no", hint)
    return Again(min(pause, left))


def charged_by(spec: ProviderSpec, fault: Fault, *, accepted: bool) -> Charged:
    """Whether a paid step that was answered with `fault` cost money.

    `accepted`: the provider had taken the task before.
    """
    if fault.unbilled is not None:
        return "no" if fault.unbilled else "yes"
    if fault.kind == "task_lost":
        return "maybe"  # it may have finished before it was forgotten, whatever is documented about failures
    if fault.kind in ABOUT_THE_CALLER and (fault.status is None or not accepted):
        return "no"
    if accepted or fault.status is None or 200 <= fault.status < 300:
        # It worked on it. Some bill what they could not deliver, most don't: only a documented word is believed, and an
        # answer that can't be read, or that claims success, may well be a picture that was made.
        return "no" if spec.failures_unbilled and fault.kind in _FAILURES else "maybe"
    if fault.status in spec.refuses_before_work or fault.status in _NEVER_REACHED or 300 <= fault.status < 400:
        return "no"
    if fault.status in _GATEWAY or fault.status == 409:
        return "maybe"  # what is behind it may have finished
    if fault.status >= 500:
        return "no" if spec.failures_unbilled and fault.words else "maybe"
    return "no"


def is_task_lost(fault: Fault) -> bool:
    """Whether an answer about an accepted task says that the provider doesn't know it (any more).

    404 and 410 say so by themselves. Some providers answer an unknown id with a 400, 422 or an error inside a 200: there
    the words have to name the task.
    """
    if fault.kind == "task_lost" or fault.status in (404, 410):
        return True
    return fault.status in (200, 400, 422) and bool(_UNKNOWN_TASK.search(fault.words))


def disposition_of(fault: Fault, *, accepted: bool) -> Disposition:
    """What remains of a paid call that ended with `fault`.

    `accepted`: the provider had taken the task before, and the fault answers a question about it.
    """
    status = fault.status
    if fault.kind == "task_lost" or (fault.final and accepted):
        return "lost"
    if fault.kind == "empty" and not fault.words and not fault.unbilled:
        return "lost"  # nobody said that there is no picture: it may have been made, in a shape that isn't known
    if accepted and (fault.kind == "unreadable" or (status is not None and not 200 <= status < 300)):
        return "lost" if status in (404, 410) else "again"
    return "lost" if fault.kind in _LOSING or status in _GATEWAY else "over"


def backoff(attempt: int, dice: float) -> float:
    """Seconds before try `attempt` + 1: doubling from 0.5 to 8, less up to a quarter."""
    return min(_CAP, _FIRST * 2.0 ** min(attempt - 1, 30)) * (1 - 0.25 * dice)


def in_words(seconds: float) -> str:
    """A wait as a person says it."""
    if seconds > 86400:
        return "more than a day"
    whole = math.ceil(seconds - 0.5) if seconds >= 1 else 1
    return "1 second" if whole == 1 else f"{whole} seconds"


def hint_of(fault: Fault, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a reply asks to wait: in its body, its headers or its words; None where it doesn't say.

    `retry-after-ms` is Azure's header, read by OpenAI's SDK (openai-python, `_parse_retry_after_header`). "Please retry in
    2.1s" stands in Google's and OpenAI's messages, and resellers pass them on without the fields beside them.
    """
    if fault.retry_after is not None:
        return fault.retry_after
    thousandths = parse_retry_after(headers.get("retry-after-ms", ""), now)
    if thousandths is not None:
        return thousandths / 1000
    seconds = parse_retry_after(headers.get("retry-after", ""), now)
    if seconds is not None or fault.kind not in ("rate", "busy"):
        return seconds
    return seconds_in(fault.words)


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds from a `Retry-After` header, a number or an HTTP date; None for anything that makes no sense."""
    value = value.strip()
    if not value or len(value) > 64:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (TypeError, ValueError, OverflowError, IndexError, OSError):
            return None
        seconds = max(seconds, 0.0)
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return seconds


def _paid(spec: ProviderSpec, fault: Fault, wish: float | None, attempt: int, dice: float) -> Verdict:
    charged = charged_by(spec, fault, accepted=False)
    same_again = bool(spec.idempotency_header) and fault.kind in ("server", "unreadable", "busy", "rate")
    if not same_again or attempt >= PAID_TRIES:
        return Stop(charged, wish)
    return _wait(wish, attempt, dice, charged)


def _wait(wish: float | None, attempt: int, dice: float, charged: Charged) -> Verdict:
    if wish is None:
        return Again(backoff(attempt, dice), charged)
    if wish > LONGEST_WAIT:
        return Stop(charged, wish)
    return Again(max(wish, 0.05), charged)
