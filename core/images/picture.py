"""Pictures between pixels and bytes: uint8 arrays in, files out, and back.

Lossless both ways where the format allows it. Nothing here scales a picture, and nothing here knows torch or a provider.
A `Picture` is a handle: it loads its pixels when they are needed and remembers their hash and encodings, so that many
large references can wait in line without their pixels in memory.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal
from weakref import WeakSet

import numpy as np
from PIL import Image

from .decoding import MAX_PIXELS as MAX_PIXELS
from .decoding import Pixels
from .decoding import TooLarge as TooLarge
from .decoding import UnreadablePicture as UnreadablePicture
from .decoding import decode as decode
from .decoding import measure as measure
from .file_data import FileData, stored
from .header import sniff as sniff
from .heap import note_freed, trim_heap
from .parallel import PixelLimit, on_all_cores
from .webp import WebpFrame, webp_frame

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
_KEEP_PIXELS = 13 << 20
"""Pixels of a picture up to this many bytes (2048x2048 RGB) stay in memory after the first load."""
_KEPT_PIXELS = 64 << 20
"""Bytes of the pixels of all pictures that do: to load them once more is quick, and a run may have hundreds of frames."""
_FEW_BYTES = 256 << 10
"""Pixels of a picture up to this many bytes are not counted."""
_SMALL = 512 << 10
"""Pixels of a picture up to this many are encoded by Pillow, which is quicker and holds the interpreter for 6 ms at most."""
_STRIP_BYTES = 4 << 20
_ENCODED_PIXELS = 32 << 20
"""Pixels that are encoded at a time, two of 4096x4096: the encoder takes 20 bytes for each of them."""
_ENCODING, _HASHING = PixelLimit(_ENCODED_PIXELS), PixelLimit()
_BY_PILLOW = threading.Lock()
"""One encode at a time: each holds the interpreter for tens of ms at a stretch, several in a row would stall the host."""


@dataclass(frozen=True)
class Encoded:
    """A picture as a file."""

    data: FileData
    format: Format
    width: int
    height: int

    @property
    def mime(self) -> str:
        return MIME[self.format]

    @property
    def name(self) -> str:
        return f"image.{EXTENSION.get(self.format, self.format)}"

    @property
    def is_made(self) -> bool:
        """Whether `data` is here; where it isn't, reading it waits for the encoder."""
        return True

    def wait(self) -> None:
        """Waits until the file is made. Raises what encoding raised."""
        len(self.data)


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

    @classmethod
    def known(cls, load: Callable[[], Pixels], width: int, height: int, digest: str) -> Picture:
        """A handle on a picture whose digest is known already."""
        picture = cls(load, width, height, 3)
        picture._digest = digest
        return picture

    def unloaded(self) -> Picture:
        """Another handle on the same picture, which has nothing in memory but what the picture is loaded from."""
        picture = Picture(self._load, self.width, self.height, self.channels)
        picture._digest = self._digest
        return picture

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

    def encoded(self, format_name: Format, *, flatten: bool = False) -> Encoded:
        """The picture as a file; RGBA is laid on white when `flatten` is set or the format has no alpha."""
        key = (format_name, flatten or format_name == "jpeg")
        with self._lock:
            if key not in self._encoded:
                with _ENCODING.reserved(self.width * self.height):
                    data = stored(save(self._source(*key), format_name))
                self._encoded = {key: Encoded(data, format_name, self.width, self.height)}
                if self.width * self.height * self.channels > _KEEP_PIXELS:
                    trim_heap()
            return self._encoded[key]

    def _source(self, format_name: Format, flatten: bool) -> Source:
        """The pixels in the encoder's own memory; ours are let go here, before the encoder wants its share."""
        pixels = self._read()
        if not self._digest:
            self._digest = pixel_digest(pixels)
        return _source(on_white(pixels) if flatten else pixels, format_name)

    def unload(self) -> None:
        """Forgets the file and the pixels: nothing is in memory but what the picture is loaded from.

        Both are made again when they are needed again.
        """
        with self._lock:
            self._encoded, self._pixels = {}, None
        _kept.drop(self)
        note_freed(self.width * self.height * self.channels)

    def _read(self) -> Pixels:
        if self._pixels is not None:
            return self._pixels
        pixels = self._load()
        if pixels.nbytes <= _KEEP_PIXELS and _kept.has_room(self, pixels.nbytes):
            self._pixels = pixels
        return pixels

    def __repr__(self) -> str:
        return f"Picture({self.width}x{self.height}x{self.channels})"


