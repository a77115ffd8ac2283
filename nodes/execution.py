"""From requests to outputs: what Generate and Edit do alike once they know what to ask for.

The node's coroutine only waits: it looks at the interrupt flag every 50 ms, shows progress and raises no cancellation of its
own. The work is done on the core's threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from comfy_api.latest import io

from .. import comfyui
from ..core.errors.messages import msg
from ..core.execution.report import Report
from ..core.execution.run import Run
from ..core.providers.spec import Operation
from .inputs import BLOCK, FAIL, ORIGINAL
from .list_element import NodeRequests
from .list_group import join
from .outputs import blocked_output, combined_error, failed_facts, node_output
from .run_progress import RunProgress

_incomplete: dict[str, int] = {}
"""Node id -> how many of its runs ended incomplete; part of the host's cache key, so that such a run runs again."""
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

    `hidden` has the node's id and the graph it stands in. `requested` reads the values of the node.
    """
    node_id = hidden.unique_id
    # The pause in it is needed, too: the host shows a node's inputs, tensors and all, when it fails before its first pause.
    await join(requested)
    asked = await requested()
    requests, with_originals = asked.requests, operation == "edit"
    engine = comfyui.engine()
    plan = engine.plan(asked.choice, requests)
    run_context = comfyui.run_context(node_id, hidden.prompt, hidden.extra_pnginfo)
    run = engine.run(requests, plan, asked.reference_format, run_context, auto_notify=False)
    report = await _wait_for(run, node_id)
    report.notices[:0] = [notice for notice in asked.notices if notice not in report.notices]
    failed = report.failed
    if failed:
        _incomplete[str(node_id)] = incomplete_runs(node_id) + 1
    all_failed = len(failed) == len(report.tasks)
    if failed and on_failure != BLOCK and (all_failed or on_failure == FAIL):
        await _before_failure(run)
        # The host's error has the message only.
        comfyui.send_event("failed", {"node": str(node_id or ""), "failed": failed_facts(report)})
        raise combined_error(report)
    if run.has_unresolved_charges:
        await comfyui.in_thread(run.mark_notified)
    if failed and on_failure == BLOCK:
        return blocked_output(report, requests, with_originals)
    tasks = [task for task in report.tasks if task.result or on_failure == ORIGINAL]
    images = await comfyui.in_thread(lambda: [asked.output_of(task) for task in tasks])
    return node_output(report, requests, images, with_originals)


async def _before_failure(run: Run) -> None:
    """The host shows the error of the node that fails first and cancels the others. Only what that error asks the user
    counts as shown; another node that fails in the same moment waits here to be cancelled."""
    global _failed_prompt
    if _failed_prompt != run.prompt_id:
        _failed_prompt = run.prompt_id
        if run.has_unresolved_charges:
            await comfyui.in_thread(run.mark_notified)
        return
    end = time.monotonic() + _CANCEL_SECONDS
    while time.monotonic() < end:
        if comfyui.interrupted():
            raise comfyui.interrupt_exception()
        await asyncio.sleep(comfyui.TICK)


async def _wait_for(run: Run, node_id: str | None) -> Report:
    """Waits for a run and shows its progress. Stops it when the user interrupts, or the host cancels the prompt."""
    progress = RunProgress(run, node_id)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    run.when_done(lambda: _resolve(loop, ended))
    try:
        while not ended.done():
            if comfyui.interrupted():
                raise comfyui.interrupt_exception()
            await progress.update()
            await asyncio.wait({ended}, timeout=comfyui.TICK)
    except asyncio.CancelledError:
        progress.stop(msg("execution.ended_by_another_node"), cancel=False)
        raise
    except BaseException:  # the host's interruption, from here or from a wait below
        progress.stop("interrupted")
        raise
    if run.error is not None:
        raise run.error
    await progress.finish()
    return run.report


def _resolve(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    """Sets the result of a future from another thread."""

    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    try:
        loop.call_soon_threadsafe(resolve)
    except RuntimeError:
        pass  # the host has closed the prompt's loop: nothing waits any more
