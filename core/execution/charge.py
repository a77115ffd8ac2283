"""What a paid call costs and what remains of it, as a value: states, events, and one function from state to state.

What a failure cost (`charged`: "no", "maybe", "yes") and its disposition are decided here. One decision is made elsewhere:
`core/http/status.py` says after which statuses a request may be sent in another variant, and the refused variant counts as
free (`TryEnded` "no"). Pure: no clock, no socket, no file; `call` makes the events, and the run and the messages read what
comes of them. What becomes of a picture's row in the journal is decided here, too (`row_rule`, `decide_...`): the journal is
given the rule and writes what it says.

A call is in one state. From the provider's final answer on, each of its pictures is in one of its own.

    state       meaning                                                                   charged
    Unsent      no paid request can have been taken                                       no
    InFlight    a paid request was sent; `in_doubt`: so was an earlier one, whose         maybe
                answer was lost and whose idempotency key the next one repeats
    Accepted    the provider has named a task, which can be asked for again               maybe
    Ready       the provider has finished; the picture is at an address or in the answer  maybe
    Stored      the provider's bytes are in the results folder                            yes
    Failed      it ended without that                                                     its own

What an event makes of a state; "-" leaves it as it is. An ending is written as charged, disposition:

    event              Unsent         InFlight                Accepted               Ready
    RequestSent        InFlight       -                       -                      -
    TryEnded no        -              Unsent; in doubt: -     -                      -
    TryEnded else      InFlight       InFlight in doubt       -                      -
                       in doubt
    TaskAccepted       Accepted       Accepted                Accepted, new task     Accepted
    Finished           Ready          Ready                   Ready                  Ready
    BytesStored        Stored         Stored                  Stored                 Stored
    Withdrawn          no, final      -                       -                      -
    Misconfigured      no, final      maybe, unresolved       maybe, resumable       yes, resumable
    ConnectionBroke    no, final (a)  maybe, unresolved       maybe, resumable (b)   maybe (c)
    AnswerUnread       no, final      maybe, unresolved       maybe, resumable (b)   maybe (c)
    OutOfTime          no, final      maybe, unresolved       maybe, resumable (b)   maybe (c)
    PackFailed         no, final      maybe, unresolved       maybe, resumable       maybe (d)
    ProcessEnded       no, final      maybe, unresolved       maybe, resumable       maybe (f)
    Redirected         no, final      maybe, unresolved (g)   maybe, resumable (b)   maybe (c)
    Refused            no, final      as the answer says: `charged_by` and `disposition_of`; (b) and (e)
    NotInList          no, final      no, final (e)           maybe, resumable (b)   maybe (c)
    ListNotRead        no, final      maybe, resumable        maybe, resumable       maybe (f)
    PaymentDue         no, final      maybe, final            maybe, final           maybe, final
    PicturesLacking    no, final      maybe, final            maybe, final           maybe, final
    NotDownloaded      no, final      maybe, unresolved       maybe, resumable (b)   yes (c), if the address lives
    NotAnImage         no, final      maybe, unresolved       maybe, unresolved      yes, unresolved
    NotStored          no, final      maybe, unresolved       maybe, resumable (b)   yes (c)

    (a) maybe, unresolved where the request was paid and all of it was sent
    (b) unresolved once the paid request is older than `RESUMABLE_SECONDS`
    (c) resumable where a task or an address is known, with (b); else unresolved
    (d) resumable where a task is known, else unresolved
    (e) in doubt: at least maybe, and unresolved, because the answer says nothing about the earlier request
    (f) resumable where a task or an address is known, else unresolved
    (g) no, final (e) where it leads to the same address with https or another slash at its end: nothing was done yet

`Stored` and `Failed` are ends. One event moves a `Failed`: `RunDetached` makes "maybe, final" unresolved, since the user has
to learn of it before it is paid again. What surely cost nothing is never unresolved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from ..errors import Charged, Kind, ProviderFailure
from ..http.failures import BytesSent
from ..ledger.types import DecideEnding, RowEnding, RowFacts
from ..providers.spec import ProviderSpec

RESUMABLE_SECONDS = 86400.0
"""How long after its paid request a task or an address is expected to be there yet."""

Disposition = Literal["final", "unresolved", "resumable"]
"""What remains of a paid call without a picture: "final" when the provider has said what became of it, "unresolved" when it
may have made a picture that it can't return, "resumable" when the picture can still be had for nothing."""

