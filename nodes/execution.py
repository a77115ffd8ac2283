"""From requests to outputs: what Generate and Edit do alike once they know what to ask for.

The coroutine only waits: it looks at the interrupt flag every 50 ms, shows progress and never leaks a cancellation of its
own. The work is done on the core's threads.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from .. import comfyui
from ..core.errors import NanoBananaError
from ..core.execution.image_task import ImageTask
from ..core.execution.report import Report, StopSummary
from ..core.execution.run import Run
from ..core.images.picture import preview_of
from ..core.planning.choice import ProviderChoice
from ..core.request import Request
from . import tensors
from .inputs import BLOCK, FAIL, ORIGINAL

log = logging.getLogger("nano_banana")

PREVIEW_SIDE = 512

_unfinished: dict[str, int] = {}
"""Node id -> how often a run of it ended incomplete; part of the host's cache key, so that such a run runs again."""


_spoken = ""
"""The last queueing in which a node of ours has failed."""
_TAKEN_DOWN_SECONDS = 1.0


@dataclass
class Finished:
    """One output picture."""

    image: torch.Tensor
    """[H, W, 3]"""
    mask: torch.Tensor
    """[H, W], 1 - alpha"""
    result: ImageTask
    source: str
    original: torch.Tensor | None = None
    notices: list[str] = field(default_factory=list)


Finish = Callable[[ImageTask], Finished]
"""Makes an output picture of a result: decoded pixels, or the original frame where there is no result."""


def runs_again(node_id: str | None) -> int:
    """How often this node's last runs ended incomplete: the value of `fingerprint_inputs`."""
    return _unfinished.get(str(node_id), 0)


async def make(
    hidden: Any,
    requests: Sequence[Request],
    choice: ProviderChoice | None,
    on_failure: str,
    finish: Finish,
    *,
    notices: Sequence[str] = (),
    reference_format: str = "auto",
    with_originals: bool = False,
) -> io.NodeOutput:
    """Asks for all pictures and gives the node's outputs. Raises NanoBananaError, or the host's interruption.

    `hidden` has the node's id and the graph it stands in.
    """
    node_id = hidden.unique_id
    await asyncio.sleep(0)  # the host shows a node's inputs, tensors and all, when it fails before its first pause
    engine = comfyui.engine()
    plan = engine.plan(choice, requests)
    run_context = comfyui.run_context(node_id, hidden.prompt, hidden.extra_pnginfo)
    run = engine.run(requests, plan, reference_format, run_context, auto_notify=False)
    report = await _watched(run, node_id)
    report.notices[:0] = [notice for notice in notices if notice not in report.notices]
    failed = report.failed
    if failed:
        _unfinished[str(node_id)] = runs_again(node_id) + 1
    everything = len(failed) == len(report.tasks)
    if failed and on_failure != BLOCK and (everything or on_failure == FAIL):
        await _speak(run)
        # The host's error has words only.
        comfyui.tell("failed", {"node": str(node_id or ""), "failed": _failed(report)})
        raise _summary(report)
    if run.has_unresolved_charges:
        await comfyui.in_thread(run.mark_notified)
    if failed and on_failure == BLOCK:
        return _blocked(report, requests, with_originals)
    shown = [r for r in report.tasks if r.result or on_failure == ORIGINAL]
    finished = await comfyui.in_thread(lambda: [finish(result) for result in shown])
    return _outputs(report, requests, finished, with_originals)


async def _speak(run: Run) -> None:
    """Before a node fails: the host shows the error of one node and takes the others down. Only what that one asks counts
    as told; another that fails in the same moment waits here for its end."""
    global _spoken
    if _spoken != run.prompt_id:
        _spoken = run.prompt_id
        if run.has_unresolved_charges:
            await comfyui.in_thread(run.mark_notified)
        return
    end = time.monotonic() + _TAKEN_DOWN_SECONDS
    while time.monotonic() < end:
        if comfyui.interrupted():
            raise comfyui.interruption()
        await asyncio.sleep(comfyui.TICK)


