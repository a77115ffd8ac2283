"""Previews on a running node: results as they come, and drafts of what is still awaited."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from pack.core.execution.outcome import ResultImage
from pack.core.execution.report import Progress
from pack.nodes import run_progress
from pack.nodes.run_progress import DRAFT_SIDE, PREVIEW_SIDE, RunProgress
from PIL import Image

kept: list[bool] = []
"""Whether each preview keeps its size."""
sizes: list[list[tuple[int, int]]] = []
"""The sizes that the page is told with each preview."""
said: list[str] = []
"""The texts of the node."""


@dataclass
class Task:
    result: ResultImage | None = None


@dataclass
class PlayedRun:
    """What `RunProgress` reads of a run."""

    tasks: list[Task] = field(default_factory=lambda: [Task()])
    drafts: Mapping[str, bytes] = field(default_factory=dict)
    progress: Progress = Progress(1, 0, "Google Gemini", "nano-banana-2.1", "sent", 1.0, (0, 0), None)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The previews, in the order in which the node gets them."""
    previews: list[Any] = []
    kept.clear()
    sizes.clear()
    said.clear()

    class Display:
        def __init__(self, node_id: str | None) -> None:
            pass

        async def show(
            self,
            text: str,
            done: int,
            total: int,
            preview: Any = None,
            *,
            facts: dict[str, Any],
            keep_size: bool,
            **more: Any,
        ) -> None:
            said.append(text)
            if preview is not None:
                previews.append(preview)
                kept.append(keep_size)
                sizes.append([(each["width"], each["height"]) for each in facts["sizes"]])

    monkeypatch.setattr(run_progress.comfyui, "NodeProgress", Display)
    monkeypatch.setattr(run_progress.comfyui, "interrupted", lambda: False)
    return previews


def png(side: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), "#777777").save(out, "PNG")
    return out.getvalue()


def updated(progress: RunProgress, times: int = 4) -> None:
    async def update() -> None:
        for _ in range(times):
            await progress.update()

    asyncio.run(update())


def test_each_draft_is_shown_once_and_smaller_than_a_result(shown: list[Any]) -> None:
    """The picture itself takes its place. What is no picture is passed over."""
    run = PlayedRun()
    progress = RunProgress([run], "1")  # type: ignore[list-item]
    updated(progress)
    assert shown == []
    run.drafts = {"call 0": png(1024), "call 1": b"no picture", "call 2": png(64)}
    updated(progress)
    assert [max(preview.size) for preview in shown] == [pytest.approx(DRAFT_SIDE, rel=0.2), 64]
    run.drafts, run.tasks = {}, [Task(ResultImage(np.zeros((1024, 1024, 3), np.uint8), "png", bytes))]
    updated(progress)
    assert len(shown) == 3 and max(shown[-1].size) == PREVIEW_SIDE
    assert kept == [True, True, False], "the host would enlarge a draft to the size of a result"
    assert sizes == [[(1024, 1024)], [(64, 64)], [(1024, 1024)]], "the caption names the draft's own size"


def test_a_draft_never_takes_the_place_of_a_result(shown: list[Any]) -> None:
    """Neither that of another picture, nor one that was read while the result came."""
    run = PlayedRun([Task(ResultImage(np.zeros((300, 300, 3), np.uint8), "png", bytes)), Task()], {"call 0": png(64)})
    updated(RunProgress([run], "1"))  # type: ignore[list-item]
    assert [max(preview.size) for preview in shown] == [300]


def test_a_draft_that_is_overtaken_while_it_is_read_is_not_shown(
    shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = PlayedRun(drafts={"call 0": png(64)})

    async def overtaken(work: Callable[[], Any]) -> Any:
        run.tasks = [Task(ResultImage(np.zeros((300, 300, 3), np.uint8), "png", bytes))]
        return work()

    monkeypatch.setattr(run_progress.comfyui, "in_thread", overtaken)
    updated(RunProgress([run], "1"))  # type: ignore[list-item]
    assert [max(preview.size) for preview in shown] == [300]


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize(("usd", "end"), [(0.0336, " · $0.0336"), (4.3, " · $4.30"), (0.0, " · free"), (None, " s")])
def test_the_price_is_written_as_on_the_node(usd: float | None, end: str) -> None:
    """Parts of a cent, too: the price line of the node has them."""
    run = PlayedRun(progress=Progress(1, 0, "Google Gemini", "nano-banana-2.1", "sent", 1.0, (0, 0), usd))
    updated(RunProgress([run], "1"), 1)  # type: ignore[list-item]
    assert said and all(text.endswith(end) for text in said), said
