"""Reads the JUnit XML that pytest writes: how many passed and failed, what was skipped for what reason, what left out.

Called by `test_command.py`. The file is our own pytest's.
"""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class Skipped:
    """A test that didn't run."""

    name: str
    reason: str


@dataclass(frozen=True)
class Counts:
    """What came of one run of pytest."""

    passed: int = 0
    failed: int = 0
    skipped: tuple[Skipped, ...] = ()
    left_out: int = 0
    """Combinations of options that only a run with --long tries: the property `left_out` of the tests, summed."""


def counts(path: Path) -> Counts:
    """The counts in a file; all zero when pytest ended before it wrote one."""
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return Counts()
    passed = failed = 0
    skipped = []
    for case in cases:
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is not None:
            name = f"{case.get('classname', '')}.{case.get('name', '')}".strip(".")
            skipped.append(Skipped(name, skip.get("message") or "no reason given"))
        else:
            passed += 1
    left_out = [found for case in cases for found in case.iterfind("properties/property[@name='left_out']")]
    return Counts(passed, failed, tuple(skipped), sum(int(found.get("value", "0")) for found in left_out))
