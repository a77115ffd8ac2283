"""The state of one call: the state that its runner, its step sender and its image collector share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..dialects.base.step import Job, Send
from ..errors import Charged
from ..http.transport import Cancelled
from ..ledger import Claim
from ..ledger.kept_answers import KeptAnswer
from ..planning.plan import Target
from .charge import ChargeEvent, ChargeState, RequestSent, TryEnded, Unsent, advance, charged, of_claim, task_of
from .outcome import Outcome
from .repeated_references import reference_marks

COLLECT_SECONDS = 900.0
"""How long after its timeout a paid call is still waited for, so that a late picture isn't lost."""
FREE_SECONDS = 120.0
"""For one free step before anything is paid (an upload), and for a download."""
SLOW_BYTES = 30_000
"""Bytes a second of a slow line: an upload may take as long as it would there."""

MARKS = "references"
"""Where the state of a kept answer, and that of a task, says which references were sent along."""

Phase = Literal[
    "waiting for a free slot", "preparing", "uploading", "sent", "working", "downloading", "pausing", "ended"
]


@dataclass
class CallStatus:
    """The state of one call. Written by the call's own thread only, read by others for a progress display."""

    id: str
    target: Target
    fingerprints: list[str]
    """One for each of its pictures."""
    numbers: list[int]
    """Which picture of the provider's answer each of them is, from 0."""
    digests: list[str]
    """The pixel digests of the references."""
    claim: Claim | None = None
    """The earlier call that this one goes on with; nothing is paid then."""
    is_order: bool = False
    """Whether it is an order: what was asked for each of its pictures is not in `job` then."""
    outcome: Outcome = field(default_factory=Outcome)
    phase: Phase = "waiting for a free slot"
    progress: str = ""
    bytes_sent: tuple[int, int] = (0, 0)
    """Bytes of the request that were sent, and all of them."""
    sent_at: float | None = None
    """Clock of the first paid send that may have been taken; None while nothing is paid."""
    paid_at: float = 0.0
    """Unix time of the first paid send."""
    attempts: int = 0
    charge: ChargeState = field(default_factory=Unsent)
    """The money of the whole call."""
    picture_charges: dict[int, ChargeState] = field(default_factory=dict)
    """Number -> the money of one picture, from the provider's final answer on."""
    answer: KeptAnswer | None = None
    """The last answer about the pictures, while it may have to be kept."""
    cancel_requested: bool = False
    """Whether the provider was asked to cancel the task."""
    drafts: list[bytes] = field(default_factory=list)
    """What the model has drawn while thinking, as far as it has come: files, while the answer is still arriving."""
    uploads: set[str] = field(default_factory=set)
    """Addresses of the references that were uploaded."""
    job: Job = field(init=False)

    def __post_init__(self) -> None:
        if self.claim is not None:
            self.paid_at = self.claim.sent_at
            self.charge = of_claim(self.claim.task)

    # ----------------------------------------------------------------------------------------------- money

    @property
    def maybe_paid(self) -> bool:
        """Whether the provider may have the paid request: from here on it is not taken back."""
        return not isinstance(self.charge, Unsent)

    @property
    def charged(self) -> Charged:
        """Whether money is gone, as far as it is known by now."""
        return charged(self.charge)

    @property
    def task(self) -> dict[str, Any] | None:
        """What finds an accepted task again; None where there is none."""
        task = task_of(self.charge)
        return None if task is None else dict(task)

    @property
    def task_id(self) -> str:
        """What the provider calls the accepted task; empty where there is none."""
        return str((self.task or {}).get("task", ""))

    @property
    def age(self) -> float:
        """Seconds since the first paid send, by the machine's date."""
        return time.time() - self.paid_at

    def advance(self, event: ChargeEvent) -> Charged:
        """Moves the charge of the call; gives whether money is gone after that."""
        self.charge = advance(self.charge, event)
        return charged(self.charge)

    def let_leave(self, is_stopped: Callable[[], bool]) -> None:
        """The last byte of a paid request is about to leave. Raises Cancelled where the run has ended and nothing was sent yet.

        The run is asked after the charge has moved: what a stopped run says about money is then true, whichever comes first.
        """
        was_sent = self.maybe_paid
        self.advance(RequestSent())
        if is_stopped() and not was_sent:
            self.advance(TryEnded("no"))
            raise Cancelled

    def advance_picture(self, number: int, event: ChargeEvent) -> Charged:
        """Moves the charge of one picture, which begins as that of the call."""
        self.picture_charges[number] = advance(self.charge_of(number), event)
        return charged(self.picture_charges[number])

    def charge_of(self, number: int) -> ChargeState:
        return self.picture_charges.get(number, self.charge)

    # ----------------------------------------------------------------------------------------------- facts

    def fingerprint(self, number: int) -> str:
        return self.fingerprints[self.numbers.index(number)]

    def make_references(self) -> None:
        """Waits until all references are encoded: once the request is paid, nothing may keep the journal waiting for them."""
        for picture in self.job.all_references:
            picture.wait()

    @property
    def marks(self) -> list[str]:
        """What tells the references of the call in an answer, those of an earlier process included."""
        earlier = (self.claim.task or {}).get(MARKS) if self.claim else None
        return [*reference_marks(self.job, self.uploads), *(earlier if isinstance(earlier, list) else ())]

    @property
    def sent_text(self) -> str:
        """The user's own words in the request, which an error may repeat."""
        return f"{self.job.prompt}\n{self.job.options.get('system_prompt', '')}"

    def deadline(self, send: Send | None = None) -> float:
        """Clock until which the call, or one free step before anything is paid, is waited for."""
        if self.sent_at is None:
            # A large reference takes minutes on a slow line: what moves is waited for.
            slow = len(send.body) / SLOW_BYTES if send is not None and send.body is not None else 0.0
            return time.monotonic() + FREE_SECONDS + slow
        return self.sent_at + self.target.timeout + COLLECT_SECONDS


def status_of_new_call(id: str, target: Target, fingerprints: Sequence[str], digests: Sequence[str]) -> CallStatus:
    return CallStatus(id, target, list(fingerprints), list(range(len(fingerprints))), list(digests))


def status_of_claim(claim: Claim, target: Target) -> CallStatus:
    """The status of the rest of a call that was paid earlier."""
    fingerprints = [image.fingerprint for image in claim.images]
    return CallStatus(claim.call, target, fingerprints, [image.index for image in claim.images], [], claim)
