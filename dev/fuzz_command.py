"""`dev.py fuzz`: the long run of `tests/fuzz`, a process for each core, and what it found.

    dev.py fuzz --minutes 60                     the loop of mutations, all harnesses
    dev.py fuzz --harness answers --seed 7 --first 1234 --inputs 1    one input of an earlier run again
    dev.py fuzz --minutes 60 --guided            with atheris, which looks for new branches
    dev.py fuzz --minutes 5 --coverage           which branches of the attacked files are reached

What breaks is written to the folder that is named at the end: `NAME.input` the input, `NAME.txt` how it failed. An input that
broke something becomes a file in `tests/fuzz/seeds/<harness>/` together with the mend.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import environment
from .cache import ROOT, opened
from .test_command import memory_folder, variables
from .user_error import UserError

FOLDER = ROOT / "tests" / "fuzz"


def names() -> list[str]:
    """The harnesses there are: a module `fuzz_<name>.py` each."""
    return sorted(file.stem.removeprefix("fuzz_") for file in FOLDER.glob("fuzz_*.py"))


def shared_out(harnesses: Sequence[str], processes: int) -> list[list[str]]:
    """The harnesses of each process, none of them empty."""
    return [list(harnesses[start::processes]) for start in range(min(processes, len(harnesses)))]


def run(arguments: list[str]) -> int:
    """Exit code 1 where something was found. Raises UserError."""
    parser = argparse.ArgumentParser(
        prog="dev.py fuzz",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="of time, for all harnesses (10)")
    parser.add_argument("--harness", action="append", choices=names(), help="only this one (several may be named)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of an earlier run, to have the same inputs")
    parser.add_argument("--guided", action="store_true", help="with atheris, which keeps what reaches new branches")
    parser.add_argument("--coverage", action="store_true", help="measure the branches that are reached; in one process")
    chosen, rest = parser.parse_known_args(arguments)
    cache = opened()
    install = environment.make(tools=True)
    folder = cache / "fuzz"
    folder.mkdir(exist_ok=True)
    wanted = chosen.harness or names()
    shared = [f"--seed={chosen.seed}", f"--folder={folder}"]
    print(f"seed {chosen.seed}", flush=True)
    if chosen.guided:
        commands = guided(cache, wanted, [*shared, f"--minutes={chosen.minutes / len(wanted)}"])
    else:
        shared += [f"--minutes={chosen.minutes}", *rest]
        if chosen.coverage:
            shared.append(f"--coverage={environment.apart(cache, 'coverage', 'coverage').packages}")
        groups = shared_out(wanted, 1 if chosen.coverage else os.cpu_count() or 1)
        commands = [[str(FOLDER / "run.py"), *shared, *(f"--harness={name}" for name in group)] for group in groups]
    at_once = 1 if chosen.guided else len(commands)
    with (
        tempfile.TemporaryDirectory(dir=memory_folder(), ignore_cleanup_errors=True) as home,
        ThreadPoolExecutor(at_once) as pool,
    ):
        environ = variables(install, cache, Path(home)) | {"TMPDIR": home}
        running = [
            pool.submit(subprocess.run, [str(install.tools), *command], cwd=ROOT, env=environ) for command in commands
        ]
        codes = [each.result().returncode for each in running]
    print(f"findings, if any, are in {folder}")
    return 1 if any(code not in (0, 3) for code in codes) else 0


def guided(cache: Path, wanted: Sequence[str], shared: Sequence[str]) -> list[list[str]]:
    """The commands of a guided run, one for each harness; none, with the reason said, where atheris can't be had."""
    try:
        packages = environment.apart(cache, "fuzz", "atheris").packages
    except UserError as reason:
        print(f"skipped: --guided: {reason}")
        return []
    return [[str(FOLDER / "guided.py"), *shared, f"--packages={packages}", f"--harness={name}"] for name in wanted]
