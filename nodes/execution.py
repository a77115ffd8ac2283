"""From requests to outputs: what Generate and Edit do alike once they know what to ask for.

The node's coroutine only waits: it looks at the interrupt flag every 50 ms, shows progress and raises no cancellation of its
own. The work is done on the core's threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from comfy_api.latest import io

from .. import comfyui
from ..core.errors.messages import msg
from ..core.execution.run import Run
from ..core.providers.spec import Operation
from .early_outputs import EarlyOutputs
from .failure_events import send_failure
from .inputs import THOUGHTS_OUTPUT
from .list_element import Element, NodeRequests
from .list_group import join
from .list_outputs import error_of, make_outputs
from .list_runs import ListRun, plan_runs
from .prompt_graph import linked_outputs
from .run_progress import RunProgress

_incomplete: dict[str, int] = {}
"""Node id -> how many of its runs ended incomplete, or with pictures that arrive later; part of the host's cache key, so
that such a run runs again."""
_failed_prompt = ""
"""The last queueing in which one of the pack's nodes has failed."""
_CANCEL_SECONDS = 1.0
"""How long the host may take to cancel the other nodes of a prompt after one has failed."""


def incomplete_runs(node_id: str | None) -> int:
    """How many of this node's runs ended incomplete: the value of `fingerprint_inputs`."""
    return _incomplete.get(str(node_id), 0)


async def run_node(
    hidden: Any, operation: Operation, requested: Callable[[], Awaitable[NodeRequests]], on_failure: str
) -> io.NodeOutput:
    """Asks for all pictures and gives the node's outputs. Raises NanoBananaError, or the host's interruption.

    `hidden` has the node's id and the graph that has it. `requested` reads the values of the node.
    """
    element = Element(operation, requested, on_failure)
    # The pause in it is needed, too: the host shows a node's inputs, tensors and all, when it fails before its first pause.
    group = await join(element)
    await group.perform(element, lambda elements: _perform(hidden, operation, elements))
    assert element.output is not None
    return element.output


async def _perform(hidden: Any, operation: Operation, elements: Sequence[Element]) -> None:
    """Does the work of all elements of a list and gives each its output. Raises NanoBananaError where none goes on."""
    node_id = hidden.unique_id
    for element in elements:
        await asyncio.sleep(0)  # a long list must not hold the host's loop
        await element.read()
    planned = await plan_runs(elements, comfyui.engine()) if any(element.asked for element in elements) else []
    if error := error_of(elements):
        send_failure(node_id, error)
        raise error  # nothing was sent
    context = comfyui.run_context(node_id, hidden.prompt, hidden.extra_pnginfo)
    is_linked = (str(node_id), THOUGHTS_OUTPUT[operation]) in linked_outputs(hidden.prompt)
    shows_drafts = comfyui.page_shows_drafts()
    list_runs = [
        ListRun(group, comfyui.engine(), context, wants_drafts=is_linked, shows_drafts=shows_drafts)
        for group in planned
    ]
    runs = [each.run for each in list_runs]
    early = EarlyOutputs(lambda: (picture for each in list_runs for picture in each.arrived()))
    try:
        await _wait_for(runs, node_id, early.begin)
    finally:
        early.stop()
    for each in list_runs:
        each.distribute()
    if is_linked:
        _notice_missing_drafts(elements)
    for element in elements:
        own = element.asked.notices if element.asked else ()
        element.report.notices[:0] = [notice for notice in own if notice not in element.report.notices]
    if any(element.runs_again for element in elements):
        _incomplete[str(node_id)] = incomplete_runs(node_id) + 1
    tasks = [task for element in elements for task in element.report.tasks]
    await comfyui.in_thread(lambda: comfyui.engine().examine_ended(tasks))
    if error := error_of(elements):
        await _before_failure(runs)
        send_failure(node_id, error, elements)
        raise error
    await _mark_notified(runs)
    await make_outputs(elements, operation, early)


def _notice_missing_drafts(elements: Sequence[Element]) -> None:
    """Adds a notice why nothing comes out of `thoughts`, which something is connected to."""
    for element in elements:
        if element.report.completed and not any(task.drafts for task in element.report.tasks):
            element.report.add_notices([msg("execution.no_drafts")])


async def _mark_notified(runs: Sequence[Run]) -> None:
    for run in runs:
        if run.has_unresolved_charges:
            await comfyui.in_thread(run.mark_notified)


async def _before_failure(runs: Sequence[Run]) -> None:
    """The host shows the error of the node that fails first and cancels the others. Only what that error asks the user
    counts as shown; another node that fails in the same moment waits here to be cancelled."""
    global _failed_prompt
    if _failed_prompt != runs[0].prompt_id:
        _failed_prompt = runs[0].prompt_id
        await _mark_notified(runs)
        return
    end = time.monotonic() + _CANCEL_SECONDS
    while time.monotonic() < end:
        if comfyui.interrupted():
            raise comfyui.interrupt_exception()
        await asyncio.sleep(comfyui.TICK)


async def _wait_for(runs: Sequence[Run], node_id: str | None, meanwhile: Callable[[], None]) -> None:
    """Waits for runs, shows their progress and calls `meanwhile` again and again.

    Stops them when the user interrupts, or the host cancels the prompt.
    """
    progress = RunProgress(runs, node_id)
    loop = asyncio.get_running_loop()
    ended: set[asyncio.Future[None]] = set()
    for run in runs:
        future: asyncio.Future[None] = loop.create_future()
        ended.add(future)
        run.when_done(partial(comfyui.resolve, future))
    try:
        while not all(future.done() for future in ended):
            if comfyui.interrupted():
                raise comfyui.interrupt_exception()
            await progress.update()
            meanwhile()
            await asyncio.wait(ended, timeout=comfyui.TICK)
    except asyncio.CancelledError:
        progress.stop(msg("execution.ended_by_another_node"), cancel=False)
        raise
    except BaseException:  # the host's interruption, from here or from a wait below
        progress.stop(msg("execution.interrupted"))
        raise
    if not any(run.error for run in runs):
        await progress.finish()
