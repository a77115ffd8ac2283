"""What runs on GitHub names commands, files and secrets that are there, and leaves no lock out of the audit."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pack.dev.commands import COMMANDS
from pack.dev.environment import REQUIREMENTS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
TEMPLATES = [path for path in sorted((FOLDER / "ISSUE_TEMPLATE").glob("*.yml")) if path.name != "config.yml"]


def load(path: Path) -> dict[Any, Any]:
    """A workflow. YAML reads its key `on` as true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    """The steps of all its jobs."""
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


def test_the_lists_are_found() -> None:
    assert {path.stem for path in WORKFLOWS} == {"audit", "publish", "tests"} and len(TEMPLATES) >= 3


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_commands_and_files_exist(path: Path) -> None:
    for step in steps(path):
        run = step.get("run", "")
        for command in re.findall(r"dev\.py (\w+)", run):
            assert command in {known.name for known in COMMANDS}
        for file in re.findall(r"(?<![\w/])\.ci/\w+", run):
            assert (ROOT / file).is_file()
        assert "working-directory" not in step or (ROOT / step["working-directory"]).is_dir()
    for event in load(path)[True].values():
        for pattern in (event or {}).get("paths", ()) if isinstance(event, dict) else ():
            assert list(ROOT.glob(pattern)), f"{pattern} matches nothing"


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_workflow_can_read_only_and_keeps_no_credentials(path: Path) -> None:
    assert load(path)["permissions"] == {"contents": "read"}
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_every_lock_is_audited() -> None:
    job = load(FOLDER / "workflows" / "audit.yml")["jobs"]["python"]
    assert set(job["strategy"]["matrix"]["lock"]) == {path.stem for path in REQUIREMENTS.glob("*.txt")}
    audit = next(step["run"] for step in job["steps"] if "pip_audit" in step.get("run", ""))
    assert "--strict" in audit, "a package that could not be looked up would pass"


def test_units_run_on_all_systems_and_pythons_that_dev_py_takes() -> None:
    matrix = load(FOLDER / "workflows" / "tests.yml")["jobs"]["unit"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "windows", "macos"}
    assert matrix["python"] == [f"3.{minor}" for minor in range(10, 15)]


def test_the_registry_s_secret_is_named_and_used_only_to_publish() -> None:
    found = {path.stem: re.findall(r"secrets\.(\w+)", path.read_text("utf-8")) for path in WORKFLOWS}
    assert found == {"audit": [], "publish": ["REGISTRY_ACCESS_TOKEN"], "tests": []}


@pytest.mark.parametrize("path", TEMPLATES, ids=[path.stem for path in TEMPLATES])
def test_an_issue_template_has_what_github_wants(path: Path) -> None:
    template = load(path)
    assert template["name"] and template["description"]
    ids = [part["id"] for part in template["body"] if part["type"] != "markdown"]
    assert ids and len(ids) == len(set(ids))
    assert all(part["attributes"].get("label") for part in template["body"] if part["type"] != "markdown")
