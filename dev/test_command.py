"""`dev.py test`: ruff, mypy, tsc, eslint, pytest on units, fuzz, conformance, real host and browser, then a summary.

Whatever was skipped is named with its reason. It can't spend: key variables are dropped and the data folder is
temporary. Caches and reports stay out of the tree. Called by `commands.py` and, through it, by `.ci/run`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import browser_side, chromium, environment, judges, judges_table, node, table
from .cache import ROOT, VARIABLE, opened
from .comfy_install import ComfyInstall
from .env import clean
from .junit import Counts, Skipped, counts
from .user_error import UserError

SCREENSHOTS = "NANO_BANANA_SCREENSHOTS"
"""The folder for the browser tests' screenshots; a temporary one when it isn't set."""
WIDTHS = (17, 8, 8, 8, 8)
NO_TESTS = 5
"""pytest's exit code when it collected nothing."""
PARTS = ("unit", "fuzz", "conformance", "host", "browser")
"""The folders of tests, in the order in which they run."""
MOST_WORKERS = {"unit": 4, "fuzz": 4, "conformance": 4, "host": 2}
"""How many processes at most share out the files of a folder. Each of `host` has hosts of its own, 1 GB each. The browser
tests stay in one: a browser and its host keep two cores busy."""
JUDGED = "NANO_BANANA_JUDGED"
"""The file that the conformance tests write their record to."""
ALIAS = "pack"
"""The name the clone is type-checked under: its folder's own name may be no identifier."""


