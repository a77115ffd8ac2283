"""One node's pictures, from requests to results: split into calls, watched, and put back in order.

A run looks into the ledger first, goes on with what was left behind, sends only what is missing, stops sending when it
has become pointless, and falls back to the next provider only for pictures that surely cost nothing. It may be stopped
at any moment: what was sent goes on without it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..dialects.base.step import Job
from ..errors import Charged, Impossible, LedgerFailed, NanoBananaError, OverCap, Stopped, failure
from ..errors import Fault as _Fault
from ..images.picture import Encoded, Picture, TooLarge, UnreadablePicture, decode, sniff
from ..ledger import Claim, Reservation, RunContext, StoredImage, micros
from ..ledger.journal import Journal
from ..ledger.messages import acknowledged_notice, unresolved_error
from ..ledger.results import DamagedFile
from ..ledger.types import ledger_failed
from ..planning.negotiate import ResolvedRequest
from ..planning.plan import Candidate, Plan, Target
from ..planning.references import encode_references
from ..planning.successor import gone_id, has_successor, is_unknown_model, notice, successor_of
from ..request import Request
from . import retry_policy
from .call import Call
from .concurrency import ConcurrencyLimiter, QueuedCall
from .failures import too_large
from .outcome import ResultImage
from .provider_cache import ProviderCache
from .report import Progress, Report, Result, Tried

log = logging.getLogger("nano_banana")

FAILURES_IN_A_ROW = 3
_POINTLESS = retry_policy.ABOUT_THE_CALLER | {"account", "config", "address"}
"""Answers after which the other pictures would fail the same way."""
_WAITS = {"rate": "waiting for the rate limit", "busy": "waiting for the busy provider"}
"""Kind of a refusal that is waited for -> what a person reads meanwhile."""
_TICK = 0.05


Resume = Callable[[str, str, str, str], "Target | None"]
"""(provider, profile, address, wire model) -> who can go on with a call made there, if the key for it is here."""


class Run:
    """A run on a thread of its own. `start` it, then look at `done`, `progress` and `report`."""

    def __init__(
        self,
        requests: Sequence[Request],
        plan: Plan,
        ledger: Journal,
        lanes: ConcurrencyLimiter,
        memory: ProviderCache,
        run_context: RunContext,
        resume: Resume,
        reference_format: str = "auto",
        *,
        heard: bool = True,
    ) -> None:
        """`heard`: what the report asks counts as told when the run has ended; else whoever shows it says `told`."""
        self._heard = heard
        self.requests, self.plan, self._run_context, self._resume = list(requests), plan, run_context, resume
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
        self._questions: list[str] = []
        """Uids of pictures that may have been paid, which the report asks about. A run that nobody hears out asks nothing."""
        self._callback: Callable[[], None] | None = None
        self._ending = threading.Lock()
        self._calls: list[tuple[Call, QueuedCall]] = []
        self._chain = plan.chain
        self._names: dict[int, tuple[str, ...]] = {}
        """id of a result -> every fingerprint that its picture may have: at each provider, in each version."""
        self._begun = time.monotonic()
        self._target: Target | None = plan.targets[0][0] if plan.targets else None
        self._fits: tuple[ResolvedRequest, ...] = plan.targets[0][1] if plan.targets else ()
        self._phase = "preparing"
        self._asking: Target | None = None

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

    def stop(self, *, cancel: bool = True) -> dict[str, Any]:
        """Drops what has not been sent, and lets go of what has. Gives the numbers for the message.

        `cancel`: the user wants none of it, so providers that can are asked to drop what they have not begun. Nobody
        waits for their answer. `usd` is for what is on its way, None when a price isn't known; `doubtful` may have been
        charged and is neither back nor on its way.
        """
        self._halt.set()
        calls = [call for call, _ in list(self._calls)]
        for call, ticket in list(self._calls):
            self._lanes.drop(call.target.account, ticket)
            call.alone = True
        out = [call for call in calls if call.left and not call.done.is_set()]
        # A request that is only leaving now may be accepted in a moment: it is marked too.
        asked = [call for call in calls if cancel and call.cancel()]
        ended = [call for call in calls if call.done.is_set()]
        landed = {
            name
            for call in ended
            for n, name in zip(call.numbers, call.fingerprints, strict=True)
            if n in call.outcome.landed
        }
        missing = [r for r in self.results if not r.landed and not self._among(r, landed)]
        under_way = {name for call in out for name in call.fingerprints}
        on_the_way = [r for r in missing if self._among(r, under_way)]
        doubtful = [r for r in missing if not self._among(r, under_way) and r.error and r.error.charged != "no"]
        cancelling = {name for call in out if call in asked for name in call.fingerprints}
        prices = [self._usd_of(call) for call in out]
        usd = None if None in prices else sum(price for price in prices if price)
        return {
            "asked": len(self.results),
            "back": len(self.results) - len(missing),
            "on_the_way": len(on_the_way),
            "cancelling": sum(1 for r in on_the_way if self._among(r, cancelling)),
            "doubtful": len(doubtful),
            "dropped": len(missing) - len(on_the_way) - len(doubtful),
            "usd": usd,
        }

    def _among(self, result: Result, names: set[str]) -> bool:
        """Whether one of these fingerprints is a picture's."""
        return not names.isdisjoint(self._names.get(id(result), ()))

    @property
    def progress(self) -> Progress:
        calls = [call for call, _ in list(self._calls)]
        phases = [call.phase for call in calls if not call.done.is_set()]
        waits = [wait for call in calls if not call.done.is_set() and (wait := call.waiting.shown)]
        phase = self._phase
        for candidate in ("downloading", "working", "pausing", "sent", "uploading", "waiting for a free place"):
            if candidate in phases:
                phase = candidate
                break
        words = next((call.progress for call in calls if call.progress and not call.done.is_set()), "")
        shown = {"working": words or "working", "sent": "waiting for the answer"}.get(phase, phase)
        if waits:
            shown = _WAITS[waits[0][0]]
        if self.done.is_set():
            shown, waits = "done", []
        sent = [call.bytes_sent for call in calls if call.phase == "uploading"]
        target = self._target
        usd = [fit.usd for fit in self._fits]
        counts = [request.num_images for request in self.requests]
        total = None if None in usd else sum(price * count for price, count in zip(usd, counts, strict=False) if price)
        return Progress(
            len(self.results),
            len(self.report.landed),
            target.spec.label if target else "",
            target.model.name if target else "",
            shown,
            time.monotonic() - self._begun,
            (sum(s for s, _ in sent), sum(t for _, t in sent)),
            self.report.usd if self.done.is_set() else total,
            min((seconds for _, seconds in waits), default=0.0),
        )

    # ------------------------------------------------------------------------------------------------ inside

    def _live(self) -> None:
        try:
            self._name_all()
            self._take_stored(self.results)
            self._refuse_rest()
            for target, fits in self.plan.targets:
                if self._halt.is_set() or not self._open_slots() or self.plan.refusal:
                    break
                self._ask(target, fits)
                self._ask_successors((target, fits))
            self.report.end()
            if self._heard:
                self.told()
        except BaseException as error:  # carried to the node, whose words it becomes
            self.error = error
        finally:
            with self._ending:
                self.done.set()
                callback = self._callback
            if callback:
                callback()

    def _refuse_rest(self) -> None:
        """Fails what isn't here where nothing may be sent. Raises the refusal where nothing at all is here."""
        refusal = self.plan.refusal
        if refusal is None or not self._open_slots():
            return
        if not self.report.landed:
            raise refusal
        for result in self._open_slots():
            # A plain one: the node makes one error of many, of the same class.
            result.error = Impossible(refusal.what, cure=refusal.cure)

    @property
    def queueing(self) -> str:
        """Which queueing of a graph it belongs to."""
        return self._run_context.run

    @property
    def asks(self) -> bool:
        """Whether the report asks about pictures that may have been paid."""
        return bool(self._questions) and not self._halt.is_set()

    def told(self) -> None:
        """The user has been shown what the report asks: to ask again within the hour is the answer."""
        if not self.asks:
            return
        try:
            self._ledger.mark_notified(self._questions, self._run_context.run)
        except LedgerFailed as error:  # they are asked again; the pictures in hand must not be lost over it
            self.report.note([error.reason])

    def _name_all(self) -> None:
        """Fingerprints for all; slow the first time, because it reads the references' pixels."""
        places = {request.frame: index for index, request in enumerate(self.requests)}
        for result in self.results:
            frame = result.slot.frame
            self._names[id(result)] = self.plan.names(places[frame], self._of_frame[frame], result.slot)

    def _open_slots(self) -> list[Result]:
        """Slots without a picture that may be asked for without paying twice."""
        return [r for r in self.results if r.landed is None and (r.error is None or r.error.charged == "no")]

    def _credit(self, target: Target, fits: tuple[ResolvedRequest, ...]) -> None:
        self.report.provider, self.report.model = target.spec.id, target.model.name
        self.report.wire, self.report.resolution = fits[0].wire, fits[0].resolution

    def _ask(self, target: Target, fits: tuple[ResolvedRequest, ...]) -> None:
        self._target, self._fits, self._asking = target, fits, target
        by_frame = {request.frame: fit for request, fit in zip(self.requests, fits, strict=True)}
        self.report.note(notice for fit in fits for notice in fit.notices)
        wanted = self._open_slots()
        self._phase, self._cause, self._free_failures = "preparing", None, 0
        for result in wanted:
            result.fail(None)
        prints = {id(r): by_frame[r.slot.frame].fingerprint(self._of_frame[r.slot.frame], r.slot) for r in wanted}
        before = len(self.report.landed)
        while wanted and not self._halt.is_set():
            self._claim_and_send(target, by_frame, wanted, prints)
            wanted = [r for r in wanted if r.landed is None and r.error is None]
            until = time.monotonic() + target.timeout
            while wanted and not self._halt.is_set():
                if self._ledger.wait([self._names[id(r)] for r in wanted], _TICK):
                    break
                if time.monotonic() > until:
                    self._wait_no_longer(target, wanted)
                    break
            wanted = [r for r in wanted if r.error is None]
            self._take_stored(wanted)
            wanted = [r for r in wanted if r.landed is None and r.error is None]
        if self._halt.is_set():
            for result in self.results:
                if result.landed is None and result.error is None:
                    result.error = Stopped("It was not sent: the run was stopped")
        failed = [r.error for r in self.results if r.landed is None and r.error]
        worst = next((e for e in failed if e.charged != "no"), failed[0] if failed else None)
        count = len(self.report.landed) - before
        self.report.tried.append(
            Tried(
                target.spec.id,
                target.model.name,
                count,
                worst.reason if worst else "",
                worst.charged if worst else "no",
            )
        )
        if count or not self.report.provider:
            self._credit(target, fits)

    def _ask_successors(self, asked: Candidate) -> None:
        """Asks the model that took the place of one whose id the provider has just said it doesn't know."""
        before = {id(result): result.error for result in self._open_slots()}
        dropped = [asked]
        while not self._halt.is_set() and any(is_unknown_model(result.error) for result in self._open_slots()):
            try:
                found = successor_of(dropped[-1], self.requests)
            except Impossible as error:
                self._memory.gone.update(gone_id(old) for old in dropped)
                for result in self._open_slots():
                    result.error = error
                return
            if found is None or len(dropped) > len(found[0].spec.models):
                break
            dropped.append(found)
            self._look_for(found)
            self._take_stored(self._open_slots())
            if self._open_slots():
                self._ask(*found)
        failed = self._open_slots()
        if len(failed) == len(before) and all(is_unknown_model(result.error) for result in failed):
            for result in failed:  # it knows none of them, so it is not about this model: a wrong address, perhaps
                result.error = before[id(result)]
        elif len(dropped) > 1:
            self._memory.gone.update(gone_id(old) for old in dropped[:-1])
            self.report.note([notice(asked, dropped[-1])])

    def _look_for(self, asked: Candidate) -> None:
        """From here on a picture that `asked` has made is one of those that are wanted."""
        self._chain = (*self._chain, asked)
        by_frame = {request.frame: fit for request, fit in zip(self.requests, asked[1], strict=True)}
        for result in self.results:
            frame = result.slot.frame
            names = by_frame[frame].names(self._of_frame[frame], result.slot)
            self._names[id(result)] = tuple(dict.fromkeys((*self._names[id(result)], *names)))

    def _claim_and_send(
        self, target: Target, by_frame: dict[int, ResolvedRequest], wanted: list[Result], prints: dict[int, str]
    ) -> None:
        """Opens what is wanted, says what is doubtful, sends what is ours and goes on with what was left behind."""
        entries = [self._entry(by_frame[r.slot.frame], prints[id(r)], target, r) for r in wanted]
        try:
            opening = self._ledger.reserve(
                entries,
                self._run_context,
                self.plan.terms.caps,
                resend=self.plan.terms.resend,
                can_resume=lambda provider, profile, address: self._resume(provider, profile, address, "") is not None,
            )
        except OverCap as error:
            for result in wanted:
                result.error = error
            return
        self.report.note(self._ledger.database.take_notices())
        if opening.acknowledged:
            self.report.note([acknowledged_notice([d for found in opening.acknowledged.values() for d in found])])
        if opening.unresolved:
            doubts = [doubt for found in opening.unresolved.values() for doubt in found]
            kept = any(self._ledger.answers.has(doubt.call) for doubt in doubts)
            question = unresolved_error(doubts, kept=kept)
            self._questions += [doubt.uid for doubt in doubts]
            for result in wanted:
                if about := opening.unresolved.get(prints[id(result)]):
                    result.fail(question, about[0].uid, self._ledger.answers.name(about[0].call))
        # A picture that stands twice in this very run is opened once; its twin waits like any other.
        seen: set[str] = set()
        mine = []
        for result in wanted:
            name = prints[id(result)]
            if opening.statuses[name] == "reserved" and name not in seen:
                seen.add(name)
                mine.append(result)
        try:
            self._send(target, by_frame, mine, prints, opening.claims, wanted)
        except BaseException:
            # What no call is on would stay reserved for as long as this process lives.
            ours = [*(prints[id(r)] for r in mine), *(p.fingerprint for claim in opening.claims for p in claim.images)]
            taken = {name for call, _ in self._calls for name in call.fingerprints}
            self._ledger.mark_failed(
                [name for name in ours if name not in taken], "no", "the run ended", resumable=True
            )
            raise

    def _wait_no_longer(self, target: Target, wanted: list[Result]) -> None:
        error = failure(
            _Fault("timeout"),
            target.spec.label,
            "maybe",
            what=f"Another request for the same picture has not been answered within {target.timeout} s. It is still waited "
            "for, and queueing again takes the picture if it arrives",
        )
        for result in wanted:
            result.error = error

    def _take_stored(self, wanted: Sequence[Result]) -> None:
        """Takes what is here, from whichever provider of the chain it came."""
        kept = self._ledger.look_up([name for r in wanted for name in self._names[id(r)]])
        taken: list[StoredImage] = []
        for result in wanted:
            found = next((kept[name] for name in self._names[id(result)] if name in kept), None)
            if found is not None and self._keep(result, found):
                taken.append(found)
        if not taken:
            return
        self._ledger.mark_used([each.uid for each in taken])
        for target, fits in self._chain:
            count = sum(1 for each in taken if (each.provider, each.model) == (target.spec.id, fits[0].wire))
            if count and len(self._chain) > 1 and target is not self._asking:
                self.report.tried.append(Tried(target.spec.id, target.model.name, count))
            if count:
                self._credit(target, fits)

    def _keep(self, result: Result, kept: StoredImage) -> bool:
        try:
            data = kept.read()
        except FileNotFoundError:
            return False
        except OSError as error:
            # It is here and was paid: to ask for it again would pay twice.
            raise ledger_failed(
                f"A stored picture can't be read ({error.strerror or type(error).__name__}), and it is not paid again for that",
                cure="See whether the disk with the results is there and readable, and queue again",
            ) from None
        except DamagedFile as error:
            return self._found_damaged(kept, error)
        try:
            landed = ResultImage(decode(data), sniff(data), kept.read)
        except TooLarge as error:
            # It is the result, and paid: only its pixels can't be had here.
            label = next((t.spec.label for t, _ in self._chain if t.spec.id == kept.provider), kept.provider)
            result.fail(too_large(label, str(error), kept.file, "yes"))
            return False
        except UnreadablePicture as error:
            return self._found_damaged(kept, error)
        result.landed, result.text, result.source, result.error = landed, kept.text, "store", None
        self.report.note(kept.notices)
        return True

    def _found_damaged(self, kept: StoredImage, error: ValueError) -> bool:
        self._ledger.mark_damaged(kept.uid, str(error))
        self.report.note([f"A stored picture was found damaged: {error}"])
        return False

    def _send(
        self,
        target: Target,
        by_frame: dict[int, ResolvedRequest],
        mine: list[Result],
        prints: dict[int, str],
        claims: Sequence[Claim],
        wanted: Sequence[Result],
    ) -> None:
        """Asks for `mine` in as few calls as the row allows, goes on with `claims`, and waits for both."""
        calls: list[tuple[Call, list[Result | None]]] = []
        for claim in claims:
            there = self._resume(claim.provider, claim.profile, claim.address, claim.model) or target
            of_claim = Call.resumed(claim, there, self._ledger, self._memory)
            calls.append((of_claim, [self._asked_for(place.fingerprint, wanted) for place in claim.images]))
        for group in self._groups(by_frame, mine):
            request = self._of_frame[group[0].slot.frame]
            make = partial(self._job, target, by_frame[request.frame], request, group[0].slot.seed, len(group))
            call = Call(
                target,
                make,
                [prints[id(r)] for r in group],
                [picture.digest for picture in request.references],
                self._ledger,
                self._memory,
                self._over,
                self._noticed,
                slots=[r.slot for r in group],
                patience=self._patience(target),
            )
            calls.append((call, [*group]))
        for call, _ in calls:
            self._calls.append((call, self._lanes.enter(call.target.account, call.target.parallel, call.run)))
        self._watch(calls)

    def _has_alternative(self, target: Target) -> bool:
        """Whether another provider can do the requests if this one refuses them."""
        return target is not self.plan.targets[-1][0]

    def _patience(self, target: Target) -> float:
        return retry_policy.patience(target.timeout, self._has_alternative(target), self._memory.rate_limits.policy)

    def _asked_for(self, fingerprint: str, wanted: Sequence[Result]) -> Result | None:
        return next((r for r in wanted if r.landed is None and fingerprint in self._names[id(r)]), None)

    def _groups(self, by_frame: dict[int, ResolvedRequest], mine: list[Result]) -> list[list[Result]]:
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

    def _job(self, target: Target, fit: ResolvedRequest, request: Request, seed: int, count: int) -> Job:
        """What the dialect gets. Encodes the references, so it runs on the call's own thread, when its turn has come."""
        files: list[Encoded] = []
        if request.references:
            files, notices = encode_references(request.references, target.spec, self._wish)
            self.report.note(notices)
        return target.job(fit, request, seed, count, files)

    def _over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._halt.is_set() or self._cause is not None

    def _noticed(self, call: Call) -> None:
        """Looks at a call that has just ended, on its own thread and before the next in line may begin."""
        error = call.outcome.worst
        if error is not None and error.kind == "stopped":
            return
        with self._ending:
            self._free_failures = self._free_failures + 1 if error and error.charged == "no" else 0
            # A refusal that was waited for long enough: the others would wait as long again, and one waits for them.
            refused = error is not None and error.kind in _WAITS and error.charged == "no"
            if error and (
                error.kind in _POINTLESS
                or (refused and self._has_alternative(call.target))
                or (is_unknown_model(error) and has_successor(call.target))
                or self._free_failures >= FAILURES_IN_A_ROW
            ):
                self._cause = self._cause or error

    def _watch(self, calls: list[tuple[Call, list[Result | None]]]) -> None:
        """Waits for the calls and takes in each as it ends."""
        open_calls = list(calls)
        uses = Counter(id(picture) for call, _ in calls for picture in self._references_of(call))
        while open_calls:
            for pair in list(open_calls):
                call, group = pair
                sent_at = call.sent_at  # the call's own thread takes it back when it was refused
                timed_out = sent_at is not None and time.monotonic() > sent_at + call.target.timeout
                if call.done.is_set():
                    open_calls.remove(pair)
                    self._take_in(call, group)
                elif timed_out:
                    open_calls.remove(pair)
                    self._give_up(call, group)
                elif self._halt.is_set():
                    open_calls.remove(pair)
                    self._let_go(call, group)
                else:
                    continue
                self._release(call, uses)
            if open_calls:
                open_calls[0][0].done.wait(_TICK)

    def _take_in(self, call: Call, group: list[Result | None]) -> None:
        outcome = call.outcome
        self.report.note(outcome.notices)
        for number, result in zip(call.numbers, group, strict=True):
            if result is None:
                continue
            landed = outcome.landed.get(number)
            if landed is not None:
                result.landed, result.text, result.error = landed, outcome.text, None
                continue
            error = outcome.why(number)
            if error is not None and error.kind == "stopped" and self._cause is not None:
                error = Stopped(
                    f"It was not sent, because of an earlier failure: {self._cause.reason}",
                    cure=self._cause.cure,
                )
            result.fail(error, outcome.uids.get(number, ""), outcome.answer)
        if outcome.extras:
            more = "1 picture more" if outcome.extras == 1 else f"{outcome.extras} pictures more"
            where = "they are kept in the results panel, not in the outputs"
            self.report.note([f"{call.spec_label} sent {more} than were asked for: {where}"])
        if outcome.attempts:
            self.report.add_request(outcome.request_id, outcome.seconds, outcome.attempts)
        if call.claim is None:
            self.report.spend(outcome.usd, self._price_of(call), len(outcome.landed) + outcome.extras)
        else:
            self._collected(call)

    def _collected(self, call: Call) -> None:
        count = len(call.outcome.landed)
        if count:
            what = "1 picture that was" if count == 1 else f"{count} pictures that were"
            self.report.note([f"{what} paid for earlier came from {call.spec_label} without paying again"])

    def _release(self, call: Call, uses: Counter[int]) -> None:
        """Lets go of the encoded references that no open call needs: a long batch would fill the memory.

        `uses`: id of a reference -> how many open calls have it, once for each time that they do.
        """
        for picture in self._references_of(call):
            uses[id(picture)] -= 1
            if not uses[id(picture)] and call.done.is_set():
                picture.release()

    def _references_of(self, call: Call) -> tuple[Picture, ...]:
        return self._of_frame[call.slots[0].frame].references if call.slots else ()

    def _price_of(self, call: Call) -> float | None:
        return next(
            (
                fit.usd
                for fit, request in zip(self._fits, self.requests, strict=True)
                if call.slots and request.frame == call.slots[0].frame
            ),
            None,
        )

    def _usd_of(self, call: Call) -> float | None:
        price = self._price_of(call)
        return None if price is None else price * call.pictures

    def _give_up(self, call: Call, group: list[Result | None]) -> None:
        """The timeout is over: the node goes on, the call is still waited for in the background."""
        call.alone = True
        self._lanes.leave(call.target.account, self._ticket_of(call))
        error = failure(
            _Fault("timeout"),
            call.spec_label,
            "maybe",
            what=f"{call.spec_label} has not answered within {call.target.timeout} s. The pack goes on waiting for "
            "it in the background, and queueing again takes the picture if it arrives",
        )
        for result in group:
            if result is not None:
                result.error = error

    def _ticket_of(self, call: Call) -> QueuedCall:
        return next(ticket for known, ticket in self._calls if known is call)

    def _let_go(self, call: Call, group: list[Result | None]) -> None:
        call.alone = True
        if self._lanes.drop(call.target.account, self._ticket_of(call)):
            self._ledger.mark_failed(call.fingerprints, "no", "it was not sent", resumable=call.claim is not None)
        charged: Charged = "maybe" if call.left else "no"
        for result in group:
            if result is not None:
                result.error = Stopped("The run was stopped before it came back", charged=charged)

    def _entry(self, fit: ResolvedRequest, fingerprint: str, target: Target, result: Result) -> Reservation:
        request = self._of_frame[result.slot.frame]
        return Reservation(
            fingerprint,
            self._names[id(result)],
            target.spec.id,
            fit.wire,
            target.profile,
            request.operation,
            request.prompt,
            target.base_url,
            micros(fit.counted_usd),
        )
