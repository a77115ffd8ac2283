"""A provider is one file and its double: in a copy of the tree both are dropped in, and everything else follows by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pack.core.providers import BUILT_IN

ROOT = Path(__file__).resolve().parents[3]
COPIED = ("core", "dev", "docs", "example_providers", "simulator", "tests/doubles", "web", "locales")
PROVIDER = '''"""Acme. Documents: none, it is made up."""

from ..builder import fields, model
from ..spec import SIZES, Endpoint, Price, ProviderSpec

_FIELDS = fields(aspect_ratio="aspect_ratio", resolution="image_size")

PROVIDER = ProviderSpec(
    id="acme",
    label="Acme Images",
    rank=35,
    dialect="openai_images",
    base_url="https://api.acme.example",
    auth_header="Authorization",
    auth_template="Bearer {key}",
    docs=("https://acme.example/docs",),
    checked="2026-11-27",
    endpoints={
        "generate": Endpoint("/v1/images/generations", _FIELDS),
        "edit": Endpoint("/v1/images/edits", _FIELDS, references_field="image"),
    },
    models=(model("nano-banana-3", "pro3", "banana-3", SIZES, price=Price({"1K": 0.05}, "its page", "2026-11-27")),),
    recommended="nano-banana-3",
    reference_encoding="multipart",
)
'''
LOOK = """
import importlib.machinery, importlib.util, json, sys
from pathlib import Path
spec = importlib.machinery.ModuleSpec("pack", None, is_package=True)
spec.submodule_search_locations = [sys.argv[1]]
sys.modules["pack"] = importlib.util.module_from_spec(spec)
sys.path.insert(0, sys.argv[1])
from dev.provider_tables import judges_page
from pack.core.providers import BUILT_IN, model_names
from pack.tests.doubles.providers import find_apis
print(json.dumps({
    "order": list(BUILT_IN),
    "models": model_names(BUILT_IN.values()),
    "doubles": sorted(find_apis()),
    "judges": judges_page(BUILT_IN.values(), []),
}))
"""


def files_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what knows providers."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.jpg"))
    for name in ("dev.py", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(tree: Path, *arguments: str) -> str:
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environ, capture_output=True, text=True, timeout=200
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_order_tables_and_doubles_follow_from_one_file_and_its_double(tree: Path) -> None:
    """No other file is changed but the pages that `dev.py table` writes."""
    before = files_of(tree)
    (tree / "core" / "providers" / "builtin" / "acme.py").write_text(PROVIDER, "utf-8")
    double = (tree / "tests" / "doubles" / "providers" / "nanobanana.py").read_text("utf-8")
    (tree / "tests" / "doubles" / "providers" / "acme.py").write_text(double.replace('"nanobanana"', '"acme"'), "utf-8")
    run(tree, "dev.py", "table")
    found: dict[str, Any] = json.loads(run(tree, "-c", LOOK, str(tree)))

    at = list(BUILT_IN).index("onerouter") + 1
    assert found["order"] == [*list(BUILT_IN)[:at], "acme", *list(BUILT_IN)[at:]], "by its rank"
    assert "nano-banana-3" in found["models"] and "acme" in found["doubles"]
    assert "| **Acme Images** `acme` | nobody |" in found["judges"]
    after = files_of(tree)
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {
        "core/providers/builtin/acme.py",
        "tests/doubles/providers/acme.py",
        "README.md",
        "docs/providers.md",
        "docs/settings.md",
        "example_providers/README.md",
    }
    assert b"| Acme Images `acme` | 3 | $0.05 | no |" in after["README.md"]
    assert b"**Acme Images** `acme`" in after["docs/providers.md"]


@pytest.mark.parametrize(
    "folder", ["web", "routes", "nodes", "core/planning", "core/execution", "core/keys", "core/config"]
)
def test_no_other_code_names_a_provider(folder: str) -> None:
    """What a provider does is data of its file: a quoted id elsewhere would be one more place to touch."""
    ids = {name for name in BUILT_IN if name != "offline"}
    named = {
        f"{path.name}: {name}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".mjs", ".js")
        for name in ids
        if f'"{name}"' in (text := path.read_text("utf-8")) or f"'{name}'" in text
    }
    assert named <= KNOWN, named


KNOWN = {f"provider_config.py: {name}" for name in ("vertex", "fal", "replicate", "openrouter")}
"""Words by which a person searches for the node."""
