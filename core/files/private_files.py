"""Writes files and folders that only the user of this process may read, whatever the umask: keys, settings, journal, pictures.

A file is replaced at once and completely. POSIX only: on Windows a file has the rights of the folder that it is in, and the
modes here do nothing.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

FOLDER, FILE = 0o700, 0o600


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it that are missing. Existing ones keep their rights. Raises OSError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for each in reversed(missing):
        try:
            os.mkdir(each, FOLDER)
        except FileExistsError:
            if not each.is_dir():
                raise


def make_writable_folder(folder: Path) -> None:
    """The same for a folder that is written to soon: one that is there may be on a disk that is read-only. Raises OSError."""
    make_folder(folder)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _open_new(file: Path) -> BinaryIO:
    """A new file, open for writing, in place of one that is there. Raises OSError."""
    # What an ended process or somebody else left there may be open to others, or be a link to elsewhere.
    file.unlink(missing_ok=True)
    return open(file, "xb", opener=lambda path, flags: os.open(path, flags, FILE))


def write(file: Path, data: bytes) -> None:
    """Replaces a file at once and completely; on disk when it returns. Raises OSError."""
    with replacing(file, sync=True) as stream:
        stream.write(data)


@contextmanager
def replacing(file: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """A stream whose bytes take the place of `file` at once when the block ends, and not at all when it raises.

    `sync`: they are on disk by then. Only one writer of a file at a time in a process. Raises OSError.
    """
    # Containers that share a folder may have equal process ids, but not equal host names.
    part = file.with_name(f"{file.name}.{socket.gethostname()}.{os.getpid()}.part")
    try:
        with _open_new(part) as stream:
            yield stream
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(part, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def create(file: Path) -> None:
    """An empty file, where there is none. Raises OSError."""
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE))
    except FileExistsError:
        pass


def lock(file: Path, timeout: float = -1, *, thread_local: bool = True) -> FileLock:
    """A lock between processes. Nobody else can open its file, and so nobody else can hold it."""
    return FileLock(str(file), timeout=timeout, mode=FILE, thread_local=thread_local)
