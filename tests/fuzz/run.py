"""Runs harnesses for a long time, and saves what they find. Called by `dev.py fuzz`, one process for each core."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
HERE = "NANO_BANANA_FUZZ_HERE"
"""Set: harnesses with a child process work without it, where their branches can be measured."""


def main(arguments: list[str]) -> int:
    """Exit code 1 where something was found."""
    parser = argparse.ArgumentParser(prog="dev.py fuzz", description=__doc__)
    parser.add_argument("--harness", action="append", help="only this one (several may be named)")
    parser.add_argument("--minutes", type=float, default=1.0, help="in all, shared evenly by the harnesses")
    parser.add_argument("--inputs", type=int, default=sys.maxsize, help="at most so many for each harness")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first input: with --inputs 1 that one again"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where inputs that broke a promise are written")
    parser.add_argument("--coverage", default="", help="the folder that coverage was installed into: measure branches")
    chosen = parser.parse_args(arguments)
    measured = started(chosen.coverage) if chosen.coverage else None
    if measured is not None:
        os.environ[HERE] = "1"
        warnings.simplefilter("ignore")  # of the image library, about the inputs
    import harness
    from harnesses import HARNESSES

    found = [each for each in HARNESSES if not chosen.harness or each.name in chosen.harness]
    bad = 0
    for each in found:
        report = harness.fuzz(
            each, chosen.seed, inputs=chosen.inputs, seconds=chosen.minutes * 60 / len(found), first=chosen.first
        )
        print(report.text(), flush=True)
        save(report, chosen.folder)
        bad += len(report.findings)
    if measured is not None:
        measured.stop()
        for line in branches(measured, sorted({file for each in found for file in each.subjects})):
            print(line)
    return 1 if bad else 0


def started(packages: str) -> Any:
    """A measurement of branches that has begun. `packages` is looked into last: the host's own packages count."""
    sys.path.append(packages)
    import coverage

    # Not under this folder's name for the pack: coverage knows files.
    measured = coverage.Coverage(branch=True, data_file=None, include=[str(Path(__file__).resolve().parents[2] / "*")])
    measured.start()
    return measured


def branches(measured: Any, files: Sequence[str]) -> list[str]:
    """A line for each file: how many of its branches were taken."""
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        measured.json_report(include=[str(root / file) for file in files], outfile=f"{folder}/report.json")
        report = json.loads(Path(folder, "report.json").read_text("utf-8"))["files"]
    counted = {Path(name).resolve().relative_to(root).as_posix(): each["summary"] for name, each in report.items()}
    lines = []
    for file in files:
        taken, there = (
            (counted[file][name] for name in ("covered_branches", "num_branches")) if file in counted else (0, 0)
        )
        lines.append(f"{file}: {taken} of {there} branches" + (f" ({100 * taken / there:.0f} %)" if there else ""))
    return lines


def save(report: Any, folder: Path) -> None:
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
