"""Runs harnesses for a long time, and saves what they find. Called by `dev.py fuzz`, one process for each core."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import harness  # noqa: E402  (puts the pack under its name)
from harnesses import HARNESSES  # noqa: E402


def main(arguments: list[str]) -> int:
    """Exit code 1 where something was found."""
    parser = argparse.ArgumentParser(prog="dev.py fuzz", description=__doc__)
    parser.add_argument("--harness", action="append", choices=[each.name for each in HARNESSES])
    parser.add_argument("--minutes", type=float, default=1.0, help="in all, shared evenly by the harnesses")
    parser.add_argument("--inputs", type=int, default=sys.maxsize, help="at most so many for each harness")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first input: with --inputs 1 that one again"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where inputs that broke a promise are written")
    chosen = parser.parse_args(arguments)
    found = [each for each in HARNESSES if not chosen.harness or each.name in chosen.harness]
    os.nice(5) if hasattr(os, "nice") else None
    bad = 0
    for each in found:
        report = harness.fuzz(
            each, chosen.seed, inputs=chosen.inputs, seconds=chosen.minutes * 60 / len(found), first=chosen.first
        )
        print(report.text(), flush=True)
        save(report, chosen.folder)
        bad += len(report.findings)
    return 1 if bad else 0


def save(report: harness.Report, folder: Path) -> None:
    """Writes the inputs and how they failed, and adds to the folder's record of figures."""
    target = folder / report.harness
    target.mkdir(parents=True, exist_ok=True)
    for finding in report.findings.values():
        (target / f"{finding.name}.input").write_bytes(finding.data)
        (target / f"{finding.name}.txt").write_text(f"{finding.where}\n\n{finding.trace}", "utf-8", "backslashreplace")
    facts = {
        "harness": report.harness,
        "seed": report.seed,
        "inputs": report.inputs,
        "seconds": round(report.seconds, 1),
    }
    facts["findings"] = sorted(finding.where for finding in report.findings.values())
    with (folder / "runs.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
