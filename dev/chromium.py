"""Finds a Chromium for the tests in the browser. It only looks; `.ci/run` installs one. Called by `test_command.py`."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
WINDOWS = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
WINDOWS_ROOTS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
MISSING = "no Chromium found: install chromium or google-chrome, or name one with CHROMIUM"


def chromium(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """The browser's program, None when there is none."""
    if environ.get("CHROMIUM"):
        named = shutil.which(environ["CHROMIUM"])
        return Path(named) if named else None
    for name in NAMES:
        if found := shutil.which(name, path=environ.get("PATH", os.defpath)):
            return Path(found)
    candidates: list[Path] = []
    if platform == "darwin":
        candidates = [Path(name) for name in MAC]
    elif platform == "win32":
        candidates = [Path(environ[root]) / name for root in WINDOWS_ROOTS if environ.get(root) for name in WINDOWS]
    return next((path for path in candidates if path.is_file()), None)