def hash_pixels(pictures: Iterable[Picture]) -> None:
    """Makes the digest of each picture, on all cores. Raises what loading the first bad one raises."""

    def make(picture: Picture) -> None:
        with _HASHING.reserved(picture.width * picture.height):
            assert picture.digest

    on_all_cores(make, list(dict.fromkeys(pictures)))


class _KeptPixels:
    """The pictures whose pixels stay in memory."""

    def __init__(self) -> None:
        self._pictures: WeakSet[Picture] = WeakSet()
        self._lock = threading.Lock()

    def has_room(self, picture: Picture, size: int) -> bool:
        """Whether so many bytes of a picture may stay; it then counts until it is dropped, or gone."""
        if size <= _FEW_BYTES:
            return True
        with self._lock:
            kept = [each._pixels for each in self._pictures]
            if sum(pixels.nbytes for pixels in kept if pixels is not None) + size > _KEPT_PIXELS:
                return False
            self._pictures.add(picture)
            return True

    def drop(self, picture: Picture) -> None:
        with self._lock:
            self._pictures.discard(picture)


_kept = _KeptPixels()


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


Source = Image.Image | WebpFrame
"""A picture in the memory of the encoder that writes it."""


def encode(pixels: Pixels, format_name: Format) -> bytes:
    """Pixels as a file: WebP and PNG exactly, JPEG at quality 95 without chroma subsampling.

    Raises ValueError for WebP with a side above 16383 px.
    """
    return save(_source(pixels, format_name), format_name)


def _source(pixels: Pixels, format_name: Format) -> Source:
    height, width = pixels.shape[:2]
    by_ffmpeg = format_name == "webp" and height * width > _SMALL and max(height, width) <= WEBP_SIDE
    frame = webp_frame(pixels) if by_ffmpeg else None
    return frame or Image.fromarray(np.ascontiguousarray(pixels))


def save(source: Source, format_name: Format) -> bytes:
    """`encode` for a picture that is in the encoder's memory already."""
    if isinstance(source, WebpFrame):
        if data := source.encoded():
            return data
        source = Image.fromarray(source.pixels())
    out = io.BytesIO()
    with _BY_PILLOW:
        if format_name == "webp":
            if max(source.size) > WEBP_SIDE:
                raise ValueError(f"WebP holds sides up to {WEBP_SIDE} px")
            # method 0, quality 0: the fastest search. exact keeps the colours under transparent pixels.
            source.save(out, "WEBP", lossless=True, quality=0, method=0, exact=True)
        elif format_name == "png":
            source.save(out, "PNG", compress_level=1)
        else:
            source.save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def preview_of(pixels: Pixels, side: int) -> Image.Image:
    """A small picture, at most `side` px or a little less. Always RGB: ComfyUI fails on an RGBA preview."""
    factor = max(1, -(-max(pixels.shape[:2]) // side))
    height, width = (-(-length // factor) for length in pixels.shape[:2])
    if factor == 1:
        return Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    preview = Image.new("RGB", (width, height))
    # In strips: whole, the copy of a large picture takes as much memory again, and the interpreter for as long.
    rows = factor * max(1, _STRIP_BYTES // (pixels.shape[1] * 3 * factor))
    for top in range(0, len(pixels), rows):
        strip = Image.fromarray(np.ascontiguousarray(pixels[top : top + rows, :, :3]))
        preview.paste(strip.reduce(factor), (0, top // factor))
    return preview
