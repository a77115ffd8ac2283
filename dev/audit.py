"""Reads what pip-audit and npm audit wrote, for `.github/workflows/audit.yml`: an audit that reached no database has failed.

    python -m dev.audit requirements installer|tools|judges     the pins as a requirements file
    python -m dev.audit pip REPORT REQUIREMENTS       pip-audit's JSON, which has to be about every requirement
    python -m dev.audit npm REPORT                    npm audit's JSON

Exit code 0 when every package was looked up and none has a known vulnerability, 1 when one has, 2 when the report says nothing.
The formats: pip-audit's README ("JSON": `dependencies`, each with `vulns` or `skip_reason`) and npm's `npm audit --json`
(`auditReportVersion` 2: `vulnerabilities`, `metadata`; `error` or `message` where the registry was not reached).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import pins

SETS = {
    "installer": (pins.PIP,),
    "tools": (*pins.TOOLS, *pins.GUIDED, *pins.COVERAGE, pins.NODE),
    "judges": pins.JUDGES,
}
"""The host and torch are not in them: which ComfyUI runs the pack is its user's choice.

pip is looked up apart, as it is written: pip-audit brings the newest one into its own environment and lists only what would
be installed beside it, so that a pin of the newest would be missing from its report.
"""


class NoAnswer(Exception):
    """The report doesn't say what it should: the database was not asked, or not about everything."""


def name_of(requirement: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[;=<>~!]", requirement.strip())[0]).lower()


def pip_findings(report: Any, requirements: Sequence[str]) -> list[str]:
    """A line for each vulnerability in pip-audit's report. Raises NoAnswer unless every requirement was looked up."""
    listed = report.get("dependencies") if isinstance(report, dict) else None
    if not isinstance(listed, list) or not listed:
        raise NoAnswer("pip-audit lists no packages")
    found: list[str] = []
    asked: set[str] = set()
    for each in listed:
        if not isinstance(each, dict) or not isinstance(each.get("vulns"), list):
            why = each.get("skip_reason") if isinstance(each, dict) else None
            raise NoAnswer(f"pip-audit did not look up {each.get('name') if isinstance(each, dict) else each}: {why}")
        asked.add(name_of(str(each.get("name"))))
        found += [f"{each['name']} {each.get('version')}: {vuln.get('id')}" for vuln in each["vulns"]]
    missing = sorted({name_of(each) for each in requirements} - asked)
    if missing:
        raise NoAnswer(f"pip-audit says nothing about {', '.join(missing)}")
    return found


def npm_findings(report: Any) -> list[str]:
    """A line for each vulnerable package in npm's report. Raises NoAnswer where it is none of packages."""
    if not isinstance(report, dict) or "error" in report or report.get("auditReportVersion") != 2:
        told = (report.get("message") or report.get("error")) if isinstance(report, dict) else report
        raise NoAnswer(f"npm audit did not get an answer: {json.dumps(told)[:300]}")
    metadata = report.get("metadata")
    counts = metadata.get("dependencies") if isinstance(metadata, dict) else None
    if not isinstance(counts, dict) or not counts.get("total") or not isinstance(report.get("vulnerabilities"), dict):
        raise NoAnswer("npm audit counts no packages")
    return [f"{name}: {each.get('severity')} ({each.get('range')})" for name, each in report["vulnerabilities"].items()]


def main(arguments: Sequence[str]) -> int:
    """The exit code, as the module says."""
    what, *rest = arguments
    if what == "requirements":
        print("\n".join(SETS[rest[0]]))
        return 0
    try:
        report = json.loads(Path(rest[0]).read_text("utf-8"))
        if what == "pip":
            lines = [line for line in Path(rest[1]).read_text("utf-8").splitlines() if line.strip()]
            found = pip_findings(report, lines)
        else:
            found = npm_findings(report)
    except (OSError, ValueError, NoAnswer) as error:
        print(f"The audit failed: {error}")
        return 2
    print("\n".join(found) or "No known vulnerability.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
