"""Files of pictures that are made when they are asked for, and a few ahead: the first travels while the next are encoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context

from .file_data import FileData
from .parallel import CORES
from .picture import Encoded, Format, Picture


class LazyEncoded(Encoded):
    """A file that may have to be made yet: `data` waits for it, and raises what encoding raised."""

    def __init__(self, series: LazySeries, index: int, picture: Picture, format_name: Format) -> None:
        for name, value in (
            ("format", format_name),
            ("width", picture.width),
            ("height", picture.height),
            ("_series", series),
            ("_index", index),
        ):
            object.__setattr__(self, name, value)

    _series: LazySeries
    _index: int

    @property
    def data(self) -> FileData:  # a field of the class above
        return self._series.file(self._index).data

    @property
    def is_made(self) -> bool:
        return self._series.is_made(self._index)

    def __repr__(self) -> str:
        return f"LazyEncoded({self.format}, {self.width}x{self.height})"


class LazySeries:
    """Encodes pictures in their order, as many at a time as there are cores, and no further ahead of what was asked for.

    Nothing is begun that nobody asks for: where a request is given up, so are the pictures that are left.
    """

    def __init__(self, encode: Callable[[Picture], Encoded], pictures: Sequence[Picture]) -> None:
        self._encode, self._pictures = encode, list(pictures)
        self._files: list[Future[Encoded]] = [Future() for _ in pictures]
        self._begun: set[int] = set()
        self._lock = threading.Lock()

    def is_made(self, index: int) -> bool:
        return self._files[index].done()

    def file(self, index: int) -> Encoded:
        """The file of one picture; waits for it. Raises what encoding it raised."""
        is_mine, is_made = self._begin(index), self.is_made(index)
        for ahead in range(index + 1, min(index + CORES + is_made, len(self._files))):
            if self._begin(ahead):
                work = copy_context().run
                threading.Thread(
                    target=work, args=(self._make, ahead), name="nano-banana-pictures", daemon=True
                ).start()
        if is_mine:
            self._make(index)
        return self._files[index].result()

    def _begin(self, index: int) -> bool:
        """Whether this thread has to make it."""
        with self._lock:
            is_new = index not in self._begun
            self._begun.add(index)
            return is_new

    def _make(self, index: int) -> None:
        try:
            self._files[index].set_result(self._encode(self._pictures[index]))
        except BaseException as error:
            self._files[index].set_exception(error)


def encode_lazily(
    encode: Callable[[Picture], Encoded], pictures: Sequence[Picture], format_of: Callable[[Picture], Format]
) -> list[Encoded]:
    """A file for each of the pictures, to be made by `encode` in the format that `format_of` says."""
    series = LazySeries(encode, pictures)
    return [LazyEncoded(series, index, picture, format_of(picture)) for index, picture in enumerate(pictures)]
