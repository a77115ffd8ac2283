"""`multiple of N`: picture, mask and original are cut alike at their centre, and a mask still keeps its outside."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pack.core.execution.image_task import ImageTask
from pack.core.request import Options, Request
from pack.nodes.output_image import OutputImage
from pack.nodes.output_size import MULTIPLES, cut_to_multiple

REQUEST = Request("edit", "a hat", Options())


def output(height: int, width: int, original: tuple[int, int] | None = None) -> OutputImage:
    """A picture whose values say where each pixel was."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.stack([rows, columns, rows + columns], dim=-1).float()
    (slot,) = REQUEST.slots()
    old = None if original is None else torch.zeros(*original, 3)
    return OutputImage(image, rows.float(), ImageTask(slot, REQUEST), "provider", old)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(sorted(MULTIPLES.values())))
def test_the_cut_is_the_largest_multiple_at_the_centre(height: int, width: int, multiple: int) -> None:
    before = output(height, width, (height, width))
    after = cut_to_multiple(before, multiple)
    assert after.original is not None
    assert after.image.shape[:2] == after.mask.shape == after.original.shape[:2]
    for old, new in zip((height, width), after.mask.shape, strict=True):
        assert new == (old // multiple * multiple or old)
    top, left = int(after.image[0, 0, 0]), int(after.image[0, 0, 1])
    bottom, right = height - top - after.mask.shape[0], width - left - after.mask.shape[1]
    assert bottom - top in (0, 1) and right - left in (0, 1)
    assert torch.equal(after.mask, after.image[..., 0])
    changed = after.mask.shape != before.mask.shape
    assert any("was cut to" in notice for notice in after.notices) == changed
    assert any("stays as it is" in notice for notice in after.notices) == (min(height, width) < multiple)


def test_the_notice_has_both_sizes() -> None:
    (notice,) = cut_to_multiple(output(770, 1376), 64).notices
    assert "1376x770" in notice and "1344x768" in notice and "64" in notice


def test_a_picture_of_such_sides_is_as_it_was() -> None:
    before = output(768, 1344)
    after = cut_to_multiple(before, 64)
    assert torch.equal(after.image, before.image) and after.notices == []


def test_an_original_of_another_size_is_cut_by_the_same_rule_and_told() -> None:
    after = cut_to_multiple(output(770, 1376, (301, 403)), 8)
    assert after.original is not None and after.original.shape == (296, 400, 3)
    assert [notice for notice in after.notices if "original of 403x301" in notice and "400x296" in notice]


@pytest.mark.parametrize("multiple", sorted(MULTIPLES.values()))
def test_earlier_notices_stay(multiple: int) -> None:
    before = output(100, 100)
    before.notices = ["before"]
    assert cut_to_multiple(before, multiple).notices[0] == "before" and before.notices == ["before"]
