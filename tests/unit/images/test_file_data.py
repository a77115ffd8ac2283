"""Files of large pictures are on disk, read as if they were in memory, and stay in memory where the disk takes none."""

from __future__ import annotations

import base64
import errno
import io
import shutil
import tempfile
import threading
from typing import Any
from unittest.mock import patch
from weakref import WeakSet

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.http.body import CHUNK, Base64, Inline, Raw, json_body, multipart_body
from pack.core.images import file_data
from pack.core.images.decoding import decode
from pack.core.images.file_data import HEAD, DiskBytes, FileData, UnreadableFile, pieces, stored
from pack.core.images.picture import Encoded, Picture

PIXELS = np.random.default_rng(5).integers(0, 256, (900, 1100, 3), dtype=np.uint8)


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are on disk from 1 MB on."""
    monkeypatch.setattr(file_data, "MOST_IN_MEMORY", 1 << 20)


@given(data=st.binary(max_size=300), size=st.integers(1, 400), first=st.integers(0, 320), last=st.integers(0, 320))
def test_bytes_on_disk_read_as_those_in_memory(data: bytes, size: int, first: int, last: int) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        there = DiskBytes(file, len(data))
        assert (len(there), bytes(there), there[first:last]) == (len(data), data, data[first:last])
        assert [bytes(each) for each in pieces(there, size)] == [bytes(each) for each in pieces(data, size)]


@pytest.mark.usefixtures("on_disk")
def test_a_large_file_is_sent_from_disk_as_it_would_be_from_memory() -> None:
    large = Picture.of(PIXELS).encoded("png")
    in_memory = Encoded(bytes(large.data), large.format, large.width, large.height)
    assert isinstance(large.data, DiskBytes) and len(in_memory.data) > 2 * CHUNK
    assert np.array_equal(decode(bytes(large.data)), PIXELS)
    for kept, same in (
        (json_body({"image": Inline(large)}), json_body({"image": Inline(in_memory)})),
        (multipart_body([("image", large)]), multipart_body([("image", in_memory)])),
    ):
        assert (len(kept), kept.content_type) == (len(same), same.content_type)
        assert b"".join(kept) == b"".join(same) == b"".join(kept), "a body is sent more than once"
    assert b"".join(Base64(large.data)) == base64.b64encode(in_memory.data)  # type: ignore[arg-type]


def test_a_small_file_stays_in_memory() -> None:
    assert isinstance(Picture.of(PIXELS).encoded("png").data, bytes)


@pytest.mark.usefixtures("on_disk")
def test_threads_read_one_file_side_by_side() -> None:
    data = np.random.default_rng(6).bytes(3 << 20)
    there, found = stored(data), []
    threads = [threading.Thread(target=lambda: found.append(b"".join(Raw(there)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(there, DiskBytes) and found == [data] * 4


class FullDisk(io.BytesIO):
    """A file that takes 1.5 MB: then it writes a part, or fails."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self._fails = fails

    def write(self, data: Any) -> int:
        room = (3 << 19) - self.tell()
        if len(data) > room and self._fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[:room])


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("fails", [False, True], ids=["in-part", "error"])
def test_a_full_disk_leaves_the_file_in_memory(fails: bool) -> None:
    data, disk = bytes(2 << 20), FullDisk(fails=fails)
    with patch.object(tempfile, "TemporaryFile", lambda **_: disk):
        assert stored(data) is data
    assert disk.closed


@pytest.mark.usefixtures("on_disk")
def test_no_folder_for_temporary_files_leaves_the_file_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(2 << 20)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    assert stored(data) is data


@pytest.mark.usefixtures("on_disk")
def test_a_disk_with_little_room_is_left_to_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    data, whole = bytes(2 << 20), shutil.disk_usage(tempfile.gettempdir())
    for free, is_on_disk in ((file_data.FREE_BYTES, False), (file_data.FREE_BYTES + len(data), True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: whole._replace(free=free))
        assert isinstance(stored(data), DiskBytes) is is_on_disk


def test_there_are_never_many_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond stay in memory, and files that nobody needs any more make room for others."""
    monkeypatch.setattr(file_data, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(file_data, "_on_disk", WeakSet())
    there = [stored(bytes(200)) for _ in range(file_data.MOST_FILES + 5)]
    assert sum(isinstance(each, DiskBytes) for each in there) == file_data.MOST_FILES
    del there[:3]
    assert isinstance(stored(bytes(200)), DiskBytes)


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("on_disk")
def test_a_file_is_closed_with_the_last_body_that_needs_it() -> None:
    there = stored(bytes(2 << 20))
    assert isinstance(there, DiskBytes)
    file, body = there._file, iter(Raw(there))
    del there
    assert bytes(next(body)) == bytes(CHUNK)
    del body
    assert file.closed


def test_a_file_that_lost_its_end_is_an_error_and_no_shorter_picture() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(100))
        there: FileData = DiskBytes(file, 200)
        assert bytes(there[:50]) == bytes(50)
        with pytest.raises(UnreadableFile, match="shorter"):
            bytes(there)


def test_what_identifies_a_file_is_known_whatever_becomes_of_the_disk() -> None:
    with tempfile.TemporaryFile() as file:
        there = DiskBytes(file, HEAD + 9, bytes(range(256)) * (HEAD // 256))
        assert there[:HEAD] == bytes(range(256)) * (HEAD // 256) and there[3:5] == b"\3\4"
        with pytest.raises(UnreadableFile):
            there[: HEAD + 1]


class InParts(io.BytesIO):
    """A file that gives at most seven bytes at a time, as one of a network drive may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(7, size or 0))


def test_a_file_that_is_read_in_parts_is_read_as_a_whole() -> None:
    data = bytes(range(100))
    assert bytes(DiskBytes(InParts(data), 100)) == data
