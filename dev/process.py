"""Child processes: one with its output in a log file and JSON over HTTP to it, or one that prints on its own."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Never through a proxy."""
LAST_SECONDS = 20.0
"""How long tests may take to end their hosts once they are interrupted."""
Self = TypeVar("Self", bound="Process")


class Answered(Exception):
    """The server answered with an error status; `body` is its JSON, or its text."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"HTTP {status}: {body}")
        self.status, self.body = status, body


def free_port() -> int:
    """A port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def parsed(body: bytes) -> Any:
    """The JSON of an answer, or its text."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def fetch(url: str, body: Any = None) -> bytes:
    """GET, or POST of `body` as JSON. Raises Answered, OSError (a connection that ends amid the answer is one, too)."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with DIRECT.open(urllib.request.Request(url, data, {"Content-Type": "application/json"}), timeout=30) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise Answered(error.code, parsed(error.read())) from None
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from None


def run_to_end(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, terminal: bool) -> int:
    """Runs a command that prints on its own; its exit code. After Ctrl+C or SIGTERM what it has started ends, too.

    `terminal`: it may read from the terminal, so it stays in this process's group, and is asked to end alone.
    """
    group = hasattr(os, "killpg") and not terminal
    child = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=group)
    try:
        return child.wait()
    except KeyboardInterrupt:
        _end(child, group)
        raise


def _end(child: "subprocess.Popen[bytes]", group: bool) -> None:
    """Interrupts a child, with its group or alone, and kills what is left after LAST_SECONDS or another Ctrl+C."""
    if os.name != "posix":  # Ctrl+C has reached it, too
        with suppress(subprocess.TimeoutExpired):
            child.wait(LAST_SECONDS)
        child.kill()
        child.wait()
        return
    try:
        _signal(child, signal.SIGINT, group)
        with suppress(subprocess.TimeoutExpired):
            child.wait(LAST_SECONDS)
    finally:
        _signal(child, signal.SIGKILL, group)
        child.wait()


def _signal(child: "subprocess.Popen[bytes]", number: int, group: bool) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number) if group else child.send_signal(number)


class Process:
    """A running program, ended at the end of its `with` block. It prints into `log`, which is written again."""

    url: str
    """Of the program's server."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )

    def get(self, path: str) -> Any:
        """GET of a route, its JSON. Raises as `fetch` does."""
        return parsed(fetch(self.url + path))

    def post(self, path: str, body: Any) -> Any:
        """POST of JSON to a route, the answer's JSON. Raises as `fetch` does."""
        return parsed(fetch(self.url + path, body))

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
