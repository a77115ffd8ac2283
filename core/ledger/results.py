"""The provider's own bytes on disk, named by their content, with a sidecar each.

    incoming/<uid>            complete bytes of a row that is not yet committed as stored
    ab/abcdef....png          the bytes; the name is their SHA-256
    unreadable/<uid>.bin      bytes that are no picture, kept for a person to look at
    ab/abcdef....json         the facts of a picture: request, time, provider, price; the journal can be rebuilt from these
    ab/abcdef....<uid>.json   the same for each further picture with the same bytes
    ab/abcdef....<uid>.turn.json   its turn in a conversation, see `turns`

Each picture has its own sidecar, so that a further picture with the same bytes rewrites no file. Earlier releases kept all
pictures with the same bytes in the first sidecar; such a file is still read, and pictures can be removed from it.

A file has its name only when it is complete. No picture is decoded here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors.messages import msg
from ..files import private_files
from ..files.regular_files import NotReadable, read_regular
from ..images.picture import EXTENSION, sniff
from . import interruptible_json as interruptible_json
from .types import ledger_failed

log = logging.getLogger("nano_banana")

SIDECAR_VERSION = 1
ROOM_BYTES = 64 << 20
"""Free space that must remain."""
ROOM_PER_PICTURE = 32 << 20
"""Free space that is required before a picture is paid: more than a 4K PNG needs."""


UID = re.compile(r"[0-9a-f]{32}")
"""The id of a picture. It is checked because it becomes a part of file names, and others may be able to write sidecars."""
NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}")
TURN = ".turn.json"
"""How the file of a turn ends."""
SIDECAR_BYTES = 16 << 20
"""A larger sidecar is not read."""
PICTURE_BYTES = 400 << 20
"""A larger file is not read: the transport accepts no such answer."""


class DamagedFile(ValueError):
    """The bytes on disk are not the ones that were stored."""


class Results:
    """One results folder. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before_turn_is_deleted: Callable[[Path], None] = lambda file: None
        """Called with the file of a turn, see `turns`."""

    def check_free_space(self, pictures: int) -> None:
        """Raises LedgerFailed where the folder can't be written or lacks space for that many pictures."""
        try:
            private_files.make_folder(self.folder / "incoming")
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise ledger_failed(
                msg("results.results_folder_not_usable", folder=self.folder, error=error.strerror or error)
            ) from None
        needed = ROOM_BYTES + pictures * ROOM_PER_PICTURE
        if free < needed:
            raise ledger_failed(
                msg(
                    "results.too_little_free_space",
                    pictures=pictures,
                    folder=self.folder,
                    free=free >> 20,
                    needed=needed >> 20,
                ),
                cure=msg("results.free_space_or_other_folder"),
            )

    def write_incoming(self, uid: str, data: bytes) -> str:
        """Writes the bytes of a picture to disk, flushed, and gives the file name that they will have."""
        target = self.folder / "incoming" / uid
        private_files.make_folder(target.parent)
        private_files.write(target, data)
        return name_of(data)

    def keep_unreadable(self, uid: str, data: bytes) -> Path:
        """Moves bytes that are no picture to `unreadable`, and gives their path."""
        name = name_of(data)
        target = self.folder / "unreadable" / f"{uid}{name[name.index('.') :]}"
        private_files.make_folder(target.parent)
        private_files.write(target, data)
        (self.folder / "incoming" / uid).unlink(missing_ok=True)
        return target

    def read_incoming(self, uid: str) -> bytes | None:
        """The incoming bytes of a picture; None where there are none."""
        try:
            return read_regular(self.folder / "incoming" / uid, PICTURE_BYTES)
        except (FileNotFoundError, NotReadable):
            return None

    def has_incoming(self, uid: str) -> bool:
        """Whether a picture has incoming bytes."""
        return (self.folder / "incoming" / uid).is_file()

    def finalize(self, uid: str, name: str) -> None:
        """Gives incoming bytes their name. Does nothing where there are none."""
        target = self.path(name)
        private_files.make_folder(target.parent)
        try:
            os.replace(self.folder / "incoming" / uid, target)
        except FileNotFoundError:
            pass

    def path(self, name: str) -> Path:
        return self.folder / name[:2] / name

    def has(self, name: str, uid: str) -> bool:
        """Whether the bytes are here, under their name or still incoming."""
        return bool(name) and (self.path(name).is_file() or self.has_incoming(uid))

    def read(self, name: str, uid: str) -> bytes:
        """The bytes. Raises FileNotFoundError, or DamagedFile where their digest differs from their name."""
        exists = False
        for file in (self.path(name), self.folder / "incoming" / uid):
            try:
                data = read_regular(file, PICTURE_BYTES)
            except FileNotFoundError:
                continue
            except NotReadable:
                exists = True
                continue
            if name_of(data) == name:
                return data
            exists = True
        if exists:
            raise DamagedFile(f"{name} is damaged")
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path(name)))

    def write_sidecar(self, name: str, facts: dict[str, Any], graph: str = "") -> None:
        """Writes the sidecar of a picture; other sidecars of the same bytes stay. `graph`: its workflow as JSON."""
        file = self.path(name).with_suffix(".json")
        if file.exists():
            file = file.with_suffix(f".{facts['uid']}.json")
        facts_json = _json(facts)
        if graph:
            facts_json = f'{facts_json[:-1]}, "graph": {graph}}}'
        _write(file, name, facts_json)

    def delete(self, name: str) -> None:
        """Deletes bytes and sidecars."""
        self.path(name).unlink(missing_ok=True)
        for file in self._sidecars(name):
            self._unlink(file)

    def delete_sidecars(self, name: str, uids: set[str]) -> None:
        """Deletes the facts of pictures whose bytes other pictures use.

        Called inside a write transaction, as `write_sidecar` is.
        """
        suffixes = {f".{uid}" for uid in uids}
        for file in self._sidecars(name):
            if file.suffix == ".part" or suffixes.intersection(
                file.suffixes
            ):  # left by a crash: no one else writes now
                self._unlink(file)
            elif len(file.suffixes) == 1:
                pictures = _pictures(file)
                remaining = [facts for facts in pictures if facts.get("uid") not in uids]
                if not remaining:
                    file.unlink(missing_ok=True)
                elif len(remaining) < len(pictures):
                    _write(file, name, *(interruptible_json.dumps(facts, ensure_ascii=False) for facts in remaining))

    def _unlink(self, file: Path) -> None:
        if file.name.endswith(TURN):
            self.before_turn_is_deleted(file)
        file.unlink(missing_ok=True)

    def _sidecars(self, name: str) -> list[Path]:
        """The sidecars of all pictures with these bytes, and incomplete ones that a crash left."""
        file = self.path(name)
        return [each for each in file.parent.glob(f"{file.stem}.*") if ".json" in each.suffixes]

    def delete_incoming(self, uid: str) -> None:
        """Deletes the incoming or unreadable bytes of a picture."""
        if UID.fullmatch(uid):
            for file in (self.folder / "incoming" / uid, *(self.folder / "unreadable").glob(f"{uid}.*")):
                file.unlink(missing_ok=True)

    def walk(self) -> Iterator[tuple[str, int, list[dict[str, Any]]]]:
        """The name and size of the bytes and the facts of the pictures of every sidecar whose bytes are here."""
        for sidecar in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*.json")):
            if sidecar.name.endswith(TURN):
                continue
            try:
                value = _read(sidecar)
                name = value["file"]
                if not NAME.fullmatch(name) or Path(name).stem != sidecar.name.partition(".")[0]:
                    continue
                pictures = _valid_pictures(value)
                for facts in pictures:
                    data = self.read_incoming(facts["uid"]) if self.has_incoming(facts["uid"]) else None
                    # Under a name that is not their digest the bytes would count as damaged.
                    if data is not None and name_of(data) == name:
                        self.finalize(facts["uid"], name)
                if not self.path(name).is_file():
                    continue
                size = self.path(name).stat().st_size
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
            yield name, size, pictures


