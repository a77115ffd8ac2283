"""The life of one paid call, from the first byte to images in hand, on one thread.

`step_runner` does the steps that the dialect gives, `step_sender` sends each, `image_collector` collects the images, and
`charge` decides what it costs. Every step is written into the journal before it happens. Once the paid request was sent,
nothing stops the call: the run may end, the images are stored all the same. A call that no process works on is resumed from its
claim, and nothing in it is paid then.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..dialects import dialect, step_after
from ..dialects.base.step import Cancels, Dialect, Done, ImageRef, Job, Reply, Send
from ..errors import Charged
from ..errors.messages import joined, msg
from ..http.transport import Transport
from ..ledger import Claim
from ..ledger.journal import Journal
from ..ledger.kept_answers import KeptAnswer
from ..planning.plan import Target
from ..providers.spec import Operation
from ..request import Slot
from .call_status import MARKS, status_of_claim, status_of_new_call
from .charge import Finished
from .image_collector import ImageCollector
from .journaled_call import JournaledCall
from .provider_cache import ProviderCache
from .rate_limit import CallThrottle
from .repeated_references import without_repeated_references
from .step_runner import StepRunner
from .step_sender import StepSender

log = logging.getLogger("nano_banana")


class Call(JournaledCall):
    """One paid call for one or more pictures, or the rest of one."""

    def __init__(
        self,
        target: Target,
        make_job: Callable[[], Job],
        fingerprints: Sequence[str],
        digests: Sequence[str],
        ledger: Journal,
        cache: ProviderCache,
        stopped: Callable[[], bool] = lambda: False,
        ended: Callable[[Call], None] = lambda call: None,
        slots: Sequence[Slot] = (),
        claim: Claim | None = None,
        patience: float | None = None,
    ) -> None:
        """`patience`: seconds that it waits for refusals before work, the target's timeout where it is None."""
        status = (
            status_of_claim(claim, target)
            if claim
            else status_of_new_call(uuid.uuid4().hex, target, fingerprints, digests)
        )
        super().__init__(target, status, ledger, cache)
        self.slots, self.claim = list(slots), claim
        self.detached = False
        """Whether no run waits for it any more."""
        self.when_answered: Callable[[], None] = lambda: None
        """Called once, on the call's own thread: the provider has nothing more to do for it, its pictures are on disk."""
        self.answered_at: float | None = None
        """Clock of that; None where the provider is needed to the end."""
        self.done = threading.Event()
        self._make_job, self._cache, self._stopped, self._ended = make_job, cache, stopped, ended
        self.throttle = CallThrottle(
            cache.rate_limits.of(target), target.timeout if patience is None else patience, self._check_wanted
        )
        self._cancel_wanted = threading.Event()
        # Made on the call's own thread, which has a handler for what goes wrong in them.
        self._dialect: Dialect
        self._sender: StepSender
        self._runner: StepRunner
        self._collector: ImageCollector
        self._transport: Transport

    @classmethod
    def resumed(
        cls,
        claim: Claim,
        target: Target,
        ledger: Journal,
        cache: ProviderCache,
        ended: Callable[[Call], None] = lambda call: None,
    ) -> Call:
        """The rest of a call that was paid earlier: it only asks and fetches."""
        operation: Operation = "edit" if claim.operation == "edit" else "generate"
        job = Job(target.spec, claim.address, claim.model, operation, claim.prompt, {}, len(claim.images))
        return cls(target, lambda: job, (), (), ledger, cache, ended=ended, claim=claim)

    # ------------------------------------------------------------------------------------------------ for the run

    @property
    def drafts(self) -> list[bytes]:
        """What the model has drawn while thinking, while the answer is still arriving: files."""
        return list(self._status.drafts)

    @property
    def sent_at(self) -> float | None:
        return self._status.sent_at

    @property
    def spec_label(self) -> str:
        return self.target.spec.label

    @property
    def charged(self) -> Charged:
        """Whether money is gone, as far as it is known by now."""
        return self._status.charged

    @property
    def image_count(self) -> int:
        return len(self.numbers)

    def cancel(self) -> bool:
        """Cancels the call: its provider is asked, once and on the call's own thread, to cancel what it has not
        begun. Returns at once; False when this provider can't be asked. The call goes on in any case."""
        if self.done.is_set() or not isinstance(dialect(self.target.spec.dialect), Cancels):
            return False
        self._cancel_wanted.set()
        return True

    def run(self) -> None:
        """Does the call. Never raises; the outcome has the errors."""
        begun = time.monotonic()
        status, outcome, transport = self._status, self._status.outcome, None
        try:
            transport = self._transport = self._prepare()
            self._perform()
        except Exception as error:
            self._record_error(error)
        finally:
            if transport is not None:
                transport.close()
            self.throttle.release()
            self._keep_drafts_of_lost_answer()
            outcome.seconds = time.monotonic() - (status.sent_at or begun)
            outcome.attempts = status.attempts
            self._key.scrub_outcome(outcome)
            self._journal.close(run_detached=self._is_run_detached)
            status.phase = "ended"
            status.job = self._make_job = None  # type: ignore[assignment]  # the references may be large
            self._ended(self)
            self.done.set()

    # ------------------------------------------------------------------------------------------------ steps

    def _prepare(self) -> Transport:
        status, target = self._status, self.target
        self._dialect = dialect(target.spec.dialect)
        uploads = target.spec.upload_base_url(target.base_url)
        transport = Transport(target.base_url, target.proxy, target.ca_bundle, uploads=uploads)
        self._sender = StepSender(
            self._dialect, status, self._key, self._journal, self.throttle, self._stopped, self._is_cancel_due
        )
        self._runner = StepRunner(self._dialect, status, self._key, self._journal, self._cache, self._sender, transport)
        self._collector = ImageCollector(
            status,
            self._journal,
            self._runner.ask_again,
            lambda: self.detached or self._stopped(),
            on_disk=self._note_answered,
        )
        return transport

    def _note_answered(self) -> None:
        self.answered_at = time.monotonic()
        self.when_answered()

    def _perform(self) -> None:
        status, target, cache = self._status, self.target, self._cache
        status.phase = "preparing"
        if self.claim is not None:
            status.job = self._make_job()
            self._resume(self.claim)
            return
        self._check_wanted()
        status.job = self._make_job()
        self._check_wanted()
        status.job = replace(
            status.job,
            api_variant=target.api_variant or cache.api_variants.get(target.cache_key, ""),
            variants=cache.variants_at(target),
            uploaded=cache.known_uploads(target, status.job.all_references, status.digests),
        )
        status.uploads.update(status.job.uploaded.values())
        self._finish(self._runner.until_done(self._dialect.start(status.job)))

    def _resume(self, claim: Claim) -> None:
        """Fetches what is known to be made, or asks how far it is. Nothing here is paid."""
        status = self._status
        status.sent_at = time.monotonic()
        urls = {image.index: image.url for image in claim.images}
        if claim.answer is not None:
            self._read_again(claim.answer)
        elif all(urls.values()):
            status.outcome.text, status.outcome.request_id = claim.text, claim.request_id
            status.advance(Finished(has_url=True))
            self._collector.collect(self._transport, {number: ImageRef(url) for number, url in urls.items()}, None)
        elif status.task:
            self._finish(self._runner.until_done(self._dialect.resume(status.job, status.task)))

    def _read_again(self, answer: KeptAnswer) -> None:
        """Reads an answer that was kept because no picture could be read in it."""
        status = self._status
        status.answer = answer
        reply = Reply(answer.status, answer.headers, answer.body, answer.request_id)
        send = Send("GET", self.target.base_url, answer.state, accepted=status.task or answer.state)
        step = step_after(self._dialect, status.job, send, reply)
        if isinstance(step, Done):
            step = without_repeated_references(
                step, reply, status.job, (), answer.state.get(MARKS) or (), status.task_id
            )
        self._finish(self._runner.until_done(step))

    def _finish(self, done: Done) -> None:
        if done.api_variant:
            self._cache.api_variants[self.target.cache_key] = done.api_variant
        self._cache.remember_variants(self.target, done.variants)
        self._collector.finish(self._transport, done)

    def _keep_drafts_of_lost_answer(self) -> None:
        """Keeps what had come of an answer without a picture: it belongs to a request that may have been charged."""
        status, error = self._status, self._status.outcome.error
        if status.drafts and error is not None and not status.outcome.images and status.charged != "no":
            for data in status.drafts:
                self._journal.keep_extra(data)
            drafts = (
                msg("call.drafts_kept_one")
                if len(status.drafts) == 1
                else msg("call.drafts_kept", count=len(status.drafts))
            )
            error.what = joined(error.what, drafts)

    def _check_wanted(self) -> None:
        self._sender.check_wanted()

    def _is_cancel_due(self) -> bool:
        status = self._status
        return self._cancel_wanted.is_set() and status.task is not None and not status.cancel_requested

    @property
    def _is_run_detached(self) -> bool:
        """Whether no run shows how it ended. Of an answer that is read again, and of a cancelled call, the user is told."""
        if self.claim is not None and self.claim.answer is not None:
            return self.claim.unresolved
        return self.detached and not self._status.cancel_requested
