"""One real ComfyUI for all tests in this folder, with every provider pointed at the strict doubles in this process.

A test tags its prompts with `tag`, so that what it asked can be told from what others asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import TEST_ARGUMENTS, Host
from pack.tests.doubles import start
from pack.tests.host.kit import ODD_NODE, Bench, provider_variables


@pytest.fixture(scope="session")
def doubles() -> Iterator[Any]:
    with start(0) as running:
        yield running


@pytest.fixture(scope="session")
def session_bench(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    base = tmp_path_factory.mktemp("host")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "odd_values.py").write_text(ODD_NODE)
    with Host.start(base, provider_variables(doubles), (*TEST_ARGUMENTS, "--verbose", "DEBUG")) as host:
        yield Bench(host, doubles)


@pytest.fixture
def bench(session_bench: Bench) -> Iterator[Bench]:
    """The session's host. What a failed test left running, queued or faulty is not the next test's trouble."""
    host = session_bench.host
    assert host.alive(), f"the host died in an earlier test:\n{host.tail()}"
    yield session_bench
    session_bench.doubles.clear_faults()
    left = host.get("/queue") if host.alive() else {}
    if left.get("queue_pending"):
        host.post("/queue", {"clear": True})
    if left.get("queue_running"):
        host.post("/interrupt", {})


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Starts another host, with its own variables and arguments; ended after the test."""
    hosts: list[Host] = []

    def begin(
        doubles: Any, more: dict[str, str] | None = None, args: tuple[str, ...] = TEST_ARGUMENTS, **kw: Any
    ) -> Bench:
        base = tmp_path / f"host{len(hosts)}"
        host = Host.start(base, {**provider_variables(doubles), **(more or {})}, args, **kw)
        hosts.append(host)
        return Bench(host, doubles)

    yield begin
    for host in hosts:
        host.stop()


_numbers = itertools.count(1)


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    """A word that is in no other test's prompt; it ends in a letter, or number 1 would be in number 10, too."""
    return f"{request.node.name.replace('[', '-').replace(']', '')}-{next(_numbers)}t"
