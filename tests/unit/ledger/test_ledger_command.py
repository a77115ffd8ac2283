"""`ledger.py` as a person runs it, here and in a process of its own that is isolated as an embedded Python is."""

from __future__ import annotations

import csv
import io
import runpy
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from journal_driver import claim_one, open_journal, png
from long_rows import first
from pack.core.execution.charge import Failed, row_rule
from python_process import ROOT

Answer = subprocess.CompletedProcess[str]


def ledger(home: Path, *arguments: str) -> Answer:
    """The program run in this process: starting one takes most of a second."""
    command = [str(ROOT / "ledger.py"), "--home", str(home), *arguments]
    out, problems = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(problems):
        patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            runpy.run_path(command[0], run_name="__main__")
    return subprocess.CompletedProcess(command, int(end.value.code or 0), out.getvalue(), problems.getvalue())


def isolated(home: Path, *arguments: str) -> Answer:
    # Isolated it ignores the variable that keeps byte code out of the tree.
    cache = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else ["-B"]
    command = [sys.executable, "-I", *cache, str(ROOT / "ledger.py"), "--home", str(home), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One picture that is here and one that may have been paid."""
    journal = open_journal(tmp_path / "home")
    for name in ("v1:a", "v1:b"):
        claim_one(journal, name)
        journal.mark_sent([name], name)
    journal.write_incoming("v1:a", png(1))
    journal.mark_stored("v1:a", "", 0.1)
    journal.mark_failed(["v1:b"], row_rule(Failed("maybe", "unresolved")), "no answer came back")
    journal.close()
    return tmp_path / "home"


def test_list_spend_export_and_forget(home: Path, tmp_path: Path) -> None:
    """Each command does what it says, and what was forgotten still counts."""
    listed = isolated(home, "list", "--state", "unknown").stdout
    assert "no answer came back" in listed and "stored" not in listed
    (row,) = csv.DictReader(io.StringIO(ledger(home, "spend", "--by", "provider,profile", "--csv").stdout))
    assert row == {
        "provider": "onerouter",
        "profile": "default",
        "pictures": "1",
        "usd": "0.2340",
        "usd_in_doubt": "0.1340",
    }
    assert "1 pictures were copied" in ledger(home, "export", str(tmp_path / "out")).stdout
    assert [file.read_bytes() for file in (tmp_path / "out").glob("*.png")] == [png(1)]
    assert "2 pictures were forgotten" in ledger(home, "forget", "--all").stdout
    assert ledger(home, "list").stdout == "nothing\n" and not list(home.rglob("*.png"))
    assert "in all $0.2340" in ledger(home, "spend").stdout


def test_reindex_rebuilds_a_lost_journal(home: Path) -> None:
    for file in home.glob("journal*"):
        file.unlink()
    assert "stored" in isolated(home, "list").stdout
    assert ledger(home, "reindex").stdout.startswith("1 pictures")


WRONG = [["forget"], ["spend", "--by", "mood"], ["list", "--since", "soon"], ["nonsense"]]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("run", first(1, [ledger, isolated]))
def test_wrong_usage_is_an_error_and_changes_nothing(home: Path, run: Callable[..., Answer], wrong: list[str]) -> None:
    answer = run(home, *wrong)
    assert answer.returncode == 2 and "Traceback" not in answer.stderr
    assert "v1" not in answer.stdout and len(ledger(home, "list").stdout.splitlines()) == 3
