"""Pictures the simulator serves: results, drawn when they are first fetched, and uploaded references.

Bounded: drawn bytes live in a small cache and can be drawn again, uploads are dropped oldest first. Answers GET and
HEAD with ranges, and misbehaves as the result's fault words say. Used by `generation.py` and the upload routes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from .faults import Words
from .message import Manner, Reply, Request

CACHE_BYTES = 96_000_000
UPLOAD_BYTES = 768_000_000
KEPT_RESULTS = 4_000
MIME = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
SUFFIX = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>"
    b"<body><h1>Sign in to continue</h1><form><input name=user></form></body></html>\n"
)


@dataclass
class StoredFile:
    """A file at `/<provider>/files/<name>`."""

    path: str
    mime: str
    make: Callable[[], bytes]
    words: Words = field(default_factory=dict)
    fetches: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class FileStore:
    """Thread-safe store of served files."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._results: OrderedDict[str, StoredFile] = OrderedDict()
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._uploads: OrderedDict[str, tuple[bytes, str]] = OrderedDict()

    def add_result(self, provider: str, stem: str, form: str, make: Callable[[], bytes], words: Words) -> str:
        """Promise a picture, drawn by `make` when it is wanted; returns its path on this server."""
        with self._lock:
            path = f"/{provider}/files/{stem}-{next(self._numbers):05d}{SUFFIX[form]}"
            self._results[path] = StoredFile(path, MIME[form], make, words)
            while len(self._results) > KEPT_RESULTS:
                gone, _ = self._results.popitem(last=False)
                self._cache.pop(gone, None)
        return path

    def add_upload(self, provider: str, stem: str, mime: str, content: bytes) -> str:
        """Keep an uploaded picture; returns its path on this server."""
        form = next((form for form, known in MIME.items() if known == mime), "png")
        path = f"/{provider}/files/{stem}{SUFFIX[form]}"
        with self._lock:
            self._uploads[path] = (content, mime)
            while len(self._uploads) > 1 and sum(len(kept) for kept, _ in self._uploads.values()) > UPLOAD_BYTES:
                self._uploads.popitem(last=False)
        return path

    def content_at(self, path: str) -> bytes | None:
        """The bytes of a file, without its faults; None when there is none."""
        with self._lock:
            upload = self._uploads.get(path)
            stored = self._results.get(path)
        if upload is not None:
            return upload[0]
        return None if stored is None else self._drawn(stored)

    def clear(self) -> None:
        """Forget every file."""
        with self._lock:
            self._results.clear()
            self._cache.clear()
            self._uploads.clear()

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
        """The reply to a GET or HEAD for a file, faults and ranges included; None when there is no such file."""
        with self._lock:
            upload = self._uploads.get(request.path)
            stored = self._results.get(request.path)
            words: Words = {}
            if stored is not None:
                words = dict(stored.words)
                # A download that drops does so once, or the file could never be had.
                times = words.get("times", 1 if "file_drop" in words else None)
                if times is not None and stored.fetches >= times:
                    words = {"norange": True} if "norange" in words else {}
                stored.fetches += 1
        if upload is not None:
            return _ranged(request, upload[0], upload[1], allowed=True)
        if stored is None:
            return None
        manner = Manner(slow=words.get("file_slow", 0.0))
        if "file_status" in words:
            return Reply(int(words["file_status"]), b"not now\n", "text/plain", manner=manner)
        if "redirect_file" in words:
            headers = [("Location", str(words["redirect_file"]))]
            return Reply(302, b"", "text/plain", headers=headers, manner=manner)
        mime = str(words.get("type", stored.mime))
        if "notimage" in words:
            return Reply(200, LOGIN_PAGE, words.get("type", "text/html"), manner=manner)
        if "huge" in words:
            manner.declared_length = manner.zeros = int(words["huge"])
            return Reply(200, b"", mime, manner=manner)
        content = self._drawn(stored)
        if "truncate" in words:
            manner.declared_length, content = len(content), content[: len(content) // 2]
            return Reply(200, content, mime, manner=manner)
        if "short" in words:
            content = content[: len(content) // 2]
        reply = _ranged(request, content, mime, allowed="norange" not in words)
        reply.manner = manner
        if "file_drop" in words:
            manner.drop = "body"
            manner.reset = "reset" in words
        return reply


def _ranged(request: Request, content: bytes, mime: str, *, allowed: bool) -> Reply:
    """The whole file, or the one range `bytes=N-` / `bytes=N-M` asks for."""
    if not allowed:
        return Reply(200, content, mime)
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
