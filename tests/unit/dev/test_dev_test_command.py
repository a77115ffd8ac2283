"""Which stages run, in how many processes, what runs a second time, and what is said at the end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pack.dev import chromium, test_command
from pack.dev.cache import ROOT
from pack.dev.test_command import Result, summary


@pytest.mark.parametrize(
    ("failed", "report", "names"),
    [
        (["tests/browser/test_a.py::test_b[classic]"], "", ["tests/browser/test_a.py::test_b[classic]"]),
        (["tests/browser/test_a.py::test_b"], "worker 'gw0' crashed while running 'test_b'", []),
        (["tests/browser/test_a.py::test_b", "tests/host/test_c.py::test_d"], "", []),
        ([f"tests/browser/test_a.py::test_{number}" for number in range(4)], "", []),
        ([], "", []),
    ],
)
def test_only_a_few_failures_of_the_browser_run_a_second_time(
    failed: list[str], report: str, names: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "report.xml"
    assert test_command.browser_failures(tmp_path, path) == []
    path.write_text(report)
    kept = tmp_path / "v" / "cache" / "lastfailed"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(dict.fromkeys(failed, True)))
    assert test_command.browser_failures(tmp_path, path) == names


PYTEST = """
import json, pathlib, sys
(cache,) = [pathlib.Path(word.partition("=")[2]) for word in sys.argv if word.startswith("cache_dir=")]
again = [word for word in sys.argv if "::" in word]
with open({calls!r}, "a") as calls:
    calls.write(" ".join(again) + "\\n")
if not again:
    (report,) = [pathlib.Path(word.partition("=")[2]) for word in sys.argv if word.startswith("--junitxml=")]
    report.write_text("<testsuites/>")
    (cache / "v" / "cache").mkdir(parents=True)
    (cache / "v" / "cache" / "lastfailed").write_text(json.dumps({{"tests/browser/test_a.py::test_b": True}}))
raise SystemExit({code} if again else 1)
"""
"""Stands in for pytest: a test of the browser fails in the first run, and in the second the code is the given one."""


@pytest.mark.parametrize(("code", "became"), [(0, "passed"), (1, "failed")])
def test_what_failed_in_the_browser_counts_as_it_ends_the_second_time(
    code: int, became: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pytest").mkdir()
    (tmp_path / "pytest" / "__init__.py").touch()
    (tmp_path / "pytest" / "__main__.py").write_text(PYTEST.format(calls=str(tmp_path / "calls"), code=code))
    stages = test_command.Stages(None, tmp_path, tmp_path)
    stages.tests(["browser"], [], more={"PYTHONPATH": str(tmp_path)})
    (result,) = stages.results
    assert (result.became, (tmp_path / "calls").read_text().splitlines()) == (
        became,
        ["", "tests/browser/test_a.py::test_b"],
    )
    assert ("only at the second run: tests/browser/test_a.py::test_b" in summary(stages.results)) == (code == 0)


COMMAND = """
import os, pathlib, signal, sys
from dev.process import run_to_end

signal.signal(signal.SIGTERM, signal.default_int_handler)
run_to_end([sys.executable, "tests.py"], pathlib.Path("."), os.environ, terminal=False)
"""
TESTS = """
import subprocess, sys, time

subprocess.Popen([sys.executable, "-u", "host.py"])
time.sleep(60)
"""
HOST = """
import signal, time

signal.signal(signal.SIGINT, signal.SIG_IGN)
print("up")
time.sleep(60)
print("still here")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could handle")
def test_what_a_stage_has_started_ends_with_the_command(tmp_path: Path) -> None:
    """Even a host that goes on after an interrupt, forgotten by the tests that started it."""
    (tmp_path / "tests.py").write_text(TESTS)
    (tmp_path / "host.py").write_text(HOST)
    command = [sys.executable, "-c", COMMAND]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout and running.stdout.readline() == "up\n"
        running.terminate()
        assert running.stdout.read() == ""
    assert running.returncode != 0


STAGES = pytest.mark.parametrize("stage", ["unit", pytest.param("host", marks=pytest.mark.long)])
"""One whose workers are forks, where they can be, and one with pytest-xdist's."""


