"""What pip gets from the person, and one sentence from its log when it failed; its own progress it shows itself.

pip stays in charge of indexes, proxies, certificates and its cache of downloads, as the person configured them.
"""

import os
import re
from pathlib import Path

from .user_error import UserError, disk_full, not_writable

DISK = re.compile(r"No space left on device|Errno 28\b|Disk quota exceeded|not enough space on the disk|WinError 112")
HASH = re.compile(r"DO NOT MATCH THE HASHES|Expected sha256")
NETWORK = re.compile(
    r"Retrying \(Retry|Max retries exceeded|SSLError|CERTIFICATE_VERIFY_FAILED|ProxyError|Read timed out|IncompleteRead"
    r"|ProtocolError|Connection (?:refused|reset|aborted|broken)"
)
NO_BUILD = re.compile(r"No matching distribution found for (\S+)")
RIGHTS = re.compile(r"Permission denied|Read-only file system|Errno 13\b|Errno 30\b")
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_HASHES", "PYTHONPATH", "PYTHONHOME")


class InstallFailed(UserError):
    """pip failed."""


def sentence(output: str, cache: Path, log: Path) -> str:
    """Why pip failed and what to do about it, from its log."""
    if DISK.search(output):
        return disk_full(cache)
    if HASH.search(output):
        return (
            "What was downloaded isn't the pinned file (its SHA-256 differs): nothing of it was used; try again, and "
            "if it stays so the package index or a proxy in between serves something else."
        )
    if NETWORK.search(output):
        return (
            "The package index can't be reached: connect this machine (or set HTTPS_PROXY, or pip's own index-url and "
            "cert), then run the same command again; what is already here is kept."
        )
    if found := NO_BUILD.search(output):
        return (
            f"The package index has no {found[1]} for this Python and platform: run dev.py with another Python from "
            "3.10 to 3.14 (3.12 has the most builds), or name your own ComfyUI with COMFYUI_DIR."
        )
    if RIGHTS.search(output):
        return not_writable(cache)
    errors = [line.strip() for line in output.splitlines() if "error" in line.lower()] or ["it said nothing"]
    return f"pip failed ({errors[-1][-200:]}): its log is {log}; run the same command again to go on."


def variables() -> dict[str, str]:
    """The person's own variables, which may carry index addresses and proxies, minus what misleads pip."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return kept | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
