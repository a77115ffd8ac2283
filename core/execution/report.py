"""What a run tells its node: the pictures, what they cost, which providers were asked, and every notice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import Charged
from ..errors.messages import msg
from .image_task import ImageTask


@dataclass(frozen=True)
class Tried:
    """What one provider made, and why it did not make the others."""

    provider: str
    model: str
    pictures: int
    reason: str = ""
    charged: Charged = "no"

    def facts(self) -> dict[str, Any]:
        """As it stands in the `info` output."""
        found: dict[str, Any] = {"provider": self.provider, "model": self.model, "images": self.pictures}
        if self.reason:
            found |= {"reason": self.reason, "charged": self.charged}
        return found


@dataclass
class Report:
    """Everything a node needs to know about a finished run."""

    tasks: list[ImageTask]
    """One per slot, in frame and slot order."""
    provider: str = ""
    model: str = ""
    model_id: str = ""
    """As sent."""
    resolution: str = ""
    usd: float | None = 0.0
    """What this run spent; None when a price isn't known."""
    usd_source: str = "price list"
    requests: list[dict[str, Any]] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def completed(self) -> list[ImageTask]:
        return [task for task in self.tasks if task.result]

    @property
    def failed(self) -> list[ImageTask]:
        return [task for task in self.tasks if task.result is None]

    def add_notices(self, notices: Iterable[str]) -> None:
        """Adds those that are not in the report yet."""
        for notice in notices:
            if notice not in self.notices:
                self.notices.append(notice)

    def add_request(self, request_id: str, seconds: float, attempts: int) -> None:
        self.requests.append({"id": request_id, "seconds": round(seconds, 2), "attempts": attempts})

    def add_cost(self, stated: float | None, price: float | None, pictures: int) -> None:
        """Adds what a call cost in US dollars: the sum that the provider has stated, else `pictures` times the list price."""
        if stated is not None:
            usd, self.usd_source = stated, "provider"
        elif pictures and price is not None:
            usd = price * pictures
        elif pictures:
            self.usd, self.usd_source = None, "unknown"
            return
        else:
            return
        if self.usd is None:
            self.usd_source = "unknown"
        else:
            self.usd += usd

    def close(self) -> None:
        """Completes the report at the end of the run."""
        if not self.requests and not any(task.source == "provider" for task in self.completed):
            self.usd = 0.0
        unknown = [t for t in self.failed if t.error and t.error.charged == "maybe" and t.error.kind != "doubt"]
        if unknown:
            which = "1 picture" if len(unknown) == 1 else f"{len(unknown)} pictures"
            self.notices.append(msg("report.charged_without_arriving", which=which))


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
    """Of the pending, those that the provider is asked to drop."""
    unresolved: int
    """May have been charged, and are neither completed nor pending."""
    dropped: int
    """Not sent."""
    usd: float | None
    """List price of the pending calls in US dollars; None when a price isn't known."""
