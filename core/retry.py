"""When a step is tried again, and what a failure costs: all policy about money in one place.

Pure functions over plain data; the clock and the dice are arguments. A free step is tried again after anything
transient. A paid one only when it surely never arrived, was surely refused before work began, or carries an idempotency
key. Everything else about a paid step is "maybe charged" and ends there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from .errors import Charged, Fault, Kind
from .providers.row import Provider

LONGEST_WAIT = 60.0
"""Seconds of `Retry-After` that are waited for; a longer wish ends the step with that number in the message."""
FREE_TRIES = 6
PAID_TRIES = 3
_FIRST, _CAP = 0.5, 8.0

Fate = Literal["over", "lost", "again"]
"""What remains of a paid call without a picture: "over" when the provider has said what became of it, "lost" when it may have
made a picture that it can't return, "again" when the picture can still be had for nothing."""
_LOSING: frozenset[Kind] = frozenset({"network", "timeout", "unreadable", "download", "picture"})
ABOUT_THE_CALLER: frozenset[Kind] = frozenset(
    {"key", "credit", "quota", "region", "bot_protection", "proxy", "certificate"}
)
"""Refusals of who asks, or from where: nothing is made for them, whatever status they came with."""
_FAILURES: frozenset[Kind] = frozenset({"content", "task", "server", "invalid", "model", "too_large", "busy"})
"""Failures that a provider states in so many words: where it documents that failed requests aren't billed, these aren't."""
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
    """Seconds the provider asks for, where that is why."""


Verdict = Again | Stop


def after_failure(
    row: Provider, fault: Fault, headers: Mapping[str, str], *, paid: bool, attempt: int, now: float, dice: float
) -> Verdict:
    """What to do after the provider answered with `fault`.

    `attempt` counts from 1, `now` is the Unix time, `dice` is in 0..1.
    """
    wish = fault.retry_after
    if wish is None:
        wish = parse_retry_after(headers.get("retry-after", ""), now)
    if paid:
        return _paid(row, fault, wish, attempt, dice)
    if fault.final:
        return Stop("no", wish)
    status = fault.status or 0
    # The status alone, whatever the words: a gateway's 503 about models says nothing about a task that was accepted.
    transient = (
        status in (408, 409, 425, 429) or status >= 500 or fault.kind in ("rate", "busy", "server", "unreadable")
    )
    if not transient or attempt >= FREE_TRIES:
        return Stop("no", wish)
    return _wait(wish, attempt, dice, "no")


def after_break(row: Provider, arrived: Arrival, *, paid: bool, attempt: int, dice: float) -> Verdict:
    """What to do after a connection failed before a whole answer came back."""
    if not paid or arrived != "all" or row.idempotency_header:
        tries = PAID_TRIES if paid else FREE_TRIES
        charged: Charged = "maybe" if paid and arrived == "all" else "no"
        return Again(backoff(attempt, dice), charged) if attempt < tries else Stop(charged)
    return Stop("maybe")


def charged_by(row: Provider, fault: Fault, *, accepted: bool) -> Charged:
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
        return "no" if row.failures_unbilled and fault.kind in _FAILURES else "maybe"
    if fault.status in row.refuses_before_work or 300 <= fault.status < 400:
        return "no"
    if fault.status in _GATEWAY or fault.status == 409:
        return "maybe"  # what is behind it may have finished
    if fault.status >= 500:
        return "no" if row.failures_unbilled and fault.words else "maybe"
    return "no"


def is_task_lost(fault: Fault) -> bool:
    """Whether an answer about an accepted task says that the provider doesn't know it (any more).

    404 and 410 say so by themselves. Some providers answer an unknown id with a 400, 422 or an error inside a 200: there
    the words have to name the task.
    """
    if fault.kind == "task_lost" or fault.status in (404, 410):
        return True
    return fault.status in (200, 400, 422) and bool(_UNKNOWN_TASK.search(fault.words))


def fate_of(fault: Fault, *, accepted: bool) -> Fate:
    """What remains of a paid call that ended with `fault`.

    `accepted`: the provider had taken the task before, and the fault answers a question about it.
    """
    status = fault.status
    if fault.kind == "task_lost" or (fault.final and accepted):
        return "lost"
    if accepted and (fault.kind == "unreadable" or (status is not None and not 200 <= status < 300)):
        return "lost" if status in (404, 410) else "again"
    return "lost" if fault.kind in _LOSING or status in _GATEWAY else "over"


def backoff(attempt: int, dice: float) -> float:
    """Seconds before try `attempt` + 1: doubling from 0.5 to 8, less up to a quarter."""
    return min(_CAP, _FIRST * 2.0 ** min(attempt - 1, 30)) * (1 - 0.25 * dice)


def in_words(seconds: float) -> str:
    """A wait as a person says it."""
    return "more than a day" if seconds > 86400 else f"{seconds:.0f} seconds"


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


def _paid(row: Provider, fault: Fault, wish: float | None, attempt: int, dice: float) -> Verdict:
    charged = charged_by(row, fault, accepted=False)
    refused = fault.status in row.refuses_before_work and fault.kind in ("rate", "busy")
    same_again = bool(row.idempotency_header) and fault.kind in ("server", "unreadable", "busy", "rate")
    if not (refused or same_again) or attempt >= PAID_TRIES:
        return Stop(charged, wish)
    return _wait(wish, attempt, dice, charged)


def _wait(wish: float | None, attempt: int, dice: float, charged: Charged) -> Verdict:
    if wish is None:
        return Again(backoff(attempt, dice), charged)
    if wish > LONGEST_WAIT:
        return Stop(charged, wish)
    return Again(max(wish, 0.05), charged)
