"""Pictures that are moved by a known way, for what measures and undoes movements."""

from __future__ import annotations

import numpy as np
import torch
from pack.nodes.alignment.registration import Movement
from PIL import Image


def tensor(picture: Image.Image) -> torch.Tensor:
    """A picture as float [H, W, 3], 0..1."""
    return torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)


def moved_view(picture: Image.Image, moved: Movement, width: int, height: int) -> torch.Tensor:
    """The middle of a picture, [height, width, 3], its content moved and zoomed about the centre.

    Computed in floats: rounded to 8 bits, a smooth picture shows a part of a px as none or as a whole one.
    """
    middle_x, middle_y = picture.width / 2, picture.height / 2
    box = (
        middle_x + (-width / 2 - moved.dx) / moved.sx,
        middle_y + (-height / 2 - moved.dy) / moved.sy,
        middle_x + (width / 2 - moved.dx) / moved.sx,
        middle_y + (height / 2 - moved.dy) / moved.sy,
    )
    planes = [
        np.asarray(plane.convert("F").resize((width, height), Image.Resampling.LANCZOS, box=box)) / np.float32(255)
        for plane in picture.split()
    ]
    return torch.from_numpy(np.stack(planes, -1)).clamp_(0, 1)


def error_at_corners(found: Movement, wanted: Movement, width: int, height: int) -> float:
    """The largest distance between two movements at the corners of a picture of a size, px in one direction."""
    across = abs(found.dx - wanted.dx) + abs(found.sx - wanted.sx) * width / 2
    down = abs(found.dy - wanted.dy) + abs(found.sy - wanted.sy) * height / 2
    return max(across, down)
