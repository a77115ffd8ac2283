"""One real ComfyUI for all tests in this folder, with every provider pointed at the strict doubles in this process.

A test tags its prompts with `tag`, so that what it asked can be told from what others asked.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pack.dev.comfy_host import TEST_ARGUMENTS, Host
from pack.tests.doubles import start
from pack.tests.host.kit import ODD_NODE, SILENT, Bench, provider_variables

LONGEST = 256
"""Pixels of a picture's longer side without --long: most of a test's time would go into drawing and saving a thousand.
Where the size is what a test is about, `[[sim: longest=0]]` in the prompt, or a fault, asks for the whole picture."""


@pytest.fixture(scope="session")
def doubles(request: pytest.FixtureRequest) -> Iterator[Any]:
    always = "" if request.config.getoption("--long") else f"longest={LONGEST}"
    with start(0, always=always) as running:
        yield running


@pytest.fixture(scope="session")
def session_bench(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    base = tmp_path_factory.mktemp("host")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "odd_values.py").write_text(ODD_NODE)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # ours and silent: nobody else can begin to listen there
        silent = {
            f"NANO_BANANA_{SILENT.upper()}_BASE_URL": f"http://127.0.0.1:{taken.getsockname()[1]}",
            f"NANO_BANANA_{SILENT.upper()}_SILENT_API_KEY": "sim-test",
        }
        variables = provider_variables(doubles) | silent
        with Host.start(base, variables, (*TEST_ARGUMENTS, "--verbose", "DEBUG")) as host:
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


@pytest.fixture
def some(request: pytest.FixtureRequest) -> Callable[[Sequence[Any], int], Sequence[Any]]:
    """`some(values, turn)`: all with --long, else every fourth, and in each turn others."""
    long = bool(request.config.getoption("--long"))
    return lambda values, turn: values if long else values[turn % min(4, len(values)) :: 4]


_numbers = itertools.count(1)


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    """A word that is in no other test's prompt; it ends in a letter, or number 1 would be in number 10, too."""
    return f"{request.node.name.replace('[', '-').replace(']', '')}-{next(_numbers)}t"
