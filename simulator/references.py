"""Reference pictures of a request: decoded completely, measured, hashed, kept only as a small thumbnail.

Accepts a data URI, bare base64, a file part or an address the simulator itself serves; never fetches anything. Raises
Problem naming the field for whatever doesn't decode or isn't what it says it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from PIL import Image

from .multipart import Part
from .problem import Problem

if TYPE_CHECKING:
    from .files import FileStore

FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
LARGEST = 200_000_000
"""Pixels; beyond any reference a model takes, and small enough to decode safely."""
THUMBNAIL = 640
_DATA_URI = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,", re.ASCII)


@dataclass
class Reference:
    """One reference picture as received."""

    sha256_pixels: str
    """Of the decoded RGB bytes, RGBA when the picture has transparency."""
    width: int
    height: int
    mode: str
    format: str
    bytes: int
    transport: str
    """`multipart`, `data_uri`, `base64` or `url`."""
    thumbnail: Image.Image

    def shown(self) -> dict[str, Any]:
        """As JSON values, for the ledger."""
        return {name: value for name, value in vars(self).items() if name != "thumbnail"}


def _refuse(field: str, message: str) -> Problem:
    return Problem(400, f"{field}: {message}", field=field, code="invalid_image")


def decode(field: str, content: bytes, declared: str, transport: str) -> Reference:
    """Decode all of it; `declared` is the MIME type it claims, empty when it claims none. Raises Problem."""
    try:
        with Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as image:
            form = str(image.format)
            if image.width * image.height > LARGEST:
                raise _refuse(field, "the picture is too large")
            image.load()
            mode = image.mode
            alpha = image.has_transparency_data
            pixels = image.convert("RGBA" if alpha else "RGB")
    except Problem:
        raise
    except Exception as problem:  # Pillow raises whatever the broken bytes lead it into.
        raise _refuse(field, f"the picture can't be decoded ({type(problem).__name__})") from None
    if declared and declared != FORMATS[form]:
        raise _refuse(field, f"says {declared} but holds {FORMATS[form]}")
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    width, height = pixels.size
    pixels.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return Reference(digest, width, height, mode, form, len(content), transport, pixels)


def from_text(field: str, value: str, files: FileStore, hosts: tuple[str, ...], *, bare: bool) -> Reference:
    """From a string of a JSON array: data URI, served address, or bare base64 where `bare` allows it."""
    if value.startswith("data:"):
        head = _DATA_URI.match(value[:64])
        if head is None:
            raise _refuse(field, "is not a base64 data URI")
        return decode(field, _unbase64(field, value[head.end() :]), head.group(1), "data_uri")
    if value.startswith(("http://", "https://")):
        return from_url(field, value, files, hosts)
    if bare:
        return decode(field, _unbase64(field, value), "", "base64")
    scheme = value.partition(":")[0][:20] if ":" in value[:20] else "bare text"
    raise _refuse(field, f"media URL must use HTTP(S) or data URI, got '{scheme}'")


def from_url(field: str, value: str, files: FileStore, hosts: tuple[str, ...]) -> Reference:
    """From an address this simulator serves; any other is refused, as nothing is ever fetched."""
    address = urlsplit(value)
    if address.scheme != "http" or address.netloc not in hosts:
        raise _refuse(field, "the address can't be fetched (the simulator only reads what it serves itself)")
    content = files.content_at(address.path)
    if content is None:
        raise _refuse(field, "there is no picture at this address")
    return decode(field, content, "", "url")


def from_part(part: Part) -> Reference:
    """From a file part with a filename and an image content type."""
    if part.content_type not in FORMATS.values():
        raise _refuse(part.name, f"the file's content type must be one of {', '.join(FORMATS.values())}")
    return decode(part.name, part.content, part.content_type, "multipart")


def _unbase64(field: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _refuse(field, "is not valid base64") from None
