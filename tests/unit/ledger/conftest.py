"""Runs the tests of the ledger with a journal in a SQLite file, and with one on a PostgreSQL server where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import journal_driver
import postgres_server
import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_databases: runs on a server without --long, too")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without --long only what decides about money runs on a server as well."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            on_server = item.callspec.params.get("database") == "postgresql"
            if on_server and not item.get_closest_marker("both_databases"):
                item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def unused_data(data_for_all: Path | None) -> Iterator[Path]:
    """What each server begins with: making it takes ten times as long as copying it."""
    if why := postgres_server.missing():
        pytest.skip(f"the journal on a PostgreSQL server is not tested: {why}")
    if data_for_all:
        yield data_for_all
        return
    folder, user = postgres_server.owned_folder(postgres_server.memory())
    postgres_server.make_data(folder / "data", user)
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(unused_data: Path) -> Iterator[postgres_server.PostgresServer]:
    """A server for the tests of this process."""
    made = postgres_server.PostgresServer(data=unused_data)
    yield made
    made.stop()


@pytest.fixture
def server(unused_data: Path) -> Iterator[postgres_server.PostgresServer]:
    """One of its own, which may be killed."""
    made = postgres_server.PostgresServer(data=unused_data)
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
