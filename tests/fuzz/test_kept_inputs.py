"""The kept inputs, and examples of hypothesis: the same on each run."""

from __future__ import annotations

import random

import harness
import pytest
from harnesses import HARNESSES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEPT = [(each, name) for each in HARNESSES for name in each.seeds()]


@pytest.mark.parametrize(("each", "name"), KEPT, ids=[f"{each.name}-{name}" for each, name in KEPT])
def test_kept_inputs_break_nothing(each: harness.Harness, name: str) -> None:
    """Among them every input that ever did."""
    each.check(each.seeds()[name])


@pytest.mark.parametrize("each", HARNESSES, ids=lambda each: each.name)
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


def test_every_seed_has_its_harness() -> None:
    """A folder of another name would never be run."""
    assert {folder.name for folder in harness.SEEDS.iterdir()} <= {each.name for each in HARNESSES}
    assert all(len(each.seeds()) for each in HARNESSES if (harness.SEEDS / each.name).is_dir())


def test_every_subject_is_a_file() -> None:
    """The files that the figures of coverage are given for."""
    missing = [file for each in HARNESSES for file in each.subjects if not (harness.ROOT / file).is_file()]
    assert not missing
