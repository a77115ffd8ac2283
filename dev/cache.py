"""The folder outside the repository where everything fetched and made is, and the lock of those who write into it."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .user_error import UserError, from_os_error

ROOT = Path(os.path.abspath(__file__)).parent.parent
"""The clone. Not resolved: a clone linked into a ComfyUI's `custom_nodes` is found where it was linked."""
VARIABLE = "NANO_BANANA_DEV_CACHE"
LEFT_OUT = (".git", "__pycache__", "output", ".*_cache", "node_modules", "*.partial")
"""What a copy of the clone does without."""


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
        probe = folder / f".writable-{os.getpid()}"
        write_whole(probe, "")
        probe.unlink()
    except OSError as error:
        unusable = UserError(f"{folder} can't be used as the cache ({error}): name another folder with {VARIABLE}.")
        raise (from_os_error(error, folder) or unusable) from error
    return folder


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is either there completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def linked(place: Path, folder: Path) -> None:
    """Makes `place` a link to the folder, or a copy where links can't be made; what was at `place` goes."""
    if place.is_symlink():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)
    try:
        place.symlink_to(folder.resolve(), target_is_directory=True)
    except OSError:
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns(*LEFT_OUT))


def _taken(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[tuple[int, ...]]:
    """Holds the lock, after a call of `waiting` and a wait if somebody else has it.

    The operating system lets go of it when its holders are gone. Yields the descriptors that a child has to keep so that
    the lock lives as long as the child does: a pip that outlives a killed run is waited for (not on Windows).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _taken(descriptor):
            waiting()
            while not _taken(descriptor):
                time.sleep(0.2)
        yield () if sys.platform == "win32" else (descriptor,)
    finally:
        # No unlocking: a child that still holds its copy keeps the lock.
        os.close(descriptor)
