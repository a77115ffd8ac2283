"""The output pictures of a long batch are made while its last results are awaited, of the results that it has in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from pack.core.execution.image_task import ImageTask
from pack.core.execution.outcome import ResultImage
from pack.core.request import Options, Request
from pack.nodes.early_outputs import EarlyOutputs, Make
from pack.nodes.output_image import OutputImage

SECONDS = 60.0


def a_task(colour: int) -> ImageTask:
    request = Request("generate", "a boat", Options())
    task = ImageTask(next(iter(request.slots())), request)
    task.complete(result_of(colour), "", "")
    return task


def result_of(colour: int) -> ResultImage:
    return ResultImage(np.full((2, 2, 3), colour, np.uint8), "png", lambda: b"")


def made_of(task: ImageTask) -> OutputImage:
    assert task.result is not None
    return OutputImage(torch.from_numpy(task.result.pixels.copy()), torch.zeros(2, 2), task, task.source)


def copied(make: Callable[[ImageTask], OutputImage]) -> Make:
    return lambda task: make(replace(task))


def ready(tasks: list[ImageTask], make: Callable[[ImageTask], OutputImage] = made_of) -> EarlyOutputs:
    early = EarlyOutputs(lambda: [(task, copied(make)) for task in tasks])
    early.begin()
    early.wait()
    return early


def test_an_output_is_of_the_result_that_its_picture_has_in_the_end() -> None:
    task, other = a_task(1), a_task(9)
    early = ready([task, other])
    task.complete(result_of(2), "", "", "store")
    other.source = "store"
    found = early.take(other)
    assert early.take(task) is None, "another result came"
    assert found is not None and (found.task, found.source) == (other, "store")
    assert early.take(other) is None, "its memory is the caller's now"


def test_what_can_not_be_made_early_is_left_to_the_end() -> None:
    def failing(task: ImageTask) -> OutputImage:
        assert task.result is not None
        if task.result.pixels[0, 0, 0] == 1:
            raise MemoryError
        return made_of(task)

    broken, fine = a_task(1), a_task(2)
    early = ready([broken, fine], failing)
    assert early.take(broken) is None and early.take(fine) is not None


def test_after_a_stop_no_further_picture_is_begun() -> None:
    at_work, may_end = threading.Event(), threading.Event()
    made: list[ImageTask] = []

    def slow(task: ImageTask) -> OutputImage:
        at_work.set()
        assert may_end.wait(SECONDS)
        made.append(task)
        return made_of(task)

    first, second, third = a_task(1), a_task(2), a_task(3)
    tasks = [first, second]
    early = EarlyOutputs(lambda: [(task, copied(slow)) for task in tasks])
    early.begin()
    assert at_work.wait(SECONDS)
    early.stop()
    tasks.append(third)
    early.begin()
    may_end.set()
    early.wait()
    assert len(made) == 1 and early.take(first) is not None and early.take(second) is None


def test_without_a_thread_all_is_left_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    task = a_task(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        early = ready([task])
    assert early.take(task) is None


def test_what_arrives_later_is_made_by_the_next_begin() -> None:
    first, second = a_task(1), a_task(2)
    tasks, made = [first], list[ImageTask]()

    def noted(task: ImageTask) -> OutputImage:
        made.append(task)
        return made_of(task)

    early = EarlyOutputs(lambda: [(task, copied(noted)) for task in tasks])
    early.begin()
    early.wait()
    tasks.append(second)
    early.begin()
    early.wait()
    assert early.take(second) is not None and early.take(first) is not None
    assert len(made) == 2, "one was made twice"
