"""A data folder in memory where there is one, for harnesses whose subjects read files."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")


def folder(name: str) -> Path:
    """An empty folder of this process, gone at its end."""
    above = _MEMORY if _MEMORY.is_dir() else None
    made = Path(tempfile.mkdtemp(prefix=f"nano-banana-fuzz-{name}-", dir=above))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
