"""How properties are tried: a slow machine is no failure of theirs, so no example has a deadline. And a simulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from pack.simulator import start
from pack.simulator.server import Simulator

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """One for the tests of a module."""
    with start() as running:
        yield running
