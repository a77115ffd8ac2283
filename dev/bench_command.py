"""`dev.py bench`: runs each `benchmarks/bench_*.py` in the environment; they print their own tables.

Keys are dropped and the data folder is temporary, as in tests. Called by `commands.py`.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import environment
from .cache import ROOT, opened
from .test_command import variables
from .user_error import UserError


def run(arguments: list[str]) -> int:
    """Runs all benchmarks, or those named. Exit code 1 when one failed. Raises UserError."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description="Runs the benchmarks, or those named.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="bench_NAME.py only")
    wanted = parser.parse_args(arguments).names
    found = {path.stem.removeprefix("bench_"): path for path in sorted((ROOT / "benchmarks").glob("bench_*.py"))}
    names = wanted or list(found)
    unknown = [name for name in names if name not in found]
    if unknown or not names:
        raise UserError(f"There is no benchmark {', '.join(unknown)}; there are: {', '.join(found) or 'none yet'}.")
    install = environment.make(tools=True)
    home = Path(tempfile.mkdtemp(prefix="nano-banana-bench-"))
    failed = []
    try:
        for name in names:
            print(f"\n== {name}", flush=True)
            command = [str(install.tools), str(found[name])]
            if subprocess.run(command, cwd=ROOT, env=variables(install, opened(), home)).returncode:
                failed.append(name)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(
        f"\n{len(names) - len(failed)} of {len(names)} benchmarks done"
        + (f", failed: {', '.join(failed)}" * bool(failed))
    )
    return 1 if failed else 0
