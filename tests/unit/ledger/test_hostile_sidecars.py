"""Sidecars and files in a results folder that others can write: names that become paths, prices, endless files."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from journal_driver import FREE, claim_one, entry, open_journal, png, run_context
from long_rows import every_value
from pack.core.errors import LedgerFailed, OverCap
from pack.core.ledger import Caps
from pack.core.ledger.history import History
from pack.core.ledger.results import DamagedFile

HOSTILE: dict[str, dict[str, Any]] = {
    "absolute uid": {"uid": "/HOME/keys.json"},
    "relative uid": {"uid": "../../keys.json"},
    "uid of another form": {"uid": "x" * 32},
    "uid no text": {"uid": ["a"]},
    "negative price": {"usd_charged": -1000000},
    "negative expected": {"usd_expected": -5, "usd_charged": None},
    "infinite price": {"usd_charged": float("inf")},
    "no number": {"usd_charged": float("nan")},
    "huge price": {"usd_charged": 1e300},
    "price as text": {"usd_charged": "0.1"},
    "price that is no float": {"usd_charged": 10**400},
    "time that is no float": {"created": 10**400, "ended": -(10**400)},
    "role": {"role": "admin"},
    "prompt": {"prompt": {"a": 1}},
    "fingerprint": {"fingerprint": ""},
}


def sidecars(home: Path) -> list[Path]:
    return sorted((home / "results").glob("??/*.json"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with one stored picture and keys, whose journal is gone."""
    journal = open_journal(tmp_path)
    claim_one(journal)
    journal.mark_sent(["v1:a"], "c" * 32)
    journal.write_incoming("v1:a", png(3))
    journal.mark_stored("v1:a", "", 0.04)
    journal.close()
    for file in tmp_path.glob("journal.sqlite*"):
        file.unlink()
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "results" / "incoming").mkdir(exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_sidecar_moves_nothing_and_lifts_no_cap(attack: str, home: Path) -> None:
    """The journal opens, other files stay, and the caps of the day hold."""
    (file,) = sidecars(home)
    value = json.loads(file.read_text())
    value["pictures"][0] |= json.loads(json.dumps(HOSTILE[attack]).replace("/HOME", str(home)))
    file.write_text(json.dumps(value))
    journal = open_journal(home)
    assert [shown for shown in History(journal).pictures() if shown.usd < 0] == []
    assert (home / "keys.json").read_text() == "{}"
    wanted = [entry(f"v1:{number}", micros=100_000) for number in range(20)]
    with pytest.raises(OverCap):
        journal.reserve(wanted, run_context(), Caps(None, 1.0, None))
    History(journal).forget()
    assert (home / "keys.json").read_text() == "{}"
    journal.close()


@pytest.mark.parametrize(
    "text",
    [
        '{"file": "NAME", "pictures": ' + "[" * 100_000,
        '{"file": "NAME", "pictures": [{"uid": 1e400}]}',
        '{"file": "NAME", "pictures": {"a": 1}}',
        '{"file": "../../keys.json", "pictures": []}',
        '{"file": ["NAME"], "pictures": []}',
        "[1]",
        "",
        '{"file": "NAME", "pictures": [' + " " * (17 << 20) + "]}",
    ],
    ids=range(8),
)
def test_an_invalid_sidecar_is_skipped(text: str, home: Path) -> None:
    """Whatever it holds, the journal opens."""
    (file,) = sidecars(home)
    file.write_text(text.replace("NAME", json.loads(file.read_text())["file"]))
    journal = open_journal(home)
    assert claim_one(journal) == "reserved" and (home / "keys.json").read_text() == "{}"
    journal.close()


def test_a_valid_sidecar_is_read(home: Path) -> None:
    """The checks let through what we write."""
    journal = open_journal(home)
    assert journal.reserve([entry()], run_context(), FREE).statuses == {"v1:a": "stored"}
    assert [shown.usd for shown in History(journal).pictures()] == [0.04]
    journal.close()


# -------------------------------------------------------------------------------------------- what is in a file's place


def special(file: Path, kind: str) -> None:
    """Puts something into the place of a file that is none."""
    file.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        (file / "inner").mkdir(parents=True)
    elif kind == "terminal":
        file.symlink_to("/dev/ptmx")
    elif kind == "endless":
        file.symlink_to("/dev/zero")
    elif kind == "circle":
        file.symlink_to(file)
    else:
        file.touch()
        os.truncate(file, 60 << 30)


KINDS = ["pipe", "folder", "terminal", "endless", "circle", "sparse"]


@pytest.mark.skipif(os.name != "posix", reason="special files are POSIX's")
@pytest.mark.parametrize(("kind", "place"), every_value(KINDS, ["sidecar", "further sidecar", "picture", "incoming"]))
def test_pipes_devices_and_huge_files_do_not_block_the_journal(place: str, kind: str, home: Path) -> None:
    """A pipe, a device, a folder, a link in a circle, a file of 60 GB: the journal opens, the caps hold."""
    (sidecar,) = sidecars(home)
    uid = json.loads(sidecar.read_text())["pictures"][0]["uid"]
    picture = next(file for file in sidecar.parent.iterdir() if file.suffix != ".json")
    files = {
        "sidecar": sidecar,
        "further sidecar": sidecar.with_suffix(f".{'b' * 32}.json"),
        "picture": picture,
        "incoming": home / "results" / "incoming" / uid,
    }
    if place == "incoming":
        picture.unlink()
    special(files[place], kind)
    ended = threading.Event()
    problems: list[BaseException] = []

    def use() -> None:
        try:
            journal = open_journal(home)
            for shown in History(journal).pictures():
                if shown.file:
                    with contextlib.suppress(FileNotFoundError, DamagedFile):
                        History(journal).read(shown)
            with pytest.raises(OverCap):
                journal.reserve(
                    [entry(f"v1:{n}", micros=100_000) for n in range(20)], run_context(), Caps(None, 1.0, None)
                )
            journal.close()
        except BaseException as error:
            problems.append(error)
        ended.set()

    threading.Thread(target=use, daemon=True).start()
    assert ended.wait(60) and not problems, problems


@pytest.mark.skipif(os.name != "posix", reason="special files are POSIX's")
def test_a_journal_that_is_a_pipe_is_an_error(tmp_path: Path) -> None:
    """SQLite would wait for it without an end."""
    os.mkfifo(tmp_path / "journal.sqlite")
    journal = open_journal(tmp_path)
    with pytest.raises(LedgerFailed, match="no file"):
        History(journal).pictures()
    journal.close()


def test_an_unreadable_folder_does_not_count_as_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the journal is told why it can't be read, in words."""
    journal = open_journal(tmp_path)

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    assert not journal.is_empty
    with pytest.raises(LedgerFailed, match="Permission denied"):
        History(journal).pictures()


def test_a_sidecar_can_t_give_incoming_bytes_a_wrong_name(home: Path) -> None:
    """A sidecar that names another picture's uid would take away what was paid."""
    (sidecar,) = sidecars(home)
    value = json.loads(sidecar.read_text())
    value["pictures"][0]["uid"] = "d" * 32
    waiting = home / "results" / "incoming" / ("d" * 32)
    waiting.write_bytes(png(9))
    sidecar.write_text(json.dumps(value))
    for file in sidecar.parent.glob("*.png"):
        file.unlink()
    journal = open_journal(home)
    History(journal).pictures()
    journal.close()
    assert waiting.read_bytes() == png(9)


@pytest.mark.long
def test_thousands_of_pictures_in_a_sidecar_are_inserted_at_once(home: Path) -> None:
    """One by one they would hold the journal for a minute."""
    (sidecar,) = sidecars(home)
    value = json.loads(sidecar.read_text())
    value["pictures"] = [value["pictures"][0] | {"uid": f"{number:032x}"} for number in range(5000)]
    sidecar.write_text(json.dumps(value))
    journal = open_journal(home)
    assert len(History(journal).pictures(limit=9000)) == 5000
    journal.close()
