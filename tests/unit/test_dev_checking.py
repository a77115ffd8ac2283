"""The summary of a test run names what was skipped and why, and its last line adds up."""

from pathlib import Path

import pytest
from pack.dev import browser, checking
from pack.dev.checking import Result, summary
from pack.dev.junit import Counts, Skipped, counts

REPORT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_good"/>
<testcase classname="tests.unit.test_a" name="test_bad"><failure message="no">x</failure></testcase>
<testcase classname="tests.unit.test_a" name="test_broken"><error message="no">x</error></testcase>
<testcase classname="tests.unit.test_a" name="test_not"><skipped message="no camera">x</skipped></testcase>
</testsuite></testsuites>"""


def test_counts(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    assert counts(path) == Counts(1, 2, (Skipped("tests.unit.test_a.test_not", "no camera"),))


def test_no_report_counts_nothing(tmp_path: Path) -> None:
    assert counts(tmp_path / "none.xml") == Counts()


def test_summary() -> None:
    text = summary(
        [
            Result("ruff check", Counts(passed=1), 0.1),
            Result("tests/unit", Counts(40, 1, (Skipped("tests.unit.test_a.test_not", "no camera"),)), 3.0),
            Result("tests/browser", Counts(skipped=(Skipped("tests/browser", browser.MISSING),))),
        ]
    )
    lines = text.splitlines()
    assert lines[-1] == "41 passed, 1 failed, 2 skipped"
    assert "  tests.unit.test_a.test_not: no camera" in lines
    assert f"  tests/browser: {browser.MISSING}" in lines


@pytest.mark.parametrize(
    ("arguments", "stages", "rest"),
    [
        ([], {"lint", "unit", "conformance", "host", "browser"}, []),
        (["--unit"], {"unit"}, []),
        (["--unit", "--host", "-k", "codec"], {"unit", "host"}, ["-k", "codec"]),
        (["-x"], {"unit", "conformance", "host", "browser"}, ["-x"]),
        (["--conformance"], {"conformance"}, []),
        (["--lint"], {"lint"}, []),
    ],
)
def test_options(arguments: list[str], stages: set[str], rest: list[str]) -> None:
    chosen, left = checking.options(arguments)
    assert {name for name in ("lint", *checking.PARTS) if getattr(chosen, name)} == stages
    assert left == rest


def test_chromium_is_found_where_it_is_named(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert browser.chromium({"CHROMIUM": str(program)}, "linux") == program
    assert browser.chromium({"PATH": str(tmp_path)}, "linux") == program
    assert browser.chromium({"PATH": str(tmp_path / "none")}, "linux") is None
    assert browser.chromium({"CHROMIUM": str(tmp_path / "none"), "PATH": str(tmp_path)}, "linux") is None
