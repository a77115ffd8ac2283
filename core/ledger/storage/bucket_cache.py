"""Keeps files in a bucket, with a folder of this machine before it.

    <folder>/ab/abcdef....png     the cache: what is in the bucket, too. The longest unused go first
    <folder>/outbox/ab/....json   what is not in the bucket yet; uploaded by the next process where this one ends

The folder in the bucket is what a folder of results is, so each can be copied to the other. A picture is shared before a row
says that it is stored; small files are uploaded a moment later.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from ...errors import ResultsAway
from ...files.regular_files import NotReadable, read_regular
from .cache_limit import CacheLimit
from .folder_store import FolderStore
from .object_store import ObjectStore, ResultsStore
from .size_limit import SizeLimit
from .upload_queue import UploadQueue

log = logging.getLogger("nano_banana")

_MAX_BYTES = 400 << 20
_CONTENT = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})\.(?!json$)\w+")
"""The key of a file that is named by its content."""
_CLOSE_SECONDS = 5.0


class BucketCache(ResultsStore):
    """A bucket and its cache in a folder."""

    incoming_is_shared, may_vanish = False, False

    def __init__(self, folder: Path, origin: ObjectStore, place: str, limit_bytes: int) -> None:
        """`origin`: the bucket, and `place` its name in messages. `limit_bytes`: of the cache."""
        self.origin, self._place = origin, place
        self.limit: SizeLimit = CacheLimit(folder, limit_bytes)
        self._cache, self._outbox = FolderStore(folder), FolderStore(folder / "outbox")
        self._uploads = UploadQueue()
        self._waiting, self._counting = Counter[Path](), threading.Lock()
        """The incoming files that wait for the bucket, and how many uploads each has."""
        self._lock = threading.Lock()
        """Held during the upload of a small file, and during a deletion, which must not be followed by one."""

    @property
    def is_new(self) -> bool:
        return False

    @property
    def place(self) -> str:
        return self._place

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def is_waiting(self, file: Path) -> bool:
        return file in self._waiting

    def is_shared(self, key: str) -> bool:
        return self.origin.exists(key)

    def check(self) -> None:
        self.origin.check()

    def put(self, key: str, data: bytes) -> None:
        self.origin.put(key, data)

    def put_soon(self, key: str, data: bytes, *, sync: bool = False) -> None:
        self._outbox.put_soon(key, data, sync=sync)
        self._uploads.add(partial(self._upload, key))

    def get(self, key: str, most: int) -> bytes:
        try:
            return self._outbox.get(key, most)
        except FileNotFoundError:
            pass
        if not _CONTENT.fullmatch(key):  # another machine may have changed it
            return self.origin.get(key, most)
        try:
            data = self._cache.get(key, most)
            if not _is_damaged(key, data):
                self._touch(key)
                return data
        except (FileNotFoundError, NotReadable):
            pass
        return self._fetch(key, most)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self.origin.get_many([key for key in keys if not self._is_here(key)])

    def exists(self, key: str) -> bool:
        return self._is_here(key) or self.origin.exists(key)

    def existing(self, keys: Iterable[str]) -> set[str]:
        asked = set(keys)
        here = {key for key in asked if self._is_here(key)}
        return here | self.origin.existing(asked - here)

    def existing_here(self, keys: Iterable[str]) -> set[str]:
        return {key for key in set(keys) if self._is_here(key)}

    def list_in(self, folder: str, beginning: str = "") -> dict[str, int]:
        return dict(
            sorted({**self.origin.list_in(folder, beginning), **self._outbox.list_in(folder, beginning)}.items())
        )

    def folders(self) -> list[str]:
        return sorted({*self.origin.folders(), *self._outbox.folders()})

    def delete(self, keys: Iterable[str]) -> None:
        listed = list(keys)
        with self._lock:
            self.origin.delete(listed)
            self._outbox.delete(listed)
            self._cache.delete(listed)

    def share(self, file: Path, key: str) -> None:
        try:
            data = read_regular(file, _MAX_BYTES)
        except FileNotFoundError:  # taken already, as only what was shared is
            return
        self.origin.put(key, data)

    def share_then(
        self, file: Path, key: str, then: Callable[[], object], failed: Callable[[], object] = lambda: None
    ) -> None:
        try:
            if not self._uploads.is_away:
                self.share(file, key)
                then()
                return
        except ResultsAway:
            pass
        with self._counting:
            self._waiting[file] += 1
        self._uploads.add(partial(self._share_late, file, key, then, failed))

    def take(self, file: Path, key: str) -> None:
        self._cache.take(file, key)

    def resume(self) -> None:
        root = self._outbox.folder
        for file in [*root.rglob("*")]:
            if file.suffix != ".part" and file.is_file():
                self._uploads.add(partial(self._upload, file.relative_to(root).as_posix()))

    def close(self) -> None:
        if not self._uploads.wait(_CLOSE_SECONDS):
            log.warning("Not everything is in %s yet: the next start uploads the rest.", self._place)

    # ------------------------------------------------------------------------------------------------ inside

    def _is_here(self, key: str) -> bool:
        return self._outbox.exists(key) or self._cache.exists(key)

    def _touch(self, key: str) -> None:
        try:
            self._cache.touch(key)
        except OSError:  # evicted, or not ours to change
            pass

    def _fetch(self, key: str, most: int) -> bytes:
        """A file from the bucket, now in the cache. One that came damaged is fetched a second time."""
        data = self.origin.get(key, most)
        if _is_damaged(key, data):
            data = self.origin.get(key, most)
        if _is_damaged(key, data):
            log.warning("%s in %s is damaged.", key, self._place)
            return data
        try:
            self._cache.put(key, data)
            self.limit.add(len(data))
        except OSError as error:
            log.warning("%s could not be kept in the cache: %s", key, error)
        return data

    def _upload(self, key: str) -> None:
        """Uploads a file of the outbox. One that was written again meanwhile stays there for its own upload."""
        file = self._outbox.path(key)
        with self._lock:
            try:
                before = file.stat()
                data = self._outbox.get(key, _MAX_BYTES)
                self.origin.put(key, data)
                after = file.stat()
            except FileNotFoundError:
                return
            if (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns):
                file.unlink(missing_ok=True)

    def _share_late(self, file: Path, key: str, then: Callable[[], object], failed: Callable[[], object]) -> None:
        try:
            self.share(file, key)
            then()
        except ResultsAway:  # it is tried again
            raise
        except BaseException:
            self._waits_no_more(file)
            failed()
            raise
        self._waits_no_more(file)

    def _waits_no_more(self, file: Path) -> None:
        with self._counting:
            self._waiting[file] -= 1
            self._waiting += Counter()  # without those that have none


def _is_damaged(key: str, data: bytes) -> bool:
    """Whether a file that is named by its content has other content."""
    named = _CONTENT.fullmatch(key)
    return named is not None and hashlib.sha256(data).hexdigest() != named[1]
