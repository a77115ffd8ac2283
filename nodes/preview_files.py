"""Small copies of the output pictures in the host's folder for temporary files: what a node shows after its run.

The host empties that folder when it starts and never before. Here the same picture is written once, however often it is shown,
and the files that were shown longest ago are deleted once all of them take more than `MOST_BYTES`.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from .. import comfyui
from ..core.images.picture import preview_of
from . import tensors
from .output_image import OutputImage

log = logging.getLogger("nano_banana")

SIDE = 1024
"""Longest side in pixels. The pictures themselves are shown by the results panel and by what is connected to the node."""
SUBFOLDER = "nano_banana"
MOST_BYTES = 512 << 20
"""Of all files together: two thousand previews or more."""
_QUALITY = 90

_unchecked_bytes = MOST_BYTES
"""Bytes that were written since the folder was last looked through; so many at the beginning that it is done at once."""


def preview_files(images: Sequence[OutputImage]) -> list[str]:
    """Writes a JPEG file for each picture: where each is, and the size of its picture, as JSON. Empty where it can't write."""
    global _unchecked_bytes
    temp = comfyui.temp_folder()
    if temp is None:
        return []
    folder = temp / SUBFOLDER
    found = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in images:
            height, width = each.image.shape[:2]
            data = _jpeg(each)
            # Pictures of different sizes can have the same small copy, and the page keeps the size by the file's name.
            name = f"{hashlib.sha256(b'%dx%d ' % (width, height) + data).hexdigest()[:32]}.jpg"
            if not _marked_as_shown(folder / name):
                _write(folder / name, data)
                _unchecked_bytes += len(data)
            found.append({"filename": name, "subfolder": SUBFOLDER, "type": "temp", "width": width, "height": height})
        if _unchecked_bytes > MOST_BYTES // 8:
            _delete_oldest(folder, keep={str(each["filename"]) for each in found})
            _unchecked_bytes = 0
    except OSError as error:
        log.warning("The previews on the nodes could not be written: %s", error)
        return []
    return [json.dumps(each) for each in found]


def _jpeg(image: OutputImage) -> bytes:
    out = io.BytesIO()
    preview_of(tensors.pixels(image.image), SIDE).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _marked_as_shown(file: Path) -> bool:
    """Makes a file the newest; False where it is not there."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True


def _write(file: Path, data: bytes) -> None:
    """Writes a file that nobody sees before it is whole."""
    part = file.with_name(f"{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(data)
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _delete_oldest(folder: Path, keep: Collection[str]) -> None:
    """Deletes the files that were shown longest ago until the others take at most `MOST_BYTES`."""
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process has deleted it
                if entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    files.append((facts.st_mtime_ns, facts.st_size, entry))
    total = sum(size for _, size, _ in files)
    for _, size, entry in sorted(files, key=lambda each: each[0]):
        if total <= MOST_BYTES:
            break
        if entry.name not in keep:
            with suppress(OSError):  # Windows keeps a file that is being read
                os.unlink(entry.path)
                total -= size
