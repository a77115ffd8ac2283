"""The report of a test run: what came of each stage, read from pytest's JUnit XML, and the summary of all."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

NO_TESTS = 5
"""pytest's exit code when it collected nothing."""


class Result(NamedTuple):
    """What came of a stage. `skipped`: `name: reason` of each skipped check; `again`: tests that passed at their second run."""

    stage: str
    passed: int = 0
    failed: int = 0
    skipped: tuple[str, ...] = ()
    seconds: float = 0.0
    again: tuple[str, ...] = ()


def _cases(path: Path) -> list[ElementTree.Element]:
    """The tests in a report; none where it isn't there or was cut off."""
    try:
        return list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def _failure(case: ElementTree.Element) -> ElementTree.Element | None:
    failure = case.find("failure")
    return case.find("error") if failure is None else failure


def read_report(stage: str, path: Path, code: int = 0, seconds: float = 0.0) -> Result:
    """A stage's result from pytest's exit code and JUnit XML, which isn't there where pytest crashed."""
    cases = _cases(path)
    failed = sum(_failure(case) is not None for case in cases)
    skips = [(case, skip) for case in cases if (skip := case.find("skipped")) is not None]
    skipped = [f"{case.get('classname')}.{case.get('name')}: {skip.get('message')}" for case, skip in skips]
    passed = len(cases) - failed - len(skipped)
    if code == NO_TESTS:
        return Result(stage, skipped=(f"{stage}: no test there matches",), seconds=seconds)
    return Result(stage, passed, failed or int(code != 0 and not failed), tuple(skipped), seconds)


def browser_failures(path: Path) -> list[str]:
    """pytest's names of the failed tests in a report, where all are tests of `tests/browser`, else none.

    None either where a worker crashed: what it had still to run is in no report.
    """
    names = []
    for case in _cases(path):
        failure = _failure(case)
        if failure is None:
            continue
        module = case.get("classname", "")
        if not module.startswith("tests.browser.") or "crashed while running" in failure.get("message", ""):
            return []
        names.append(f"{module.replace('.', '/')}.py::{case.get('name')}")
    return names


def with_second_run(first: Result, ran: Sequence[str], second: Result, failed: Sequence[str]) -> Result:
    """A stage's result after `ran`, its failed tests, have run again, of which `failed` failed once more."""
    passed = tuple(name for name in ran if name not in failed)
    if second.failed != len(failed) or second.passed != len(passed):  # pytest itself failed: what it says is no verdict
        passed = ()
    return first._replace(
        passed=first.passed + len(passed),
        failed=first.failed - len(passed),
        seconds=first.seconds + second.seconds,
        again=passed,
    )


def summary(results: Sequence[Result]) -> str:
    """A line per stage, every skipped check with its reason, and the last line with the sums."""
    line = "{:<22}  {:<8}  {:<8}  {:<8}  {}".format
    lines = [line("stage", "passed", "failed", "skipped", "seconds")]
    lines += [line(each.stage, each.passed, each.failed, len(each.skipped), f"{each.seconds:.1f}") for each in results]
    skipped = [skip for result in results for skip in result.skipped]
    if skipped:
        lines += ["", "skipped:", *(f"  {skip}" for skip in skipped)]
    again = [name for result in results for name in result.again]
    if again:
        lines += ["", "passed only at the second run:", *(f"  {name}" for name in again)]
    passed, failed = sum(result.passed for result in results), sum(result.failed for result in results)
    return "\n".join([*lines, "", f"{passed} passed, {failed} failed, {len(skipped)} skipped"])
