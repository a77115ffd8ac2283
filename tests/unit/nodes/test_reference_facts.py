"""Which picture has which number: the data that `info` has for every run, against the references that are sent."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from pack.core.images.picture import pixel_digest
from pack.core.request import Options
from pack.nodes.edit_batch import EditBatch, EditOptions
from pack.nodes.reference_groups import reference_facts

MODES = ("together", "each", "each paired")


def batch_of(mode: str, counts: dict[str, int], hint: bool = False) -> EditBatch:
    """An edit whose frames are each of one grey: 3 * number of the socket + number of the frame, of 255."""
    images = {
        name: torch.stack([torch.full((4, 4, 3), (3 * int(name[6:]) + frame) / 255) for frame in range(count)])
        for name, count in counts.items()
    }
    options = EditOptions("a hat", Options(), 0, 1, mode, mask_as_reference=hint, match_first=False, mask_feather=0)
    return EditBatch(options, images, torch.ones(1, 4, 4) if hint else None)


@given(
    st.sampled_from(MODES),
    st.dictionaries(st.integers(2, 14).map(lambda number: f"image_{number}"), st.integers(1, 3), max_size=4),
    st.integers(1, 3),
    st.booleans(),
)
def test_each_number_names_the_input_whose_frame_is_sent_there(
    mode: str, others: dict[str, int], count: int, hint: bool
) -> None:
    if mode == "each paired":
        others = {name: 1 if other == 1 else count for name, other in others.items()}
    batch = batch_of(mode, {"image_1": count, **others}, hint)
    facts = reference_facts(batch.requests)
    assert [fact["picture"] for fact in facts] == list(range(1, len(batch.requests[0].references) + 1))
    for request in batch.requests:
        for fact, picture, source in zip(facts, request.references, request.sources, strict=True):
            if fact["input"] == "mask":
                assert hint and fact is facts[-1]
                continue
            name, frame = source
            assert fact["input"] == name and fact["frame"] in (frame, None)
            grey = np.full((4, 4, 3), 3 * int(name[6:]) + frame, np.uint8)
            assert picture.digest == pixel_digest(grey)
    varies = len(batch.requests) > 1
    assert (facts[0]["frame"] is None) == varies


def test_a_gap_and_a_batch_are_named() -> None:
    facts = reference_facts(batch_of("together", {"image_1": 2, "image_3": 1}).requests)
    assert facts == [
        {"picture": 1, "input": "image_1", "frame": 0},
        {"picture": 2, "input": "image_1", "frame": 1},
        {"picture": 3, "input": "image_3", "frame": 0},
    ]


def test_without_references_there_is_nothing_to_number() -> None:
    assert reference_facts([]) == []


def test_an_input_with_values_of_0_to_255_is_named_in_the_notices() -> None:
    """Each such input once, in the order of the sockets; it is sent all the same."""
    bright = torch.full((2, 4, 4, 3), 200.0)
    images = {"image_3": bright, "image_1": torch.rand(1, 4, 4, 3), "image_2": bright}
    options = EditOptions(
        "a hat", Options(), 0, 1, "together", mask_as_reference=False, match_first=False, mask_feather=0
    )
    batch = EditBatch(options, images, None)
    told = [notice for notice in batch.notices if "divide it by 255" in notice]
    assert [notice.split()[0] for notice in told] == ["image_2", "image_3"]
    assert len(batch.requests[0].references) == 5
