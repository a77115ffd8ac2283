"""What one call writes into the journal and the results folder.

Once a request may be paid, a journal that can't be written is a notice and no error, so that the picture is not lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..dialects.base.step import Job, ModelTurn
from ..errors import LedgerFailed
from ..errors.messages import msg
from ..images.file_data import UnreadableFile
from ..ledger.journal import Journal
from ..ledger.kept_answers import KeptAnswer
from ..ledger.messages import unwritten_notice
from ..ledger.queries import order_answer
from ..ledger.results import name_of
from ..ledger.turns import RecordedPart, RecordedReference, TurnRecord, encoded
from ..planning.plan import Target
from .call_key import CallKey
from .call_status import CallStatus
from .charge import Failed, PackFailed, RunDetached, is_open, row_rule

log = logging.getLogger("nano_banana")


class CallJournal:
    """The journal as one call writes it."""

    def __init__(self, journal: Journal, status: CallStatus, key: CallKey) -> None:
        self._journal, self._status, self._key = journal, status, key
        self._notices: Sequence[str] = ()

    def mark_sent(self) -> None:
        """The paid request is about to be sent. Raises LedgerFailed: then it must not."""
        self._journal.mark_sent(self._status.fingerprints, self._status.id)

    def mark_retryable(self) -> None:
        """The paid request surely never arrived, or was surely refused before work began."""
        self._write(lambda: self._journal.mark_retryable(self._status.fingerprints))

    def mark_accepted(self, task: dict[str, Any]) -> None:
        self._write(lambda: self._journal.mark_accepted(self._status.fingerprints, task))

    def mark_answered(self, urls: dict[str, str], usd: float | None, notices: Sequence[str]) -> None:
        """The final answer is here. `urls`: fingerprint -> address. `usd`: price of one picture. `notices` are kept with
        each picture."""
        self._notices = notices
        outcome = self._status.outcome
        if urls:
            self._write(lambda: self._journal.mark_answered(urls, outcome.text, usd, outcome.request_id))

    def keep_request(self, number: int, job: Job, digests: Sequence[str]) -> None:
        """Keeps what is asked for a picture of an order until it arrives, perhaps in another process.

        `digests`: of the references that go along with the prompt. What can't be kept costs nothing.
        """
        if not job.spec.conversations:
            return
        try:
            uid, record = self.uid(number), request_record(self._status.target, job, digests)
            self._journal.turns.keep_references(uid, digests, job.references)
            self._journal.turns.write_ordered(uid, encoded(record))
        except (OSError, ValueError, LedgerFailed, UnreadableFile) as error:
            log.warning("a request could not be kept for a conversation: %s", error)

    def has_request(self, number: int) -> bool:
        """Whether it is known what was asked for a picture of an order."""
        return self._journal.turns.read_ordered(self.uid(number)) is not None

    def drop_request(self, uid: str, *, has_turn: bool) -> None:
        """A picture of an order has arrived, or never will."""
        try:
            self._journal.turns.delete_ordered(uid, has_turn=has_turn)
        except (OSError, LedgerFailed) as error:
            log.debug("the request of an ordered picture is left: %s", error)

    def keep_turn(self, number: int, data: bytes, turn: ModelTurn) -> bool:
        """Keeps the request and its answer, of which `data` is the result, so that a conversation can go on from it.

        Done before the picture is stored. What can't be kept costs nothing: the last picture stands for it later.
        Gives whether it is kept.
        """
        status, journal = self._status, self._journal
        try:
            uid, name = self.uid(number), name_of(data)
            ordered = journal.turns.read_ordered(uid) if status.is_order else None
            record = ordered or request_record(status.target, status.job, status.digests)
            record = replace(record, parts=recorded_parts(turn))
            if name not in (part.picture for part in record.parts):
                return False
            written = encoded(record)
            answered = encoded(
                replace(record, prompt="")
            )  # the prompt is the user's own, and kept in the journal anyway
            if b"".join(self._key.scrub_pieces(answered)) != answered:
                log.warning("an answer that repeats the key is not kept for a conversation")
                return False
            if ordered is None:
                new = status.digests[: len(status.job.references)]  # those of earlier turns are kept with them
                journal.turns.keep_references(uid, new, status.job.references)
            journal.turns.write(name, uid, written)
        except (OSError, ValueError, LedgerFailed, UnreadableFile) as error:
            log.warning("an answer could not be kept for a conversation: %s", error)
            return False
        return True

    def write_incoming(self, number: int, data: bytes) -> bool:
        """Puts the provider's bytes on disk, before anybody looks into them; False when they are not there."""
        fingerprint = self._status.fingerprint(number)
        return self._write(
            lambda: self._journal.write_incoming(fingerprint, data), msg("call_journal.picture_not_stored")
        )

    def store(self, number: int, usd: float | None, *, read: bool) -> bool:
        """Marks a picture as stored, whose bytes are in the incoming folder; False where that could not be written.

        `read`: whether a run takes the picture now.
        """
        outcome, fingerprint = self._status.outcome, self._status.fingerprint(number)
        return self._write(
            lambda: self._journal.mark_stored(
                fingerprint,
                outcome.text,
                usd,
                outcome.request_id,
                notices=self._notices,
                sources=outcome.sources,
                read=read,
            ),
            msg("call_journal.picture_not_stored"),
        )

    def reader(self, number: int) -> Callable[[], bytes]:
        """A function that reads the incoming bytes from disk, also after the picture is stored."""
        return self._journal.reader(self._status.fingerprint(number))

    def file_name(self, number: int) -> str:
        """The name that the incoming bytes have, or will have, in the results folder."""
        return self._journal.held(self._status.fingerprint(number)).file

    def uid(self, number: int) -> str:
        """The id of its row, while the call works on it."""
        return self._journal.held(self._status.fingerprint(number)).uid

    def keep_unreadable(self, number: int, data: bytes) -> Path | None:
        """Keeps bytes that are no picture; None when that isn't possible."""
        return self._journal.keep_unreadable(self._status.fingerprint(number), data)

    def keep_extra(self, data: bytes) -> None:
        keep = partial(self._journal.store_extra, self._status.fingerprints[0], data, self._status.outcome.text)
        self._write(keep, msg("call_journal.extra_picture_not_stored"))

    def keep_extra_of(self, number: int, data: bytes) -> None:
        """Keeps a further picture that came beside one of an order."""
        fingerprint, text = self._status.fingerprint(number), self._status.outcome.text
        if data:
            self._write(
                partial(self._journal.store_extra, fingerprint, data, text),
                msg("call_journal.extra_picture_not_stored"),
            )

    def store_drafts(self, number: int, drafts: Sequence[bytes]) -> None:
        """Stores what the model drew before a picture. That they are missing later is no reason to alarm the user."""
        try:
            self._journal.store_drafts(self._status.fingerprint(number), drafts)
        except LedgerFailed as error:
            log.warning("%s", error.reason)

    def keep_answer(self, answer: KeptAnswer) -> Path | None:
        """Writes an answer to disk without the key; gives where, None when it can't be written."""
        cleaned = self._key.scrub_answer(answer)
        kept = self._journal.keep_answer(self._status.id, cleaned, self._key.scrub_pieces)
        self._status.outcome.answer = kept.name if kept else ""
        return kept

    def keep_answer_of(self, number: int, body: bytes) -> Path | None:
        """Writes the answer to one picture of an order to disk without the key, see `keep_answer`."""
        return self._keep_body(order_answer(self._status.id, number), body)

    def keep_order_answer(self, body: bytes) -> Path | None:
        """Writes an answer about a whole order to disk without the key, see `keep_answer`."""
        return self._keep_body(self._status.id, body)

    def _keep_body(self, name: str, body: bytes) -> Path | None:
        answer = self._key.scrub_answer(KeptAnswer(200, {"content-type": "application/json"}, body, {"at": "order"}))
        return self._journal.keep_answer(name, answer, self._key.scrub_pieces)

    def close(self, *, run_detached: bool) -> None:
        """Writes down what became of every picture that is not stored.

        `run_detached`: nobody was there to hear of it, so a charge that is in doubt is asked about before it is paid again.
        """
        status = self._status
        for number in status.numbers:
            error = status.outcome.error_of(number)
            if is_open(status.charge_of(number)):
                status.advance_picture(number, PackFailed())  # nothing said how it ended
            if run_detached:
                status.advance_picture(number, RunDetached())
            reason = error.reason if error else msg("call_journal.could_not_be_stored")
            fingerprint, charge = status.fingerprint(number), status.charge_of(number)
            try:
                if status.is_order and isinstance(charge, Failed) and charge.disposition == "final":
                    self.drop_request(self._journal.ownership.uid_of(fingerprint), has_turn=False)
                uids = self._journal.mark_failed([fingerprint], row_rule(charge), reason)
                status.outcome.uids[number] = uids.get(fingerprint, "")
            except LedgerFailed as failed:
                log.warning("%s", failed.reason)
            except Exception:  # a bug of ours must not keep other calls waiting for this picture
                log.exception("the end of a call to %s could not be written down", status.target.spec.id)

    def _write(self, step: Callable[[], None], what: str = msg("call_journal.journal_not_written")) -> bool:
        notices = self._status.outcome.notices
        try:
            step()
            if (later := unwritten_notice(self._journal)) and later not in notices:
                notices.append(later)
        except LedgerFailed as error:
            notice = msg("call_journal.save_this_picture", what=what, reason=error.reason)
            if notice not in notices:
                notices.append(notice)
            log.warning("%s", notice)
            return False
        return True


def request_record(target: Target, job: Job, digests: Sequence[str]) -> TurnRecord:
    """What is kept of a request, without an answer."""
    sent = zip(digests, job.references, strict=False)
    references = tuple(RecordedReference(digest, each.width, each.height) for digest, each in sent)
    return TurnRecord(target.spec.id, job.model, job.prompt, references, (), job.parent, target.base_url)


def recorded_parts(turn: ModelTurn) -> tuple[RecordedPart, ...]:
    """The parts of an answer as they are kept."""
    parts = []
    for part in turn.parts:
        data = part.picture.read() if part.picture else b""
        picture = name_of(data) if data else ""
        parts.append(RecordedPart(part.text, picture, len(data), part.mime, part.signature, part.thought))
    return tuple(parts)
