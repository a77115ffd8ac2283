"""The published archive holds everything that a user needs, and nothing that only developers do."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

from pack.tests.published_archive import NOT_SHIPPED, ROOT, build, published_files

SHIPPED = (
    "web",
    "locales",
    "example_workflows",
    "subgraphs",
    "example_providers",
    "simulator",
    "core",
    "nodes",
    "routes",
)


def test_help_locales_examples_and_the_simulator_are_published() -> None:
    """Each of these is fetched by the frontend, or run, in an installed pack."""
    published = set(published_files())
    here = {path.relative_to(ROOT).as_posix() for folder in SHIPPED for path in (ROOT / folder).rglob("*")}
    assert published >= {
        name for name in here if Path(name).suffix in (".md", ".json", ".jpg", ".mjs", ".css", ".yaml")
    }
    assert {"web/docs/NanoBananaGenerate.md", "simulator/offline.py", "core/providers/builtin/offline.py"} <= published


def test_tests_and_tools_are_not_published() -> None:
    """Doubles and fixtures of tests have no business on a user's machine."""
    assert not [name for name in published_files() if name.partition("/")[0] in NOT_SHIPPED]
    assert all((ROOT / name).exists() for name in NOT_SHIPPED), "a name here is out of date"


def test_nothing_that_is_published_imports_what_is_not() -> None:
    """Absolute or relative, at the top of a module or inside a function."""
    for name in published_files():
        if name.endswith(".py"):
            found = imports(name)
            assert not {part for part in found if part.split(".")[0] in NOT_SHIPPED or part == "pack"}, name


def imports(name: str) -> set[str]:
    """What a module imports, relative imports resolved against the repository."""
    found = set()
    package = list(Path(name).parent.parts)
    for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            found |= {".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names}
    return found


def test_the_archive_has_each_file_once_with_its_bytes(tmp_path: Path) -> None:
    build(tmp_path / "pack.zip")
    with zipfile.ZipFile(tmp_path / "pack.zip") as archive:
        assert archive.namelist() == published_files() and archive.testzip() is None
        assert all(archive.read(name) == (ROOT / name).read_bytes() for name in archive.namelist())
