"""Files and folders that only the user of this process may read, whatever the umask: keys, settings, journal, pictures.

POSIX only. On Windows a file has the rights of the folder that it lies in, and the modes here do nothing.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

FOLDER, FILE = 0o700, 0o600
_OPEN_TO_OTHERS = 0o077
_SHARED_ON_PURPOSE = stat.S_ISGID | stat.S_ISVTX
_OURS = re.compile(r"(keys|settings)\.(json|lock)(\..*)?|journal.*\.sqlite.*|providers\.yaml|owners|results")
"""Names of what lies in a data folder."""


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it that are missing. Existing ones keep their rights. Raises OSError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for each in reversed(missing):
        try:
            os.mkdir(each, FOLDER)
        except FileExistsError:
            if not each.is_dir():
                raise


def open_new(file: Path) -> BinaryIO:
    """A new file, open for writing, in place of one that is there. Raises OSError."""
    # What a dead process or somebody else left there may be open to others, or be a link to elsewhere.
    file.unlink(missing_ok=True)
    return open(file, "xb", opener=lambda path, flags: os.open(path, flags, FILE))


def write(file: Path, data: bytes) -> None:
    """Replaces a file at once and completely; on disk when it returns. Raises OSError."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with open_new(part) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def create(file: Path) -> None:
    """An empty file, where there is none. Raises OSError."""
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE))
    except FileExistsError:
        pass


def lock(file: Path, timeout: float = -1, *, thread_local: bool = True) -> FileLock:
    """A lock between processes. Nobody else can open its file, and so nobody else can hold it."""
    return FileLock(str(file), timeout=timeout, mode=FILE, thread_local=thread_local)


def tighten(home: Path) -> None:
    """Closes a data folder that an earlier release, or a mkdir by hand, has left open to other users. Raises nothing.

    Only what belongs to this user and has a name of ours. The folder itself stays as it is where it holds other things,
    or where its setgid or sticky bit says that it is shared on purpose.
    """
    if os.name != "posix":
        return
    try:
        with os.scandir(home) as found:
            entries = list(found)
        ours = [entry for entry in entries if _OURS.fullmatch(entry.name)]
        facts = home.stat()
        if len(ours) == len(entries) and not facts.st_mode & _SHARED_ON_PURPOSE:
            _close(home, facts)
        for entry in ours:
            facts = entry.stat(follow_symlinks=False)
            # Its own rights are changed last: a pass that was cut short begins anew.
            if stat.S_ISDIR(facts.st_mode) and facts.st_mode & _OPEN_TO_OTHERS:
                _close_all(Path(entry.path))
            _close(Path(entry.path), facts)
    except OSError:
        pass  # it is not there yet, or not ours to change


def _close_all(folder: Path) -> None:
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            _close(path, path.lstat())


def _close(path: Path, facts: os.stat_result) -> None:
    """Takes the rights of others away from a file or folder of this user. Links and devices are left alone."""
    mode = stat.S_IMODE(facts.st_mode)
    known = stat.S_ISDIR(facts.st_mode) or stat.S_ISREG(facts.st_mode)
    if known and mode & _OPEN_TO_OTHERS and facts.st_uid == os.geteuid():
        os.chmod(path, mode & ~_OPEN_TO_OTHERS)
