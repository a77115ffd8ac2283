"""The life of one paid call, from the first byte to pictures in hand, on one thread.

It does what the dialect says and asks `retry_policy` what a failure means. It writes every step into the ledger before it
happens, and the provider's bytes to disk before it looks into them. Once the paid request has left, nothing stops it:
whoever asked may go, the pictures land in the ledger. A call that was left behind is gone on with from its claim: then
nothing in it is paid.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from ..dialects import dialect, step_after
from ..dialects.base.step import Cancels, Dialect, Done, Failed, ImageRef, Job, Reply, Send, State, Step, Wait
from ..dialects.parsing.error_parsing import of_references
from ..errors import Charged, ConfigError, Fault, LedgerFailed, NanoBananaError
from ..http.connections import UnsafeAddress
from ..http.download import DownloadFailed, download
from ..http.failures import RequestFailed
from ..http.transport import Cancelled, TooLong, TransferHooks, Transport
from ..images.picture import TooLarge, UnreadablePicture, decode, pixel_digest, sniff
from ..ledger import Claim
from ..ledger.journal import Journal
from ..ledger.kept_answers import KeptAnswer
from ..planning.plan import Target
from ..providers.spec import Operation
from ..redaction.sent_key import Scrubber
from ..request import Slot
from . import retry_policy
from .echoes import marks_of, without_echoes
from .failures import FailureMessages, given_up, too_large, with_wish
from .outcome import Outcome, ResultImage
from .provider_cache import ProviderCache
from .rate_limit import Waiting
from .result_choice import absolute, chosen

log = logging.getLogger("nano_banana")

COLLECT_SECONDS = 900.0
"""How long after its timeout a paid call is still waited for, so that a late picture isn't lost."""
FREE_SECONDS = 120.0
"""For one free step before anything is paid (an upload), and for a download."""
SLOW_BYTES = 30_000
"""Bytes a second of a slow line: an upload may take as long as it would there."""
CANCEL_SECONDS = 15.0
"""For the one request that asks a provider to drop a task."""
URL_SECONDS = 86400.0
"""After a day nobody's results wait at their address any more: what still can't be had then is given up."""

MOST_EXTRAS = 4
"""Pictures beyond those that were asked for that are kept."""

_ABOUT_US = retry_policy.ABOUT_THE_CALLER | {"account", "rate"}
"""Answers about who asks: however old a task is, they don't say that it can't be had."""

Phase = Literal[
    "waiting for a free place", "preparing", "uploading", "sent", "working", "downloading", "pausing", "ended"
]


