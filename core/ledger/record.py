"""What a ledger is told and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ..errors import Charged


@dataclass(frozen=True)
class Entry:
    """A picture that is about to be asked for."""

    fingerprint: str
    provider: str
    model: str
    """Wire model id."""
    profile: str
    usd: float
    """What it counts as: the expected price, or the dearest known one."""


@dataclass(frozen=True)
class Kept:
    """A picture that was paid for."""

    data: bytes
    """The provider's own bytes."""
    text: str = ""
    """The words that came with it."""


Opened = Literal["mine", "busy", "kept"]


class Ledger(Protocol):
    """The journal of paid pictures. Methods may be called from any thread; none blocks but `wait`."""

    def look_up(self, fingerprints: Sequence[str]) -> dict[str, Kept]:
        """The pictures that are here already."""
        ...

    def open(self, entries: Sequence[Entry]) -> dict[str, Opened]:
        """Claims each picture before it is asked for: "mine", "busy" when another call is on it, "kept" when it is here.

        A fingerprint that is given twice is claimed once.
        """
        ...

    def sent(self, fingerprints: Sequence[str]) -> None:
        """The paid request is about to leave."""
        ...

    def accepted(self, fingerprints: Sequence[str], state: dict[str, Any]) -> None:
        """The provider has taken the task; `state` finds it again."""
        ...

    def stored(self, fingerprint: str, kept: Kept, usd: float | None) -> None:
        """The bytes are here."""
        ...

    def closed(self, fingerprints: Sequence[str], charged: Charged, reason: str) -> None:
        """It ended without a picture."""
        ...

    def wait(self, fingerprints: Sequence[str], seconds: float) -> bool:
        """Waits until one of them is no longer busy; False when the time is over."""
        ...
