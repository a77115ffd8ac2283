"""The runs of a group of elements: one for all that ask the same providers, so that caps and failures are counted together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from ..core.engine import Engine
from ..core.errors import NanoBananaError
from ..core.execution.image_task import ImageTask
from ..core.execution.run import Run
from ..core.ledger import RunContext
from ..core.planning.merging import can_merge, merged
from ..core.planning.plan import Plan
from .early_outputs import Make
from .list_element import Element, NodeRequests
from .list_outputs import output_image
from .output_image import OutputImage

Planned = tuple[Element, NodeRequests, Plan]


class ListRun:
    """One run for the requests of several elements. Their frames are counted through while it lasts."""

    def __init__(
        self,
        planned: Sequence[Planned],
        engine: Engine,
        context: RunContext,
        *,
        wants_drafts: bool = False,
        shows_drafts: bool = False,
    ) -> None:
        """Starts the run. The plans of `planned` are such that they can be merged. `wants_drafts`: see Run. `shows_drafts`:
        a page shows drafts while pictures are awaited, which it does not do for an order."""
        self._elements = [element for element, _, _ in planned]
        requests = [request for _, asked, _ in planned for request in asked.requests]
        self._requests = requests
        """Each with its element's own number of the frame."""
        self._lengths = [len(asked.requests) for _, asked, _ in planned]
        self._asked = [asked for _, asked, _ in planned for _ in asked.requests]
        numbered = [replace(request, frame=number) for number, request in enumerate(requests)]
        plan, reference_format = merged([plan for _, _, plan in planned]), planned[0][1].reference_format
        wants_drafts = wants_drafts or (shows_drafts and plan.delivery == "now")
        self.run: Run = engine.run(
            numbered, plan, reference_format, context, auto_notify=False, wants_drafts=wants_drafts
        )

    def arrived(self) -> Iterator[tuple[ImageTask, Make]]:
        """The pictures that have a result. Not for use once the elements have their parts."""
        # The number is taken here: `distribute` may change that of the picture before its output is begun.
        return ((task, partial(self._output, task.slot.frame)) for task in self.run.tasks if task.result is not None)

    def _output(self, number: int, task: ImageTask) -> OutputImage:
        request = self._requests[number]
        own = replace(task, request=request, slot=replace(task.slot, frame=request.frame))
        return output_image(self._asked[number], own)

    def distribute(self) -> None:
        """Gives each element its part of the report. Raises what ended the run, unless it is a failure of the elements."""
        error = self.run.error
        if isinstance(error, NanoBananaError):
            for element in self._elements:
                element.refuse(error)
            return
        if error is not None:
            raise error
        first = 0
        for element, length in zip(self._elements, self._lengths, strict=True):
            element.report = self.run.report.part(range(first, first + length))
            first += length
        for task in self.run.tasks:
            task.request = self._requests[task.slot.frame]
            task.slot = replace(task.slot, frame=task.request.frame)


async def plan_runs(elements: Sequence[Element], engine: Engine) -> list[list[Planned]]:
    """Who does the elements' requests: those of one inner list can be one run. Those that nobody can do are refused."""
    asked = [(element, element.asked) for element in elements if element.asked is not None]
    groups: list[list[Planned]] = []
    plans = engine.plans([(each.choice, each.requests) for _, each in asked])
    for (element, requests), plan in zip(asked, plans, strict=True):
        await asyncio.sleep(0)  # a long list must not hold the host's loop
        if isinstance(plan, NanoBananaError):
            element.refuse(plan)
            continue
        for group in groups:
            _, first, first_plan = group[0]
            if requests.reference_format == first.reference_format and can_merge(first_plan, plan):
                group.append((element, requests, plan))
                break
        else:
            groups.append([(element, requests, plan)])
    return groups
