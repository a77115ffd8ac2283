"""Node and its packages: fetched once for each lock, never half there, and its failures in one sentence."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pack.dev import environment, node, test_command
from pack.dev.environment import Environment, InstallFailed
from pack.dev.node import NoNode, make, npm_error
from pack.dev.user_error import UserError

LOCK = Path(node.__file__).with_name("javascript") / "package-lock.json"

NPM = """
import json, pathlib, sys
here = pathlib.Path.cwd()
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([sys.argv[1:], (here / "package-lock.json").read_text()]) + "\\n")
(here / "node_modules").mkdir()
print({printed!r})
raise SystemExit({code})
"""


class Machine:
    """A cache, a lock to follow, and stand-ins: pip fetches nothing, npm is a script that notes how it was called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache = folder / "cache"
        self.wanted = folder / "wanted"
        self.wanted.mkdir()
        self.pip: list[str] = []
        self.failing: Exception | None = None
        self._script = folder / "npm.py"
        self._calls = folder / "calls"
        self.lock("one")
        self.npm()
        monkeypatch.setattr(environment, "make_venv", lambda python, folder: None)
        monkeypatch.setattr(Environment, "install_locked", lambda environment, name: self._fetch(f"{name}.txt"))
        monkeypatch.setattr(Environment, "_runs", lambda environment: True)
        monkeypatch.setattr(node.Node, "program", Path(sys.executable))
        monkeypatch.setattr(node.Node, "npm", self._script)

    def _fetch(self, name: str) -> None:
        if self.failing:
            raise self.failing
        self.pip.append(name)

    def lock(self, text: str) -> None:
        """The lock to follow from now on."""
        (self.wanted / "package.json").write_text("{}")
        (self.wanted / "package-lock.json").write_text(text)

    def npm(self, printed: str = "", code: int = 0) -> None:
        """What npm prints and ends with from now on."""
        self._script.write_text(NPM.format(calls=str(self._calls), printed=printed, code=code))

    def calls(self) -> list[Any]:
        """Arguments of npm and the lock it saw, call by call."""
        return [json.loads(line) for line in self._calls.read_text().splitlines()] if self._calls.exists() else []

    def make(self) -> node.Node:
        """One run of a person's."""
        return make(self.cache, self.wanted)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with an empty cache."""
    return Machine(tmp_path, monkeypatch)


def test_nothing_is_fetched_twice(machine: Machine) -> None:
    first = machine.make()
    assert machine.make().packages == first.packages
    assert machine.pip == ["pip.txt", "node.txt"]
    assert len(machine.calls()) == 1
    assert first.packages.is_dir()


def test_a_changed_lock_is_followed_and_the_old_one_is_still_there(machine: Machine) -> None:
    first = machine.make()
    machine.lock("two")
    second = machine.make()
    machine.lock("one")
    assert machine.make().packages == first.packages != second.packages
    assert [seen for _, seen in machine.calls()] == ["one", "two"]
    assert machine.pip.count("node.txt") == 1


def test_npm_follows_the_lock_and_runs_nothing_of_a_package(machine: Machine) -> None:
    machine.make()
    ((arguments, _),) = machine.calls()
    assert arguments[0] == "ci" and "--ignore-scripts" in arguments


def test_what_npm_left_when_it_failed_is_not_taken_for_packages(machine: Machine) -> None:
    machine.npm("npm error code ENOTFOUND", code=1)
    with pytest.raises(NoNode, match="ENOTFOUND"):
        machine.make()
    assert not list(machine.cache.glob("node-*/packages-*"))
    machine.npm()
    assert machine.make().packages.is_dir()
    assert machine.pip.count("node.txt") == 1


def test_pip_without_a_network_means_no_node(machine: Machine) -> None:
    machine.failing = InstallFailed("The package index can't be reached.")
    with pytest.raises(NoNode, match="can't be reached"):
        machine.make()
    assert machine.calls() == []


def test_a_node_that_does_not_start_means_no_node(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(node.Node, "program", tmp_path / "gone")
    with pytest.raises(NoNode, match="doesn't run on this machine"):
        machine.make()
    assert machine.calls() == []


@pytest.mark.parametrize(
    ("printed", "kind", "message"),
    [
        ("npm error code ENOTFOUND\nnpm error network request failed", NoNode, "(ENOTFOUND)"),
        ("npm ERR! code E404", NoNode, "(E404)"),
        ("npm error code ENOSPC", NoNode, "disk is full"),
        ("npm warn x\nnpm error Something new", NoNode, "(npm error Something new)"),
        ("Segmentation fault", NoNode, "(Segmentation fault)"),
        ("", NoNode, "it said nothing"),
        ("npm error code EUSAGE\nnpm error `npm ci` can only install", UserError, "doesn't match package.json"),
        ("npm warn x\nnpm error code EINTEGRITY", UserError, "isn't the pinned one"),
    ],
)
def test_failures_are_one_sentence(tmp_path: Path, printed: str, kind: type[UserError], message: str) -> None:
    """What the network or the machine lacks is a NoNode, a lock that nobody can follow is not: it must not be skipped."""
    found = npm_error(printed, tmp_path, tmp_path / "npm.log")
    assert type(found) is kind
    assert message in str(found) and "\n" not in str(found)


def test_without_node_the_checks_are_skipped_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(cache: Path) -> node.Node:
        raise NoNode("no wheel for this machine")

    monkeypatch.setattr(test_command.node, "make", refuse)
    install = test_command.ComfyInstall(tmp_path, Path(sys.executable), Path(sys.executable), fetched=True, why="")
    stages = test_command.Stages(install, tmp_path, tmp_path)
    stages.browser_side()
    reason = "no wheel for this machine"
    assert stages.results == [test_command.Result(name, "skipped", note=reason) for name in ("tsc", "eslint")]
    assert f"== tsc\nskipped: {reason}" in capsys.readouterr().out


def test_the_lock_names_checksums_and_no_registry() -> None:
    """Written without the option that leaves it out, it would send everybody to one machine's registry."""
    packages = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    del packages[""]
    assert len(packages) > 50
    assert [name for name, entry in packages.items() if "resolved" in entry or not entry.get("integrity")] == []


def test_the_packages_asked_for_are_pinned_to_the_digit_and_locked_so() -> None:
    asked = json.loads(LOCK.with_name("package.json").read_text(encoding="utf-8"))["devDependencies"]
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    assert asked == {name: locked[f"node_modules/{name}"]["version"] for name in asked}
