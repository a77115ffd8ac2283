"""Spending caps: counted inside the transaction that reserves, so that no two processes can pass one together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from ..errors import OverCap
from .schema import picture
from .types import Caps, Reservation, RunContext, dollars, micros

_PERIODS = {"run": "in this run", "day": "today", "month": "this month"}


def check(
    connection: Connection,
    entries: Sequence[Reservation],
    run_context: RunContext,
    caps: Caps,
    now: float | None = None,
) -> None:
    """Raises OverCap when `entries` would pass a cap. What may have been charged counts as spent."""
    needed = sum(entry.micros for entry in entries)
    if not needed:
        return
    for period, cap in (("run", caps.run), ("day", caps.day), ("month", caps.month)):
        if cap is None:
            continue
        spent = spent_in(connection, period, run_context.run, time.time() if now is None else now)
        if spent + needed > micros(cap):
            raise _over(entries, period, cap, spent)


def spent_in(connection: Connection, period: str, run: str, now: float) -> int:
    """Millionths of a dollar that are spent, reserved or in doubt since the period's begin, in local time.

    What lies in the future, because the clock was set back, counts too.
    """
    total = select(func.coalesce(func.sum(picture.c.counted), 0))
    if period == "run":
        return int(connection.execute(total.where(picture.c.run == run)).scalar_one())
    start = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "month":
        start = start.replace(day=1)
    return int(connection.execute(total.where(picture.c.created >= start.timestamp())).scalar_one())


def price(amount: int) -> str:
    """Dollars as a price: at least cents, and as many places more as are needed."""
    text = f"{dollars(amount):.6f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest:0<2}"


def _over(entries: Sequence[Reservation], period: str, cap: float, spent: int) -> OverCap:
    prices = Counter(entry.micros for entry in entries if entry.micros)
    total = sum(amount * count for amount, count in prices.items())
    terms = " + ".join(f"{count} x {price(amount)}" for amount, count in sorted(prices.items()))
    what = f"{terms} = {price(total)}"
    if spent:
        what += f", {price(spent)} are spent or reserved {_PERIODS[period]}"
    limit = price(micros(cap)).removesuffix(".00")
    name = f"NANO_BANANA_CAP_{period.upper()}"
    return OverCap(
        f"{what}, and your cap per {period} is {limit}",
        cure=f"Raise it in Settings > Nano Banana or with {name}, or ask for fewer or smaller pictures",
    )
