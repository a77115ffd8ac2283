"""How amounts of money are written for users: the one rule of all messages, as `web/amounts.mjs` has it for the page."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_LEAST = Decimal("0.0001")


def usd_digits(usd: float) -> str:
    """US dollars without their sign: 12.30, 0.134, 0.0336.

    Cents from a dollar on; of less the first three digits that count, at most the fourth decimal. Never fewer than two
    decimals, and what is something is never written as nothing.
    """
    amount = Decimal(usd)
    if 0 < amount < _LEAST:
        return f"{_LEAST}"
    decimals = 2 if amount >= 1 else 3 if amount >= Decimal("0.1") else 4
    text = str(amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest[:2]}{rest[2:].rstrip('0')}"
