"""Which branch of a conversation each picture goes on from, and the conversation that goes on from the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import comfyui
from ..core.errors import InvalidInput
from ..core.errors.messages import msg
from ..core.execution.image_task import ImageTask
from ..core.planning.continuation import same_pixels
from ..core.request import Request
from ..core.request.conversation import Conversation


def with_branches(
    requests: Sequence[Request], conversation: Conversation | None, *, is_each: bool = False
) -> list[Request]:
    """`requests` with the branches that they go on from. Raises InvalidInput for another number of branches than pictures.

    One branch is for every picture. Of several, each is for one frame where `is_each`, else for one picture of the request.
    Slow for large pictures: whether a frame is the branch's last picture is found out here, and not on the host's loop.
    """
    if conversation is None:
        return list(requests)
    branches = conversation.branches
    wanted = len(requests) if is_each else requests[0].num_images
    if len(branches) not in (1, wanted) or not branches:
        raise InvalidInput(
            msg(
                "branches.wrong_count_of_frames" if is_each else "branches.wrong_count_of_pictures",
                branches=len(branches),
                wanted=wanted,
            ),
            cure=msg("branches.connect_one_or_as_many"),
        )
    found: list[Request] = []
    for index, request in enumerate(requests):
        if len(branches) == 1:
            found.append(replace(request, branch=branches[0]))
        elif is_each:
            found.append(replace(request, branch=branches[index]))
        else:
            found += [
                replace(request, branch=branch, num_images=1, first_slot=slot) for slot, branch in enumerate(branches)
            ]
    for request in found:
        if request.references and request.branch and request.branch.turns:
            same_pixels(request.references[0], request.branch.last.pixels)
    return found


def continued(tasks: Sequence[ImageTask], *, is_one_batch: bool) -> list[Conversation]:
    """The output `conversation` for the pictures of a node: an element with a branch for each, or an element for each."""
    branches = [comfyui.engine().branch_after(task) for task in tasks]
    return [Conversation(tuple(branches))] if is_one_batch else [Conversation((branch,)) for branch in branches]
