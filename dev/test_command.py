"""`dev.py test`: ruff, mypy, tsc, eslint, then pytest on units, fuzz, conformance, and on host and browser together.

pytest says what failed and what was skipped, and why; at the end is a line per stage. It can't spend: key variables are dropped
and the data folder is temporary. Caches stay out of the tree. `.ci/run` runs it, too.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from . import chromium, environment, node, other_hosts
from .cache import ROOT, VARIABLE, linked, opened
from .comfy_install import ComfyInstall
from .env import clean
from .process import run_to_end
from .user_error import UserError

SCREENSHOTS = "NANO_BANANA_SCREENSHOTS"
"""The folder for the browser tests' screenshots; without it none are taken."""
ALIAS = "pack"
"""The name the clone is type-checked under: its folder's own name may be no identifier."""
CACHES = {
    "RUFF_CACHE_DIR": "ruff",
    "MYPY_CACHE_DIR": "mypy",
    "HYPOTHESIS_STORAGE_DIRECTORY": "hypothesis",
    "PYTHONPYCACHEPREFIX": "bytecode",
}
PARTS = ("unit", "fuzz", "conformance", "host", "browser")
"""The folders of tests, in the order in which they run."""
FEWEST_WORKERS = {"unit": 4, "fuzz": 2, "conformance": 2}
"""How many processes at least share out the files of a stage. Tests of units wait for half of their time."""
FORKS = {"unit": 6} if sys.platform == "linux" else {}
"""Of these stages they are forks, which cost next to nothing, and not pytest-xdist's workers. macOS forks, but not safely."""
MOST_WORKERS = 4
"""At most. For the others `host_workers` says how many."""
WORKER_MEMORY = 4 << 30
"""Bytes that a worker of the host and browser tests may take: two hosts with 1 GB each, a browser, itself."""
IN_MEMORY = Path("/dev/shm")
"""Where Linux has a file system in memory."""
ENOUGH = 1 << 30
"""Bytes that have to be free there: the tests of units write about 100 MB."""
FAILED, NO_TESTS = 1, 5
"""pytest's exit codes when tests failed or a worker crashed, and when it collected nothing."""
MOST_AGAIN = 3
"""How many failed browser tests at most run a second time: a busy machine can make the host's own frontend late."""
REGISTRY_CLIENT = ("registry", "The registry's client")
"""The environment with comfy-cli."""

Variables = dict[str, str] | None


class Result(NamedTuple):
    """What came of a stage: "passed", "failed" or "skipped", and what else is to be said of it."""

    stage: str
    became: str
    seconds: float = 0.0
    note: str = ""


def options(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command's options, and what is handed on to pytest."""
    parser = argparse.ArgumentParser(
        prog="dev.py test",
        description="Lint, types, tests of units, with broken input (fuzz), against the vendors' SDKs (conformance), in the "
        "real host and in the browser; without a choice all of them.",
        epilog="What is left goes to pytest, in one process: dev.py test --unit -k codec -x",
    )
    for name in ("lint", *PARTS):
        parser.add_argument(f"--{name}", action="store_true", help=f"only {name} (several may be named)")
    parser.add_argument("--long", action="store_true", help="also what takes long, and all combinations of options")
    parser.add_argument(
        "--looks", action="store_true", help="browser tests in every renderer and language, not in one each"
    )
    chosen, rest = parser.parse_known_args(arguments)
    if not any(getattr(chosen, name) for name in ("lint", *PARTS)):
        # With arguments for pytest alone a person wants tests, not lint.
        chosen.lint = not rest
        for name in PARTS:
            setattr(chosen, name, True)
    return chosen, [argument for argument in rest if argument != "--"]


def variables(install: ComfyInstall | None, cache: Path, home: Path) -> dict[str, str]:
    """The environment of every stage: nothing secret, caches out of the tree, and the same host for the tests.

    `install` is None where no stage needs a host.
    """
    ours = {name: str(cache / folder) for name, folder in CACHES.items()}
    ours |= {VARIABLE: str(cache), "NANO_BANANA_HOME": str(home)}
    if install and not install.fetched:
        ours |= {"COMFYUI_DIR": str(install.comfyui), "COMFYUI_PYTHON": str(install.python)}
    if os.environ.get(SCREENSHOTS):
        ours[SCREENSHOTS] = os.path.abspath(os.environ[SCREENSHOTS])
    return clean(os.environ, ours)


def workers(stage: str) -> list[str]:
    """pytest's arguments for a whole stage: a file, with its fixtures, stays in one process.

    pytest-xdist's files come in the order of their names, since those with few tests may take longest; forks take the
    largest first. A worker that crashes ends the stage: in a new one pytest-xdist would run the same test again.
    """
    if stage in FORKS:
        return ["--forks", str(FORKS[stage])]
    fewest = FEWEST_WORKERS.get(stage)
    count = max(fewest, min(os.cpu_count() or 2, MOST_WORKERS)) if fewest else host_workers()
    return ["-n", str(count), "--dist", "loadfile", "--no-loadscope-reorder", "--max-worker-restart", "0"]


def host_workers(memory: int | None = None) -> int:
    """Workers of the host and browser tests: three, even on two cores, since one of them mostly waits; two with little memory.

    `memory`: bytes of this machine, None to ask it. Where it doesn't say (Windows), two.
    """
    if memory is None:
        try:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, OSError, ValueError):
            memory = 0
    return 3 if memory >= 3 * WORKER_MEMORY else 2


