"""Downloads a finished picture: with retries, resumed where the connection broke, checked for length and format.

The picture is paid for and the download is free, so it is retried for long. Nothing is decoded here.
"""

from __future__ import annotations

import random
import time

from ..errors.messages import message_of, msg
from ..images.header import ends_whole
from ..images.picture import UnreadablePicture, measure, sniff
from . import backoff
from .body_buffer import joined
from .connections import PrivateAddress, UnsafeAddress
from .failures import RequestFailed
from .transport import TooLong, Transport

_TRIES = 6
_GONE = frozenset({400, 401, 403, 404, 405, 410, 451})
_GONE = frozenset({400, 401, 403, 405, 410, 451})
"""Of these, the ones that another try won't change. A 404 may be a picture that has not reached every server yet."""


class DownloadFailed(Exception):
    """It could not be downloaded. `gone`: the address no longer has the file. `forbidden`: it is an address that is never
    requested, because it is no web address or, `private`, is inside a network. `cure` is what to do, where that is
    known."""

    def __init__(
        self, why: str, *, gone: bool = False, forbidden: bool = False, private: bool = False, cure: str = ""
    ) -> None:
        super().__init__(why)
        self.gone, self.forbidden, self.private, self.cure = gone, forbidden, private, cure


LONGEST_SECONDS = 900.0
"""For a whole download that makes progress: a large file takes minutes on a slow line."""


def download(transport: Transport, url: str, patience: float) -> bytes:
    """The file at `url`, complete. `patience`: seconds without progress after which it fails. Raises DownloadFailed."""
    end, deadline = time.monotonic() + LONGEST_SECONDS, time.monotonic() + patience
    data = b""
    tag = problem = cure = ""
    gone = False
    spoiled = 0
    for attempt in range(1, _TRIES + 1):
        if problem and time.monotonic() >= deadline:
            break  # the last problem says more than a timeout
        hint: float | None = None
        try:
            reply, whole = transport.download(url, deadline=deadline, end=end, start=len(data), tag=tag)
        except RequestFailed as error:
            problem, gone, cure = error.why, False, error.cure
            if error.lasting:
                break
        except TooLong as error:
            raise DownloadFailed(message_of(error), gone=True) from None
        except UnsafeAddress as error:
            raise DownloadFailed(
                message_of(error), gone=True, forbidden=True, private=isinstance(error, PrivateAddress)
            ) from None
        else:
            cure = ""
            hint = backoff.parse_retry_after(reply.headers.get("retry-after", ""), time.time())
            goes_on = reply.headers.get("content-range", "").startswith(f"bytes {len(data)}-")
            if reply.status == 206 and data and goes_on:
                data = joined(data, reply.body)
            elif reply.ok:
                data = reply.body
                tag = reply.headers.get("etag", "")
            if reply.ok and reply.body:
                deadline = min(time.monotonic() + patience, end)
            if not reply.ok:
                problem, gone = f"HTTP {reply.status}", reply.status in _GONE
                data = b""
                if reply.status in _GONE:
                    break
            elif not whole and not _is_complete(data):
                problem, gone = msg("download.connection_ended_early"), False
            else:
                problem = _complaint(data)
                if not problem:
                    return data
                spoiled += 1
                if spoiled == 3:
                    if sniff(data):
                        return data  # it has the signature of an image, and its bytes are worth keeping
                    raise DownloadFailed(problem, gone=True)
                data = b""
        if attempt == _TRIES or time.monotonic() >= deadline:
            break
        time.sleep(min(hint if hint is not None else backoff.delay(attempt, random.random()), 10.0))
    raise DownloadFailed(problem, gone=gone, cure=cure)


def _is_complete(data: bytes) -> bool:
    """Whether a picture ends as its format does, although its connection broke: a promised length may be wrong."""
    image_format = sniff(data)
    ends = (
        (image_format == "png" and data.endswith(b"IEND\xaeB`\x82"))
        or (image_format == "jpeg" and data.endswith(b"\xff\xd9"))
        or (image_format == "webp" and len(data) == int.from_bytes(data[4:8], "little") + 8)
    )
    return ends and not _complaint(data)


def _complaint(data: bytes) -> str:
    """What is wrong with a complete answer at first sight, "" when nothing is."""
    if not sniff(data):
        return msg("download.not_a_picture")
    if not ends_whole(data):
        return msg("download.picture_cut_off")
    try:
        measure(data)
    except UnreadablePicture as error:
        return message_of(error)
    return ""
