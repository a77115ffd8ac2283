"""Writes lossless WebP by PyAV, which ComfyUI brings along, and lets others run for all of the encoder's work.

Pillow has the same encoder, but it copies a picture twice while it holds the interpreter: 190 ms for one of 4096x4096,
where here it is 6 ms. FFmpeg can't be told to keep the colours under transparent pixels, so those stay with Pillow.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

_STRIP_PIXELS = 1 << 15
"""Pixels copied at a time: few enough for a core's cache."""
_OPTIONS = {"lossless": "1", "compression_level": "0", "quality": "0"}
"""The fastest search, which is Pillow's `method=0, quality=0`."""
_CHECK = np.random.default_rng(7).integers(0, 256, (5, 9, 3), dtype=np.uint8)


class WebpFrame:
    """A picture in FFmpeg's memory."""

    def __init__(self, pixels: np.ndarray) -> None:
        import av

        self.height, self.width, channels = pixels.shape
        self._frame: Any = av.VideoFrame(self.width, self.height, "bgra")
        plane: Any = self._frame.planes[0]
        lines = np.frombuffer(plane, np.uint8).reshape(self.height, plane.line_size)
        rows = max(1, _STRIP_PIXELS // self.width)
        for top in range(0, self.height, rows):
            part = pixels[top : top + rows]
            to = lines[top : top + rows, : self.width * 4].reshape(*part.shape[:2], 4)
            for ours, theirs in ((0, 2), (1, 1), (2, 0)):
                to[..., theirs] = part[..., ours]
            to[..., 3] = part[..., 3] if channels == 4 else 255

    def encoded(self) -> bytes:
        """The picture as a file."""
        import av

        encoder: Any = av.CodecContext.create("libwebp", "w")
        encoder.width, encoder.height, encoder.pix_fmt = self.width, self.height, "bgra"
        encoder.time_base, encoder.options = Fraction(1), dict(_OPTIONS)
        return b"".join(bytes(packet) for packet in (*encoder.encode(self._frame), *encoder.encode(None)))


def webp_frame(pixels: np.ndarray) -> WebpFrame | None:
    """A picture (RGB or RGBA, uint8) to be encoded here; None where PyAV can't, or not without a loss."""
    if not _works() or (pixels.shape[2] == 4 and not pixels[..., 3].all()):
        return None
    return WebpFrame(pixels)


@cache
def _works() -> bool:
    """Whether this PyAV has the encoder, and what it writes is the picture."""
    import io

    from PIL import Image

    try:
        data = WebpFrame(_CHECK).encoded()
        return np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), _CHECK)
    except Exception:  # no PyAV, one without libwebp, or another interface
        return False
