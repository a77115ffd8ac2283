"""The one exception that ends a command with a sentence instead of a traceback.

Raised anywhere in this package, shown by `commands.py` on stderr with exit code 2. It refuses to hide bugs: only
failures a person can do something about become a `UserError`.
"""

import errno

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
WINDOWS_DISK_FULL = 112


class UserError(Exception):
    """A failure explained in one sentence that says what to do."""


def disk_full(where: object) -> str:
    """The sentence for a full disk."""
    return (
        f"The disk is full: make room for about 4 GB (10 GB where torch comes with CUDA) in {where}, or name another "
        "place with NANO_BANANA_DEV_CACHE (and TMPDIR for temporary files), and run the same command again."
    )


def from_os_error(error: OSError, where: object) -> UserError | None:
    """The sentence for an operating system's error, or None when it is not one of the known ones."""
    if error.errno in FULL or getattr(error, "winerror", None) == WINDOWS_DISK_FULL:
        return UserError(disk_full(where))
    if error.errno in CLOSED:
        return UserError(
            f"{error.filename or where} can't be written by this user: correct its rights, or name a folder of your "
            "own with NANO_BANANA_DEV_CACHE, and run the same command again."
        )
    return None
