"""Copies a folder of results into the bucket that keeps them now."""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import LedgerFailed
from ..errors.messages import msg
from .results import FOLDER, PICTURE_BYTES, Results
from .storage.folder_store import FolderStore


def upload(folder: Path, results: Results) -> tuple[int, Path]:
    """Copies pictures, sidecars and turns, then renames the folder; gives how many pictures there were, and its new name.

    Run again after it was cut off, it copies what is missing. Raises LedgerFailed and OSError with the folder as it was.
    """
    source = FolderStore(folder)
    if source.is_new:
        raise LedgerFailed(msg("upload.no_folder", folder=folder))
    pictures = 0
    for name in source.folders():
        if not FOLDER.fullmatch(name):
            continue
        there = results.store.list_in(name)
        for key, size in source.list_in(name).items():
            if size < 0 or key.endswith(".part"):
                continue
            is_picture = not key.endswith(".json")
            pictures += is_picture
            if not is_picture or there.get(key) != size:
                results.store.put(key, source.get(key, PICTURE_BYTES))
    uploaded = folder.with_name(f"{folder.name}-uploaded-{time.strftime('%Y%m%d-%H%M%S')}")
    folder.rename(uploaded)
    return pictures, uploaded
