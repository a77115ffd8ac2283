"""The data folder is its user's alone: under any umask, and after an earlier release that left it open."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from pack.core.files.permissions import restrict_to_owner
from pack.core.files.private_files import lock, make_folder, replacing
from python_process import PythonProcess

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")

CHILD = """
import os
os.umask(int(sys.argv[3], 8))
from dialect_driver import keyed, request
from pack.core.planning.choice import ProviderChoice
from pack.core.engine import Engine
from pack.core.ledger.kept_answers import KeptAnswer
from pack.core.providers import BUILT_IN
from pack.core.config.settings_file import change
from pack.tests.doubles import start

home = Path(sys.argv[2])
with start(0) as doubles:
    environ = keyed(doubles, "onerouter")
    if len(sys.argv) > 4:
        environ["NANO_BANANA_RESULTS"] = sys.argv[4]
    engine = Engine(home, environ=environ)
    engine.keys.put("fal", "default", "sim-1", "https://fal.run")
    change(home, {"cap_day": 3}, BUILT_IN)
    asked = [request()]
    run = engine.run(asked, engine.plan(ProviderChoice("onerouter"), asked))
    assert run.done.wait(60) and run.tasks[0].error is None, run.tasks[0].error
    engine.ledger.answers.write("a-call", KeptAnswer(200, {}, b"words", {}))
    engine.ledger.results.keep_unreadable("a-uid", b"no picture")
    engine.ledger.results.write_incoming("b-uid", b"a picture")
    for file in sorted(home.rglob("*")):
        print(file, flush=True)
    engine.ledger.close()
"""


def live(home: Path, umask: str, *more: str) -> list[str]:
    """A process with that umask which writes everything that the pack ever writes; gives what was there at its end."""
    process = PythonProcess(CHILD, str(home), umask, *more)
    there = process.stdout.read().splitlines()
    assert process.wait(60) == 0
    process.close()
    return there


def open_to_others(*roots: Path) -> dict[str, str]:
    """What other users of the machine may read, write or enter."""
    found = [path for root in roots for path in (root, *root.rglob("*"))]
    return {
        str(path): oct(mode)
        for path in found
        if (mode := stat.S_IMODE(path.lstat().st_mode)) & 0o077 or not mode & 0o400
    }


@pytest.mark.parametrize(
    "umask", ["000", pytest.param("022", marks=pytest.mark.long), pytest.param("002", marks=pytest.mark.long)]
)
def test_all_that_is_written_is_private_whatever_the_umask(umask: str, tmp_path: Path) -> None:
    """Folder, keys, settings, journal and its log, locks, pictures, sidecars, kept answers."""
    home = tmp_path / "outer" / "home"
    there = live(home, umask)
    names = " ".join(there)
    for part in ("keys.json", "settings.json", "settings.lock", "journal.sqlite", "journal.sqlite-wal", "owners/",
                 "incoming/b-uid", ".answer", "a-uid.bin", ".png"):  # fmt: skip
        assert part in names, f"{part} was not written, so this proves nothing"
    assert open_to_others(home) == {}


def test_a_folder_of_the_user_s_keeps_its_rights_and_gets_private_files(tmp_path: Path) -> None:
    """NANO_BANANA_RESULTS may be a folder with other things in it."""
    named = tmp_path / "pictures"
    named.mkdir()
    named.chmod(0o755)
    theirs = named / "holiday.png"
    theirs.write_bytes(b"x")
    theirs.chmod(0o644)
    live(tmp_path / "home", "000", str(named))
    assert stat.S_IMODE(named.stat().st_mode) == 0o755 and stat.S_IMODE(theirs.stat().st_mode) == 0o644
    assert set(open_to_others(named)) == {str(named), str(theirs)}
    assert list(named.rglob("*.json")) and open_to_others(tmp_path / "home") == {}


def old_folder(home: Path) -> None:
    """As a release that left the modes to the umask made it, with umask 0."""
    for folder in (home, home / "owners", home / "results", home / "results" / "ab"):
        folder.mkdir()
        folder.chmod(0o777)
    for name in ("keys.json", "settings.json", "journal.sqlite", "journal.sqlite-wal", "settings.lock", "providers.yaml",
                 "owners/x.lock", "results/ab/abc.png", "results/ab/abc.json"):  # fmt: skip
        (home / name).write_bytes(b"")
        (home / name).chmod(0o666)


def test_an_old_folder_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    """With everything that is in it."""
    old_folder(tmp_path / "home")
    restrict_to_owner(tmp_path / "home")
    assert open_to_others(tmp_path / "home") == {}


def test_a_folder_with_other_things_in_it_stays_and_ours_in_it_are_closed(tmp_path: Path) -> None:
    """NANO_BANANA_HOME may name somebody's home directory."""
    home = tmp_path / "home"
    old_folder(home)
    (home / "public_html").mkdir(mode=0o755)
    (home / "public_html").chmod(0o755)
    restrict_to_owner(home)
    assert set(open_to_others(home)) == {str(home), str(home / "public_html")}


def test_a_folder_that_is_shared_on_purpose_and_links_are_left_alone(tmp_path: Path) -> None:
    """A setgid or sticky bit is set by hand; a link may lead to a file of somebody else's."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    elsewhere.chmod(0o644)
    for mode in (0o2775, 0o1777):
        home = tmp_path / oct(mode)
        home.mkdir()
        home.chmod(mode)
        (home / "providers.yaml").symlink_to(elsewhere)
        restrict_to_owner(home)
        assert stat.S_IMODE(home.stat().st_mode) == mode
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644


def test_what_is_not_there_or_no_folder_is_no_failure(tmp_path: Path) -> None:
    restrict_to_owner(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    restrict_to_owner(tmp_path / "file")
    with pytest.raises(OSError):
        make_folder(tmp_path / "file" / "below")


def test_nobody_else_can_open_a_lock(tmp_path: Path) -> None:
    """Whoever can open the file can hold the lock, and with it every run."""
    before = os.umask(0)
    try:
        with lock(tmp_path / "a.lock"):
            assert stat.S_IMODE((tmp_path / "a.lock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """Until the last byte is written the old one is read; where writing fails it stays, and nothing else is left."""
    file = tmp_path / "answer"
    file.write_bytes(b"old")
    with replacing(file) as stream:
        stream.write(b"new")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    with pytest.raises(RuntimeError), replacing(file, sync=True) as stream:
        stream.write(b"half of ")
        raise RuntimeError
    assert file.read_bytes() == b"new" and list(tmp_path.iterdir()) == [file]
