"""What a user is told about pictures that may have been paid for and never arrived."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from ..errors import Unresolved
from .types import UnresolvedCharge

_SHOWN = 4


def unresolved_error(doubts: Sequence[UnresolvedCharge], *, kept: bool = False) -> Unresolved:
    """The refusal that asks before something is paid again. `kept`: an answer is here in which no picture could be read."""
    count, usd = _sum(doubts)
    requests = "1 request" if count == 1 else f"{count} requests"
    pictures = "its picture" if count == 1 else "their pictures"
    return Unresolved(
        f"{requests} for {pictures} may have been charged, about ${usd:.2f}, without a picture that reached this machine: "
        f"{_named(doubts)}",
        charged="maybe",
        money="This time nothing was sent.",
        cure=("Read again looks into the kept answer anew, free. " if kept else "")
        + "Queue again within an hour to pay again. NANO_BANANA_ON_UNKNOWN=resend stops asking.",
    )


def acknowledged_notice(doubts: Sequence[UnresolvedCharge]) -> str:
    """The notice with what is sent although an earlier one may have been paid."""
    count, usd = _sum(doubts)
    requests = "1 earlier request" if count == 1 else f"{count} earlier requests"
    return f"Sent again, although {requests} may have been charged, about ${usd:.2f}: {_named(doubts)}"


def _sum(doubts: Sequence[UnresolvedCharge]) -> tuple[int, float]:
    return len(doubts), sum(doubt.usd for doubt in doubts)


def _named(doubts: Sequence[UnresolvedCharge]) -> str:
    """Row, time and cost of each, equal ones together."""
    lines = Counter(
        f"{doubt.provider} {doubt.model}, {_when(doubt.sent_at)}, ${doubt.usd:.2f}"
        + (f" ({doubt.reason.rstrip('.')})" if doubt.reason else "")
        for doubt in doubts
    )
    shown = [f"{count} x {line}" if count > 1 else line for line, count in list(lines.items())[:_SHOWN]]
    more = len(lines) - _SHOWN
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
