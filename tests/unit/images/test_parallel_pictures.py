"""Several pictures at a time: order, errors, and the bound on what is in memory."""

from __future__ import annotations

import threading
import types

import numpy as np
import pytest
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.images import parallel, picture, webp
from pack.core.images.parallel import PixelLimit, on_all_cores
from pack.core.images.picture import Picture, decode, encode

SECONDS = 20.0


def test_results_come_in_the_order_of_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the first one is ready last."""
    monkeypatch.setattr(parallel, "CORES", 3)
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(SECONDS)
        if number == 4:
            first_may_end.set()
        return number * number

    assert on_all_cores(work, range(5)) == [0, 1, 4, 9, 16]


def test_two_items_are_worked_on_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other."""
    monkeypatch.setattr(parallel, "CORES", 2)
    both = threading.Barrier(2, timeout=SECONDS)
    assert sorted(on_all_cores(lambda number: both.wait() * 0 + number, [3, 4])) == [3, 4]


def test_the_error_of_the_first_item_is_raised_and_the_rest_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "CORES", 1)
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise ValueError(f"item {number}")

    with pytest.raises(ValueError, match="item 1"):
        on_all_cores(work, range(9))
    assert begun == [0, 1]


def test_what_is_large_waits_for_room_and_the_largest_is_alone() -> None:
    limit = PixelLimit(most_pixels=100, most=4)
    entered, leave = threading.Semaphore(0), threading.Event()

    def hold(pixels: int) -> None:
        with limit.reserved(pixels):
            entered.release()
            assert leave.wait(SECONDS)

    threads = [threading.Thread(target=hold, args=(pixels,), daemon=True) for pixels in (60, 40, 1, 1000)]
    for thread in threads[:2]:
        thread.start()
        assert entered.acquire(timeout=SECONDS)  # both fit
    for thread in threads[2:]:
        thread.start()
    assert not entered.acquire(timeout=0.05)
    leave.set()
    assert entered.acquire(timeout=SECONDS) and entered.acquire(timeout=SECONDS)
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()


def test_an_error_gives_its_room_back() -> None:
    limit = PixelLimit(most_pixels=1, most=1)
    with pytest.raises(KeyError), limit.reserved(1):
        raise KeyError
    with limit.reserved(1):
        pass


def test_a_reference_is_encoded_where_the_interpreter_is_free() -> None:
    """ComfyUI has PyAV with the encoder: what has no transparent pixels is never copied by Pillow."""
    pytest.importorskip("av")
    assert webp.webp_frame(np.full((3, 4, 3), 9, np.uint8)) is not None
    assert webp.webp_frame(np.full((3, 4, 4), 1, np.uint8)) is not None
    hidden = np.full((3, 4, 4), 255, np.uint8)
    hidden[1, 2] = (7, 8, 9, 0)
    assert webp.webp_frame(hidden) is None


@pytest.mark.parametrize("has_encoder", [True, False])
def test_both_encoders_are_lossless(has_encoder: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At sizes that are no multiple of anything, with strides, and with alpha of every value."""
    monkeypatch.setattr(picture, "_SMALL", 0)
    if not has_encoder:
        monkeypatch.setattr(webp, "_works", lambda: False)

    @settings(max_examples=examples(60), deadline=None)
    @given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 999), st.sampled_from([3, 4]), st.integers(0, 1))
    def check(height: int, width: int, seed: int, channels: int, least: int) -> None:
        whole = np.random.default_rng(seed).integers(least, 256, (height, width * 2, channels), dtype=np.uint8)
        pixels = whole[::-1, ::2]
        back = decode(encode(pixels, "webp"))
        if back.shape[2] < channels:
            assert pixels[..., 3].min() == 255  # opaque: its alpha need not be written
            pixels = pixels[..., :3]
        assert np.array_equal(back, pixels)

    check()


@pytest.mark.parametrize("fails", ["memory", "encoder", "nothing"])
@pytest.mark.parametrize("channels", [3, 4])
def test_pillow_writes_a_picture_at_which_ffmpeg_fails(
    fails: str, channels: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The reference is sent as exactly as ever; the log has the reason once."""
    av = pytest.importorskip("av")
    assert webp.webp_frame(np.full((3, 4, 3), 9, np.uint8)) is not None  # it worked so far
    monkeypatch.setattr(picture, "_SMALL", 0)
    monkeypatch.setattr(webp, "_failures", [])

    def fail(*arguments: object) -> object:
        raise OSError("no memory for it")

    class Silent:
        def encode(self, frame: object) -> list[bytes]:
            return []

    if fails == "memory":
        monkeypatch.setattr(av, "VideoFrame", fail)
    else:
        codec = types.SimpleNamespace(create=fail if fails == "encoder" else lambda *arguments: Silent())
        monkeypatch.setattr(av, "CodecContext", codec)
    for seed in (1, 2):
        pixels = np.random.default_rng(seed).integers(1, 256, (37, 53, channels), dtype=np.uint8)
        assert np.array_equal(decode(encode(pixels, "webp")), pixels)
    said = [entry.getMessage() for entry in caplog.records if "FFmpeg" in entry.getMessage()]
    assert len(said) == 1 and ("gave no bytes" if fails == "nothing" else "no memory for it") in said[0]


def test_a_picture_is_encoded_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "CORES", 4)
    loads = []
    pixels = np.full((40, 50, 3), 3, np.uint8)

    def load() -> np.ndarray:
        loads.append(1)
        return pixels

    same = Picture(load, 50, 40, 3)
    found = on_all_cores(lambda each: each.encoded("webp"), [same] * 8)
    assert len(loads) == 1 and all(each is found[0] for each in found)
