"""What the fault option `edited` answers: the first reference itself, changed where it may be, and moved as models move it.

The last reference is the mask where the prompt speaks of one; else the middle of the picture is changed. Made of a small copy
that the doubles keep of a reference, so the result is softer than what was sent, as a model's is.
"""

from __future__ import annotations

import io
import re

from pack.simulator.drawing import Card
from pack.simulator.image_request import ImageRequest
from PIL import Image, ImageChops

PAINT = (0, 255, 0)
SMALL = 640
"""Pixels of a side at most that a result is made of."""
_MOVE = re.compile(r"(-?\d+):(-?\d+)")


def move_of(value: str | None) -> tuple[int, int]:
    """`DX:DY`, px of the result; nothing where the option has no value. Raises ValueError."""
    found = _MOVE.fullmatch(value or "0:0")
    if found is None:
        raise ValueError("needs DX:DY")
    return int(found[1]), int(found[2])


def _small(picture: Image.Image) -> Image.Image:
    copy = picture.copy()
    copy.thumbnail((SMALL, SMALL))
    return copy


def edited(request: ImageRequest, card: Card, move: tuple[int, int], file_format: str) -> bytes:
    """The result as a file, in the size of `card`."""
    size = (card.width, card.height)
    pictures = [_small(reference.thumbnail) for reference in request.references]
    result = pictures[0].convert("RGB").resize(size, Image.Resampling.BICUBIC)
    if "mask of the first picture" in request.prompt:
        mask = pictures[-1].convert("L").resize(size, Image.Resampling.BILINEAR)
    else:
        mask = Image.new("L", size)
        mask.paste(255, (size[0] * 2 // 5, size[1] * 2 // 5, size[0] * 3 // 5, size[1] * 3 // 5))
    # A little beyond the mask, as a brush is: no px inside it stays as it was.
    mask = mask.point(lambda value: 255 if value else 0)
    result.paste(PAINT, mask=mask)
    out = io.BytesIO()
    ImageChops.offset(result, *move).save(
        out, file_format.upper(), **({} if file_format == "jpeg" else {"lossless": True})
    )
    return out.getvalue()
