"""Makes virtual environments from the locked requirement files: `make()` for commands, `ready()` for tests.

Each step leaves a stamp when it is complete and is never done twice. A step that was cut off while pip installed makes
the whole environment be made anew, because pip can't tell a half-unpacked package from an installed one; pip's own cache
keeps the downloads. Nothing is ever installed into a Python of the user's.
"""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import comfy_source, pins
from .cache import ROOT, opened, write_whole
from .comfy_install import ComfyInstall, users
from .lock import Lock
from .pip import Interrupted, Pip
from .user_error import UserError

REQUIREMENTS = ROOT / "dev" / "requirements"
CUT_OFF = "unfinished"
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


def python_in(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def missing_module(find: Callable[[str], object] = importlib.util.find_spec) -> str | None:
    """Which of the modules that a virtual environment needs this Python lacks."""
    return next((name for name in ("venv", "ensurepip") if find(name) is None), None)


@dataclass(frozen=True)
class Step:
    """One step of making an environment; `name` is its stamp's."""

    name: str
    title: str
    work: Callable[[], None]


class Environment:
    """One folder with a virtual environment, its stamps, and the mark of a step that was cut off."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache
        self.lock = Lock(cache / "lock", lambda: print("Another run is working in the same cache: waiting for it."))

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return python_in(self.folder)

    @property
    def pip(self) -> Pip:
        """Its pip, to be used while the lock is held."""
        return Pip(self.python, self.cache, self.lock.inherited)

    def stamp(self, name: str) -> Path:
        """The file that says a step is complete."""
        return self.folder / "stamps" / name

    def complete(self, names: Sequence[str]) -> bool:
        """Whether all these steps are done, none was cut off, and the interpreter still runs."""
        stamped = all(self.stamp(name).is_file() for name in names)
        return stamped and not (self.folder / CUT_OFF).exists() and self._runs()

    def _runs(self) -> bool:
        try:
            return subprocess.run([str(self.python), "-c", ""], capture_output=True, timeout=60).returncode == 0
        except subprocess.TimeoutExpired:
            return True  # a busy machine is no reason to make gigabytes anew
        except OSError:
            return False

    def venv(self, python: Path | None = None) -> Step:
        """The first step: a virtual environment with the locked pip."""

        def work() -> None:
            make_venv(python or Path(sys.executable), self.folder)
            self.pip.install_locked(REQUIREMENTS / "pip.txt")

        return Step("venv", f"Environment in {self.folder}", work)

    def locked(self, name: str, title: str) -> Step:
        """The step that installs a locked requirement file."""
        return Step(f"{name}-{locked(name)}", title, lambda: self.pip.install_locked(REQUIREMENTS / f"{name}.txt"))

    def discard_if_broken(self) -> None:
        """Throws away an environment that was cut off or whose interpreter is gone. Raises UserError when it is in use."""
        for old in self.folder.parent.glob(f"{self.folder.name}.*.discarded"):
            shutil.rmtree(old, ignore_errors=True)
        mark = self.folder / CUT_OFF
        if mark.exists():
            print(f"The last run was cut off ({mark.read_text()}): making this environment anew.")
        elif not self.stamp("venv").is_file() or self._runs():
            return
        else:
            print("The Python this environment was made with is gone: making it anew.")
        aside = self.folder.with_name(f"{self.folder.name}.{os.getpid()}.discarded")
        try:
            os.rename(self.folder, aside)
        except OSError as error:
            raise UserError(f"{self.folder} is in use by another program: end it and run again ({error}).") from error
        shutil.rmtree(aside, ignore_errors=True)

    def make(self, steps: Sequence[Step]) -> None:
        """Does the steps that aren't stamped, in order, while nobody else writes into the cache. Raises UserError."""
        if self.complete([step.name for step in steps]):
            return
        with self.lock:
            self.discard_if_broken()
            mark = self.folder / CUT_OFF
            for number, step in enumerate(steps, 1):
                if self.stamp(step.name).is_file():
                    continue
                print(f"[{number}/{len(steps)}] {step.title}", flush=True)
                write_whole(mark, step.title)
                try:
                    step.work()
                except (UserError, Interrupted) as error:
                    # Nothing was installed yet: what is there stays good and the next run goes on from here.
                    if not getattr(error, "touched", False):
                        mark.unlink(missing_ok=True)
                    raise
                write_whole(self.stamp(step.name), step.title + "\n")
                mark.unlink(missing_ok=True)


def make_venv(python: Path, folder: Path) -> None:
    """A virtual environment in `folder/venv`. Raises UserError."""
    if missing := missing_module():
        raise UserError(NO_VENV.format(missing=missing))
    shutil.rmtree(folder / "venv", ignore_errors=True)
    made = subprocess.run(
        [str(python), "-m", "venv", str(folder / "venv")], capture_output=True, text=True, errors="replace"
    )
    if made.returncode:
        said = (made.stdout + made.stderr).strip()
        if "ensurepip" in said or "No module named venv" in said:
            raise UserError(NO_VENV.format(missing="venv" if "named venv" in said else "ensurepip"))
        if "No space left" in said or "Errno 28" in said:
            raise OSError(28, "No space left on device")
        raise UserError(f"{python} couldn't make an environment in {folder} ({said[-200:] or 'it said nothing'}).")


def apart(cache: Path, name: str, title: str) -> Path:
    """The Python of an environment with one requirement file's packages alone. Raises UserError where they can't be had."""
    environment = Environment(cache / f"{name}-{tag()}-{locked('pip', name)}", cache)
    environment.make([environment.venv(), environment.locked(name, title)])
    return environment.python


TOOLS = "What the tests use"


def _fetched_folder(cache: Path) -> Path:
    key = short(locked("pip", "comfyui"), pins.SOURCE_SHA256, pins.TORCH, *pins.BESIDE_TORCH)
    return cache / f"comfyui-env-{tag()}-{key}"


def _fetched(cache: Path) -> tuple[Environment, list[Step]]:
    """The pinned host's environment, without the tools."""
    environment = Environment(_fetched_folder(cache), cache)
    comfyui = comfy_source.location(cache)

    def source() -> None:
        comfy_source.fetch(cache, environment.pip)
        # Hosts are started without writing byte code: what lies beside the sources takes 3 s off every start.
        subprocess.run([str(environment.python), "-m", "compileall", "-q", str(comfyui)], capture_output=True)

    if not (comfyui / "main.py").is_file():
        environment.stamp("source").unlink(missing_ok=True)
    return environment, [
        environment.venv(),
        Step("source", f"ComfyUI {pins.COMFYUI}", source),
        Step("torch", f"{pins.TORCH} (the largest download)", lambda: environment.pip.install(pins.TORCH)),
        Step("beside-torch", " ".join(pins.BESIDE_TORCH), lambda: environment.pip.install("--no-deps", *pins.BESIDE_TORCH)),
        environment.locked("comfyui", "What else ComfyUI needs"),
    ]  # fmt: skip


def _overlay(cache: Path, install: ComfyInstall) -> tuple[Environment, list[Step]]:
    """Our tools beside the user's packages: an environment of ours that sees theirs and changes nothing in it."""
    environment = Environment(cache / f"tools-{short(str(install.python), tag(), locked('pip', 'tools'))}", cache)
    first = environment.venv(install.python)

    def work() -> None:
        first.work()
        asked = "import json, sys; print(json.dumps([p for p in sys.path if p.endswith('-packages')]))"
        theirs, ours = (
            json.loads(subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=True).stdout)
            for python in (install.python, environment.python)
        )
        # Their folders come after ours in the search, so the locked tools win.
        (Path(ours[0]) / "users_packages.pth").write_text("\n".join(theirs) + "\n")

    return environment, [replace(first, work=work), environment.locked("tools", TOOLS)]


