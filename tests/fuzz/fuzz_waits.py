"""Feeds the readers of pauses: `Retry-After`, its cousins and sentences. None may raise or give a pause that is none.

An input is JSON: {"retry-after", "retry-after-ms", "words", "status"}.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from random import Random
from typing import Any

import inputs
from harness import Harness
from pack.core.dialects.parsing.error_phrases import seconds_in
from pack.core.errors import Kind, ProviderFailure
from pack.core.execution import retry_policy
from pack.core.http import backoff
from pack.core.providers import BUILT_IN

NOW = 1.7e9
SPECS = tuple(BUILT_IN.values())
_KINDS: tuple[Kind, ...] = ("rate", "busy", "server")
_VALUES = inputs.words("waits", "values")


def run(data: bytes) -> None:
    """Reads a pause in every way."""
    given = _given(data)
    headers = {name: given[name] for name in ("retry-after", "retry-after-ms") if name in given}
    for text in given.values():
        seconds = backoff.parse_retry_after(text, NOW)
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0), f"a pause of {seconds} s"
        seconds = seconds_in(text)
        assert seconds is None or seconds >= 0, f"a pause of {seconds} s"
    turn = len(data)
    failure = ProviderFailure(_KINDS[turn % 3], given.get("words", ""), (429, 503, None)[turn // 3 % 3])
    hint = retry_policy.retry_after_hint(failure, headers, NOW)
    assert hint is None or (math.isfinite(hint) and hint >= 0), f"a hint of {hint} s"
    if hint is not None:
        assert retry_policy.format_seconds(hint), "a wait without words"
    for paid in (False, True):
        spec = SPECS[turn % len(SPECS)]
        decision = retry_policy.after_failure(
            spec, failure, headers, paid=paid, attempt=2, now=NOW, jitter=0.5, remaining_patience=60.0
        )
        assert not isinstance(decision, retry_policy.Retry) or 0 <= decision.seconds <= 60, f"it waits {decision} s"


def _given(data: bytes) -> dict[str, str]:
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        value = {"retry-after": data.decode("latin-1")}
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {"words": str(value)}


def make(rng: Random) -> bytes:
    value = {name: _text(rng) for name in ("retry-after", "retry-after-ms", "words") if rng.random() < 0.6}
    return json.dumps(value).encode()


def _text(rng: Random) -> str:
    draw = rng.random()
    if draw < 0.5:
        return inputs.mutated_text(rng.choice(_VALUES), rng)
    if draw < 0.8:
        words = ("retry in ", "try again in ", "resets in ~", "wait ", "", "Please retry after ")
        units = ("s", "ms", "m", "h", " seconds", " sec", "", " minutes", "d")
        parts = "".join(f"{rng.choice(_VALUES)[:9]}{rng.choice(units)}" for _ in range(rng.randrange(1, 4)))
        return rng.choice(words) + parts
    return inputs.text(rng)


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return inputs.mutated_json(data, rng, others)


HARNESS = Harness(
    "waits", run, make, mutate, ("core/execution/retry_policy.py", "core/http/backoff.py"), inputs_in_suite=8000
)