class Call:
    """One paid call for one or more pictures, or the rest of one."""

    def __init__(
        self,
        target: Target,
        make_job: Callable[[], Job],
        fingerprints: Sequence[str],
        digests: Sequence[str],
        ledger: Journal,
        memory: ProviderCache,
        stopped: Callable[[], bool] = lambda: False,
        ended: Callable[[Call], None] = lambda call: None,
        slots: Sequence[Slot] = (),
        claim: Claim | None = None,
        patience: float | None = None,
    ) -> None:
        """`patience`: seconds that it waits for refusals before work, the target's timeout where it is None."""
        self.id = claim.call if claim else uuid.uuid4().hex
        self.target, self.slots, self.fingerprints, self.claim = target, list(slots), list(fingerprints), claim
        self.numbers = [place.index for place in claim.images] if claim else list(range(len(fingerprints)))
        self._make_job, self._digests = make_job, list(digests)
        self._job: Job
        self._ledger, self._memory, self._stopped = ledger, memory, stopped
        self._ended = ended
        self.waiting = Waiting(
            memory.rate_limits.of(target), target.timeout if patience is None else patience, self._check_wanted
        )
        self._blame = FailureMessages(target)
        self.outcome = Outcome()
        self.phase: Phase = "waiting for a free place"
        self.progress = ""
        self.bytes_sent = (0, 0)
        self.sent_at: float | None = None
        """Clock of the first paid send that may have been taken; None while nothing is paid."""
        self.alone = False
        """Whether nobody waits for it any more."""
        self.done = threading.Event()
        self._uploads: set[str] = set()
        """Where the references are that were uploaded."""
        self._task: State | None = claim.task if claim else None
        self._left = claim is not None
        self._doubt = False
        """Whether an earlier try may have been taken: it is asked for again with the same idempotency key."""
        self._paid_at = claim.sent_at if claim else 0.0
        self._attempts = 0
        self._fate: retry_policy.Disposition = "over"
        self._fates: dict[int, retry_policy.Disposition] = {}
        key = target.key
        self._scrubber = Scrubber([key.value] if key is not None and target.spec.auth == "key" else [])
        """Takes the key that was sent out of all that comes back."""
        self._answer: KeptAnswer | None = None
        """The last answer about the pictures, while it may have to be kept."""
        self._notices: tuple[str, ...] = ()
        """What is kept with the pictures."""
        self._unwanted = threading.Event()
        self._asked_to_drop = False

    @classmethod
    def resumed(
        cls,
        claim: Claim,
        target: Target,
        ledger: Journal,
        memory: ProviderCache,
        ended: Callable[[Call], None] = lambda call: None,
    ) -> Call:
        """The rest of a call that was paid earlier: it only asks and fetches."""
        operation: Operation = "edit" if claim.operation == "edit" else "generate"
        job = Job(target.spec, claim.address, claim.model, operation, claim.prompt, {}, len(claim.images))
        names = [place.fingerprint for place in claim.images]
        return cls(target, lambda: job, names, (), ledger, memory, ended=ended, claim=claim)

    @property
    def spec_label(self) -> str:
        return self.target.spec.label

    @property
    def left(self) -> bool:
        """Whether the provider may have the paid request: from here on it is not taken back."""
        return self._left

    @property
    def pictures(self) -> int:
        return len(self.numbers)

    def cancel(self) -> bool:
        """The user wants it no more: its provider is asked, once and on the call's own thread, to drop what it has not
        begun. Returns at once; False when this provider can't be asked. Whatever comes of it, the call is gone on with."""
        if self.done.is_set() or not isinstance(dialect(self.target.spec.dialect), Cancels):
            return False
        self._unwanted.set()
        return True

    def run(self) -> None:
        """Does the call. Never raises; the outcome has the errors."""
        begun = time.monotonic()
        transport: Transport | None = None
        try:
            target = self.target
            uploads = target.spec.upload_base_url(target.base_url)
            transport = Transport(target.base_url, target.proxy, target.ca_bundle, uploads=uploads)
            self._perform(transport)
        except NanoBananaError as error:
            if self._doubt and self._task is None and error.charged == "no":
                # It is about the last try. An earlier one, whose answer was lost, may have been taken.
                error.charged = "maybe"
                self._fate = "lost"
            self.outcome.error = self._scrubbed(error)
        except Exception as error:  # a bug of ours must not kill the run, nor hide that money may be gone
            # Not with exc_info: an exception may hold what the provider said.
            said = self._scrubber.text(traceback.format_exc())
            log.error("a call to %s failed inside the pack\n%s", self.target.spec.id, said)
            charged: Charged = "maybe" if self._left else "no"
            self._fate = "again" if self._task else "lost"
            self.outcome.error = self._blame.own_bug(error, charged)
        finally:
            if transport is not None:
                transport.close()
            self.waiting.release()
            self.outcome.seconds = time.monotonic() - (self.sent_at or begun)
            self.outcome.attempts = self._attempts
            self._scrub_outcome()
            self._close_missing()
            self.phase = "ended"
            self._job = self._make_job = None  # type: ignore[assignment]  # the references may be large
            self._ended(self)
            self.done.set()

    # ------------------------------------------------------------------------------------------------ steps

    def _perform(self, transport: Transport) -> None:
        speech = dialect(self.target.spec.dialect)
        self.phase = "preparing"
        self._job = self._make_job()
        if self.claim is not None:
            self._resume(transport, speech, self.claim)
            return
        if self._stopped():
            raise self._blame.not_sent()
        self._job = replace(
            self._job,
            api_variant=self.target.form or self._memory.forms.get(self.target.place, ""),
            variants=self._memory.variants_at(self.target),
            uploaded=self._memory.uploaded(self.target, self._job.references, self._digests),
        )
        self._uploads.update(self._job.uploaded.values())
        self._finish(transport, speech, self._until_done(transport, speech, speech.start(self._job)))

    def _resume(self, transport: Transport, speech: Dialect, claim: Claim) -> None:
        """Fetches what is known to be made, or asks how far it is. Nothing here is paid."""
        self.sent_at = time.monotonic()
        urls = {place.index: place.url for place in claim.images}
        if claim.answer is not None:
            self._read_again(transport, speech, claim.answer)
        elif all(urls.values()):
            self.outcome.text, self.outcome.request_id = claim.text, claim.request_id
            self._bring_all(transport, speech, {number: ImageRef(url) for number, url in urls.items()}, None)
        elif self._task:
            self._finish(transport, speech, self._until_done(transport, speech, speech.resume(self._job, self._task)))

    def _read_again(self, transport: Transport, speech: Dialect, answer: KeptAnswer) -> None:
        """Reads an answer that was kept because no picture could be read in it."""
        self._answer = answer
        reply = Reply(answer.status, answer.headers, answer.body, answer.request_id)
        send = Send("GET", self.target.base_url, answer.state, accepted=self._task or answer.state)
        step = step_after(speech, self._job, send, reply)
        if isinstance(step, Done):
            step = without_echoes(step, reply, self._job, (), answer.state.get(_MARKS) or (), self._task_id)
        self._finish(transport, speech, self._until_done(transport, speech, step))

    def _until_done(self, transport: Transport, speech: Dialect, step: Step) -> Done:
        while True:
            if isinstance(step, Wait):
                self.phase, self.progress = "working", step.progress
                self._note(step.then)
                self._pause(step.seconds, or_cancel=True)
                step = self._ask_to_drop(transport, speech) or step.then
            elif isinstance(step, Send):
                if step.paid and self.claim is not None:
                    raise self._blame.error(Fault("unreadable", "it would have to be paid again"), "maybe")
                self._note(step)
                step = self._send(transport, step, speech)
            elif isinstance(step, Failed):
                raise self._failure(step)
            else:
                return step

    def _send(self, transport: Transport, send: Send, speech: Dialect) -> Step:
        """Sends until there is an answer worth a next step."""
        attempt = 0
        while True:
            attempt += 1
            if not self._left and self._stopped():
                raise self._blame.not_sent()
            if send.paid and (stop := self.waiting.turn()) is not None:
                return Failed(given_up(self.waiting.limit.fault or Fault("rate"), stop, self.waiting.waited))
            broken: RequestFailed | None = None
            reply: Reply | None = None
            try:
                reply = self._exchange(transport, send)
            except RequestFailed as error:
                broken = error
            except TooLong as error:
                # A task is asked about again later: its next answer may be shorter.
                self._fate = self._while_young("again") if self._task is not None else "lost"
                kept = self._keep_answer(_kept(send.state, error.reply)) if self._left and error.reply else None
                charged: Charged = "maybe" if self._left else "no"
                raise self._blame.too_long(str(error), charged, self._task_id, kept) from None
            except UnsafeAddress as error:
                self._fate = self._while_young("again") if self._task is not None else "lost"
                raise self._blame.forbidden(str(error), "maybe" if self._left else "no") from None
            except NanoBananaError as error:
                if self._task is not None:
                    # A key, a proxy or certificates of this machine: the task is out, and is asked for again later.
                    self._fate = "again"
                    error.charged = "maybe"
                raise
            if broken is not None:
                verdict = retry_policy.after_break(
                    self.target.spec,
                    broken.arrived,
                    paid=send.paid,
                    attempt=self._tries(attempt),
                    dice=random.random(),
                    lasting=broken.lasting,
                )
                if isinstance(verdict, retry_policy.Stop):
                    raise self._lost(broken, verdict, send)
                if send.paid:
                    self._before_again(verdict)
                self._pause(verdict.seconds)
                continue
            assert reply is not None
            if 300 <= reply.status < 400:
                raise self._redirected(reply)
            step = self._scrubbed_step(step_after(speech, self._job, send, replace(reply, prompt=self._sent_words)))
            if isinstance(step, Done):
                step = without_echoes(step, reply, self._job, self._digests, self._marks(), self._task_id)
            about_result = reply.ok and (send.paid or send.accepted is not None)
            self._answer = (
                _kept({**send.state, _MARKS: self._marks()}, reply)
                if about_result and isinstance(step, Failed)
                else None
            )
            if not isinstance(step, Failed):
                if send.paid:
                    # An answer that leads to another variant was a refusal (`http.status`): nothing is out yet, and
                    # the journal knows it before the next step. What the provider has accepted is waited for instead.
                    self._left = self._doubt or not isinstance(step, Send) or step.accepted is not None
                    if not self._left:
                        self._take_back()
                    self.waiting.accepted()
                return step
            if send.paid and retry_policy.refused_before_work(self.target.spec, step.fault):
                if (gives_up := self._refused(step.fault, reply)) is not None:
                    return Failed(gives_up, step.task)
                attempt -= 1
                continue
            judged = retry_policy.after_failure(
                self.target.spec,
                step.fault,
                reply.headers,
                paid=send.paid,
                attempt=self._tries(attempt),
                now=time.time(),
                dice=random.random(),
            )
            if isinstance(judged, retry_policy.Stop):
                if send.paid:
                    self._left = self._doubt or judged.charged != "no"
                return Failed(with_wish(step.fault, judged.wait), step.task)
            if send.paid:
                self._before_again(judged)
            self.phase = "pausing"
            log.info("%s answered %s; trying again in %.1f s", self.spec_label, step.fault.status, judged.seconds)
            self._pause(self._with_shared_pause(judged.seconds, send, step.fault))

    def _refused(self, fault: Fault, reply: Reply) -> Fault | None:
        """A paid request was surely refused before work began: it is taken back and waited for. A fault to give up with."""
        verdict = self.waiting.refused(fault, retry_policy.hint_of(fault, reply.headers, time.time()))
        if isinstance(verdict, retry_policy.Stop):
            self._left = self._doubt
            return given_up(fault, verdict, self.waiting.waited)
        self._before_again(verdict)
        log.info("%s answered %s; its key pauses for %.1f s", self.spec_label, fault.status, verdict.seconds)
        return None

    def _with_shared_pause(self, seconds: float, send: Send, fault: Fault) -> float:
        """The pause of a free step: at least that of its key where it was refused for the same reason."""
        limit = self.waiting.limit
        if not send.with_key or fault.kind not in ("rate", "busy"):
            return seconds
        return max(seconds, min(limit.remaining, limit.policy.longest_pause))

    @property
    def _to_drop(self) -> bool:
        return self._unwanted.is_set() and self._task is not None and not self._asked_to_drop

    def _ask_to_drop(self, transport: Transport, speech: Dialect) -> Step | None:
        """Asks the provider once to drop a task that the user wants no more. None when nothing came of asking."""
        if not self._to_drop or self._task is None:
            return None
        self._asked_to_drop = True
        self._answer = None
        send = speech.cancel(self._job, self._task) if isinstance(speech, Cancels) else None
        if send is None:
            return None
        try:
            reply = self._exchange(transport, send, time.monotonic() + CANCEL_SECONDS)
        except (RequestFailed, TooLong, UnsafeAddress, NanoBananaError) as error:
            log.info("%s could not be asked to drop a task: %s", self.spec_label, self._scrubber.text(str(error)))
            return None
        return self._scrubbed_step(speech.next(self._job, send.state, reply))

    def _exchange(self, transport: Transport, send: Send, deadline: float | None = None) -> Reply:
        # A key may have to be asked for. Nothing has left by then, and nothing is written down as sent.
        key = self._key() if send.with_key else None
        if send.paid:
            self._ledger.mark_sent(self.fingerprints, self.id)
            self._attempts += 1
            if self.sent_at is None:
                self.sent_at, self._paid_at = time.monotonic(), time.time()
        headers = dict(send.headers)
        if send.body is not None:
            headers["Content-Type"] = send.body.content_type
        if send.paid and self.target.spec.idempotency_header:
            # This call's own: by the picture's name, a job that failed would be handed out again the next day, too.
            headers[self.target.spec.idempotency_header] = self.id
        self.phase = (
            "uploading" if send.body is not None and len(send.body) > 1 << 20 else "sent" if send.paid else self.phase
        )
        try:
            return transport.send(
                send.method,
                send.url,
                headers=headers,
                body=send.body,
                key=key,
                deadline=self._deadline(send) if deadline is None else deadline,
                fresh=send.paid,
                watch=self._watch(send),
            )
        except Cancelled:
            raise self._blame.not_sent() from None

    def _watch(self, send: Send) -> TransferHooks:
        def moved(done: int, total: int) -> None:
            self.bytes_sent = (done, total)
            if send.paid and done >= total:
                self.phase = "sent"

        def abandoned() -> bool:
            return self._stopped() and not self._left

        def leaving() -> None:
            if send.paid:
                self._left = True
                self.waiting.sent()

        return TransferHooks(abandoned=abandoned, on_sent=moved, on_last=leaving)

    def _note(self, send: Send) -> None:
        """Keeps what a step brought: an accepted task, a form that worked, an upload."""
        if send.accepted is not None:
            if self._task is None:
                self._left = True
                self._task = send.accepted
                # After a restart the references are gone: their marks tell them from a result then, too.
                kept = {**send.accepted, _MARKS: self._marks()} if self._marks() else send.accepted
                self._write(lambda: self._ledger.mark_accepted(self.fingerprints, kept))
            self._task = send.accepted
        if send.api_variant:
            self._memory.forms[self.target.place] = send.api_variant
        self._memory.keep_variants(self.target, send.variants)
        if send.uploaded is not None:
            index, url = send.uploaded
            self._uploads.add(url)
            told = self._memory.keep_upload(self.target, self._job.references[index], self._digests[index], url)
            self.outcome.notices += [told] if told else []

    def _before_again(self, verdict: retry_policy.Again) -> None:
        """Takes a paid request back before its next try, unless an earlier one may have been taken."""
        self._doubt = self._left = self._doubt or verdict.charged != "no"
        if not self._doubt:
            self._take_back()

    def _take_back(self) -> None:
        """The paid request surely never arrived, or was surely refused before work began."""
        self._left, self.sent_at = False, None
        self._write(lambda: self._ledger.mark_retryable(self.fingerprints))

    def _finish(self, transport: Transport, speech: Dialect, done: Done) -> None:
        """Brings the pictures home."""
        if done.api_variant:
            self._memory.forms[self.target.place] = done.api_variant
        self._memory.keep_variants(self.target, done.variants)
        self._left = True
        outcome = self.outcome
        outcome.text = done.text.encode("utf-8", "replace").decode()  # JSON can carry half a character
        outcome.usd, outcome.request_id = done.usd, done.request_id
        self._notices = done.notices
        outcome.notices.extend(done.notices)
        results, extras = self._chosen(done)
        share = None if done.usd is None else done.usd / max(1, len(results))
        wanted = {number: results[number] for number in self.numbers if number < len(results)}
        urls = {self._name(number): each.url for number, each in wanted.items() if each.url}
        if urls:
            self._write(lambda: self._ledger.mark_answered(urls, outcome.text, share, done.request_id))
        self._bring_all(transport, speech, wanted, share)
        if self.claim is None or self.claim.answer is not None:
            self._bring_extras(transport, extras)
        missing = len(self.numbers) - len(wanted)
        if missing > 0:
            outcome.error = self._blame.incomplete(len(wanted), len(self.numbers))

    def _chosen(self, done: Done) -> tuple[list[ImageRef], list[ImageRef]]:
        """The results and the extra pictures of an answer, with whole addresses."""
        asked = self.claim.image_count if self.claim else len(self.numbers)
        return chosen([absolute(each, self.target.base_url) for each in done.images], asked)

    def _bring_all(self, transport: Transport, speech: Dialect, found: dict[int, ImageRef], usd: float | None) -> None:
        asked_again = False
        for number in list(found):
            try:
                try:
                    self._bring(transport, number, found[number], usd)
                except DownloadFailed as error:
                    if asked_again or self._task is None or not error.dead:
                        raise
                    # The address is dead, but the provider still knows the task: it may have a new one.
                    asked_again = True
                    done = self._until_done(transport, speech, speech.resume(self._job, self._task))
                    found |= {n: each for n, each in enumerate(self._chosen(done)[0]) if n in found}
                    self._bring(transport, number, found[number], usd)
            except DownloadFailed as error:
                dead = error.forbidden or (error.dead and self._task is None)
                self._fates[number] = "lost" if dead else self._while_young("again")
                self.outcome.failures[number] = self._blame.not_fetched(error, found[number].url, self._task_id)
            except NanoBananaError as error:
                self._fates.setdefault(number, self._fate)
                self.outcome.failures[number] = error

    def _bring(self, transport: Transport, number: int, found: ImageRef, usd: float | None) -> None:
        """One picture: its bytes, then on disk, then pixels. Raises Unfetched, or NanoBananaError for what is no picture."""
        data, name = found.read(), self._name(number)
        if not data:
            self.phase = "downloading"
            try:
                data = download(transport, found.url, FREE_SECONDS)
            except ConfigError as error:
                # A proxy or certificates of this machine: the picture waits at its address.
                self._fates[number] = "again"
                error.charged = "yes"
                raise
        kept = self._write(lambda: self._ledger.write_incoming(name, data), "A picture could not be stored")
        try:
            landed = ResultImage(decode(data), sniff(data), lambda: data)
        except TooLarge as error:
            raise self._too_large(name, str(error), usd, kept) from None
        except UnreadablePicture as error:
            self._fates[number] = "lost"
            raise self._blame.no_picture(str(error), found.url, self._ledger.keep_unreadable(name, data)) from None
        self.outcome.landed[number] = landed
        reader = self._ledger.reader(name) if kept else None
        if self._store(name, usd, kept) and reader is not None:
            self.outcome.landed[number] = replace(landed, read=reader)
        else:
            # It may be in the graph's hands; to have it again costs nothing where it waits at the provider.
            self._fates[number] = self._while_young("again") if found.url or self._task else "lost"

    def _store(self, name: str, usd: float | None, kept: bool) -> bool:
        """Settles the bytes of a picture that were brought in; False when they are not on disk for good."""
        outcome, read = self.outcome, not (self.alone or self._stopped())
        return kept and self._write(
            lambda: self._ledger.mark_stored(
                name, outcome.text, usd, outcome.request_id, notices=self._notices, read=read
            ),
            "A picture could not be stored",
        )

    def _too_large(self, name: str, why: str, usd: float | None, kept: bool) -> NanoBananaError:
        """Keeps a picture that can't be decoded here as the result that it is: it is not asked for, and paid, again."""
        file = self._ledger.file_name(name) if kept else ""
        if self._store(name, usd, kept):
            return too_large(self.spec_label, why, file, "yes")
        self._fates[self.numbers[self.fingerprints.index(name)]] = self._while_young("again") if self._task else "lost"
        return self._blame.no_picture(why, "", None)

    def _bring_extras(self, transport: Transport, extras: Sequence[ImageRef]) -> None:
        """Keeps pictures beyond those that were asked for, as bytes and for the results panel only."""
        seen = {pixel_digest(landed.pixels) for landed in self.outcome.landed.values()}
        for found in extras[:MOST_EXTRAS]:
            try:
                data = found.read() or download(transport, found.url, FREE_SECONDS)
                digest = _digest_of(data)
            except (DownloadFailed, UnreadablePicture, ConfigError) as error:
                self.outcome.notices.append(f"{self.spec_label} sent an extra picture that could not be read: {error}")
                continue
            if digest in seen:
                continue
            seen.add(digest)
            self.outcome.extras += 1
            keep = partial(self._ledger.store_extra, self.fingerprints[0], data, self.outcome.text)
            self._write(keep, "An extra picture could not be stored")
        left_out = len(extras) - MOST_EXTRAS
        if left_out > 0:
            self.outcome.notices.append(f"{self.spec_label} sent {left_out} more extra pictures, which were not kept")

    def _write(self, step: Callable[[], None], what: str = "The journal could not be written") -> bool:
        """Tells the ledger. Once money is out, its failure is a notice: the picture is worth more than its row."""
        try:
            step()
        except LedgerFailed as error:
            notice = f"{what}: {error.reason} Save this picture: the next run may have to pay for it again"
            if notice not in self.outcome.notices:
                self.outcome.notices.append(notice)
            log.warning("%s", notice)
            return False
        return True

    # ------------------------------------------------------------------------------------------------ errors

    def _failure(self, failed: Failed) -> NanoBananaError:
        fault, accepted = of_references(failed.fault, len(self._job.references)), self._task is not None
        if accepted and retry_policy.is_task_lost(fault):
            fault = replace(fault, kind="task_lost")
        charged = (
            retry_policy.charged_by(self.target.spec, fault, accepted=accepted) if self._left or accepted else "no"
        )
        fate = retry_policy.disposition_of(fault, accepted=accepted)
        self._fate = fate if fault.kind in _ABOUT_US else self._while_young(fate)
        if fault.kind == "key" and self.target.key:
            self._memory.tokens.forget(self.target.key.value)
        if self._doubt and not accepted:
            # This answer is about the last try, and says nothing of those whose answers were lost.
            charged, self._fate = "maybe" if charged == "no" else charged, "lost"
        kept = None
        if self._answer is not None and charged != "no":
            kept = self._keep_answer(self._answer)
        return self._blame.error(fault, charged, failed.task, kept)

    def _keep_answer(self, answer: KeptAnswer) -> Path | None:
        """Writes an answer to disk without the key; gives where, None when it can't be written."""
        kept = self._ledger.keep_answer(self.id, self._scrubber.value(answer), self._scrubber.pieces)
        self.outcome.answer = kept.name if kept else ""
        return kept

    def _while_young(self, fate: retry_policy.Disposition) -> retry_policy.Disposition:
        """Tasks and addresses don't live for ever: what could not be had for a day is lost."""
        return "lost" if fate == "again" and abs(time.time() - self._paid_at) > URL_SECONDS else fate

    def _lost(self, broken: RequestFailed, stop: retry_policy.Stop, send: Send) -> NanoBananaError:
        if self._task is not None:
            self._fate = self._while_young("again")
            return self._blame.task_lost(self._task_id, broken)
        if send.paid and (self._doubt or stop.charged == "maybe"):
            self._fate = "lost"
            return self._blame.answer_lost(broken)
        return self._blame.unreachable(broken)

    def _redirected(self, reply: Reply) -> NanoBananaError:
        accepted = self._task is not None
        self._fate = self._while_young("again") if accepted else "over"
        return self._blame.redirected(reply, "maybe" if accepted else "no")

    # ------------------------------------------------------------------------------------------------ small

    def _marks(self) -> list[str]:
        earlier = (self.claim.task or {}).get(_MARKS) if self.claim else None
        return [*marks_of(self._job, self._uploads), *(earlier if isinstance(earlier, list) else ())]

    @property
    def _sent_words(self) -> str:
        """The user's own words in the request, which an error may repeat."""
        return f"{self._job.prompt}\n{self._job.options.get('system_prompt', '')}"

    def _key(self) -> tuple[str, str] | None:
        """The header that carries the key, and its value. Raises ConfigError, KeyRefused or NetworkError."""
        spec, key, target = self.target.spec, self.target.key, self.target
        if key is None:
            return None
        value = key.value
        if spec.auth == "google_service_account":
            value = self._memory.tokens.token(value, key.source, spec.label, target.proxy, target.ca_bundle)
        self._scrubber = self._scrubber.also(value)
        return spec.header(value)

    def _scrubbed_step(self, step: Step) -> Step:
        """A dialect's step without the key, in whatever spelling; what is only sent stays as it is."""
        if isinstance(step, Wait):
            return replace(step, progress=self._scrubber.text(step.progress), then=self._scrubbed_send(step.then))
        return self._scrubbed_send(step) if isinstance(step, Send) else self._scrubber.value(step)

    def _scrubbed_send(self, send: Send) -> Send:
        return replace(send, state=self._scrubber.value(send.state), accepted=self._scrubber.value(send.accepted))

    def _scrub_outcome(self) -> None:
        """A redirect or a status line of whoever has the picture may repeat the key, too."""
        outcome = self.outcome
        outcome.failures = {number: self._scrubbed(error) for number, error in outcome.failures.items()}
        outcome.notices = [self._scrubber.text(notice) for notice in outcome.notices]
        outcome.text, outcome.request_id = self._scrubber.text(outcome.text), self._scrubber.text(outcome.request_id)

    def _scrubbed(self, error: NanoBananaError) -> NanoBananaError:
        error.what, error.cure = self._scrubber.text(error.what), self._scrubber.text(error.cure)
        error.request_id = self._scrubber.text(error.request_id)
        return error

    def _deadline(self, send: Send | None = None) -> float:
        if self.sent_at is None:
            # Nothing is paid yet. A large reference takes minutes on a slow line: what moves is waited for.
            slow = len(send.body) / SLOW_BYTES if send is not None and send.body is not None else 0.0
            return time.monotonic() + FREE_SECONDS + slow
        return self.sent_at + self.target.timeout + COLLECT_SECONDS

    def _tries(self, attempt: int) -> int:
        """An accepted task is asked for until the deadline, whatever happens on the way."""
        return min(attempt, 3) if (self._task is not None) and time.monotonic() < self._deadline() else attempt

    def _pause(self, seconds: float, *, or_cancel: bool = False) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not (or_cancel and self._to_drop):
            self._check_wanted()
            time.sleep(min(left, 0.05))

    def _check_wanted(self) -> None:
        """Raises where a pause ends at once: the run is over and nothing was sent, or a paid call is out of time."""
        if not self._left and self._stopped():
            raise self._blame.not_sent()
        if self._left and time.monotonic() > self._deadline():
            self._fate = self._while_young("again") if self._task else "lost"
            raise self._blame.not_in_time(self._task_id)

    @property
    def _task_id(self) -> str:
        """What the provider calls the accepted task; empty where there is none."""
        return str((self._task or {}).get("task", ""))

    def _name(self, number: int) -> str:
        return self.fingerprints[self.numbers.index(number)]

    def _close_missing(self) -> None:
        """Tells the ledger what became of every picture that is not stored."""
        for number in self.numbers:
            error = self.outcome.why(number)
            fate = self._fates.get(number, self._fate)
            charged: Charged = error.charged if error else "yes" if number in self.outcome.landed else "no"
            reason = error.reason if error else "it could not be stored"
            name = self._name(number)
            # What nobody was there to hear of is asked about before it is paid again; not what was to be dropped.
            unheard = self.alone and not self._asked_to_drop
            if self.claim is not None and self.claim.answer is not None:
                unheard = self.claim.unresolved  # whoever has it read again is told what came of it
            lost = fate == "lost" or (unheard and charged == "maybe")
            try:
                uids = self._ledger.mark_failed([name], charged, reason, unresolved=lost, resumable=fate == "again")
                self.outcome.uids[number] = uids.get(name, "")
            except LedgerFailed as failed:
                log.warning("%s", failed.reason)
            except Exception:  # a bug of ours: nobody may wait for ever because of a row
                log.exception("the end of a call to %s could not be written down", self.target.spec.id)


def _digest_of(data: bytes) -> str:
    """What tells a picture from others: its pixels, or its bytes where it is too large. Raises UnreadablePicture."""
    try:
        return pixel_digest(decode(data))
    except TooLarge:
        return hashlib.sha256(data).hexdigest()


_MARKS = "references"
"""Where the state of a kept answer says what was sent along."""


def _kept(state: State, reply: Reply) -> KeptAnswer:
    return KeptAnswer(reply.status, reply.headers, reply.body, state, reply.request_id)