def command(folder: Path, stage: str = "") -> list[str]:
    """pytest with the options of our tests, for a folder that the workers of a stage share out."""
    for name in ("conftest.py", "forked_workers.py", "pairwise.py"):
        shutil.copyfile(ROOT / "tests" / name, folder / name)
    report = [f"--junitxml={folder / 'report.xml'}", "-o", "junit_family=xunit1"]  # this one knows properties
    shared = test_command.workers(stage) if stage else []
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *report, str(folder), *shared]


def spread(folder: Path, stage: str) -> tuple[int, str, str]:
    """pytest's exit code, what it has said and its report, for a folder that the workers of a stage share out."""
    done = subprocess.run(command(folder, stage), cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, (folder / "report.xml").read_text("utf-8")


def test_hosts_share_a_machine_by_its_memory() -> None:
    """A third worker needs room for two more hosts and a browser."""
    assert [test_command.host_workers(gigabytes << 30) for gigabytes in (0, 7, 16)] == [2, 2, 3]
    assert test_command.workers("host")[1] == str(test_command.host_workers())


@pytest.mark.long
@STAGES
def test_workers_report_as_one_process_does(stage: str, tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        "import warnings\n\nclass Odd(Warning): pass\n\n"
        "def test_bad():\n    print('what it wrote')\n    warnings.warn(Odd('look'))\n    assert 0\n\n"
        "def test_good(record_property): record_property('kept', 7)\n"
    )
    (tmp_path / "test_b.py").write_text(
        "import pytest\n\ndef test_good(): pass\n\ndef test_not(): pytest.skip('no camera')\n"
    )
    code, said, report = spread(tmp_path, stage)
    last = said.strip().splitlines()[-1]
    assert code == test_command.FAILED and "1 failed, 2 passed, 1 skipped, 1 warning " in last
    assert said.count("what it wrote") == 2 and said.count("Odd: look") == 1, "once in the source that is shown"
    assert report.count("<testcase") == 4 and '<property name="kept" value="7"' in report


@pytest.mark.long
@STAGES
def test_a_worker_that_crashes_is_a_failure(stage: str, tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("import os\n\ndef test_crash(): os._exit(3)\n")
    code, said, report = spread(tmp_path, stage)
    assert code and "1 failed" in said.strip().splitlines()[-1] and "crashed while running" in report


STOPPED = """
import pathlib, time, pytest

@pytest.fixture(scope="session")
def server():
    yield
    pathlib.Path("ended").touch()

def test_long(server):
    pathlib.Path("running").touch()
    time.sleep(60)
"""


@pytest.mark.skipif(not test_command.FORKS, reason="no forks here")
def test_forks_that_are_interrupted_end_what_their_fixtures_have_started(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(STOPPED)
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)  # the suite may run where it is ignored
    try:
        running = subprocess.Popen(
            command(tmp_path, "unit"), cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
    finally:
        signal.signal(signal.SIGINT, interrupted)
    with running:
        while not (tmp_path / "running").exists():
            assert running.poll() is None
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        assert running.stdout and "KeyboardInterrupt" in running.stdout.read()
    assert (tmp_path / "ended").exists()


LONG = """
import pytest

@pytest.mark.long
def test_long(): assert 0

def test_short(combinations): assert len(combinations({"a": (1, 2), "b": (1, 2), "c": (1, 2), "d": (1, 2)})) < 16
"""


@pytest.mark.long
def test_what_takes_long_is_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(LONG)
    found = subprocess.run(command(tmp_path), cwd=tmp_path, capture_output=True, text=True)
    assert "1 passed, 1 deselected" in found.stdout and "combinations of options left out" in found.stdout
    found = subprocess.run([*command(tmp_path), "--long"], cwd=tmp_path, capture_output=True, text=True)
    assert "2 failed" in found.stdout and "left out" not in found.stdout


def test_summary() -> None:
    results = [Result("ruff check", "passed", 0.1), Result("tests/browser", "skipped", note=chromium.MISSING)]
    assert summary(results).splitlines()[-1] == "nothing failed"
    lines = summary([*results, Result("tests/unit", "failed", 3.0)]).splitlines()
    assert lines[-1] == "failed: tests/unit"
    assert any(line.startswith("tests/browser") and line.endswith(chromium.MISSING) for line in lines)


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
    without_windows = tmp_path / "chromium-headless-shell"
    program.rename(without_windows)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert chromium.chromium({"PATH": str(tmp_path)}, "linux") == without_windows
