"""Collects a body as it arrives, with one copy of it in memory, and removes a secret from it."""

from __future__ import annotations

import io

_MASK = b"..."
_STEP = 4 << 20


class Received:
    """The bytes that have arrived so far."""

    def __init__(self, secret: bytes = b"") -> None:
        """`secret` is replaced wherever it occurs, also across two pieces."""
        self._secret = secret
        self._out = io.BytesIO()
        self._held = b""

    def add(self, piece: bytes) -> None:
        if not self._secret:
            self._out.write(piece)
            return
        *before, rest = (self._held + piece).split(self._secret)
        for each in before:
            self._out.write(each)
            self._out.write(_MASK)
        # What is left may end with the beginning of the secret.
        sure = max(0, len(rest) - len(self._secret) + 1)
        self._out.write(rest[:sure])
        self._held = rest[sure:]

    def so_far(self) -> bytes:
        """All that has come until now; more may follow."""
        at = self._out.tell()
        data = self._with_held()
        self._out.seek(at)  # not cut: that would copy `data`
        return data

    def end(self) -> bytes:
        """All of it. Called once."""
        data = self._with_held()
        self._held = b""
        return data

    def _with_held(self) -> bytes:
        self._out.write(self._held)
        self._out.truncate()  # an earlier `so_far` may have left a longer end
        return self._out.getvalue()  # without a copy: it is the buffer itself

    def __len__(self) -> int:
        return self._out.tell() + len(self._held)


def joined(first: bytes, second: bytes) -> bytes:
    """Two parts of a body as one, copied without holding the interpreter for the whole of it."""
    received = Received()
    for part in (first, second):
        for at in range(0, len(part), _STEP):
            received.add(part[at : at + _STEP])
    return received.end()
