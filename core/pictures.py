"""Pictures between pixels and bytes: uint8 arrays in, files out, and back.

Lossless both ways where the format allows it. Nothing here scales a picture, and nothing here knows torch or a provider.
A `Picture` is a handle: it loads its pixels when they are needed and remembers their hash and encodings, so that many
large references can wait in line without their pixels in memory.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

Pixels = np.ndarray
"""uint8 [height, width, 3 or 4]: RGB or RGBA."""

Format = Literal["webp", "png", "jpeg"]
LOSSLESS: tuple[Format, ...] = ("webp", "png")
MIME = {
    "webp": "image/webp",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "avif": "image/avif",
}
EXTENSION = {"jpeg": "jpg"}
WEBP_SIDE = 16383
"""The longest side that WebP can hold, px."""
MAX_PIXELS = 300_000_000
"""Results above this many pixels are refused: nothing that a provider sells comes near it, and they would fill memory."""

_KEEP_PIXELS = 13 << 20
"""Pixels of a picture up to this many bytes (2048x2048 RGB) stay in memory after the first load."""
_ENCODING = threading.Lock()
"""One encode at a time: each holds the interpreter for tens of ms at a stretch, several in a row would stall the host."""


class UnreadablePicture(ValueError):
    """The bytes are not a picture, or only a part of one."""


@dataclass(frozen=True)
class Encoded:
    """A picture as a file in memory."""

    data: bytes
    format: Format
    width: int
    height: int

    @property
    def mime(self) -> str:
        return MIME[self.format]

    @property
    def name(self) -> str:
        return f"image.{EXTENSION.get(self.format, self.format)}"


class Picture:
    """A reference image, loaded on demand.

    `load` returns the pixels (see `Pixels`) and may be called from any thread, more than once.
    """

    def __init__(self, load: Callable[[], Pixels], width: int, height: int, channels: int) -> None:
        self.width, self.height, self.channels = width, height, channels
        self._load = load
        self._pixels: Pixels | None = None
        self._digest = ""
        self._encoded: dict[tuple[Format, bool], Encoded] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, pixels: Pixels) -> Picture:
        """A handle on pixels that are in memory anyway."""
        return cls(lambda: pixels, pixels.shape[1], pixels.shape[0], pixels.shape[2])

    @property
    def has_alpha(self) -> bool:
        return self.channels == 4

    @property
    def digest(self) -> str:
        """SHA-256 of size, channels and pixels; equal for equal pixels, however they are encoded."""
        with self._lock:
            if not self._digest:
                self._digest = pixel_digest(self._read())
            return self._digest

    def encoded(self, form: Format, *, flatten: bool = False) -> Encoded:
        """The picture as a file; RGBA is laid on white when `flatten` is set or the format has no alpha."""
        key = (form, flatten or form == "jpeg")
        with self._lock:
            if key not in self._encoded:
                self._encoded = {key: Encoded(save(self._image(key[1]), form), form, self.width, self.height)}
                if self.width * self.height * self.channels > _KEEP_PIXELS:
                    _give_back()
            return self._encoded[key]

    def _image(self, flatten: bool) -> Image.Image:
        """The pixels in Pillow's own memory; ours are let go here, before the encoder wants its share."""
        pixels = self._read()
        if not self._digest:
            self._digest = pixel_digest(pixels)
        return Image.fromarray(on_white(pixels) if flatten else pixels)

    def release(self) -> None:
        """Forgets the encoded file; it is made again when it is needed again."""
        with self._lock:
            self._encoded = {}

    def _read(self) -> Pixels:
        if self._pixels is not None:
            return self._pixels
        pixels = self._load()
        if pixels.nbytes <= _KEEP_PIXELS:
            self._pixels = pixels
        return pixels

    def __repr__(self) -> str:
        return f"Picture({self.width}x{self.height}x{self.channels})"


def _trimmer() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return lambda keep: None


_trim = _trimmer()


def _give_back() -> None:
    """Returns freed memory to the system where glibc would keep it: an encode of one 4K picture leaves 200 MB behind."""
    _trim(0)


def pixel_digest(pixels: Pixels) -> str:
    """SHA-256 over shape and pixel values."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def on_white(pixels: Pixels) -> Pixels:
    """RGBA laid on white; RGB as it is."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    mixed = pixels[..., :3].astype(np.uint16) * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def encode(pixels: Pixels, form: Format) -> bytes:
    """Pixels as a file: WebP and PNG exactly, JPEG at quality 95 without chroma subsampling.

    Raises ValueError for WebP with a side above 16383 px.
    """
    return save(Image.fromarray(np.ascontiguousarray(pixels)), form)


def save(image: Image.Image, form: Format) -> bytes:
    """`encode` for a picture that is in Pillow's memory already."""
    out = io.BytesIO()
    with _ENCODING:
        if form == "webp":
            if max(image.size) > WEBP_SIDE:
                raise ValueError(f"WebP holds sides up to {WEBP_SIDE} px")
            # method 0, quality 0: the fastest search. exact keeps the colours under transparent pixels.
            image.save(out, "WEBP", lossless=True, quality=0, method=0, exact=True)
        elif form == "png":
            image.save(out, "PNG", compress_level=1)
        else:
            image.save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def sniff(data: bytes) -> str:
    """The format of a file by its first bytes ("png", "jpeg", "webp", ...), or "" when it is no picture."""
    head = bytes(data[:16])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:2] == b"BM":
        return "bmp"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "avif"
    return ""


def decode(data: bytes) -> Pixels:
    """The pixels of a file: RGB, or RGBA when the file has transparency.

    Orientation in EXIF is applied. Raises UnreadablePicture for anything that is not a complete picture, and for one
    above `MAX_PIXELS`.
    """
    try:
        # No lock and no Image.MAX_IMAGE_PIXELS: the limit is checked on the header, before anything is decoded.
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnreadablePicture(f"the picture claims {width}x{height} pixels")
            image.load()
            if image.getexif().get(0x0112, 1) != 1:
                from PIL import ImageOps

                image = ImageOps.exif_transpose(image)
            transparent = "A" in image.getbands() or "transparency" in image.info
            mode = "RGBA" if transparent else "RGB"
            if image.mode.startswith("I;16") or image.mode in ("I", "F"):
                values = np.asarray(image).astype(np.float64)
                scaled = np.clip(
                    values / (257.0 if image.mode.startswith("I;16") or values.max() > 255 else 1.0), 0, 255
                )
                return np.repeat(np.rint(scaled).astype(np.uint8)[..., None], 3, axis=2)
            if image.mode != mode:
                image = image.convert(mode)
            return np.asarray(image)
    except UnreadablePicture:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise UnreadablePicture(f"the bytes are not a complete picture ({type(error).__name__})") from None


def measure(data: bytes) -> tuple[int, int]:
    """Width and height from the header of a file. Raises UnreadablePicture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except Exception as error:
        raise UnreadablePicture(f"the bytes are not a picture ({type(error).__name__})") from None


def preview_of(pixels: Pixels, side: int) -> Image.Image:
    """A small picture, at most `side` px or a little less. Always RGB: the host dies of an RGBA preview."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    return image.reduce(max(1, -(-max(image.size) // side)))
