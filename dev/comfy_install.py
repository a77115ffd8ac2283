"""Which ComfyUI and which Python: the one COMFYUI_DIR names, the one the clone sits in, or the fetched one.

It only looks. A ComfyUI of the user's is never written to and nothing is installed into its Python. Called by
`environment.py`; tests ask `environment.ready()`.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .user_error import UserError


@dataclass(frozen=True)
class ComfyInstall:
    """A host that can be started."""

    comfyui: Path
    """The folder with `main.py`."""
    python: Path
    """The Python that runs it."""
    tools: Path
    """The Python that has pytest and the like and sees the host's packages; equal to `python` when fetched."""
    fetched: bool
    """True: our own, the launcher may bridge it. False: the user's, started as it is."""
    why: str
    """How it was chosen, for the person."""


def _binaries(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def own_python(comfyui: Path) -> Path | None:
    """A ComfyUI's own Python: its venv, or the embedded one that lies beside it in the portable Windows build."""
    candidates = [_binaries(comfyui / name) for name in (".venv", "venv", "env")]
    embedded = [folder / "python_embeded" / "python.exe" for folder in (comfyui.parent, comfyui)]
    return next((path for path in candidates + embedded if path.is_file()), None)


def imports_torch(python: Path) -> bool:
    """Whether that Python has torch, without importing it."""
    question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    try:
        return subprocess.run([str(python), "-c", question], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def is_comfyui(folder: Path) -> bool:
    """Whether the folder looks like a ComfyUI."""
    return (folder / "main.py").is_file() and (folder / "comfy").is_dir() and (folder / "nodes.py").is_file()


def users(environ: Mapping[str, str], root: Path) -> ComfyInstall | None:
    """The user's ComfyUI, None when there is none to use. Raises UserError when the named one can't be."""
    named = environ.get("COMFYUI_DIR")
    if named:
        comfyui, why = Path(os.path.abspath(os.path.expanduser(named))), "named by COMFYUI_DIR"
        if not is_comfyui(comfyui):
            raise UserError(
                f"COMFYUI_DIR names {comfyui}, which is no ComfyUI (no main.py, nodes.py, comfy/): correct it."
            )
    elif root.parent.name == "custom_nodes" and is_comfyui(root.parent.parent):
        comfyui, why = root.parent.parent, "this clone sits in its custom_nodes"
    else:
        return None
    python, whose = _python_for(comfyui, environ)
    return ComfyInstall(comfyui, python, python, fetched=False, why=f"{why}; {whose}")


def _python_for(comfyui: Path, environ: Mapping[str, str]) -> tuple[Path, str]:
    if environ.get("COMFYUI_PYTHON"):
        python = Path(os.path.abspath(os.path.expanduser(environ["COMFYUI_PYTHON"])))
        if not imports_torch(python):
            raise UserError(
                f"COMFYUI_PYTHON names {python}, which doesn't run or has no torch: name ComfyUI's own Python."
            )
        return python, "Python named by COMFYUI_PYTHON"
    found = own_python(comfyui)
    if found and imports_torch(found):
        return found, f"its own Python {found}"
    if imports_torch(Path(sys.executable)):
        return Path(sys.executable), f"the Python that runs this, {sys.executable}"
    raise UserError(f"No Python with torch was found for {comfyui}: name the one that runs it with COMFYUI_PYTHON.")
