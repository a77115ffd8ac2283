"""Reads the answers of an order one by one: each picture is on disk before the next is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...dialects.base.step import Done, Failed, Job
from ...dialects.batch import gemini as gemini_batch
from ...dialects.batch.gemini import BatchAnswer, BatchStatus
from ...errors import ProviderFailure
from ...errors.messages import msg
from ...http.download import DownloadFailed
from ...http.transport import ANSWER_BYTES
from ...ledger.types import ledger_failed
from ..call_journal import CallJournal
from ..call_key import CallKey
from ..call_status import CallStatus
from ..charge import PicturesLacking, Refused, Stored, charged, is_open
from ..failure_messages import FailureMessages
from ..image_collector import ImageCollector
from ..result_choice import choose_results, with_absolute_url
from .order_file import OrderFile
from .order_sender import OrderSender


class OrderAnswers:
    """Stores the pictures of one order, and says why others are missing."""

    def __init__(self, job: Job, status: CallStatus, journal: CallJournal, key: CallKey, sender: OrderSender) -> None:
        self._job, self._status, self._journal, self._key, self._sender = job, status, journal, key, sender
        self._messages = FailureMessages(status.target)
        # However old the order is, its answers are here: what can't be stored now is fetched again.
        self._collector = ImageCollector(status, journal, self._not_again, lambda: True, age=lambda: 0.0)
        self.stored = 0
        """How many pictures were collected."""

    def collect(self, found: BatchStatus, reply: gemini_batch.Reply, file: OrderFile) -> None:
        """Takes all answers of an order that has ended.

        Raises RequestFailed, TooLong or OSError where its file can't be fetched now, and NanoBananaError.
        """
        status = self._status
        # After a reading that was broken off, those that have ended are left alone.
        missing = {number for number in status.numbers if is_open(status.charge_of(number))}
        for number, answer in self._numbered(found, reply, file):
            if number in missing:
                missing.discard(number)
                self._take(number, answer)
        for number in sorted(missing):
            self._lacking(number, found)

    def _numbered(
        self, found: BatchStatus, reply: gemini_batch.Reply, file: OrderFile
    ) -> Iterator[tuple[int, BatchAnswer]]:
        """The answers with the numbers of their pictures: by the key of each, else by their order."""
        answers: Iterator[BatchAnswer | None] = iter(())
        if found.answers is not None:
            answers = (gemini_batch.answer_of(self._job, each, reply) for each in found.answers)
        elif found.file:
            answers = self._from_file(found.file, file)
        for index, answer in enumerate(answers):
            if answer is not None:
                yield _number_of(answer.key, index), answer

    def _from_file(self, name: str, file: OrderFile) -> Iterator[BatchAnswer | None]:
        """The answer of each line; None for one that can't be read, which counts as a place all the same."""
        reply = self._sender.save(gemini_batch.download(self._job, name), file.answers)
        if reply is not None:
            failure = gemini_batch.failure(self._job, reply)
            raise DownloadFailed(failure.message or f"HTTP {reply.status}", gone=reply.status in (404, 410))
        with file.answers.open("rb") as lines:
            while line := lines.readline(ANSWER_BYTES):
                end = line
                while not end.endswith(b"\n") and (more := lines.readline(ANSWER_BYTES)):
                    end = more  # the line is longer than any answer
                if line.strip():
                    yield gemini_batch.answer_of_line(self._job, line) if end is line else None

    def _take(self, number: int, answer: BatchAnswer) -> None:
        status, outcome = self._status, self._status.outcome
        step = self._key.scrub_step(answer.step)
        if not isinstance(step, Done):
            assert isinstance(step, Failed)
            failure = replace(step.failure, final=True)  # the same answer would come again
            money = status.advance_picture(number, Refused(spec=status.target.spec, failure=failure))
            outcome.failures[number] = self._messages.error(failure, money)
            return
        outcome.text = step.text.encode("utf-8", "replace").decode()  # JSON can carry a lone surrogate
        outcome.sources, outcome.request_id = step.sources, step.request_id
        images = [with_absolute_url(each, status.target.base_url) for each in step.images]
        results, extras = choose_results(images, 1)
        self._journal.mark_answered({}, None, step.notices)
        self._collector.collect(self._sender.transport, {number: results[0]}, None)
        if isinstance(status.charge_of(number), Stored):
            self.stored += 1
            for extra in extras:
                self._journal.keep_extra_of(number, extra.read())
        elif number not in outcome.failures:
            outcome.failures[number] = ledger_failed(msg("call_journal.could_not_be_stored"))
            outcome.failures[number].charged = charged(status.charge_of(number))
        # The pixels of a thousand pictures would fill the memory, and no run waits for them.
        outcome.images.clear()

    def _lacking(self, number: int, found: BatchStatus) -> None:
        """A picture that the order has ended without."""
        status = self._status
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

    def _not_again(self) -> Done:
        raise DownloadFailed(msg("order.picture_address_is_gone"), gone=True)


def _number_of(key: str, index: int) -> int:
    """Which picture an answer is: as its key says, else by its place."""
    return int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else index
