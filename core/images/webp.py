"""Writes lossless WebP by PyAV, which ComfyUI brings along, and lets others run for all of the encoder's work.

Pillow has the same encoder, but it copies a picture twice while it holds the interpreter: 190 ms for one of 4096x4096,
where here it is 6 ms. FFmpeg can't be told to keep the colours under transparent pixels, so those stay with Pillow. So does
a picture at which FFmpeg fails, for want of memory or by a fault of its own.
"""

from __future__ import annotations

import io
import logging
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

log = logging.getLogger("nano_banana")

_STRIP_PIXELS = 1 << 15
"""Pixels copied at a time: few enough for a core's cache."""
_COPIED_BYTES = 1 << 20
"""Bytes of a finished file copied at a time."""
_OPTIONS = {"lossless": "1", "compression_level": "0", "quality": "0"}
"""The fastest search, which is Pillow's `method=0, quality=0`."""
_CHECK = np.random.default_rng(7).integers(0, 256, (5, 9, 3), dtype=np.uint8)


class WebpFrame:
    """A picture in FFmpeg's memory."""

    def __init__(self, pixels: np.ndarray) -> None:
        import av

        self.height, self.width, self._channels = pixels.shape
        self._frame: Any = av.VideoFrame(self.width, self.height, "bgra")
        lines = self._lines()
        rows = max(1, _STRIP_PIXELS // self.width)
        for top in range(0, self.height, rows):
            part = pixels[top : top + rows]
            to = lines[top : top + rows, : self.width * 4].reshape(*part.shape[:2], 4)
            for ours, theirs in ((0, 2), (1, 1), (2, 0)):
                to[..., theirs] = part[..., ours]
            to[..., 3] = part[..., 3] if self._channels == 4 else 255

    def _lines(self) -> np.ndarray:
        plane: Any = self._frame.planes[0]
        return np.frombuffer(plane, np.uint8).reshape(self.height, plane.line_size)

    def pixels(self) -> np.ndarray:
        """A copy of the picture, with as many channels as it was made from."""
        bgra = self._lines()[:, : self.width * 4].reshape(self.height, self.width, 4)
        return np.ascontiguousarray(bgra[..., (2, 1, 0, 3)[: self._channels]])

    def encoded(self) -> bytes:
        """The picture as a file; b"" where FFmpeg fails."""
        try:
            return self._encoded()
        except Exception as error:
            _log_failure(error)
            return b""

    def _encoded(self) -> bytes:
        import av

        encoder: Any = av.CodecContext.create("libwebp", "w")
        encoder.width, encoder.height, encoder.pix_fmt = self.width, self.height, "bgra"
        encoder.time_base, encoder.options = Fraction(1), dict(_OPTIONS)
        file = io.BytesIO()
        for packet in (*encoder.encode(self._frame), *encoder.encode(None)):
            # In pieces: a copy of 20 MB in one go holds the interpreter for 10 ms, most of it for new pages of memory.
            data = memoryview(packet)
            for at in range(0, len(data), _COPIED_BYTES):
                file.write(data[at : at + _COPIED_BYTES])
        if not file.tell():
            raise OSError("the encoder gave no bytes")
        return file.getvalue()


def webp_frame(pixels: np.ndarray) -> WebpFrame | None:
    """A picture (RGB or RGBA, uint8) to be encoded here; None where PyAV can't, or not without a loss."""
    if not _works() or (pixels.shape[2] == 4 and not pixels[..., 3].all()):
        return None
    try:
        return WebpFrame(pixels)
    except Exception as error:
        _log_failure(error)
        return None


_failures: list[Exception] = []
"""The first failure of FFmpeg: one is logged, not one for each picture."""


def _log_failure(error: Exception) -> None:
    if not _failures:
        _failures.append(error)
        log.warning("FFmpeg can't write a picture as WebP, so Pillow writes it: %s", str(error) or type(error).__name__)


@cache
def _works() -> bool:
    """Whether this PyAV has the encoder, and what it writes is the picture."""
    from PIL import Image

    try:
        data = WebpFrame(_CHECK).encoded()
        return np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), _CHECK)
    except Exception:  # no PyAV, one without libwebp, or another interface
        return False
