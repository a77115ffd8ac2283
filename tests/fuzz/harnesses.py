"""Every harness there is. One of them is a module `fuzz_<name>.py` with a `HARNESS`."""

from __future__ import annotations

import importlib
from pathlib import Path

from harness import Harness

HARNESSES: tuple[Harness, ...] = tuple(
    importlib.import_module(file.stem).HARNESS for file in sorted(Path(__file__).parent.glob("fuzz_*.py"))
)
