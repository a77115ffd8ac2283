"""Steps: done once, stamped last, repaired after being cut off at any moment."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pack.dev import environment
from pack.dev.environment import INSTALLING, REQUIREMENTS, Environment, InstallFailed, Step
from pack.dev.user_error import UserError


class Work:
    """Steps that note what they did, with a stand-in for pip, which may fail in one of them."""

    def __init__(self, folder: Path) -> None:
        self.done: list[str] = []
        self.failing: dict[str, tuple[BaseException | None, bool]] = {}
        """By step: what interrupts pip, None where it ends with an error; and whether it had begun to install."""
        self.environment = Environment(folder, folder.parent)
        self.folder = folder

    def steps(self) -> list[Step]:
        """venv, torch, rest."""
        return [Step(name, name, lambda name=name: self._do(name)) for name in ("venv", "torch", "rest")]  # type: ignore[misc]

    def _do(self, name: str) -> None:
        self.done.append(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"content-{name}").write_text("")
        self.environment.pip("install", name)

    def pip(self, command: list[str], **_: Any) -> "subprocess.CompletedProcess[bytes]":
        """Plays pip."""
        if command[-1] not in self.failing:
            return subprocess.CompletedProcess(command, 0)
        error, begun = self.failing.pop(command[-1])
        Path(command[command.index("--log") + 1]).write_text(INSTALLING if begun else "")
        if error:
            raise error
        return subprocess.CompletedProcess(command, 1)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Work in an environment whose interpreter always runs."""
    monkeypatch.setattr(Environment, "_runs", lambda self: True)
    work = Work(tmp_path / "cache" / "env")
    monkeypatch.setattr(subprocess, "run", work.pip)
    return work


def run(work: Work) -> None:
    """One run."""
    work.environment.make(work.steps())


def test_each_step_is_done_once(work: Work) -> None:
    run(work)
    assert work.done == ["venv", "torch", "rest"]
    run(work)
    assert len(work.done) == 3
    assert work.environment.complete(["venv", "torch", "rest"])
    assert not work.environment.mark.exists()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, OSError, MemoryError])
def test_cut_off_in_the_middle_starts_anew(
    work: Work, kind: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    work.failing["torch"] = kind(), True
    with pytest.raises(kind):
        run(work)
    assert not work.environment.complete(["venv", "torch"])
    run(work)
    assert "cut off" in capsys.readouterr().out
    assert work.done == ["venv", "torch", "venv", "torch", "rest"]
    assert sorted(path.name for path in work.folder.parent.iterdir()) == ["env", "lock", "logs"]


def test_killed_between_work_and_stamp_starts_anew(work: Work) -> None:
    run(work)
    work.environment.stamp("rest").unlink()
    work.environment.mark.write_text("rest")
    run(work)
    assert work.done.count("venv") == 2


def test_killed_between_stamp_and_unmark_is_repaired_too(work: Work) -> None:
    run(work)
    work.environment.mark.write_text("rest")
    run(work)
    assert not work.environment.mark.exists()


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt()])
def test_a_failure_before_unpacking_goes_on_from_there(work: Work, failure: BaseException | None) -> None:
    work.failing["torch"] = failure, False
    with pytest.raises(type(failure) if failure else InstallFailed):
        run(work)
    run(work)
    assert work.done == ["venv", "torch", "torch", "rest"]


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt()])
def test_a_failure_while_unpacking_starts_anew(work: Work, failure: BaseException | None) -> None:
    work.failing["torch"] = failure, True
    with pytest.raises(type(failure) if failure else InstallFailed):
        run(work)
    run(work)
    assert work.done == ["venv", "torch", "venv", "torch", "rest"]


def test_an_interpreter_that_is_gone_starts_anew(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(work)
    monkeypatch.setattr(Environment, "_runs", lambda self: False)
    assert not work.environment.complete(["venv"])
    run(work)
    assert "gone" in capsys.readouterr().out
    assert work.done.count("venv") == 2


@pytest.mark.parametrize(
    ("message", "cure"),
    [
        ("The virtual environment was not created successfully because ensurepip is not available.", "ensurepip"),
        ("/usr/bin/python3: No module named venv", "(venv is missing)"),
        ("Error: something else", "something else"),
    ],
)
def test_a_venv_that_fails_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, cure: str
) -> None:
    def answer(*_: Any, **__: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess([], 1, message, "")

    monkeypatch.setattr(environment.subprocess, "run", answer)
    with pytest.raises(UserError) as caught:
        environment.make_venv(Path("python"), tmp_path)
    assert cure in str(caught.value) and "\n" not in str(caught.value)


def test_no_ensurepip_stops_the_command_and_nothing_half_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        Path(command[-1]).mkdir(parents=True)
        return subprocess.CompletedProcess(command, 1, "ensurepip is not available", "")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(environment, "users", lambda environ, root: None)
    with pytest.raises(UserError, match="python3-venv"):
        environment.make(environ={"NANO_BANANA_DEV_CACHE": str(tmp_path)})
    assert not list(tmp_path.glob("*/venv"))


def test_ready_refuses_to_make_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "users", lambda environ, root: None)
    with pytest.raises(UserError, match=r"dev\.py test"):
        environment.ready({"NANO_BANANA_DEV_CACHE": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was installed; nothing really is."""
    names: list[str] = []
    monkeypatch.setattr(environment, "make_venv", lambda python, folder: names.append("venv"))
    monkeypatch.setattr(Environment, "_runs", lambda self: True)
    monkeypatch.setattr(Environment, "install_locked", lambda self, name: names.append(f"{name}.txt"))
    return names


def test_an_environment_apart_is_made_once(tmp_path: Path, installed: list[str]) -> None:
    python = environment.apart(tmp_path, "judges", "SDKs").python
    assert python.is_relative_to(tmp_path) and python.parent.parent.parent.name.startswith("judges-")
    assert environment.apart(tmp_path, "judges", "SDKs").python == python
    assert installed == ["venv", "pip.txt", "judges.txt"]


def test_another_lock_is_another_environment(
    tmp_path: Path, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = environment.apart(tmp_path, "judges", "SDKs").folder
    shutil.copytree(REQUIREMENTS, tmp_path / "requirements")
    (tmp_path / "requirements" / "judges.txt").write_text("another==1.0 --hash=sha256:00")
    monkeypatch.setattr(environment, "REQUIREMENTS", tmp_path / "requirements")
    assert environment.apart(tmp_path, "judges", "SDKs").folder != before


LOCKS = sorted(REQUIREMENTS.glob("*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=[path.stem for path in LOCKS])
def test_a_lock_has_versions_and_hashes_and_names_no_index(lock: Path) -> None:
    """Written otherwise, it would send everybody to one machine's registry."""
    text = lock.read_text("utf-8")
    packages = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    assert packages and "://" not in text
    assert all("==" in package and "--hash=sha256:" in package for package in packages)


def test_no_lock_has_torch() -> None:
    """pip would replace a CUDA build by it."""
    names = {line.partition("==")[0].strip() for lock in LOCKS for line in lock.read_text("utf-8").splitlines()}
    assert not {name for name in names if name in ("torch", "torchvision", "torchaudio", "triton") or "nvidia" in name}
