"""Runs pip, condenses what it says to a line per package and turns its failures into one sentence.

pip itself stays in charge of indexes, proxies, certificates and its own cache of downloads, as the person configured
them. Refuses to leave pip running when it is interrupted. Called by `environment.py` and `comfy_source.py`.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .progress import Progress, size
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

FETCHED = re.compile(
    r"^\s*(Downloading|Using cached|Processing)\s+(\S+?)(?:\s+\(([\d.]+ ?[kMG]?B)\))?(?:\s+\(from.*)?$"
)
RAW = re.compile(r"^Progress (\d+) of (\d+)")
UNPACKING = "Installing collected packages: "
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_HASHES", "PYTHONPATH", "PYTHONHOME")
KEPT_LINES = 400


class InstallFailed(UserError):
    """pip ended badly. `touched`: it had begun to unpack, so the environment holds half-installed packages."""

    def __init__(self, sentence: str, touched: bool) -> None:
        super().__init__(sentence)
        self.touched = touched


class Interrupted(KeyboardInterrupt):
    """Ctrl+C while pip ran. `touched` as in InstallFailed."""

    def __init__(self, touched: bool) -> None:
        super().__init__()
        self.touched = touched


def sentence(output: str, cache: Path, log: Path) -> str:
    """Why pip failed and what to do about it, from what it printed."""
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
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines or ["it said nothing"]
    said = errors[-1][:200]
    return f"pip failed ({said}): the whole of what it printed is in {log}; run the same command again to go on."


def named(file: str) -> str:
    """`torch 2.13.0` for the name or address of a wheel or source archive."""
    parts = re.sub(r"\.(whl|metadata|tar\.gz|zip)", "", file.rsplit("/", 1)[-1].split("#")[0]).split("-")
    return " ".join(parts[:2])


def surroundings() -> dict[str, str]:
    """The person's own environment, which may carry index addresses and proxies, minus what misleads pip."""
    environment = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    steady = {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    return environment | steady | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class Pip:
    """pip of one Python. `inherited`: descriptors that keep the cache locked while pip lives."""

    def __init__(self, python: Path, cache: Path, progress: Progress, inherited: Sequence[int] = ()) -> None:
        self._python = python
        self._cache = cache
        self._progress = progress
        self._inherited = tuple(inherited)

    def install(self, *arguments: str, bar: bool = True) -> None:
        """`pip install`. Raises InstallFailed."""
        self._run(["install", "--no-warn-script-location", *self._bar(bar), *arguments], self._count_installed)

    def download(self, *arguments: str) -> None:
        """`pip download`. Raises InstallFailed."""
        self._run(["download", *self._bar(True), *arguments], lambda: 0)

    @staticmethod
    def _bar(wanted: bool) -> list[str]:
        return ["--retries", "3", "--progress-bar", "raw" if wanted else "off"]

    def _count_installed(self) -> int:
        home = self._python.parent.parent
        folders = [*home.glob("lib/python3.*/site-packages"), *home.glob("Lib/site-packages")]
        return sum(len(list(folder.glob("*.dist-info"))) for folder in folders[:1])

    def _run(self, arguments: list[str], installed: Callable[[], int]) -> None:
        log = self._cache / "logs" / "pip.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(self._python), "-m", "pip", *arguments]
        reader = _Reader(self._progress, installed)
        with (
            log.open("w", encoding="utf-8") as written,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=surroundings(),
                pass_fds=self._inherited,
                text=True,
                encoding="utf-8",
                errors="replace",
            ) as child,
        ):
            try:
                for line in _lines(child):
                    written.write(line)
                    reader.read(line.rstrip())
                code = child.wait()
            except KeyboardInterrupt:
                child.terminate()
                child.wait()
                raise Interrupted(reader.unpacking) from None
            except BaseException:
                child.terminate()
                child.wait()
                raise
        if code:
            raise InstallFailed(sentence("\n".join(reader.lines), self._cache, log), reader.unpacking)


def _lines(child: "subprocess.Popen[str]") -> Iterator[str]:
    if child.stdout is not None:
        yield from child.stdout


class _Reader:
    """Turns pip's lines into the progress display's notes and keeps the last of them for the sentence."""

    def __init__(self, progress: Progress, installed: Callable[[], int]) -> None:
        self._progress = progress
        self._installed = installed
        self._current = ""
        self.lines: list[str] = []
        self.unpacking = False

    def read(self, line: str) -> None:
        """One line of pip's output."""
        if found := RAW.match(line):
            got, whole = int(found[1]), int(found[2])
            self._progress.now(f"{self._current}: {size(got)} of {size(whole)} ({got / max(whole, 1):.0%})")
            return
        self.lines = [*self.lines[-KEPT_LINES:], line]
        if found := FETCHED.match(line):
            if ".metadata" not in found[2]:
                self._current = named(found[2])
                self._progress.note(f"    {self._current}" + (f"  {found[3]}" if found[3] else ""))
                self._progress.now(self._current)
        elif line.startswith(UNPACKING):
            self.unpacking = True
            count, before = line.count(",") + 1, self._installed()
            self._progress.note(f"    unpacking {count} packages")
            self._progress.now(lambda: f"unpacked {max(self._installed() - before, 0)} of {count}")
        elif line.lstrip().startswith(("Collecting", "Preparing", "Building", "Getting", "Installing build")):
            self._progress.now(line.strip()[:90])
        elif "Retrying (Retry" in line:
            self._progress.now("no answer from the package index, trying again")
