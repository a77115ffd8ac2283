"""Doubles for each module of conformance tests, and the record of what was judged, written at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import judging
import pytest
from pack.dev import cache, node
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
    """Writes the record where the test command asked for it; a worker of pytest-xdist hands its own to the first process."""
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        judging.write()
    else:
        output["judged"] = judging.record()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the record of a worker that has ended; one that crashed has none, and its test has failed."""
    judging.add(getattr(node, "workeroutput", {}).get("judged", ()))
