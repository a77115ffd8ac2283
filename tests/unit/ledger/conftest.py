"""Runs the tests of the ledger with a journal in a SQLite file, and with one on a PostgreSQL server where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import journal_driver
import postgres_server
import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.PostgresServer]:
    """A server for the tests of this process."""
    yield from _running()


@pytest.fixture
def server() -> Iterator[postgres_server.PostgresServer]:
    """One of its own, which may be killed."""
    yield from _running()


def _running() -> Iterator[postgres_server.PostgresServer]:
    if why := postgres_server.missing():
        pytest.skip(f"the journal on a PostgreSQL server is not tested: {why}")
    made = postgres_server.PostgresServer()
    yield made
    made.stop()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where `open_journal` and the processes of `another_process` keep their journals: each folder has its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(journal_driver.SERVER, raising=False)
        # Of a process that a test has ended it is known that it doesn't come back.
        patch.setattr("pack.core.ledger.postgres_session.GRACE_SECONDS", 0.0)
        if request.param == "postgresql":
            patch.setenv(journal_driver.SERVER, str(request.getfixturevalue("postgres").folder))
        yield str(request.param)
