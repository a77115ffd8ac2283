"""Pictures that are made to fill memory or to hold the interpreter, and the process that large ones are decoded in."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from linear_time import assert_linear
from long_rows import every_value, first
from pack.core.images import decoding, strips
from pack.core.images.decoding import MAX_PIXELS, TooLarge, UnreadablePicture, decode, measure
from pack.core.images.header import claimed_size, sniff
from pack.core.images.picture import encode, preview_of
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]


def file_of(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def photo(height: int = 40, width: int = 60, channels: int = 3) -> Image.Image:
    values = np.random.default_rng(5).integers(0, 256, (height // 4, width // 4, channels), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def png_claiming(width: int, height: int, rest: bytes = b"") -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + rest


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


FILES: dict[str, bytes] = {
    "png": encode(np.asarray(photo()), "png"),
    "png with alpha": encode(np.asarray(photo(channels=4)), "png"),
    "png palette": file_of(photo().quantize(16), "PNG", transparency=0),
    "png 16 bits": file_of(Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27), "PNG"),
    "png turned": file_of(photo(), "PNG", exif=turned(6)),
    "jpeg": file_of(photo(), "JPEG"),
    "jpeg progressive": file_of(photo(), "JPEG", progressive=True, comment=b"\xff\xc0 no marker " * 100),
    "webp": file_of(photo(), "WEBP"),
    "webp lossless": encode(np.asarray(photo()), "webp"),
    "webp with alpha": encode(np.asarray(photo(channels=4)), "webp"),
    "webp animated": file_of(photo(), "WEBP", save_all=True, append_images=[photo().rotate(90)]),
    "gif": file_of(photo(), "GIF"),
    "bmp": file_of(photo(), "BMP"),
    "tiff": file_of(photo(), "TIFF"),
    "tiff lzw": file_of(photo(), "TIFF", compression="tiff_lzw"),
    "tiff float": file_of(Image.fromarray(np.linspace(0, 1, 2400, dtype=np.float32).reshape(40, 60)), "TIFF"),
    "avif": file_of(photo(), "AVIF"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_header_says_what_pillow_says(name: str) -> None:
    """The size of every format, without Pillow."""
    with Image.open(io.BytesIO(FILES[name])) as image:
        assert claimed_size(FILES[name]) == measure(FILES[name]) == image.size


@pytest.mark.parametrize("name", first(5, FILES))
def test_a_process_of_its_own_gives_the_same_pixels(name: str) -> None:
    """Whether it is decoded there depends on its size only."""
    here = decoding._decoded_in_process(FILES[name])
    in_child = decoding._decoded_in_child(FILES[name])
    assert np.array_equal(here, in_child) and here.shape == in_child.shape and in_child.flags.writeable
    assert here.shape[:2] == ((60, 40) if "turned" in name else (40, 60))


def test_a_float_picture_is_not_black() -> None:
    """Values from 0 to 1, as float files have them; beyond 255 they are 16 bits."""
    back = decode(FILES["tiff float"])
    assert back.min() == 0 and back.max() == 255 and abs(float(back.mean()) - 127.5) < 2
    deep = np.array([[0, 257, 65535, np.nan]], np.float32)
    assert decode(file_of(Image.fromarray(deep), "TIFF"))[0, :, 0].tolist() == [0, 1, 255, 0]


HUGE: dict[str, bytes] = {
    "png": png_claiming(20_000, 20_000),
    "jpeg": b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08" + struct.pack(">HH", 60_000, 60_000) + bytes(20),
    "webp": b"RIFF"
    + struct.pack("<I", 334)
    + b"WEBPVP8L"
    + struct.pack("<I", 320)
    + b"\x2f\xff\xff\xff\x0f"
    + bytes(317),
    "webp extended": b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff" * 6,
    "gif": b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + bytes(20),
    "bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, 60_000, -60_000) + bytes(30),
    "tiff": b"II*\0\x08\0\0\0" + struct.pack("<HHHIIHHII", 2, 256, 4, 1, 60_000, 257, 4, 1, 60_000) + bytes(4),
    "avif": b"\0\0\0\x1cftypavif" + bytes(16) + b"\0\0\0\x14ispe" + struct.pack(">III", 0, 60_000, 60_000),
}


@pytest.mark.parametrize("form", HUGE)
def test_a_huge_picture_is_refused_by_its_header(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is decoded, and no process is started for it."""

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(strips, "Strips", never)
    monkeypatch.setattr(decoding.subprocess, "Popen", never)
    assert sniff(HUGE[form]) == form.partition(" ")[0]
    for work in (measure, decode):
        with pytest.raises(UnreadablePicture, match="claims"):
            work(HUGE[form])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [0, 8, 13, 20, 27, 40])
