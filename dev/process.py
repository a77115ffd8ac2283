"""One child process with its output in a log file: start, look at the tail, end it.

It ends only the process it started. Used by `comfy_host.py` and `doubles_process.py`.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Process:
    """A running program. Its standard output and error go to `log`, which is written anew."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def ended(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.poll()

    def text(self) -> str:
        """All it has printed so far, without colours."""
        return COLOURS.sub("", self.log.read_text(encoding="utf-8", errors="replace"))

    def tail(self, lines: int = 25) -> str:
        """The end of what it printed."""
        return "\n".join(self.text().splitlines()[-lines:])

    def wait(self, seconds: float | None = None) -> int:
        """Waits for its end. Raises subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def stop(self, patience: float = 10.0) -> None:
        """Asks it to end, then ends it. Harmless when it is gone already."""
        if self.ended() is None:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        if self.ended() is None:
            self._process.kill()
        self._process.wait()
