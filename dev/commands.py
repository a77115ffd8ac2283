"""The table of commands and what they have in common: help, failures in one sentence, exit codes.

Exit codes: 0 good, 1 something the command ran failed, 2 the command couldn't do its work (one sentence on stderr),
130 stopped with Ctrl+C.
"""

import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from . import demo_command, fuzz_command, host_command, lock_command, provider_tables, script_commands, test_command
from .cache import location
from .user_error import UserError, from_os_error


class Command(NamedTuple):
    """One command of `dev.py`. `run` gets the arguments after the command's name and returns the exit code."""

    name: str
    summary: str
    run: Callable[[list[str]], int]


def _writing(*chosen: str) -> Callable[[list[str]], int]:
    """Runs the tests that compare a file with what it is made from, and has them write it."""
    return lambda arguments: test_command.run([*chosen, "--write", *arguments])


COMMANDS = (
    Command("demo", "run the example workflows in a real ComfyUI against doubles; costs nothing", demo_command.run),
    Command("test", "lint, tests of units, against the vendors' SDKs, in the real host and browser", test_command.run),
    Command("host", "start the real ComfyUI with this pack, for you to use", host_command.run),
    Command("bench", "run the benchmarks", script_commands.bench),
    Command("fuzz", "feed broken input to every reader for some minutes, and name what breaks", fuzz_command.run),
    Command("ledger", "what was asked for, what became of it, what it cost", script_commands.ledger),
    Command(
        "examples",
        "write the API forms of the examples again, and the pack of their nodes",
        _writing("--browser", "-k", "an_example"),
    ),
    Command("table", "write the tables of providers again", provider_tables.run),
    Command("judges", "write docs/judges.md again, from the conformance tests", _writing("--conformance")),
    Command("lock", "lock the packages of development again, with uv", lock_command.run),
    Command(
        "words", "write the nodes' English words again, for translators", _writing("--host", "-k", "words_are_fresh")
    ),
    Command(
        "pictures", "shoot the nodes on the help pages again", _writing("--browser", "--looks", "-k", "help_pictures")
    ),
)


def usage() -> str:
    """The help text."""
    commands = "\n".join(f"  {command.name:<8} {command.summary}" for command in COMMANDS)
    return f"""usage: python3 dev.py COMMAND [options]      (COMMAND --help for its options)

{commands}

Needs Python 3.10 to 3.14 and nothing else. The first run fetches ComfyUI, torch and the rest (minutes,
some GB) into a cache outside this folder; later runs start within seconds. Interrupted? Run it again.

  COMFYUI_DIR            use this ComfyUI; nothing is installed into it and nothing of it is changed
  COMFYUI_PYTHON         the Python that runs it, if it isn't found
  NANO_BANANA_DEV_CACHE  the cache, now {location(os.environ)}"""


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
    try:
        if command is None:
            known = ", ".join(command.name for command in COMMANDS)
            raise UserError(f"there is no command {arguments[0]!r}, only: {known}.")
        return command.run(arguments[1:])
    except KeyboardInterrupt:
        print("\ndev.py: stopped; run the same command again to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UserError, OSError) as error:
        sentence = from_os_error(error, location(os.environ)) if isinstance(error, OSError) else error
        if sentence is None:
            raise
        print(f"dev.py: {sentence}", file=sys.stderr)
        return 2
