"""The table of commands and what they have in common: help, failures in one sentence, exit codes.

Exit codes: 0 good, 1 something the command ran failed, 2 the command couldn't do its work (one sentence on stderr),
130 stopped with Ctrl+C. Called by `dev.py`.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from . import (
    bench_command,
    demo_command,
    example_export,
    fuzz_command,
    host_command,
    ledger_command,
    locales,
    lock_command,
    providers_table,
    test_command,
)
from .cache import location
from .user_error import UserError, from_os_error


@dataclass(frozen=True)
class Command:
    """One command of `dev.py`."""

    name: str
    summary: str
    run: Callable[[list[str]], int]
    """Gets the arguments after the command's name and returns the exit code."""


COMMANDS = (
    Command(
        "demo",
        "run the example workflows in a real ComfyUI against doubles of the providers; costs nothing",
        demo_command.run,
    ),
    Command("test", "lint, tests of units, against the vendors' SDKs, in the real host and browser", test_command.run),
    Command("host", "start the real ComfyUI with this pack, for you to use", host_command.run),
    Command("bench", "run the benchmarks", bench_command.run),
    Command("fuzz", "feed broken input to every reader for some minutes, and name what breaks", fuzz_command.run),
    Command("ledger", "what was asked for, what became of it, what it cost; recover and forget", ledger_command.run),
    Command("examples", "make the API forms of the example workflows anew, in a real browser", example_export.run),
    Command("table", "write the tables of providers anew", providers_table.run),
    Command("judges", "run the conformance tests and write docs/judges.md anew from them", test_command.judged),
    Command("lock", "lock the packages of development anew, with uv", lock_command.run),
    Command("words", "write the nodes' English words anew from their schemas, for translators", locales.run),
)


def usage() -> str:
    """The help text."""
    lines = [f"  {command.name:<8} {command.summary}" for command in COMMANDS]
    return "\n".join(
        [
            "usage: python3 dev.py COMMAND [options]      (COMMAND --help for its options)",
            "",
            *lines,
            "",
            "Needs Python 3.10 to 3.14 and nothing else. The first run fetches ComfyUI, torch and the rest (minutes,",
            "some GB) into a cache outside this folder; later runs start within seconds. Interrupted? Run it again.",
            "",
            "  COMFYUI_DIR            use this ComfyUI; nothing is installed into it and nothing of it is changed",
            "  COMFYUI_PYTHON         the Python that runs it, if it isn't found",
            f"  NANO_BANANA_DEV_CACHE  the cache, now {location(os.environ)}",
        ]
    )


def run(arguments: list[str]) -> int:
    """Runs the command named first. Returns the exit code; never raises for what a person can cure."""
    # A file name from anywhere must not end a command on a console with a small character set.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    command = next((command for command in COMMANDS if command.name == arguments[0]), None)
    if command is None:
        known = ", ".join(command.name for command in COMMANDS)
        print(f"dev.py: there is no command {arguments[0]!r}, only: {known}.", file=sys.stderr)
        return 2
    try:
        return command.run(arguments[1:])
    except UserError as stop:
        print(f"dev.py: {stop}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndev.py: stopped; run the same command again to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        stop_ = from_os_error(error, location(os.environ))
        if stop_ is None:
            raise
        print(f"dev.py: {stop_}", file=sys.stderr)
        return 2
