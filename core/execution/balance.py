"""The balance of an account, as the free answer to the test of its key names it; remembered for minutes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..providers.spec import BalanceField

REMEMBERED_SECONDS = 600.0


@dataclass(frozen=True)
class Balance:
    """What an account had at the time `at` (Unix seconds). `unit`: "USD", "credits", or another code of three letters."""

    amount: float
    unit: str
    at: float

    def facts(self) -> dict[str, Any]:
        """As JSON; "when" is in Unix seconds."""
        return {"amount": self.amount, "unit": self.unit, "when": self.at}


def read_balance(field: BalanceField, value: object, now: float) -> Balance | None:
    """The balance in a provider's JSON; None where it has none that is a finite number."""
    found = _at(value, field.path)
    if isinstance(found, bool) or not isinstance(found, (int, float, str)) or len(str(found)) > 40:
        return None
    try:
        amount = float(found)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(amount):
        return None
    unit = _at(value, field.unit_path) if field.unit_path else None
    named = isinstance(unit, str) and len(unit) == 3 and unit.isascii() and unit.isalpha()
    return Balance(amount, str(unit).upper() if named else field.unit, now)


def _at(value: object, path: tuple[str, ...]) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


class Balances:
    """Those that were read in the last minutes, each of a key at an address."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._found: dict[tuple[str, str], tuple[str, Balance]] = {}

    def remember(self, provider: str, profile: str, base_url: str, balance: Balance) -> None:
        with self._lock:
            self._found[provider, profile] = base_url, balance

    def forget(self, provider: str, profile: str) -> None:
        """The key has changed: its account may be another one."""
        with self._lock:
            self._found.pop((provider, profile), None)

    def get(self, provider: str, profile: str, base_url: str) -> Balance | None:
        """None where none was read, it was at another address, or too long ago."""
        with self._lock:
            known = self._found.get((provider, profile))
        if known is None or known[0] != base_url or not 0 <= self._clock() - known[1].at < REMEMBERED_SECONDS:
            return None
        return known[1]
