"""Shares the files of tests out among processes that are forked once everything is collected.

A worker of pytest-xdist is a new Python that imports and collects everything: seven seconds of CPU for each in a new clone.
It remains where processes can't be forked, or not safely (Windows, macOS).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Generator, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess  # Windows has none

NO_TEST = -1
SECONDS_TO_END = 60.0
"""How long a process may take to end what its fixtures have started, when the run is stopped."""
Hooks = list[tuple[str, dict[str, Any]]]
"""Names of hooks and their arguments, without the configuration. Reports are in pytest's serialized form."""


@settings(max_examples=200, database=None)
@given(st.integers())
def read_constants(value: int) -> None:
    """Lets Hypothesis read the constants of all modules once, for its examples: four seconds in each process otherwise."""


class ForkedWorkers:
    """The plugin. A file, with its fixtures, stays in one process; whoever is done takes the next file.

    A process that crashes is a failure of its test, and ends the run.
    """

    def __init__(self, count: int) -> None:
        self._context = multiprocessing.get_context("fork")
        self._next_file = self._context.Value("i", 0)
        self._running = self._context.Array("i", [NO_TEST] * count, lock=False)
        """For each process, which of the session's tests it runs."""
        self._workers: dict[Connection, tuple[int, ForkProcess]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """Another process compiles the second half of the files meanwhile: pytest finds what was compiled for it before."""
        files = [file for name in session.config.args for file in sorted(Path(name).rglob("test_*.py"))]
        if len(files) < 2:
            return (yield)
        command = [sys.executable, "-m", "pytest", f"--confcutdir={Path(__file__).parent}"]
        command += ["--collect-only", "-q", "-p", "no:cacheprovider", *map(str, files[len(files) // 2 :])]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as other:
            try:
                return (yield)
            finally:
                other.terminate()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed or session.config.option.collectonly:
            return None  # pytest's own loop knows what to say
        read_constants()
        sys.stdout.flush()
        sys.stderr.flush()
        # Until everybody can tell of it: Python drops an interrupt that comes in what it does around a fork.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        for number in range(len(self._running)):
            ours, theirs = self._context.Pipe(duplex=False)
            process = self._context.Process(target=self._work, args=(session, number, theirs))
            process.start()
            theirs.close()
            self._workers[ours] = number, process
        processes = [process for _, process in self._workers.values()]
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            self._report(session)
        finally:
            for process in processes:
                process.join(SECONDS_TO_END)
                process.kill()
        return True

    def _report(self, session: pytest.Session) -> None:
        """Calls the hooks of what the processes have run, until all have ended."""
        while self._workers:
            for events in wait(list(self._workers)):
                assert isinstance(events, Connection)
                try:
                    hooks: Hooks = events.recv()
                except EOFError:
                    self._ended(session, *self._workers.pop(events))
                else:
                    _replay(session.config, hooks)
            if session.shouldfail or session.shouldstop:
                for _, process in self._workers.values():
                    os.kill(process.pid or 0, signal.SIGINT)
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)
                raise session.Interrupted(session.shouldstop)

    def _ended(self, session: pytest.Session, number: int, process: ForkProcess) -> None:
        """A process has ended. Where it crashed, its test is reported as failed."""
        process.join()
        if process.exitcode == 0:
            return
        running = self._running[number]
        name = "no test" if running == NO_TEST else session.items[running].nodeid
        why = f"process {number} crashed while running {name!r} (exit code {process.exitcode})"
        place = (name.partition("::")[0], None, name)
        report = pytest.TestReport(name, place, {}, outcome="failed", longrepr=why, when="call")
        session.config.hook.pytest_runtest_logreport(report=report)
        session.shouldfail = why

    # ------------------------------------------------------------------------------------------ in a forked process

    def _work(self, session: pytest.Session, number: int, events: Connection) -> None:
        """Runs one file after the other."""
        for others in self._workers:
            others.close()
        _detach(session.config)
        recorder = _Recorder(session.config)
        session.config.pluginmanager.register(recorder)
        recorder.taken()  # warnings from before the fork are known
        indices = self._indices(session.items)
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            index = next(indices, None)
            while index is not None:
                following = next(indices, None)
                self._running[number] = index
                nextitem = None if following is None else session.items[following]
                session.config.hook.pytest_runtest_protocol(item=session.items[index], nextitem=nextitem)
                events.send(recorder.taken())
                index = following
            self._running[number] = NO_TEST
        except KeyboardInterrupt:
            pass  # the first process says so
        finally:
            session._setupstate.teardown_exact(None)

    def _indices(self, items: list[pytest.Item]) -> Iterator[int]:
        """The tests of the files that this process takes."""
        files: dict[Path, list[int]] = {}
        for index, item in enumerate(items):
            files.setdefault(item.path, []).append(index)
        # The largest first, or a process is alone with one at the end.
        ordered = [files[path] for path in sorted(files, key=lambda path: path.stat().st_size, reverse=True)]
        while True:
            with self._next_file.get_lock():
                number = self._next_file.value
                self._next_file.value += 1
            if number >= len(ordered):
                return
            yield from ordered[number]


def _detach(config: pytest.Config) -> None:
    """Only the first process writes on the terminal; what a test writes is captured in files of this process."""
    plugins = config.pluginmanager
    reporter = plugins.unregister(name="terminalreporter")
    plugins.register(_TerminalWriter(reporter), "terminalreporter")
    capture: Any = plugins.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture()


class _TerminalWriter:
    """What pytest-timeout looks for, to say where a test hangs."""

    def __init__(self, reporter: Any) -> None:
        self._tw = reporter._tw


class _Recorder:
    """The plugin in a forked process: what the first process is to be told."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._hooks: Hooks = []

    def taken(self) -> Hooks:
        hooks, self._hooks = self._hooks, []
        return hooks

    def pytest_runtest_logstart(self, nodeid: str, location: object) -> None:
        self._hooks.append(("pytest_runtest_logstart", {"nodeid": nodeid, "location": location}))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._hooks.append(("pytest_runtest_logreport", {"report": data}))

    def pytest_runtest_logfinish(self, nodeid: str, location: object) -> None:
        self._hooks.append(("pytest_runtest_logfinish", {"nodeid": nodeid, "location": location}))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: object
    ) -> None:
        words = (str(warning_message.message), warning_message.category.__name__)
        message = (*words, warning_message.filename, warning_message.lineno)
        given = {"warning_message": message, "when": when, "nodeid": nodeid, "location": location}
        self._hooks.append(("pytest_warning_recorded", given))


def _replay(config: pytest.Config, hooks: Hooks) -> None:
    for name, arguments in hooks:
        if "report" in arguments:
            arguments["report"] = config.hook.pytest_report_from_serializable(config=config, data=arguments["report"])
        if "warning_message" in arguments:
            text, category, filename, line = arguments["warning_message"]
            # Its class may be one of a test.
            arguments["warning_message"] = warnings.WarningMessage(text, type(category, (Warning,), {}), filename, line)
            config.hook.pytest_warning_recorded.call_historic(kwargs=arguments)
        else:
            getattr(config.hook, name)(**arguments)
