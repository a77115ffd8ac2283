"""The images in data URIs, base64 and hex strings, however they are spelled, decoded in slices.

Known spellings of base64: the standard and the URL-safe alphabet, with white space or escaped line ends in it, without padding
or with padding that is percent-encoded, behind a label (`base64,`, `image/png;base64,`), in quotes, in a data URI, wrapped in
base64 once more. A data URI may also hold hex, or the bytes themselves with percents. Pure functions.
"""

from __future__ import annotations

import binascii
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

from ...images.picture import sniff

MOST_LAYERS = 3
"""How often an image may be wrapped in base64."""
HEX = -1
"""In place of a number of layers: hex digits."""
PERCENTS = -2
"""In place of a number of layers: the bytes themselves, percent-encoded behind `data:`."""
HEAD = 4096
"""Bytes at the beginning of a text that are enough to know whether it is an image."""
_SLICE = 192 << 10
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_SPACES = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
_PERCENT = re.compile(rb"%(?:2[BbFf]|3[Dd]|2[Cc])")
"""A sign of base64, or the comma before it, as it is written in an address."""
_OPENING = re.compile(rb"(?i)\s*(?:b?[\"'`])?\s*")
_LABEL = re.compile(rb"(?i)(?:[\w.+-]{1,40}/[\w.+-]{1,40}\s{0,4};\s{0,4})?base64\s{0,4}[,:]")
_BASE64_MARK = re.compile(rb"(?i);\s{0,4}base64\s{0,4},")
_HEX_START = re.compile(rb"(?i)(?:0x|\\x)?(?=89504e470d0a1a0a|ffd8ff|52494646[0-9a-f]{8}57454250)")
_LINE_END = re.compile(rb"\\+[nrt]")
_QUOTES = b"\"'`"
_TAIL = 12
"""Characters at the end that padding may be in."""


def decode_base64(text: str) -> bytes:
    """The image in a data URI or base64 string, unwrapped up to three times; b"" when there is none."""
    head = text[:HEAD]
    layers = layers_of(head.encode("ascii", "replace"))
    if not layers or not text.isascii():
        return b""
    out = io.BytesIO()
    try:
        for piece in unwrapped((text[at : at + _SLICE].encode() for at in range(0, len(text), _SLICE)), layers):
            out.write(piece)
    except ValueError:
        return b""
    return out.getvalue()


def layers_of(head: bytes) -> int:
    """How often the image that a text begins with is wrapped in base64, HEX or PERCENTS; 0 where it begins with none."""
    data = _without_prefix(head)
    if _HEX_START.match(data.translate(None, _SPACES)):
        return HEX
    if b"%" in data[:64] and sniff(unquote_to_bytes(data)):
        return PERCENTS
    head = unquote_to_bytes(head) if _PERCENT.search(head) else head
    for layer in range(1, MOST_LAYERS + 1):
        plain = _line_ends_removed(_without_prefix(head)).translate(_STANDARD, _SPACES)
        whole = len(plain) - len(plain.lstrip(_ALPHABET))
        head = binascii.a2b_base64(plain[: whole // 4 * 4])
        rest = plain[whole // 4 * 4 : whole]
        if len(rest) > 1:
            head += binascii.a2b_base64(rest + b"=" * (4 - len(rest)))
        if sniff(head):
            return layer
        if not head or not head.isascii():
            return 0
    return 0


def unwrapped(slices: Iterable[bytes], layers: int) -> Iterator[bytes]:
    """The bytes behind some layers of base64, or what else `layers_of` has found, in slices. Raises ValueError."""
    if layers == HEX:
        return _from_hex(_from_data(iter(slices)))
    if layers == PERCENTS:
        return _unquoted(_from_data(iter(slices)))
    found = _without_percents(iter(slices))
    for _ in range(layers):
        found = _decoded(_without_line_ends(_from_data(found)))
    return found


def _from_hex(slices: Iterator[bytes]) -> Iterator[bytes]:
    """Hex digits, also in lines. Raises ValueError for anything else."""
    rest, first = b"", True
    for piece in slices:
        rest += piece.translate(None, _SPACES + _QUOTES)
        if first:
            start = _HEX_START.match(rest)
            rest, first = rest[start.end() if start else 0 :], False
        whole = len(rest) // 2 * 2
        yield binascii.unhexlify(rest[:whole])
        rest = rest[whole:]
    if rest:
        raise ValueError("hex that is cut off")


def _without_line_ends(slices: Iterator[bytes]) -> Iterator[bytes]:
    """The slices without line ends that are escaped once more than JSON does it, and without escapes of slashes."""
    rest = b""
    for piece in slices:
        if not rest and b"\\" not in piece:
            yield piece
            continue
        piece = rest + piece
        rest = piece[len(piece.rstrip(b"\\")) :]
        yield _line_ends_removed(piece[: len(piece) - len(rest)])
    yield rest


def _line_ends_removed(piece: bytes) -> bytes:
    return _LINE_END.sub(b"", piece).replace(b"\\/", b"/") if b"\\" in piece else piece


def _decoded(slices: Iterable[bytes]) -> Iterator[bytes]:
    """Base64 without a prefix. Raises ValueError for anything else."""
    rest, is_plain = b"", True
    for piece in slices:
        if is_plain and piece.translate(None, _ALPHABET):
            is_plain = False  # from here on each slice is cleaned, and looked at again
        rest += piece if is_plain else piece.translate(_STANDARD, _SPACES)
        whole = (len(rest) - _TAIL) // 4 * 4
        if whole > 0:
            yield binascii.a2b_base64(rest[:whole]) if is_plain else _bytes_of(rest[:whole])
            rest = rest[whole:]
    rest = rest.replace(b"%3D", b"=").replace(b"%3d", b"=").rstrip(b"=" + _QUOTES)
    if len(rest) % 4 == 1:
        raise ValueError("base64 that is cut off")
    yield _bytes_of(rest)


def _without_percents(slices: Iterator[bytes]) -> Iterator[bytes]:
    """The slices of a text whose signs may be percent-encoded, as they are in addresses."""
    encoded = None
    for piece in slices:
        if encoded is None:
            encoded = _PERCENT.search(piece, 0, HEAD) is not None
        if not encoded:
            yield piece
            continue
        yield from _unquoted(itertools.chain((piece,), slices))


def _unquoted(slices: Iterator[bytes]) -> Iterator[bytes]:
    """The slices of a text with its percents decoded, also those across two slices."""
    rest = b""
    for piece in slices:
        piece = rest + piece
        cut = piece.find(b"%", max(0, len(piece) - 2))
        rest = piece[cut:] if cut >= 0 else b""
        yield unquote_to_bytes(piece[: len(piece) - len(rest)])
    yield unquote_to_bytes(rest)


def _bytes_of(plain: bytes) -> bytes:
    if plain.translate(None, _ALPHABET):
        raise ValueError("no base64")
    return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4))


def _from_data(slices: Iterator[bytes]) -> Iterator[bytes]:
    """The slices of a text, from the data of a data URI on."""
    first = b""
    for piece in slices:
        first += piece
        if len(first) >= HEAD:
            break
    yield _without_prefix(first)
    yield from slices


def _without_prefix(head: bytes) -> bytes:
    """The beginning of a text from the data of its data URI on, or from behind its label and its opening quote."""
    opening = _OPENING.match(head)
    head = head[opening.end() if opening else 0 :]
    if head[:5].lower() == b"data:":
        marked = _BASE64_MARK.search(head, 0, HEAD)
        return head[marked.end() if marked else head.find(b",", 0, HEAD) + 1 :]
    label = _LABEL.match(head)
    return head[label.end() :] if label else head
