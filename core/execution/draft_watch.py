"""Takes the drafts out of a stream as it arrives, so that they are seen before the picture is there."""

from __future__ import annotations

import logging

from ..dialects.base.step import Streams
from ..dialects.parsing.event_feed import EventFeed, event_value
from ..ledger.types import MOST_DRAFTS
from .call_status import CallStatus

log = logging.getLogger("nano_banana")

DRAFT_BYTES = 64 << 20
"""All drafts of one answer together: eight of 2K as PNG have so many."""


class DraftWatch:
    """The drafts of one answer; they go into the status of its call."""

    def __init__(self, dialect: Streams, status: CallStatus) -> None:
        self._dialect, self._status = dialect, status
        self._feed: EventFeed | None = EventFeed()
        """None once nothing more is looked for: the rest of the stream is not taken apart then."""
        self._size = 0
        status.drafts.clear()  # those of an earlier try, which was refused

    def look_at(self, piece: bytes) -> None:
        """Reads the next bytes of the stream. Raises nothing: the answer itself is paid for."""
        if self._feed is None:
            return
        try:
            for event in self._feed.feed(piece):
                for draft in self._dialect.drafts_in(event_value(event)):
                    if not self._add(draft.read()):
                        self._feed = None
                        return
        except Exception:
            log.exception("the drafts in a stream of %s can't be read", self._status.target.spec.label)
            self._feed = None

    def _add(self, data: bytes) -> bool:
        """Adds a draft, if it has bytes; False when there is room for no other."""
        drafts = self._status.drafts
        self._size += len(data)
        if data and self._size <= DRAFT_BYTES:
            drafts.append(data)
        return len(drafts) < MOST_DRAFTS and self._size < DRAFT_BYTES
