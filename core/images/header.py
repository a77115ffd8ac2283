"""Reads format and size from the first bytes of a picture's file. Nothing is decoded; the size may be wrong.

Sources: the PNG, GIF89a, BMP, JPEG (T.81, SOF markers), TIFF 6.0 and RFC 9649 (WebP) documents; for AVIF, the `ispe` property
of ISO/IEC 23008-12.
"""

from __future__ import annotations

import struct

_LONGEST_HEAD = 1 << 20
_MOST_MARKERS = 5000
"""Markers before the first scan of a JPEG: a profile of colours has 255, and metadata 64 kB in each."""
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def ends_whole(data: bytes) -> bool:
    """Whether a PNG, JPEG or WebP file has its end; True for other formats, whose end says nothing."""
    image_format = sniff(data)
    if image_format == "png":
        return data[-12:-4] == b"\0\0\0\0IEND"
    if image_format == "jpeg":
        return b"\xff\xd9" in data[-64:]
    return image_format != "webp" or len(data) >= int.from_bytes(data[4:8], "little") + 8


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
    # These are pictures whose bytes are kept, although nothing here decodes them.
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1"):
        return "heic"
    if head[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or head[:4] == b"\xff\x4f\xff\x51":
        return "jp2"
    if head[:12] == b"\0\0\0\x0cJXL \r\n\x87\n":
        return "jxl"
    return ""


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header has them; None where it has none that makes sense."""
    read = {"png": _png, "jpeg": _jpeg, "webp": _webp, "gif": _gif, "bmp": _bmp, "tiff": _tiff, "avif": _avif}
    try:
        found = read[sniff(data)](data)
    except (KeyError, IndexError, struct.error):
        return None
    return found if found and found[0] > 0 and found[1] > 0 else None


def _png(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else None


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if len(data) < {b"VP8X": 30, b"VP8L": 25}.get(kind, 0):
        return None
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at, found = 2, None
    for _ in range(_MOST_MARKERS):
        at = data.find(b"\xff", at, at + _LONGEST_HEAD) if at < len(data) else -1
        if at < 0:
            return found
        marker = data[at + 1] if at + 1 < len(data) else 0xDA
        if marker in _SOF and found is None:
            height, width = struct.unpack_from(">HH", data, at + 5)
            found = width, height
        if marker == 0xDA or (found is not None and at + 4 > len(data)):
            return found
        alone = marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8
        at += (1 if marker == 0xFF else 2) if alone else 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    return None  # Pillow reads them one by one, too, and would take minutes


def _tiff(data: bytes) -> tuple[int, int] | None:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    sides = {256: 0, 257: 0}
    for entry in range(at + 2, at + 2 + 12 * min(count, 4096), 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in sides:
            (sides[tag],) = struct.unpack_from(f"{order}H" if kind == 3 else f"{order}I", data, entry + 8)
    return sides[256], sides[257]


def _avif(data: bytes) -> tuple[int, int] | None:
    # Each item has a size of its own: the tiles of a grid, a thumbnail, the whole.
    found: list[tuple[int, int]] = []
    at = data.find(b"ispe", 0, _LONGEST_HEAD)
    while at >= 0 and len(found) < 100:
        width, height = struct.unpack_from(">II", data, at + 8)
        found.append((width, height))
        at = data.find(b"ispe", at + 4, _LONGEST_HEAD)
    return max(found, key=lambda size: size[0] * size[1], default=None)