@dataclass(frozen=True)
class Result:
    """What came of a stage."""

    stage: str
    counts: Counts
    seconds: float = 0.0


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
    parser.add_argument("--long", action="store_true", help="all combinations of options, not only every pair")
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
    ours = {
        VARIABLE: str(cache),
        "NANO_BANANA_HOME": str(home),
        "RUFF_CACHE_DIR": str(cache / "ruff"),
        "MYPY_CACHE_DIR": str(cache / "mypy"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(cache / "hypothesis"),
        "PYTHONPYCACHEPREFIX": str(cache / "bytecode"),
    }
    if install and not install.fetched:
        ours |= {"COMFYUI_DIR": str(install.comfyui), "COMFYUI_PYTHON": str(install.python)}
    found = chromium.chromium(os.environ)
    if os.environ.get(SCREENSHOTS):
        ours[SCREENSHOTS] = os.path.abspath(os.environ[SCREENSHOTS])
    environment_ = clean(os.environ, ours | ({"CHROMIUM": str(found)} if found else {}))
    # Byte code goes to its own folder and is worth keeping: it halves the time tests take to start.
    environment_.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment_


class Stages:
    """Runs stages one after the other with live output and collects their results."""

    def __init__(self, install: ComfyInstall | None, cache: Path, scratch: Path, long: bool = False) -> None:
        home = scratch / "home"
        home.mkdir()
        self._python = str(install.tools) if install else sys.executable
        self._cache = cache
        self._scratch = scratch
        self._long = ["--long"] if long else []
        self._environment = variables(install, cache, home)
        self.results: list[Result] = []

    def _call(self, stage: str, command: list[str], folder: Path = ROOT, more: Mapping[str, str] | None = None) -> int:
        print(f"\n== {stage}", flush=True)
        return subprocess.run(command, cwd=folder, env=self._environment | dict(more or {})).returncode

    def module(self, *arguments: str) -> list[str]:
        """The command that runs a module of the tools' Python."""
        return [self._python, "-m", *arguments]

    def lint(self, stage: str, command: list[str], folder: Path = ROOT, more: Mapping[str, str] | None = None) -> None:
        """A tool that is content or isn't: counts as one."""
        began = time.monotonic()
        code = self._call(stage, command, folder, more)
        counted = Counts(failed=1) if code else Counts(passed=1)
        self.results.append(Result(stage, counted, time.monotonic() - began))

    def types(self) -> None:
        """mypy on the whole clone under a name that is an identifier."""
        above = self._cache / "types"
        shutil.rmtree(above, ignore_errors=True)
        above.mkdir()
        try:
            (above / ALIAS).symlink_to(ROOT.resolve(), target_is_directory=True)
        except OSError:
            left_out = shutil.ignore_patterns(".git", "__pycache__", "output", "node_modules")
            shutil.copytree(ROOT, above / ALIAS, ignore=left_out)
        settings = ROOT / "pyproject.toml"
        self.lint(
            "mypy",
            self.module(
                *("mypy", ALIAS, "--explicit-package-bases", "--exclude", rf"^{ALIAS}/(dev\.py$|output/|\.)"),
                *(["--config-file", str(settings)] if settings.is_file() else []),
            ),
            above,
            {"MYPYPATH": str(above)},
        )

    def browser_side(self) -> None:
        """tsc and eslint on `web/`; skipped where Node and its packages can't be had. Raises UserError."""
        try:
            tools = node.make(self._cache)
        except node.NoNode as reason:
            for stage in browser_side.STAGES:
                self.skip(stage, str(reason))
            return
        for check in browser_side.checks(tools, ROOT):
            self.lint(check.stage, check.command, more=check.more)

    def skip(self, stage: str, reason: str) -> None:
        """A stage that can't run here: said now, and named again in the summary."""
        print(f"\n== {stage}\nskipped: {reason}")
        self.results.append(Result(stage, Counts(skipped=(Skipped(stage, reason),))))

    def conformance(self, rest: list[str], write: bool = False) -> None:
        """The tests against the vendors' SDKs, in their own environment; skipped where that can't be made.

        Their record makes docs/judges.md: `write` writes the page, else a whole run fails when it is stale.
        """
        try:
            python = judges.make(self._cache)
        except UserError as reason:
            self.skip("tests/conformance", str(reason))
            return
        try:
            node.make(self._cache)  # the TypeScript compiler reads fal's types
        except node.NoNode:
            pass  # the tests that need it say so themselves
        record = self._scratch / "judged.json"
        self.tests("conformance", rest, str(python), {JUDGED: str(record)})
        found = self.results[-1].counts
        if rest or found.failed or found.skipped:
            if write:
                print(f"not written: {judges_table.PATH} needs every test to pass")
            return
        page = judges_table.page(judges_table.read(record))
        if write:
            judges_table.PATH.write_text(page, encoding="utf-8")
            print(f"written: {judges_table.PATH}")
        elif not judges_table.is_current(page):
            print(f"{judges_table.PATH} is stale: run `python3 dev.py judges`")
            self.results.append(Result("judges.md", Counts(failed=1)))

    def tests(self, name: str, rest: list[str], python: str = "", more: Mapping[str, str] | None = None) -> None:
        """pytest on one folder of tests, run by the tools' Python or by `python`; with arguments of a person's as they say."""
        stage, folder = f"tests/{name}", ROOT / "tests" / name
        if not folder.is_dir():
            return
        if name == "browser" and chromium.chromium(os.environ) is None:
            self.skip(stage, chromium.MISSING)
            return
        began = time.monotonic()
        report = self._scratch / f"{name}.xml"
        command = [
            *(python or self._python, "-m", "pytest", stage, f"--junitxml={report}", "--durations=10"),
            *("-o", f"cache_dir={self._cache / 'pytest'}"),
            # Not above the tests: pytest would import the clone's own `__init__.py`, which is ComfyUI's to load.
            f"--confcutdir={ROOT / 'tests'}",
            *(*self._long, *(rest or workers(name))),
        ]
        code = self._call(stage, command, more=more)
        found = counts(report)
        if code == NO_TESTS:
            found = Counts(skipped=(Skipped(stage, "no test there matches" if rest else "no tests there"),))
        elif code and not found.failed:
            found = replace(found, failed=1)
        self.results.append(Result(stage, found, time.monotonic() - began))


def workers(name: str) -> list[str]:
    """pytest-xdist's arguments for all of a folder of tests: a file, with its fixtures, stays in one process.

    The files come in the order of their names: those with few tests may take longest. A worker that crashes ends the
    stage: in a new one pytest-xdist would run the same test again.
    """
    if name not in MOST_WORKERS:
        return []
    count = max(2, min(os.cpu_count() or 2, MOST_WORKERS[name]))
    return ["-n", str(count), "--dist", "loadfile", "--no-loadscope-reorder", "--max-worker-restart", "0"]


def summary(results: list[Result]) -> str:
    """The table, every skipped test with its reason, and the last line with the sums."""
    lines = [table.line(("stage", "passed", "failed", "skipped", "seconds"), WIDTHS)]
    for result in results:
        found = result.counts
        numbers = (found.passed, found.failed, len(found.skipped))
        lines.append(table.line((result.stage, *(str(n) for n in numbers), f"{result.seconds:.1f}"), WIDTHS))
    skipped = [skip for result in results for skip in result.counts.skipped]
    if skipped:
        lines += ["", "skipped:", *(f"  {skip.name}: {skip.reason}" for skip in skipped)]
    passed = sum(result.counts.passed for result in results)
    failed = sum(result.counts.failed for result in results)
    left_out = sum(result.counts.left_out for result in results)
    more = f"; {left_out} combinations of options left out (--long tries them)" if left_out else ""
    return "\n".join([*lines, "", f"{passed} passed, {failed} failed, {len(skipped)} skipped{more}"])


def run(arguments: list[str]) -> int:
    """Runs the chosen stages. Exit code 1 when anything failed. Raises UserError."""
    chosen, rest = options(arguments)
    install = None
    if chosen.lint or chosen.unit or chosen.fuzz or chosen.host or chosen.browser:
        install = environment.make(tools=True)
        print(f"ComfyUI: {install.comfyui} ({install.why})")
    with tempfile.TemporaryDirectory(prefix="nano-banana-test-", ignore_cleanup_errors=True) as scratch:
        stages = Stages(install, opened(), Path(scratch), chosen.long)
        if chosen.lint:
            stages.lint("ruff check", stages.module("ruff", "check", "."))
            stages.lint("ruff format", stages.module("ruff", "format", "--check", "."))
            stages.types()
            stages.browser_side()
        for name in PARTS:
            if getattr(chosen, name) and name == "conformance":
                stages.conformance(rest)
            elif getattr(chosen, name):
                stages.tests(name, rest)
    return _finished(stages)


def judged(arguments: list[str]) -> int:
    """`dev.py judges`: runs the conformance tests and writes docs/judges.md. Exit code 1 when anything failed."""
    summary_ = "Run the conformance tests and write docs/judges.md from what they record."
    argparse.ArgumentParser(prog="dev.py judges", description=summary_).parse_args(arguments)
    cache = opened()
    try:
        node.make(cache)  # for the clients in JavaScript
    except node.NoNode as reason:
        print(reason)
    with tempfile.TemporaryDirectory(prefix="nano-banana-test-", ignore_cleanup_errors=True) as scratch:
        stages = Stages(None, cache, Path(scratch))
        stages.conformance([], write=True)
    return _finished(stages)


def _finished(stages: Stages) -> int:
    """Prints the summary; the exit code."""
    print("\n" + summary(stages.results), flush=True)
    return 1 if any(result.counts.failed for result in stages.results) else 0
