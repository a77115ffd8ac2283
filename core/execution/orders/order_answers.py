"""Reads the answers of an order one by one: each picture is on disk before the next is looked at.

An answer in which no picture can be read is kept as it came, as that of a call is, and can be read again. Where it can't be
kept, its picture stays open and the file of answers stays: the order is asked about again by the next recovery.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from ...dialects.base.step import Done, Failed, Job, Reply
from ...dialects.batch import gemini as gemini_batch
from ...dialects.batch.gemini import BatchAnswer, BatchStatus
from ...errors import ProviderFailure
from ...errors.messages import msg
from ...http.download import DownloadFailed
from ...http.failures import RequestFailed
from ...http.transport import TooLong
from ...ledger.types import ledger_failed
from ..call_journal import CallJournal
from ..call_key import CallKey
from ..call_status import CallStatus
from ..charge import NotStored, PackFailed, PicturesLacking, Refused, Stored, charged, charged_by, is_open
from ..failure_messages import FailureMessages
from ..image_collector import ImageCollector
from ..result_choice import choose_results, with_absolute_url
from .order_file import OrderFile
from .order_sender import OrderSender

log = logging.getLogger("nano_banana")

Parse = Callable[[], BatchAnswer | None]
"""Reads one answer; None where it is none."""
ReadBytes = Callable[[], bytes]
"""Gives one answer as it came."""
_UNREADABLE = ProviderFailure("unreadable", final=True)


class OrderAnswers:
    """Stores the pictures of one order, and says why others are missing."""

    def __init__(self, job: Job, status: CallStatus, journal: CallJournal, key: CallKey, sender: OrderSender) -> None:
        self._job, self._status, self._journal, self._key, self._sender = job, status, journal, key, sender
        self._messages = FailureMessages(status.target)
        # However old the order is, its answers are here: what can't be stored now is fetched again.
        self._collector = ImageCollector(status, journal, self._not_again, lambda: True, age=lambda: 0.0)
        self.stored = 0
        """How many pictures were collected."""
        self.has_unkept = False
        """Whether an answer could be neither read nor kept."""

    def collect(self, found: BatchStatus, reply: Reply, file: OrderFile) -> None:
        """Takes all answers of an order that has ended.

        Raises RequestFailed, TooLong or OSError where its file can't be fetched now, and NanoBananaError.
        """
        status = self._status
        # After a reading that was broken off, those that have ended are left alone.
        missing = {number for number in status.numbers if is_open(status.charge_of(number))}
        open_before = frozenset(missing)
        unread: list[tuple[int, ReadBytes]] = []
        for place, (parse, read) in enumerate(self._pieces(found, reply, file)):
            answer = self._parsed(parse)
            if answer is None:
                unread.append((place, read))
                continue
            number = _number_of(answer.key, place)
            if number in missing:
                missing.discard(number)
                self._take(number, answer, read)
        for place, read in unread:
            key = gemini_batch.key_in(read())
            number = _number_of(key, place)
            if number not in missing:
                if not missing or not self._may_be_of_another(number, key, open_before):
                    continue
                number = min(missing)
            missing.discard(number)
            self._fail(number, _UNREADABLE, read)
        kept = None
        if missing and found.state == "succeeded" and not found.has_answers:
            kept = self._journal.keep_order_answer(bytes(reply.body))
        for number in sorted(missing):
            self._lacking(number, found, kept)

    def _may_be_of_another(self, number: int, key: str, open_before: frozenset[int]) -> bool:
        """Whether an answer that can't be read may be that of another picture than its key or place says.

        Not where it is that of a picture which has ended, or which an answer before it is of.
        """
        if number in open_before:
            return not _is_number(key)
        return self._status.claim is None and open_before == set(self._status.numbers)

    def read_again(self, number: int, body: bytes) -> None:
        """Takes the picture with this number from an answer that was kept. Raises OSError."""
        reply = Reply(200, {}, body)
        found = gemini_batch.status_of(reply)
        for place, value in enumerate((found.answers if found else None) or ()):
            answer = self._parsed(partial(gemini_batch.answer_of, self._job, value, reply))
            if answer is not None and _number_of(answer.key, place) == number:
                self._take(number, answer, partial(gemini_batch.answer_bytes, value))
                return
        answer = self._parsed(partial(gemini_batch.answer_of_line, self._job, body))
        if answer is None or found is not None:  # a whole order: which of its pictures is this one's isn't known
            self._fail(number, _UNREADABLE, lambda: body)
        else:
            self._take(number, answer, lambda: body)

    # ------------------------------------------------------------------------------------------------ reading

    def _pieces(self, found: BatchStatus, reply: Reply, file: OrderFile) -> Iterator[tuple[Parse, ReadBytes]]:
        """The answers in their order."""
        job = self._job
        if found.answers is not None:
            for value in found.answers:
                inside = partial(gemini_batch.answer_of, job, value, reply)
                yield inside, partial(gemini_batch.answer_bytes, value)
        elif found.file:
            self._fetch(found.file, file)
            for start, size, line in file.answer_lines():
                of_line = partial(gemini_batch.answer_of_line, job, line or b"")
                yield of_line, partial(file.read_answer, start, size)

    def _fetch(self, name: str, file: OrderFile) -> None:
        """Fetches the file of answers; the one that is here stands for it where the provider has it no more."""
        reply = self._sender.save(gemini_batch.download(self._job, name), file.answers)
        if reply is None:
            return
        gone = reply.status in (404, 410)
        if not (gone and file.answers.is_file()):
            failure = gemini_batch.failure(self._job, reply)
            raise DownloadFailed(failure.message or f"HTTP {reply.status}", gone=gone)

    def _parsed(self, parse: Parse) -> BatchAnswer | None:
        """An answer; None where it can't be read. A bug of ours must not keep the answers behind it from being read."""
        try:
            return parse()
        except OSError:  # the drive: all of it is read again
            raise
        except Exception:
            self._log_bug("an answer of an order could not be read")
            return None

    # ------------------------------------------------------------------------------------------------ taking

    def _take(self, number: int, answer: BatchAnswer, read: ReadBytes) -> None:
        """Stores the picture of an answer, or keeps the answer."""
        try:
            step = self._key.scrub_step(answer.step)
            if isinstance(step, Done) and step.images:
                self._store(number, step)
            else:
                self._fail(number, step.failure if isinstance(step, Failed) else _UNREADABLE, read)
        except (RequestFailed, TooLong, DownloadFailed, OSError):
            raise
        except Exception as error:
            self._log_bug("a picture of an order could not be taken")
            money = self._status.advance_picture(number, PackFailed())
            self._status.outcome.failures[number] = self._messages.pack_failed(error, money)
        finally:
            # The pixels of a thousand pictures would fill the memory, and no run waits for them.
            self._status.outcome.images.clear()

    def _store(self, number: int, step: Done) -> None:
        status, outcome = self._status, self._status.outcome
        outcome.text = step.text.encode("utf-8", "replace").decode()  # JSON can carry a lone surrogate
        outcome.sources, outcome.request_id = step.sources, step.request_id
        images = [with_absolute_url(each, status.target.base_url) for each in step.images]
        results, extras = choose_results(images, 1)
        self._journal.mark_answered({}, None, step.notices)
        uid, turn = self._journal.uid(number), step.turn if self._journal.has_request(number) else None
        has_turn = self._collector.collect(self._sender.transport, {number: results[0]}, None, turn)
        if isinstance(status.charge_of(number), Stored):
            self.stored += 1
            self._journal.drop_request(uid, has_turn=has_turn)
            for extra in extras:
                self._journal.keep_extra_of(number, extra.read())
        elif number not in outcome.failures:
            outcome.failures[number] = ledger_failed(msg("call_journal.could_not_be_stored"))
            outcome.failures[number].charged = charged(status.charge_of(number))

    def _fail(self, number: int, failure: ProviderFailure, read: ReadBytes) -> None:
        """An answer without a picture. It is kept where it may have been charged."""
        status = self._status
        failure = replace(failure, final=True)  # the same answer would come again
        if charged_by(status.target.spec, failure, accepted=True) != "no":
            self._unread(number, failure, self._journal.keep_answer_of(number, read()))
        else:
            money = status.advance_picture(number, Refused(spec=status.target.spec, failure=failure))
            status.outcome.failures[number] = self._messages.error(failure, money)

    def _unread(self, number: int, failure: ProviderFailure, kept: Path | None) -> None:
        """A picture that may have been charged; `kept`: where its answer is, None where it could not be kept."""
        status = self._status
        self.has_unkept |= kept is None
        event = Refused(spec=status.target.spec, failure=failure) if kept else NotStored()
        money = status.advance_picture(number, event)
        status.outcome.failures[number] = self._messages.error(failure, money, kept=kept)

    def _lacking(self, number: int, found: BatchStatus, kept: Path | None) -> None:
        """A picture that the order has ended without. `kept`: where the answer that doesn't show it is."""
        status = self._status
        if found.state == "succeeded" and not found.has_answers:
            self._unread(number, _UNREADABLE, kept)
            return
        if found.state == "succeeded":
            money = status.advance_picture(number, PicturesLacking())
            error = self._messages.images_lacking(self.stored, len(status.numbers), money)
        else:
            failure = self._failure_of(found)
            money = status.advance_picture(number, Refused(spec=status.target.spec, failure=failure))
            error = self._messages.error(failure, money)
        status.outcome.failures[number] = error

    def _failure_of(self, found: BatchStatus) -> ProviderFailure:
        """Why an order has ended without pictures. Those that weren't begun cost nothing; which ones were isn't said."""
        unbilled = True if found.made == 0 else None
        if found.state == "cancelled":
            return ProviderFailure("stopped", unbilled=unbilled, opening=msg("order.cancelled"))
        if found.state == "expired":
            cure = msg("order.queue_again_or_order_less")
            return ProviderFailure("task", unbilled=unbilled, opening=msg("order.expired"), cure=cure)
        failure = gemini_batch.error_of_request(self._job, found.error or {})
        return replace(failure, unbilled=unbilled, opening=msg("order.failed"))

    def _log_bug(self, what: str) -> None:
        # Not with exc_info: an exception may hold what the provider said.
        log.error("%s\n%s", what, self._key.scrub_text(traceback.format_exc()))

    def _not_again(self) -> Done:
        raise DownloadFailed(msg("order.picture_address_is_gone"), gone=True)


def _number_of(key: str, index: int) -> int:
    """Which picture an answer is: as its key says, else by its place."""
    return int(key) if _is_number(key) else index


def _is_number(key: str) -> bool:
    return key.isascii() and key.isdecimal() and len(key) < 10
