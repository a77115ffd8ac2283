"""Processes that are killed with SIGKILL at a step of theirs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from python_process import PythonProcess

START = "import time\nfrom killed_process import stop_at_second\n"
"""What a script begins with; its arguments are sys.argv from 2 on."""


def stop_at_second(owner: Any, name: str) -> None:
    """Has the second call of a method print "there" and wait, in the process that is to be killed."""
    original, calls = getattr(owner, name), []

    def stopping(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            print("there", flush=True)
            time.sleep(600)
        return original(*given, **more)

    setattr(owner, name, stopping)


def kill(script: str, *arguments: str, reached: str | Callable[[], object]) -> None:
    """Runs a script after START, and kills it once it has printed the line `reached`, or when `reached` has returned."""
    environ = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
    process = PythonProcess(START + script, *arguments, environ=environ)
    try:
        if isinstance(reached, str):
            assert any(line.strip() == reached for line in process.stdout), "it ended early"
        else:
            reached()
    finally:
        process.close()