ABOUT_THE_CALLER: frozenset[Kind] = frozenset(
    {"key", "credit", "quota", "region", "bot_protection", "proxy", "certificate"}
)
"""Refusals of who asks, or from where: nothing is made for them, whatever status they came with."""
_AGELESS = ABOUT_THE_CALLER | {"account", "rate"}
"""Answers about who asks: however old a task is, they don't say that it is gone."""
_UNKNOWN_END: frozenset[Kind] = frozenset({"network", "timeout", "unreadable", "download", "picture"})
"""Failures that leave open whether a picture was made."""
_STATED_FAILURES: frozenset[Kind] = frozenset({"content", "task", "server", "invalid", "model", "too_large", "busy"})
"""Failures that a provider states in so many words: where it documents that failed requests aren't billed, these aren't."""
_NEVER_REACHED = frozenset({511, 521, 523, 525, 526, 530})
"""The server behind the gateway never had the request: 511 is the network's own log-in page (RFC 6585), the others are
Cloudflare's, whose page on its 5xx errors says that no connection to the origin was made."""
_GATEWAY = frozenset({408, 499, 502, 504, 520, 522, 524})
"""Statuses of a gateway that has lost sight of the server behind it (from 520 on Cloudflare's); a plain 500 is the
provider's own answer."""
_UNKNOWN_TASK = re.compile(
    r"(?i)\b(task|job|run|prediction|request|generation)[ _]?(id)?\b.{0,60}?"
    r"\b(not found|(does not|doesn't|not) exist|unknown|expired)"
    r"|\b(unknown|no such|invalid) (task|job|run|prediction)\b"
)

# ------------------------------------------------------------------------------------------------------- states


@dataclass(frozen=True)
class Unsent:
    """No paid request can have been taken."""


@dataclass(frozen=True)
class InFlight:
    """A paid request was sent."""

    in_doubt: bool = False
    """Whether an earlier try, whose answer was lost, may have been taken, too."""


@dataclass(frozen=True)
class Accepted:
    """The provider has taken the task."""

    task: Mapping[str, Any] = field(hash=False)
    """What the dialect needs to ask for it again."""


@dataclass(frozen=True)
class Ready:
    """The provider has finished."""

    task: Mapping[str, Any] | None = field(default=None, hash=False)
    has_url: bool = False
    """Whether the picture waits at an address."""


@dataclass(frozen=True)
class Stored:
    """The provider's bytes are in the results folder."""


@dataclass(frozen=True)
class Failed:
    """It ended without a picture in the results folder."""

    charged: Charged
    disposition: Disposition


ChargeState = Unsent | InFlight | Accepted | Ready | Stored | Failed

# ------------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True)
class RequestSent:
    """The last byte of a paid request is about to be sent, or an answer to it is here."""


@dataclass(frozen=True)
class TryEnded:
    """A paid request is over, and may be sent again; `charged` is what it may have cost."""

    charged: Charged


@dataclass(frozen=True)
class TaskAccepted:
    """The provider has taken the task."""

    task: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Finished:
    """The provider's final answer, with a picture in it or at an address (`has_url`)."""

    has_url: bool = False


@dataclass(frozen=True)
class BytesStored:
    """The picture is in the results folder."""


@dataclass(frozen=True)
class Withdrawn:
    """The run ended before the call's turn."""


@dataclass(frozen=True)
class Misconfigured:
    """A key, a proxy, a certificate or the journal of this machine kept a request from being made."""


@dataclass(frozen=True)
class _Aged:
    age: float = 0.0
    """Seconds since the paid request."""


@dataclass(frozen=True)
class ConnectionBroke(_Aged):
    """The connection failed before a whole answer was here."""

    sent: BytesSent = "all"
    paid: bool = False
    """Whether it was the paid request."""


@dataclass(frozen=True)
class AnswerUnread(_Aged):
    """An answer is too long, or its address must not be asked."""


@dataclass(frozen=True)
class OutOfTime(_Aged):
    """It is not waited for any longer."""


