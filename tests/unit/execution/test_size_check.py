"""Results of another size or shape than asked for are told with both; documented sizes never are."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dialect_driver import EVERY_OPTION, INPUTS_OF_OPTIONS, negotiated, request
from engine_play import answering, engine_at, play
from hypothesis import given
from hypothesis import strategies as st
from pack.core.execution.size_check import mismatch
from pack.core.images.picture import Picture, encode
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import ALL_RATIOS, OPERATIONS, RATIOS, Capabilities, Operation, ProviderSpec
from pack.core.request import Options, Request
from pack.simulator.sizes import nearest_ratio, pixels


def possible() -> Iterator[tuple[ProviderSpec, str, Operation, Capabilities]]:
    for spec in BUILT_IN.values():
        for model in spec.models:
            for operation in OPERATIONS:
                if capabilities := model.capabilities(operation):
                    yield spec, model.name, operation, capabilities


def documented(spec: ProviderSpec, model: str, ratio: str, resolution: str) -> tuple[int, int]:
    """The size in Google's guide."""
    first = spec.model(model)
    assert first is not None
    return pixels(ratio, "" if first.family == "first" else resolution or "1K")


def found(
    size: tuple[int, int], ratio: str = "auto", resolution: str = "auto", provider: str = "google",
    model: str = "nano-banana-2", first: tuple[int, int] | None = None,
) -> str:  # fmt: skip
    """What is told of a result of `size`. `first`: the size of the first image of an edit."""
    spec = BUILT_IN[provider]
    asked = request("edit" if first else "generate", references=0, aspect_ratio=ratio, resolution=resolution)
    if first:
        asked = replace(asked, references=(picture(*first),))
    return mismatch(negotiated(spec, asked, model), asked, size)


def picture(width: int, height: int) -> Picture:
    return Picture(lambda: np.zeros((height, width, 3), np.uint8), width, height, 3)


def test_no_documented_size_is_told() -> None:
    """Of any provider, model, operation, ratio and resolution; nor one that a reseller documents with sides a little off."""
    tried = 0
    for spec, model, operation, capabilities in possible():
        for ratio in ("auto", *capabilities.ratios):
            for resolution in ("auto", *capabilities.all_resolutions):
                asked = request(operation, aspect_ratio=ratio, resolution=resolution)
                resolved = negotiated(spec, asked, model)
                drawn = ratio
                if ratio == "auto":
                    first = asked.references[0] if asked.references else picture(1, 1)
                    drawn = nearest_ratio(first.width, first.height, capabilities.ratios or RATIOS)
                size = documented(spec, model, drawn, resolution if resolution != "auto" else "")
                assert mismatch(resolved, asked, size) == "", (spec.id, model, operation, ratio, resolution, size)
                tried += 1
    assert tried > 2000
    assert found((1360, 768), "16:9", "1K") == ""


@given(st.integers(20, 4000), st.integers(20, 4000), st.sampled_from([RATIOS, ALL_RATIOS]))
def test_an_edit_in_the_nearest_ratio_is_not_told(width: int, height: int, ratios: tuple[str, ...]) -> None:
    """Whichever of the two sets of ratios the provider chooses from, and whatever its model."""
    nearest = nearest_ratio(width, height, ratios)
    for provider, model in (("fal", "nano-banana-2"), ("fal", "nano-banana-pro"), ("google", "nano-banana-2.1")):
        if nearest in BUILT_IN[provider].model(model).edit.ratios:  # type: ignore[union-attr]
            assert found(pixels(nearest, "1K"), provider=provider, model=model, first=(width, height)) == ""


@given(st.integers(20, 4000), st.integers(20, 4000))
def test_an_edit_in_its_own_shape_is_not_told(width: int, height: int) -> None:
    assert found((width, height), provider="fal", first=(width, height)) == ""


@pytest.mark.parametrize(
    ("size", "ratio", "resolution", "message"),
    [
        ((1024, 1024), "16:9", "4K", "16:9 at 4K (5504x3072)"),
        ((5504, 3072), "16:9", "2K", "16:9 at 2K (2752x1536)"),
        ((2752, 1536), "16:9", "4K", "16:9 at 4K (5504x3072)"),
        ((1376, 840), "16:9", "1K", "16:9 at 1K (1376x768)"),
        ((1376, 690), "16:9", "1K", "16:9 at 1K (1376x768)"),
        ((1024, 1024), "16:9", "auto", "16:9"),
        ((768, 1376), "16:9", "auto", "16:9"),
        ((2048, 1024), "16:9", "auto", "16:9"),
        ((1024, 1024), "auto", "4K", "4K"),
        ((1376, 768), "auto", "2K", "2K"),
        ((4096, 4096), "auto", "0.5K", "0.5K"),
        ((5504, 3072), "16:9", "4K", ""),
        ((6000, 3300), "16:9", "4K", ""),
        ((5100, 2850), "16:9", "4K", ""),
        ((640, 360), "16:9", "auto", ""),
        ((640, 360), "auto", "auto", ""),
        ((1264, 848), "auto", "1K", ""),
        ((1400, 800), "auto", "1K", ""),
    ],
)
def test_a_side_by_more_than_a_tenth_or_the_ratio_by_more_than_a_fiftieth(
    size: tuple[int, int], ratio: str, resolution: str, message: str
) -> None:
    assert found(size, ratio, resolution) == message


