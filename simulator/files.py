"""Result pictures, drawn when they are first fetched. Bounded: a small cache keeps bytes, which can be drawn again.

Answers GET and HEAD with ranges.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from .message import Reply, Request

CACHE_BYTES = 96_000_000
KEPT_RESULTS = 4_000
MIME = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
SUFFIX = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@dataclass
class StoredFile:
    """A file at `/<provider>/files/<name>`."""

    path: str
    mime: str
    make: Callable[[], bytes]
    lock: threading.Lock = field(default_factory=threading.Lock)


class FileStore:
    """Thread-safe store of served files."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._results: OrderedDict[str, StoredFile] = OrderedDict()
        self._cache: OrderedDict[str, bytes] = OrderedDict()

    def add_result(self, provider: str, stem: str, file_format: str, make: Callable[[], bytes]) -> str:
        """Add a picture that `make` draws when it is first fetched; returns its path on this server."""
        with self._lock:
            path = f"/{provider}/files/{stem}-{next(self._numbers):05d}{SUFFIX[file_format]}"
            self._results[path] = StoredFile(path, MIME[file_format], make)
            while len(self._results) > KEPT_RESULTS:
                gone, _ = self._results.popitem(last=False)
                self._cache.pop(gone, None)
        return path

    def clear(self) -> None:
        """Forget every file."""
        with self._lock:
            self._results.clear()
            self._cache.clear()

    def _drawn(self, stored: StoredFile) -> bytes:
        with stored.lock:
            with self._lock:
                kept = self._cache.get(stored.path)
            if kept is not None:
                return kept
            content = stored.make()
            with self._lock:
                self._cache[stored.path] = content
                while len(self._cache) > 1 and sum(map(len, self._cache.values())) > CACHE_BYTES:
                    self._cache.popitem(last=False)
            return content

    def serve(self, request: Request) -> Reply | None:
        """The reply to a GET or HEAD for a file, with ranges; None when there is no such file."""
        with self._lock:
            stored = self._results.get(request.path)
        return None if stored is None else ranged(request, self._drawn(stored), stored.mime)


def ranged(request: Request, content: bytes, mime: str) -> Reply:
    """The whole file, or the one range `bytes=N-` / `bytes=N-M` asks for."""
    headers = [("Accept-Ranges", "bytes")]
    wanted = (request.header("range") or "").strip().lower()
    first, dash, last = wanted.removeprefix("bytes=").partition("-")
    if not wanted.startswith("bytes=") or not dash or not first.isdecimal() or (last and not last.isdecimal()):
        return Reply(200, content, mime, headers=headers)
    start, end = int(first), min(int(last) if last else len(content), len(content) - 1)
    if start >= len(content) or end < start:
        return Reply(416, b"", mime, headers=[*headers, ("Content-Range", f"bytes */{len(content)}")])
    headers.append(("Content-Range", f"bytes {start}-{end}/{len(content)}"))
    return Reply(206, content[start : end + 1], mime, headers=headers)
