"""The one exception that ends a command with a sentence instead of a traceback: `commands.py` shows it, with exit code 2.

Only failures that a person can do something about become a `UserError`; bugs keep their tracebacks.
"""

import errno

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
WINDOWS_DISK_FULL = 112


class UserError(Exception):
    """A failure explained in one sentence that says what to do."""


def disk_full(where: object) -> str:
    return (
        f"The disk is full: make room for about 4 GB (10 GB where torch comes with CUDA) in {where}, or name another "
        "place with NANO_BANANA_DEV_CACHE (and TMPDIR for temporary files), and run the same command again."
    )


def not_writable(where: object) -> str:
    return (
        f"{where} can't be written by this user: correct its rights, or name a folder of your own with "
        "NANO_BANANA_DEV_CACHE, and run the same command again."
    )


def from_os_error(error: OSError, where: object) -> UserError | None:
    """The sentence for an operating system's error, or None when it is not one of the known ones."""
    if error.errno in FULL or getattr(error, "winerror", None) == WINDOWS_DISK_FULL:
        return UserError(disk_full(where))
    return UserError(not_writable(error.filename or where)) if error.errno in CLOSED else None
