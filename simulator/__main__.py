"""`python -m simulator --port N [--quiet]`: the simulator as a process; ends on SIGINT or SIGTERM.

Prints one line when it answers, `simulator ready http://127.0.0.1:PORT`, and nothing else.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from types import FrameType

from . import start


def main() -> int:
    """Serve until a signal asks to stop; exit code 2 when the port can't be had."""
    parser = argparse.ArgumentParser(prog="simulator", description="Strict loopback provider that draws its pictures.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--quiet", action="store_true", help="do not print the ready line")
    options = parser.parse_args()
    asked_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), stop)
    try:
        simulator = start(options.port, host=options.host)
    except OSError as problem:
        print(f"simulator: cannot listen on {options.host}:{options.port}: {problem}", file=sys.stderr)
        return 2
    if not options.quiet:
        print(f"simulator ready {simulator.origin}", flush=True)
    # A bare wait() can't be interrupted by Ctrl+C on Windows; short waits can.
    while not asked_to_stop.wait(0.5):
        pass
    simulator.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
