"""Collects the images of a finished call: downloads them, writes their bytes to disk, then decodes them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..dialects.base.step import Done, ImageRef, ModelTurn
from ..errors import ConfigError, NanoBananaError
from ..errors.messages import message_of, msg
from ..http.download import DownloadFailed, download
from ..http.transport import Transport
from ..images.picture import TooLarge, UnreadablePicture, decode, pixel_digest, sniff
from ..ledger.types import MOST_DRAFTS
from .call_journal import CallJournal
from .call_status import FREE_SECONDS, CallStatus
from .charge import (
    BytesStored,
    Finished,
    Misconfigured,
    NotAnImage,
    NotDownloaded,
    NotStored,
    PicturesLacking,
    charged,
    is_open,
)
from .failure_messages import FailureMessages, too_large
from .outcome import ResultImage
from .result_choice import choose_results, with_absolute_url

log = logging.getLogger("nano_banana")

MOST_EXTRAS = 4
"""Pictures beyond those that were asked for that are kept."""


class ImageCollector:
    """Collects the pictures of one call into its outcome."""

    def __init__(
        self,
        status: CallStatus,
        journal: CallJournal,
        ask_again: Callable[[], Done],
        unwatched: Callable[[], bool],
        age: Callable[[], float] | None = None,
        on_disk: Callable[[], None] = lambda: None,
    ) -> None:
        """`ask_again` asks for the accepted task once more. `unwatched`: whether no run is there to take a picture.

        `age`: seconds for which the provider has kept the picture, since the paid request where it is None.
        `on_disk` is called when all pictures have come inside the answer and are written: the provider has nothing more to do.
        """
        self._status, self._journal, self._ask_again, self._unwatched = status, journal, ask_again, unwatched
        self._age, self._on_disk = age or (lambda: status.age), on_disk
        self._last: int | None = None
        """The number of the picture that is written last, where all have come inside the answer."""
        self._messages = FailureMessages(status.target)
        self._turn: ModelTurn | None = None
        """The answer as it goes back in a conversation."""
        self._turn_kept = False

    def finish(self, transport: Transport, done: Done) -> None:
        """Collects what the provider's final answer holds."""
        status, outcome = self._status, self._status.outcome
        status.advance(Finished())
        outcome.text = done.text.encode("utf-8", "replace").decode()  # JSON can carry a lone surrogate
        outcome.usd, outcome.request_id = done.usd, done.request_id
        outcome.sources = done.sources
        # What a claimed call has sent isn't known any more.
        turn = done.turn if status.claim is None and len(status.numbers) == 1 else None
        notices = (*status.job.notices, *done.notices)
        outcome.notices.extend(notices)
        results, extras = self._chosen(done)
        share = None if done.usd is None else done.usd / max(1, len(results))
        wanted = {number: results[number] for number in status.numbers if number < len(results)}
        self._last = max(wanted, default=None) if all(each.is_here for each in done.images) else None
        lacking = [number for number in status.numbers if number not in wanted]
        money = [status.advance_picture(number, PicturesLacking()) for number in lacking]
        urls = {status.fingerprint(number): each.url for number, each in wanted.items() if each.url}
        self._journal.mark_answered(urls, share, notices)
        self.collect(transport, wanted, share, turn)
        if status.claim is None or status.claim.answer is not None:
            self._collect_extras(transport, extras)
        if lacking:
            outcome.error = self._messages.images_lacking(len(wanted), len(status.numbers), money[0])

    def collect(
        self, transport: Transport, found: dict[int, ImageRef], usd: float | None, turn: ModelTurn | None = None
    ) -> bool:
        """Collects pictures, given by their number; `usd` is the price of one, `turn` the answer that one is from.

        Gives whether the turn is kept.
        """
        status = self._status
        self._turn, self._turn_kept = turn, False
        for number, image in found.items():
            status.advance_picture(number, Finished(has_url=bool(image.url)))
        task_id = status.task_id
        asked_again = False
        for number in list(found):
            try:
                try:
                    self._collect_one(transport, number, found[number], usd)
                except DownloadFailed as error:
                    if asked_again or status.task is None or not error.gone:
                        raise
                    # The address is gone, but the provider still knows the task: it may have a new one.
                    asked_again = True
                    results = self._chosen(self._ask_again())[0]
                    status.advance(Finished())
                    found |= {n: each for n, each in enumerate(results) if n in found}
                    self._collect_one(transport, number, found[number], usd)
            except DownloadFailed as error:
                money = status.advance_picture(
                    number, NotDownloaded(self._age(), gone=error.gone, forbidden=error.forbidden)
                )
                url = found[number].url
                status.outcome.failures[number] = self._messages.not_downloaded(error, url, task_id, money)
            except NanoBananaError as error:
                if is_open(status.charge_of(number)):
                    # Asking again has failed: this picture ends as the call did.
                    status.advance(Misconfigured())
                    status.picture_charges[number] = status.charge
                error.charged = charged(status.charge_of(number))
                status.outcome.failures[number] = error
        return self._turn_kept

    def _chosen(self, done: Done) -> tuple[list[ImageRef], list[ImageRef]]:
        """The results and the extra pictures of an answer, with whole addresses."""
        status = self._status
        asked = status.claim.image_count if status.claim else len(status.numbers)
        return choose_results([with_absolute_url(each, status.target.base_url) for each in done.images], asked)

    def _collect_one(self, transport: Transport, number: int, found: ImageRef, usd: float | None) -> None:
        """One picture: its bytes, then on disk, then pixels. Raises DownloadFailed, or NanoBananaError for what is none."""
        status, data = self._status, found.read()
        if not data:
            status.phase = "downloading"
            try:
                data = download(transport, found.url, FREE_SECONDS)
            except ConfigError:
                # A proxy or certificates of this machine: the picture can be downloaded later.
                status.advance_picture(number, Misconfigured())
                raise
        on_disk = self._journal.write_incoming(number, data)
        if number == self._last:
            self._on_disk()
        if self._turn is not None:
            self._turn_kept = self._journal.keep_turn(number, data, self._turn)
        try:
            image = _result_image(data)
        except TooLarge as error:
            raise self._too_large(number, message_of(error), usd, on_disk) from None
        except UnreadablePicture as error:
            kept = self._journal.keep_unreadable(number, data)
            money = status.advance_picture(number, NotAnImage())
            raise self._messages.not_an_image(message_of(error), found.url, kept, money) from None
        if on_disk:
            image = replace(image, file=self._journal.file_name(number), uid=self._journal.uid(number))
        status.outcome.images[number] = image
        # Before it counts as stored: whoever waits for it wants the drafts, too.
        image = replace(image, drafts=self._drafts(transport, number, found.drafts))
        reader = self._journal.reader(number) if on_disk else None
        if self._store(number, usd, on_disk) and reader is not None:
            image = replace(image, read=reader)
        status.outcome.images[number] = image

    def _drafts(self, transport: Transport, number: int, drafts: Sequence[ImageRef]) -> tuple[ResultImage, ...]:
        """Stores what the model drew before a picture. What can't be used of it is left out: it cost nothing."""
        found: list[ResultImage] = []
        for draft in drafts[:MOST_DRAFTS]:
            try:
                data = draft.read() or download(transport, draft.url, FREE_SECONDS)
                found.append(_result_image(data))
            except (DownloadFailed, UnreadablePicture, TooLarge, ConfigError) as error:
                log.info("a draft of %s can't be used: %s", self._status.target.spec.label, message_of(error))
        if found:
            self._journal.store_drafts(number, [draft.data for draft in found])
        return tuple(found)

    def _store(self, number: int, usd: float | None, on_disk: bool) -> bool:
        """Marks a picture as stored; False where that could not be written."""
        stored = on_disk and self._journal.store(number, usd, read=not self._unwatched())
        # An image that is not stored may still be in the outcome; it can be fetched again where the provider has it.
        self._status.advance_picture(number, BytesStored() if stored else NotStored(self._age()))
        return stored

    def _too_large(self, number: int, why: str, usd: float | None, on_disk: bool) -> NanoBananaError:
        """Stores a picture that is too large to be decoded here, so that it is not paid for again."""
        file = self._journal.file_name(number) if on_disk else ""
        stored = self._store(number, usd, on_disk)
        money = charged(self._status.charge_of(number))
        if stored:
            return too_large(self._status.target.spec.label, why, file, money)
        return self._messages.not_an_image(why, "", None, money)

    def _collect_extras(self, transport: Transport, extras: Sequence[ImageRef]) -> None:
        """Keeps pictures beyond those that were asked for, as bytes and for the results panel only."""
        if not extras:
            return
        outcome, label = self._status.outcome, self._status.target.spec.label
        seen = {pixel_digest(image.pixels) for image in outcome.images.values()}
        for found in extras[:MOST_EXTRAS]:
            try:
                data = found.read() or download(transport, found.url, FREE_SECONDS)
                digest = _digest_of(data)
            except (DownloadFailed, UnreadablePicture, ConfigError) as error:
                outcome.notices.append(msg("image_collector.extra_picture_unreadable", label=label, error=error))
                continue
            if digest in seen:
                continue
            seen.add(digest)
            outcome.extras += 1
            self._journal.keep_extra(data)
        not_kept = len(extras) - MOST_EXTRAS
        if not_kept > 0:
            outcome.notices.append(msg("image_collector.extra_pictures_not_kept", label=label, not_kept=not_kept))


def _result_image(data: bytes) -> ResultImage:
    """A picture whose file stays in memory. Raises UnreadablePicture or TooLarge."""
    return ResultImage(decode(data), sniff(data), lambda: data)


def _digest_of(data: bytes) -> str:
    """The digest of a picture: of its pixels, or of its bytes where it is too large. Raises UnreadablePicture."""
    try:
        return pixel_digest(decode(data))
    except TooLarge:
        return hashlib.sha256(data).hexdigest()
