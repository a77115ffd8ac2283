"""The doubles of the providers as a process, and the variables that point each provider at its double."""

import os
import sys
import time
from pathlib import Path

from .cache import ROOT
from .env import clean
from .process import Process
from .user_error import UserError

READY = "doubles ready "
KEYLESS = ("offline", "vertex")
"""Providers that a line of text is no key for: the one that the pack serves itself, and one that wants a document."""


class DoublesProcess(Process):
    """The running doubles; their log is in `folder`. `providers`: the ids that they serve."""

    def __init__(self, folder: Path, python: Path = Path(sys.executable), patience: float = 30.0) -> None:
        """Starts them at a free port, and waits until they are ready. Raises UserError."""
        # By its path: `-m tests.doubles` would find a package `tests` that some distribution left in site-packages.
        command = [str(python), str(ROOT / "tests" / "doubles"), "--port", "0"]
        super().__init__(command, ROOT, clean(os.environ), folder / "doubles.log")
        end = time.monotonic() + patience
        while READY not in self.tail():
            if not self.alive() or time.monotonic() > end:
                self.stop()
                raise UserError(f"The doubles didn't start; they printed:\n{self.tail()}")
            time.sleep(0.02)
        self.url = self.tail().partition(READY)[2].strip()
        self.providers: list[str] = self.get("/_control/providers")

    def variables(self) -> dict[str, str]:
        """What a host's environment needs so that every provider is its double."""
        prefixes = {
            provider: f"NANO_BANANA_{provider.upper()}" for provider in self.providers if provider not in KEYLESS
        }
        addresses = {f"{prefix}_BASE_URL": f"{self.url}/{provider}" for provider, prefix in prefixes.items()}
        return addresses | {f"{prefix}_API_KEY": "sim-demo" for prefix in prefixes.values()}
