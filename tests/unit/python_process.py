"""Python processes of the tests: real ones, with pid, pipes and locks of their own, that can be killed.

On Linux they are forked from a process that has imported the pack already: 0.6 s of importing less for each of a hundred.
Elsewhere, and with --long, each is a new Python.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
NEW = "TEST_NEW_PROCESSES"
"""Where this variable is set, each process is a new Python."""
START = """
import importlib.util, sys
from importlib.machinery import ModuleSpec
if "pack" not in sys.modules:
    spec = ModuleSpec("pack", None, is_package=True)
    spec.submodule_search_locations = [sys.argv[1]]
    sys.modules["pack"] = importlib.util.module_from_spec(spec)
    sys.path[:0] = [sys.argv[1] + "/tests", sys.argv[1] + "/tests/unit"]
from pathlib import Path
"""
"""What a script begins with to import the pack and the modules of the tests; its first argument is `ROOT`."""
_SERVER = START + "import python_process\npython_process.serve(int(sys.argv[2]))\n"
_LONGEST = 1 << 20
"""Bytes of a message: a script, its arguments and its environment."""


class PythonProcess:
    """Runs a script after START; its standard input and output are pipes of text. `arguments` are sys.argv from 2 on.

    `environ`: of its own, None for that of this process.
    """

    pid: int
    stdin: IO[str]
    stdout: IO[str]
    first: str
    """Its first line, where somebody has waited for it."""

    def __init__(self, script: str, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        words = [str(ROOT), *arguments]
        environ = dict(os.environ if environ is None else environ)
        if _new():
            self._process: _New | _Forked = _New(script, words, environ)
        else:
            self._process = _Forked(script, words, environ)
        self.pid, self.stdin, self.stdout = self._process.pid, self._process.stdin, self._process.stdout

    def kill(self) -> None:
        """SIGKILL; returns when it has ended."""
        if self._process.returncode is None:
            os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            self._process.wait(60)

    def wait(self, seconds: float) -> int:
        """Its exit code, negative for a signal. Raises TimeoutError or subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def close(self) -> None:
        """Ends it where it runs, and closes the pipes."""
        self.kill()
        self.stdin.close()
        self.stdout.close()


class _New:
    """A new Python."""

    def __init__(self, script: str, words: list[str], environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", START + script, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )
        assert self._process.stdin and self._process.stdout
        self.pid, self.stdin, self.stdout = self._process.pid, self._process.stdin, self._process.stdout

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def wait(self, seconds: float) -> int:
        return self._process.wait(seconds)


class _Forked:
    """A fork of the server. A socket tells its pid and, when it has ended, its exit code."""

    def __init__(self, script: str, words: list[str], environ: dict[str, str]) -> None:
        self._line, theirs = socket.socketpair()
        (its_input, stdin), (stdout, its_output) = os.pipe(), os.pipe()
        given = [theirs.fileno(), its_input, its_output, 2]
        message = {"script": START + script, "words": words, "environ": environ, "folder": os.getcwd()}
        socket.send_fds(_server(), [json.dumps(message).encode()], given)
        theirs.close()
        os.close(its_input)
        os.close(its_output)
        self.stdin: IO[str] = os.fdopen(stdin, "w")
        self.stdout: IO[str] = os.fdopen(stdout)
        self.returncode: int | None = None
        self.pid = self._number(60)

    def wait(self, seconds: float) -> int:
        if self.returncode is None:
            self.returncode = self._number(seconds)
            self._line.close()
        return self.returncode

    def _number(self, seconds: float) -> int:
        self._line.settimeout(seconds)
        data = self._line.recv(64)
        assert data, "the process that forks has ended"
        return int(data)


_lock = threading.Lock()
_running: list[tuple[socket.socket, subprocess.Popen[bytes]]] = []


def start_server() -> None:
    """Starts the process that forks, where it will be used; forks of this process share it."""
    if not _new():
        _server()


def _new() -> bool:
    """Whether each process is a new Python."""
    return sys.platform != "linux" or bool(os.environ.get(NEW))


def _server() -> socket.socket:
    """The line to the process that forks."""
    with _lock:
        if not _running:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
            command = [sys.executable, "-c", _SERVER, str(ROOT), str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
            theirs.close()
            _running.append((ours, process))
        return _running[0][0]


def end_server() -> None:
    """Ends the process that forks; the others have ended by then."""
    while _running:
        line, process = _running.pop()
        line.close()
        process.wait(60)


# ------------------------------------------------------------------------------------------------ in the server


def serve(number: int) -> None:
    """Forks a process for each message on a socket, until the other side closes it. It has no threads, locks or journals."""
    import dialect_driver  # noqa: F401
    import journal_driver  # noqa: F401
    import killed_process  # noqa: F401
    from pack.core import engine  # noqa: F401

    line = socket.socket(fileno=number)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    # Ctrl+C is the tests' matter: they end, and this with them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([line.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ended(lines)
        if line.fileno() in ready:
            data, given, _, _ = socket.recv_fds(line, _LONGEST, 4)
            if not data:
                return
            pid = os.fork()
            if pid == 0:
                _run(json.loads(data), given, [line, *lines.values()])
            for each in given[1:]:
                os.close(each)
            lines[pid] = socket.socket(fileno=given[0])
            lines[pid].send(str(pid).encode())


def _tell_ended(lines: dict[int, socket.socket]) -> None:
    for pid in list(lines):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with lines.pop(pid) as line:
                try:
                    line.send(str(os.waitstatus_to_exitcode(status)).encode())
                except BrokenPipeError:  # nobody wants to know
                    pass


def _run(message: dict[str, object], given: list[int], lines: list[socket.socket]) -> None:
    """The script, in the fork. What Python does at its end is done too."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in lines:
        each.close()
    code = 1
    try:
        os.close(given[0])
        for target, source in enumerate(given[1:]):
            os.dup2(source, target)
            os.close(source)
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        os.environ.clear()
        os.environ.update(message["environ"])  # type: ignore[call-overload]
        os.chdir(str(message["folder"]))
        sys.argv = ["-c", *message["words"]]  # type: ignore[misc]
        exec(compile(str(message["script"]), "<script>", "exec"), {"__name__": "__main__"})  # noqa: S102
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)
