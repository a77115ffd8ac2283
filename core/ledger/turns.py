"""What is kept of a request and its answer so that a conversation can go on from the picture, also after a restart.

    ab/abcdef....<uid>.turn.json    beside the sidecar of the picture: the words, the parts of the answer with their thought
                                    signatures, the picture that it went on from. Deleted with the picture
    ordered/<uid>.turn.json       the same without an answer, for a picture of an order that hasn't arrived
    references/ab/<digest>.<ending>   pictures that were sent along, by the digest of their pixels; the longest unused go first
    references/ab/<digest>.<uid>.used   empty, one for each picture that it was sent for: it goes with the last of them

The journal has none of it: a signature may be as long as a picture. Pictures in an answer are named by their content.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..dialects.parsing.model_turn import MOST_PARTS
from ..errors import LedgerFailed, ResultsAway
from ..images.picture import EXTENSION, Encoded
from . import interruptible_json
from .results import NAME, PICTURE_BYTES, SIDECAR_BYTES, TURN, UID, Results, key_of
from .storage.object_store import ResultsStore

log = logging.getLogger("nano_banana")

VERSION = 1
ORDERED = "ordered"
"""The folder of what was asked for pictures of orders."""
_MOST_REFERENCES = 64
_SHARE = 10
"""The references that are kept may take one part in so many of what the results may."""
_TARGET_SHARE = 0.9
_USED = ".used"
_KNOWN_SECONDS = 300.0
"""For so long a reference that is in a bucket isn't looked for again."""


@dataclass(frozen=True)
class RecordedPart:
    """A part of an answer; `picture` is a file name in the results folder, "" for words."""

    text: str = field(default="", repr=False)
    picture: str = ""
    size: int = 0
    mime: str = ""
    signature: str = field(default="", repr=False)
    thought: bool = False


@dataclass(frozen=True)
class RecordedReference:
    """A picture that was sent along."""

    digest: str
    width: int
    height: int


@dataclass(frozen=True)
class TurnRecord:
    """One turn of a conversation as it is on disk."""

    provider: str
    model: str
    """Wire model id."""
    prompt: str = field(repr=False)
    references: tuple[RecordedReference, ...] = ()
    parts: tuple[RecordedPart, ...] = ()
    parent: tuple[str, str] = ("", "")
    """File name and uid of the picture that it went on from; empty for a first request."""
    base_url: str = field(default="", repr=False)
    """Where the request was sent; "" in a record that doesn't say so."""


