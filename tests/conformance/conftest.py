"""A simulator for each module of conformance tests, and the record of what was judged, written at the end."""

from __future__ import annotations

from collections.abc import Iterator

import judging
import pytest
from pack.simulator import start
from pack.simulator.server import Simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """One for the tests of a module."""
    with start() as running:
        yield running


def pytest_sessionfinish() -> None:
    """Writes the record where the test command asked for it."""
    judging.write()
