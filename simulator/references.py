"""Reference pictures of a request: decoded completely, measured, hashed, kept only as a small thumbnail.

Raises Problem naming the field for whatever doesn't decode or isn't what it says it is.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from .multipart import Part
from .problem import Problem

FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
LARGEST = 200_000_000
"""Pixels; beyond any reference a model takes, and small enough to decode safely."""
THUMBNAIL = 1400


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
    encoding: str
    """`multipart`, `data_uri`, `base64` or `url`."""
    thumbnail: Image.Image

    def shown(self) -> dict[str, Any]:
        """As JSON values, for a log."""
        return {name: value for name, value in vars(self).items() if name != "thumbnail"}


def refusal(field: str, message: str) -> Problem:
    """What is wrong with a reference, as the error to raise."""
    return Problem(400, f"{field}: {message}", field=field, code="invalid_image")


def decode(field: str, content: bytes, declared: str, encoding: str) -> Reference:
    """Decode all of it; `declared` is the MIME type it claims, empty when it claims none. Raises Problem."""
    try:
        with Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as image:
            image_format = str(image.format)
            if image.width * image.height > LARGEST:
                raise refusal(field, "the picture is too large")
            image.load()
            mode = image.mode
            alpha = image.has_transparency_data
            pixels = image.convert("RGBA" if alpha else "RGB")
    except Problem:
        raise
    except Exception as problem:  # Pillow raises whatever the broken bytes lead it into.
        raise refusal(field, f"the picture can't be decoded ({type(problem).__name__})") from None
    if declared and declared != FORMATS[image_format]:
        raise refusal(field, f"says {declared} but holds {FORMATS[image_format]}")
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    width, height = pixels.size
    pixels.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return Reference(digest, width, height, mode, image_format, len(content), encoding, pixels)


def from_part(part: Part) -> Reference:
    """From a file part with a filename and an image content type."""
    if part.content_type not in FORMATS.values():
        raise refusal(part.name, f"the file's content type must be one of {', '.join(FORMATS.values())}")
    return decode(part.name, part.content, part.content_type, "multipart")
