"""Pixels to files and back: exactly where the format allows it, and nothing but complete pictures."""

from __future__ import annotations

import gc
import io
import weakref
from typing import Any

import numpy as np
import pytest
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.images import picture as picture_module
from pack.core.images.picture import (
    LOSSLESS,
    WEBP_SIDE,
    Format,
    Picture,
    UnreadablePicture,
    decode,
    encode,
    measure,
    on_white,
    pixel_digest,
    preview_of,
    sniff,
)
from PIL import Image

FORMATS: tuple[Format, ...] = ("webp", "png", "jpeg")


@st.composite
def pixel_arrays(draw: st.DrawFn, channels: tuple[int, ...] = (3, 4)) -> np.ndarray:
    """Any uint8 picture up to 40x40: noise, flat, or noise under full transparency."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    depth = draw(st.sampled_from(channels))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = draw(st.sampled_from([1, 2, 256]))
    values = rng.integers(0, top, (height, width, depth), dtype=np.uint8)
    if depth == 4 and draw(st.booleans()):
        values[..., 3] = rng.choice([0, 255], (height, width))
    return values


def photo(height: int = 64, width: int = 96) -> np.ndarray:
    """Smooth, as photographs are."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1).astype(np.uint8)


def file_of(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


# ---------------------------------------------------------------------------------------------------- there and back


@settings(max_examples=examples(150), deadline=None)
@given(pixel_arrays(), st.sampled_from(LOSSLESS))
def test_lossless_is_lossless(values: np.ndarray, form: Format) -> None:
    """Every value comes back, the colours under alpha 0 too; fully opaque RGBA may come back as RGB."""
    back = decode(encode(values, form))
    if values.shape[2] == 4 and back.shape[2] == 3:
        assert (values[..., 3] == 255).all()
        values = values[..., :3]
    assert back.dtype == np.uint8 and np.array_equal(back, values)


@settings(max_examples=examples(40), deadline=None)
@given(pixel_arrays(), st.sampled_from(FORMATS))
def test_a_file_says_what_it_is(values: np.ndarray, form: Format) -> None:
    """Its first bytes give the format, its header the size."""
    data = encode(values[..., :3], form)
    assert sniff(data) == form and measure(data) == (values.shape[1], values.shape[0])


@pytest.mark.parametrize("form", LOSSLESS)
def test_strided_and_read_only_pixels_are_encoded(form: Format) -> None:
    """Views of other arrays, as slices of tensors are."""
    values = photo()[::2, ::-3]
    values.setflags(write=False)
    assert np.array_equal(decode(encode(values, form)), values)


def test_jpeg_keeps_the_colour_of_single_pixels() -> None:
    """4:4:4: red and blue pixels side by side don't run into each other."""
    values = np.zeros((32, 32, 3), np.uint8)
    values[:, ::2, 0] = 220
    values[:, 1::2, 2] = 220
    data = encode(values, "jpeg")
    with Image.open(io.BytesIO(data)) as image:
        assert image.layer and {tuple(layer[1:3]) for layer in image.layer} == {(1, 1)}
    assert np.abs(decode(data).astype(int) - values).max() < 40


def test_jpeg_of_a_photo_is_near() -> None:
    """Quality 95."""
    assert np.abs(decode(encode(photo(), "jpeg")).astype(int) - photo()).mean() < 2


@pytest.mark.parametrize("size", [(WEBP_SIDE + 1, 1), (1, WEBP_SIDE + 1)])
def test_a_side_too_long_for_webp_is_refused_by_it(size: tuple[int, int]) -> None:
    """PNG takes it."""
    values = np.full((*size, 3), 7, np.uint8)
    with pytest.raises(ValueError, match="16383"):
        encode(values, "webp")
    assert np.array_equal(decode(encode(values, "png")), values)


# ---------------------------------------------------------------------------------------------------- foreign files


def test_sixteen_bits_are_rounded_to_eight() -> None:
    """65535 is 255 and 0 is 0; grey becomes RGB."""
    values = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
    back = decode(file_of(Image.fromarray(values), "PNG"))
    assert back.shape == (1, 6, 3)
    assert back[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255] and (back == back[..., :1]).all()


def test_a_dark_sixteen_bit_picture_stays_dark() -> None:
    """Values up to 255 of 65535 are black, not a whole picture."""
    values = np.array([[0, 100, 255]], np.uint16)
    assert decode(file_of(Image.fromarray(values), "PNG")).max() <= 1


def test_a_grey_picture_becomes_rgb() -> None:
    """And so does black and white."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode(file_of(Image.fromarray(grey), "PNG")), np.repeat(grey[..., None], 3, 2))
    bits = decode(file_of(Image.fromarray(grey > 100), "PNG"))
    assert bits.shape == (16, 16, 3) and set(np.unique(bits)) == {0, 255}


def test_grey_with_alpha_becomes_rgba() -> None:
    """LA."""
    grey = np.stack([np.full((4, 4), 90, np.uint8), np.full((4, 4), 30, np.uint8)], -1)
    back = decode(file_of(Image.fromarray(grey, "LA"), "PNG"))
    assert back.shape == (4, 4, 4) and back[0, 0].tolist() == [90, 90, 90, 30]


def test_a_palette_is_resolved() -> None:
    """Without transparency to RGB, with it to RGBA."""
    image = Image.fromarray(photo()).quantize(16)
    assert np.array_equal(decode(file_of(image, "PNG")), np.asarray(image.convert("RGB")))
    seen = decode(file_of(image, "PNG", transparency=0))
    assert seen.shape[2] == 4 and set(np.unique(seen[..., 3])) == {0, 255}


def test_a_transparent_colour_of_rgb_becomes_alpha() -> None:
    """PNG's tRNS on true colour."""
    values = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    back = decode(file_of(Image.fromarray(values), "PNG", transparency=(1, 2, 3)))
    assert back[0, :, 3].tolist() == [0, 255]


def test_cmyk_becomes_rgb() -> None:
    """As some print tools save JPEG."""
    back = decode(file_of(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert back.shape == (8, 8, 3) and np.abs(back[0, 0].astype(int) - [255, 0, 0]).max() < 12


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_orientation_in_exif_is_applied(turn: int) -> None:
    """All eight of them, as every viewer shows it."""
    values = np.zeros((16, 32, 3), np.uint8)
    values[:8, :16] = 255  # the bright corner is at the top left before the turn
    exif = Image.Exif()
    exif[0x0112] = turn
    back = decode(file_of(Image.fromarray(values), "PNG", exif=exif.tobytes()))
    bright = {
        (0, 0): "top left",
        (0, -1): "top right",
        (-1, 0): "bottom left",
        (-1, -1): "bottom right",
    }
    corner = next(name for (row, column), name in bright.items() if back[row, column, 0] == 255)
    expected = ["top left", "top right", "bottom right", "bottom left"] + [
        "top left",
        "top right",
        "bottom right",
        "bottom left",
    ]
    assert back.shape == ((16, 32, 3) if turn < 5 else (32, 16, 3))
    assert corner == expected[turn - 1]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(form: str) -> None:
    """One picture was asked for."""
    first, second = Image.new("RGB", (6, 5), (200, 0, 0)), Image.new("RGB", (6, 5), (0, 0, 200))
    data = file_of(first, form, save_all=True, append_images=[second], **({"lossless": True} if form == "WEBP" else {}))
    back = decode(data)
    assert back.shape[:2] == (5, 6) and back[2, 2, :3].tolist() == [200, 0, 0]


# ------------------------------------------------------------------------------------------------------- what is none


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.9, 0.97])
def test_a_truncated_file_is_refused(form: Format, share: float) -> None:
    """A half picture is no result, however much of it could be shown."""
    data = encode(np.random.default_rng(1).integers(0, 256, (80, 90, 3), dtype=np.uint8), form)
    with pytest.raises(UnreadablePicture):
        decode(data[: int(len(data) * share)])


@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from(FORMATS), st.integers(0, 10_000), st.binary(min_size=1, max_size=12), st.booleans())
def test_damage_is_refused_or_decoded_but_never_crashes(form: Format, where: int, junk: bytes, cut: bool) -> None:
    """Bytes overwritten or inserted anywhere."""
    data = bytearray(encode(photo(24, 24), form))
    at = where % len(data)
    data[at : at + (len(junk) if cut else 0)] = junk
    try:
        back = decode(bytes(data))
    except UnreadablePicture:
        return
    assert back.dtype == np.uint8 and back.ndim == 3 and back.shape[2] in (3, 4)


