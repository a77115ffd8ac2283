"""Never pay twice, never lose what was paid: real hosts killed and racing on one data folder, paid calls counted."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pack.core.providers import BUILT_IN
from pack.dev.comfy_host import Host
from pack.tests.host.kit import Bench, node, provider_variables, states, until

CANARY = "sim-canary-7f3a9c1e55"


def begin(doubles: Any, base: Path, home: Path, **more: str) -> Bench:
    variables = provider_variables(doubles, CANARY) | {"NANO_BANANA_HOME": str(home)} | more
    return Bench(Host.start(base, variables), doubles)


def is_in_state(home: Path, prompt: str, state: str) -> bool:
    return states(home, prompt) == [state]


def graph(prompts: dict[str, tuple[str, str]], **inputs: Any) -> dict[str, Any]:
    """One prompt with a node for each of name -> (provider, prompt)."""
    made: dict[str, Any] = {}
    for name, (provider, prompt) in prompts.items():
        made[f"config-{name}"] = node("ProviderConfig", provider=provider)
        made[name] = node("NanoBananaGenerate", prompt=prompt, provider=[f"config-{name}", 0], **inputs)
        made[f"show-{name}"] = node("PreviewImage", images=[name, 0])
    return made


STATES = {
    "stored": ("onerouter", "killed stored"),
    "answered": ("onerouter", "killed answered [[sim: file_slow=600 times=1]]"),
    "accepted": ("apiframe", "killed accepted [[sim: task=hang]]"),
    "sent": ("onerouter", "killed sent [[sim: slow=600 times=1]]"),
}
"""One node for each state in which SIGKILL finds a picture."""
ASKED = {name: (name, f"asked {name} [[sim: slow=60 times=1]]") for name in ("onerouter", "apiframe", "runflow")}
"""Nodes that lose their answers by it."""


@pytest.fixture(scope="module")
def restarted(doubles: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Path]]:
    """A host, with a cap per run, on the data folder of one that was killed while it made those pictures."""
    base = tmp_path_factory.mktemp("ledger")
    home = base / "home"
    first = begin(doubles, base / "killed", home)
    first.host.queue_prompt(graph(STATES | ASKED))
    until(lambda: home.joinpath("journal.sqlite").exists())
    for state, (_, prompt) in STATES.items():
        until(partial(is_in_state, home, prompt, state))
    assert all(doubles.wait(prompt=prompt, state="received") for _, prompt in ASKED.values())
    first.host.kill()
    assert doubles.finish("killed accepted") == 1
    bench = begin(doubles, base / "one", home, NANO_BANANA_CAP_RUN="1")
    yield bench, home
    bench.host.stop()


def test_a_host_killed_in_every_state_pays_once_per_picture(restarted: tuple[Bench, Path]) -> None:
    """SIGKILL with pictures stored, answered, accepted and sent; only the lost reply is asked about, and then once."""
    second, home = restarted
    # Nobody asks: what can be had for nothing comes by itself, and nothing is paid for it.
    until(lambda: states(home, "killed answered") == states(home, "killed accepted") == ["stored"])
    assert states(home, "killed sent") == ["unknown"]
    assert all(second.paid(prompt) == 1 for _, prompt in STATES.values())
    for state in ("stored", "answered", "accepted"):
        ran = second.run(graph({"make": STATES[state]}))
        info = json.loads(ran.outputs["make"]["nano_banana"][0])
        assert info["images"][0]["from"] == "store" and info["cost_usd"] == 0
    sent = STATES["sent"][1]
    refused = second.generate(sent)
    assert refused.status == "error" and "1 request for its picture may have been charged, about $" in refused.error
    assert "OneRouter" in refused.error and "Queue again within an hour to pay again" in refused.error
    assert second.paid(sent) == 1
    again = second.generate(sent)
    assert again.status == "success" and second.paid(sent) == 2
    assert any("Sent again, although 1 earlier request may have been charged" in n for n in again.info()["notices"])
    assert all(second.paid(STATES[state][1]) == 1 for state in ("stored", "answered", "accepted"))
    check_nothing_secret(home)
    check_graph_runs_again(second, home)


def test_each_question_is_seen_before_its_picture_is_paid_again(restarted: tuple[Bench, Path]) -> None:
    """Three nodes of one graph lost their answers; the host shows the error of one node at a time."""
    second, _ = restarted
    seen: set[str] = set()
    for _ in range(4):
        ran = second.run(graph(ASKED))
        unseen = {name for name, (_, prompt) in ASKED.items() if second.paid(prompt) > 1} - seen
        assert not unseen, f"{unseen} were paid again, and only {seen} had been shown"
        if ran.status == "success":
            break
        seen |= {name for name in ASKED if BUILT_IN[name].label in ran.error}
    assert ran.status == "success" and seen == set(ASKED)


def check_nothing_secret(home: Path) -> None:
    files = [file for file in home.rglob("*") if file.is_file()]
    assert any(file.suffix == ".png" for file in files)
    assert not [file for file in files if CANARY.encode() in file.read_bytes()]


def check_graph_runs_again(bench: Bench, home: Path) -> None:
    """The graph in a sidecar can be queued as it is, and gives the same picture for nothing."""
    sidecars = [json.loads(file.read_text("utf-8")) for file in home.glob("results/*/*.json")]
    (facts,) = [p for side in sidecars for p in side["pictures"] if p["prompt"] == "killed stored"]
    before = bench.paid("killed")
    wanted = {name: one for name, one in facts["graph"]["prompt"].items() if name.endswith("stored")}
    assert bench.run(wanted).status == "success" and bench.paid("killed") == before


@pytest.fixture(scope="module")
def pair(
    restarted: tuple[Bench, Path], doubles: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Bench, Bench, Path]]:
    """Two hosts on one data folder, with a cap per run."""
    one, home = restarted
    two = begin(doubles, tmp_path_factory.mktemp("two"), home, NANO_BANANA_CAP_RUN="1")
    yield one, two, home
    two.host.stop()


def test_two_hosts_that_want_the_same_picture_pay_once(pair: tuple[Bench, Bench, Path], tag: str) -> None:
    """Both get it."""
    one, two, _ = pair
    ran: list[Any] = []
    prompt = f"{tag} [[sim: slow=1]]"
    threads = [threading.Thread(target=lambda b=b: ran.append(b.generate(prompt, "runflow"))) for b in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.status for r in ran] == ["success", "success"] and one.paid(tag) == 1
    assert (ran[0].images()[0] == ran[1].images()[0]).all()
    assert sorted(r.info()["images"][0]["from"] for r in ran) == ["provider", "store"]


def test_nodes_of_one_prompt_share_the_cap_of_the_run(pair: tuple[Bench, Bench, Path], tag: str) -> None:
    """Each is below it, together they are not: what is over is refused before it is sent, with the sum."""
    one, _, home = pair
    prompts = {f"make{n}": ("onerouter", f"{tag} {n}") for n in range(4)}
    ran = one.run(graph(prompts, num_images=4, resolution="1K"))
    spent = sum(entry["usd"] for entry in _spend(home, tag))
    assert ran.status == "error" and "your cap per run is $1" in ran.error and "NANO_BANANA_CAP_RUN" in ran.error
    assert spent <= 1.0 + 1e-9


def _spend(home: Path, tag: str) -> list[dict[str, float]]:
    with sqlite3.connect(home / "journal.sqlite", timeout=20) as connection:
        found = connection.execute("SELECT counted FROM picture WHERE instr(prompt, ?)", (tag,)).fetchall()
    connection.close()
    return [{"usd": row[0] / 1e6} for row in found]


def test_more_pictures_pay_for_the_difference_only(pair: tuple[Bench, Bench, Path], tag: str) -> None:
    """Two, then four, then three; the other host knows them, too."""
    one, two, _ = pair
    for bench, count, paid in ((one, 2, 2), (two, 4, 4), (one, 3, 4)):
        ran = bench.generate(tag, "apiframe", num_images=count)
        assert ran.status == "success" and len(ran.images()) == count and bench.paid(tag) == paid


def test_a_damaged_journal_is_rebuilt_and_nothing_is_paid_again(pair: tuple[Bench, Bench, Path], tag: str) -> None:
    """Under a running host: the file is set aside, the picture is found by its sidecar."""
    one, two, home = pair
    assert one.generate(tag, "runflow").status == "success"
    for file in home.glob("journal.sqlite*"):
        if file.suffix != ".lock":
            file.unlink()
    (home / "journal.sqlite").write_bytes(b"nothing like a database" * 500)
    ran = two.generate(tag, "runflow")
    assert ran.status == "success" and one.paid(tag) == 1 and ran.info()["images"][0]["from"] == "store"
    assert list(home.glob("journal-*.sqlite"))


@pytest.mark.long  # what a host does whose data folder vanishes is in test_attacks.py
def test_without_a_place_for_it_nothing_is_sent(doubles: Any, tmp_path: Path, tag: str) -> None:
    """The data folder can't be made: told before any money moves."""
    (tmp_path / "file").write_text("in the way")
    bench = begin(doubles, tmp_path / "host", tmp_path / "file" / "home")
    try:
        ran = bench.generate(tag)
        assert ran.status == "error" and "Nothing was charged" in ran.error and "NANO_BANANA_HOME" in ran.error
        assert not bench.asked(tag)
    finally:
        bench.host.stop()
