"""Two runs at once: the second waits, also for a child of a first one that was killed."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pack.dev.cache import locked

STAY = "import sys; print('here', flush=True); sys.stdin.read()"


def test_the_second_waits_and_says_so(tmp_path: Path) -> None:
    waits, got = threading.Event(), threading.Event()

    def second() -> None:
        with locked(tmp_path / "lock", waits.set):
            got.set()

    with locked(tmp_path / "lock"):
        other = threading.Thread(target=second, daemon=True)
        other.start()
        assert waits.wait(5)
        assert not got.is_set()
    assert got.wait(5)
    other.join()


def test_a_free_lock_is_taken_at_once(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "deep" / "lock", lambda: pytest.fail("nobody has it")):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows hands no lock on to children")
def test_a_child_that_outlives_the_run_keeps_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path / "lock") as inherited:
        child = subprocess.Popen(
            [sys.executable, "-c", STAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=inherited
        )
    assert child.stdin and child.stdout
    child.stdout.readline()

    waited = []

    def end() -> None:
        assert child.stdin
        waited.append(True)
        child.stdin.close()

    with locked(tmp_path / "lock", end):
        pass
    assert waited
    child.stdout.close()
    child.wait()