def memory_folder(folder: Path = IN_MEMORY) -> Path | None:
    """A folder in memory for the temporary files of the tests of units, None where there is none with room.

    On a disk each commit of a journal waits for it, tens of thousands of times. Programs have to be executable there.
    """
    try:
        found = os.statvfs(folder)
    except (AttributeError, OSError):  # Windows; not there
        return None
    fits = found.f_bavail * found.f_frsize >= ENOUGH and os.access(folder, os.W_OK)
    return folder if fits and not found.f_flag & getattr(os, "ST_NOEXEC", 0) else None


def browser_failures(kept: Path, report: Path) -> list[str]:
    """The tests that pytest's cache names as failed, where they are few and all of the browser, else none.

    None either where pytest's JUnit report says that a worker crashed: what that had still to run was not run.
    """
    try:
        failed = list(json.loads((kept / "v" / "cache" / "lastfailed").read_text("utf-8")))
        crashed = "crashed while running" in report.read_text("utf-8")
    except FileNotFoundError:  # all tests passed, and the page that they make is stale
        return []
    few = len(failed) <= MOST_AGAIN and all(name.startswith("tests/browser/") for name in failed)
    return failed if few and not crashed else []


def summary(results: Sequence[Result]) -> str:
    """A line per stage, and the last line with the verdict."""
    lines = [f"{each.stage:<22}  {each.became:<8}  {each.seconds:6.1f} s  {each.note}".rstrip() for each in results]
    failed = [each.stage for each in results if each.became == "failed"]
    return "\n".join([*lines, "", f"failed: {', '.join(failed)}" if failed else "nothing failed"])


