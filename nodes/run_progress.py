"""Shows on a node how far its run is, and tells the user what a stopped run leaves."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from PIL import Image

from .. import comfyui
from ..core.errors.amounts import usd_digits
from ..core.errors.messages import catalogue, messages_in, msg
from ..core.execution.outcome import ResultImage
from ..core.execution.report import Progress, StopSummary, combined_progress, combined_summary
from ..core.execution.run import Run
from ..core.images.picture import TooLarge, UnreadablePicture, decode, preview_of

log = logging.getLogger("nano_banana")

PREVIEW_SIDE = 512
"""Longest side of a preview in pixels."""
DRAFT_SIDE = 192
"""That of a draft: what is small isn't taken for the result."""


class RunProgress:
    """Text, a bar and previews of the runs of one node: more than one where the elements of a list ask several providers."""

    def __init__(self, runs: Sequence[Run], node_id: str | None) -> None:
        self._runs, self._node_id = runs, node_id
        self._display = comfyui.NodeProgress(node_id)
        self._shown: set[int] = set()
        """The pictures whose previews were shown, by their number among all of the runs."""
        self._drafts: set[str] = set()
        """Names of the drafts that were shown."""
        self._draft_size: tuple[int, int] | None = None
        """Height and width of the draft that is shown now."""

    async def update(self) -> None:
        """Shows the state and the next preview."""
        await self._show()

    async def finish(self) -> None:
        """Shows the previews that are left, and the state at the end."""
        while len(self._shown) < len(self._results()):
            await self._show()
        await self._show(last=True)

    async def _show(self, *, last: bool = False) -> None:
        now = combined_progress([run.progress for run in self._runs])
        preview, is_draft = await self._next_preview()
        sizes = {each.pixels.shape[:2] for each in self._results().values()}
        if not sizes and self._draft_size:
            sizes = {self._draft_size}
        # A run that brought nothing shows no price: the message about it has the money.
        state = _state_text(now, with_price=not last or bool(now.completed))
        who = f"{now.provider} · {now.model}"
        facts = {
            "node": str(self._node_id or ""),
            "who": who,
            "text": state,
            "messages": messages_in(state),
            "sizes": [{"width": width, "height": height} for height, width in sizes],
        }
        # Two spaces before the line break: one of the frontend's renderers reads Markdown, and would join the lines.
        text = f"{who}  \n{state}"
        # A draft stays small, so that nobody takes it for the result.
        await self._display.show(text, now.completed, now.total, preview, facts=facts, keep_size=is_draft, force=last)

    async def _next_preview(self) -> tuple[Image.Image | None, bool]:
        """A result that was not shown yet, else a draft of a picture that is still awaited; and whether it is a draft.

        There are no drafts any more once a result is here: a draft would cover it.
        """
        results = self._results()
        if new := next((number for number in results if number not in self._shown), None):
            self._shown.add(new)
            return await comfyui.in_thread(lambda: preview_of(results[new].pixels, PREVIEW_SIDE)), False
        drafts = {name: data for run in self._runs for name, data in run.drafts.items()}
        name = next((name for name in drafts if name not in self._drafts), None)
        if name is None or results:
            return None, False
        self._drafts.add(name)
        preview, size = await comfyui.in_thread(lambda: _draft_preview(drafts[name]))
        if preview is None or self._results():
            return None, False
        self._draft_size = size
        return preview, True

    def _results(self) -> dict[int, ResultImage]:
        """The pictures that are here, by their number among all of the runs, from 1."""
        tasks = (task for run in self._runs for task in run.tasks)
        return {number: task.result for number, task in enumerate(tasks, 1) if task.result}

    def stop(self, why: str, *, cancel: bool = True) -> None:
        """Stops the runs and says what became of their pictures: on the node, in the log and in the browser.

        `cancel`: providers are asked to cancel what they have not begun.
        """
        summary = combined_summary([run.stop(cancel=cancel) for run in self._runs])
        now = combined_progress([run.progress for run in self._runs])
        self._display.set_text(
            msg(
                "run_progress.stopped_status",
                provider=now.provider,
                model=now.model,
                completed=now.completed,
                total=now.total,
            )
        )
        text = msg("run_progress.stopped", why=why, what=_stop_text(summary))
        log.warning("%s.", text)
        facts = {
            "node": str(self._node_id or ""),
            "why": why,
            "text": text,
            "asked": summary.total,
            "back": summary.completed,
            "on_the_way": summary.pending,
            "cancelling": summary.cancelling,
            "doubtful": summary.unresolved,
            "dropped": summary.dropped,
            "usd": summary.usd,
            "messages": messages_in(text),
        }
        comfyui.send_event("stopped", facts)


def _draft_preview(data: bytes) -> tuple[Image.Image | None, tuple[int, int]]:
    """A draft, smaller than a result, None where it is no picture; and the height and width of the draft itself."""
    try:
        pixels = decode(data)
    except (UnreadablePicture, TooLarge):
        return None, (0, 0)
    return preview_of(pixels, DRAFT_SIDE), (pixels.shape[0], pixels.shape[1])


def _state_text(now: Progress, *, with_price: bool) -> str:
    """How many pictures are back, what is waited for, for how long, and what it costs."""
    price = ""
    if now.usd is not None and with_price:
        price = f" · ${usd_digits(now.usd)}" if now.usd else msg("run_progress.at_no_cost")
    sent, total = now.bytes_sent
    upload = ""
    if total > 4_000_000:
        upload = msg("run_progress.uploaded", sent=f"{sent / 1e6:.1f}", total=f"{total / 1e6:.1f}")
    return msg(
        "run_progress.state",
        completed=now.completed,
        total=now.total,
        phase=_phase_text(now.phase),
        wait=msg("run_progress.wait", seconds=math.ceil(now.retry_in)) if now.retry_in else "",
        upload=upload,
        seconds=f"{now.seconds:.0f}",
        price=price,
    )


def _phase_text(phase: str) -> str:
    """A phase as a message; a provider's own word as it is."""
    name = phase.replace(" ", "_")
    return msg(f"run_progress.phase.{name}") if f"run_progress.phase.{name}" in catalogue("en") else phase


def _stop_text(summary: StopSummary) -> str:
    text = msg("run_progress.pictures_back", completed=summary.completed, total=summary.total)
    if summary.pending:
        usd = summary.usd
        about = (
            msg("run_progress.about_price", usd=usd_digits(usd))
            if usd
            else ""
            if usd is None
            else msg("run_progress.free")
        )
        more = (
            msg("run_progress.one_still_collected")
            if summary.pending == 1
            else msg("run_progress.many_still_collected")
        )
        text += msg("run_progress.sent_before_stop", pending=summary.pending, about=about, more=more)
    if summary.cancelling:
        text += msg("run_progress.being_cancelled_free", cancelling=summary.cancelling)
    if summary.unresolved:
        text += msg("run_progress.charged_without_arriving", unresolved=summary.unresolved)
    if summary.dropped:
        text += (
            msg("run_progress.one_not_sent")
            if summary.dropped == 1
            else msg("run_progress.many_not_sent", dropped=summary.dropped)
        )
    return text
