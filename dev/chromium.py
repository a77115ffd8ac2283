"""Finds a Chromium for the tests in the browser. It only looks; `.ci/run` installs one."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

SHELLS = ("chromium-headless-shell", "chrome-headless-shell")
"""The same browser without windows: a page takes a quarter less of the processor."""
NAMES = (*SHELLS, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
MAC = ("Google Chrome", "Chromium", "Microsoft Edge")
WINDOWS = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
MISSING = "no Chromium found: install chromium or google-chrome, or name one with CHROMIUM"


def chromium(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """The browser's program, None when there is none."""
    if environ.get("CHROMIUM"):
        names: list[str] = [environ["CHROMIUM"]]
    elif platform == "darwin":
        names = [*NAMES, *(f"/Applications/{name}.app/Contents/MacOS/{name}" for name in MAC)]
    else:
        roots = [environ.get(root, "") for root in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")]
        names = [*NAMES, *(str(Path(root) / name) for root in roots if root for name in WINDOWS)]
    found = (shutil.which(name, path=environ.get("PATH", os.defpath)) for name in names)
    return next((Path(program) for program in found if program), None)
