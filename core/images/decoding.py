"""Decodes pictures: bytes to pixels, with the GIL released and with little memory beside the pixels.

The size is read from the header before anything is decoded. What Pillow decodes in one go,
holding the interpreter (WebP, AVIF and compressed TIFF in most of its releases), and what is very large, is decoded in a
process of its own, whose memory is limited.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from ..errors.messages import msg
from . import strips
from .header import claimed_size, sniff

Pixels = np.ndarray
"""uint8 [height, width, 3 or 4]: RGB or RGBA."""

MAX_PIXELS = 100_000_000
"""Results above this many pixels are refused: the largest that is sold has 67 million, and they would fill memory."""
MAX_SIDE = 65_535
"""The longest side that JPEG and GIF can have; a longer line of pixels would be copied as a whole."""
IN_PROCESS_PIXELS = 24 << 20
"""Larger pictures are decoded in a child process: Pillow takes four bytes a pixel beside ours."""
IN_PROCESS_BYTES = 64 << 20
"""So are longer files."""
_SLOW = {"webp": 4 << 20 if int(PIL.__version__.partition(".")[0]) >= 13 else 1 << 19, "tiff": 0, "avif": 0}
"""Pixels above which pictures of a format are. From 13 on Pillow lets others run while it decodes WebP, but not while it
copies; a TIFF or AVIF may turn out to be larger than its header says."""
CHILD_BYTES = 3 << 30
"""The memory limit of the child process."""
CHILD_SECONDS = 300.0
_ROWS_BYTES = 4 << 20


class UnreadablePicture(ValueError):
    """The bytes are not a picture, or only a part of one."""


class TooLarge(UnreadablePicture):
    """A picture that claims more than `MAX_PIXELS`: its bytes may be good, and are worth keeping."""


class _ChildUnavailable(Exception):
    """A child process can't be started here."""


def decode(data: bytes) -> Pixels:
    """The pixels of a file: RGB, or RGBA when the file has transparency.

    Of an animation the first frame. Orientation in EXIF is applied. Raises UnreadablePicture for anything that is not a
    complete picture, and TooLarge for one above `MAX_PIXELS`.
    """
    width, height = measure(data)
    pixels = width * height
    in_child = pixels > IN_PROCESS_PIXELS or len(data) > IN_PROCESS_BYTES or pixels > _SLOW.get(sniff(data), pixels)
    if in_child:
        try:
            return _decoded_in_child(data)
        except _ChildUnavailable:
            pass
    return _decoded_in_process(data)


def measure(data: bytes) -> tuple[int, int]:
    """Width and height from the header of a file. Raises UnreadablePicture, TooLarge above `MAX_PIXELS`."""
    size = claimed_size(data)
    if size is None:
        raise UnreadablePicture(msg("decoding.not_a_picture"))
    if max(size) > MAX_SIDE:
        raise TooLarge(msg("decoding.sides_too_long", width=size[0], height=size[1], max_side=f"{MAX_SIDE:,}"))
    if size[0] * size[1] > MAX_PIXELS:
        raise TooLarge(msg("decoding.too_many_pixels", width=size[0], height=size[1], max_pixels=f"{MAX_PIXELS:,}"))
    return size


def _decoded_in_process(data: bytes) -> Pixels:
    try:
        picture = strips.Strips(data, MAX_PIXELS)
        out = np.empty((picture.height, picture.width, picture.channels), np.uint8)
        flat, at = out.reshape(-1), 0
        for strip in picture:
            flat[at : at + len(strip)] = np.frombuffer(strip, np.uint8)
            at += len(strip)
        return _oriented(out, picture.orientation)
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise UnreadablePicture(msg("decoding.picture_incomplete", reason=type(error).__name__)) from None


def _decoded_in_child(data: bytes) -> Pixels:
    """Decodes in a child process. Raises UnreadablePicture, or _ChildUnavailable where it can't run."""
    import json

    command = [sys.executable, "-I", strips.__file__, str(MAX_PIXELS), str(CHILD_BYTES)]
    command.append(str(Path(PIL.__file__).parent.parent))
    # Nothing of the environment that isn't needed: it has keys.
    kept = ("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "TEMP", "TMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    environ = {name: os.environ[name] for name in kept if name in os.environ}
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environ,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError):
            raise _ChildUnavailable from None
        limit = threading.Timer(CHILD_SECONDS, child.kill)
        limit.daemon = True
        limit.start()
        try:
            out, orientation = None, 1
            assert child.stdin is not None and child.stdout is not None
            try:
                _write(child.stdin, data)
                facts = json.loads(child.stdout.readline(1000) or b"{}")
                if facts:
                    out, orientation = _rows(child.stdout, facts), facts["orientation"]
            except (OSError, ValueError):
                out = None
            child.stdout.close()
            code = child.wait()
        finally:
            limit.cancel()
            if child.poll() is None:
                child.kill()
                child.wait()
        if code == 0 and out is not None:
            return _oriented(out, orientation)
        errors.seek(0)
        why = errors.read(300).decode("utf-8", "replace").strip().splitlines()
    if code == 2 or (code == 1 and not why):
        raise _ChildUnavailable
    reason = why[-1] if why and code == 3 else msg("decoding.takes_too_much_memory")
    raise UnreadablePicture(msg("decoding.picture_incomplete", reason=reason))


def _write(pipe: Any, data: bytes) -> None:
    view = memoryview(data)
    try:
        for at in range(0, len(view), _ROWS_BYTES):
            pipe.write(view[at : at + _ROWS_BYTES])
    finally:
        pipe.close()


def _rows(pipe: Any, facts: dict[str, Any]) -> Pixels | None:
    """The rows that come through a pipe; None where they end too early."""
    shape = (facts["height"], facts["width"], facts["channels"])
    if shape[0] * shape[1] > MAX_PIXELS or shape[2] not in (3, 4):
        return None
    out = np.empty(shape, np.uint8)
    view = out.reshape(-1).data
    at = 0
    while at < len(view):
        count = pipe.readinto(view[at : at + _ROWS_BYTES])
        if not count:
            return None
        at += count
    return out


def _oriented(pixels: Pixels, orientation: int) -> Pixels:
    """The pixels turned as an EXIF orientation asks, as a viewer shows them."""
    if orientation == 1:
        return pixels
    view = {
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(pixels),
    }[orientation]
    out = np.empty(view.shape, np.uint8)
    rows = max(1, _ROWS_BYTES // (view.shape[1] * view.shape[2]))
    for top in range(0, len(view), rows):
        out[top : top + rows] = view[top : top + rows]
    return out
