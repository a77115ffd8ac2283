"""Unpacks a body (`Content-Encoding`) piece by piece, so that a small one can't become a huge one in memory.

What is asked for is gzip and deflate. A body that isn't packed as its header says is passed on as it is, and so is one in
a coding that was not asked for: its reader sees at once whether it makes sense. Called by `transport`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

ASKED_FOR = "gzip, deflate"
PIECE = 256 << 10
"""Bytes that are unpacked at once."""
_MOST_LAYERS = 4
_SUSPECT_BYTES = 16 << 20
_MOST_TIMES = 100
"""Pictures and their base64 hardly shrink: what grows a hundredfold beyond the bytes above holds none."""
_GZIP, _ZLIB, _RAW = 31, 15, -15


class Undecodable(OSError):
    """A body that can't be unpacked; its text is for the user."""


class _Inflater:
    """One layer of gzip or deflate."""

    def __init__(self, gzipped: bool) -> None:
        self._gzipped = gzipped
        self._start = b""
        self._began = self._plain = self._over = False
        self._engine = zlib.decompressobj(_GZIP)
        self._came = self._gave = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._began:
            data = self._start + data
            if len(data) < 2:
                self._start = data
                return
            self._began = True
            self._begin(data)
        if self._plain:
            yield data
            return
        self._came += len(data)
        while data and not self._over:
            try:
                piece = self._engine.decompress(data, PIECE)
            except zlib.error:
                raise Undecodable("the answer is packed in a way that can't be unpacked") from None
            data = self._engine.unconsumed_tail
            self._gave += len(piece)
            if self._gave > _SUSPECT_BYTES and self._gave > _MOST_TIMES * self._came:
                raise Undecodable(f"the answer unpacks to more than {_MOST_TIMES} times its size")
            if piece:
                yield piece
            if self._engine.eof:
                data = self._next_member()
        # What follows the end of a packed body belongs to nothing.

    def end(self) -> bytes:
        """The last bytes: all of a body that is too short to be packed."""
        return b"" if self._began else self._start

    def _begin(self, data: bytes) -> None:
        """Finds out from the first bytes whether and how the body is packed."""
        if self._gzipped or data[:2] == b"\x1f\x8b":
            self._plain = data[:2] != b"\x1f\x8b"
            return
        if data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0:
            self._engine = zlib.decompressobj(_ZLIB)
            return
        try:  # some servers leave out zlib's frame
            zlib.decompressobj(_RAW).decompress(data, PIECE)
        except zlib.error:
            self._plain = True
        self._engine = zlib.decompressobj(_RAW)

    def _next_member(self) -> bytes:
        """The bytes of the next gzip member, if there is one."""
        rest = self._engine.unused_data
        if self._gzipped and rest[:2] == b"\x1f\x8b":
            self._engine = zlib.decompressobj(_GZIP)
            return rest
        self._over = True
        return b""


class Decoder:
    """Unpacks one body. Made from the value of its `Content-Encoding`."""

    def __init__(self, encoding: str) -> None:
        names = [name.strip().lower() for name in encoding.split(",")]
        names = [name for name in names if name and name != "identity"]
        known = {"gzip": True, "x-gzip": True, "deflate": False}
        self._layers: list[_Inflater] = []
        for name in reversed(names):
            if name not in known:
                break
            if len(self._layers) == _MOST_LAYERS:
                raise Undecodable("the answer is packed too many times")
            self._layers.append(_Inflater(known[name]))

    @property
    def changes_nothing(self) -> bool:
        return not self._layers

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data`, the next bytes that came, unpack to, in pieces. Raises Undecodable."""
        return self._through(0, data)

    def end(self) -> Iterator[bytes]:
        """The last unpacked bytes, after the end of the body."""
        for index, layer in enumerate(self._layers):
            if rest := layer.end():
                yield from self._through(index + 1, rest)

    def _through(self, index: int, data: bytes) -> Iterator[bytes]:
        if index == len(self._layers):
            yield data
            return
        for piece in self._layers[index].feed(data):
            yield from self._through(index + 1, piece)
