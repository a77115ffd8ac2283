"""What holds for all tests of units: how properties are tried, short pauses between tries of a request, and the doubles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before numpy and torch are imported. Their threads wait for each other in busy loops, and each worker would have its own.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import postgres_server
import pytest
import python_process
import quick_pictures
from hypothesis import HealthCheck, settings
from pack.core.http import backoff
from pack.core.ledger import sqlite_database
from pack.tests.doubles import generation, start
from pack.tests.doubles.server import Doubles
from sqlalchemy import Connection
from sqlalchemy.engine import Dialect, Engine

DATA = pytest.StashKey[postgres_server.DataForAll]()
MOST_EXAMPLES, FEWER_EXAMPLES = 100, 20
"""How many examples a property is tried with, with --long and without."""


def pytest_configure(config: pytest.Config) -> None:
    """A slow machine is no failure of a property, so no example has a deadline. Without --long there are fewer examples."""
    count = MOST_EXAMPLES if config.getoption("--long") else FEWER_EXAMPLES
    settings.register_profile(
        "patient", max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")
    if config.getoption("--long"):
        os.environ[python_process.NEW] = "1"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--long"):
        terminalreporter.write_line(
            f"properties tried with {FEWER_EXAMPLES} examples of {MOST_EXAMPLES} (--long: with all)"
        )


def pytest_collection(session: pytest.Session) -> None:
    """What all forked workers share is made while the tests are collected: the process that others are forked from, and the
    data of a new PostgreSQL server."""
    if session.config.getoption("--forks"):
        python_process.start_server()
        if not postgres_server.missing():
            session.stash[DATA] = postgres_server.DataForAll()


def pytest_collection_finish(session: pytest.Session) -> None:
    if data := session.stash.get(DATA, None):
        data.wait()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if data := session.stash.get(DATA, None):
        data.remove()


def pytest_unconfigure() -> None:
    python_process.end_server()


@pytest.fixture(scope="session")
def data_for_all(request: pytest.FixtureRequest) -> Path | None:
    """The data of a new PostgreSQL server; None in a process that makes its own."""
    data = request.session.stash.get(DATA, None)
    return data.data if data else None


@pytest.fixture(scope="session", autouse=True)
def short_pauses() -> Iterator[None]:
    """Pauses between two tries of a request grow as ever, from 10 to 80 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backoff, "_FIRST", 0.01)
        patch.setattr(backoff, "_LONGEST", 0.08)
        yield


@pytest.fixture(scope="session", autouse=True)
def shared_statements() -> Iterator[None]:
    """SQLAlchemy compiles each statement once, and not for each journal: a third of a run's time in a new data folder."""
    compiled: dict[Any, Any] = {}
    sqlite: list[Dialect] = []
    genuine = sqlite_database._engine

    def engine(file: Path) -> Engine:
        made = genuine(file)
        if not sqlite:
            sqlite.append(made.dialect)
        made.dialect = sqlite[0]  # what was compiled is found by the dialect
        made.update_execution_options(compiled_cache=compiled)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_database, "_engine", engine)
        yield


@pytest.fixture(scope="session", autouse=True)
def recorded_schema() -> Iterator[None]:
    """A new journal gets the tables that the first one got from the upgrade's steps: a tenth of a run's time."""
    statements: list[str] = []
    genuine, steps = sqlite_database._upgrade, list(sqlite_database.schema.STEPS)

    def upgrade(connection: Connection) -> int:
        begun = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if begun or not statements or steps != sqlite_database.schema.STEPS:
            version = genuine(connection)
            if not begun and steps == sqlite_database.schema.STEPS:
                found = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
                statements[:] = found.scalars()
            return version
        for statement in ("BEGIN IMMEDIATE", *statements, f"PRAGMA user_version = {len(steps)}", "COMMIT"):
            connection.exec_driver_sql(statement)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_database, "_upgrade", upgrade)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_drawing(pytestconfig: pytest.Config) -> Iterator[None]:
    """Without --long the doubles draw squares: drawings, and packing them, took a quarter of a run's time."""
    with pytest.MonkeyPatch.context() as patch:
        if not pytestconfig.getoption("--long"):
            patch.setattr(generation, "encode", quick_pictures.encode)
        yield


@pytest.fixture
def real_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that say how long the pauses are."""
    monkeypatch.setattr(backoff, "_FIRST", 0.5)
    monkeypatch.setattr(backoff, "_LONGEST", 8.0)


@pytest.fixture(scope="module")
def doubles() -> Iterator[Doubles]:
    """One for the tests of a module."""
    with start() as running:
        yield running