def test_a_header_that_is_cut_off_is_no_header(name: str, size: int) -> None:
    """Read as far as it goes, never beyond."""
    found = claimed_size(FILES[name][:size])
    assert found is None or found == claimed_size(FILES[name])


def test_a_gif_with_a_frame_beyond_its_screen_is_refused() -> None:
    """The header says 1x1; the frame is what would be decoded."""
    frame = b"\x2c" + struct.pack("<HHHH", 0, 0, 60_000, 60_000) + b"\0\x02\x02L\x01\0;"
    data = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + bytes(6) + frame
    with pytest.raises(UnreadablePicture):
        decode(data)


@pytest.fixture
def always_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "IN_PROCESS_PIXELS", 0)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


BESIDE: dict[str, Callable[[], bytes]] = {
    "a text that unpacks to 2 MB": lambda: chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(2 << 20))),
    "a profile that unpacks to 80 MB": lambda: chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(80 << 20))),
    "70 MB of text": lambda: chunk(b"tEXt", b"x\0" + b"a" * (70 << 20)),
    "another header": lambda: chunk(b"IHDR", struct.pack(">IIBBBBB", 9900, 10000, 8, 2, 0, 0, 0)),
    "a huge frame": lambda: (
        chunk(b"acTL", struct.pack(">II", 2, 0))
        + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 60_000, 60_000, 0, 0, 1, 1, 0, 0))
    ),
    "many empty chunks": lambda: chunk(b"abCd", b"") * 200_000,
    "many empty texts": lambda: chunk(b"tEXt", b"x\0y") * 200_000,
}


@pytest.mark.parametrize("beside", BESIDE)
def test_what_stands_beside_the_pixels_loses_no_picture(beside: str) -> None:
    """It was paid, and it is complete."""
    whole = FILES["png turned"]
    assert np.array_equal(decode(whole[:33] + BESIDE[beside]() + whole[33:]), decode(whole))


def test_an_orientation_in_xmp_is_still_applied() -> None:
    """Pillow reads it out of a text."""
    text = b'XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    data = FILES["png"][:33] + chunk(b"iTXt", text) + FILES["png"][33:]
    assert decode(data).shape == (60, 40, 3)


