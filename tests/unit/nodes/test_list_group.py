"""The elements of a list join as the host starts them: one task after the other, all waited for, one error for all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pack import comfyui
from pack.nodes import list_group
from pack.nodes.list_group import join


class Interrupt(BaseException):
    """Stands for the host's own exception."""


class FakeHost:
    """Which node runs, and whether the user has interrupted it."""

    def __init__(self) -> None:
        self.interrupted = False
        self.node: tuple[str, str] | None = ("prompt", "node")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    fake = FakeHost()
    monkeypatch.setattr(comfyui, "interrupted", lambda: fake.interrupted)
    monkeypatch.setattr(comfyui, "interrupt_exception", Interrupt)
    monkeypatch.setattr(comfyui, "executing_node", lambda: fake.node)
    yield fake
    assert not list_group._joining, "a group was left open: the next run would join it"


async def mapped(executions: list[Any]) -> list[Any]:
    """Runs coroutines as the host maps a node over a list."""
    tasks = []
    for execution in executions:
        task = asyncio.create_task(execution)
        await asyncio.sleep(0)
        assert not task.done() or task.exception() is None, "the host would start no further element"
        tasks.append(task)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def element(number: int, work: Any) -> str:
    group = await join(number)
    await group.perform(number, work)
    return f"{number} of {len(group.members)}"


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_all_elements_of_a_list_are_one_group_in_order(host: FakeHost, count: int) -> None:
    done: list[list[int]] = []

    async def work(members: list[int]) -> None:
        done.append(list(members))
        await asyncio.sleep(0.01)

    results = asyncio.run(mapped([element(n, work) for n in range(count)]))
    assert done == [list(range(count))]
    assert results == [f"{n} of {count}" for n in range(count)]


def test_other_nodes_that_start_in_between_are_other_groups(host: FakeHost) -> None:
    """The host starts all ready nodes before it waits for one."""

    async def work(members: list[int]) -> None:
        await asyncio.sleep(0.01)

    async def both() -> list[Any]:
        first = [asyncio.create_task(element(n, work)) for n in range(2)]
        await asyncio.sleep(0)
        host.node = ("prompt", "other node")
        second = [asyncio.create_task(element(n, work)) for n in range(3)]
        return await asyncio.gather(*first, *second)

    assert asyncio.run(both()) == ["0 of 2", "1 of 2", "0 of 3", "1 of 3", "2 of 3"]


def test_a_second_run_of_the_node_is_a_new_group(host: FakeHost) -> None:
    async def work(members: list[int]) -> None:
        await asyncio.sleep(0)

    async def twice() -> list[Any]:
        return [await mapped([element(n, work) for n in range(2)]) for _ in range(2)]

    assert asyncio.run(twice()) == [["0 of 2", "1 of 2"]] * 2


def test_without_a_host_each_is_alone(host: FakeHost) -> None:
    host.node = None

    async def work(members: list[int]) -> None:
        await asyncio.sleep(0)

    assert asyncio.run(mapped([element(n, work) for n in range(2)])) == ["0 of 1", "1 of 1"]


def test_an_error_of_the_group_is_that_of_each_element(host: FakeHost) -> None:
    async def work(members: list[int]) -> None:
        await asyncio.sleep(0.01)
        raise ValueError("all failed")

    results = asyncio.run(mapped([element(n, work) for n in range(3)]))
    assert [str(each) for each in results] == ["all failed"] * 3


def test_an_interrupt_ends_every_element(host: FakeHost) -> None:
    async def work(members: list[int]) -> None:
        host.interrupted = True
        raise Interrupt

    results = asyncio.run(mapped([element(n, work) for n in range(3)]))
    assert [type(each) for each in results] == [Interrupt] * 3


def test_no_element_raises_a_cancellation_of_its_own(host: FakeHost) -> None:
    """CancelledError from an element would end the host's worker; the host alone may cancel."""

    async def work(members: list[int]) -> None:
        await asyncio.sleep(0.01)
        raise asyncio.CancelledError

    results = asyncio.run(mapped([element(n, work) for n in range(2)]))
    assert type(results[1]) is Interrupt


def test_a_prompt_that_is_torn_down_while_they_join_leaves_no_group(host: FakeHost) -> None:
    async def work(members: list[int]) -> None:
        await asyncio.sleep(10)

    async def torn_down() -> None:
        task = asyncio.create_task(element(0, work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(torn_down())
