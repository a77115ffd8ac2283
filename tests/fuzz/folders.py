"""A data folder for harnesses whose subjects read files: in memory where there is a file system in memory."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ABOVE = "NANO_BANANA_FUZZ_FOLDER"
"""The folder that data folders are made in. Who sets it removes it: atheris and a signal end a process without `atexit`."""


def folder(name: str) -> Path:
    """An empty folder of this process, gone at its end."""
    above = os.environ.get(ABOVE) or (MEMORY if MEMORY.is_dir() else None)
    made = Path(tempfile.mkdtemp(prefix=f"nano-banana-fuzz-{name}-", dir=above))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
