"""The words of the ledger: what it is told about a picture and what it answers.

A picture's row goes one way:

    reserved -> sent -> accepted -> answered -> stored
        |        |         |           |
     deleted   refused, or unknown: it may have been paid, and the provider can't return it

`accepted` has a task that can be asked for again, `answered` has addresses that can be fetched again: both are free, and
are gone on with by whoever asks next. `unknown` is asked about before it is paid again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..errors import LedgerFailed
from . import workflows
from .kept_answers import KeptAnswer

State = Literal["reserved", "sent", "accepted", "answered", "stored", "refused", "unknown"]
OPEN_STATES: tuple[State, ...] = ("reserved", "sent", "accepted", "answered")


@dataclass(frozen=True)
class Reservation:
    """A picture that is about to be asked for."""

    fingerprint: str
    all_fingerprints: tuple[str, ...]
    """Every fingerprint under which it may be known: this one, older versions of it, and the same picture at the other
    providers of the chain."""
    provider: str
    model: str
    """Wire model id."""
    profile: str
    operation: str
    prompt: str
    address: str
    """The base URL it will be sent to: a task is asked for there and nowhere else."""
    micros: int
    """What it counts as, in millionths of a US dollar: the expected price, or the dearest known one."""


@dataclass(frozen=True)
class RunContext:
    """Who asks: one run of a node, and the graph it stands in."""

    run: str
    """One queueing of a workflow: what the cap per run holds together."""
    project: str = ""
    node: str = ""
    graph: Mapping[str, Any] | None = field(default=None, repr=False)
    """{"workflow": ..., "prompt": ...} as the host has them; secrets of other packs are taken out before it is kept."""

    @cached_property
    def packed_graph(self) -> tuple[str, bytes]:
        """The graph's id and its compressed JSON."""
        return workflows.pack(self.graph)


@dataclass(frozen=True)
class Caps:
    """Limits in US dollars; None = no limit."""

    run: float | None = 5.0
    day: float | None = 25.0
    month: float | None = None


@dataclass(frozen=True)
class StoredImage:
    """A picture that is here."""

    uid: str
    fingerprint: str
    provider: str
    model: str
    text: str
    """The words that came with it."""
    notices: tuple[str, ...]
    """What the user has to know about it."""
    read: Callable[[], bytes] = field(repr=False)
    """The provider's own bytes. Raises Spoiled when they are damaged, FileNotFoundError when they are gone."""
    file: str = ""
    """The name of the file with the bytes in the results folder."""


@dataclass(frozen=True)
class UnresolvedCharge:
    """A picture that may have been paid and can't be had."""

    uid: str
    provider: str
    model: str
    sent_at: float
    """Unix time of the send."""
    usd: float
    reason: str
    call: str = ""
    """Whose answer may be kept."""


@dataclass(frozen=True)
class ClaimedImage:
    """One picture of a claimed call."""

    fingerprint: str
    index: int
    """Which picture of the call it is, from 0."""
    url: str = ""


@dataclass(frozen=True)
class Claim:
    """A call that somebody paid for and nobody is waiting for any more: from here on it is ours, and free."""

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
    """Whether its owner was another process that is gone, and not this one."""
    image_count: int = 0
    """How many pictures the call asked for, those included that are settled."""
    answer: KeptAnswer | None = None
    """The answer to read again; None where the provider is asked or pictures are fetched."""
    unresolved: bool = False
    """Whether it is asked about before it is paid again: reading its answer in vain must not change that."""


ReserveStatus = Literal["reserved", "busy", "stored", "claimed", "unresolved"]


@dataclass
class ReserveResult:
    """What `open` found, by the entries' fingerprints."""

    statuses: dict[str, ReserveStatus]
    claims: list[Claim] = field(default_factory=list)
    unresolved: dict[str, list[UnresolvedCharge]] = field(default_factory=dict)
    """For the doubtful: what the user has to be told."""
    acknowledged: dict[str, list[UnresolvedCharge]] = field(default_factory=dict)
    """For those that are sent although an earlier one may have been paid."""


def ledger_failed(what: str, cure: str = "") -> LedgerFailed:
    """The error for a journal or a folder that can't be used; nothing more was sent."""
    return LedgerFailed(
        what,
        cure=cure or "Free some space, make the pack's data folder writable, or name another one in NANO_BANANA_HOME",
    )


def micros(usd: float) -> int:
    """US dollars as whole millionths: sums of them are exact."""
    return round(usd * 1_000_000)


def dollars(amount: int) -> float:
    return amount / 1_000_000