@pytest.mark.parametrize(
    "data", [b"", b"<html></html>", b"%PDF-1.7", b'{"a":1}', b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Web pages, JSON, and headers with nothing behind them."""
    with pytest.raises(UnreadablePicture):
        decode(data)
    with pytest.raises(UnreadablePicture):
        measure(data)


def test_a_picture_that_claims_too_many_pixels_is_refused_by_its_header() -> None:
    """A small file of 20000x20000 would fill memory; without touching Pillow's own limit."""
    before = Image.MAX_IMAGE_PIXELS
    data = bytearray(file_of(Image.new("1", (8, 8)), "PNG"))
    data[16:24] = (20000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    with pytest.raises(UnreadablePicture):
        decode(bytes(data))
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"GIF89a", "gif"),
        (b"BM", "bmp"),
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"\0\0\0\x1cftypavif", "avif"),
        (b"RIFF\0\0\0\0WAVE", ""),
        (b"\xff\xd8", ""),
        (b"", ""),
        (b"<svg", ""),
    ],
)
def test_sniffing(head: bytes, form: str) -> None:
    """Formats by their first bytes alone."""
    assert sniff(head + bytes(20) if head not in (b"", b"\xff\xd8") else head) == form


# ------------------------------------------------------------------------------------------------------------- digests


