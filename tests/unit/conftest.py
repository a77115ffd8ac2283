"""How properties are tried: a slow machine is no failure of theirs, so no example has a deadline. And the doubles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from pack.tests.doubles import start
from pack.tests.doubles.server import Doubles

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="module")
def doubles() -> Iterator[Doubles]:
    """One for the tests of a module."""
    with start() as running:
        yield running
