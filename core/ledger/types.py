"""What the journal is told about a picture and what it answers.

The state of a picture's row changes in one direction:

    reserved -> sent -> accepted -> answered -> stored
        |        |         |           |
     deleted   refused, or unknown: it may have been charged, and the provider can't return it

A row of an order (`Reservation.delivery`) stays open until the order has ended, and while it is only `sent` the provider's
list of orders is asked whether it was taken.

`accepted` has a task that can be polled again, `answered` has URLs that can be fetched again: both are free, and the next
`reserve` claims them. For `unknown` the user is asked before the picture is paid again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..errors import LedgerFailed
from ..errors.messages import msg
from ..request import Delivery
from . import workflows
from .kept_answers import KeptAnswer

State = Literal["reserved", "sent", "accepted", "answered", "stored", "refused", "unknown"]
MOST_DRAFTS = 8
"""So many drafts are kept of a picture; models are reported to draw two."""
OPEN_STATES: tuple[State, ...] = ("reserved", "sent", "accepted", "answered")


@dataclass(frozen=True)
class RowFacts:
    """What decides about the row of a picture that no call works on any more."""

    state: State
    is_free: bool
    """Whether its expected price is zero."""
    has_bytes: bool = False
    """Whether the provider's bytes are in the incoming folder."""
    has_task: bool = False
    has_url: bool = False
    is_order: bool = False
    """Whether it is a picture of an order: the provider's list of orders says whether a request was taken."""
    can_resume: bool = False
    """Whether the key is here with which its task or its address can be asked now."""


@dataclass(frozen=True)
class RowEnding:
    """What becomes of such a row."""

    action: Literal["keep", "delete", "set"]
    state: State | None = None
    """The new state, for "set"."""
    counts: bool = True
    """Whether its price stays in sums and caps."""


DecideEnding = Callable[[RowFacts], RowEnding]
"""The rule for it. The journal has none of its own: `execution.charge` has them."""


@dataclass(frozen=True)
class Reservation:
    """A picture that is about to be requested."""

    fingerprint: str
    all_fingerprints: tuple[str, ...]
    """Every fingerprint under which the picture may be in the journal: this one, its older versions, and those at the other
    providers of the chain."""
    provider: str
    model: str
    """Wire model id."""
    profile: str
    operation: str
    prompt: str
    address: str
    """The base URL it will be sent to. A task is polled at this URL only."""
    micros: int
    """What it counts as, in millionths of a US dollar: the expected price, or the highest known one."""
    delivery: Delivery = "now"


@dataclass(frozen=True)
class RunContext:
    """The run of a node, and the graph that contains the node."""

    run: str
    """The id of one queueing of a workflow. The cap per run applies to it."""
    project: str = ""
    node: str = ""
    graph: Mapping[str, Any] | None = field(default=None, repr=False)
    """{"workflow": ..., "prompt": ...} of the host. Secrets of other packs are removed before it is stored."""

    @cached_property
    def packed_graph(self) -> tuple[str, bytes]:
        """The graph's id and its compressed JSON."""
        return workflows.pack(self.graph)


@dataclass(frozen=True)
class StoredImage:
    """A picture whose bytes are in the results folder."""

    uid: str
    fingerprint: str
    provider: str
    model: str
    text: str
    """The text that the provider returned with it."""
    notices: tuple[str, ...]
    """What the user is told about it whenever it is used."""
    read: Callable[[], bytes] = field(repr=False)
    """The provider's own bytes. Raises DamagedFile, or FileNotFoundError where they were deleted."""
    file: str = ""
    """The name of the file with the bytes in the results folder."""
    sources: tuple[tuple[str, str], ...] = ()
    """Title and address of the pages that a web search for it leaned on."""
    drafts: tuple[StoredDraft, ...] = ()
    """What the model drew before it, as far as that is here."""
    prompt: str = field(default="", repr=False)


@dataclass(frozen=True)
class StoredDraft:
    """A picture that the model drew while thinking, whose bytes are in the results folder."""

    uid: str
    read: Callable[[], bytes] = field(repr=False)
    """As of a `StoredImage`."""


@dataclass(frozen=True)
class UnresolvedCharge:
    """A request that may have been charged and whose picture is not here."""

    uid: str
    provider: str
    model: str
    sent_at: float
    """Unix time of the send."""
    usd: float
    reason: str
    answers: tuple[str, ...] = ()
    """The names under which its answer may be kept, see `Journal.kept_answer_name`."""


@dataclass(frozen=True)
class ClaimedImage:
    """One picture of a claimed call."""

    fingerprint: str
    index: int
    """Position of the picture within the call, from 0."""
    url: str = ""


@dataclass(frozen=True)
class Claim:
    """A paid call that no process works on, now held by this process. Resuming it is free."""

    call: str
    provider: str
    model: str
    profile: str
    operation: str
    prompt: str
    address: str
    task: dict[str, Any] | None
    images: tuple[ClaimedImage, ...]
    text: str
    request_id: str
    sent_at: float
    """Unix time."""
    owner_exited: bool = False
    """Whether it belonged to another process, which has ended, and not to this one."""
    image_count: int = 0
    """How many pictures the call requested, including those that are stored or refused."""
    answer: KeptAnswer | None = None
    """The kept answer to read again; None where the task is polled or the URLs are fetched."""
    delivery: Delivery = "now"
    unresolved: bool = False
    """Whether the user is asked before it is paid again. A failed reading of the kept answer must not change that."""


ReserveStatus = Literal["reserved", "busy", "stored", "claimed", "unresolved", "ordered"]


@dataclass
class ReserveResult:
    """What `Journal.reserve` found, by the fingerprints of the reservations."""

    statuses: dict[str, ReserveStatus]
    claims: list[Claim] = field(default_factory=list)
    unresolved: dict[str, list[UnresolvedCharge]] = field(default_factory=dict)
    """For those with the status "unresolved": the charges that the user is asked about."""
    orders: dict[str, str] = field(default_factory=dict)
    """For those with the status "ordered": the id of the order that they are in."""
    acknowledged: dict[str, list[UnresolvedCharge]] = field(default_factory=dict)
    """For those that are sent although an earlier request may have been charged: the user has agreed."""


def ledger_failed(what: str, cure: str = "") -> LedgerFailed:
    """The error for a journal or a folder that can't be used. Nothing more is sent."""
    return LedgerFailed(
        what,
        cure=cure or msg("types.free_space_or_other_folder"),
    )


def micros(usd: float) -> int:
    """US dollars as whole millionths, so that sums are exact."""
    return round(usd * 1_000_000)


def dollars(amount: int) -> float:
    return amount / 1_000_000
