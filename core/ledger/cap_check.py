"""Checks spending caps inside the transaction that reserves, so that two processes can't exceed one together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, bindparam, func, select

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
    set_caps = {
        name: cap for name, cap in (("run", caps.run), ("day", caps.day), ("month", caps.month)) if cap is not None
    }
    if not needed or not set_caps:
        return
    spent = _spent(connection, tuple(set_caps), run_context.run, time.time() if now is None else now)
    for period, cap in set_caps.items():
        if spent[period] + needed > micros(cap):
            raise _over(reservations, period, cap, spent[period])


def spent_in(connection: Connection, period: str, run: str, now: float) -> int:
    """Millionths of a dollar that are spent, reserved or unresolved since the start of the period in local time.

    Rows with a later time than `now` count, too: the clock may have been set back.
    """
    return _spent(connection, (period,), run, now)[period]


def _spent(connection: Connection, periods: Sequence[str], run: str, now: float) -> dict[str, int]:
    """`spent_in` of several periods, by one statement."""
    values: dict[str, object] = {"run": run}
    sums: list[tuple[str, bool]] = []
    for period in periods:
        if period == "run":
            sums.append((period, False))
            continue
        start = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        if period == "month":
            start = start.replace(day=1)
        bucket, rest = divmod(int(start.timestamp()), running_totals.BUCKET_SECONDS)
        sums.append((period, bool(rest)))  # with a rest in a time zone of long ago
        values[period] = start.timestamp() if rest else bucket
    found = connection.execute(_statement(tuple(sums)), values).one()
    return {period: int(amount) for period, amount in zip(periods, found, strict=True)}


@cache
def _statement(sums: tuple[tuple[str, bool], ...]) -> Select[Any]:
    """The sums of periods, each given with whether all its rows must be read."""
    columns: list[ScalarSelect[Any]] = []
    for period, by_row in sums:
        column, since = (picture.c.counted, picture.c.created) if by_row else (spending.c.micros, spending.c.bucket)
        condition = since >= bindparam(period)
        if period == "run":
            column, condition = picture.c.counted, picture.c.run == bindparam("run")
        columns.append(select(func.coalesce(func.sum(column), 0)).where(condition).scalar_subquery())
    return select(*columns)


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