MARKERS: dict[str, bytes] = {"fill bytes": b"\xff", "restarts": b"\xff\xd0", "empty segments": b"\xff\xe5\0\2"}


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("where", [2, "before the scan"])
def test_a_jpeg_of_endless_markers_is_refused_early(marker: str, where: int | str) -> None:
    """Both readers take them one by one: 30 million took a minute."""
    data = FILES["jpeg"]
    at = where if isinstance(where, int) else data.index(b"\xff\xda")

    def refuse(size: int) -> None:
        with pytest.raises(UnreadablePicture):
            decode(data[:at] + MARKERS[marker] * (size // len(MARKERS[marker])) + data[at:])

    assert_linear(refuse, 4 << 20, 8 << 20, slack=0.05)
    few = decode(data[:at] + MARKERS[marker] * 20 + data[at:])
    assert np.array_equal(few, decode(data))


@pytest.mark.parametrize("size", [(90_000, 1), (1, 90_000)])
def test_a_picture_of_one_long_row_is_refused_by_its_header(size: tuple[int, int]) -> None:
    """Rows are copied whole: 25 million pixels in one held the interpreter for 145 ms."""
    with pytest.raises(TooLarge, match="65,535"):
        decode(png_claiming(*size))


@pytest.mark.parametrize(("form", "head"), [("jp2", b"\0\0\0\x0cjP  \r\n\x87\n"), ("heic", b"\0\0\0\x18ftypheic")])
def test_a_format_that_nothing_here_decodes_is_a_picture_all_the_same(form: str, head: bytes) -> None:
    """Its bytes are kept under their own ending."""
    assert sniff(head + bytes(20)) == form
    with pytest.raises(UnreadablePicture):
        decode(head + bytes(200))


@pytest.mark.parametrize(("name", "share"), every_value(["png", "webp lossless", "tiff lzw", "jpeg"], [0.3, 0.7, 0.95]))
def test_a_part_of_a_picture_is_refused_there_too(name: str, share: float, always_elsewhere: None) -> None:
    """Here or there makes no difference."""
    data = FILES[name]
    with pytest.raises(UnreadablePicture, match="not a"):
        decode(data[: int(len(data) * share)])


def test_the_process_has_no_keys(always_elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment has what a program needs to start."""
    monkeypatch.setenv("NANO_BANANA_GOOGLE_API_KEY", "AIza-secret")
    seen: list[dict[str, str]] = []
    start = subprocess.Popen

    def starting(*arguments: Any, **options: Any) -> Any:
        seen.append(options["env"])
        return start(*arguments, **options)

    monkeypatch.setattr(decoding.subprocess, "Popen", starting)
    decode(FILES["png"])
    assert len(seen) == 1 and "AIza" not in repr(seen) and set(seen[0]) < set(os.environ)


@pytest.mark.parametrize("executable", ["/nowhere/python", ""])
def test_without_a_process_it_is_decoded_here(
    executable: str, always_elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An embedded Python may not know where it is."""
    monkeypatch.setattr(decoding.sys, "executable", executable)
    assert decode(FILES["png"]).shape == (40, 60, 3)


def test_a_process_that_takes_too_long_is_ended(always_elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its picture is unreadable."""
    monkeypatch.setattr(decoding, "CHILD_SECONDS", 0.0)
    with pytest.raises(UnreadablePicture, match="memory or time"):
        decode(FILES["png"])


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.long
def test_a_process_that_takes_too_much_memory_is_ended(always_elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is its own, not ours."""
    monkeypatch.setattr(decoding, "CHILD_BYTES", 160 << 20)
    pixels = np.zeros((9000, 9000, 3), np.uint8)
    with pytest.raises(UnreadablePicture, match="MemoryError"):
        decode(file_of(Image.fromarray(pixels), "PNG", compress_level=1))


def text_chunks(count: int, size: int) -> bytes:
    packed = zlib.compress(bytes(size))
    chunk = b"zTXta\0\0" + packed
    one = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return one * count


BOMBS: dict[str, Callable[[], bytes]] = {
    "a grey png of 16 bits, 80 megapixels": lambda: file_of(Image.new("I;16", (10000, 8000)), "PNG"),
    "a float tiff of 80 megapixels": lambda: file_of(Image.new("F", (10000, 8000)), "TIFF", compression="tiff_deflate"),
    "a webp of 90 megapixels": lambda: file_of(
        Image.new("RGB", (10000, 9000)), "WEBP", lossless=True, method=0, quality=0
    ),
    "a png with texts": lambda: FILES["png"][:33] + text_chunks(300, 1 << 20) + FILES["png"][33:],
    "a cut png of 90 megapixels": lambda: file_of(Image.new("RGB", (10000, 9000)), "PNG")[:-40000],
}


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory as Linux counts it")
@pytest.mark.parametrize(
    "bomb", [pytest.param(name, marks=pytest.mark.long if "megapixels" in name else ()) for name in BOMBS]
)
def test_beside_its_pixels_a_picture_takes_little_memory(bomb: str, tmp_path: Path) -> None:
    """The peak of a process that decodes it, above what it had before and the pixels."""
    (tmp_path / "bomb").write_bytes(BOMBS[bomb]())
    code = f"""
        import importlib.machinery, importlib.util, resource, sys
        spec = importlib.machinery.ModuleSpec("pack", None, is_package=True)
        spec.submodule_search_locations = [{str(ROOT)!r}]
        sys.modules["pack"] = importlib.util.module_from_spec(spec)
        from pack.core.images.picture import UnreadablePicture, decode, encode
        import numpy as np
        decode(encode(np.zeros((8, 8, 3), np.uint8), "png"))
        data = open({str(tmp_path / "bomb")!r}, "rb").read()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        try:
            size = decode(data).nbytes
        except UnreadablePicture:
            size = 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        print(peak - before - size)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200 << 20


def test_more_pixels_than_are_taken_are_kept_out() -> None:
    """The bar is what the message says."""
    with pytest.raises(UnreadablePicture, match="100,000,000"):
        measure(png_claiming(10_001, 10_000))
    assert measure(png_claiming(10_000, 10_000)) == (10_000, 10_000) and MAX_PIXELS == 100_000_000


@pytest.mark.parametrize("shape", [(100, 3000, 3), (3000, 100, 4), (2050, 2047, 3)])
def test_a_preview_in_strips_is_the_preview_of_the_whole(shape: tuple[int, int, int]) -> None:
    """Whatever the rows of the last strip."""
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    whole = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    assert np.array_equal(np.asarray(preview_of(pixels, 200)), np.asarray(whole.reduce(-(-max(whole.size) // 200))))
