"""One command from a bare machine to a running host: `python3 dev.py demo`, `test`, `host`, `bench`.

This file only looks at the Python it runs on and hands over to the package `dev`. It stays readable for any Python,
2.7 included, so that an old one gets a sentence and not a syntax error: no annotations, no f-strings, standard library.
"""

import os
import signal
import subprocess
import sys

OLDEST = (3, 10)
NEWEST = (3, 14)


def complaint(version, runs):
    """What to tell a Python that is too old or too new, or None for a good one. `runs(name)`: is it here and runs?"""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return None
    text = "Python 3.10 to 3.14 is needed, and this is " + ".".join(str(part) for part in version[:2])
    for minor in (12, 11, 13, 10, 14):
        name = "python3." + str(minor)
        if runs(name):
            return text + ": this machine has the right one too, run it as `" + name + " dev.py`."
    return text + ": install one from python.org or the system's packages and run it with that."


def runs(name):
    """Whether a Python of that name is here and runs: version switchers leave names in PATH that don't."""
    try:
        with open(os.devnull, "w") as nowhere:
            return subprocess.call([name, "-c", ""], stdout=nowhere, stderr=nowhere) == 0
    except OSError:
        return False


def main():
    """Runs the command; ends with 2 and one sentence on a Python that won't do."""
    refusal = complaint(sys.version_info, runs)
    if refusal:
        sys.stderr.write("dev.py: " + refusal + "\n")
        return 2
    from dev.commands import run

    # Whoever ends this process wants what it has started to end, too, as after Ctrl+C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
