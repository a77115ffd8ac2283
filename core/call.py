"""The life of one paid call, from the first byte to pictures in hand, on one thread.

It does what the dialect says and asks `retry` what a failure means. It writes every step into the ledger before it
happens. Once the paid request has left, nothing stops it: whoever asked may go, the pictures land in the ledger.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from . import retry
from .choice import Target
from .errors import Charged, ConfigError, Fault, NanoBananaError, Stopped, failure
from .keys import variables
from .ledger import Kept, Ledger
from .pictures import Encoded, Pixels, UnreadablePicture, decode, sniff
from .redact import public_url
from .request import Slot
from .transport import Abandoned, Broken, Forbidden, TooLong, Transport, Watch
from .wire import dialect
from .wire.step import Dialect, Done, Failed, Found, Job, Reply, Send, Step, Wait

log = logging.getLogger("nano_banana")

COLLECT_SECONDS = 900.0
"""How long after its timeout a paid call is still waited for, so that a late picture isn't lost."""
FREE_SECONDS = 120.0
"""For one free step before anything is paid (an upload), and for a download."""

Phase = Literal[
    "waiting for a free place", "preparing", "uploading", "sent", "working", "downloading", "pausing", "ended"
]


@dataclass(frozen=True)
class Landed:
    """A picture that came back."""

    pixels: Pixels
    format: str
    data: bytes = field(repr=False)


@dataclass
class Outcome:
    """What became of a call."""

    landed: list[Landed] = field(default_factory=list)
    text: str = ""
    usd: float | None = None
    """What the provider says it cost."""
    request_id: str = ""
    attempts: int = 0
    seconds: float = 0.0
    errors: list[NanoBananaError] = field(default_factory=list)
    """Why pictures are missing; the first stands for all that have no own."""


@dataclass
class Memory:
    """What one process has learned about its providers; forgotten with it."""

    forms: dict[str, str] = field(default_factory=dict)
    """Base URL -> the form that worked."""
    uploads: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    """Base URL and key, picture digest and format -> address of the upload, when it was made."""


UPLOAD_SECONDS = 1800.0
"""How long an uploaded reference is taken to be still there."""


