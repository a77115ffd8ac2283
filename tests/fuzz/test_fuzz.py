"""The bounded run: every kept input, some of hypothesis, some of the loop. The same inputs on each run of the same tree.

A failure names the harness and the seed; `python3 dev.py fuzz --harness NAME --seed S --first N --inputs 1` runs one of the
loop's inputs again. The long run is `python3 dev.py fuzz --minutes N`.
"""

from __future__ import annotations

import random

import harness
import pytest
from harnesses import HARNESSES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SEED = 20261127
KEPT = [(each, name) for each in HARNESSES for name in each.seeds()]
BY_NAME = pytest.mark.parametrize("each", HARNESSES, ids=lambda each: each.name)


@pytest.mark.parametrize(("each", "name"), KEPT, ids=[f"{each.name}-{name}" for each, name in KEPT])
def test_kept_inputs_break_nothing(each: harness.Harness, name: str) -> None:
    """Among them every input that ever did."""
    each.check(each.seeds()[name])


@BY_NAME
def test_examples_of_hypothesis_break_nothing(each: harness.Harness) -> None:
    """Hypothesis draws what the harness's own maker chooses, so that it can make a failing input small."""

    @settings(
        max_examples=each.examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def hold(rng: random.Random) -> None:
        each.prepare()
        each.run(each.make(rng))

    hold()


@BY_NAME
def test_the_loop_finds_nothing(each: harness.Harness) -> None:
    """A run of the loop with a fixed seed and number of inputs."""
    report = harness.fuzz(each, SEED, inputs=each.inputs_in_suite)
    traces = "\n".join(finding.trace for finding in report.findings.values())
    assert not report.findings, f"{report.text()}\n{traces}"
    assert report.inputs == each.inputs_in_suite
