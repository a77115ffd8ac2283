"""The journal: every paid picture is written here before it is asked for, and at every step after that.

One instance per process, used from many threads; many processes may use one folder. Lists and sums are in `history`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..config.caps import Caps
from . import favourites
from .backlog import Backlog
from .call_steps import CallSteps
from .claims import CanResume, Claims
from .database import Database
from .eviction import DEFAULT_LIMIT_BYTES, Eviction
from .image_store import ImageStore
from .kept_answers import KeptAnswer, KeptAnswers
from .orders import OpenOrder, open_orders
from .ownership import HeldPicture, Ownership
from .postgres_address import PostgresAddress
from .postgres_database import PostgresDatabase
from .rebuild import rebuild
from .reservations import Reservations
from .results import Results
from .shared_limits import SharedLimits
from .sqlite_database import SqliteDatabase
from .storage.bucket_address import BucketAddress
from .storage.bucket_cache import BucketCache
from .storage.s3_store import S3Store
from .turns import Turns
from .types import Claim, DecideEnding, Reservation, ReserveResult, RunContext, StoredImage
from .unresolved import UnresolvedRows

log = logging.getLogger("nano_banana")


class Journal:
    """The ledger of one data folder. Every method may raise LedgerFailed.

    Pictures are named by their fingerprints. What a method writes is on disk when it returns. `decide_stalled`: what becomes
    of an open row whose process has ended. `address`: the server that keeps the journal, instead of a file in `home`, which
    may be `on_network`. `results`: the folder that keeps the results; with a `bucket`, its cache.
    """

    def __init__(
        self,
        home: Path,
        results: Path | None = None,
        *,
        decide_stalled: DecideEnding,
        address: PostgresAddress | None = None,
        on_network: bool = False,
        bucket: BucketAddress | None = None,
        results_bytes: int = DEFAULT_LIMIT_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.home, self._clock = home, clock
        self.results = _results(home, results, bucket, results_bytes)
        self.answers = KeptAnswers(self.results.folder / "unreadable")
        self.database = _database(home, address, self.results, on_network)
        self.eviction = self.results.store.limit or Eviction(self.database, self.results, results_bytes, self._now)
        self.ownership = Ownership(self.database)
        self.turns = Turns(self.results, lambda: self.eviction.limit)
        """What conversations go on from."""
        self.shared_limits = SharedLimits(self.database)
        """What the machines with this journal share about the keys of providers."""
        self._backlog = Backlog(self.database)
        self._image_store = ImageStore(self.database, self.results, self.eviction, self._now, self._backlog)
        self.database.listen(self.ownership.announced, self._backlog.flush_if_possible)
        self._reservations = Reservations(
            self.database, self.results, self.ownership, decide_stalled, self._now, self._backlog
        )
        self._claims = Claims(
            self.database, self.results, self.answers, self.ownership, decide_stalled, self._now, self._backlog
        )
        self._unresolved = UnresolvedRows(self.database, self.results, self._now)
        self._calls = CallSteps(
            self.database, self.results, self.ownership, self._image_store, self.eviction, self._now, self._backlog
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written into this folder. Opens no file."""
        try:
            return self.database.is_new and self.results.store.is_new
        except OSError:  # whoever reads the journal gets the error
            return False

    def close(self) -> None:
        """Closes the file and releases the open rows of this process, as the end of the process does."""
        self.results.store.close()
        self.shared_limits.close()
        self.ownership.close()
        self.database.close()

    @property
    def unwritten(self) -> int:
        """How many steps of calls wait for a server that doesn't answer: that of the journal, or that of the results."""
        return len(self._backlog) + self.results.store.waiting

    def take_notices(self) -> list[str]:
        """What the user should know about the journal's file and its results: each notice is given once."""
        return self.database.take_notices() + self.results.take_notices()

    def limit_results(self, limit_bytes: int) -> None:
        """Sets the size above which the least recently used pictures are deleted."""
        self.eviction.limit = limit_bytes

    # ------------------------------------------------------------------------------------------------ pictures

    def look_up(self, fingerprints: Sequence[str]) -> dict[str, StoredImage]:
        """The pictures that are here, by fingerprint."""
        return {} if not fingerprints or self.is_empty else self._image_store.look_up(fingerprints)

    def of_content(self, digest: str) -> list[StoredImage]:
        """The pictures with these bytes that are here, the newest first. `digest`: SHA-256 of the bytes."""
        return [] if self.is_empty else self._image_store.of_content(digest)

    def mark_used(self, uids: Sequence[str]) -> None:
        """Notes that these pictures have reached a graph."""
        self._image_store.mark_used(uids)

    def mark_damaged(self, uid: str, decide: DecideEnding, reason: str) -> None:
        """The stored bytes are damaged; `decide` says what becomes of the row."""
        self._image_store.mark_damaged(uid, decide, reason)

    def store_extra(self, fingerprint: str, data: bytes, text: str) -> None:
        """Stores a picture that came beside the one with this fingerprint: it is free and belongs to no request."""
        self._image_store.store_extra(fingerprint, data, text)

    def store_drafts(self, fingerprint: str, drafts: Sequence[bytes]) -> None:
        """Stores what the model drew before the picture with this fingerprint, in its order. They are free."""
        self._image_store.store_drafts(fingerprint, drafts)

    # ------------------------------------------------------------------------------------------------ reserving

    def reserve(
        self,
        reservations: Sequence[Reservation],
        run_context: RunContext,
        caps: Caps,
        *,
        resend: bool = False,
        can_resume: CanResume = lambda provider, profile, address: False,
    ) -> ReserveResult:
        """Reserves pictures before they are asked for, all in one transaction, and gives the status of each.

        reserved    it is yours: send it, or call `mark_failed`
        busy        another call works on it: `wait`, then reserve again
        stored      it is here: `look_up`
        claimed     a call that no process works on has paid for it: resume `claims`
        ordered     it is in one of `orders` and is collected without a run
        unresolved  it may have been charged: show `unresolved`; reserved again within the hour it is "reserved"

        A fingerprint that is given twice is reserved once. `resend`: the user is not asked about unresolved charges.
        Raises OverCap and LedgerFailed with nothing reserved.
        """
        return self._reservations.reserve(reservations, run_context, caps, resend=resend, can_resume=can_resume)

    def wait(self, groups: Sequence[Sequence[str]], seconds: float) -> bool:
        """Waits until one of the pictures, each given by all its fingerprints, isn't busy; False after `seconds`."""
        return self._reservations.wait(groups, seconds)

    # ------------------------------------------------------------------------------------------------ steps of a call

    def mark_sent(self, fingerprints: Sequence[str], call: str) -> None:
        """The paid request for these pictures is about to be sent. When this raises, it must not be sent."""
        self._calls.mark_sent(fingerprints, call)

    def mark_retryable(self, fingerprints: Sequence[str]) -> None:
        """The request surely never arrived, or was surely refused before work began; it will be sent again."""
        self._calls.mark_retryable(fingerprints)

    def mark_accepted(self, fingerprints: Sequence[str], task: Mapping[str, Any]) -> None:
        """The provider has accepted the task; `task` is what the dialect needs to ask for it again."""
        self._calls.mark_accepted(fingerprints, task)

    def mark_answered(self, urls: Mapping[str, str], text: str, usd: float | None, request_id: str) -> None:
        """The pictures are made and can be fetched: `urls` by fingerprint; `usd` is the price of one."""
        self._calls.mark_answered(urls, text, usd, request_id)

    def write_incoming(self, fingerprint: str, data: bytes) -> None:
        """Writes the provider's bytes to disk before they are decoded: after a crash they are found by the row."""
        self._calls.write_incoming(fingerprint, data)

    def held(self, fingerprint: str) -> HeldPicture:
        """The row of a picture that this process holds, and the name of its incoming bytes in the results folder."""
        return self.ownership.held(fingerprint)

    def reader(self, fingerprint: str) -> Callable[[], bytes]:
        """A function that reads incoming bytes from disk, also after the picture is stored."""
        return self._calls.reader(fingerprint)

    def mark_stored(
        self,
        fingerprint: str,
        text: str,
        usd: float | None,
        request_id: str = "",
        *,
        notices: Sequence[str] = (),
        sources: Sequence[tuple[str, str]] = (),
        read: bool = True,
    ) -> None:
        """The incoming bytes are a picture.

        `usd`: the price that the provider names. `notices`: what the user is told whenever the picture is used. `sources`:
        title and address of the pages that a web search leaned on. `read`: whether a run takes the picture now.
        """
        self._calls.mark_stored(fingerprint, text, usd, request_id, notices=notices, sources=sources, was_read=read)

    def mark_failed(self, fingerprints: Sequence[str], decide: DecideEnding, reason: str) -> dict[str, str]:
        """The call ended without these pictures; `decide` says what becomes of each row. Finished pictures are left alone.

        Gives fingerprint -> uid of their rows; what was never sent has none.
        """
        return self._calls.mark_failed(fingerprints, decide, reason)

    def mark_notified(self, uids: Sequence[str], run: str) -> None:
        """The user was told that these may have been charged: reserving them again within the hour is the answer."""
        self._calls.mark_notified(uids, run)

    def resumable(self, uids: Sequence[str]) -> set[str]:
        """Those of the rows whose task can be polled again, or whose URL can be fetched again."""
        return self._unresolved.resumable(uids) if uids else set()

    def agree_to_pay_again(self, uids: Sequence[str], agrees: bool = True, run: str = "") -> int:
        """The user agrees that the pictures of these rows may be paid again, within an hour; with `agrees` false that is over.

        `run`: the prompt that may do so, "" for the next one. Gives how many rows of the same pictures are asked about.
        """
        return 0 if self.is_empty else self._unresolved.agree(uids, agrees, run)

    def withdraw(self, uids: Sequence[str], decide: DecideEnding) -> int:
        """The user says that these were not charged; `decide` says what becomes of each row. Gives how many were changed.

        Nothing is deleted: prompt, task and kept answer stay. A row whose price the provider has named is left alone.
        """
        return 0 if self.is_empty else self._unresolved.withdraw(uids, decide)

    def mark_favourites(self, uids: Sequence[str], marked: bool) -> int:
        """Marks pictures as favourites of the user, or takes the mark away; gives how many there are of them."""
        return 0 if self.is_empty else favourites.mark(self.database, self.results, self._now, uids, marked)

    # ------------------------------------------------------------------------------------------------ kept answers

    def keep_answer(
        self, call: str, answer: KeptAnswer, cleaned: Callable[[bytes], Iterable[bytes]] = lambda body: (body,)
    ) -> Path | None:
        """Keeps an answer in which no picture could be read; gives its path, None when it can't be written.

        `cleaned` takes the secrets out of its body, piece by piece.
        """
        try:
            return self.answers.write(call, answer, cleaned)
        except OSError as error:
            log.warning("an answer could not be kept: %s", error)
            return None

    def kept_answer_name(self, names: Sequence[str]) -> str:
        """The file name of a kept answer, by the names that it may have; "" where there is none."""
        return next((file for name in names if (file := self.answers.name(name))), "")

    def keep_unreadable(self, fingerprint: str, data: bytes) -> Path | None:
        """Moves bytes that are no picture to where a person can look at them; None when that isn't possible."""
        return self._calls.keep_unreadable(fingerprint, data)

    # ------------------------------------------------------------------------------------------------ recovery

    def claim_stalled(self, can_resume: CanResume, *, however_old: bool = False) -> list[Claim]:
        """Moves on the rows of ended processes, and claims their calls that can be resumed for free.

        `however_old`: also rows older than `claims.RECOVERY_DAYS`.
        """
        return [] if self.is_empty else self._claims.claim_stalled(can_resume, any_age=however_old)

    def claim_answer(self, uid: str) -> Claim | None:
        """Claims the missing pictures of the call whose kept answer is to be read again; None where there is none."""
        return self._claims.claim_answer(uid)

    def open_orders(self, order: str = "") -> list[OpenOrder]:
        """The orders that pictures are still to come of, the oldest first. `order`: only the one with that id."""
        return [] if self.is_empty else open_orders(self.database, order)

    def _now(self) -> float:
        return self._clock()


def _results(home: Path, folder: Path | None, bucket: BucketAddress | None, limit: int) -> Results:
    if bucket is None:
        return Results(folder or home / "results")
    cache = folder or home / "results-cache" / bucket.id
    return Results(cache, BucketCache(cache, S3Store(bucket), bucket.place, limit), home / "results")


def _database(home: Path, address: PostgresAddress | None, results: Results, on_network: bool) -> Database:
    file, fill = home / "journal.sqlite", partial(rebuild, results)
    if address is None:
        return SqliteDatabase(file, fill, on_network=on_network)
    return PostgresDatabase(address, fill, results, file)
