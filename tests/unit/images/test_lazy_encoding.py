"""Files that are made when they are asked for: each once, the same as at once, and only so many ahead."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from dialect_driver import tiny
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.images import lazy_encoding
from pack.core.images.lazy_encoding import LazySeries, encode_lazily
from pack.core.images.picture import Encoded, Picture, decode

SECONDS = 20.0


def lossless(picture: Picture) -> Encoded:
    return picture.encoded("png")


@given(asked=st.lists(st.integers(0, 5), max_size=12), cores=st.integers(1, 4))
@settings(max_examples=examples(60), deadline=None)
def test_in_whatever_order_they_are_asked_for_each_is_its_own_picture_and_made_once(
    asked: list[int], cores: int
) -> None:
    pictures = [tiny(number, 5 + number, 4) for number in range(6)]
    made: list[Picture] = []
    lock = threading.Lock()

    def encode(picture: Picture) -> Encoded:
        with lock:
            made.append(picture)
        return lossless(picture)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lazy_encoding, "CORES", cores)
        files = encode_lazily(encode, pictures, lambda picture: "png")
        for index in asked:
            assert np.array_equal(decode(files[index].data), pictures[index]._read())
        for file, picture in zip(files, pictures, strict=True):
            file.wait()
            assert file.is_made and (file.format, file.name, file.mime) == ("png", "image.png", "image/png")
            assert (file.width, file.height) == (picture.width, picture.height)
            assert file.data == lossless(picture).data
    assert len(made) == 6 and set(made) == set(pictures)


@pytest.mark.parametrize(("cores", "begun"), [(1, {0}), (2, {0, 1}), (3, {0, 1, 2})])
def test_what_nobody_asks_for_is_not_begun(monkeypatch: pytest.MonkeyPatch, cores: int, begun: set[int]) -> None:
    """But for as many ahead as there are cores: a request that is given up leaves little work behind."""
    monkeypatch.setattr(lazy_encoding, "CORES", cores)
    pictures = [tiny(number) for number in range(6)]
    series = LazySeries(lossless, pictures)
    assert not any(series.is_made(index) for index in range(6))
    series.file(0)
    assert series._begun == begun
    series.file(0)
    assert series._begun == set(range(cores + 1))


def test_an_error_is_raised_by_the_file_that_has_it_each_time_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it was encoded ahead."""
    monkeypatch.setattr(lazy_encoding, "CORES", 2)
    good, bad = tiny(0), tiny(1)

    def encode(picture: Picture) -> Encoded:
        if picture is bad:
            raise MemoryError("no room")
        return lossless(picture)

    first, second = encode_lazily(encode, [good, bad], lambda picture: "png")
    assert first.data == lossless(good).data
    for _ in range(2):
        with pytest.raises(MemoryError, match="no room"):
            second.wait()


def test_threads_that_ask_at_the_same_time_get_the_same_file() -> None:
    both, found = threading.Barrier(2, timeout=SECONDS), []
    (file,) = encode_lazily(lossless, [tiny(3)], lambda picture: "png")

    def ask() -> None:
        both.wait()
        found.append(file.data)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(found) == 2 and found[0] is found[1]
