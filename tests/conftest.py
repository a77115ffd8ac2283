"""Loads the pack as ComfyUI does, by its path and under one fixed name, so that tests can say `from pack.core import ...`.

The root `__init__` is not run: it needs a ComfyUI around it. Tests of the nodes in a real host are in `tests/host`.
"""

from __future__ import annotations

import gc
import importlib.machinery
import importlib.util
import itertools
import sys
import time
from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from forked_workers import ForkedWorkers
from pairwise import each_value, pairwise

ROOT = Path(__file__).resolve().parent.parent

if "pack" not in sys.modules:
    spec = importlib.machinery.ModuleSpec("pack", None, is_package=True)
    spec.submodule_search_locations = [str(ROOT)]
    sys.modules["pack"] = importlib.util.module_from_spec(spec)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also what is marked long, and every combination of options")
    parser.addoption(
        "--looks", action="store_true", help="browser tests in every renderer and language, not in one each"
    )
    parser.addoption(
        "--write", action="store_true", help="write files that are made from the code, and don't compare them"
    )
    parser.addoption("--forks", type=int, default=0, metavar="N", help="share the files out among N forked processes")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes long; runs with --long only")
    if config.getoption("--forks"):
        config.pluginmanager.register(ForkedWorkers(config.getoption("--forks")))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests and torch stay to the end: the garbage collector needs not look through them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        items[:] = [item for item in items if not item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says how many combinations of options were left out, as the fixture `combinations` records it."""
    reports = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    left_out = sum(value for report in reports for name, value in report.user_properties if name == "left_out")
    if left_out:
        terminalreporter.write_line(f"{left_out} combinations of options left out (--long tries them)")


@pytest.fixture
def combinations(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[..., list[dict[str, Any]]]:
    """`combinations(choices)`: few that have every pair of values, or all with --long. The report has how many are left out.

    `combinations(choices, turn)`: without --long still fewer, which have every value; other pairs in each turn.
    """

    def chosen(choices: Mapping[str, tuple[Any, ...]], turn: int | None = None) -> list[dict[str, Any]]:
        every = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
        if request.config.getoption("--long"):
            return every
        few = pairwise(choices) if turn is None else each_value(choices, turn)
        record_property("left_out", len(every) - len(few))
        return few

    return chosen


@pytest.fixture
def assert_fresh(request: pytest.FixtureRequest) -> Callable[[Path, str, str], None]:
    """`assert_fresh(path, made, command)`: the file says what is made from the code; with --write it is written."""

    def check(path: Path, made: str, command: str) -> None:
        if request.config.getoption("--write"):
            path.write_text(made, "utf-8")
        assert path.read_text("utf-8") == made, f"stale: run `python3 dev.py {command}`"

    return check


@pytest.fixture
def one_day() -> None:
    """For tests of what is said about today: right before midnight they wait for the new day, or it would come in between."""
    now = datetime.now()
    left = (now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now).total_seconds()
    if left < 90:
        time.sleep(left + 0.1)