def chosen(environ: Mapping[str, str], cache: Path) -> ComfyInstall:
    """Where the host is or will be; nothing is made."""
    install = users(environ, ROOT)
    if install is None:
        python = python_in(_fetched_folder(cache))
        return ComfyInstall(comfy_source.location(cache), python, python, fetched=True, why="fetched, pinned")
    return replace(install, tools=_overlay(cache, install)[0].python)


def make(tools: bool = False, environ: Mapping[str, str] | None = None) -> ComfyInstall:
    """The host to use, everything it needs made first. `tools`: pytest and the like too. Raises UserError."""
    environ = os.environ if environ is None else environ
    cache = opened(environ)
    install = chosen(environ, cache)
    if install.fetched:
        environment, steps = _fetched(cache)
        environment.make([*steps, environment.locked("tools", TOOLS)] if tools else steps)
    elif tools:
        environment, steps = _overlay(cache, install)
        environment.make(steps)
    return install


def ready(environ: Mapping[str, str] | None = None) -> ComfyInstall:
    """The host that `make` has made. Raises UserError when it hasn't. Called by tests, which must not install anything."""
    environ = os.environ if environ is None else environ
    cache = opened(environ)
    install = chosen(environ, cache)
    if install.fetched:
        environment, steps = _fetched(cache)
        if not all(environment.stamp(step.name).is_file() for step in steps):
            raise UserError("There is no environment yet: run `python3 dev.py test` first.")
    return install
