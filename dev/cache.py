"""The folder outside the repository where everything fetched and made lives.

Refuses a folder inside the repository and one that can't be written. Called by every command.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from .user_error import UserError, from_os_error

ROOT = Path(os.path.abspath(__file__)).parent.parent
"""The clone. Not resolved: a clone linked into a ComfyUI's `custom_nodes` is found where it was linked."""

VARIABLE = "NANO_BANANA_DEV_CACHE"


def location(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Where the cache is: the variable, else what the platform uses for caches."""
    if environ.get(VARIABLE):
        return Path(os.path.abspath(os.path.expanduser(environ[VARIABLE])))
    home = Path(os.path.expanduser("~"))
    if platform == "win32":
        above = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif platform == "darwin":
        above = home / "Library" / "Caches"
    else:
        above = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    return above / "nano-banana-dev"


def opened(environ: Mapping[str, str] | None = None) -> Path:
    """The cache folder, there and writable. Raises `UserError` otherwise."""
    folder = location(os.environ if environ is None else environ)
    if ROOT.resolve() in [folder.resolve(), *folder.resolve().parents]:
        raise UserError(f"{VARIABLE} names a folder inside the repository ({folder}): name one outside of it.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise (
            from_os_error(error, folder)
            or UserError(f"{folder} can't be used as the cache ({error}): name another folder with {VARIABLE}.")
        ) from error
    return folder


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is either there completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