async def _watched(run: Run, node_id: str | None) -> Report:
    """Waits for a run. An interrupt, or the host taking the prompt down, lets go of it."""
    face = comfyui.NodeProgress(node_id)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    run.when_done(lambda: _ring(loop, ended))
    shown = 0
    try:
        while not ended.done():
            if comfyui.interrupted():
                raise comfyui.interruption()
            shown = await _show(run, face, shown)
            await asyncio.wait({ended}, timeout=comfyui.TICK)
    except asyncio.CancelledError:
        _say_stopped(run, face, node_id, "ended by another node", cancel=False)
        raise
    except BaseException:  # the host's interruption, from here or from a wait below
        _say_stopped(run, face, node_id, "interrupted")
        raise
    if run.error is not None:
        raise run.error
    while shown < sum(1 for result in run.tasks if result.result):
        shown = await _show(run, face, shown)
    await _show(run, face, shown, last=True)
    return run.report


def _ring(loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
    def ring() -> None:
        if not ended.done():
            ended.set_result(None)

    try:
        loop.call_soon_threadsafe(ring)
    except RuntimeError:
        pass  # the host has closed the prompt's loop: nobody waits any more


async def _show(run: Run, face: comfyui.NodeProgress, shown: int, *, last: bool = False) -> int:
    """Text, bar and the next preview."""
    now = run.progress
    landed = [result.result for result in run.tasks if result.result]
    preview = None
    if len(landed) > shown:
        pixels = landed[shown].pixels
        preview = await comfyui.in_thread(lambda: preview_of(pixels, PREVIEW_SIDE))
        shown += 1
    price = "" if now.usd is None else f" · ${now.usd:.2f}" if now.usd else " · free"
    if last and not now.completed:
        price = ""  # nothing came: the message about it has the money
    sent, total = now.bytes_sent
    upload = f" {sent / 1e6:.1f} of {total / 1e6:.1f} MB" if total > 4_000_000 else ""
    wait = f", {math.ceil(now.retry_in)} s" if now.retry_in else ""
    # Two spaces: one of the frontend's renderers reads Markdown, and would make one line of it.
    doing = f"{now.phase}{wait}{upload}"
    text = f"{now.provider} · {now.model}  \n{now.completed} of {now.total} back · {doing} · {now.seconds:.0f} s{price}"
    await face.show(text, now.completed, now.total, preview, force=last)
    return shown


def _say_stopped(run: Run, face: comfyui.NodeProgress, node_id: str | None, why: str, *, cancel: bool = True) -> None:
    """Stops a run and tells the user what became of its pictures: on the node, in the log and in the browser."""
    summary, now = run.stop(cancel=cancel), run.progress
    face.say(f"{now.provider} · {now.model}  \n{now.completed} of {now.total} back · stopped")
    text = f"Nano Banana, {why}: {_stop_text(summary)}"
    log.warning("%s.", text)
    facts = {
        "asked": summary.total,
        "back": summary.completed,
        "on_the_way": summary.pending,
        "cancelling": summary.cancelling,
        "doubtful": summary.unresolved,
        "dropped": summary.dropped,
        "usd": summary.usd,
    }
    comfyui.tell("stopped", {**facts, "node": str(node_id or ""), "why": why, "text": text})


def _stop_text(summary: StopSummary) -> str:
    text = f"{summary.completed} of {summary.total} pictures were back"
    if summary.pending:
        usd = summary.usd
        about = f" (about ${usd:.2f})" if usd else "" if usd is None else " (free)"
        more = (
            "is still collected: queue again and it costs"
            if summary.pending == 1
            else "are still collected: queue again and they cost"
        )
        text += f"; {summary.pending} had been sent{about} and {more} nothing more"
    if summary.cancelling:
        text += f"; {summary.cancelling} of them are taken back where the provider has not begun, which costs nothing"
    if summary.unresolved:
        text += f"; {summary.unresolved} may have been charged without arriving"
    if summary.dropped:
        text += f"; {summary.dropped} {'was' if summary.dropped == 1 else 'were'} not sent and cost nothing"
    return text


def _summary(report: Report) -> NanoBananaError:
    """One error for all pictures that failed: the gravest failure, the numbers and the money."""
    errors = [result.error for result in report.failed if result.error]
    rank = {"yes": 0, "maybe": 1, "no": 2}
    errors.sort(key=lambda error: (error.kind == "stopped", rank[error.charged]))
    worst = errors[0]
    total, back = len(report.tasks), len(report.tasks) - len(report.failed)
    if total == 1 and len(report.tried) < 2:
        return worst
    maybe = sum(1 for error in errors if error.charged == "maybe")
    paid = sum(1 for error in errors if error.charged == "yes")
    money = []
    if back:
        money.append(f"{back} of {total} pictures are there and are kept: the next run does not pay for them again.")
    if paid:
        money.append(f"{paid} were charged.")
    if maybe:
        money.append(f"{maybe} may have been charged.")
    if not (paid or maybe):
        money.append("Nothing was charged." if not back else "The others cost nothing.")
    what = worst.what if total == 1 else f"{len(errors)} of {total} pictures could not be made. {worst.what}"
    others = [t for t in report.tried if t.reason and t.reason != worst.reason]
    if others:
        what += " Also tried: " + " ".join(f"{t.provider}: {t.reason}" for t in others)
    return type(worst)(
        what,
        cure=worst.cure,
        charged=worst.charged,
        status=worst.status,
        request_id=worst.request_id,
        money=" ".join(money),
    )


def _outputs(
    report: Report, requests: Sequence[Request], finished: list[Finished], with_originals: bool
) -> io.NodeOutput:
    for item in finished:
        report.notices += [notice for notice in item.notices if notice not in report.notices]
    device, dtype = comfyui.place()
    images = tensors.batches([item.image for item in finished], device, dtype)
    together = len(images) == 1
    masks = tensors.batches([item.mask for item in finished], device, torch.float32)
    facts = json.dumps(_facts(report, requests, finished), ensure_ascii=False)
    texts = [item.result.text for item in finished]
    if together:
        texts = ["\n".join(dict.fromkeys(text for text in texts if text))]
    values: list[Any] = [images, masks, texts, [facts] * len(images)]
    if with_originals:
        originals = [item.original for item in finished if item.original is not None]
        values.append([torch.stack(originals)] if together else [frame.unsqueeze(0) for frame in originals])
    return io.NodeOutput(*values, ui={"nano_banana": [facts]})


def _blocked(report: Report, requests: Sequence[Request], with_originals: bool) -> io.NodeOutput:
    """Nothing flows on from the pictures; text and info say why."""
    worst = _summary(report)
    report.notices.append(worst.message)
    facts = json.dumps(_facts(report, requests, []), ensure_ascii=False)
    log.warning("%s", worst.message)
    halt = ExecutionBlocker(None)
    values: list[Any] = [[halt], [halt], [""], [facts]]
    if with_originals:
        values.append([halt])
    return io.NodeOutput(*values, ui={"nano_banana": [facts]})


def _failed(report: Report) -> list[dict[str, Any]]:
    """What failed, for `info` and the browser: "id" where the results panel has a row for it, "answer" where the provider's
    answer is kept and can be read again."""
    return [
        {
            "slot": result.slot.index,
            "frame": result.slot.frame,
            "reason": result.error.reason if result.error else "",
            "charged": result.error.charged if result.error else "no",
            **({"id": result.uid} if result.uid else {}),
            **({"answer": result.answer} if result.answer else {}),
        }
        for result in report.failed
    ]


def _facts(report: Report, requests: Sequence[Request], finished: list[Finished]) -> dict[str, Any]:
    """The `info` output."""
    return {
        "provider": report.provider,
        "model": report.model,
        "operation": requests[0].operation,
        "images": [
            {
                "slot": item.result.slot.index,
                "frame": item.result.slot.frame,
                "seed": item.result.slot.seed,
                "width": int(item.image.shape[1]),
                "height": int(item.image.shape[0]),
                "format": item.result.result.format if item.result.result else "",
                "from": item.source,
            }
            for item in finished
        ],
        "failed": _failed(report),
        "resolution_effective": report.resolution or None,
        "cost_usd": None if report.usd is None else round(report.usd, 6),
        "cost_source": report.usd_source,
        "requests": report.requests,
        "tried": [tried.facts() for tried in report.tried],
        "notices": report.notices,
    }