@settings(max_examples=examples(60), deadline=None)
@given(pixel_arrays())
def test_equal_pixels_have_equal_digests(values: np.ndarray) -> None:
    """Whatever the memory layout; through a lossless file too."""
    assert pixel_digest(values) == pixel_digest(np.asfortranarray(values)) == Picture.of(values.copy()).digest
    back = decode(encode(values, "png"))
    if back.shape == values.shape:
        assert pixel_digest(back) == pixel_digest(values)


@settings(max_examples=examples(60), deadline=None)
@given(pixel_arrays(), st.data())
def test_one_step_of_one_value_changes_the_digest(values: np.ndarray, data: st.DataObject) -> None:
    """And so does another shape of the same bytes."""
    other = values.copy()
    at = data.draw(st.integers(0, values.size - 1))
    other.flat[at] ^= 1
    assert pixel_digest(other) != pixel_digest(values)
    if values.shape[0] != values.shape[1]:
        assert pixel_digest(values.reshape(values.shape[1], values.shape[0], -1)) != pixel_digest(values)


def test_the_digest_is_the_same_in_every_process() -> None:
    """It finds paid pictures again: a change of its definition loses them, so it is pinned here."""
    values = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert pixel_digest(values) == "d0be4c19f76cee5ed30288c51e8f1f5f5d0eadf1386610cbfdc3ec11bef7cbd1"


# ------------------------------------------------------------------------------------------------------------- handles


