"""A data folder for harnesses whose subjects read files.

`dev.py` names a folder in memory with TMPDIR, and removes it: atheris and a signal end a process without `atexit`.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def folder(name: str) -> Path:
    """An empty folder of this process, gone at its end."""
    made = Path(tempfile.mkdtemp(prefix=f"nano-banana-fuzz-{name}-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
