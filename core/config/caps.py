"""Spending caps, as settings give them and as the ledger enforces them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caps:
    """Limits in US dollars; None = no limit."""

    run: float | None = 5.0
    """Per run: one queueing of a workflow."""
    day: float | None = 25.0
    month: float | None = None