class Call:
    """One paid call for one or more slots."""

    def __init__(
        self,
        target: Target,
        make_job: Callable[[], Job],
        slots: Sequence[Slot],
        fingerprints: Sequence[str],
        digests: Sequence[str],
        ledger: Ledger,
        memory: Memory,
        stopped: Callable[[], bool],
        ended: Callable[[Call], None] = lambda call: None,
    ) -> None:
        self.target, self.slots, self.fingerprints = target, list(slots), list(fingerprints)
        self._make_job, self._digests = make_job, list(digests)
        self._job: Job
        self._ledger, self._memory, self._stopped = ledger, memory, stopped
        self._ended = ended
        self.outcome = Outcome()
        self.phase: Phase = "waiting for a free place"
        self.progress = ""
        self.bytes_sent = (0, 0)
        self.sent_at: float | None = None
        """Clock of the first paid send; None while nothing is paid."""
        self.done = threading.Event()
        self._accepted = False
        self._left = False
        self._attempts = 0

    @property
    def row_label(self) -> str:
        return self.target.row.label

    @property
    def left(self) -> bool:
        """Whether the provider may have the paid request: from here on it is not taken back."""
        return self._left

    def run(self) -> None:
        """Does the call. Never raises; the outcome has the errors."""
        begun = time.monotonic()
        transport: Transport | None = None
        try:
            transport = self._transport()
            self._perform(transport)
        except NanoBananaError as error:
            self.outcome.errors.append(error)
        except Exception as error:  # a bug of ours must not kill the run, nor hide that money may be gone
            log.exception("a call to %s failed inside the pack", self.target.row.id)
            charged: Charged = "maybe" if self._left else "no"
            self.outcome.errors.append(
                NanoBananaError(
                    f"The pack itself failed ({type(error).__name__})",
                    charged=charged,
                    cure="Please report this with the lines in ComfyUI's log",
                )
            )
        finally:
            if transport is not None:
                transport.close()
            self.outcome.seconds = time.monotonic() - (self.sent_at or begun)
            self.outcome.attempts = self._attempts
            self._close_missing()
            self.phase = "ended"
            self._job = self._make_job = None  # type: ignore[assignment]  # the references may be large
            self._ended(self)
            self.done.set()

    # ------------------------------------------------------------------------------------------------ steps

    def _perform(self, transport: Transport) -> None:
        speech = dialect(self.target.row.dialect)
        self.phase = "preparing"
        self._job = self._make_job()
        if self._stopped():
            raise self._dropped()
        self._job = replace(
            self._job,
            form=self.target.form or self._memory.forms.get(self.target.base_url, ""),
            uploaded=self._known_uploads(),
        )
        step = speech.start(self._job)
        while True:
            if isinstance(step, Wait):
                self.phase, self.progress = "working", step.progress
                self._note(step.then)
                self._pause(step.seconds)
                step = step.then
            elif isinstance(step, Send):
                self._note(step)
                step = self._send(transport, step, speech)
            elif isinstance(step, Failed):
                raise self._failure(step)
            else:
                self._finish(transport, step)
                return

    def _send(self, transport: Transport, send: Send, speech: Dialect) -> Step:
        """Sends until there is an answer worth a next step."""
        attempt = 0
        while True:
            attempt += 1
            if not self._left and self._stopped():
                raise self._dropped()
            broken: Broken | None = None
            reply: Reply | None = None
            try:
                reply = self._exchange(transport, send)
            except Broken as error:
                broken = error
            except TooLong as error:
                raise self._error(Fault("unreadable", str(error)), "maybe" if self._left else "no") from None
            except Forbidden as error:
                raise self._error(
                    Fault(
                        "address",
                        str(error),
                        cure="Check the provider's address; nothing in your network is asked for a provider",
                    ),
                    "maybe" if self._left else "no",
                ) from None
            if broken is not None:
                verdict = retry.after_break(
                    self.target.row, broken.arrived, paid=send.paid, attempt=self._tries(attempt), dice=random.random()
                )
                if isinstance(verdict, retry.Stop):
                    raise self._lost(broken, verdict, send)
                if send.paid:
                    self._left = False
                self._pause(verdict.seconds)
                continue
            assert reply is not None
            if 300 <= reply.status < 400:
                raise self._redirected(reply)
            step = speech.next(self._job, send.state, reply)
            if not isinstance(step, Failed):
                if send.paid:
                    # An answer that leads to another paid form was a refusal: nothing is out yet.
                    self._left = not (isinstance(step, Send) and step.paid)
                return step
            judged = retry.after_failure(
                self.target.row,
                step.fault,
                reply.headers,
                paid=send.paid,
                attempt=self._tries(attempt),
                now=time.time(),
                dice=random.random(),
            )
            if isinstance(judged, retry.Stop):
                if send.paid:
                    self._left = judged.charged != "no"
                return Failed(self._with_wish(step.fault, judged.wait), step.task)
            if send.paid:
                self._left = False
            self.phase = "pausing"
            log.info("%s answered %s; trying again in %.1f s", self.row_label, step.fault.status, judged.seconds)
            self._pause(judged.seconds)

    def _exchange(self, transport: Transport, send: Send) -> Reply:
        if send.paid:
            self._ledger.sent(self.fingerprints)
            self._attempts += 1
            if self.sent_at is None:
                self.sent_at = time.monotonic()
        headers = dict(send.headers)
        if send.body is not None:
            headers["Content-Type"] = send.body.content_type
        if send.paid and self.target.row.idempotency_header:
            headers[self.target.row.idempotency_header] = self.fingerprints[0][:255]
        self.phase = (
            "uploading" if send.body is not None and len(send.body) > 1 << 20 else "sent" if send.paid else self.phase
        )
        try:
            return transport.send(
                send.method,
                send.url,
                headers=headers,
                body=send.body,
                key=self._key() if send.with_key else None,
                deadline=self._deadline(),
                fresh=send.paid,
                watch=self._watch(send),
            )
        except Abandoned:
            raise self._dropped() from None

    def _watch(self, send: Send) -> Watch:
        def moved(done: int, total: int) -> None:
            self.bytes_sent = (done, total)
            if send.paid and done >= total:
                self.phase = "sent"

        def abandoned() -> bool:
            return self._stopped() and not self._left

        def leaving() -> None:
            if send.paid:
                self._left = True

        return Watch(abandoned=abandoned, on_sent=moved, on_last=leaving)

    def _note(self, send: Send) -> None:
        """Keeps what a step brought: an accepted task, a form that worked, an upload."""
        if send.accepted is not None and not self._accepted:
            self._accepted = self._left = True
            self._ledger.accepted(self.fingerprints, send.accepted)
        if send.learned:
            self._memory.forms[self.target.base_url] = send.learned
        if send.uploaded is not None:
            index, url = send.uploaded
            self._memory.uploads[self._upload_name(index)] = (url, time.monotonic())

    def _finish(self, transport: Transport, done: Done) -> None:
        """Brings the pictures home: bytes into the ledger first, then pixels."""
        if done.learned:
            self._memory.forms[self.target.base_url] = done.learned
        self._left = True
        outcome = self.outcome
        outcome.text, outcome.usd, outcome.request_id = done.text, done.usd, done.request_id
        for found in done.pictures:
            try:
                data, pixels = self._fetch(transport, found)
            except NanoBananaError as error:
                outcome.errors.append(error)
                continue
            if len(outcome.landed) < len(self.slots):
                share = None if done.usd is None else done.usd / len(done.pictures)
                self._ledger.stored(self.fingerprints[len(outcome.landed)], Kept(data, done.text), share)
            outcome.landed.append(Landed(pixels, sniff(data), data))
        missing = len(self.slots) - len(outcome.landed)
        if missing > 0 and not outcome.errors:
            outcome.errors.append(
                NanoBananaError(
                    f"{self.row_label} gave {len(outcome.landed)} of {len(self.slots)} pictures",
                    kind="empty",
                    charged=retry.charged_by(self.target.row, Fault("empty", status=200), accepted=False),
                    cure="Queue again: only what is missing is asked for",
                )
            )

    def _fetch(self, transport: Transport, found: Found) -> tuple[bytes, Pixels]:
        """The bytes and pixels of one picture. Raises NanoBananaError with charged "yes"."""
        if found.data:
            try:
                return found.data, decode(found.data)
            except UnreadablePicture as error:
                raise self._spoiled(str(error), "") from None
        self.phase = "downloading"
        return self._download(transport, found.url)

    def _download(self, transport: Transport, url: str) -> tuple[bytes, Pixels]:
        data = bytearray()
        problem = ""
        end = time.monotonic() + FREE_SECONDS
        for attempt in range(1, retry.FREE_TRIES + 1):
            wish: float | None = None
            try:
                reply, whole = transport.download(url, deadline=end, start=len(data))
            except Broken as error:
                problem = error.why
            except TooLong as error:
                raise self._spoiled(str(error), url) from None
            except Forbidden as error:
                raise self._spoiled(f"{error}, and is not fetched", url) from None
            else:
                wish = retry.parse_retry_after(reply.headers.get("retry-after", ""), time.time())
                if (
                    reply.status == 206
                    and data
                    and reply.headers.get("content-range", "").startswith(f"bytes {len(data)}-")
                ):
                    data += reply.body
                elif reply.ok:
                    data = bytearray(reply.body)
                if not reply.ok:
                    problem = f"HTTP {reply.status}"
                    data.clear()
                    if reply.status in (400, 401, 403, 405, 410, 451):
                        break
                elif not whole:
                    problem = "the connection ended in the middle"
                else:
                    try:
                        return bytes(data), decode(bytes(data))
                    except UnreadablePicture as error:
                        problem = str(error) if sniff(bytes(data)) else "what is there is not a picture"
                        data.clear()
                        if attempt >= 3:
                            break
            if attempt == retry.FREE_TRIES or time.monotonic() >= end:
                break
            time.sleep(min(wish if wish is not None else retry.backoff(attempt, random.random()), 10.0))
        raise self._spoiled(problem, url)

    # ------------------------------------------------------------------------------------------------ errors

    def _failure(self, failed: Failed) -> NanoBananaError:
        fault = failed.fault
        charged = (
            retry.charged_by(self.target.row, fault, accepted=self._accepted) if self._left or self._accepted else "no"
        )
        if failed.task:
            fault = replace(fault, words=f"{fault.words} (task {failed.task})".strip())
        return self._error(fault, charged)

    def _error(self, fault: Fault, charged: Charged) -> NanoBananaError:
        row = self.target.row
        place = self.target.key.source if self.target.key else variables(row, self.target.profile)[0]
        hint = f"Check the key in {place}: it has to be valid for {row.label} and allowed to make images"
        return failure(fault, row.label, charged, key_hint=hint)

    def _lost(self, broken: Broken, stop: retry.Stop, send: Send) -> NanoBananaError:
        label = self.row_label
        if self._accepted:
            task = (send.accepted or {}).get("task", "")
            return failure(
                Fault("network"),
                label,
                "maybe",
                what=f"{label} took the task {task}, but it could not be followed: {broken.why}",
            )
        if send.paid and stop.charged == "maybe":
            what = f"The request reached {label}, but no answer came back: {broken.why}"
            return failure(Fault("timeout" if broken.timed_out else "network"), label, "maybe", what=what)
        return failure(Fault("network"), label, "no", what=f"{label} could not be reached: {broken.why}")

    def _redirected(self, reply: Reply) -> NanoBananaError:
        where = public_url(reply.headers.get("location", "")) or "another address"
        return ConfigError(
            f"{self.row_label} sends requests on to {where}, and a key is never sent along",
            cure="If that is the provider's right address, set it as its base URL",
            kind="address",
            charged="maybe" if self._accepted else "no",
            status=reply.status,
        )

    def _spoiled(self, why: str, url: str) -> NanoBananaError:
        where = f" from {public_url(url)}" if url else ""
        return failure(
            Fault("download" if url else "picture"),
            self.row_label,
            "yes",
            what=f"A finished picture{where} could not be read: {why}",
        )

    def _dropped(self) -> Stopped:
        return Stopped("It was not sent: the run ended before its turn", kind="stopped")

    def _with_wish(self, fault: Fault, wait: float | None) -> Fault:
        if wait is None or wait <= retry.LONGEST_WAIT:
            return fault
        return replace(
            fault, cure=f"It asks to wait {wait:.0f} seconds: queue again after that, or choose another provider"
        )

    # ------------------------------------------------------------------------------------------------ small

    def _transport(self) -> Transport:
        return Transport(self.target.base_url, self.target.proxy, self.target.ca_bundle)

    def _key(self) -> tuple[str, str] | None:
        row, key = self.target.row, self.target.key
        return (row.auth_header, row.auth_template.replace("{key}", key.value)) if key else None

    def _deadline(self) -> float:
        if self.sent_at is None:
            return time.monotonic() + FREE_SECONDS
        return self.sent_at + self.target.timeout + COLLECT_SECONDS

    def _tries(self, attempt: int) -> int:
        """An accepted task is asked for until the deadline, whatever happens on the way."""
        return min(attempt, 3) if self._accepted and time.monotonic() < self._deadline() else attempt

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._left and self._stopped():
                raise self._dropped()
            if self._left and time.monotonic() > self._deadline():
                raise failure(
                    Fault("timeout"), self.row_label, "maybe", what=f"{self.row_label} has not finished in time"
                )
            time.sleep(min(left, 0.05))

    def _known_uploads(self) -> Mapping[int, str]:
        now = time.monotonic()
        known: dict[int, str] = {}
        for index in range(len(self._digests)):
            url, made = self._memory.uploads.get(self._upload_name(index), ("", 0.0))
            if url and now - made < UPLOAD_SECONDS:
                known[index] = url
        return known

    def _upload_name(self, index: int) -> tuple[str, str]:
        picture: Encoded = self._job.references[index]
        return f"{self.target.base_url} {self.target.profile}", f"{picture.format} {self._digests[index]}"

    def _close_missing(self) -> None:
        rest = self.fingerprints[len(self.outcome.landed) :]
        if rest:
            error = self.outcome.errors[0] if self.outcome.errors else None
            self._ledger.closed(rest, error.charged if error else "no", error.reason if error else "")
