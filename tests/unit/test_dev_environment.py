"""Stages: done once, stamped last, repaired after being cut off at any moment."""

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pack.dev import environment
from pack.dev.environment import CUT_OFF, Environment, Stage
from pack.dev.pip import InstallFailed, Interrupted
from pack.dev.progress import Progress
from pack.dev.user_error import UserError


class Work:
    """Stages that note what they did, and one of which may fail."""

    def __init__(self, folder: Path) -> None:
        self.done: list[str] = []
        self.failing: dict[str, BaseException] = {}
        self.folder = folder

    def stages(self) -> list[Stage]:
        """venv, torch, rest."""
        return [Stage(name, name, lambda name=name: self._do(name)) for name in ("venv", "torch", "rest")]  # type: ignore[misc]

    def _do(self, name: str) -> None:
        self.done.append(name)
        (self.folder / f"content-{name}").write_text("")
        if name in self.failing:
            raise self.failing.pop(name)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Work in an environment whose interpreter always runs."""
    monkeypatch.setattr(Environment, "_runs", lambda self: True)
    return Work(tmp_path / "env")


def run(work: Work) -> str:
    """One run; what a person saw."""
    shown = io.StringIO()
    Environment(work.folder, Progress(shown)).run(work.stages())
    return shown.getvalue()


def test_each_stage_is_done_once(work: Work) -> None:
    run(work)
    assert work.done == ["venv", "torch", "rest"]
    run(work)
    assert len(work.done) == 3
    assert Environment(work.folder, Progress()).complete(["venv", "torch", "rest"])
    assert not (work.folder / CUT_OFF).exists()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, OSError, MemoryError])
def test_cut_off_in_the_middle_starts_anew(work: Work, kind: type[BaseException]) -> None:
    work.failing["torch"] = kind()
    with pytest.raises(kind):
        run(work)
    assert not Environment(work.folder, Progress()).complete(["venv", "torch"])
    shown = run(work)
    assert "cut off" in shown
    assert work.done == ["venv", "torch", "venv", "torch", "rest"]
    assert [path.name for path in work.folder.parent.iterdir()] == ["env"]


def test_killed_between_work_and_stamp_starts_anew(work: Work) -> None:
    run(work)
    Environment(work.folder, Progress()).stamp("rest").unlink()
    (work.folder / CUT_OFF).write_text("rest")
    run(work)
    assert work.done.count("venv") == 2


def test_killed_between_stamp_and_unmark_is_repaired_too(work: Work) -> None:
    run(work)
    (work.folder / CUT_OFF).write_text("rest")
    run(work)
    assert not (work.folder / CUT_OFF).exists()


@pytest.mark.parametrize("failure", [InstallFailed("no network", touched=False), Interrupted(touched=False)])
def test_a_failure_before_unpacking_goes_on_from_there(work: Work, failure: BaseException) -> None:
    work.failing["torch"] = failure
    with pytest.raises(type(failure)):
        run(work)
    run(work)
    assert work.done == ["venv", "torch", "torch", "rest"]


@pytest.mark.parametrize("failure", [InstallFailed("disk full", touched=True), Interrupted(touched=True)])
def test_a_failure_while_unpacking_starts_anew(work: Work, failure: BaseException) -> None:
    work.failing["torch"] = failure
    with pytest.raises(type(failure)):
        run(work)
    run(work)
    assert work.done == ["venv", "torch", "venv", "torch", "rest"]


def test_an_interpreter_that_is_gone_starts_anew(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    run(work)
    monkeypatch.setattr(Environment, "_runs", lambda self: False)
    assert not Environment(work.folder, Progress()).complete(["venv"])
    assert "gone" in run(work)
    assert work.done.count("venv") == 2


def test_an_interpreter_that_is_slow_to_start_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*command: Any, timeout: float, **more: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    work = Work(tmp_path / "env")
    work.folder.mkdir()
    run(work)
    monkeypatch.setattr(subprocess, "run", busy)
    assert Environment(work.folder, Progress()).complete(["venv", "torch", "rest"])
    run(work)
    assert work.done == ["venv", "torch", "rest"]


def test_leftovers_of_a_discarded_environment_are_removed(work: Work) -> None:
    (work.folder.parent / "env.1.discarded").mkdir(parents=True)
    run(work)
    assert [path.name for path in work.folder.parent.iterdir()] == ["env"]


def test_missing_modules_are_named() -> None:
    assert environment.missing_module(lambda name: object()) is None
    assert environment.missing_module(lambda name: None if name == "ensurepip" else object()) == "ensurepip"
    assert environment.missing_module(lambda name: None) == "venv"


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("The virtual environment was not created successfully because ensurepip is not available.", "ensurepip"),
        ("/usr/bin/python3: No module named venv", "(venv is missing)"),
        ("Error: something else", "something else"),
    ],
)
def test_a_venv_that_fails_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, cure: str
) -> None:
    def answer(*_: Any, **__: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess([], 1, said, "")

    monkeypatch.setattr(environment.subprocess, "run", answer)
    with pytest.raises(UserError) as caught:
        environment.make_venv(Path("python"), tmp_path)
    assert cure in str(caught.value) and "\n" not in str(caught.value)


def test_no_ensurepip_stops_the_command_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "missing_module", lambda: "ensurepip")
    monkeypatch.setattr(environment, "users", lambda environ, root: None)
    with pytest.raises(UserError, match="python3-venv"):
        environment.make(environ={"NANO_BANANA_DEV_CACHE": str(tmp_path)}, progress=Progress(io.StringIO()))
    assert not list(tmp_path.glob("env-*/venv"))


def test_ready_refuses_to_make_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "users", lambda environ, root: None)
    with pytest.raises(UserError, match=r"dev\.py test"):
        environment.ready({"NANO_BANANA_DEV_CACHE": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_torch_is_left_out_of_the_requirements(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch\ntorchsde\n# note\n\ntorchvision\ntorchaudio\nnumpy>=1.25.0\n")
    assert environment._requirements(tmp_path) == ["torchsde", "numpy>=1.25.0"]
