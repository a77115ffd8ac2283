"""The bytes of a picture's file: in memory, or in an unnamed file on disk where they are many.

Fourteen references of 4096x4096 are 300 MB as files. On disk they leave room for two encoders at a time, each of which
takes 350 MB.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from typing import BinaryIO
from weakref import WeakSet

from ..errors import ConfigError
from ..errors.messages import msg

MOST_IN_MEMORY = 8 << 20
"""Bytes of a file that stay in memory; one of 2048x2048 is 5 MB."""
HEAD = 64 << 10
"""First bytes that stay in memory, too: a paid answer is compared with them, and must not need a disk that may fail."""
MOST_FILES = 64
"""Files on disk at a time. Each is open, and macOS lets a process open 256 in all, the sockets of paid requests included."""
FREE_BYTES = 1 << 30
"""Bytes that stay free on the disk: the paid pictures may have to be stored on the same one."""
_WRITTEN = 1 << 20
"""Bytes written at a time."""


class UnreadableFile(ConfigError, shown_as="ConfigError"):
    """A temporary file can't be read any more.

    No OSError: that would count as a broken connection where the file is being sent.
    """

    def __init__(self, why: str) -> None:
        super().__init__(msg("file_data.not_readable", why=why), cure=msg("file_data.check_disk"))


class DiskBytes:
    """Bytes in a file that nobody else can open, gone with this object. Read by slices, from any thread.

    Read and not mapped into memory: where a page of a mapped file can't be read, the system ends the process.
    """

    def __init__(self, file: BinaryIO, size: int, head: bytes = b"") -> None:
        """`head`: the first bytes, which are never read from the file."""
        self._file, self._size, self._head = file, size, head
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        """A copy of a slice with the step 1. Raises UnreadableFile where the disk fails."""
        first, end, _ = part.indices(self._size)
        if end <= len(self._head):
            return self._head[first:end]
        try:
            with self._lock:
                self._file.seek(first)
                return self._read(end - first)
        except OSError as error:
            raise UnreadableFile(error.strerror or str(error)) from None

    def _read(self, wanted: int) -> bytes:
        """So many bytes; one read may give fewer. Raises OSError."""
        found: list[bytes] = []
        while wanted > 0:
            piece = self._file.read(wanted)
            if not piece:
                raise OSError("it is shorter than what was written to it")
            found.append(piece)
            wanted -= len(piece)
        return b"".join(found)

    def __del__(self) -> None:
        self._file.close()  # else Python warns of an unclosed file where it shows warnings

    def __bytes__(self) -> bytes:
        return self[:]

    def __repr__(self) -> str:
        return f"DiskBytes({self._size})"


FileData = bytes | DiskBytes
_on_disk: WeakSet[DiskBytes] = WeakSet()


def stored(data: bytes) -> FileData:
    """`data`, on disk where it is more than `MOST_IN_MEMORY` bytes and the system's folder for temporary files has room."""
    if len(data) <= MOST_IN_MEMORY or len(_on_disk) >= MOST_FILES:
        return data
    try:
        if shutil.disk_usage(tempfile.gettempdir()).free < len(data) + FREE_BYTES:
            return data
        file = tempfile.TemporaryFile(prefix="nano-banana-", buffering=0)  # noqa: SIM115 it lives as long as the object
    except OSError:
        return data
    try:
        for piece in pieces(data, _WRITTEN):
            if file.write(piece) != len(piece):
                raise OSError("the disk is full")
    except OSError:
        file.close()
        return data
    there = DiskBytes(file, len(data), data[:HEAD])
    _on_disk.add(there)
    return there


def pieces(data: FileData, size: int) -> Iterator[bytes | memoryview]:
    """The bytes in pieces of `size`, the last one shorter. Raises UnreadableFile where they are on a disk that fails."""
    source = memoryview(data) if isinstance(data, bytes) else data
    return (source[start : start + size] for start in range(0, len(source), size))
