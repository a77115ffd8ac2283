"""What each provider that a run has asked made of which pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Charged, NanoBananaError


@dataclass(frozen=True)
class Tried:
    """What one provider made, and why it did not make the others."""

    provider: str
    model: str
    pictures: int
    reason: str = ""
    charged: Charged = "no"

    def facts(self) -> dict[str, Any]:
        """As it is in the `info` output."""
        found: dict[str, Any] = {"provider": self.provider, "model": self.model, "images": self.pictures}
        if self.reason:
            found |= {"reason": self.reason, "charged": self.charged}
        return found


@dataclass(frozen=True)
class Attempted:
    """What became of one picture at a provider."""

    frame: int
    resolution: str
    """What comes there, "" when the provider doesn't say."""
    error: NanoBananaError | None
    """None: the provider made it, or is to make it later."""
    ordered: bool = False
    """Whether it is collected later."""


@dataclass(frozen=True)
class Attempt:
    """A provider that a run has asked, or has stored pictures of."""

    provider: str
    model: str
    model_id: str
    """As sent."""
    pictures: tuple[Attempted, ...]
    listed: bool = True
    """Whether it counts as tried."""

    @property
    def made(self) -> int:
        """How many pictures the provider made."""
        return sum(picture.error is None and not picture.ordered for picture in self.pictures)

    def tried(self) -> Tried:
        reason, charged = why_incomplete([picture.error for picture in self.pictures if picture.error])
        return Tried(self.provider, self.model, self.made, reason, charged)

    def part(self, frames: Sequence[int]) -> Attempt:
        """What became of the pictures of some frames."""
        return replace(self, pictures=tuple(picture for picture in self.pictures if picture.frame in frames))


def why_incomplete(errors: Sequence[NanoBananaError]) -> tuple[str, Charged]:
    """Why pictures are missing, and what that may have cost: of the gravest failure. ("", "no") where none is missing."""
    worst = next((error for error in errors if error.charged != "no"), errors[0] if errors else None)
    return (worst.reason, worst.charged) if worst else ("", "no")
