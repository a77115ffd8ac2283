"""Copies a folder of results into the bucket that keeps them now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import LedgerFailed
from ..errors.messages import msg
from ..files import private_files
from ..files.regular_files import read_regular
from .results import ARRIVED, FOLDER, PICTURE_BYTES, Results
from .shared_results import NAME as ID_FILE
from .storage.folder_store import FolderStore
from .turns import ORDERED


def upload(folder: Path, results: Results) -> tuple[int, Path]:
    """Copies all that machines share, and what only this one has, then renames the folder; gives how many pictures there were,
    and its new name.

    Run again after it was cut off, it copies what is missing. Raises LedgerFailed and OSError with the folder as it was.
    """
    source = FolderStore(folder)
    if source.is_new:
        raise LedgerFailed(msg("upload.no_folder", folder=folder))
    if source.exists(ID_FILE) and not results.store.exists(ID_FILE):
        results.store.put(ID_FILE, source.get(ID_FILE, PICTURE_BYTES))
    pictures = 0
    for name in _folders(source):
        there = results.store.list_in(name)
        for key, size in source.list_in(name).items():
            if size < 0 or key.endswith(".part"):
                continue
            is_picture = FOLDER.fullmatch(name) is not None and not key.endswith(".json")
            pictures += is_picture
            if not is_picture or there.get(key) != size:  # pictures are named by their content
                results.store.put(key, source.get(key, PICTURE_BYTES))
    _copy_arrived(folder, results.folder)
    uploaded = folder.with_name(f"{folder.name}-uploaded-{time.strftime('%Y%m%d-%H%M%S')}")
    folder.rename(uploaded)
    return pictures, uploaded


def _copy_arrived(folder: Path, cache: Path) -> None:
    """Copies the bytes of pictures that no row has yet, and answers that can be read again: both are paid."""
    for name in ARRIVED:
        for file in (folder / name).glob("*"):
            target = cache / name / file.name
            if file.is_file() and file.suffix != ".part" and not target.exists():
                private_files.make_folder(target.parent)
                private_files.write(target, read_regular(file, PICTURE_BYTES))


def _folders(source: FolderStore) -> Iterator[str]:
    """All but what arrived on this machine alone."""
    for name in source.folders():
        if name == "references":
            yield from (f"{name}/{each}" for each in FolderStore(source.folder / name).folders())
        elif name == ORDERED or FOLDER.fullmatch(name):
            yield name
