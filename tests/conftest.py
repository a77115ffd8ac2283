"""Loads the pack as ComfyUI does, by its path and under one fixed name, so that tests can say `from pack.core import ...`.

The root `__init__` is not run: it needs a ComfyUI around it. Tests of the nodes in a real host are in `tests/host`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if "pack" not in sys.modules:
    spec = importlib.machinery.ModuleSpec("pack", None, is_package=True)
    spec.submodule_search_locations = [str(ROOT)]
    sys.modules["pack"] = importlib.util.module_from_spec(spec)
