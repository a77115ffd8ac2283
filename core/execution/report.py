"""What a run tells its node: the pictures, what they cost, who was asked, and everything worth a notice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import Charged, NanoBananaError
from ..request import Slot
from .outcome import ResultImage


@dataclass(eq=False)
class Result:
    """What became of one slot."""

    slot: Slot
    landed: ResultImage | None = None
    text: str = ""
    source: str = "provider"
    """"provider" or "store"."""
    error: NanoBananaError | None = None
    uid: str = ""
    """Of the journal's row that has the failure, "" where there is none."""
    answer: str = ""
    """File name of the kept answer in which no picture could be read, "" where none is kept."""

    def fail(self, error: NanoBananaError | None, uid: str = "", answer: str = "") -> None:
        """There is no picture; None: not yet."""
        self.error, self.uid, self.answer = error, uid, answer


@dataclass(frozen=True)
class Tried:
    """What came of asking one provider."""

    provider: str
    model: str
    pictures: int
    reason: str = ""
    charged: Charged = "no"

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = {"provider": self.provider, "model": self.model, "images": self.pictures}
        if self.reason:
            found |= {"reason": self.reason, "charged": self.charged}
        return found


@dataclass
class Report:
    """Everything a node needs to know about a finished run."""

    results: list[Result]
    """One per slot, in frame and slot order."""
    provider: str = ""
    model: str = ""
    wire: str = ""
    resolution: str = ""
    usd: float | None = 0.0
    """What this run spent; None when a price isn't known."""
    usd_source: str = "price list"
    requests: list[dict[str, Any]] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def landed(self) -> list[Result]:
        return [result for result in self.results if result.landed]

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.landed is None]

    def note(self, notices: Iterable[str]) -> None:
        """Adds what has not been said yet."""
        for notice in notices:
            if notice not in self.notices:
                self.notices.append(notice)

    def add_request(self, request_id: str, seconds: float, attempts: int) -> None:
        self.requests.append({"id": request_id, "seconds": round(seconds, 2), "attempts": attempts})

    def spend(self, told: float | None, price: float | None, pictures: int) -> None:
        """Adds what a call cost: what the provider has told, else what that many pictures cost by its `price` list."""
        if told is not None:
            usd, self.usd_source = told, "provider"
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

    def end(self) -> None:
        """Nothing comes any more."""
        if not self.requests and not any(result.source == "provider" for result in self.landed):
            self.usd = 0.0
        unknown = [r for r in self.failed if r.error and r.error.charged == "maybe" and r.error.kind != "doubt"]
        if unknown:
            which = "1 picture" if len(unknown) == 1 else f"{len(unknown)} pictures"
            self.notices.append(f"{which} may have been charged without arriving")


@dataclass(frozen=True)
class Progress:
    """Where a run is, for the node's face."""

    asked: int
    back: int
    provider: str
    model: str
    phase: str
    seconds: float
    uploaded: tuple[int, int]
    usd: float | None
    """By the price list; once it is done, what was spent."""
    wait: float = 0.0
    """Seconds until the next try, where calls wait because the provider has refused them."""
