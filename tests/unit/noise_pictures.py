"""Pictures of noise as files and as text: none is like another, and none gets smaller by compression."""

from __future__ import annotations

import base64

import numpy as np
from pack.core.images.picture import encode


def png(width: int, height: int = 0) -> bytes:
    """A picture of that size, a square without `height`; other pixels for each width."""
    shape = (height or width, width, 3)
    return encode(np.random.default_rng(width).integers(0, 256, shape, dtype=np.uint8), "png")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def uri(data: bytes) -> str:
    return f"data:image/png;base64,{b64(data)}"
