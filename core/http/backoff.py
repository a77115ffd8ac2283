"""Pauses between two tries of a request: exponential backoff, and what a `Retry-After` header asks for. Pure functions."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

_FIRST, _LONGEST = 0.5, 8.0


def delay(attempt: int, jitter: float) -> float:
    """Seconds before try `attempt` + 1: doubling from 0.5 to 8, less up to a quarter by `jitter` (0..1)."""
    return min(_LONGEST, _FIRST * 2.0 ** min(attempt - 1, 30)) * (1 - 0.25 * jitter)


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds from a `Retry-After` header, a number or an HTTP date; None for anything that makes no sense.

    `now` is the Unix time.
    """
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
