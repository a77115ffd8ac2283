"""Makes virtual environments from the locked requirement files: `make()` for commands, `ready()` for tests.

Each step leaves a stamp when it is complete and is never done twice. A pip that was cut off while it installed makes the
whole environment be made again, because pip can't tell a half-unpacked package from an installed one; pip's own cache keeps
the downloads. Nothing is ever installed into a Python of the user's.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from . import cache as caches
from . import comfy_install
from .cache import ROOT, opened, write_whole
from .comfy_install import PYTHON, ComfyInstall, users
from .env import for_pip
from .user_error import DISK, DISK_FULL, UserError, from_pip

REQUIREMENTS = ROOT / "dev" / "requirements"
TORCH = "torch==2.13.0"
"""Without a hash: which build of it is right (CPU, CUDA, ROCm) is the machine's matter."""
BESIDE_TORCH = ("torchvision==0.28.0", "torchaudio==2.11.0")
"""Installed without dependencies: theirs would bring another torch."""
INSTALLING = "Installing collected packages"
"""What pip's log has once it changes the environment; everything has been downloaded by then."""
NO_VENV = (
    "This Python can't make environments ({missing} is missing): install it (Debian and Ubuntu: "
    "`apt install python3-venv`), or use a Python from python.org, and run the same command again."
)


def short(*parts: str) -> str:
    """Ten characters that change when any of the parts does."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]


def locked(*names: str) -> str:
    """Ten characters that change when any of these requirement files does."""
    return short(*((REQUIREMENTS / f"{name}.txt").read_text("utf-8") for name in names))


def tag() -> str:
    """Which Python this is, as part of a folder name: cpython-311-linux-x86_64."""
    return f"{sys.implementation.cache_tag}-{sys.platform}-{platform.machine() or 'any'}".lower()


class InstallFailed(UserError):
    """pip failed."""


class Step(NamedTuple):
    """One step of making an environment; `name` is its stamp's."""

    name: str
    title: str
    work: Callable[[], object]


class Environment:
    """One folder with a virtual environment, its stamps, and the mark of a pip that was cut off while it installed."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache
        self.python = folder / "venv" / PYTHON
        self.mark = folder / "unfinished"
        self._inherited: tuple[int, ...] = ()

    @property
    def packages(self) -> Path:
        """The folder that its packages are in."""
        return next(self.folder.glob("venv/lib/python3.*/site-packages"), self.folder / "venv/Lib/site-packages")

    def stamp(self, name: str) -> Path:
        """The file that says a step is complete."""
        return self.folder / "stamps" / name

    def stamped(self, steps: Sequence[Step]) -> bool:
        """Whether all these steps have been done."""
        return all(self.stamp(step.name).is_file() for step in steps)

    def complete(self, names: Sequence[str]) -> bool:
        """Whether all these steps are done, none was cut off, and the interpreter still runs."""
        stamped = all(self.stamp(name).is_file() for name in names)
        return stamped and not self.mark.exists() and self._runs()

    def _runs(self) -> bool:
        # Without a limit: a busy machine is no reason to make gigabytes again.
        with suppress(OSError):
            return subprocess.run([str(self.python), "-c", ""], capture_output=True).returncode == 0
        return False

    def pip(self, *arguments: str) -> None:
        """Runs pip, while the cache is locked. Raises InstallFailed."""
        log = self.cache / "logs" / "pip.log"
        write_whole(log, "")
        write_whole(self.mark, "")
        command = [str(self.python), "-m", "pip", "--log", str(log), *arguments]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, env=for_pip(), pass_fds=self._inherited)
        finally:
            output = log.read_text("utf-8", "replace")
            # Nothing was installed yet: what is there stays good and the next run goes on from here.
            if INSTALLING not in output:
                self.mark.unlink()
        if done.returncode:
            raise InstallFailed(from_pip(output, self.cache, log))
        self.mark.unlink(missing_ok=True)

    def install_locked(self, name: str) -> None:
        """Installs exactly what a locked requirement file names, each file by its hash. Raises InstallFailed."""
        # Without dependencies: all of them are in the lock, and torch, which is in none, is never replaced.
        self.pip("install", "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS / f"{name}.txt"))

    def venv(self, python: Path = Path(sys.executable), shared: Callable[[], None] = lambda: None) -> Step:
        """The first step: a virtual environment with the locked pip, and what `shared` adds to it."""

        def work() -> None:
            make_venv(python, self.folder)
            self.install_locked("pip")
            shared()

        return Step("venv", f"Environment in {self.folder}", work)

    def locked(self, name: str, title: str) -> Step:
        """The step that installs a locked requirement file."""
        return Step(f"{name}-{locked(name)}", title, lambda: self.install_locked(name))

    def make(self, steps: Sequence[Step]) -> None:
        """Does the steps that aren't stamped, in order, while nobody else writes into the cache. Raises UserError."""
        if self.complete([step.name for step in steps]):
            return
        waiting = "Another run is working in the same cache: waiting for it."
        with caches.locked(self.cache / "lock", lambda: print(waiting)) as self._inherited:
            gone = self.stamp("venv").is_file() and not self._runs()
            if gone or self.mark.exists():
                what = "The Python this environment was made with is gone" if gone else "The last run was cut off"
                print(f"{what}: making this environment again.")
                shutil.rmtree(self.folder / "stamps", ignore_errors=True)
                self.mark.unlink(missing_ok=True)
            for number, step in enumerate(steps, 1):
                if not self.stamp(step.name).is_file():
                    print(f"[{number}/{len(steps)}] {step.title}", flush=True)
                    step.work()
                    write_whole(self.stamp(step.name), step.title + "\n")


