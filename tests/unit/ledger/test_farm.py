"""Four workers on one journal: a cap that holds to the picture, workers and the server killed in the middle, pictures shared.

The workers are plain processes that use engine and journal as a host does; the provider is a double.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, keyed, negotiated, request
from journal_driver import open_journal, until
from pack.core.engine import Engine
from pack.core.errors import JournalAway
from pack.core.execution.run import Run
from pack.core.ledger.history import History
from pack.core.ledger.postgres_address import PostgresAddress
from pack.core.planning.choice import ProviderChoice
from pack.tests.doubles.server import Doubles
from postgres_server import PostgresServer
from python_process import PythonProcess

PICTURES = 100
NODES = 64
PRICE = negotiated(QUICK_SPECS["onerouter"], request()).counted_usd

_WORKER = """
import json, threading
from dialect_driver import QUICK_SPECS, request
from pack.core.engine import Engine
from pack.core.planning.choice import ProviderChoice
engine = Engine(Path(sys.argv[2]), specs=QUICK_SPECS, environ=json.loads(sys.argv[3]))
print("ready", flush=True)
for line in sys.stdin:
    prompts = json.loads(line)
    found = []
    def node(prompt):
        asked = [request(prompt=prompt)]
        try:
            run = engine.run(asked, engine.plan(ProviderChoice("onerouter", max_parallel=8), asked))
            run.done.wait()
            if run.error: raise run.error
            error = run.tasks[0].error
            found.append("picture" if error is None else error.kind)
        except Exception as error:
            found.append(getattr(error, "kind", repr(error)))
    threads = [threading.Thread(target=node, args=(prompt,)) for prompt in prompts]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    while engine.ledger.unwritten:
        threading.Event().wait(0.05)
    print(json.dumps(found), flush=True)
"""


class Worker:
    """A process that runs nodes, each with one prompt, all at once."""

    def __init__(self, home: Path, environ: dict[str, str]) -> None:
        home.mkdir(exist_ok=True)
        self._process = PythonProcess(_WORKER, str(home), json.dumps(environ))

    def ready(self) -> None:
        assert self._line() == "ready\n"

    def begin(self, prompts: list[str]) -> None:
        self._process.stdin.write(json.dumps(prompts) + "\n")
        self._process.stdin.flush()

    def result(self) -> Counter[str]:
        """What became of the nodes: "picture", or the kind of the error."""
        return Counter(json.loads(self._line()))

    def kill(self) -> None:
        self._process.close()

    def _line(self) -> str:
        return self._process.stdout.readline()


def paid(doubles: Doubles) -> Counter[str]:
    """How often the provider has billed each prompt."""
    bills: Counter[str] = Counter()
    for each in doubles.request_log()["requests"]:
        bills[each["prompt"]] += each["paid"]
    return bills


@pytest.mark.long
def test_four_workers_pay_a_hundred_pictures_whoever_is_killed(
    server: PostgresServer, doubles: Doubles, tmp_path: Path
) -> None:
    """256 nodes want a picture each. Two workers are killed after thirty requests, then the server; two new workers start and
    all nodes are queued again. The cap is used up to the last picture and no picture is paid twice."""
    doubles.reset()
    doubles.fault("slow=0.1")
    environ: dict[str, Any] = keyed(doubles, "onerouter") | {
        "NANO_BANANA_JOURNAL": server.url(),
        "NANO_BANANA_RESULTS": str(tmp_path / "results"),
        "NANO_BANANA_CAP_DAY": f"{PICTURES * PRICE:.6f}",
        "NANO_BANANA_CAP_RUN": "none",
    }
    prompts = [[f"{worker}-{node}" for node in range(NODES)] for worker in range(4)]
    workers = [Worker(tmp_path / f"home{number}", environ) for number in range(4)]
    try:
        for worker in workers:
            worker.ready()
        for worker, wanted in zip(workers, prompts, strict=True):
            worker.begin(wanted)
        assert doubles.wait(count=30, timeout=120)
        for worker in workers[2:]:
            worker.kill()
        server.kill()
        server.start()
        first = [worker.result() for worker in workers[:2]]
        assert all(set(each) <= {"picture", "cap", "ledger", "stopped", "doubt"} for each in first), first
        workers[2:] = [Worker(tmp_path / f"home{number}", environ) for number in (4, 5)]
        for worker in workers[2:]:
            worker.ready()
        for worker, wanted in zip(workers, prompts, strict=True):
            worker.begin(wanted)
        second = [worker.result() for worker in workers]
        bills = paid(doubles)
        assert max(bills.values()) == 1, "a picture was paid twice"
        address = PostgresAddress("test", server.url())
        journal = open_journal(tmp_path / "reader", results=tmp_path / "results", address=address)
        rows = [each for each in History(journal).pictures(limit=1000) if each.usd]
        states = Counter(each.state for each in rows)
        assert sum(states.values()) == PICTURES, (states, first, second)
        assert states["stored"] == len({each.prompt for each in rows if each.state == "stored"})
        # A request that was written down may not have left any more when its worker was killed.
        assert states["stored"] <= sum(bills.values()) <= PICTURES
        assert sum(row["usd"] for row in History(journal).spend(())) == pytest.approx(PICTURES * PRICE)
        theirs = [each.prompt for each in rows if each.state == "stored" and each.prompt.startswith("0-")]
        assert theirs
        workers[1].begin(theirs)
        assert workers[1].result() == {"picture": len(theirs)} and paid(doubles) == bills, "those were paid already"
        journal.close()
    finally:
        for worker in workers:
            worker.kill()


def test_a_picture_that_comes_while_the_journal_is_away_reaches_the_graph_and_the_journal(
    server: PostgresServer, doubles: Doubles, tmp_path: Path
) -> None:
    """The run says so, the next one is refused without a request, and another machine gets the picture for nothing."""
    doubles.reset()
    environ = keyed(doubles, "onerouter") | {
        "NANO_BANANA_JOURNAL": server.url(),
        "NANO_BANANA_RESULTS": str(tmp_path / "results"),
    }
    here, there = (Engine(tmp_path / name, specs=QUICK_SPECS, environ=environ) for name in ("a", "b"))
    doubles.fault("hold")
    run = started(here, "under way")
    assert doubles.wait(prompt="under way", timeout=60)
    server.kill()
    doubles.release()
    assert run.done.wait(60) and run.error is None and run.tasks[0].result is not None
    assert any("written down when it is back" in notice for notice in run.report.notices), run.report.notices
    refused = started(here, "next")
    assert refused.done.wait(60)
    assert isinstance(refused.error, JournalAway) and "Nothing new was sent" in str(refused.error)
    assert not paid(doubles)["next"]
    server.start()
    until(lambda: not here.ledger.unwritten, "it was never written down")
    again = started(there, "under way")
    assert again.done.wait(60) and again.error is None and again.tasks[0].result is not None
    assert paid(doubles)["under way"] == 1
    here.ledger.close()
    there.ledger.close()


def started(engine: Engine, prompt: str) -> Run:
    asked = [request(prompt=prompt)]
    return engine.run(asked, engine.plan(ProviderChoice("onerouter"), asked))
