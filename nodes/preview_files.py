"""Small copies of the output pictures in the host's folder for temporary files: what a node shows after its run."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Sequence

from .. import comfyui
from ..core.images.picture import preview_of
from . import tensors
from .output_image import OutputImage

log = logging.getLogger("nano_banana")

SIDE = 1024
"""Longest side in pixels. The pictures themselves are shown by the results panel and by what is connected to the node."""
SUBFOLDER = "nano_banana"
_QUALITY = 90


def preview_files(images: Sequence[OutputImage]) -> list[str]:
    """Writes a JPEG file for each picture: where each is, and the size of its picture, as JSON. Empty where it can't write."""
    folder = comfyui.temp_folder()
    if folder is None:
        return []
    found = []
    try:
        (folder / SUBFOLDER).mkdir(parents=True, exist_ok=True)
        for each in images:
            height, width = each.image.shape[:2]
            name = f"{uuid.uuid4().hex}.jpg"
            preview_of(tensors.pixels(each.image), SIDE).save(folder / SUBFOLDER / name, quality=_QUALITY)
            found.append({"filename": name, "subfolder": SUBFOLDER, "type": "temp", "width": width, "height": height})
    except OSError as error:
        log.warning("The previews on the nodes could not be written: %s", error)
        return []
    return [json.dumps(each) for each in found]
