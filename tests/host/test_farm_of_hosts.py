"""Four real hosts on one PostgreSQL journal: a cap that holds to the picture, two hosts and the server killed in the middle.

`tests/unit/ledger/test_farm.py` has the same with plain processes, which start faster.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, negotiated, request
from pack.dev.comfy_host import Host
from pack.dev.environment import ready
from pack.tests.host.kit import Bench, Ran, node, provider_variables, until
from pack.tests.unit import postgres_server

PICTURES = 100
NODES = 64
PRICE = negotiated(QUICK_SPECS["onerouter"], request()).counted_usd
AT_ONCE = 8
"""Requests that the provider takes at a time with one key, from all hosts together."""
AWAY = "Nothing is sent that costs money until the journal is back"
ROOM = 8 << 30
"""Bytes of memory for four hosts and what the other tests need."""


@pytest.fixture
def server() -> Iterator[postgres_server.PostgresServer]:
    if why := postgres_server.missing() or _no_room():
        pytest.skip(f"four hosts on one journal are not tested: {why}")
    made = postgres_server.PostgresServer()
    yield made
    made.stop()


def _no_room() -> str:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return ""
    for line in Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else ():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) << 10
    return "" if free >= ROOM else f"{free >> 30} GB of memory are free, and {ROOM >> 30} are needed"


class Farm:
    """The hosts by their letters, and what the provider has billed."""

    def __init__(self, hosts: dict[str, Bench], doubles: Any, server: postgres_server.PostgresServer, tag: str) -> None:
        self.hosts, self.doubles, self.tag = hosts, doubles, tag
        self._server = server
        self._queued: dict[str, str] = {}

    def prompts(self, letter: str) -> list[str]:
        return [f"{self.tag} {letter}{number}z" for number in range(NODES)]

    def begin(self, letter: str, prompts: Sequence[str]) -> None:
        """Queues one graph with a node for each prompt. A node that gets no picture ends its own branch only."""
        graph: dict[str, Any] = {"config": node("ProviderConfig", provider="onerouter")}
        for number, prompt in enumerate(prompts):
            graph[f"make{number}"] = node(
                "NanoBananaGenerate", prompt=prompt, provider=["config", 0], on_failure="stop this branch"
            )
            graph[f"show{number}"] = node("PreviewImage", images=[f"make{number}", 0])
        self._queued[letter] = self.hosts[letter].host.queue_prompt(graph)

    def end(self, letter: str) -> Ran:
        host = self.hosts[letter].host
        return Ran(host, host.wait_prompt(self._queued.pop(letter)))

    def is_idle(self, letter: str) -> bool:
        queue = self.hosts[letter].host.get("/queue")
        return not queue["queue_running"] and not queue["queue_pending"]

    def under_way(self, letters: str) -> int:
        """Requests of these hosts that are not answered."""
        asked = self.hosts["a"].asked(self.tag)
        return sum(not each["answered_at"] and _letter(each["prompt"]) in letters for each in asked)

    def bills(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for each in self.hosts["a"].asked(self.tag):
            found[each["prompt"]] += each["paid"]
        return found

    def paid(self, letter: str) -> int:
        return sum(count for prompt, count in self.bills().items() if _letter(prompt) == letter)

    def rows(self) -> Counter[tuple[str, str]]:
        """How many pictures the journal has, by the letter of their host and their state."""
        listed = self._server.run("SELECT prompt, state FROM picture WHERE counted > 0")
        return Counter((_letter(str(prompt)), str(state)) for prompt, state in listed)


def _letter(prompt: str) -> str:
    return prompt.split()[-1][0]


@pytest.fixture
def farm(doubles: Any, server: postgres_server.PostgresServer, tmp_path: Path, tag: str) -> Iterator[Farm]:
    variables = provider_variables(doubles, f"sim-{tag}") | {
        "NANO_BANANA_JOURNAL": server.url(),
        "NANO_BANANA_RESULTS": str(tmp_path / "results"),
        "NANO_BANANA_CAP_DAY": f"{PICTURES * PRICE:.6f}",
        "NANO_BANANA_CAP_RUN": "none",
    }

    install = ready()

    def start(letter: str) -> Bench:
        home = {"NANO_BANANA_HOME": str(tmp_path / f"home-{letter}")}
        return Bench(Host.start(tmp_path / letter, variables | home, install=install), doubles)

    with ExitStack() as running, ThreadPoolExecutor() as starting:
        hosts = dict(zip("abcd", starting.map(start, "abcd"), strict=True))
        for each in hosts.values():
            running.callback(each.host.stop)
        yield Farm(hosts, doubles, server, tag)
        doubles.clear_faults()


@pytest.mark.long
def test_a_hundred_pictures_are_paid_whoever_is_killed(farm: Farm, server: postgres_server.PostgresServer) -> None:
    """256 nodes want a picture each. Two hosts are killed while requests are under way, then the server; it comes back, and the
    two that are left are queued until the cap is used up to the last picture."""
    doubles = farm.doubles
    doubles.fault("hold small", match=farm.tag)
    for letter in "abcd":
        farm.begin(letter, farm.prompts(letter))
    assert doubles.wait(prompt=farm.tag, count=AT_ONCE, timeout=120)
    # Both at once: the places of the first would go to the second, whose request is written down but may not have left.
    with ThreadPoolExecutor() as killing:
        list(killing.map(lambda letter: farm.hosts[letter].host.kill(), "cd"))
    lost = farm.paid("c") + farm.paid("d")
    _until_queued(farm, lambda: farm.under_way("ab") > 0)

    server.kill()
    doubles.clear_faults()
    doubles.fault("small", match=farm.tag)
    for letter in "ab":
        ran = farm.end(letter)
        # A graph that had just begun can't even read what is stored.
        assert AWAY in ran.error if ran.error else _pictures(ran) == farm.paid(letter), "it was under way"
    paid = sum(farm.bills().values())
    refused = farm.hosts["a"].generate(f"{farm.tag} a-away")
    assert AWAY in refused.error and sum(farm.bills().values()) == paid

    server.start()
    until(lambda: sum(count for (letter, state), count in farm.rows().items() if state == "stored") == paid - lost)
    _until_queued(farm, lambda: sum(farm.bills().values()) == PICTURES and not _reserved(farm))
    for letter in "ab":
        farm.end(letter)
    bills = farm.bills()
    assert sum(bills.values()) == PICTURES and max(bills.values()) == 1, "a picture was paid twice"
    over = farm.hosts["b"].generate(f"{farm.tag} b-over")
    assert "cap" in over.error and farm.bills() == bills
    assert sum(farm.rows().values()) == PICTURES

    theirs = [prompt for prompt in farm.prompts("a") if bills[prompt]]
    farm.begin("b", theirs)
    ran = farm.end("b")
    assert ran.status == "success" and _pictures(ran) == len(theirs) > 0
    assert all(ran.info(f"make{number}")["cost_usd"] == 0 for number in range(len(theirs)))
    assert farm.bills() == bills, "those were paid already"


def _until_queued(farm: Farm, reached: Callable[[], bool]) -> None:
    """Queues both graphs again and again until it is reached: what the killed had reserved is free after a while."""

    def check() -> bool:
        if reached():
            return True
        for letter in "ab":
            if farm.is_idle(letter):
                farm.begin(letter, farm.prompts(letter))
        return False

    until(check)


def _reserved(farm: Farm) -> int:
    return sum(count for (_, state), count in farm.rows().items() if state == "reserved")


def _pictures(ran: Ran) -> int:
    return sum(bool(output.get("images")) for name, output in ran.outputs.items() if name.startswith("show"))
