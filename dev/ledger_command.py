"""`dev.py ledger`: hands over to the pack's `ledger.py` with a Python that can run it. Called by `commands.py`."""

import importlib.util
import os
import subprocess
import sys

from . import environment
from .cache import ROOT, opened


def run(arguments: list[str]) -> int:
    """Runs the ledger's command. Without a ComfyUI of its own, the data of `dev.py host` is meant."""
    variables = dict(os.environ)
    here = all(importlib.util.find_spec(name) for name in ("sqlalchemy", "filelock", "requests", "PIL", "numpy"))
    python = sys.executable if here else str(environment.make().python)
    in_comfyui = ROOT.parent.name == "custom_nodes"
    if "--home" not in arguments and not variables.get("NANO_BANANA_HOME") and not in_comfyui:
        variables["NANO_BANANA_HOME"] = str(opened() / "host" / "user" / "__nano_banana")
    return subprocess.call([python, str(ROOT / "ledger.py"), *arguments], env=variables)
