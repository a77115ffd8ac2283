"""Decodes a picture and gives its pixels in strips of rows. Run as a program it does so in a process of its own.

    python strips.py <most pixels> <most bytes of memory> <folder of PIL>     the file comes on stdin

stdout gets a line of JSON (width, height, channels, orientation) and then the rows. It exits with 2 where Pillow isn't there,
with 3 where the picture can't be decoded, and then stderr has the reason. This file imports nothing of the pack.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from typing import Any

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
STRIP_BYTES = 2 << 20
_ORIENTATION = 0x0112
_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KINDS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf")
_XMP = b"XML:com.adobe.xmp\0\0"
"""How the text begins that may have the orientation."""
_XMP_BYTES = 256 << 10


class Strips:
    """A decoded picture: the first frame, before the turn that its EXIF asks for. Raises whatever Pillow raises."""

    def __init__(self, data: bytes, most_pixels: int) -> None:
        from PIL import Image

        image: Any = Image.open(io.BytesIO(_plain_png(data)), formats=FORMATS)
        self.width, self.height = image.size
        if self.width * self.height > most_pixels:
            raise ValueError(f"the picture claims {self.width}x{self.height} pixels")
        image.load()
        self.orientation = _orientation_of(image)
        self.width, self.height = image.size
        self._image = image
        self._deep = image.mode.startswith("I;16") or image.mode in ("I", "F")
        self._mode = "RGBA" if not self._deep and (image.mode in _ALPHA or "transparency" in image.info) else "RGB"
        self.channels = len(self._mode)

    def __iter__(self) -> Iterator[bytes]:
        rows = max(1, STRIP_BYTES // (self.width * 4))
        scale = self._scale(rows) if self._deep else 1.0
        for strip in self._crops(rows):
            if self._deep:
                yield _eight_bits(strip, scale)
            else:
                yield (strip if strip.mode == self._mode else strip.convert(self._mode)).tobytes()

    def _crops(self, rows: int) -> Iterator[Any]:
        for top in range(0, self.height, rows):
            yield self._image.crop((0, top, self.width, min(top + rows, self.height)))

    def _scale(self, rows: int) -> float:
        """What a value is multiplied by: 16 bits are brought to eight, floats up to 1 to 255."""
        import numpy as np

        if self._image.mode.startswith("I;16"):
            return 1 / 257
        largest = max(float(np.nanmax(np.nan_to_num(np.asarray(strip)))) for strip in self._crops(rows))
        if self._image.mode == "F" and 0 < largest <= 1:
            return 255.0
        return 1 / 257 if largest > 255 else 1.0


def _plain_png(data: bytes) -> bytes:
    """A PNG without texts, profiles and further frames; any other file as it is.

    Pillow refuses a whole picture for a text or a profile that is longer than its limits.
    """
    if not data.startswith(_PNG):
        return data
    kept: list[bytes | memoryview] = [_PNG]
    view, at, seen = memoryview(data), len(_PNG), False
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        is_orientation = kind == b"iTXt" and end - at < _XMP_BYTES and data.startswith(_XMP, at + 8)
        if (kind in _PNG_KINDS and not (kind == b"IHDR" and seen)) or is_orientation:
            kept.append(view[at:end])
        seen, at = True, end
        if kind == b"IEND":
            break
    if at < len(data):
        kept.append(view[at:])
    size = sum(map(len, kept))
    return data if size == len(data) else b"".join(kept)


def _eight_bits(strip: Any, scale: float) -> bytes:
    import numpy as np

    values = np.nan_to_num(np.asarray(strip).astype(np.float64)) * scale
    grey = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2).tobytes()


def _orientation_of(image: Any) -> int:
    """The orientation in EXIF, 1 to 8; 1 where there is none that can be read."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def main() -> int:
    most_pixels, most_memory = int(sys.argv[1]), int(sys.argv[2])
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))
    except (ImportError, ValueError, OSError):
        pass  # Windows, or a lower limit already
    sys.path.append(sys.argv[3])
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        return 2
    import warnings

    warnings.simplefilter("ignore")
    out = sys.stdout.buffer
    try:
        picture = Strips(sys.stdin.buffer.read(), most_pixels)
        facts = {name: getattr(picture, name) for name in ("width", "height", "channels", "orientation")}
        out.write(json.dumps(facts).encode() + b"\n")
        for strip in picture:
            out.write(strip)
        out.flush()
    except BaseException as error:
        sys.stderr.write(type(error).__name__ if isinstance(error, MemoryError) or not str(error) else str(error)[:200])
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