def make_venv(python: Path, folder: Path) -> None:
    """A virtual environment in `folder/venv`. Raises UserError."""
    shutil.rmtree(folder / "venv", ignore_errors=True)
    command = [str(python), "-m", "venv", str(folder / "venv")]
    made = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if not made.returncode:
        return
    shutil.rmtree(folder / "venv", ignore_errors=True)
    output = (made.stdout + made.stderr).strip()
    if re.search(DISK, output):
        raise UserError(DISK_FULL.format(where=folder))
    if missing := re.search(r"ensurepip|(?<=No module named )venv", output):
        raise UserError(NO_VENV.format(missing=missing[0]))
    raise UserError(f"{python} couldn't make an environment in {folder} ({output[-200:] or 'it printed nothing'}).")


def apart(cache: Path, name: str, title: str) -> Environment:
    """An environment with one requirement file's packages alone. Raises UserError where they can't be had."""
    environment, steps = plan_apart(cache, name, title)
    environment.make(steps)
    return environment


def plan_apart(cache: Path, name: str, title: str) -> tuple[Environment, list[Step]]:
    """The environment of `apart`, there or not, and its steps; nothing is made."""
    environment = Environment(cache / f"{name}-{tag()}-{locked('pip', name)}", cache)
    return environment, [environment.venv(), environment.locked(name, title)]


def _fetched(cache: Path) -> tuple[Environment, list[Step]]:
    """The pinned host's environment."""
    key = short(locked("pip", "comfyui"), comfy_install.PINNED.sha256, TORCH, *BESIDE_TORCH)
    environment = Environment(cache / f"comfyui-env-{tag()}-{key}", cache)
    comfyui = comfy_install.location(cache)

    def source() -> None:
        comfy_install.fetch(cache, environment.pip)
        # Hosts are started without writing byte code: what is beside the sources takes 3 s off every start.
        subprocess.run([str(environment.python), "-m", "compileall", "-q", str(comfyui)], capture_output=True)

    if not (comfyui / "main.py").is_file():
        environment.stamp("source").unlink(missing_ok=True)
    return environment, [
        environment.venv(),
        Step("source", f"ComfyUI {comfy_install.PINNED.comfyui}", source),
        Step("torch", f"{TORCH} (the largest download)", lambda: environment.pip("install", TORCH)),
        Step("beside-torch", " ".join(BESIDE_TORCH), lambda: environment.pip("install", "--no-deps", *BESIDE_TORCH)),
        environment.locked("comfyui", "What else ComfyUI needs"),
    ]


def _overlay(cache: Path, python: Path) -> tuple[Environment, list[Step]]:
    """An environment of ours that sees the packages of the user's Python and changes nothing in it."""
    environment = Environment(cache / f"tools-{short(str(python), tag(), locked('pip', 'tools'))}", cache)

    def shared() -> None:
        asked = "import sys; print(*(path for path in sys.path if path.endswith('-packages')), sep='\\n')"
        theirs = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=True).stdout
        # Their folders come after ours in the search, so the locked tools win.
        (environment.packages / "users_packages.pth").write_text(theirs)

    return environment, [environment.venv(python, shared)]


def plan(environ: Mapping[str, str] | None) -> tuple[ComfyInstall, Environment, list[Step]]:
    """Where the host is or will be, the environment of the tools, and its steps before the tools; nothing is made."""
    cache = opened(environ)
    install = users(os.environ if environ is None else environ, ROOT)
    if install:
        environment, steps = _overlay(cache, install.python)
        return replace(install, tools=environment.python), environment, steps
    environment, steps = _fetched(cache)
    python = environment.python
    install = ComfyInstall(comfy_install.location(cache), python, python, fetched=True, why="fetched, pinned")
    return install, environment, steps


def make(tools: bool = False, environ: Mapping[str, str] | None = None) -> ComfyInstall:
    """The host to use, everything it needs made first. `tools`: pytest and the like too. Raises UserError."""
    install, environment, steps = plan(environ)
    if tools:
        steps.append(environment.locked("tools", "What the tests use"))
    if install.fetched or tools:
        environment.make(steps)
    return install


def ready(environ: Mapping[str, str] | None = None) -> ComfyInstall:
    """The host that `make` has made. Raises UserError when it hasn't. Called by tests, which must not install anything."""
    install, environment, steps = plan(environ)
    if install.fetched and not environment.stamped(steps):
        raise UserError("There is no environment yet: run `python3 dev.py test` first.")
    return install
