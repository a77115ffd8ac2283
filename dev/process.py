"""A child process with its output in a log file, ended at the end of its `with` block. No other process is ever ended."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
Self = TypeVar("Self", bound="Process")


class Process:
    """A running program. Its standard output and error go to `log`, which is written anew."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )

    def ended(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.poll()

    def alive(self) -> bool:
        return self.ended() is None

    def wait(self) -> int:
        """Waits until it ends by itself; its exit code."""
        return self._process.wait()

    def tail(self, lines: int = 25) -> str:
        """The end of what it printed, without colours."""
        text = COLOURS.sub("", self.log.read_text(encoding="utf-8", errors="replace"))
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, patience: float = 10.0) -> None:
        """Asks it to end, and ends it after `patience` seconds. Harmless when it is gone already."""
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
