"""The provider's own bytes on disk, named by their content, with a sidecar each.

    incoming/<uid>            whole, but not yet settled: found again by the picture's row
    ab/abcdef....png          the bytes; the name is their SHA-256
    unreadable/<uid>.bin      bytes that are no picture, kept to be looked at
    ab/abcdef....json         who asked for them, when, where and for how much: the journal can be rebuilt from these
    ab/abcdef....<uid>.json   the same for each further picture with the same bytes

Each picture has a sidecar of its own, so that one more picture with known bytes rewrites nothing. Earlier releases kept
all pictures with the same bytes in the first file: such a file is still read, and pictures can be taken out of it.

A file appears under its name only when it is complete. Nothing is decoded here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..files import private_files
from ..files.regular_files import NotReadable, read_regular
from ..images.picture import EXTENSION, sniff
from . import interruptible_json as interruptible_json
from .types import ledger_failed

log = logging.getLogger("nano_banana")

SIDECAR_VERSION = 1
ROOM_BYTES = 64 << 20
"""Free space that is left alone."""
ROOM_PER_PICTURE = 32 << 20
"""Free space that is asked for before a picture is paid: more than a 4K PNG has."""


UID = re.compile(r"[0-9a-f]{32}")
"""What names a picture: it becomes a part of file names, and a sidecar may come from a folder that others can write."""
NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}")
SIDECAR_BYTES = 16 << 20
"""A larger sidecar is not read."""
PICTURE_BYTES = 400 << 20
"""A larger picture is none of ours: no answer is so long."""


class DamagedFile(ValueError):
    """The bytes on disk are not the ones that were stored."""


class Results:
    """The folder. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check_free_space(self, pictures: int) -> None:
        """Raises LedgerFailed when there is no room for that many pictures, or no way to write them."""
        try:
            private_files.make_folder(self.folder / "incoming")
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise ledger_failed(
                f"The folder for results {self.folder} can't be used ({error.strerror or error}), and what is paid for must "
                "have a place first"
            ) from None
        needed = ROOM_BYTES + pictures * ROOM_PER_PICTURE
        if free < needed:
            raise ledger_failed(
                f"There is too little free space for {pictures} pictures in {self.folder}: {free >> 20} MB are free, and "
                f"{needed >> 20} MB are wanted before anything is paid",
                cure="Free some space, or name another folder in NANO_BANANA_RESULTS",
            )

    def write_incoming(self, uid: str, data: bytes) -> str:
        """Writes the bytes of a picture to disk and gives the name they will have. On disk when it returns."""
        target = self.folder / "incoming" / uid
        private_files.make_folder(target.parent)
        private_files.write(target, data)
        return name_of(data)

    def keep_unreadable(self, uid: str, data: bytes) -> Path:
        """Keeps bytes that turned out to be no picture, and gives where."""
        name = name_of(data)
        target = self.folder / "unreadable" / f"{uid}{name[name.index('.') :]}"
        private_files.make_folder(target.parent)
        with private_files.open_new(target) as file:
            file.write(data)
        (self.folder / "incoming" / uid).unlink(missing_ok=True)
        return target

    def read_incoming(self, uid: str) -> bytes | None:
        """Bytes that were brought in for a picture and not settled, if there are any."""
        try:
            return read_regular(self.folder / "incoming" / uid, PICTURE_BYTES)
        except (FileNotFoundError, NotReadable):
            return None

    def has_incoming(self, uid: str) -> bool:
        """Whether bytes were brought in for a picture and not settled."""
        return (self.folder / "incoming" / uid).is_file()

    def finalize(self, uid: str, name: str) -> None:
        """Gives brought-in bytes their name; does nothing when that was done."""
        target = self.path(name)
        private_files.make_folder(target.parent)
        try:
            os.replace(self.folder / "incoming" / uid, target)
        except FileNotFoundError:
            pass

    def path(self, name: str) -> Path:
        return self.folder / name[:2] / name

    def has(self, name: str, uid: str) -> bool:
        """Whether the bytes are here, settled or not."""
        return bool(name) and (self.path(name).is_file() or self.has_incoming(uid))

    def read(self, name: str, uid: str) -> bytes:
        """The bytes. Raises FileNotFoundError, or Spoiled when they are not what their name says."""
        found = False
        for file in (self.path(name), self.folder / "incoming" / uid):
            try:
                data = read_regular(file, PICTURE_BYTES)
            except FileNotFoundError:
                continue
            except NotReadable:
                found = True
                continue
            if name_of(data) == name:
                return data
            found = True
        if found:
            raise DamagedFile(f"{name} is damaged")
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path(name)))

    def write_sidecar(self, name: str, facts: dict[str, Any], graph: str = "") -> None:
        """Writes the sidecar of a picture, and touches no other with the same bytes. `graph`: its workflow as JSON."""
        file = self.path(name).with_suffix(".json")
        if file.exists():
            file = file.with_suffix(f".{facts['uid']}.json")
        described = _json(facts)
        if graph:
            described = f'{described[:-1]}, "graph": {graph}}}'
        _write(file, name, described)

    def delete(self, name: str) -> None:
        """Deletes bytes and sidecars."""
        self.path(name).unlink(missing_ok=True)
        for file in self._sidecars(name):
            file.unlink(missing_ok=True)

    def delete_sidecars(self, name: str, uids: set[str]) -> None:
        """Deletes the facts of pictures whose bytes others still use. Called inside a transaction, as `describe` is."""
        theirs = {f".{uid}" for uid in uids}
        for file in self._sidecars(name):
            if file.suffix == ".part" or theirs.intersection(file.suffixes):  # of a crash: nobody writes now
                file.unlink(missing_ok=True)
            elif len(file.suffixes) == 1:
                pictures = _pictures(file)
                kept = [facts for facts in pictures if facts.get("uid") not in uids]
                if not kept:
                    file.unlink(missing_ok=True)
                elif len(kept) < len(pictures):
                    _write(file, name, *(interruptible_json.dumps(facts, ensure_ascii=False) for facts in kept))

    def _sidecars(self, name: str) -> list[Path]:
        """The sidecars of all pictures with these bytes, those included that a crash left half written."""
        file = self.path(name)
        return [each for each in file.parent.glob(f"{file.stem}.*") if ".json" in each.suffixes]

    def delete_incoming(self, uid: str) -> None:
        """Deletes bytes of a picture that never got a name."""
        if UID.fullmatch(uid):
            for file in (self.folder / "incoming" / uid, *(self.folder / "unreadable").glob(f"{uid}.*")):
                file.unlink(missing_ok=True)

    def walk(self) -> Iterator[tuple[str, int, list[dict[str, Any]]]]:
        """Every sidecar whose bytes are here: their name, their size, its pictures."""
        for sidecar in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*.json")):
            try:
                value = _read(sidecar)
                name = value["file"]
                if not NAME.fullmatch(name) or Path(name).stem != sidecar.name.partition(".")[0]:
                    continue
                pictures = _listed(value)
                for facts in pictures:
                    data = self.read_incoming(facts["uid"]) if self.has_incoming(facts["uid"]) else None
                    # Under another name than theirs the bytes of a picture that was paid would count as damaged.
                    if data is not None and name_of(data) == name:
                        self.finalize(facts["uid"], name)
                if not self.path(name).is_file():
                    continue
                size = self.path(name).stat().st_size
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
            yield name, size, pictures


