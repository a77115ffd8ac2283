"""The provider's own bytes on disk, named by their content, with a sidecar each.

    incoming/<uid>            complete bytes of a row that is not yet committed as stored
    ab/abcdef....png          the bytes; the name is their SHA-256
    unreadable/<uid>.bin      bytes that are no picture, kept for a person to look at
    ab/abcdef....<uid>.json   the facts of a picture: request, time, provider, price; the journal can be rebuilt from these
    ab/abcdef....<uid>.turn.json   its turn in a conversation, see `turns`

Each picture has its own sidecar, so that a further picture with the same bytes rewrites no file. Earlier releases named the
first one `ab/abcdef....json`, and kept all pictures with the same bytes in it; such a file is still read, and pictures can be
removed from it.

`incoming` and `unreadable` are folders of this machine; where all other files are kept says `storage`. A file has its name only
when it is complete. No picture is decoded here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors.messages import msg
from ..files import private_files
from ..files.regular_files import NotReadable, read_regular
from ..images.picture import EXTENSION, sniff
from . import interruptible_json
from .storage.folder_store import FolderStore
from .storage.object_store import ResultsStore
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
FOLDER = re.compile(r"[0-9a-f]{2}")
ARRIVED = ("incoming", "unreadable")
"""The folders of this machine."""
TURN = ".turn.json"
"""How the file of a turn ends."""
SIDECAR_BYTES = 16 << 20
"""A larger sidecar is not read."""
_READ_TOGETHER, _SMALL_BYTES = 64, 1 << 20
"""How many sidecars of how many bytes are read at once."""
PICTURE_BYTES = 400 << 20
"""A larger file is not read: the transport accepts no such answer."""


class DamagedFile(ValueError):
    """The bytes on disk are not the ones that were stored."""


class Results:
    """The results of one journal. Methods raise OSError, and LedgerFailed where a bucket doesn't answer."""

    def __init__(self, folder: Path, store: ResultsStore | None = None, earlier: Path | None = None) -> None:
        """`folder`: of this machine. `store`: where results are kept; None = in that folder. `earlier`: the folder that kept
        them before, perhaps."""
        self.folder, self._earlier = folder, earlier
        self.store = store or FolderStore(folder)
        self.checked_id = ""
        """See `shared_results`."""
        self.before_turn_is_deleted: Callable[[str], None] = lambda key: None
        """Called with the key of a turn, see `turns`."""

    def take_notices(self) -> list[str]:
        """What the user should know about where results are kept; each notice is given once."""
        earlier, self._earlier = self._earlier, None
        if earlier is None or not any(any(earlier.glob(f"{each}/*")) for each in ("[0-9a-f][0-9a-f]", *ARRIVED)):
            return []
        command = "python ledger.py upload"
        return [msg("results.earlier_folder", folder=earlier, place=self.store.place, command=command)]

    def check_free_space(self, pictures: int) -> None:
        """Raises LedgerFailed where the folder can't be written or lacks space for that many pictures."""
        try:
            private_files.make_writable_folder(self.folder / "incoming")
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

    def incoming_uids(self) -> list[str]:
        """The pictures that have incoming bytes on this machine."""
        return [file.name for file in (self.folder / "incoming").glob("*") if UID.fullmatch(file.name)]

    def share(self, uid: str, name: str) -> None:
        """Lets all machines read incoming bytes, before a row says that they are stored."""
        self.store.share(self.folder / "incoming" / uid, key_of(name))

    def share_then(
        self, uid: str, name: str, then: Callable[[], object], failed: Callable[[], object] = lambda: None
    ) -> None:
        """`share`, then `then`; both later, from another thread, while a bucket doesn't answer. `failed`: that has failed."""
        self.store.share_then(self.folder / "incoming" / uid, key_of(name), then, failed)

    def is_shared(self, name: str) -> bool:
        """Whether all machines can read bytes that were shared; asked anew."""
        return self.store.is_shared(key_of(name))

    def is_waiting(self, uid: str) -> bool:
        """Whether incoming bytes wait for a bucket."""
        return self.store.is_waiting(self.folder / "incoming" / uid)

    def finalize(self, uid: str, name: str) -> None:
        """Gives incoming bytes that were shared their name. Does nothing where there are none."""
        self.store.take(self.folder / "incoming" / uid, key_of(name))

    def path(self, name: str) -> Path:
        """Where bytes are on this machine, if they are here."""
        return self.folder / key_of(name)

    def has(self, name: str, uid: str) -> bool:
        """Whether the bytes are here, under their name or still incoming."""
        return bool(name) and (self.has_incoming(uid) or self.store.exists(key_of(name)))

    def existing(self, pictures: Iterable[tuple[str, str]], *, here: bool = False) -> set[tuple[str, str]]:
        """`has` for many pictures, each given by its name and uid. `here`: without a request, of what this machine has."""
        asked = [(name, uid) for name, uid in pictures if name]
        incoming = {(name, uid) for name, uid in asked if self.has_incoming(uid)}
        look_up = self.store.existing_here if here else self.store.existing
        found = look_up(key_of(name) for name, uid in asked if (name, uid) not in incoming)
        return incoming | {(name, uid) for name, uid in asked if key_of(name) in found}

    def read(self, name: str, uid: str) -> bytes:
        """The bytes. Raises FileNotFoundError, or DamagedFile where their digest differs from their name."""
        exists = False
        incoming, key = self.folder / "incoming" / uid, key_of(name)
        for read in (lambda: read_regular(incoming, PICTURE_BYTES), lambda: self.store.get(key, PICTURE_BYTES)):
            try:
                data = read()
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
        facts_json = _json(facts)
        if graph:
            facts_json = f'{facts_json[:-1]}, "graph": {graph}}}'
        self._write(f"{_stem(name)}.{facts['uid']}.json", name, facts_json)

    def delete(self, name: str) -> None:
        """Deletes bytes and sidecars."""
        self._delete(self._files_of(name))

    def delete_sidecars(self, name: str, uids: set[str]) -> None:
        """Deletes the facts of pictures whose bytes other pictures use.

        Called inside a write transaction, as `write_sidecar` is.
        """
        deleted = []
        for key in self._files_of(name):
            parts = key.split(".")
            if parts[-1] == "part" or uids.intersection(parts):  # left by a crash: no one else writes now
                deleted.append(key)
            elif parts[1:] == ["json"]:
                pictures = self._pictures(key)
                remaining = [facts for facts in pictures if facts.get("uid") not in uids]
                if not remaining:
                    deleted.append(key)
                elif len(remaining) < len(pictures):
                    self._write(
                        key, name, *(interruptible_json.dumps(facts, ensure_ascii=False) for facts in remaining)
                    )
        self._delete(deleted)

    def delete_turn(self, key: str) -> None:
        """Deletes a turn and what was sent for it."""
        self._delete([key])

    def _delete(self, keys: Iterable[str]) -> None:
        listed = list(keys)
        for key in listed:
            if key.endswith(TURN):
                self.before_turn_is_deleted(key)
        self.store.delete(listed)

    def _files_of(self, name: str) -> list[str]:
        """The keys of the bytes, of the sidecars of all pictures with them, and of what a crash left of these."""
        folder, _, stem = _stem(name).partition("/")
        return list(self.store.list_in(folder, f"{stem}."))

    def _write(self, key: str, name: str, *facts_json: str) -> None:
        """Writes a sidecar; `facts_json`: the facts of each of its pictures."""
        text = f'{{"version": {SIDECAR_VERSION}, "file": {json.dumps(name)}, "pictures": [{", ".join(facts_json)}]}}'
        # A lone surrogate is written as its JSON escape.
        self.store.put_soon(key, text.encode("utf-8", "backslashreplace"))

    def _pictures(self, key: str) -> list[dict[str, Any]]:
        try:
            return _valid_pictures(self._read(key))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return []

    def _read(self, key: str) -> dict[str, Any]:
        """The JSON object of a sidecar. Raises OSError, and ValueError, TypeError or RecursionError for an invalid one."""
        try:
            data = self.store.get(key, SIDECAR_BYTES)
        except NotReadable as error:
            log.warning("the sidecar %s is passed over: %s", key.rpartition("/")[2], error)
            raise
        return self._parsed(data)

    @staticmethod
    def _parsed(data: bytes) -> dict[str, Any]:
        value = interruptible_json.loads(data.decode("utf-8"), parse_constant=_reject_constant)
        if not isinstance(value, dict):
            raise TypeError("not an object")
        return value

    def delete_incoming(self, uid: str) -> None:
        """Deletes the incoming or unreadable bytes of a picture."""
        if UID.fullmatch(uid):
            for file in (self.folder / "incoming" / uid, *(self.folder / "unreadable").glob(f"{uid}.*")):
                file.unlink(missing_ok=True)

    def walk(self) -> Iterator[tuple[str, int, list[dict[str, Any]]]]:
        """The name and size of the bytes and the facts of the pictures of every sidecar whose bytes are here."""
        for folder in self.store.folders():
            listed = self.store.list_in(folder) if FOLDER.fullmatch(folder) else {}
            for key, data in self._sidecars(listed):
                try:
                    value = self._parsed(data) if data is not None else self._read(key)
                    name = value["file"]
                    if not NAME.fullmatch(name) or _stem(name) != key.partition(".")[0]:
                        continue
                    pictures = _valid_pictures(value)
                    size = max(listed.get(key_of(name), -1), self._finalize_found(name, pictures))
                except (OSError, ValueError, KeyError, TypeError, RecursionError):
                    continue
                if size >= 0:
                    yield name, size, pictures

    def _sidecars(self, listed: dict[str, int]) -> Iterator[tuple[str, bytes | None]]:
        """The keys of the sidecars in a folder, and what is in those that were read together; None for others."""
        keys = [key for key in listed if key.endswith(".json") and not key.endswith(TURN)]
        for start in range(0, len(keys), _READ_TOGETHER):
            chunk = keys[start : start + _READ_TOGETHER]
            read = self.store.get_many([key for key in chunk if 0 <= listed[key] <= _SMALL_BYTES])
            yield from ((key, read.get(key)) for key in chunk)

    def _finalize_found(self, name: str, pictures: list[dict[str, Any]]) -> int:
        """Gives incoming bytes that a sidecar describes their name, and their size; -1 where there are none."""
        size = -1
        for facts in pictures:
            data = self.read_incoming(facts["uid"]) if self.has_incoming(facts["uid"]) else None
            # Under a name that is not their digest the bytes would count as damaged.
            if data is not None and name_of(data) == name:
                self.share(facts["uid"], name)
                self.finalize(facts["uid"], name)
                size = len(data)
        return size


def name_of(data: bytes) -> str:
    """The file name of some bytes; it ends in `.bin` where they are no picture."""
    image_format = sniff(data)
    return f"{hashlib.sha256(data).hexdigest()}.{EXTENSION.get(image_format, image_format) or 'bin'}"


def key_of(name: str) -> str:
    """The key of some bytes, by their file name."""
    return f"{name[:2]}/{name}"


def _stem(name: str) -> str:
    """What the keys of some bytes and of all their sidecars begin with."""
    return key_of(name).partition(".")[0]


def _json(facts: dict[str, Any]) -> str:
    # No indent: with one, `json` uses its slow Python encoder.
    return json.dumps(facts, ensure_ascii=False)


def _valid_pictures(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The facts of the pictures of a sidecar whose uid has the right form."""
    pictures = value["pictures"]
    listed = [facts for facts in pictures if isinstance(facts, dict)] if isinstance(pictures, list) else []
    return [facts for facts in listed if isinstance(facts.get("uid"), str) and UID.fullmatch(facts["uid"])]


def _reject_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
