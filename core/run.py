"""One node's pictures, from requests to results: split into calls, watched, and put back in order.

A run looks into the ledger first, sends only what is missing, stops sending when it has become pointless, and falls back
to the next provider only for pictures that surely cost nothing. It may be stopped at any moment: what was sent goes on
without it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .call import Call, Landed, Memory
from .choice import Plan, Target
from .errors import Charged, NanoBananaError, Stopped, failure
from .errors import Fault as _Fault
from .fit import Fit
from .lanes import Lanes, Ticket
from .ledger import Entry, Kept, Ledger
from .pictures import Encoded, UnreadablePicture, decode, sniff
from .references import encode_references
from .request import Request, Slot
from .wire.step import Job

log = logging.getLogger("nano_banana")

FAILURES_IN_A_ROW = 3
_POINTLESS = frozenset({"key", "credit", "quota", "config", "address"})
"""Answers after which the other pictures would fail the same way."""
_TICK = 0.05


@dataclass(eq=False)
class Result:
    """What became of one slot."""

    slot: Slot
    landed: Landed | None = None
    text: str = ""
    source: str = "provider"
    """"provider" or "store"."""
    error: NanoBananaError | None = None


@dataclass(frozen=True)
class Tried:
    """What came of asking one provider."""

    provider: str
    model: str
    pictures: int
    reason: str = ""
    charged: Charged = "no"

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = {"provider": self.provider, "model": self.model, "images": self.pictures}
        if self.reason:
            found |= {"reason": self.reason, "charged": self.charged}
        return found


@dataclass
class Report:
    """Everything a node needs to know about a finished run."""

    results: list[Result]
    """One per slot, in frame and slot order."""
    extras: list[Result] = field(default_factory=list)
    """Pictures that came beyond those that were asked for."""
    provider: str = ""
    model: str = ""
    wire: str = ""
    resolution: str = ""
    usd: float | None = 0.0
    """What this run spent; None when a price isn't known."""
    usd_source: str = "price list"
    requests: list[dict[str, Any]] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.landed is None]


@dataclass(frozen=True)
class Progress:
    """Where a run is, for the node's face."""

    asked: int
    back: int
    provider: str
    model: str
    phase: str
    seconds: float
    uploaded: tuple[int, int]
    usd: float | None


