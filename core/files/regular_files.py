"""Reads a file in a folder where others may write: a regular file and nothing else, and no more of it than it may have.

A pipe in its place would be waited for without an end, a device or a link to one would be read without an end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors.messages import msg

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class NotReadable(ValueError):
    """There is something of that name, and it is no regular file, or too long a one."""


def open_regular(file: Path, most: int) -> BinaryIO:
    """A file of at most `most` bytes, open for reading. Raises OSError, or NotReadable. Links are followed."""
    _check(os.stat(file), most)  # before it is opened: opening some devices does something
    stream = os.fdopen(os.open(file, _FLAGS), "rb")
    try:
        _check(os.fstat(stream.fileno()), most)  # it may have been replaced meanwhile
    except NotReadable:
        stream.close()
        raise
    return stream


def read_regular(file: Path, most: int) -> bytes:
    """The bytes of a file, at most `most` of them. Raises OSError, or NotReadable. Links are followed."""
    with open_regular(file, most) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise NotReadable(msg("regular_files.file_too_long", most=most))
    return data


def _check(facts: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise NotReadable(msg("regular_files.not_a_file"))
    if facts.st_size > most:
        raise NotReadable(msg("regular_files.file_too_long", most=most))
