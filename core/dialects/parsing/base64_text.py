"""Base64 in slices: the images in data URIs and base64 strings, however they are spelled.

Known spellings: the standard and the URL-safe alphabet, with white space in it, without padding or with padding that is
percent-encoded, in a data URI, wrapped in base64 once more. Pure functions.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

from ...images.picture import sniff

MOST_LAYERS = 3
"""How often an image may be wrapped in base64."""
HEAD = 4096
"""Bytes at the beginning of a text that are enough to know whether it is an image."""
_SLICE = 192 << 10
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_SPACES = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
_PERCENT = re.compile(rb"%(?:2[BbFf]|3[Dd]|2[Cc])")
"""A sign of base64, or the comma before it, as it is written in an address."""
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
    """How often the image that a text begins with is wrapped in base64; 0 where it begins with none."""
    head = unquote_to_bytes(head) if _PERCENT.search(head) else head
    for layer in range(1, MOST_LAYERS + 1):
        plain = _without_prefix(head).translate(_STANDARD, _SPACES)
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
    """The bytes behind some layers of base64, in slices. Raises ValueError."""
    found = _without_percents(iter(slices))
    for _ in range(layers):
        found = _decoded(_from_data(found))
    return found


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
    rest = rest.replace(b"%3D", b"=").replace(b"%3d", b"=").rstrip(b"=")
    if len(rest) % 4 == 1:
        raise ValueError("base64 that is cut off")
    yield _bytes_of(rest)


def _without_percents(slices: Iterator[bytes]) -> Iterator[bytes]:
    """The slices of a text whose signs may be percent-encoded, as they are in addresses."""
    rest, encoded = b"", None
    for piece in slices:
        if encoded is None:
            encoded = _PERCENT.search(piece, 0, HEAD) is not None
        if not encoded:
            yield piece
            continue
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
    head = head.lstrip()
    return head[head.find(b",", 0, HEAD) + 1 :] if head[:5].lower() == b"data:" else head