class Stages:
    """Runs stages one after the other with live output and collects their results."""

    def __init__(self, install: ComfyInstall | None, cache: Path, scratch: Path) -> None:
        home = scratch / "home"
        home.mkdir()
        self._python = install.tools if install else Path(sys.executable)
        self._cache, self._scratch = cache, scratch
        self._environment = variables(install, cache, home)
        self.results: list[Result] = []

    def check(self, stage: str, command: Sequence[object], more: Variables = None, folder: Path = ROOT) -> int:
        """A tool that passes or fails; its exit code. `more`: variables besides the others."""
        print(f"\n== {stage}", flush=True)
        began = time.monotonic()
        words = [str(word) for word in command]
        code = run_to_end(words, folder, self._environment | (more or {}), terminal="--pdb" in words)
        became = {0: "passed", NO_TESTS: "skipped"}.get(code, "failed")
        note = "no test there matches" if code == NO_TESTS else ""
        self.results.append(Result(stage, became, time.monotonic() - began, note))
        return code

    def skip(self, stage: str, reason: object) -> None:
        """A stage that can't run here: said now, and named again at the end."""
        print(f"\n== {stage}\nskipped: {reason}")
        self.results.append(Result(stage, "skipped", note=str(reason)))

    def lint(self) -> None:
        """ruff, mypy, and for `web/` tsc and eslint. Raises UserError."""
        self.check("ruff check", [self._python, "-m", "ruff", "check", "."])
        self.check("ruff format", [self._python, "-m", "ruff", "format", "--check", "."])
        above = self._cache / "types"
        linked(above / ALIAS, ROOT)
        options = ["--explicit-package-bases", "--exclude", rf"^{ALIAS}/(dev\.py$|output/|\.)"]
        mypy = [self._python, "-m", "mypy", ALIAS, *options, "--config-file", ROOT / "pyproject.toml"]
        self.check("mypy", mypy, {"MYPYPATH": str(above)}, above)
        self.browser_side()

    def browser_side(self) -> None:
        """tsc and eslint, skipped where Node can't be had. Raises UserError for a lock that can't be followed."""
        try:
            tools = node.make(self._cache)
        except node.NoNode as reason:
            for stage in node.CHECKS:
                self.skip(stage, reason)
            return
        for stage, command in tools.commands(ROOT).items():
            self.check(stage, command, tools.variables())

    def tests(self, names: Sequence[str], rest: list[str], python: Path | None = None, more: Variables = None) -> None:
        """pytest on folders of tests, in one pool; with a person's own arguments `rest` in one process.

        `python`: another one than the tools'. `more`: variables besides the others.
        """
        whole = not set(rest) - {"--long", "--looks"}
        kept = self._scratch / names[0] if whole else self._cache / "pytest"
        # Not above the tests: pytest would import the clone's own `__init__.py`, which is ComfyUI's to load.
        command: list[object] = [python or self._python, "-m", "pytest", f"--confcutdir={ROOT / 'tests'}", *rest]
        command += ["-rs", "--durations=10", "-o", f"cache_dir={kept}"]
        report = self._scratch / f"{names[0]}.xml"
        shared = workers(names[0]) if whole else []
        stage = "tests/" + "+".join(names)
        folders = [f"tests/{name}" for name in names]
        # Of pytest's kinds of report one that knows the properties of a test: it warns of each in the others.
        reported = [f"--junitxml={report}", "-o", "junit_family=xunit1"]
        code = self.check(stage, [*command, *shared, *reported, *folders], more)
        if code == FAILED and whole and (failed := browser_failures(kept, report)):
            first = self.results.pop()
            self.check(stage, [*command, *failed], more)
            second = self.results.pop()
            note = f"only at the second run: {', '.join(failed)}" if second.became == "passed" else ""
            self.results.append(second._replace(seconds=first.seconds + second.seconds, note=note))

    def conformance(self, rest: list[str]) -> None:
        """The tests against the vendors' SDKs, in their own environment; skipped where that can't be made."""
        try:
            python = environment.apart(self._cache, "judges", "The vendors' SDKs").python
        except UserError as reason:
            self.skip("tests/conformance", reason)
            return
        with suppress(node.NoNode):  # the tests that need it for fal's types say so themselves
            node.make(self._cache)
        self.tests(["conformance"], rest, python)

    def all_tests(self, names: Sequence[str], rest: list[str]) -> None:
        """The chosen parts: host and browser together, since one waits where the other computes."""
        for name in [name for name in ("unit", "fuzz") if name in names]:
            with tempfile.TemporaryDirectory(dir=memory_folder(), ignore_cleanup_errors=True) as temporary:
                self.tests([name], rest, more={"TMPDIR": temporary})
        if "conformance" in names:
            self.conformance(rest)
        # The longest files first, or a worker is alone with one at the end.
        last = [name for name in ("browser", "host") if name in names]
        if "browser" in last and chromium.chromium(os.environ) is None:
            last.remove("browser")
            self.skip("tests/browser", chromium.MISSING)
        if last:
            self.tests(last, rest)


def run(arguments: list[str]) -> int:
    """Runs the chosen stages. Exit code 1 when anything failed. Raises UserError."""
    chosen, rest = options(arguments)
    names = [name for name in PARTS if getattr(chosen, name)]
    install = None
    if chosen.lint or names != ["conformance"]:
        install = environment.make(tools=True)
        print(f"ComfyUI: {install.comfyui} ({install.why})")
    if chosen.long and "browser" in names:
        with suppress(UserError):  # the tests that need what isn't there say that they are skipped
            other_hosts.make()
    if chosen.long and "host" in names:
        with suppress(UserError):
            environment.apart(opened(), *REGISTRY_CLIENT)
    with tempfile.TemporaryDirectory(prefix="nano-banana-test-", ignore_cleanup_errors=True) as scratch:
        stages = Stages(install, opened(), Path(scratch))
        if chosen.lint:
            stages.lint()
        stages.all_tests(names, [*["--long"] * chosen.long, *["--looks"] * chosen.looks, *rest])
    print("\n" + summary(stages.results), flush=True)
    return 1 if any(result.became == "failed" for result in stages.results) else 0
