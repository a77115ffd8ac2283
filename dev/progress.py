"""What a person sees while something takes long: a line per step, and a line that moves in between.

In a terminal the moving line is rewritten twice a second; elsewhere it is printed every two seconds. It never decides
anything. Used by `environment.py`, `pip.py` and `comfy_source.py`.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

WIDTH = 110


def size(count: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit != "MB" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


class Progress:
    """Writes to one stream; a thread of its own moves the line, so that a silent child still shows life."""

    def __init__(self, stream: TextIO | None = None, every: float | None = None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._every = every if every is not None else (0.5 if self._terminal else 2.0)
        self._text: Callable[[], str] = lambda: ""
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            self._stream.write(("\r" + " " * WIDTH + "\r" if self._terminal else "") + text + "\n")
            self._stream.flush()

    def now(self, text: str | Callable[[], str]) -> None:
        """What is happening at the moment; a function is asked again at each tick."""
        self._text = text if callable(text) else lambda: text

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announces a step, keeps the line moving while it lasts, and says how long it took."""
        self.note(title)
        self.now("")
        began, done = time.monotonic(), threading.Event()

        def tick() -> None:
            while not done.wait(self._every):
                line = f"    {time.monotonic() - began:4.0f} s  {self._text()}".rstrip()[: WIDTH - 1]
                with self._lock:
                    self._stream.write(f"\r{line:<{WIDTH - 1}}" if self._terminal else line + "\n")
                    self._stream.flush()

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()
        self.note(f"    done in {time.monotonic() - began:.0f} s")