def name_of(data: bytes) -> str:
    """The file name of some bytes; it ends in `.bin` where they are no picture."""
    image_format = sniff(data)
    return f"{hashlib.sha256(data).hexdigest()}.{EXTENSION.get(image_format, image_format) or 'bin'}"


def _json(facts: dict[str, Any]) -> str:
    # No indent: with one, `json` uses its slow Python encoder.
    return json.dumps(facts, ensure_ascii=False)


def _write(file: Path, name: str, *facts_json: str) -> None:
    """Writes a sidecar; `facts_json`: the facts of each of its pictures."""
    private_files.make_folder(file.parent)
    text = f'{{"version": {SIDECAR_VERSION}, "file": {json.dumps(name)}, "pictures": [{", ".join(facts_json)}]}}'
    # A lone surrogate is written as its JSON escape.
    with private_files.replacing(file) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


def _pictures(sidecar: Path) -> list[dict[str, Any]]:
    try:
        return _valid_pictures(_read(sidecar))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _read(sidecar: Path) -> dict[str, Any]:
    """The JSON object of a sidecar. Raises OSError, and ValueError, TypeError or RecursionError for an invalid one."""
    try:
        data = read_regular(sidecar, SIDECAR_BYTES)
    except NotReadable as error:
        log.warning("the sidecar %s is passed over: %s", sidecar.name, error)
        raise
    value = interruptible_json.loads(data.decode("utf-8"), parse_constant=_reject_constant)
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _valid_pictures(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The facts of the pictures of a sidecar whose uid has the right form."""
    pictures = value["pictures"]
    listed = [facts for facts in pictures if isinstance(facts, dict)] if isinstance(pictures, list) else []
    return [facts for facts in listed if isinstance(facts.get("uid"), str) and UID.fullmatch(facts["uid"])]


def _reject_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