@dataclass(frozen=True)
class Redirected(_Aged):
    """The answer sends the request elsewhere; a key is never sent along. Many do so after they have done it."""

    same_address: bool = False
    """Whether only the spelling of the address differs (`http/redirects.py`)."""


@dataclass(frozen=True)
class Refused(_Aged):
    """The provider answered with `failure`."""

    spec: ProviderSpec = field(kw_only=True)
    failure: ProviderFailure = field(kw_only=True)


@dataclass(frozen=True)
class NotInList(_Aged):
    """The answer to an order was lost, and the provider's own list of orders doesn't have it."""


@dataclass(frozen=True)
class ListNotRead:
    """The answer to an order was lost, and the provider's list of orders can't be asked now."""


@dataclass(frozen=True)
class PaymentDue:
    """An answer about an earlier call asks for another paid request, which is not made."""


@dataclass(frozen=True)
class PicturesLacking:
    """The final answer has fewer pictures than were asked for, and this is one of the missing."""


@dataclass(frozen=True)
class NotDownloaded(_Aged):
    """The address of a finished picture doesn't give it."""

    gone: bool = False
    """The address leads nowhere any more."""
    forbidden: bool = False
    """The address is one that is never asked."""


@dataclass(frozen=True)
class NotAnImage:
    """The bytes of a finished picture are none."""


@dataclass(frozen=True)
class NotStored(_Aged):
    """The bytes of a finished picture could not be written to disk."""


@dataclass(frozen=True)
class PackFailed:
    """An error in the pack itself."""


@dataclass(frozen=True)
class ProcessEnded:
    """The process that worked on the call has ended."""


@dataclass(frozen=True)
class RunDetached:
    """Nobody was there to hear how it ended."""


ChargeEvent = (
    RequestSent
    | TryEnded
    | TaskAccepted
    | Finished
    | BytesStored
    | Withdrawn
    | Misconfigured
    | ConnectionBroke
    | AnswerUnread
    | OutOfTime
    | Redirected
    | Refused
    | NotInList
    | ListNotRead
    | PaymentDue
    | PicturesLacking
    | NotDownloaded
    | NotAnImage
    | NotStored
    | PackFailed
    | ProcessEnded
    | RunDetached
)

# ------------------------------------------------------------------------------------------------- what they say


def charged(state: ChargeState) -> Charged:
    """Whether money is gone. While a call is open that is "maybe" at most: nobody knows yet how it ends."""
    if isinstance(state, Failed):
        return state.charged
    if isinstance(state, Unsent):
        return "no"
    return "yes" if isinstance(state, Stored) else "maybe"


STILL_RUNNING: Charged = "maybe"
"""What is said of a request that goes on while no run waits for it: nobody knows yet how it ends, and it may be sent again."""


def of_claim(task: Mapping[str, Any] | None) -> ChargeState:
    """The state of a call that was paid earlier. `task`: what finds it again at the provider, where that is known."""
    return Accepted(task) if task else InFlight()


def task_of(state: ChargeState) -> Mapping[str, Any] | None:
    """The task that can be asked for again; None where none is known."""
    return state.task if isinstance(state, (Accepted, Ready)) else None


def is_open(state: ChargeState) -> bool:
    """Whether it is not known yet how it ends."""
    return not isinstance(state, (Stored, Failed))


def advance(state: ChargeState, event: ChargeEvent) -> ChargeState:
    """The state after `event`. An event that doesn't fit a state leaves it as it is."""
    if isinstance(state, Stored):
        return state
    if isinstance(state, Failed):
        moves = isinstance(event, RunDetached) and state == Failed("maybe", "final")
        return Failed("maybe", "unresolved") if moves else state
    if isinstance(event, (RequestSent, TryEnded, TaskAccepted, Finished, BytesStored)):
        return _progressed(state, event)
    if isinstance(event, RunDetached):
        return state
    if isinstance(event, Withdrawn):
        return Failed("no", "final") if isinstance(state, Unsent) else state
    if isinstance(state, Unsent):
        taken = isinstance(event, ConnectionBroke) and charged_by_break(event.sent, paid=event.paid) != "no"
        return Failed("maybe", "unresolved") if taken else Failed("no", "final")
    if isinstance(event, Refused):
        return _refused(state, event)
    if isinstance(event, (PaymentDue, PicturesLacking)):
        return Failed("maybe", "final")
    if isinstance(state, InFlight):
        if isinstance(event, ListNotRead):
            return Failed("maybe", "resumable")
        refused = isinstance(event, NotInList) or (isinstance(event, Redirected) and event.same_address)
        refused = refused and not state.in_doubt
        return Failed("no", "final") if refused else Failed("maybe", "unresolved")
    return _ended(state, event)


