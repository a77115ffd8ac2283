"""Files stay readable: no long class, no long function, few entries at the top of `core/`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("core", "nodes", "routes")
MOST_LINES = {ast.ClassDef: 250, ast.FunctionDef: 60, ast.AsyncFunctionDef: 60}
MOST_ENTRIES = 18


def lengths(source: str) -> Iterator[tuple[str, int, int]]:
    """The name of each class and function, its lines, and how many it may have."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1, MOST_LINES[type(node)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_class_and_no_function_is_long(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    found = [(path, *each) for path in paths for each in lengths(path.read_text("utf-8"))]
    assert [
        f"{path.relative_to(ROOT)}: {name} has {lines} lines" for path, name, lines, most in found if lines > most
    ] == []


def test_a_long_function_would_be_found() -> None:
    source = "class A:\n    async def long(self):\n" + "        pass\n" * 60
    assert [name for name, lines, most in lengths(source) if lines > most] == ["long"]


def test_the_top_of_core_is_short() -> None:
    assert len([entry for entry in (ROOT / "core").iterdir() if entry.name != "__pycache__"]) <= MOST_ENTRIES
