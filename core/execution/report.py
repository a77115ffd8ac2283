"""What a run tells its node: the pictures, what they cost, which providers were asked, and every notice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors.messages import msg, picture_count
from .attempt import Attempt, Tried
from .image_task import ImageTask


@dataclass
class Cost:
    """What calls have cost in US dollars."""

    usd: float | None = 0.0
    """None when a price isn't known."""
    source: str = "price list"

    def add(self, stated: float | None, price: float | None, pictures: int) -> None:
        """Adds a call: the sum that the provider has stated, else `pictures` times the list price."""
        if stated is not None:
            usd, self.source = stated, "provider"
        elif pictures and price is not None:
            usd = price * pictures
        elif pictures:
            self.usd, self.source = None, "unknown"
            return
        else:
            return
        if self.usd is None:
            self.source = "unknown"
        else:
            self.usd += usd


@dataclass
class FrameReport:
    """What belongs to one frame of a run alone."""

    cost: Cost = field(default_factory=Cost)
    requests: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Report:
    """Everything a node needs to know about a finished run."""

    tasks: list[ImageTask]
    """One per slot, in frame and slot order."""
    cost: Cost = field(default_factory=Cost)
    """What this run spent."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    frames: defaultdict[int, FrameReport] = field(default_factory=lambda: defaultdict(FrameReport))
    _notice_frames: dict[str, set[int]] = field(default_factory=dict)
    """Notice -> the frames that it is about; one that is missing here is about the whole run."""

    @property
    def usd(self) -> float | None:
        """What this run spent; None when a price isn't known."""
        return self.cost.usd

    @property
    def usd_source(self) -> str:
        return self.cost.source

    @property
    def tried(self) -> list[Tried]:
        """What each provider made, in the order in which they were asked."""
        return [attempt.tried() for attempt in self.attempts if attempt.listed]

    @property
    def provider(self) -> str:
        """The last that made a picture, else the first that was asked; "" where nobody was."""
        return self._credited.provider

    @property
    def model(self) -> str:
        return self._credited.model

    @property
    def model_id(self) -> str:
        """As sent."""
        return self._credited.model_id

    @property
    def resolution(self) -> str:
        """What comes, "" when the provider doesn't say."""
        return next((picture.resolution for picture in self._credited.pictures), "")

    @property
    def _credited(self) -> Attempt:
        made = [attempt for attempt in self.attempts if attempt.made]
        return made[-1] if made else self.attempts[0] if self.attempts else Attempt("", "", "", ())

    @property
    def completed(self) -> list[ImageTask]:
        return [task for task in self.tasks if task.result]

    @property
    def failed(self) -> list[ImageTask]:
        return [task for task in self.tasks if task.result is None and not task.order]

    @property
    def ordered(self) -> list[ImageTask]:
        """Those that are collected later."""
        return [task for task in self.tasks if task.order]

    def add_notices(self, notices: Iterable[str], frame: int | None = None) -> None:
        """Adds those that are not in the report yet. `frame`: the only one that they are about; None = the whole run."""
        for notice in notices:
            if notice not in self.notices:
                self.notices.append(notice)
                if frame is not None:
                    self._notice_frames[notice] = {frame}
            elif frame is None:
                self._notice_frames.pop(notice, None)
            elif notice in self._notice_frames:
                self._notice_frames[notice].add(frame)

    def add_request(self, request_id: str, seconds: float, attempts: int, frame: int = 0) -> None:
        request = {"id": request_id, "seconds": round(seconds, 2), "attempts": attempts}
        self.requests.append(request)
        self.frames[frame].requests.append(request)

    def add_cost(self, stated: float | None, price: float | None, pictures: int, frame: int = 0) -> None:
        """Adds what a call for `frame` cost, see `Cost.add`."""
        self.cost.add(stated, price, pictures)
        self.frames[frame].cost.add(stated, price, pictures)

    def part(self, frames: Sequence[int]) -> Report:
        """The report on some of the frames: what is theirs, and what is about the whole run."""
        tasks = [task for task in self.tasks if task.slot.frame in frames]
        if len(tasks) == len(self.tasks):
            return self
        mine = [self.frames[frame] for frame in frames]
        attempts = [attempt.part(frames) for attempt in self.attempts]
        return Report(
            tasks,
            _sum([each.cost for each in mine]),
            [request for each in mine for request in each.requests],
            [attempt for attempt in attempts if attempt.pictures],
            [text for text in self.notices if self._notice_frames.get(text, set(frames)).intersection(frames)],
        )

    def close(self) -> None:
        """Completes the report at the end of the run."""
        if not self.requests and not any(task.source == "provider" for task in self.completed):
            self.cost = Cost(0.0, self.cost.source)
        unknown = [
            t
            for t in self.failed
            if t.error and t.error.charged == "maybe" and t.error.kind not in ("doubt", "impossible")
        ]
        if unknown:
            self.notices.append(msg("report.charged_without_arriving", which=picture_count(len(unknown))))


def sum_usd(amounts: Iterable[float | None]) -> float | None:
    """The sum; None when one of the amounts isn't known."""
    total = 0.0
    for usd in amounts:
        if usd is None:
            return None
        total += usd
    return total


def _sum(costs: Sequence[Cost]) -> Cost:
    usd = sum_usd([cost.usd for cost in costs])
    sources = {cost.source for cost in costs if cost.usd != 0}
    return Cost(usd, next((each for each in ("unknown", "provider") if each in sources), "price list"))


@dataclass(frozen=True)
class Progress:
    """How far a run is, for the progress shown on the node."""

    total: int
    completed: int
    provider: str
    model: str
    phase: str
    seconds: float
    bytes_sent: tuple[int, int]
    """Of the requests that are uploaded now: bytes sent, and bytes in all."""
    usd: float | None
    """By the price list; once the run is done, what was spent."""
    retry_in: float = 0.0
    """Seconds until the next try, where calls wait because the provider has refused them."""


@dataclass(frozen=True)
class StopSummary:
    """How many pictures of a stopped run are in which state."""

    total: int
    completed: int
    pending: int
    """Sent and not answered yet: they are still collected."""
    cancelling: int
    """Of the pending, those that the provider is asked to cancel."""
    unresolved: int
    """May have been charged, and are neither completed nor pending."""
    dropped: int
    """Not sent."""
    usd: float | None
    """List price of the pending calls in US dollars; None when a price isn't known."""


def combined_progress(parts: Sequence[Progress]) -> Progress:
    """The progress of several runs of one node; the provider and the phase are those of the first that goes on."""
    if len(parts) == 1:
        return parts[0]
    shown = next((each for each in parts if each.phase != "done"), parts[0])
    return replace(
        shown,
        total=sum(each.total for each in parts),
        completed=sum(each.completed for each in parts),
        seconds=max(each.seconds for each in parts),
        bytes_sent=(sum(each.bytes_sent[0] for each in parts), sum(each.bytes_sent[1] for each in parts)),
        usd=sum_usd([each.usd for each in parts]),
    )


def combined_summary(parts: Sequence[StopSummary]) -> StopSummary:
    """The summary of several stopped runs of one node."""
    return StopSummary(
        total=sum(each.total for each in parts),
        completed=sum(each.completed for each in parts),
        pending=sum(each.pending for each in parts),
        cancelling=sum(each.cancelling for each in parts),
        unresolved=sum(each.unresolved for each in parts),
        dropped=sum(each.dropped for each in parts),
        usd=sum_usd([each.usd for each in parts]),
    )
