"""Runs pip in an environment: pip shows its own progress, and its log is read for one sentence when it fails.

pip stays in charge of indexes, proxies, certificates and its cache of downloads, as the person configured them.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .user_error import UserError, disk_full

DISK = re.compile(r"No space left on device|Errno 28\b|Disk quota exceeded|not enough space on the disk|WinError 112")
NETWORK = re.compile(
    r"Retrying \(Retry|NewConnectionError|NameResolutionError|Temporary failure in name resolution"
    r"|Name or service not known|getaddrinfo failed|Max retries exceeded|ConnectTimeoutError|ReadTimeoutError"
    r"|Read timed out|ProxyError|Network is unreachable|ProtocolError|Connection (?:refused|reset|aborted|broken)"
    r"|IncompleteRead|CERTIFICATE_VERIFY_FAILED|SSLError"
)
HASH = re.compile(r"DO NOT MATCH THE HASHES|Expected sha256")
NO_BUILD = re.compile(r"No matching distribution found for (\S+)|Could not find a version that satisfies .*?(\S+==\S+)")
RIGHTS = re.compile(r"Permission denied|Read-only file system|Errno 13\b|Errno 30\b")
INSTALLING = "Installing collected packages"
"""What pip's log has once it changes the environment; everything has been downloaded by then."""
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_HASHES", "PYTHONPATH", "PYTHONHOME")


class InstallFailed(UserError):
    """pip failed. `touched`: it had begun to install, so the environment may hold half-installed packages."""

    def __init__(self, sentence: str, touched: bool) -> None:
        super().__init__(sentence)
        self.touched = touched


class Interrupted(KeyboardInterrupt):
    """Ctrl+C while pip ran. `touched` as in InstallFailed."""

    def __init__(self, touched: bool) -> None:
        super().__init__()
        self.touched = touched


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
            f"The package index has no {found[1] or found[2]} for this Python and platform: run dev.py with another "
            "Python from 3.10 to 3.14 (3.12 has the most builds), or name your own ComfyUI with COMFYUI_DIR."
        )
    if RIGHTS.search(output):
        return f"{cache} can't be written by this user: correct its rights or set NANO_BANANA_DEV_CACHE, and run again."
    errors = [line.strip() for line in output.splitlines() if "error" in line.lower()] or ["it said nothing"]
    return f"pip failed ({errors[-1][-200:]}): its log is {log}; run the same command again to go on."


def variables() -> dict[str, str]:
    """The person's own variables, which may carry index addresses and proxies, minus what misleads pip."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return kept | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class Pip:
    """pip of one Python. `inherited`: descriptors that keep the cache locked while pip lives."""

    def __init__(self, python: Path, cache: Path, inherited: Sequence[int] = ()) -> None:
        self._python = python
        self._cache = cache
        self._inherited = tuple(inherited)

    def install(self, *arguments: str) -> None:
        """`pip install`. Raises InstallFailed, Interrupted."""
        self._run("install", "--no-warn-script-location", *arguments)

    def install_locked(self, requirements: Path) -> None:
        """Installs exactly what a locked requirement file names, each file by its hash. Raises as `install` does."""
        # Without dependencies: all of them are in the lock, and torch, which is in none, is never replaced.
        self.install("--no-deps", "--require-hashes", "-r", str(requirements))

    def download(self, *arguments: str) -> None:
        """`pip download`. Raises InstallFailed, Interrupted."""
        self._run("download", *arguments)

    def _run(self, *arguments: str) -> None:
        log = self._cache / "logs" / "pip.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        command = [str(self._python), "-m", "pip", "--log", str(log), *arguments]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, env=variables(), pass_fds=self._inherited)
        except KeyboardInterrupt:
            raise Interrupted(INSTALLING in log.read_text("utf-8", "replace")) from None
        if done.returncode:
            text = log.read_text("utf-8", "replace")
            raise InstallFailed(sentence(text, self._cache, log), INSTALLING in text)