def test_an_edit_in_another_shape_than_its_first_image_is_told() -> None:
    assert found((1024, 1024), provider="fal", first=(1800, 1200)) == "the ratio of the first image (1800x1200)"
    assert found((1024, 1024), provider="google", first=(1800, 1200)) == "the ratio of the first image (1800x1200)"


@given(st.integers(200, 3000), st.integers(200, 3000))
def test_an_edit_whose_ratio_was_replaced_by_the_nearest_may_have_its_own(width: int, height: int) -> None:
    """Google has no word for the first image's ratio where there are several, so the nearest one is sent."""
    asked = replace(request("edit"), references=(picture(width, height), picture(1, 1)))
    resolved = negotiated(BUILT_IN["google"], asked, "nano-banana-2")
    assert "aspect_ratio" in dict(resolved.options)
    assert mismatch(resolved, asked, (width, height)) == ""


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((5504, 3072), ""),
        ((3840, 2160), ""),
        ((4096, 2304), ""),
        ((2752, 1536), "16:9 at 4K"),
        ((1376, 768), "16:9 at 4K"),
        ((4096, 4096), "16:9 at 4K"),
    ],
)
def test_where_no_sizes_are_known_the_shape_and_roughly_the_resolution_count(
    size: tuple[int, int], message: str
) -> None:
    """The reseller's own model, and an id that the user has written by hand."""
    assert found(size, "16:9", "4K", "nanobanana", "nano-banana-hd") == message
    asked = request(aspect_ratio="16:9", resolution="4K")
    resolved = replace(negotiated(BUILT_IN["google"], asked, "nano-banana-2"), model_id="something-else")
    assert mismatch(resolved, asked, size) == message


def wide(prompt: str = "wide", **options: str) -> Request:
    return Request("generate", prompt, Options(aspect_ratio="16:9", resolution="4K", **options))  # type: ignore[arg-type]


def answer(*sizes: tuple[int, int]) -> list[dict[str, object]]:
    """An answer for each size (width, height)."""
    files = [
        base64.b64encode(encode(np.zeros((height, width, 3), np.uint8), "png")).decode() for width, height in sizes
    ]
    return [{"status": 200, "body": {"created": 1, "data": [{"b64_json": file}]}} for file in files]


def test_a_run_tells_it_with_both_sizes_paid_or_stored(tmp_path: Path) -> None:
    """`resolution_effective` alone would say 4K."""
    with answering(*answer((1024, 1024))) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        paid, stored = play(engine, "nanobanana", wide()), play(engine, "nanobanana", wide())
        assert len(server.asked) == 1 and stored.tasks[0].source == "store"
    for run in (paid, stored):
        assert run.report.notices == ["asked for 16:9 at 4K (5504x3072), received 1024x1024"]


def test_it_says_how_many_pictures_it_is(tmp_path: Path) -> None:
    with answering(*answer((5504, 3072), (1024, 1024), (1024, 1024))) as server:
        run = play(engine_at(tmp_path, "nanobanana", server.url), "nanobanana", wide(), count=3, parallel=1)
    (notice,) = run.report.notices
    assert "received 1024x1024 for 2 of 3 pictures" in notice


def test_what_was_left_out_is_told_of_the_stored_picture_too(tmp_path: Path) -> None:
    """Each option that the provider lacks, and a reference that was changed on its way; also after a restart."""
    rgba = Picture.of(np.full((48, 48, 4), 100, np.uint8))
    asked = replace(request("edit", **EVERY_OPTION, seed=5), references=(rgba,))
    with answering(*answer((1024, 1024))) as server:
        engine = engine_at(tmp_path, "nanobanana", server.url)
        runs = []
        for used in (engine, engine, engine_at(tmp_path, "nanobanana", server.url)):
            run = used.run([asked], used.plan(None, [asked]), "jpeg")
            assert run.done.wait(60) and run.error is None
            runs.append(run)
        assert len(server.asked) == 1
    for run in runs:
        assert all(any(name in notice for notice in run.report.notices) for name in ("seed", *INPUTS_OF_OPTIONS))
        assert any("transparency" in notice for notice in run.report.notices)
        assert run.report.notices == runs[0].report.notices
