"""A picture that was encoded again is told from one that was edited or drawn anew."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pack.core.images.comparison import is_repeated, may_repeat
from pack.core.images.decoding import Pixels
from pack.core.images.picture import decode
from PIL import Image, ImageFilter


def scene(seed: int = 1, width: int = 640, height: int = 448) -> Pixels:
    """Soft shapes with some grain, as a photograph has them."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (7, 10, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return np.clip(soft + random.integers(-12, 13, soft.shape), 0, 255).astype(np.uint8)


def coded(pixels: Pixels, kind: str, size: tuple[int, int] | None = None, **how: int) -> Pixels:
    out, image = io.BytesIO(), Image.fromarray(pixels)
    (image.resize(size) if size else image).save(out, kind, **how)
    return decode(out.getvalue())


@pytest.mark.parametrize(
    ("kind", "how"),
    [("PNG", {}), ("JPEG", {"quality": 95}), ("JPEG", {"quality": 40}), ("WEBP", {"quality": 60})],
)
def test_a_picture_that_was_encoded_again_is_the_same(kind: str, how: dict[str, int]) -> None:
    assert is_repeated(coded(scene(), kind, **how), scene())


def test_a_small_version_is_the_same() -> None:
    assert may_repeat((320, 224), (640, 448)) and is_repeated(coded(scene(), "JPEG", (320, 224), quality=80), scene())


def edited(left: int, top: int, side: int) -> Pixels:
    pixels = scene().copy()
    pixels[top : top + side, left : left + side] = 255 - pixels[top : top + side, left : left + side]
    pixels[top : top + side, left : left + side, 0] = 255
    return pixels


@pytest.mark.parametrize("pixels", [edited(300, 200, 24), edited(9, 9, 16), edited(600, 400, 40)])
def test_a_local_edit_is_another_picture(pixels: Pixels) -> None:
    assert not is_repeated(pixels, scene()) and not is_repeated(coded(pixels, "JPEG", quality=80), scene())


def test_a_picture_that_was_drawn_anew_is_another() -> None:
    lighter = np.clip(scene().astype(np.int16) + 4, 0, 255).astype(np.uint8)
    moved = np.roll(scene(), 3, axis=1)
    soft = np.asarray(Image.fromarray(scene(2)).filter(ImageFilter.GaussianBlur(2)))
    assert not any(is_repeated(other, scene()) for other in (lighter, moved, soft))


def test_a_plain_picture_can_not_be_told_from_others() -> None:
    plain = np.full((128, 128, 3), 250, np.uint8)
    assert not is_repeated(plain, plain)


@pytest.mark.parametrize(
    ("size", "original", "may"),
    [
        ((640, 448), (640, 448), True),
        ((4096, 4096), (4096, 4096), True),
        ((1024, 1024), (2048, 2048), False),
        ((512, 384), (1024, 768), True),
        ((512, 512), (1024, 768), False),
        ((1024, 768), (512, 384), False),
        ((40, 40), (40, 40), False),
    ],
)
def test_sizes_that_can_be_one_picture_s(size: tuple[int, int], original: tuple[int, int], may: bool) -> None:
    assert may_repeat(size, original) is may
