"""`dev.py fuzz`: which harnesses there are, how processes share them, and what is said where atheris can't be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pack.dev import environment, fuzz_command
from pack.dev.environment import InstallFailed


def test_every_harness_can_be_named() -> None:
    assert {"answers", "replies", "pictures", "providers_file", "settings", "routes", "multipart", "sidecars"} <= set(
        fuzz_command.names()
    )


@pytest.mark.parametrize(("count", "processes", "groups"), [(12, 2, 2), (1, 8, 1), (3, 2, 2), (2, 1, 1)])
def test_processes_share_all_harnesses(count: int, processes: int, groups: int) -> None:
    names = [f"h{number}" for number in range(count)]
    shared = fuzz_command.shared_out(names, processes)
    assert len(shared) == groups and all(shared)
    assert sorted(name for group in shared for name in group) == sorted(names)


def test_without_atheris_a_guided_run_is_named_as_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> Path:
        raise InstallFailed("There is no wheel of it.")

    monkeypatch.setattr(environment, "apart", refuse)
    assert fuzz_command.guided(tmp_path, ["answers"], []) == []
    assert "skipped: --guided: There is no wheel of it." in capsys.readouterr().out


def test_a_guided_run_has_a_command_for_each_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "venv" / "Lib" / "site-packages").mkdir(parents=True)
    monkeypatch.setattr(environment, "apart", lambda *_: environment.Environment(tmp_path, tmp_path))
    commands = fuzz_command.guided(tmp_path, ["answers", "waits"], ["--seed=1"])
    assert [command[-1] for command in commands] == ["--harness=answers", "--harness=waits"]
    folders = {argument.partition("=")[2] for command in commands for argument in command if "--packages" in argument}
    assert all(Path(folder).is_dir() for folder in folders) and len(folders) == 1


def test_harnesses_make_their_folders_where_the_command_removes_them(tmp_path: Path) -> None:
    """The process ends without `atexit`, as atheris ends it and a signal does."""
    code = "import os, folders; print(folders.folder('x'), flush=True); os._exit(0)"
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(fuzz_command.FOLDER)}
    finished = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert Path(finished.stdout.strip()).parent == tmp_path
