"""comfy-cli, the registry's own client, in an environment of its own: it validates and packs the pack for a test.

It is told not to report its use, and keeps its settings in a folder that the caller names.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import environment
from .cache import opened
from .env import clean

NAME, TITLE = "registry", "The registry's client"


def make() -> None:
    """Installs it. Raises UserError where it can't be had."""
    environment.apart(opened(), NAME, TITLE)


def is_ready() -> bool:
    """Whether `make` has installed it."""
    made, steps = environment.plan_apart(opened(), NAME, TITLE)
    return made.stamped(steps)


def run(arguments: Sequence[str], folder: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    """Runs `comfy` in a folder; `home` is where it keeps its settings. Its output is text."""
    made, _ = environment.plan_apart(opened(), NAME, TITLE)
    settings = {"HOME": str(home), "USERPROFILE": str(home), "COMFY_NO_TELEMETRY": "1"}
    return subprocess.run(
        [str(made.python), "-m", "comfy_cli", "--skip-prompt", *arguments],
        cwd=folder,
        env=clean(os.environ, settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
