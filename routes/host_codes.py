"""One-time codes by which a user who can read the server's console accepts the name in the browser's address bar.

A code goes to the console alone: ComfyUI shows its log to every page, also to one under a stranger's name, and what goes
through `logging` or `print` is in it.
"""

from __future__ import annotations

import hmac
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

TRIES = 5
"""Wrong codes after which a code is void."""
PAUSE_SECONDS = 60.0
"""From there until the next code for that name."""
LIFE_SECONDS = 1800.0
MOST = 8
"""Names that wait for their code at a time: a page may have as many names as it likes."""
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that look like others."""


@dataclass
class _Code:
    text: str
    """"" when it is void."""
    until: float
    tries: int = 0


class TooManyTries(Exception):
    """Too many wrong codes: none is accepted for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


class HostCodes:
    """The codes of one process. Used from many threads."""

    def __init__(self, write: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        """`write` writes a line to the console, and returns whether there is one."""
        self._write, self._clock = write, clock
        self._codes: dict[str, _Code] = {}
        self._lock = threading.Lock()

    def announce(self, name: str) -> bool:
        """Writes the code of a name to the console, once; False where it has none. `name` is a checked host name."""
        with self._lock:
            now = self._clock()
            self._codes = {each: code for each, code in self._codes.items() if code.until > now}
            known = self._codes.get(name)
            if known is not None:
                return bool(known.text)
            if len(self._codes) >= MOST:
                return False
            text = "".join(secrets.choice(_LETTERS) for _ in range(10))
            shown = f"{text[:5]}-{text[5:]}"
            written = self._write(
                f"Nano Banana: somebody has opened ComfyUI as {name}, which is not known to be this machine's name. "
                f"If it was you, enter the code {shown} there. If not, a web site may be trying to get in: do nothing, "
                "and type this code nowhere."
            )
            if written:
                self._codes[name] = _Code(text, now + LIFE_SECONDS)
            return written

    def is_right(self, name: str, code: str) -> bool:
        """Whether this is the code of the name, which is then used up. Raises TooManyTries."""
        with self._lock:
            now = self._clock()
            known = self._codes.get(name)
            if known is None or known.until <= now:
                return False
            if not known.text:
                raise TooManyTries(known.until - now)
            given = "".join(letter for letter in code.upper() if letter.isalnum())
            if hmac.compare_digest(given.encode(), known.text.encode()):
                del self._codes[name]
                return True
            known.tries += 1
            if known.tries >= TRIES:
                known.text, known.until = "", now + PAUSE_SECONDS
            return False


def to_console(text: str) -> bool:
    """Writes a line to the standard error that this process was started with; False where it has none."""
    try:
        # Not sys.stderr: ComfyUI replaces it with one that keeps a copy for its log page.
        stream = sys.__stderr__
        if stream is None:
            return False
        stream.write(f"{text}\n")
        stream.flush()
        return True
    except (OSError, ValueError):
        return False


codes = HostCodes(to_console)
