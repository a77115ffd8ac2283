"""The summary of a test run names what was skipped and why, and its last line adds up."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pack.dev import chromium, test_command
from pack.dev.cache import ROOT
from pack.dev.test_report import Result, browser_failures, read_report, summary, with_second_run

REPORT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_good"/>
<testcase classname="tests.unit.test_a" name="test_bad"><failure message="no">x</failure></testcase>
<testcase classname="tests.unit.test_a" name="test_broken"><error message="no">x</error></testcase>
<testcase classname="tests.unit.test_a" name="test_not"><skipped message="no camera">x</skipped></testcase>
</testsuite></testsuites>"""


def test_counts(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    assert read_report("x", path) == Result("x", 1, 2, ("tests.unit.test_a.test_not: no camera",))


def test_no_report_counts_nothing(tmp_path: Path) -> None:
    assert read_report("x", tmp_path / "none.xml") == Result("x")


CASE = '<testcase classname="{}" name="{}"><{} message="{}">x</{}></testcase>'


@pytest.mark.parametrize(
    ("cases", "names"),
    [
        ([("tests.browser.test_a", "test_b[classic]", "failure", "no")], ["tests/browser/test_a.py::test_b[classic]"]),
        ([("tests.browser.test_a", "test_b", "error", "no")], ["tests/browser/test_a.py::test_b"]),
        ([("tests.browser.test_a", "test_b", "failure", "no"), ("tests.host.test_c", "test_d", "failure", "no")], []),
        ([("tests.browser.test_a", "test_b", "failure", "worker 'gw0' crashed while running 'test_b'")], []),
    ],
)
def test_only_failures_of_the_browser_run_a_second_time(
    cases: list[tuple[str, str, str, str]], names: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "report.xml"
    failures = "".join(CASE.format(*case, case[2]) for case in cases)
    good = '<testcase classname="tests.host.test_good" name="test_good"/>'
    path.write_text(f"<testsuites><testsuite>{good}{failures}</testsuite></testsuites>")
    assert browser_failures(path) == names
    assert browser_failures(tmp_path / "none.xml") == []


def test_a_second_run_turns_only_what_passed_in_it() -> None:
    first = Result("x", passed=10, failed=2, seconds=60)
    turned = with_second_run(first, ["a", "b"], Result("x", 1, 1, seconds=5), ["b"])
    assert turned == Result("x", 11, 1, seconds=65, again=("a",))
    assert "passed only at the second run:\n  a" in summary([turned])
    nothing_ran = with_second_run(first, ["a", "b"], Result("x", 0, 1), [])
    assert nothing_ran == first


def spread(folder: Path) -> tuple[int, Result]:
    """pytest's exit code and its report, for a folder that workers share out."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", str(folder)]
    done = subprocess.run([*command, *test_command.workers("unit")], cwd=folder, capture_output=True)
    return done.returncode, read_report("x", report)


def test_hosts_share_a_machine_by_its_memory() -> None:
    """A third worker needs room for two more hosts and a browser."""
    assert [test_command.host_workers(gigabytes << 30) for gigabytes in (0, 7, 16)] == [2, 2, 3]
    assert test_command.workers("host")[1] == str(test_command.host_workers())


def test_workers_report_as_one_process_does(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_bad(): assert 0\n\ndef test_good(): pass\n")
    (tmp_path / "test_b.py").write_text(
        "import pytest\n\ndef test_good(): pass\n\ndef test_not(): pytest.skip('no camera')\n"
    )
    assert spread(tmp_path) == (1, Result("x", 2, 1, ("test_b.test_not: no camera",)))


@pytest.mark.long
def test_a_worker_that_crashes_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("import os\n\ndef test_crash(): os._exit(3)\n")
    code, found = spread(tmp_path)
    assert code and found == Result("x", failed=1)


LONG = """
import pytest

@pytest.mark.long
def test_long(): assert 0

def test_short(combinations): assert len(combinations({"a": (1, 2), "b": (1, 2), "c": (1, 2), "d": (1, 2)})) < 16
"""


def test_what_takes_long_is_left_out_and_counted(tmp_path: Path) -> None:
    for name in ("conftest.py", "pairwise.py"):
        shutil.copyfile(ROOT / "tests" / name, tmp_path / name)
    (tmp_path / "test_a.py").write_text(LONG)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "1 passed, 1 deselected" in found.stdout and "combinations of options left out" in found.stdout
    found = subprocess.run([*command, "--long"], cwd=tmp_path, capture_output=True, text=True)
    assert "2 failed" in found.stdout and "left out" not in found.stdout


def test_summary() -> None:
    text = summary(
        [
            Result("ruff check", 1, seconds=0.1),
            Result("tests/unit", 40, 1, ("tests.unit.test_a.test_not: no camera",), 3.0),
            Result("tests/browser", skipped=(f"tests/browser: {chromium.MISSING}",)),
        ]
    )
    lines = text.splitlines()
    assert lines[-1] == "41 passed, 1 failed, 2 skipped"
    assert "  tests.unit.test_a.test_not: no camera" in lines
    assert f"  tests/browser: {chromium.MISSING}" in lines


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


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such folder")
def test_temporary_files_lie_in_memory_only_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_command, "ENOUGH", 0)
    usable = not os.statvfs(tmp_path).f_flag & getattr(os, "ST_NOEXEC", 0)
    assert test_command.memory_folder(tmp_path) == (tmp_path if usable else None)
    assert test_command.memory_folder(tmp_path / "none") is None
    monkeypatch.setattr(test_command, "ENOUGH", 1 << 60)
    assert test_command.memory_folder(tmp_path) is None


def test_chromium_is_found_where_it_is_named(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert chromium.chromium({"CHROMIUM": str(program)}, "linux") == program
    assert chromium.chromium({"PATH": str(tmp_path)}, "linux") == program
    assert chromium.chromium({"PATH": str(tmp_path / "none")}, "linux") is None
    assert chromium.chromium({"CHROMIUM": str(tmp_path / "none"), "PATH": str(tmp_path)}, "linux") is None