class Loader:
    """Counts loads and keeps no pixels."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.loads = values, 0

    def __call__(self) -> np.ndarray:
        self.loads += 1
        return self.values.copy()


def test_a_handle_loads_when_it_is_needed_and_hashes_once() -> None:
    """Nothing at first; small pixels stay."""
    loader = Loader(photo())
    picture = Picture(loader, 96, 64, 3)
    assert loader.loads == 0 and not picture.has_alpha and "96x64" in repr(picture)
    assert picture.digest == picture.digest == pixel_digest(photo())
    picture.encoded("png")
    assert loader.loads == 1


def test_of_a_long_batch_only_so_many_frames_keep_their_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are loaded again, with the same digest and file; a frame that is unloaded or gone makes room for the next."""
    monkeypatch.setattr(picture_module, "_kept", picture_module._KeptPixels())
    monkeypatch.setattr(picture_module, "_KEPT_PIXELS", 4_000_000)
    shape = (500, 600, 3)  # 900 kB
    loaders = [Loader(np.full(shape, number, np.uint8)) for number in range(8)]
    pictures = [Picture(loader, 600, 500, 3) for loader in loaders]
    digests = [each.digest for each in pictures]
    assert [each._pixels is not None for each in pictures] == [True] * 4 + [False] * 4
    files = [each.encoded("png").data for each in pictures]
    assert [loader.loads for loader in loaders] == [1] * 4 + [2] * 4
    assert digests == [pixel_digest(loader.values) for loader in loaders]
    assert all(np.array_equal(decode(file), each.values) for file, each in zip(files, loaders, strict=True))
    pictures[0].unload()
    del pictures[1]
    gc.collect()
    for each in pictures[-3:]:
        each._read()
    assert [each._pixels is not None for each in pictures[-3:]] == [True, True, False]


def test_a_large_picture_is_not_kept_in_memory() -> None:
    """Its pixels go after each use, its encoded file at `unload`; it can be made again."""
    values = np.zeros((2100, 2200, 3), np.uint8)
    loader = Loader(values)
    picture = Picture(loader, 2200, 2100, 3)
    seen: list[weakref.ref[Any]] = []

    def load() -> np.ndarray:
        pixels = loader()
        seen.append(weakref.ref(pixels))
        return pixels

    picture._load = load
    first = picture.encoded("png")
    assert picture.encoded("png") is first and loader.loads == 1
    digest = picture.digest
    assert loader.loads == 1, "the digest was made along the way"
    gc.collect()
    assert seen[0]() is None
    gone = weakref.ref(first)
    picture.unload()
    del first
    gc.collect()
    assert gone() is None
    assert np.array_equal(decode(picture.encoded("webp").data), values)
    assert loader.loads == 2 and picture.digest == digest


def test_an_encoded_picture_knows_itself() -> None:
    """Size, MIME type and a file name with the usual ending."""
    for form, mime, name in (("webp", "image/webp", "image.webp"), ("png", "image/png", "image.png")):
        file = Picture.of(photo()).encoded(form)  # type: ignore[arg-type]
        assert (file.width, file.height, file.mime, file.name) == (96, 64, mime, name)
    assert Picture.of(photo()).encoded("jpeg").name == "image.jpg"


@settings(max_examples=examples(50), deadline=None)
@given(pixel_arrays((4,)))
def test_transparency_is_laid_on_white(values: np.ndarray) -> None:
    """Exactly rounded; opaque stays, transparent is white; JPEG always, others when asked."""
    flat = on_white(values)
    alpha = values[..., 3:].astype(float) / 255
    exact = values[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(flat - exact).max() <= 0.5 + 1e-9
    assert np.array_equal(decode(Picture.of(values).encoded("png", flatten=True).data), flat)
    assert decode(Picture.of(values).encoded("jpeg").data).shape[2] == 3


def test_rgb_is_never_laid_on_anything() -> None:
    """The very same array."""
    values = photo()
    assert on_white(values) is values


@pytest.mark.parametrize("shape", [(64, 96, 3), (64, 96, 4), (1, 500, 3), (500, 1, 4), (1, 1, 3)])
def test_a_preview_is_small_and_rgb(shape: tuple[int, int, int]) -> None:
    """At most the side that was asked for, never empty, never with alpha."""
    preview = preview_of(np.zeros(shape, np.uint8), 32)
    assert preview.mode == "RGB" and 1 <= max(preview.size) <= 32 and min(preview.size) >= 1
