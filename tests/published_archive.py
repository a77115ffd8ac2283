"""The archive that the Comfy registry gets: the files that git tracks, without those that `.comfyignore` names.

comfy-cli packs the same files (comfy_cli/file_utils.py, `zip_files`); `.comfyignore` has the syntax of .gitignore.
"""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_SHIPPED = (".ci", ".github", "benchmarks", "dev", "dev.py", "docs", "tests")
"""What only developers need, by its first path segment."""


def published_files() -> list[str]:
    """Paths of the archive's files, relative to the repository. Skips the test where this copy is no git checkout."""
    return sorted(_listed("ls-files") - _listed("ls-files", "-ci", "--exclude-from=.comfyignore"))


def tracked_files() -> list[str]:
    """Paths of all files that git tracks, relative to the repository. Skips the test where this copy is no git checkout."""
    return sorted(_listed("ls-files"))


def build(archive: Path) -> None:
    """Write the archive as a zip file, from the working tree."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name in published_files():
            target.write(ROOT / name, name)


def _listed(*arguments: str) -> set[str]:
    listed = subprocess.run(["git", *arguments, "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is no git checkout")
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