class Run:
    """A run on a thread of its own. `start` it, then look at `done`, `progress` and `report`."""

    def __init__(
        self,
        requests: Sequence[Request],
        plan: Plan,
        ledger: Ledger,
        lanes: Lanes,
        memory: Memory,
        reference_format: str = "auto",
    ) -> None:
        self.requests, self.plan = list(requests), plan
        self._ledger, self._lanes, self._memory = ledger, lanes, memory
        self._wish = reference_format
        self.results = [Result(slot) for request in requests for slot in request.slots()]
        self._of_frame = {request.frame: request for request in requests}
        self.report = Report(self.results, notices=list(plan.notices))
        self.error: BaseException | None = None
        self.done = threading.Event()
        self._halt = threading.Event()
        self._cause: NanoBananaError | None = None
        """The failure that made sending the rest pointless."""
        self._free_failures = 0
        self._callback: Callable[[], None] | None = None
        self._ending = threading.Lock()
        self._calls: list[tuple[Call, Ticket]] = []
        self._begun = time.monotonic()
        self._target: Target | None = plan.targets[0][0] if plan.targets else None
        self._fits: tuple[Fit, ...] = plan.targets[0][1] if plan.targets else ()
        self._phase = "preparing"

    # ------------------------------------------------------------------------------------------------ for the node

    def start(self) -> None:
        threading.Thread(target=self._live, daemon=True, name="nano-banana-run").start()

    def when_done(self, callback: Callable[[], None]) -> None:
        """Calls back once, from another thread, when the run has ended; at once when it has already."""
        with self._ending:
            if not self.done.is_set():
                self._callback = callback
                return
        callback()

    def stop(self) -> dict[str, Any]:
        """Drops what has not been sent, and lets go of what has. Gives the numbers for the message."""
        self._halt.set()
        for call, ticket in list(self._calls):
            self._lanes.drop(call.target.row.id, ticket)
        out = [call for call, _ in list(self._calls) if call.left and not call.done.is_set()]
        on_the_way = sum(len(call.slots) for call in out)
        usd = sum(self._usd_of(call) or 0.0 for call in out)
        back = sum(1 for result in self.results if result.landed)
        return {
            "asked": len(self.results),
            "back": back,
            "on_the_way": on_the_way,
            "dropped": len(self.results) - back - on_the_way,
            "usd": usd,
        }

    @property
    def progress(self) -> Progress:
        calls = [call for call, _ in list(self._calls)]
        phases = [call.phase for call in calls if not call.done.is_set()]
        phase = self._phase
        for candidate in ("downloading", "working", "pausing", "sent", "uploading", "waiting for a free place"):
            if candidate in phases:
                phase = candidate
                break
        words = next((call.progress for call in calls if call.progress and not call.done.is_set()), "")
        shown = {"working": words or "working", "sent": "waiting for the answer"}.get(phase, phase)
        if self.done.is_set():
            shown = "done"
        sent = [call.bytes_sent for call in calls if call.phase == "uploading"]
        target = self._target
        usd = [fit.usd for fit in self._fits]
        counts = [request.num_images for request in self.requests]
        total = None if None in usd else sum(price * count for price, count in zip(usd, counts, strict=False) if price)
        return Progress(
            len(self.results),
            sum(1 for result in self.results if result.landed),
            target.row.label if target else "",
            target.model.name if target else "",
            shown,
            time.monotonic() - self._begun,
            (sum(s for s, _ in sent), sum(t for _, t in sent)),
            total,
        )

    # ------------------------------------------------------------------------------------------------ inside

    def _live(self) -> None:
        try:
            self._take_from_chain()
            for target, fits in self.plan.targets:
                if self._halt.is_set() or not self._open_slots():
                    break
                self._ask(target, fits)
            self._sum_up()
        except BaseException as error:  # carried to the node, whose words it becomes
            self.error = error
        finally:
            with self._ending:
                self.done.set()
                callback = self._callback
            if callback:
                callback()

    def _open_slots(self) -> list[Result]:
        """Slots without a picture that may be asked for without paying twice."""
        return [r for r in self.results if r.landed is None and (r.error is None or r.error.charged == "no")]

    def _take_from_chain(self) -> None:
        """Pictures that any provider of a chain has made are not asked of the first one again."""
        if len(self.plan.targets) < 2:
            return
        for target, fits in self.plan.targets:
            wanted = [r for r in self.results if r.landed is None]
            if self._halt.is_set() or not wanted:
                return
            self._take_stored(wanted, self._fingerprints(fits, wanted))
            count = sum(1 for r in wanted if r.landed)
            if count:
                self.report.tried.append(Tried(target.row.id, target.model.name, count))
                self._credit(target, fits)

    def _fingerprints(self, fits: tuple[Fit, ...], wanted: Sequence[Result]) -> dict[int, str]:
        """Each result's fingerprint at a target; slow the first time, because it reads the references' pixels."""
        by_frame = {request.frame: fit for request, fit in zip(self.requests, fits, strict=True)}
        return {id(r): by_frame[r.slot.frame].fingerprint(self._of_frame[r.slot.frame], r.slot) for r in wanted}

    def _credit(self, target: Target, fits: tuple[Fit, ...]) -> None:
        self.report.provider, self.report.model = target.row.id, target.model.name
        self.report.wire, self.report.resolution = fits[0].wire, fits[0].resolution

    def _ask(self, target: Target, fits: tuple[Fit, ...]) -> None:
        self._target, self._fits = target, fits
        by_frame = {request.frame: fit for request, fit in zip(self.requests, fits, strict=True)}
        self._add_notices(notice for fit in fits for notice in fit.notices)
        wanted = self._open_slots()
        self._phase, self._cause, self._free_failures = "preparing", None, 0
        prints = self._fingerprints(fits, wanted)
        if self._halt.is_set():
            return
        before = sum(1 for r in self.results if r.landed)
        while wanted and not self._halt.is_set():
            self._take_stored(wanted, prints)
            wanted = [r for r in wanted if r.landed is None and (r.error is None or r.error.kind != "picture")]
            if not wanted:
                break
            opened = self._ledger.open([self._entry(by_frame[r.slot.frame], prints[id(r)], target) for r in wanted])
            # A picture that stands twice in this very run is opened once; its twin waits like any other.
            seen: set[str] = set()
            mine = []
            for result in wanted:
                name = prints[id(result)]
                if opened[name] == "mine" and name not in seen:
                    seen.add(name)
                    mine.append(result)
            self._send(target, by_frame, mine, prints)
            wanted = [r for r in wanted if r not in mine]
            while wanted and not self._halt.is_set():
                if self._ledger.wait([prints[id(r)] for r in wanted], _TICK):
                    break
        if self._halt.is_set():
            for result in self.results:
                if result.landed is None and result.error is None:
                    result.error = Stopped("It was not sent: the run was stopped", kind="stopped")
        failed = [r.error for r in self.results if r.landed is None and r.error]
        worst = next((e for e in failed if e.charged != "no"), failed[0] if failed else None)
        count = sum(1 for r in self.results if r.landed) - before
        self.report.tried.append(
            Tried(
                target.row.id, target.model.name, count, worst.reason if worst else "", worst.charged if worst else "no"
            )
        )
        if count or not self.report.provider:
            self._credit(target, fits)

    def _take_stored(self, wanted: Sequence[Result], prints: dict[int, str]) -> None:
        kept = self._ledger.look_up([prints[id(r)] for r in wanted])
        for result in wanted:
            found = kept.get(prints[id(result)])
            if found is not None:
                try:
                    self._keep(result, found)
                except UnreadablePicture as error:
                    result.error = failure(
                        _Fault("picture"), "The store", "yes", what=f"A stored picture is spoiled: {error}"
                    )

    @staticmethod
    def _keep(result: Result, kept: Kept) -> None:
        result.landed = Landed(decode(kept.data), sniff(kept.data), kept.data)
        result.text, result.source, result.error = kept.text, "store", None

    def _send(self, target: Target, by_frame: dict[int, Fit], mine: list[Result], prints: dict[int, str]) -> None:
        """Asks for `mine` in as few calls as the row allows, and waits for them."""
        calls: list[tuple[Call, list[Result]]] = []
        for group in self._groups(by_frame, mine):
            request = self._of_frame[group[0].slot.frame]
            make = partial(self._job, target, by_frame[request.frame], request, group[0].slot.seed, len(group))
            call = Call(
                target,
                make,
                [r.slot for r in group],
                [prints[id(r)] for r in group],
                [picture.digest for picture in request.references],
                self._ledger,
                self._memory,
                self._over,
                self._noticed,
            )
            calls.append((call, group))
        for call, _ in calls:
            self._calls.append((call, self._lanes.enter(target.row.id, target.parallel, call.run)))
        self._watch(calls)

    def _groups(self, by_frame: dict[int, Fit], mine: list[Result]) -> list[list[Result]]:
        """Neighbouring slots of a frame together, up to what one call can give."""
        groups: list[list[Result]] = []
        for result in mine:
            last = groups[-1] if groups else None
            most = by_frame[result.slot.frame].offer.max_count
            if last and last[0].slot.frame == result.slot.frame and len(last) < most:
                last.append(result)
            else:
                groups.append([result])
        return groups

    def _job(self, target: Target, fit: Fit, request: Request, seed: int, count: int) -> Job:
        """What the dialect gets. Encodes the references, so it runs on the call's own thread, when its turn has come."""
        files: list[Encoded] = []
        if request.references:
            files, notices = encode_references(request.references, target.row, self._wish)
            self._add_notices(notices)
        options = dict(fit.sent)
        if fit.sends_seed:
            options["seed"] = seed
        return Job(
            target.row, target.base_url, fit.wire, request.operation, request.prompt, options, count, tuple(files)
        )

    def _over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._halt.is_set() or self._cause is not None

    def _noticed(self, call: Call) -> None:
        """Looks at a call that has just ended, on its own thread and before the next in line may begin."""
        error = call.outcome.errors[0] if call.outcome.errors else None
        if error is not None and error.kind == "stopped":
            return
        with self._ending:
            self._free_failures = self._free_failures + 1 if error and error.charged == "no" else 0
            if error and (error.kind in _POINTLESS or self._free_failures >= FAILURES_IN_A_ROW):
                self._cause = self._cause or error

    def _watch(self, calls: list[tuple[Call, list[Result]]]) -> None:
        """Waits for the calls and takes in each as it ends."""
        open_calls = list(calls)
        while open_calls:
            for pair in list(open_calls):
                call, group = pair
                timed_out = call.sent_at is not None and time.monotonic() > call.sent_at + call.target.timeout
                if call.done.is_set():
                    open_calls.remove(pair)
                    self._take_in(call, group)
                    self._release(call, open_calls)
                elif timed_out:
                    open_calls.remove(pair)
                    self._give_up(call, group)
                elif self._halt.is_set():
                    open_calls.remove(pair)
                    self._let_go(call, group)
            if open_calls:
                open_calls[0][0].done.wait(_TICK)

    def _take_in(self, call: Call, group: list[Result]) -> None:
        outcome = call.outcome
        for result, landed in zip(group, outcome.landed, strict=False):
            result.landed, result.text, result.error = landed, outcome.text, None
        for landed in outcome.landed[len(group) :]:
            self.report.extras.append(Result(group[-1].slot, landed, outcome.text))
            self._add_notices(
                [f"{call.row_label} sent more pictures than were asked for; they are in the output, last"]
            )
        missing = group[len(outcome.landed) :]
        for index, result in enumerate(missing):
            error = outcome.errors[min(index, len(outcome.errors) - 1)]
            if error.kind == "stopped" and self._cause is not None:
                error = Stopped(
                    f"It was not sent, because of an earlier failure: {self._cause.reason}",
                    kind="stopped",
                    cure=self._cause.cure,
                )
            result.error = error
        if outcome.attempts:
            self.report.requests.append(
                {"id": outcome.request_id, "seconds": round(outcome.seconds, 2), "attempts": outcome.attempts}
            )
        self._spend(call, len(outcome.landed))

    def _release(self, call: Call, open_calls: list[tuple[Call, list[Result]]]) -> None:
        """Lets go of the encoded references that no open call needs: a long batch would fill the memory."""
        needed = {id(p) for other, _ in open_calls for p in self._of_frame[other.slots[0].frame].references}
        for picture in self._of_frame[call.slots[0].frame].references:
            if id(picture) not in needed:
                picture.release()

    def _spend(self, call: Call, pictures: int) -> None:
        usd, report = call.outcome.usd, self.report
        if usd is not None:
            report.usd_source = "provider"
        elif pictures:
            price = self._price_of(call)
            usd = None if price is None else price * pictures
        else:
            return
        if usd is None or report.usd is None:
            report.usd, report.usd_source = None, "unknown"
        else:
            report.usd += usd

    def _price_of(self, call: Call) -> float | None:
        return next(
            (
                fit.usd
                for fit, request in zip(self._fits, self.requests, strict=True)
                if request.frame == call.slots[0].frame
            ),
            None,
        )

    def _usd_of(self, call: Call) -> float | None:
        price = self._price_of(call)
        return None if price is None else price * len(call.slots)

    def _give_up(self, call: Call, group: list[Result]) -> None:
        """The timeout is over: the node goes on, the call is still waited for in the background."""
        self._lanes.leave(call.target.row.id, self._ticket_of(call))
        error = failure(
            _Fault("timeout"),
            call.row_label,
            "maybe",
            what=f"{call.row_label} has not answered within {call.target.timeout} s. The pack goes on waiting for "
            "it in the background, and queueing again takes the picture if it arrives",
        )
        for result in group:
            result.error = error

    def _ticket_of(self, call: Call) -> Ticket:
        return next(ticket for known, ticket in self._calls if known is call)

    def _let_go(self, call: Call, group: list[Result]) -> None:
        if self._lanes.drop(call.target.row.id, self._ticket_of(call)):
            self._ledger.closed(call.fingerprints, "no", "it was not sent")
        charged: Charged = "maybe" if call.left else "no"
        for result in group:
            result.error = Stopped("The run was stopped before it came back", kind="stopped", charged=charged)

    def _sum_up(self) -> None:
        report = self.report
        if any(r.landed and r.source == "provider" for r in self.results) is False and not report.requests:
            report.usd = 0.0
        unknown = [r for r in report.failed if r.error and r.error.charged == "maybe"]
        if unknown:
            report.notices.append(
                f"{len(unknown)} pictures may have been charged without arriving"
                if len(unknown) > 1
                else "1 picture may have been charged without arriving"
            )

    def _entry(self, fit: Fit, fingerprint: str, target: Target) -> Entry:
        return Entry(fingerprint, target.row.id, fit.wire, target.profile, fit.counted_usd)

    def _add_notices(self, notices: Any) -> None:
        for notice in notices:
            if notice not in self.report.notices:
                self.report.notices.append(notice)