class Turns:
    """The turns in one results folder."""

    def __init__(self, results: Results, limit: Callable[[], int]) -> None:
        """`limit` gives the bytes that the results may take."""
        self._results, self._limit = results, limit
        self._lock = threading.Lock()
        self._total: int | None = None
        self._known_until: dict[str, float] = {}
        """Digest of a reference that is in a bucket -> when it is looked for again, as another machine may have deleted it."""
        results.before_turn_is_deleted = self._drop_references

    def write(self, name: str, uid: str, data: bytes) -> None:
        """Writes the record of a picture, see `encoded`. Raises OSError."""
        self._store.put_soon(self._key(name, uid), data, sync=True)

    def read(self, name: str, uid: str) -> TurnRecord | None:
        """The record of a picture; None where there is none that can be read."""
        if not NAME.fullmatch(name) or not UID.fullmatch(uid):
            return None
        return self._record(self._key(name, uid))

    def existing(self, pictures: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pictures, given by name and uid, that have a record, be it one that can't be read.

        Of what a bucket has that doesn't answer, only those that this machine has, too.
        """
        asked = ((name, uid) for name, uid in pictures if NAME.fullmatch(name) and UID.fullmatch(uid))
        keys = {self._key(name, uid): (name, uid) for name, uid in asked}
        try:
            return {keys[key] for key in self._store.existing(keys)}
        except ResultsAway:
            return {keys[key] for key in self._store.existing_here(keys)}

    # ------------------------------------------------------------------------------------------------ orders

    def write_ordered(self, uid: str, data: bytes) -> None:
        """Writes what was asked for a picture of an order, see `encoded`. Raises OSError."""
        self._store.put_soon(_ordered(uid), data, sync=True)

    def read_ordered(self, uid: str) -> TurnRecord | None:
        """What was asked for a picture of an order; None where that isn't known."""
        return self._record(_ordered(uid)) if UID.fullmatch(uid) else None

    def delete_ordered(self, uid: str, *, has_turn: bool) -> None:
        """The picture has arrived, or never will. Without a turn, what was sent along goes, too. Raises OSError."""
        if not UID.fullmatch(uid):
            return
        if not has_turn:
            self._drop_references(_ordered(uid))
        self._store.delete([_ordered(uid)])

    # ------------------------------------------------------------------------------------------------ references

    def keep_references(self, uid: str, digests: Sequence[str], files: Sequence[Encoded]) -> None:
        """Keeps pictures that were sent along for one with this uid, each by the digest of its pixels. Raises OSError and
        UnreadableFile."""
        with self._lock:  # calls of one run send the same pictures
            now = time.monotonic()
            self._known_until = {digest: end for digest, end in self._known_until.items() if end > now}
            for digest, sent in zip(digests, files, strict=True):
                self._store.put_soon(_marker(digest, uid), b"")
                if digest in self._known_until:
                    continue
                found = self._reference(digest)
                if found is not None:
                    self._store.touch(found)
                else:
                    key = f"{_reference_key(digest)}.{EXTENSION.get(sent.format, sent.format)}"
                    self._store.put_soon(key, bytes(sent.data), sync=True)
                    self._count(len(sent.data))
                if not self._store.may_vanish:
                    self._known_until[digest] = now + _KNOWN_SECONDS

    def marks(self) -> list[Path]:
        """The files that say which pictures were sent for which: `<digest>.<uid>.used`."""
        return list(self._folder.glob("*/*.*.used"))

    def delete_unmarked(self, before: float) -> None:
        """Deletes pictures that were sent along and have no mark. Those used after `before` (Unix time) may get one yet."""
        with self._lock:
            marked = {file.name.partition(".")[0] for file in self.marks()}
            for file in self._folder.glob("*/*"):
                if file.suffix != ".used" and file.stem not in marked and is_older(file, before):
                    file.unlink(missing_ok=True)
            self._total = None

    def has_reference(self, digest: str) -> bool:
        return self._reference(digest) is not None

    def read_reference(self, digest: str) -> bytes:
        """The file of a picture that was sent along. Raises OSError."""
        found = self._reference(digest)
        if found is None:
            raise FileNotFoundError(f"no reference {digest}")
        return self._store.get(found, PICTURE_BYTES)

    def drop_damaged_reference(self, digest: str) -> None:
        """Deletes the file of a picture that can't be decoded: the turns that have it can't be sent any more."""
        with self._lock:
            found = self._reference(digest)
            if found is not None:
                self._known_until.pop(digest, None)
                self._store.delete([found])

    def _drop_references(self, key: str) -> None:
        """Deletes the pictures that were sent along for one that is forgotten, unless another has them, too."""
        uid, record = uid_of(key), self._record(key)
        for reference in record.references if record else ():
            with self._lock:
                found = self._files_of(reference.digest)
                used_by_others = any(each.endswith(_USED) for each in found if each != _marker(reference.digest, uid))
                if not used_by_others:
                    self._known_until.pop(reference.digest, None)
                self._store.delete([_marker(reference.digest, uid)] if used_by_others else found)

    def _files_of(self, digest: str) -> list[str]:
        folder, _, name = _reference_key(digest).rpartition("/")
        return list(self._store.list_in(folder, f"{name}."))

    @property
    def _store(self) -> ResultsStore:
        return self._results.store

    @property
    def _folder(self) -> Path:
        """Of this machine: what a bucket keeps is not deleted for its size."""
        return self._results.folder / "references"

    def _reference(self, digest: str) -> str | None:
        """Its key; None where it isn't here."""
        keys = [f"{_reference_key(digest)}.{ending}" for ending in ("webp", "png", "jpg")]
        return min(self._store.existing(keys), default=None)

    def _count(self, size: int) -> None:
        """Counts a new file, and deletes the longest unused ones above the limit."""
        limit = self._limit() // _SHARE
        self._total = self._sum() if self._total is None else self._total + size
        if self._total <= limit:
            return
        files = [(file.stat(), file) for file in self._folder.glob("*/*") if file.suffix != _USED]
        total = sum(facts.st_size for facts, _ in files)
        for facts, file in sorted(files, key=lambda each: each[0].st_mtime):
            if total <= limit * _TARGET_SHARE:
                break
            self._store.delete(self._files_of(file.stem))
            total -= facts.st_size
        self._total = total

    def _sum(self) -> int:
        return sum(file.stat().st_size for file in self._folder.glob("*/*") if file.is_file())

    def _key(self, name: str, uid: str) -> str:
        return f"{key_of(name).partition('.')[0]}.{uid}{TURN}"

    def _record(self, key: str) -> TurnRecord | None:
        """The record with that key; None where there is none that can be read now."""
        try:
            return _decoded(interruptible_json.loads(self._store.get(key, SIDECAR_BYTES).decode("utf-8")))
        except FileNotFoundError:
            return None
        except LedgerFailed as error:
            log.warning("%s", error.reason)
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            log.warning("the turn %s can't be read: %s", key, type(error).__name__)
            return None


def uid_of(key: str) -> str:
    """The uid of the picture in the key of a turn, "" where it has none."""
    uid = key.removesuffix(TURN).replace("/", ".").rpartition(".")[2]
    return uid if UID.fullmatch(uid) else ""


def is_older(file: Path, before: float) -> bool:
    """Whether a file was last written before a Unix time; no where it has just been deleted."""
    try:
        return file.stat().st_mtime < before
    except FileNotFoundError:
        return False


def _reference_key(digest: str) -> str:
    """What the keys of a picture that was sent along begin with."""
    return f"references/{digest[:2]}/{digest}"


def _marker(digest: str, uid: str) -> str:
    return f"{_reference_key(digest)}.{uid}{_USED}"


def _ordered(uid: str) -> str:
    return f"{ORDERED}/{uid}{TURN}"


def encoded(record: TurnRecord) -> bytes:
    """A record as it is on disk. Raises ValueError for one that is too long to be read again."""
    text = json.dumps({"version": VERSION, **asdict(record)}, ensure_ascii=False)
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > SIDECAR_BYTES:
        raise ValueError(f"a turn of {len(data)} bytes")
    return data


def _decoded(value: Any) -> TurnRecord:
    """Raises KeyError, TypeError or ValueError for an invalid record: others may be able to write them."""
    parts, references = _objects(value["parts"], MOST_PARTS), _objects(value["references"], _MOST_REFERENCES)
    file, uid = value["parent"]
    if (file or uid) and not (NAME.fullmatch(file) and UID.fullmatch(uid)):
        raise ValueError("a parent that can't be one")
    return TurnRecord(
        _text(value["provider"]),
        _text(value["model"]),
        _text(value["prompt"]),
        tuple(RecordedReference(_digest(each["digest"]), *_sides(each)) for each in references),
        tuple(_part(each) for each in parts),
        (file, uid),
        _text(value.get("base_url", "")),
    )


def _part(value: dict[str, Any]) -> RecordedPart:
    picture, size = _text(value["picture"]), value["size"]
    if picture and not NAME.fullmatch(picture):
        raise ValueError("a name that can't be one")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= PICTURE_BYTES:
        raise ValueError("a size that can't be one")
    text, mime, signature = (_text(value[name]) for name in ("text", "mime", "signature"))
    return RecordedPart(text, picture, size, mime, signature, value["thought"] is True)


def _objects(value: Any, most: int) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > most or not all(isinstance(each, dict) for each in value):
        raise TypeError("no list of objects")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _digest(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or not value.isalnum():
        raise ValueError("no digest")
    return value


def _sides(value: dict[str, Any]) -> tuple[int, int]:
    width, height = value["width"], value["height"]
    if not all(type(side) is int and 0 < side <= 1 << 20 for side in (width, height)):
        raise ValueError("sides that can't be ones")
    return width, height
