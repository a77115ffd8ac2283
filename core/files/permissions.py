"""Permissions of a data folder that is there already. POSIX only."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_OPEN_TO_OTHERS = 0o077
_SHARED_ON_PURPOSE = stat.S_ISGID | stat.S_ISVTX
_OURS = re.compile(r"(keys|settings)\.(json|lock)(\..*)?|journal.*\.sqlite.*|providers\.yaml|owners|results(-cache)?")
"""Names of what is in a data folder."""


def restrict_to_owner(home: Path) -> None:
    """Takes the rights of other users from a data folder that an earlier release, or a mkdir by hand, gave to them. Raises
    nothing.

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
            _restrict(home, facts)
        for entry in ours:
            facts = entry.stat(follow_symlinks=False)
            # Its own rights are changed last: a pass that was cut short starts again.
            if stat.S_ISDIR(facts.st_mode) and facts.st_mode & _OPEN_TO_OTHERS:
                _restrict_all(Path(entry.path))
            _restrict(Path(entry.path), facts)
    except OSError:
        pass  # it is not there yet, or not ours to change


def _restrict_all(folder: Path) -> None:
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            _restrict(path, path.lstat())


def _restrict(path: Path, facts: os.stat_result) -> None:
    """Takes the rights of others away from a file or folder of this user. Links and devices are left alone."""
    mode = stat.S_IMODE(facts.st_mode)
    known = stat.S_ISDIR(facts.st_mode) or stat.S_ISREG(facts.st_mode)
    if known and mode & _OPEN_TO_OTHERS and facts.st_uid == os.geteuid():
        os.chmod(path, mode & ~_OPEN_TO_OTHERS)
