"""What a published archive holds: everything that a user needs, and nothing that only developers do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def left_out() -> set[str]:
    """The tracked files that `.comfyignore` keeps out of an archive, as git reads such a file."""
    command = ["git", "ls-files", "-ci", "--exclude-from=.comfyignore"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is no git checkout")
    return set(listed.stdout.split())


def test_help_locales_examples_and_the_simulator_are_published(left_out: set[str]) -> None:
    """Each of these is fetched by the frontend, or run, in an installed pack."""
    shipped = ("web", "locales", "example_workflows", "example_providers", "simulator", "core", "nodes", "routes")
    assert not [name for name in left_out if name.partition("/")[0] in shipped]
    assert (ROOT / "web" / "docs" / "NanoBananaGenerate.md").is_file()


def test_tests_and_tools_are_not_published(left_out: set[str]) -> None:
    """Doubles and fixtures of tests have no business on a user's machine."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    developers = [name for name in tracked if name.partition("/")[0] in ("tests", "dev", "benchmarks", "docs", ".ci")]
    assert developers and set(developers) <= left_out
