"""`dev.py bench` and `dev.py ledger`: scripts of the clone, run by a Python that has what they need."""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import bench_report, environment, host_command
from .cache import ROOT, opened
from .test_command import variables
from .user_error import UserError

WITH_PHOTOGRAPHS = frozenset({"codec", "local_edits", "references", "upload"})
PHOTOS = "PHOTOS"
"""The variable that names the folder with photographs to those benchmarks."""
FIGURES = "FIGURES"
"""The variable that names the file to which a benchmark writes its figures."""


def bench(arguments: list[str]) -> int:
    """Runs all benchmarks, or those named, as tests are run. Exit code 1 when one failed. Raises UserError."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description="Runs the benchmarks, or those named.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="bench_NAME.py only")
    parser.add_argument("--docs", action="store_true", help="write the figures into docs/performance.md and its chart")
    given = parser.parse_args(arguments)
    wanted = given.names
    found = {path.stem.removeprefix("bench_"): path for path in sorted((ROOT / "benchmarks").glob("bench_*.py"))}
    if unknown := [name for name in wanted if name not in found]:
        raise UserError(f"There is no benchmark {', '.join(unknown)}; there are: {', '.join(found)}.")
    install = environment.make(tools=True)
    photographs = {}
    if WITH_PHOTOGRAPHS.intersection(wanted or found) and not os.environ.get(PHOTOS):
        samples = environment.apart(opened(), "photographs", "Photographs (scikit-image's samples)")
        photographs[PHOTOS] = str(samples.packages / "skimage" / "data")
    failed, figures = [], []
    for name in wanted or found:
        print(f"\n== {name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="nano-banana-bench-", ignore_cleanup_errors=True) as home:
            file = Path(home) / "figures"
            environ = variables(install, opened(), Path(home)) | photographs | {FIGURES: str(file)}
            if subprocess.run([str(install.tools), str(found[name])], cwd=ROOT, env=environ).returncode:
                failed.append(name)
            measured = bench_report.read(file, name)
        figures += measured
        if given.docs:  # at once: the next may be stopped, and all together take half an hour
            bench_report.write(ROOT / "docs", measured)
    print(f"\n{bench_report.table(figures)}")
    print(f"\nfailed: {', '.join(failed)}" if failed else f"\n{len(wanted or found)} benchmarks done")
    return 1 if failed else 0


def ledger(arguments: list[str]) -> int:
    """Runs the pack's `ledger.py`. Without a ComfyUI of its own, the data of `dev.py host` is meant."""
    environ = dict(os.environ)
    here = all(importlib.util.find_spec(name) for name in ("sqlalchemy", "filelock", "requests", "PIL", "numpy"))
    python = sys.executable if here else str(environment.make().python)
    in_comfyui = ROOT.parent.name == "custom_nodes"
    if "--home" not in arguments and not environ.get("NANO_BANANA_HOME") and not in_comfyui:
        environ["NANO_BANANA_HOME"] = str(host_command.data(opened() / "host"))
    return subprocess.call([python, str(ROOT / "ledger.py"), *arguments], env=environ)
