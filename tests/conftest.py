"""Loads the pack as ComfyUI does, by its path and under one fixed name, so that tests can say `from pack.core import ...`.

The root `__init__` is not run: it needs a ComfyUI around it. Tests of the nodes in a real host are in `tests/host`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

if "pack" not in sys.modules:
    spec = importlib.machinery.ModuleSpec("pack", None, is_package=True)
    spec.submodule_search_locations = [str(ROOT)]
    sys.modules["pack"] = importlib.util.module_from_spec(spec)


@pytest.fixture
def one_day() -> None:
    """For tests of what is said about today: right before midnight they wait for the new day, or it would come in between."""
    now = datetime.now()
    left = (now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now).total_seconds()
    if left < 90:
        time.sleep(left + 0.1)
