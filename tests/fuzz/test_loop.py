"""A bounded run of the loop of mutations: the same inputs on each run of the same tree.

`python3 dev.py fuzz --harness NAME --seed SEED --first N --inputs 1` runs one of its inputs again; the long run is
`python3 dev.py fuzz --minutes N`.
"""

from __future__ import annotations

import harness
import pytest
from harnesses import HARNESSES

SEED = 20261127


@pytest.mark.parametrize("each", HARNESSES, ids=lambda each: each.name)
def test_the_loop_finds_nothing(each: harness.Harness) -> None:
    """A run with a fixed seed and number of inputs."""
    report = harness.fuzz(each, SEED, inputs=each.inputs_in_suite)
    traces = "\n".join(finding.trace for finding in report.findings.values())
    assert not report.findings, f"{report.text()}\n{traces}"
    assert report.inputs == each.inputs_in_suite
