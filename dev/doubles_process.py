"""The doubles of the providers as a process, and the variables that point each provider at it. Used by demo, tests, benches.

Which providers there are is asked of that process and written nowhere here.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from . import loopback
from .cache import ROOT
from .env import clean
from .process import Process
from .user_error import UserError

READY = "doubles ready "
KEY = "sim-demo"
KEYLESS = ("offline", "vertex")
"""Providers that a line of text is no key for: the one that the pack serves itself, and one that wants a document."""


class DoublesProcess:
    """The running doubles. `origin` is http://127.0.0.1:PORT, `providers` its provider ids."""

    def __init__(self, child: Process, origin: str, log: Path) -> None:
        self._child = child
        self.origin = origin
        self.log = log
        answer = loopback.get(origin + "/_control/providers")
        self.providers: list[str] = list(answer["providers"] if isinstance(answer, dict) else answer)

    @classmethod
    def start(cls, python: Path | None = None, patience: float = 30.0) -> "DoublesProcess":
        """Starts the doubles on a free port and waits until they are ready. Raises UserError."""
        handle, name = tempfile.mkstemp(prefix="doubles-", suffix=".log")
        os.close(handle)
        log = Path(name)
        # By its path: `-m tests.doubles` would find a package `tests` that some distribution left in site-packages.
        command = [str(python or sys.executable), str(ROOT / "tests" / "doubles"), "--port", "0"]
        child = Process(command, ROOT, clean(os.environ), log)
        end = time.monotonic() + patience
        while time.monotonic() < end and child.ended() is None:
            line = next((line for line in child.text().splitlines() if line.startswith(READY)), None)
            if line:
                return cls(child, line.removeprefix(READY).strip(), log)
            time.sleep(0.02)
        child.stop()
        raise UserError(f"The doubles didn't start; it printed:\n{child.tail()}")

    def variables(self) -> dict[str, str]:
        """What a host's environment needs so that every provider is its double."""
        found = {}
        for provider in self.providers:
            if provider not in KEYLESS:
                prefix = f"NANO_BANANA_{provider.upper()}"
                found[f"{prefix}_BASE_URL"] = f"{self.origin}/{provider}"
                found[f"{prefix}_API_KEY"] = KEY
        return found

    def stop(self) -> None:
        """Ends it and removes its log."""
        self._child.stop()
        self.log.unlink(missing_ok=True)

    def __enter__(self) -> "DoublesProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
