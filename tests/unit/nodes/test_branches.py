"""Which branch of a conversation each picture goes on from."""

from __future__ import annotations

from typing import Any

import pytest
from dialect_driver import request, tiny
from pack.core.errors import Impossible
from pack.core.request import Request
from pack.core.request.conversation import Branch, Conversation, StoredPicture, Turn
from pack.nodes.branches import with_branches


def branch(number: int) -> Branch:
    picture = StoredPicture(f"{number:064x}.png", 1, lambda: True, bytes)
    return Branch("google", "m", (Turn(str(number), (), True, picture, tiny(number)),))


def conversation(count: int) -> Conversation:
    return Conversation(tuple(branch(number) for number in range(count)))


def asked(count: int, frames: int = 1) -> list[Request]:
    more: dict[str, Any] = {"seed": 7}
    made = [request("edit", frame=frame, **more) for frame in range(frames)]
    return [Request("edit", one.prompt, one.options, 7, count, one.references, one.frame) for one in made]


def paths(requests: list[Request]) -> list[tuple[int, int, str]]:
    """(frame, slot, first words of its branch) of every picture."""
    return [
        (slot.frame, slot.index, one.branch.last.prompt if one.branch else "")
        for one in requests
        for slot in one.slots()
    ]


def test_one_branch_is_for_every_picture() -> None:
    assert paths(with_branches(asked(2), conversation(1))) == [(0, 0, "0"), (0, 1, "0")]
    assert paths(with_branches(asked(2, frames=2), conversation(1), is_each=True)) == [
        (0, 0, "0"), (0, 1, "0"), (1, 0, "0"), (1, 1, "0"),
    ]  # fmt: skip


def test_several_branches_are_for_one_slot_or_one_frame_each() -> None:
    """The seeds are those of the slots."""
    found = with_branches(asked(3), conversation(3))
    assert paths(found) == [(0, 0, "0"), (0, 1, "1"), (0, 2, "2")]
    (whole,) = asked(3)
    assert [slot.seed for one in found for slot in one.slots()] == [slot.seed for slot in whole.slots()]
    assert paths(with_branches(asked(2, frames=2), conversation(2), is_each=True)) == [
        (0, 0, "0"), (0, 1, "0"), (1, 0, "1"), (1, 1, "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("count", "frames", "branches", "is_each", "words"),
    [
        (3, 1, 2, False, "2 branches, and num_images is 3"),
        (1, 1, 2, False, "2 branches, and num_images is 1"),
        (2, 3, 2, True, "2 branches, and image_1 has 3 frames"),
        (1, 1, 0, False, "0 branches"),
    ],
)
def test_other_numbers_are_refused(count: int, frames: int, branches: int, is_each: bool, words: str) -> None:
    with pytest.raises(Impossible, match=words):
        with_branches(asked(count, frames), conversation(branches), is_each=is_each)


def test_without_a_conversation_nothing_changes() -> None:
    requests = asked(2)
    assert with_branches(requests, None) == requests
