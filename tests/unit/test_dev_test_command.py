"""The summary of a test run names what was skipped and why, and its last line adds up."""

import subprocess
import sys
from pathlib import Path

import pytest
from pack.dev import chromium, test_command
from pack.dev.junit import Counts, Skipped, counts
from pack.dev.test_command import Result, summary

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


def spread(folder: Path) -> tuple[int, Counts]:
    """pytest's exit code and the counts of its report, for a folder that workers share out."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", str(folder)]
    done = subprocess.run([*command, *test_command.workers("unit")], cwd=folder, capture_output=True)
    return done.returncode, counts(report)


def test_workers_report_as_one_process_does(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_bad(): assert 0\n\ndef test_good(): pass\n")
    (tmp_path / "test_b.py").write_text(
        "import pytest\n\ndef test_good(record_property): record_property('left_out', 4)\n\n"
        "def test_not(): pytest.skip('no camera')\n"
    )
    assert spread(tmp_path) == (1, Counts(2, 1, (Skipped("test_b.test_not", "no camera"),), 4))


def test_a_worker_that_crashes_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("import os\n\ndef test_crash(): os._exit(3)\n")
    code, found = spread(tmp_path)
    assert code and found == Counts(failed=1)


def test_summary() -> None:
    text = summary(
        [
            Result("ruff check", Counts(passed=1), 0.1),
            Result("tests/unit", Counts(40, 1, (Skipped("tests.unit.test_a.test_not", "no camera"),)), 3.0),
            Result("tests/browser", Counts(skipped=(Skipped("tests/browser", chromium.MISSING),))),
        ]
    )
    lines = text.splitlines()
    assert lines[-1] == "41 passed, 1 failed, 2 skipped"
    assert "  tests.unit.test_a.test_not: no camera" in lines
    assert f"  tests/browser: {chromium.MISSING}" in lines


def test_the_last_line_of_the_summary_names_what_was_left_out() -> None:
    text = summary([Result("tests/unit", Counts(2, left_out=30)), Result("tests/conformance", Counts(1, left_out=4))])
    said = "3 passed, 0 failed, 0 skipped; 34 combinations of options left out (--long tries them)"
    assert text.splitlines()[-1] == said


@pytest.mark.parametrize(
    ("arguments", "stages", "rest"),
    [
        ([], {"lint", "unit", "fuzz", "conformance", "host", "browser"}, []),
        (["--unit"], {"unit"}, []),
        (["--unit", "--host", "-k", "codec"], {"unit", "host"}, ["-k", "codec"]),
        (["-x"], {"unit", "fuzz", "conformance", "host", "browser"}, ["-x"]),
        (["--conformance"], {"conformance"}, []),
        (["--fuzz"], {"fuzz"}, []),
        (["--lint"], {"lint"}, []),
        (["--long"], {"lint", "unit", "fuzz", "conformance", "host", "browser"}, []),
    ],
)
def test_options(arguments: list[str], stages: set[str], rest: list[str]) -> None:
    chosen, left = test_command.options(arguments)
    assert {name for name in ("lint", *test_command.PARTS) if getattr(chosen, name)} == stages
    assert left == rest


def test_chromium_is_found_where_it_is_named(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert chromium.chromium({"CHROMIUM": str(program)}, "linux") == program
    assert chromium.chromium({"PATH": str(tmp_path)}, "linux") == program
    assert chromium.chromium({"PATH": str(tmp_path / "none")}, "linux") is None
    assert chromium.chromium({"CHROMIUM": str(tmp_path / "none"), "PATH": str(tmp_path)}, "linux") is None
