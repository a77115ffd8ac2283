"""Doubles for each module of conformance tests, and at the end the page that is made from what was judged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import judging
import pytest
from pack.dev import cache, node
from pack.dev.provider_tables import JUDGES
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles


@pytest.fixture(scope="module")
def doubles() -> Iterator[Doubles]:
    """One for the tests of a module."""
    with start() as running:
        yield running


@pytest.fixture(scope="session")
def node_tools() -> node.Node:
    """Node with the packages that `dev/javascript` pins; a test that needs them is skipped where they aren't fetched."""
    found = node.ready(cache.opened())
    if found is None:
        pytest.skip("Node and the packages of dev/javascript are not there: dev.py test --lint fetches them")
    return found


CLIENTS = ("GOOGLE_", "OPENAI_", "OPENROUTER_", "FAL_", "REPLICATE_", "WAVESPEED_", "APIFRAME_")
"""What the names of the variables that the vendors' clients read begin with."""


def pytest_configure() -> None:
    """Drops what would lead a client elsewhere: every test stays on this machine, whatever is set in it."""
    for name in list(os.environ):
        upper = name.upper()
        if upper.startswith(CLIENTS) or upper in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            del os.environ[name]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Holds docs/judges.md against the record, or writes it; a worker of pytest-xdist hands its own to the first process.

    Only a whole run in which every test has passed has the whole record.
    """
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["judged"] = judging.record()
        return
    terminal = session.config.pluginmanager.getplugin("terminalreporter")
    whole = session.config.args == ["tests/conformance"] and not session.config.option.keyword and judging.record()
    if not whole or any(terminal.stats.get(kind) for kind in ("failed", "error", "skipped")):
        terminal.write_line(f"{JUDGES.name} was not compared: that needs every conformance test to run and pass")
    elif session.config.getoption("--write"):
        JUDGES.write_text(judging.page(), "utf-8")
    elif JUDGES.read_text("utf-8") != judging.page():
        terminal.write_line(f"{JUDGES.name} is stale: run `python3 dev.py judges`", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the record of a worker that has ended; one that crashed has none, and its test has failed."""
    judging.add(getattr(node, "workeroutput", {}).get("judged", ()))
