"""How references travel: lossless, smaller only with a notice, refused before anything is lost in silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dialect_driver import tiny
from pack.core.errors import Impossible
from pack.core.images.picture import WEBP_SIDE, Picture, decode
from pack.core.planning.references import encode_references
from pack.core.providers import BUILT_IN

SPEC = replace(BUILT_IN["onerouter"], reference_formats=("webp", "png", "jpeg"), takes_alpha=True)


def noise(side: int = 100, channels: int = 3, seed: int = 0) -> Picture:
    """Hard to compress."""
    return Picture.of(np.random.default_rng(seed).integers(0, 256, (side, side, channels), dtype=np.uint8))


def smooth(side: int = 200) -> Picture:
    """Large as PNG, small as JPEG."""
    values = np.indices((side, side)).sum(0)[..., None] // 2 + np.random.default_rng(0).integers(0, 9, (side, side, 3))
    return Picture.of(values.clip(0, 255).astype(np.uint8))


def test_webp_where_it_is_read_else_png() -> None:
    """Both to the bit."""
    for reads, form in ((("webp", "png"), "webp"), (("png", "jpeg"), "png")):
        (file,), notices = encode_references([noise()], replace(SPEC, reference_formats=reads))
        assert file.format == form and notices == []
        assert np.array_equal(decode(file.data), noise()._load())


def test_a_side_too_long_for_webp_goes_as_png() -> None:
    """Never scaled."""
    picture = Picture.of(np.zeros((2, WEBP_SIDE + 1, 3), np.uint8))
    (file,), notices = encode_references([picture], SPEC)
    assert (file.format, file.width, notices) == ("png", WEBP_SIDE + 1, [])


def test_jpeg_when_it_is_asked_for() -> None:
    """Everywhere, without a notice: it was asked for. Alpha is lost, and that is said."""
    files, notices = encode_references([noise(), tiny()], SPEC, "jpeg")
    assert [file.format for file in files] == ["jpeg", "jpeg"] and notices == []
    _, notices = encode_references([noise(channels=4)], SPEC, "jpeg")
    assert len(notices) == 1 and "white" in notices[0]


def test_alpha_travels_where_it_is_taken_and_is_laid_on_white_where_not() -> None:
    """With a notice."""
    picture = noise(channels=4)
    (kept,), notices = encode_references([picture], SPEC)
    assert decode(kept.data).shape[2] == 4 and notices == []
    (flat,), notices = encode_references([picture], replace(SPEC, takes_alpha=False))
    assert decode(flat.data).shape[2] == 3 and len(notices) == 1
    _, none = encode_references([noise()], replace(SPEC, takes_alpha=False))
    assert none == []


def test_a_reference_above_the_limit_becomes_jpeg_with_a_notice() -> None:
    """Only that one, with its number and both sizes."""
    spec = replace(SPEC, max_reference_bytes=30_000)
    files, notices = encode_references([tiny(), smooth(), tiny(1)], spec)
    assert [file.format for file in files] == ["webp", "jpeg", "webp"]
    assert len(files[1].data) <= 30_000
    assert len(notices) == 1 and notices[0].startswith("reference 2 ") and "4:4:4" in notices[0]
    assert (files[1].width, files[1].height) == (200, 200)


def test_lossless_means_lossless() -> None:
    """Asked for, and impossible: refused with the limit, not sent as JPEG."""
    with pytest.raises(Impossible, match="reference 1 .*lossless"):
        encode_references([smooth()], replace(SPEC, max_reference_bytes=30_000), "lossless")
    (file,), _ = encode_references([smooth()], SPEC, "lossless")
    assert file.format == "webp"


def test_too_large_even_as_jpeg_is_refused() -> None:
    """With what to do; also where the provider reads no JPEG."""
    for spec in (
        replace(SPEC, max_reference_bytes=1000),
        replace(SPEC, max_reference_bytes=30_000, reference_formats=("png",)),
        replace(SPEC, max_request_bytes=1000),
    ):
        for reference_format in ("auto", "jpeg"):
            if reference_format == "jpeg" and spec.max_reference_bytes == 30_000:
                continue
            with pytest.raises(Impossible) as refusal:
                encode_references([noise()], spec, reference_format)
            assert refusal.value.cure and refusal.value.charged == "no" and "takes up to" in str(refusal.value)


def test_the_sum_is_held_by_shrinking_the_largest_first() -> None:
    """Small ones stay lossless as long as the sum fits."""
    small, large = tiny(), smooth(300)
    whole, _ = encode_references([small, large, small], SPEC)
    limit = sum(len(file.data) for file in whole)  # as base64 a third more, so it doesn't fit
    files, notices = encode_references([small, large, small], replace(SPEC, max_request_bytes=limit))
    assert [file.format for file in files] == ["webp", "jpeg", "webp"] and len(notices) == 1
    assert sum((len(file.data) + 2) // 3 * 4 for file in files) <= limit


def test_base64_counts_a_third_more_and_files_don_t() -> None:
    """The same limit holds more as multipart or upload."""
    (file,), _ = encode_references([smooth()], SPEC)
    limit = len(file.data) + 10
    for way in ("multipart", "upload"):
        (sent,), notices = encode_references([smooth()], replace(SPEC, reference_encoding=way, max_request_bytes=limit))
        assert sent.format == "webp" and notices == []
    (sent,), notices = encode_references(
        [smooth()], replace(SPEC, reference_encoding="data_uri", max_request_bytes=limit)
    )
    assert sent.format == "jpeg" and len(notices) == 1


def test_what_is_sent_never_exceeds_the_limits() -> None:
    """Whatever mix of references: within both limits, or refused."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        pictures = [noise(int(rng.integers(5, 80)), seed=seed) for _ in range(4)] + [smooth(int(rng.integers(50, 250)))]
        spec = replace(
            SPEC,
            max_reference_bytes=int(rng.integers(5_000, 60_000)),
            max_request_bytes=int(rng.integers(20_000, 200_000)),
        )
        try:
            files, notices = encode_references(pictures, spec)
        except Impossible:
            continue
        assert all(len(file.data) <= spec.max_reference_bytes for file in files)
        assert sum((len(file.data) + 2) // 3 * 4 for file in files) <= spec.max_request_bytes
        assert len(notices) == sum(file.format == "jpeg" for file in files)
        assert [(f.width, f.height) for f in files] == [(p.width, p.height) for p in pictures]
