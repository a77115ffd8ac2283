"""An image that is in an answer as base64, decoded when it is taken: an answer may hold more images than are wanted."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from functools import cached_property

from ...http.long_text import LongText
from .base64_text import HEAD, layers_of, unwrapped

_KEPT_LENGTH = 16 << 20
"""Characters of an image that is decoded once only, where it fills its answer."""


class CodedImage:
    """An image behind some layers of base64. Equal where the image's bytes are."""

    def __init__(self, text: LongText, layers: int, size: int, data: bytes | None = None) -> None:
        """`data`: its bytes, where they are in memory anyway."""
        self._text, self._layers, self.size, self._data = text, layers, size, data

    @classmethod
    def of(cls, text: LongText) -> CodedImage | None:
        """The image that `text` is, a data URI or base64 from its first to its last character; None for anything else."""
        layers = layers_of(text.head(HEAD))
        if not layers:
            return None
        pieces = unwrapped(text.slices(), layers)
        try:
            if text.fills_body and len(text) <= _KEPT_LENGTH:
                data = _joined(pieces)
                return cls(text, layers, len(data), data)
            size = sum(len(piece) for piece in pieces)
        except ValueError:
            return None
        return cls(text, layers, size)

    def slices(self) -> Iterator[bytes]:
        return iter((self._data,)) if self._data is not None else unwrapped(self._text.slices(), self._layers)

    def read(self) -> bytes:
        """The image's bytes."""
        return self._data if self._data is not None else _joined(self.slices())

    @cached_property
    def _digest(self) -> bytes:
        digest = hashlib.sha256()
        for piece in self.slices():
            digest.update(piece)
        return digest.digest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CodedImage):
            return NotImplemented
        return self is other or (self.size == other.size and self._digest == other._digest)

    def __hash__(self) -> int:
        return hash(self.size)

    def __repr__(self) -> str:
        return f"CodedImage({self.size} bytes)"


def _joined(pieces: Iterator[bytes]) -> bytes:
    out = io.BytesIO()
    for piece in pieces:
        out.write(piece)
    return out.getvalue()  # without a copy: it is the buffer itself
