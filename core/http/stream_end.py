"""Finds the end of a stream whose connection stays open after the last event.

Neither server-sent events nor Gemini's stream name an end of their own: google-genai reads until the connection ends. A
gateway may keep it open, with comments or in silence. So what has come is looked at once nothing but comments has come for
some seconds. Called by `transport`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from .body_buffer import Received
from .socket_reader import SilentEnd

QUIET_SECONDS = 3.0
"""What belongs to an answer comes sooner after its last part."""
_COMMENT_BYTES = 1024

log = logging.getLogger("nano_banana")


class StreamEnd:
    """Whether the stream in `received` has come to its end."""

    def __init__(self, received: Received, is_whole: Callable[[bytes], bool] | None) -> None:
        self._received, self._is_whole = received, is_whole
        self._since = time.monotonic()
        """When the last piece came that wasn't a comment."""
        self._asked = False
        self.reached = False
        """Whether what came was found to be whole."""

    @property
    def silence(self) -> SilentEnd | None:
        return SilentEnd(QUIET_SECONDS, self._has_come) if self._is_whole else None

    def follows(self, piece: bytes) -> bool:
        """Whether the stream has ended before `piece`, which has just been received."""
        if not _is_comment(piece):
            self._since, self._asked = time.monotonic(), False
            return False
        return time.monotonic() - self._since >= QUIET_SECONDS and self._has_come()

    def _has_come(self) -> bool:
        if self._is_whole and not self._asked:
            self._asked = True
            try:
                self.reached = self._is_whole(self._received.so_far())
            except Exception:
                log.exception("whether a stream has ended can't be found out")
        return self.reached


def _is_comment(piece: bytes) -> bool:
    """Whether a piece is nothing but comments and blank lines, as servers send them to keep a connection open."""
    return len(piece) <= _COMMENT_BYTES and all(line[:1] in (b"", b":") for line in piece.splitlines())
