"""The elements that the host runs a node for when a list is linked into it: they join as one group.

The host starts one coroutine for each element, all in the same loop, and throws away the results of all of them when one
raises. So no element does anything before it has joined, and the first one does the work of the group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from .. import comfyui

Member = TypeVar("Member")

_joining: dict[tuple[str, str], ListGroup] = {}
"""(prompt id, node id) -> the group that still takes elements."""
_TURNS = 2
"""The host starts the next element one turn of the loop after the last: this many turns without one end the list."""


class ListGroup(Generic[Member]):
    """The elements of one run of one node, in the order of the list."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._error: BaseException | None = None

    async def perform(self, member: Member, work: Callable[[list[Member]], Awaitable[None]]) -> None:
        """Has the first member do `work` for all of them; the others wait for it. Raises what it raises, in each of them."""
        if member is not self.members[0]:
            await self._wait()
            return
        try:
            await work(self.members)
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._ended.set_result(None)

    async def _wait(self) -> None:
        while not self._ended.done():
            if comfyui.interrupted():
                raise comfyui.interrupt_exception()
            await asyncio.wait({self._ended}, timeout=comfyui.TICK)
        if isinstance(self._error, Exception):
            raise self._error
        if self._error is not None:  # never CancelledError, which would end the host's worker
            raise comfyui.interrupt_exception()


async def join(member: Member) -> ListGroup[Member]:
    """Puts an element of the running node into its group. Returns once the group is complete.

    The first pause comes after joining: the host ends the whole node when an element raises before it.
    """
    key = comfyui.executing_node()
    group: ListGroup[Member] = (_joining.get(key) if key else None) or ListGroup()
    group.members.append(member)
    if key:
        _joining[key] = group
    try:
        length = 0
        while length != len(group.members):
            length = len(group.members)
            for _ in range(_TURNS):
                await asyncio.sleep(0)
    finally:
        if key and _joining.get(key) is group:
            del _joining[key]
    return group
