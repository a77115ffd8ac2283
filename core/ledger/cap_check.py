"""Checks spending caps inside the transaction that reserves, so that two processes can't exceed one together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from ..config.caps import Caps
from ..errors import OverCap
from ..errors.messages import msg
from . import running_totals
from .schema import picture, spending
from .types import Reservation, RunContext, dollars, micros

_PERIODS = {"run": msg("cap_check.per_run"), "day": msg("cap_check.today"), "month": msg("cap_check.this_month")}


def check(
    connection: Connection,
    reservations: Sequence[Reservation],
    run_context: RunContext,
    caps: Caps,
    now: float | None = None,
) -> None:
    """Raises OverCap when `reservations` would exceed a cap. What may have been charged counts as spent.

    `now`: Unix time, by default the current one.
    """
    needed = sum(reservation.micros for reservation in reservations)
    if not needed:
        return
    for period, cap in (("run", caps.run), ("day", caps.day), ("month", caps.month)):
        if cap is None:
            continue
        spent = spent_in(connection, period, run_context.run, time.time() if now is None else now)
        if spent + needed > micros(cap):
            raise _over(reservations, period, cap, spent)


def spent_in(connection: Connection, period: str, run: str, now: float) -> int:
    """Millionths of a dollar that are spent, reserved or unresolved since the start of the period in local time.

    Rows with a later time than `now` count, too: the clock may have been set back.
    """
    if period == "run":
        total = select(func.coalesce(func.sum(picture.c.counted), 0)).where(picture.c.run == run)
        return int(connection.execute(total).scalar_one())
    start = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "month":
        start = start.replace(day=1)
    bucket, rest = divmod(int(start.timestamp()), running_totals.BUCKET_SECONDS)
    if rest:  # a time zone of long ago
        total = select(func.coalesce(func.sum(picture.c.counted), 0)).where(picture.c.created >= start.timestamp())
    else:
        total = select(func.coalesce(func.sum(spending.c.micros), 0)).where(spending.c.bucket >= bucket)
    return int(connection.execute(total).scalar_one())


def price(amount: int) -> str:
    """Millionths of a dollar as text: at least two decimals, more where they are needed."""
    text = f"{dollars(amount):.6f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest:0<2}"


def _over(reservations: Sequence[Reservation], period: str, cap: float, spent: int) -> OverCap:
    prices = Counter(reservation.micros for reservation in reservations if reservation.micros)
    total = sum(amount * count for amount, count in prices.items())
    terms = " + ".join(f"{count} x {price(amount)}" for amount, count in sorted(prices.items()))
    what = f"{terms} = {price(total)}"
    if spent:
        what += msg("cap_check.spent_or_reserved", price=price(spent), periods=_PERIODS[period])
    limit = price(micros(cap)).removesuffix(".00")
    name = f"NANO_BANANA_CAP_{period.upper()}"
    return OverCap(
        msg("cap_check.over_cap", what=what, period=period, limit=limit),
        cure=msg("cap_check.how_to_raise_cap", name=name),
    )