def _progressed(
    state: Unsent | InFlight | Accepted | Ready,
    event: RequestSent | TryEnded | TaskAccepted | Finished | BytesStored,
) -> ChargeState:
    if isinstance(event, BytesStored):
        return Stored()
    if isinstance(event, Finished):
        return Ready(task_of(state), event.has_url)
    if isinstance(event, TaskAccepted):
        return Accepted(event.task)
    if not isinstance(state, (Unsent, InFlight)):
        return state
    if isinstance(event, TryEnded):
        if event.charged != "no":
            return InFlight(in_doubt=True)
        return state if isinstance(state, InFlight) and state.in_doubt else Unsent()
    return InFlight() if isinstance(state, Unsent) else state


def _refused(state: InFlight | Accepted | Ready, event: Refused) -> Failed:
    accepted = task_of(state) is not None
    cost = charged_by(event.spec, event.failure, accepted=accepted)
    remains = disposition_of(event.failure, accepted=accepted)
    if event.failure.kind not in _AGELESS:
        remains = _while_resumable(remains, event.age)
    if isinstance(state, InFlight) and state.in_doubt:
        return Failed("maybe" if cost == "no" else cost, "unresolved")
    return Failed(cost, "final" if cost == "no" and remains == "unresolved" else remains)


def _ended(state: Accepted | Ready, event: ChargeEvent) -> Failed:
    """What remains of a task, or of a finished picture, after an event that says nothing about the money."""
    finished = isinstance(state, Ready) and isinstance(event, (Misconfigured, NotDownloaded, NotAnImage, NotStored))
    cost: Charged = "yes" if finished else "maybe"
    if isinstance(event, Misconfigured):
        return Failed(cost, "resumable")
    known = state.task is not None
    if isinstance(event, PackFailed):
        return Failed(cost, "resumable" if known else "unresolved")
    if isinstance(event, (ProcessEnded, ListNotRead)):
        return Failed(cost, "resumable" if known or (isinstance(state, Ready) and state.has_url) else "unresolved")
    if isinstance(state, Ready) and not isinstance(event, NotDownloaded):
        known = known or state.has_url
    if isinstance(event, NotDownloaded):
        known = not event.forbidden and (known or not event.gone)
    if isinstance(event, NotAnImage):
        known = False
    age = event.age if isinstance(event, _Aged) else 0.0
    return Failed(cost, _while_resumable("resumable" if known else "unresolved", age))


def _while_resumable(disposition: Disposition, age: float) -> Disposition:
    return "unresolved" if disposition == "resumable" and abs(age) > RESUMABLE_SECONDS else disposition


# ------------------------------------------------------------------------------------------------ rows of the journal


def row_rule(state: ChargeState) -> DecideEnding:
    """What becomes of the row of a picture whose call has ended in `state`."""
    return partial(_ending_of_row, state)


def decide_unstarted_row(row: RowFacts) -> RowEnding:
    """The row of a call that is not begun: a reservation is deleted, a claimed call stays open and can be claimed again."""
    return _ending_of_row(Failed("no", "resumable"), row)


def decide_stalled_row(row: RowFacts) -> RowEnding:
    """The row of a call whose process has ended: nothing is known after the last state that it wrote."""
    if row.is_free and not row.can_resume:
        return _ending_of_row(Failed("no", "final"), row)
    if row.is_order and row.state == "sent":
        return _ending_of_row(advance(InFlight(), ListNotRead()), row)
    return _ending_of_row(advance(_STATE_OF_ROW[row.state], ProcessEnded()), row)


def decide_damaged_row(row: RowFacts) -> RowEnding:
    """The row of a stored picture whose bytes are damaged: it is fetched again, or asked about where that costs money."""
    if row.has_url or row.has_task:
        return RowEnding("set", "answered" if row.has_url else "accepted")
    return RowEnding("set", "refused" if row.is_free else "unknown")


