"""Imports point downwards only: each part of the pack imports what is before it in `ORDER`, and nothing after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACK = Path(__file__).parents[2]
ORDER = """
    core.errors core.redaction core.images core.files
    core.providers core.request
    core.http
    core.config core.dialects
    core.keys core.ledger core.custom_providers
    core.planning
    core.execution
    core.engine
    core.estimate core.cli
    simulator comfyui nodes routes
""".split()


def test_imports_point_downwards_only() -> None:
    upward = {(module, imported) for module, imported in imports() if rank(imported) > rank(module)}
    assert not upward


def test_every_part_of_core_has_a_place_in_the_order() -> None:
    parts = {
        f"core.{path.stem}"
        for path in (PACK / "core").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert parts - {"core.__init__"} == {name for name in ORDER if name.startswith("core.")}


def rank(module: str) -> int:
    """Place in the order. What is not in it (the extension) comes last."""
    parts = module.split(".")
    name = ".".join(parts[:2]) if parts[0] == "core" else parts[0]
    return ORDER.index(name) if name in ORDER else len(ORDER)


def imports() -> Iterator[tuple[str, str]]:
    """Every import of one of the pack's modules by another, type checking included: (module, imported module)."""
    files = [
        PACK / "comfyui.py",
        *(path for part in ("core", "nodes", "routes") for path in (PACK / part).rglob("*.py")),
    ]
    for path in files:
        module = path.relative_to(PACK).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = [*module[: len(module) - node.level], *(node.module or "").split(".")]
            for alias in node.names:
                target = ".".join(part for part in [*base, alias.name] if part)
                found = PACK.joinpath(*target.split("."))
                is_module = found.with_suffix(".py").exists() or found.is_dir()
                yield ".".join(module), target if is_module else target.rpartition(".")[0]
