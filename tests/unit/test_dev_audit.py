"""An audit that reached no database is a failure, however cheerfully it ended. And the workflow that runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pack.dev import audit, pins
from pack.dev.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CLEAN = {"dependencies": [{"name": "Google_Auth", "version": "2.0", "vulns": []}], "fixes": []}
VULNERABLE = {"dependencies": [{"name": "google-auth", "version": "2.0", "vulns": [{"id": "PYSEC-2026-1"}]}]}
NPM: dict[str, Any] = {"auditReportVersion": 2, "vulnerabilities": {}, "metadata": {"dependencies": {"total": 90}}}


def test_a_clean_report_is_about_every_requirement() -> None:
    assert audit.pip_findings(CLEAN, ["google-auth==2.0", "google.auth"]) == []
    assert audit.pip_findings(VULNERABLE, ["google-auth==2.0"]) == ["google-auth 2.0: PYSEC-2026-1"]
    with pytest.raises(audit.NoAnswer, match="numpy"):
        audit.pip_findings(CLEAN, ["google-auth==2.0", "numpy==2"])


# What pip-audit 2.10 wrote, and ended with "No known vulnerabilities found", where the index has no such database.
SKIPPED = {"name": "pip", "skip_reason": "Dependency not found on PyPI and could not be audited: pip (26.3)"}


@pytest.mark.parametrize(
    "report", [{"dependencies": [SKIPPED], "fixes": []}, {"dependencies": []}, {}, [], None, "x", {"dependencies": [1]}]
)
def test_a_report_of_pip_audit_that_says_nothing_is_a_failure(report: Any, tmp_path: Path) -> None:
    requirements, file = tmp_path / "r.txt", tmp_path / "r.json"
    requirements.write_text("pip==26.3\n")
    file.write_text(json.dumps(report))
    assert audit.main(["pip", str(file), str(requirements)]) == 2


# What npm 11 wrote where the registry has no such route, and where there is none.
REFUSED = {"message": "405 Method Not Allowed - POST ...", "statusCode": 405, "error": {"summary": "", "detail": ""}}
NOBODY = {"message": "request to ... failed, reason: connect ECONNREFUSED", "error": {"summary": "", "detail": ""}}


@pytest.mark.parametrize(
    "report", [REFUSED, NOBODY, {}, [], {**NPM, "metadata": {}}, {**NPM, "metadata": {"dependencies": {"total": 0}}}]
)
def test_a_report_of_npm_that_says_nothing_is_a_failure(report: Any, tmp_path: Path) -> None:
    file = tmp_path / "npm.json"
    file.write_text(json.dumps(report))
    assert audit.main(["npm", str(file)]) == 2


@pytest.mark.parametrize("content", [None, "", "{"])
def test_no_report_is_a_failure(content: str | None, tmp_path: Path) -> None:
    """As pip-audit leaves it when it was cut off."""
    file = tmp_path / "x.json"
    if content is not None:
        file.write_text(content)
    assert audit.main(["npm", str(file)]) == audit.main(["pip", str(file), str(file)]) == 2


def test_a_vulnerability_of_npm_is_found(tmp_path: Path) -> None:
    assert audit.npm_findings(NPM) == []
    file = tmp_path / "npm.json"
    file.write_text(json.dumps({**NPM, "vulnerabilities": {"zod": {"severity": "high", "range": "<4"}}}))
    assert audit.main(["npm", str(file)]) == 1


def test_everything_that_is_pinned_is_audited() -> None:
    listed = {audit.name_of(each) for each in (*audit.SETS["installer"], *audit.SETS["tools"], *audit.SETS["judges"])}
    pinned = (pins.PIP, *pins.TOOLS, *pins.JUDGES, *pins.GUIDED, *pins.COVERAGE, pins.NODE)
    assert listed == {audit.name_of(each) for each in pinned}


# ------------------------------------------------------------------------------------------------------- workflows


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_is_plain_and_pinned(file: Path) -> None:
    """It may read the repository only, ends by itself, and uses GitHub's own actions by their major version."""
    workflow = yaml.safe_load(file.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    for step in steps(workflow):
        assert set(step) <= {"uses", "with", "run", "working-directory"}
        assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    triggers = workflow[True]  # YAML 1.1 reads `on` as a truth
    for event in ("push", "pull_request"):
        for path in (triggers.get(event) or {}).get("paths", ()):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_runs_what_there_is(file: Path) -> None:
    """Every module, command and folder that its steps name."""
    named = 0
    for step in steps(yaml.safe_load(file.read_text("utf-8"))):
        run = step.get("run", "")
        assert (ROOT / step.get("working-directory", ".")).is_dir()
        for module, argument in re.findall(r"python3? -m (dev\.\w+) (\w+)", run):
            named += 1
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
            assert module != "dev.audit" or argument in ("requirements", "pip", "npm")
        for name in re.findall(r"dev\.audit requirements (\w+)", run):
            assert name in audit.SETS
        for command in re.findall(r"dev\.py (\w+)", run):
            named += 1
            assert command in {each.name for each in COMMANDS}
    assert named


def test_a_report_that_a_workflow_makes_is_read_whatever_the_tool_s_exit_code() -> None:
    """The tools' own end says nothing: pip-audit ends well where it could look up nothing."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yml").read_text("utf-8"))
    runs = [step["run"] for step in steps(workflow) if "run" in step]
    made = {
        name for run in runs for name in re.findall(r"(?:--output |> (?:\.\./)*)(\w+\.json)", run) if "|| true" in run
    }
    read = {name for run in runs for name in re.findall(r"dev\.audit (?:pip|npm) (\w+\.json)", run)}
    assert made == read == {"installer.json", "tools.json", "judges.json", "npm.json"}


# What pip-audit 2.10.1 wrote about a database that answers, of `pip==26.3` (the newest) and `six==1.16.0`.
ANSWERED = {
    "dependencies": [
        {
            "name": "six",
            "version": "1.16.0",
            "vulns": [{"id": "PYSEC-2026-77", "fix_versions": ["99"], "aliases": ["CVE-2026-1"], "description": "s"}],
        }
    ],
    "fixes": [],
}


def test_the_installer_is_looked_up_as_it_is_written() -> None:
    """Beside the others it is missing from the report whenever the newest one is pinned."""
    assert audit.pip_findings(ANSWERED, ["six==1.16.0"]) == ["six 1.16.0: PYSEC-2026-77"]
    with pytest.raises(audit.NoAnswer, match="pip"):
        audit.pip_findings(ANSWERED, ["pip==26.3", "six==1.16.0"])
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yml").read_text("utf-8"))
    runs = [step["run"] for step in steps(workflow) if "pip_audit --requirement" in step.get("run", "")]
    for run in runs:
        (name,) = re.findall(r"--requirement (\w+)\.txt", run)
        as_written = "--no-deps --disable-pip" in run
        assert as_written == any(audit.name_of(each) == "pip" for each in audit.SETS[name])
