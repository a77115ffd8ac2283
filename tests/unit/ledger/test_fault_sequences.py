"""Sequences of faults, interrupts, power cuts and re-runs against the doubles: none pays twice without telling the user.

NANO_BANANA_MACHINE_EXAMPLES raises the number of sequences.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from dialect_driver import QUICK_SPECS
from example_count import examples
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule
from pack.core.engine import Engine
from pack.core.errors import LedgerFailed
from pack.core.execution.run import Run
from pack.core.http import backoff
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Options, Request
from pack.tests.doubles import start

DOUBLES = start()
"""FaultSequences as long as the tests' process: its threads are daemons."""
FAULTS = [
    "",
    "drop=headers times=1",
    "drop=upload times=1",
    "drop=body times=1",
    "reset=headers times=1",
    "status=500 paid times=1",
    "status=504 paid times=1",
    "status=429 retry_after=0.05 times=1",
    "html times=1",
    "empty times=1",
    "truncate",
    "slow=0.2",
    "file_slow=0.2",
]
PROVIDERS = ["onerouter", "apiframe", "nanobanana", "runflow", "fal", "replicate"]
PLACES = st.sampled_from(PROVIDERS)
_numbers = itertools.count()
TRIED = {"sequences": 0, "steps": 0}


class FaultSequences(RuleBasedStateMachine):
    """One data folder and the processes that use it."""

    prompts = Bundle("prompts")

    def __init__(self) -> None:
        super().__init__()
        TRIED["sequences"] += 1
        # Pauses between tries are real elsewhere; here they would only make fewer sequences of the same minute.
        self._pauses, backoff.delay = backoff.delay, lambda attempt, jitter: 0.02
        self.home = Path(tempfile.mkdtemp(prefix="machine-"))
        self.environ = {"NANO_BANANA_CAP_DAY": "none", "NANO_BANANA_CAP_RUN": "none"}
        for name in PROVIDERS:
            self.environ[f"NANO_BANANA_{name.upper()}_API_KEY"] = "sim-run"
            self.environ[f"NANO_BANANA_{name.upper()}_BASE_URL"] = DOUBLES.base_url(name)
        self.engine = self._engine()
        self.notified: dict[str, int] = {}
        """Prompt -> how often the user was told that a picture of it may have been, or was, charged."""
        self.asked: dict[str, int] = {}
        self.bytes: dict[tuple[str, int], bytes] = {}
        self.others: list[Engine] = []

    def _engine(self) -> Engine:
        return Engine(self.home, specs=QUICK_SPECS, environ=self.environ)

    # ------------------------------------------------------------------------------------------------ what happens

    @initialize(target=prompts, fault=st.sampled_from(FAULTS), provider=PLACES, task=st.booleans())
    def first(self, fault: str, provider: str, task: bool) -> Any:
        return multiple(self._prompt(fault, provider, task))

    @rule(target=prompts, fault=st.sampled_from(FAULTS), provider=PLACES, task=st.booleans())
    def another(self, fault: str, provider: str, task: bool) -> Any:
        return self._prompt(fault, provider, task)

    @rule(prompt=prompts, count=st.integers(1, 3))
    def ask(self, prompt: tuple[str, str], count: int) -> None:
        run = self._begin(self.engine, prompt, count)
        self._end(run, prompt[1])

    @rule(prompt=prompts, count=st.integers(1, 2))
    def two_at_once(self, prompt: tuple[str, str], count: int) -> None:
        """Another process on the same folder wants the same."""
        other = self._engine()
        self.others.append(other)
        runs = [self._begin(engine, prompt, count) for engine in (self.engine, other)]
        for run in runs:
            self._end(run, prompt[1], check=False)
        self._check(prompt[1])  # either of them may be the one that was told

    @rule(prompt=prompts, seconds=st.sampled_from([0.0, 0.01, 0.05, 0.15]))
    def interrupt(self, prompt: tuple[str, str], seconds: float) -> None:
        run = self._begin(self.engine, prompt, 2)
        run.done.wait(seconds)
        run.stop()
        self._end(run, prompt[1])

    @rule(prompt=prompts, seconds=st.sampled_from([0.0, 0.01, 0.03, 0.06, 0.12, 0.25]))
    def power_cut(self, prompt: tuple[str, str], seconds: float) -> None:
        """The process dies under way: from one moment on nothing of it is written down, and its locks are let go."""
        run = self._begin(self.engine, prompt, 2)
        run.done.wait(seconds)
        self._die(run)
        if run.done.is_set() and run.error is None:
            self._hear(run, prompt[1])  # it may have ended before the cut
        self.engine = self._engine()

    @rule()
    def restart_and_collect(self) -> None:
        self._die()
        self.engine = self._engine()
        before = DOUBLES.request_log(self._tag())["paid_images"]
        collection = self.engine.recover()
        assert collection.wait(30), "collecting hangs"
        assert DOUBLES.request_log(self._tag())["paid_images"] == before, "collecting has paid"

    # ------------------------------------------------------------------------------------------------ what must hold

    def _end(self, run: Run, prompt: str, *, check: bool = True) -> None:
        assert run.done.wait(30), "a run hangs"
        assert run.error is None, run.error
        for result in run.tasks:
            if result.result:
                key = (prompt, result.slot.index)
                assert self.bytes.setdefault(key, result.result.data) == result.result.data, (
                    "another picture for the same"
                )
                if result.source == "store":
                    continue
        self._hear(run, prompt)
        if check:
            self._check(prompt)

    def _hear(self, run: Run, prompt: str) -> None:
        """Counts what the user has been told about money by a run that ended."""
        charged = [result for result in run.tasks if result.error is not None and result.error.charged != "no"]
        self.notified[prompt] = self.notified.get(prompt, 0) + len(charged)

    def _check(self, prompt: str) -> None:
        paid = DOUBLES.request_log(prompt)["paid_images"]
        allowed = self.asked[prompt] + self.notified.get(prompt, 0)
        assert paid <= allowed, (
            f"{paid} paid, {self.asked[prompt]} asked for, told {self.notified.get(prompt, 0)} times"
        )

    def _begin(self, engine: Engine, prompt: tuple[str, str], count: int) -> Run:
        TRIED["steps"] += 1
        provider, text = prompt
        self.asked[text] = max(self.asked.get(text, 0), count)
        request = Request("generate", text, Options(), 0, count)
        return engine.run([request], engine.plan(ProviderChoice(provider), [request]))

    def _die(self, run: Run | None = None) -> None:
        """As much of a death as a living process can do; what it had in its hands is not seen by anybody."""
        journal = self.engine.ledger

        def refuse() -> Any:
            raise LedgerFailed("dead")

        journal.database.write = refuse  # type: ignore[method-assign, assignment]
        journal.results.write_incoming = lambda uid, data: refuse()  # type: ignore[method-assign]
        if run is not None:
            run.stop()
        journal.close()
        # What it still had on the wire may be billed late; the sums below must not take that for another's doing.
        end = time.monotonic() + 20
        while self.engine._limiter.running_count() and time.monotonic() < end:
            time.sleep(0.01)

    def _tag(self) -> str:
        return f"machine-{id(self)}-"

    def _prompt(self, fault: str, provider: str, task: bool) -> tuple[str, str]:
        words = f"{fault} task steps=2" if task and provider != "runflow" and "file" not in fault else fault
        words = words.strip()
        if QUICK_SPECS[provider].failures_unbilled:
            # Its document says that failures cost nothing: a bill for one would contradict it.
            words = words.replace("status=500 paid", "status=500")
        return provider, f"{self._tag()}{next(_numbers)}." + (f" [[sim: {words}]]" if words else "")

    def teardown(self) -> None:
        for engine in (self.engine, *self.others):
            engine.ledger.close()
        shutil.rmtree(self.home, ignore_errors=True)
        backoff.delay = self._pauses
        if "NANO_BANANA_MACHINE_EXAMPLES" in os.environ:
            print(TRIED)


TestFaultSequences = FaultSequences.TestCase
TestFaultSequences.settings = settings(
    max_examples=int(os.environ.get("NANO_BANANA_MACHINE_EXAMPLES", examples(24))),
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
