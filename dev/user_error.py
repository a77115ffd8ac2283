"""The one exception that ends a command with a sentence instead of a traceback, and such sentences.

`commands.py` shows it, with exit code 2. Only failures that a person can do something about become a `UserError`; bugs keep
their tracebacks.
"""

import errno
import re
from pathlib import Path

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
WINDOWS_DISK_FULL = 112
DISK_FULL = (
    "The disk is full: make room for about 4 GB (10 GB where torch comes with CUDA) in {where}, or name another place with "
    "NANO_BANANA_DEV_CACHE (and TMPDIR for temporary files), and run the same command again."
)
NOT_WRITABLE = (
    "{where} can't be written by this user: correct its rights, or name a folder of your own with NANO_BANANA_DEV_CACHE, "
    "and run the same command again."
)
DISK = r"No space left on device|Errno 28\b|Disk quota exceeded|not enough space on the disk|WinError 112"
NETWORK = (
    r"Retrying \(Retry|Max retries exceeded|SSLError|CERTIFICATE_VERIFY_FAILED|ProxyError|Read timed out|IncompleteRead"
    r"|ProtocolError|Connection (?:refused|reset|aborted|broken)"
)
OF_PIP = {
    DISK: DISK_FULL,
    r"DO NOT MATCH THE HASHES|Expected sha256": "What was downloaded isn't the pinned file (its SHA-256 differs): nothing "
    "of it was used; try again, and if it stays so the package index or a proxy in between serves something else.",
    NETWORK: "The package index can't be reached: connect this machine (or set HTTPS_PROXY, or pip's own index-url and "
    "cert), then run the same command again; what is already here is kept.",
    r"No matching distribution found for (?P<package>\S+)": "The package index has no {package} for this Python and "
    "platform: run dev.py with another Python from 3.10 to 3.14 (3.12 has the most builds), or name your own ComfyUI with "
    "COMFYUI_DIR.",
    r"Permission denied|Read-only file system|Errno 13\b|Errno 30\b": NOT_WRITABLE,
}
"""What pip's log has when it failed, and the sentence for it; the first that is found counts."""


class UserError(Exception):
    """A failure explained in one sentence that says what to do."""


def from_os_error(error: OSError, where: object) -> UserError | None:
    """The sentence for an operating system's error, or None when it is not one of the known ones."""
    if error.errno in FULL or getattr(error, "winerror", None) == WINDOWS_DISK_FULL:
        return UserError(DISK_FULL.format(where=where))
    return UserError(NOT_WRITABLE.format(where=error.filename or where)) if error.errno in CLOSED else None


def from_pip(output: str, cache: Path, log: Path) -> str:
    """Why pip failed and what to do about it, from what it wrote into its log."""
    for pattern, sentence in OF_PIP.items():
        if found := re.search(pattern, output):
            return sentence.format(where=cache, **found.groupdict())
    errors = [line.strip() for line in output.splitlines() if "error" in line.lower()] or ["it said nothing"]
    return f"pip failed ({errors[-1][-200:]}): its log is {log}; run the same command again to go on."
