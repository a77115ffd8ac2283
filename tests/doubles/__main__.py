"""`python3 -m tests.doubles --port N [--quiet]`: the doubles as a process; ends on SIGINT or SIGTERM.

Prints one line when it answers, `doubles ready http://127.0.0.1:PORT`, and nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.machinery
import importlib.util
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]


def register_pack() -> None:
    """Make the repository importable as `pack`, as tests/conftest.py does, without running its root `__init__`."""
    if "pack" not in sys.modules:
        spec = importlib.machinery.ModuleSpec("pack", None, is_package=True)
        spec.submodule_search_locations = [str(ROOT)]
        sys.modules["pack"] = importlib.util.module_from_spec(spec)


def main() -> int:
    """Serve until a signal asks to stop; exit code 2 when the port can't be had."""
    parser = argparse.ArgumentParser(prog="doubles", description="Strict loopback doubles of every provider.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--quiet", action="store_true", help="do not print the ready line")
    options = parser.parse_args()
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), stop)
    register_pack()
    try:
        server = importlib.import_module("pack.tests.doubles").start(options.port, host=options.host)
    except OSError as error:
        print(f"doubles: cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 2
    if not options.quiet:
        print(f"doubles ready {server.origin}", flush=True)
    # A bare wait() can't be interrupted by Ctrl+C on Windows; short waits can.
    while not stopping.wait(0.5):
        pass
    server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
