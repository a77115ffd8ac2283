"""Result files with faults in their downloads, and uploaded references. Uploads are dropped oldest first."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

from pack.simulator import files
from pack.simulator.files import MIME, SUFFIX, ranged
from pack.simulator.message import Reply, Request

from .delivery import Delivery
from .faults import FaultOptions

UPLOAD_BYTES = 768_000_000
LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>"
    b"<body><h1>Sign in to continue</h1><form><input name=user></form></body></html>\n"
)


class FileStore(files.FileStore):
    """Thread-safe store of served files."""

    def __init__(self) -> None:
        super().__init__()
        self._options: dict[str, FaultOptions] = {}
        """The faults of each result file."""
        self._fetches: Counter[str] = Counter()
        self._uploads: OrderedDict[str, tuple[bytes, str]] = OrderedDict()

    def add_faulty(
        self, provider: str, stem: str, file_format: str, make: Callable[[], bytes], options: FaultOptions
    ) -> str:
        """Add a picture whose downloads have these faults; returns its path on this server."""
        path = self.add_result(provider, stem, file_format, make)
        if options:
            with self._lock:
                self._options[path] = options
        return path

    def add_upload(self, provider: str, stem: str, mime: str, content: bytes) -> str:
        """Keep an uploaded picture; returns its path on this server."""
        file_format = next((file_format for file_format, known in MIME.items() if known == mime), "png")
        path = f"/{provider}/files/{stem}{SUFFIX[file_format]}"
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
        super().clear()
        with self._lock:
            self._options.clear()
            self._fetches.clear()
            self._uploads.clear()

    def serve(self, request: Request) -> Reply | None:
        """The reply to a GET or HEAD for a file, faults and ranges included; None when there is no such file."""
        with self._lock:
            upload = self._uploads.get(request.path)
            stored = self._results.get(request.path)
            options: FaultOptions = {}
            if stored is not None:
                options = dict(self._options.get(request.path, {}))
                # A download that drops does so once, or the file could never be had.
                times = options.get("times", 1 if "file_drop" in options else None)
                if times is not None and self._fetches[request.path] >= times:
                    options = {"norange": True} if "norange" in options else {}
                self._fetches[request.path] += 1
        if upload is not None:
            return ranged(request, upload[0], upload[1])
        if stored is None:
            return None
        delivery = Delivery(slow=options.get("file_slow", 0.0))
        if "file_status" in options:
            return Reply(int(options["file_status"]), b"not now\n", "text/plain", delivery=delivery)
        if "redirect_file" in options:
            headers = [("Location", str(options["redirect_file"]))]
            return Reply(302, b"", "text/plain", headers=headers, delivery=delivery)
        mime = str(options.get("type", stored.mime))
        if "notimage" in options:
            return Reply(200, LOGIN_PAGE, options.get("type", "text/html"), delivery=delivery)
        if "huge" in options:
            delivery.declared_length = delivery.zeros = int(options["huge"])
            return Reply(200, b"", mime, delivery=delivery)
        content = self._drawn(stored)
        if "truncate" in options:
            delivery.declared_length, content = len(content), content[: len(content) // 2]
            return Reply(200, content, mime, delivery=delivery)
        if "short" in options:
            content = content[: len(content) // 2]
        reply = Reply(200, content, mime) if "norange" in options else ranged(request, content, mime)
        reply.delivery = delivery
        if "file_drop" in options:
            delivery.drop = "body"
            delivery.reset = "reset" in options
        return reply
