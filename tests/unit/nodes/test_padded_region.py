"""A padded region at a smaller size shows what the whole of it would, and takes no memory for the padding."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pack.core.execution.image_task import ImageTask
from pack.core.execution.outcome import ResultImage
from pack.core.planning.negotiate import negotiate
from pack.core.providers import BUILT_IN
from pack.core.request import Options, Region
from pack.nodes import tensors
from pack.nodes.edit_batch import EditBatch, EditOptions
from pack.nodes.padded_region import padded_and_reduced
from pack.nodes.region import cut
from PIL import Image

GOOGLE = BUILT_IN["google"]
NARROW = next(model for model in GOOGLE.models if model.edit and "8:1" in model.edit.ratios)
SOFT = 3
"""Of 255: the smaller picture is rounded once more than in one go."""


def smooth(height: int, width: int, seed: int) -> torch.Tensor:
    random = np.random.default_rng(seed)
    # Far from black and white: what a filter adds beyond them is cut off in each direction, in an order of its own.
    coarse = Image.fromarray(random.integers(70, 185, (height // 6 + 2, width // 6 + 2, 3), dtype=np.uint8))
    return torch.from_numpy(np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255)


@given(
    st.tuples(st.integers(20, 90), st.integers(20, 90)),
    st.tuples(*[st.integers(0, 150)] * 4),
    st.floats(1.05, 9.0),
    st.integers(0, 99),
)
def test_it_shows_the_picture_where_the_whole_region_would(
    sides: tuple[int, int], padding: tuple[int, int, int, int], factor: float, seed: int
) -> None:
    width, height = sides
    left, top, right, bottom = padding
    region = Region(-left, -top, width + left + right, height + top + bottom, "", padding)
    size = max(4, round(region.width / factor)), max(4, round(region.height / factor))
    frame = smooth(height, width, seed)
    whole = Image.fromarray(tensors.pixels(cut(frame, region))).resize(size, Image.Resampling.LANCZOS)
    small = padded_and_reduced(frame, padding, size, tensors.pixels, Image.Resampling.LANCZOS)
    assert small.shape == (size[1], size[0], 3)
    across, down = region.width / size[0], region.height / size[1]
    rows = slice(int(top / down), int((top + height) / down))
    columns = slice(int(left / across), int((left + width) / across))
    difference = np.abs(small[rows, columns].astype(int) - np.asarray(whole)[rows, columns].astype(int))
    assert not difference.size or difference.max() <= SOFT


@pytest.mark.skipif(sys.platform != "linux", reason="reads the size of the process from /proc")
@pytest.mark.long
def test_a_narrow_ratio_takes_no_memory_for_its_padding() -> None:
    """A tall mask in 8:1 is a region nine times as wide as the picture; it is sent at the size at which the model draws."""
    width, height = 1200, 1800
    frame, mask = torch.rand(1, height, width, 3), torch.zeros(1, height, width)
    mask[0, 200:1600, 500:600] = 1
    page, done = os.sysconf("SC_PAGE_SIZE"), threading.Event()

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * page

    before = resident()
    peak = [before]

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        options = EditOptions("x", Options(aspect_ratio="8:1"), 0, 1, "together", True, True, 0, True, 1.0, "shift")
        edit = EditBatch(options, {"image_1": frame}, mask)
        (request,) = edit.requests
        resolved = negotiate(request, GOOGLE, NARROW)
        part, hint = resolved.references
        assert resolved.region is not None and resolved.region.width == 11200
        assert (part.width, part.height) == (hint.width, hint.height) == (2896, 362)
        assert any("11200x1400" in notice and "2896x362" in notice for notice in resolved.notices)
        drawn = 255 - part._load()
        assert hint._load().max() == 255
        task = ImageTask(request.slots()[0], request, resolved={"": resolved})
        task.complete(ResultImage(drawn, "png", lambda: b""), "", "")
        output = edit.output(task)
    finally:
        done.set()
        watcher.join()
    assert torch.equal(output.image[mask[0] == 0], frame[0][mask[0] == 0])
    outputs = output.image.numel() * 4 + output.mask.numel() * 4
    # 104 MB; whole, the region would take 750.
    assert peak[0] - before - outputs < 250e6
