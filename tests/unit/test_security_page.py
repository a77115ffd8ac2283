"""SECURITY.md names tests and files: each of them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_each_line_of_the_threat_model_names_its_attacks() -> None:
    table = PAGE.partition("## Threat model")[2].partition("\n## ")[0]
    specs = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(specs) == 6
    assert all(len(re.findall(r"`tests/[\w/]+\.py::\w+`", spec)) >= 2 for spec in specs)


def test_every_file_with_figures_exists() -> None:
    """And each file that a harness attacks has its figures."""
    table = PAGE.partition("## Fuzzing")[2].partition("\n## ")[0]
    files = re.findall(r"`((?:core|routes|nodes|simulator)/[\w/]+\.py)`", table)
    assert len(files) > 20
    assert all((ROOT / file).is_file() for file in files)
    names = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert names == {file.stem.removeprefix("fuzz_") for file in (ROOT / "tests" / "fuzz").glob("fuzz_*.py")}