def decide_withdrawn_row(row: RowFacts) -> RowEnding:
    """The row of a request of which the user says that it was not charged. What can still be had stays as it is."""
    if row.state != "unknown" or row.has_bytes:
        return RowEnding("keep")
    return RowEnding("set", "refused", counts=False)


_STATE_OF_ROW: dict[str, ChargeState] = {
    "reserved": Unsent(),
    "sent": InFlight(),
    "accepted": Accepted({}),
    "answered": Ready(has_url=True),
}


def _ending_of_row(state: ChargeState, row: RowFacts) -> RowEnding:
    cost = charged(state)
    disposition = state.disposition if isinstance(state, Failed) else "final"
    if row.state == "reserved":
        return RowEnding("delete")
    may_resume = row.state in ("accepted", "answered") or (row.is_order and row.state == "sent")
    if disposition == "resumable" and may_resume:
        return RowEnding("keep")
    if cost == "no":
        return RowEnding("set", "refused", counts=False)
    if row.has_bytes:
        return RowEnding("keep")  # the next look-up marks it as stored
    # A free request can't have been charged, so the user is not asked about it.
    return RowEnding("set", "refused" if disposition == "final" or row.is_free else "unknown")


# ------------------------------------------------------------------------------------------------ single answers


def charged_by(spec: ProviderSpec, failure: ProviderFailure, *, accepted: bool) -> Charged:
    """Whether a paid step that was answered with `failure` cost money.

    `accepted`: the provider had taken the task before.
    """
    if failure.unbilled is not None:
        return "no" if failure.unbilled else "yes"
    if failure.kind == "task_lost":
        return "maybe"  # it may have finished before it was forgotten, whatever is documented about failures
    if failure.kind in ABOUT_THE_CALLER and (failure.status is None or not accepted):
        return "no"
    if accepted or failure.status is None or 200 <= failure.status < 300:
        # It worked on it. Some bill what they could not deliver, most don't: only a documented word is believed, and an
        # answer that can't be read, or that claims success, may well be a picture that was made.
        return "no" if spec.failures_unbilled and failure.kind in _STATED_FAILURES else "maybe"
    if failure.status in spec.refuses_before_work or failure.status in _NEVER_REACHED:
        return "no"
    if not 400 <= failure.status < 600:
        return "maybe"  # a redirect, or a number that HTTP gives no meaning
    if failure.status in _GATEWAY or failure.status == 409:
        return "maybe"  # what is behind it may have finished
    if failure.status >= 500:
        return "no" if spec.failures_unbilled and failure.message else "maybe"
    return "no"


def charged_by_break(sent: BytesSent, *, paid: bool) -> Charged:
    """Whether a request whose connection failed before its answer may have cost money: only a whole one can be taken."""
    return "maybe" if paid and sent == "all" else "no"


def is_task_lost(failure: ProviderFailure) -> bool:
    """Whether an answer about an accepted task says that the provider doesn't know it (any more).

    404 and 410 say so by themselves. Some providers answer an unknown id with a 400, 422 or an error inside a 200: there
    the words have to name the task.
    """
    if failure.kind == "task_lost" or failure.status in (404, 410):
        return True
    return failure.status in (200, 400, 422) and bool(_UNKNOWN_TASK.search(failure.message))


def disposition_of(failure: ProviderFailure, *, accepted: bool) -> Disposition:
    """What remains of a paid call that ended with `failure`.

    `accepted`: the provider had taken the task before, and the failure answers a question about it.
    """
    status = failure.status
    if failure.kind == "task_lost" or (failure.final and accepted):
        return "unresolved"
    if failure.kind == "empty" and not failure.message and not failure.unbilled:
        return "unresolved"  # nobody said that there is no picture: it may have been made, in a shape that isn't known
    if accepted and (failure.kind == "unreadable" or (status is not None and not 200 <= status < 300)):
        return "unresolved" if status in (404, 410) else "resumable"
    if status is not None and not 200 <= status < 600:
        return "unresolved"
    return "unresolved" if failure.kind in _UNKNOWN_END or status in _GATEWAY else "final"
