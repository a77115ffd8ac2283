"""Makes the environment of the conformance tests: the vendors' SDKs beside what `core` needs, and nothing of the host.

It has a virtual environment of its own because the SDKs pin packages that the host pins, too. Called by `test_command.py`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from . import pins
from .environment import CUT_OFF, NO_VENV, Environment, Stage, make_venv, missing_module, short, tag
from .lock import Lock
from .pip import Pip
from .progress import Progress
from .user_error import UserError


def make(cache: Path, progress: Progress | None = None) -> Path:
    """The Python of the environment, made first where it isn't there. Raises UserError where the packages can't be had."""
    return apart(cache, "judges", "conformance tests", "The vendors' SDKs", pins.JUDGES, progress)


def apart(
    cache: Path, name: str, purpose: str, title: str, packages: Sequence[str], progress: Progress | None = None
) -> Path:
    """The Python of an environment with these packages alone. Raises UserError where they can't be had.

    `purpose` and `title`: what it is for and what is in it, for the messages.
    """
    progress = progress or Progress()
    environment = Environment(cache / f"{name}-{tag()}-{short(pins.PIP, *packages)}", progress)
    lock = Lock(cache / "lock", lambda: progress.note("Another run is working in the same cache: waiting for it."))
    pip = Pip(environment.python, cache, progress, lock.inherited)

    def venv() -> None:
        if missing := missing_module():
            raise UserError(NO_VENV.format(missing=missing))
        make_venv(Path(sys.executable), environment.folder)
        pip.install(pins.PIP, bar=False)

    stages = [
        Stage("venv", f"Environment for the {purpose} in {environment.folder}", venv),
        Stage(name, title, lambda: pip.install(*packages)),
    ]

    def finished() -> bool:
        return environment.complete([stage.name for stage in stages]) and not (environment.folder / CUT_OFF).exists()

    if not finished():
        with lock:
            environment.run(stages)
    return environment.python
