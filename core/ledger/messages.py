"""What the user is told about requests that may have been charged and whose pictures are not here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from ..errors import Unresolved
from ..errors.amounts import usd_digits
from ..errors.messages import concat, listed, msg, spelled
from .journal import Journal
from .types import UnresolvedCharge

_MAX_LISTED = 4


def unwritten_notice(journal: Journal) -> str:
    """What the user is told where steps of calls wait for a server; "" where there are none."""
    store = journal.results.store
    if store.waiting:
        return msg("call_journal.uploaded_when_back", bucket=store.place)
    return msg("call_journal.written_when_back") if journal.unwritten else ""


def unresolved_error(
    charges: Sequence[UnresolvedCharge], labels: Mapping[str, str], *, kept: bool = False
) -> Unresolved:
    """The error that asks before something is paid again. `kept`: an answer in which no picture could be read is here.

    `labels`: what providers are called, by their id; one that isn't in it is called by its id.
    """
    count, usd = _sum(charges)
    requests = msg("count.one_request") if count == 1 else msg("count.requests", count=count)
    pictures = msg("ledger.its_picture") if count == 1 else msg("ledger.their_pictures")
    return Unresolved(
        msg(
            "ledger.requests_may_be_charged",
            requests=requests,
            pictures=pictures,
            usd=usd_digits(usd),
            listed=_listed(charges, labels),
        ),
        charged="maybe",
        money=msg("ledger.nothing_sent_this_time"),
        cure=(msg("ledger.read_again_is_free") if kept else "") + msg("ledger.queue_again_to_pay"),
    )


def acknowledged_notice(charges: Sequence[UnresolvedCharge], labels: Mapping[str, str]) -> str:
    """The notice about pictures that are sent although an earlier request may have been charged; `labels` as above."""
    count, usd = _sum(charges)
    requests = msg("count.one_earlier_request") if count == 1 else msg("count.earlier_requests", count=count)
    return msg(
        "ledger.sent_again_despite_charge", requests=requests, usd=usd_digits(usd), listed=_listed(charges, labels)
    )


def _sum(charges: Sequence[UnresolvedCharge]) -> tuple[int, float]:
    return len(charges), sum(charge.usd for charge in charges)


def _listed(charges: Sequence[UnresolvedCharge], labels: Mapping[str, str]) -> str:
    """Provider, time and cost of each, equal ones together."""
    lines = Counter(_line(charge, labels) for charge in charges)
    shown = [concat(f"{count} x ", line) if count > 1 else line for line, count in list(lines.items())[:_MAX_LISTED]]
    more = len(lines) - _MAX_LISTED
    return concat(listed("; ", shown), msg("ledger.and_more", more=more) if more > 0 else "")


def _line(charge: UnresolvedCharge, labels: Mapping[str, str]) -> str:
    line = msg(
        "ledger.charge",
        provider=labels.get(charge.provider, charge.provider),
        model=charge.model,
        when=_when(charge.sent_at),
        usd=usd_digits(charge.usd),
    )
    if not charge.reason:
        return line
    return concat(line, " (", spelled(charge.reason, charge.reason.rstrip(".")), ")")


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
