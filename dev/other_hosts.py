"""The hosts at both ends of what the package index offers, for `dev.py test --long`: the oldest ComfyUI with its frontend, and
the pinned one, which is the newest, with the newest frontend.

They run in the environment of the pinned host: only a source tree and a frontend are fetched for them, never another torch.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import comfy_install, environment
from .cache import opened
from .comfy_install import PINNED, ComfyInstall, Release
from .environment import Step


@dataclass(frozen=True)
class OtherHost:
    """A ComfyUI and the web frontend that it serves."""

    name: str
    release: Release
    frontend: str
    """Version of `comfyui-frontend-package`."""
    sha256: str
    """Of the frontend's wheel."""

    def packages(self, cache: Path) -> Path:
        """The folder with the frontend as a Python package, there or not."""
        return cache / f"frontend-{self.frontend}-{self.sha256[:10]}" / "packages"

    def steps(self, cache: Path, pip: Callable[..., None]) -> list[Step]:
        """What has to be fetched for it."""
        release, frontend = self.release, f"frontend-{self.frontend}-{self.sha256[:10]}"
        return [
            Step(
                f"comfyui-{release.comfyui}-{release.sha256[:10]}",
                f"ComfyUI {release.comfyui}, the {self.name} to try",
                lambda: comfy_install.fetch(cache, pip, release),
            ),
            Step(
                frontend, f"Frontend {self.frontend}, the {self.name} to try", lambda: self._fetch_frontend(cache, pip)
            ),
        ]

    def _fetch_frontend(self, cache: Path, pip: Callable[..., None]) -> None:
        target = self.packages(cache)
        requirement = f"comfyui-frontend-package=={self.frontend}"
        with comfy_install.downloaded(cache, pip, requirement, self.sha256) as wheel:
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.unpack_archive(wheel, wheel.with_suffix(""), "zip")
            os.rename(wheel.with_suffix(""), target)


OLDEST = OtherHost(
    "oldest",
    Release("0.16.3", "1.0.0", "4e46654c099b0b3e5f96f2d34d938b54409764202754b33a76e550925a1d1e73"),
    "1.39.19",
    "58343dd79eca371badbe354c12b9bc47c7dc58f7f92243be537e178dfbaf2036",
)
"""Older carriers have no ComfyUI in them."""
NEWEST = OtherHost("newest", PINNED, "1.58.1", "37912597537a731a8f421179618a736c24184c5bdbfa327f38b2fb7c291852d9")


def make(environ: Mapping[str, str] | None = None) -> None:
    """Fetches what the other hosts need, where the pinned host is used. Raises UserError."""
    install, pinned, _ = environment.plan(environ)
    cache = opened(environ)
    if install.fetched:
        pinned.make([step for host in (OLDEST, NEWEST) for step in host.steps(cache, pinned.pip)])


def ready(host: OtherHost, environ: Mapping[str, str] | None = None) -> tuple[ComfyInstall, dict[str, str]] | str:
    """The host and the variables to start it with, or why it can't be started here."""
    install, pinned, _ = environment.plan(environ)
    cache = opened(environ)
    if not install.fetched:
        return "only the pinned ComfyUI is tried in other versions, and COMFYUI_DIR names another one"
    if not pinned.stamped(host.steps(cache, pinned.pip)):
        return f"ComfyUI {host.release.comfyui} with frontend {host.frontend} couldn't be fetched"
    # Before the environment's own packages, among which is the pinned frontend.
    variables = {"PYTHONPATH": str(host.packages(cache))}
    return replace(install, comfyui=comfy_install.location(cache, host.release)), variables