def name_of(data: bytes) -> str:
    """The file name of some bytes; `.bin` when they are no picture."""
    form = sniff(data)
    return f"{hashlib.sha256(data).hexdigest()}.{EXTENSION.get(form, form) or 'bin'}"


def _json(facts: dict[str, Any]) -> str:
    # On one line: with an indent Python's slow encoder would hold the interpreter for as long as a large graph takes.
    return json.dumps(facts, ensure_ascii=False)


def _write(file: Path, name: str, *described: str) -> None:
    """Writes a sidecar of some pictures, each given as JSON."""
    private_files.make_folder(file.parent)
    part = file.with_suffix(".json.part")
    text = f'{{"version": {SIDECAR_VERSION}, "file": {json.dumps(name)}, "pictures": [{", ".join(described)}]}}'
    # A lone surrogate of a graph becomes the escape that JSON has for it.
    with private_files.open_new(part) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))
    os.replace(part, file)


def _pictures(sidecar: Path) -> list[dict[str, Any]]:
    try:
        return _listed(_read(sidecar))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _read(sidecar: Path) -> dict[str, Any]:
    """The JSON object of a sidecar. Raises OSError, and ValueError, TypeError or RecursionError for one that makes no sense."""
    try:
        data = read_regular(sidecar, SIDECAR_BYTES)
    except NotReadable as error:
        log.warning("the sidecar %s is passed over: %s", sidecar.name, error)
        raise
    value = interruptible_json.loads(data.decode("utf-8"), parse_constant=_refused)
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _listed(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The pictures of a sidecar that have a name of the form that we give."""
    listed = value["pictures"]
    found = [facts for facts in listed if isinstance(facts, dict)] if isinstance(listed, list) else []
    return [facts for facts in found if isinstance(facts.get("uid"), str) and UID.fullmatch(facts["uid"])]


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
