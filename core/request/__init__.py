"""What a graph asks for, in plain values: before any provider is chosen.

Options   the widgets that shape a picture
Request   one frame's worth: operation, prompt, references, options, seed, number of pictures
Region    the part of a frame that is sent in its place
Slot      one picture of a request: its index and its seed
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..images.picture import Picture
from ..providers.spec import Operation
from .conversation import Branch

Delivery = Literal["now", "batch"]
"""Whether a picture is made at once, or ordered with others and made later at a lower price."""

MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Options:
    """Widget values; the defaults mean "leave it to the provider" and are never sent."""

    aspect_ratio: str = "auto"
    resolution: str = "auto"
    web_search: bool = False
    safety_tolerance: str = "default"
    limit_generations: str = "default"
    output_format: str = "auto"
    thinking: str = "default"
    system_prompt: str = ""
    with_text: bool = False
    """Whether words are asked for beside the picture."""
    temperature: float | None = None
    """0 to 2; None is the provider's own."""
    top_p: float | None = None
    """0 to 1; None is the provider's own."""
    delivery: Delivery = "now"


@dataclass(frozen=True)
class Region:
    """The part of a frame that is sent in its place: a box in px of the frame, which may go beyond it."""

    left: int
    top: int
    width: int
    height: int
    ratio: str
    """The aspect ratio that is asked for, "" where the model has none to choose from."""
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """px beyond the frame: left, top, right, bottom."""

    @property
    def inside(self) -> tuple[int, int, int, int]:
        """The part of the box that is in the frame: left, top, width, height."""
        left, top, right, bottom = self.padding
        return self.left + left, self.top + top, self.width - left - right, self.height - top - bottom


@dataclass(frozen=True)
class Cut:
    """What one model gets of a frame."""

    references: tuple[Picture, ...]
    region: Region | None
    """None where it is the whole frame."""
    notices: tuple[str, ...] = ()


Cutter = Callable[[Sequence[str], str], Cut]
"""(aspect ratios to choose from, resolution that will come or "") -> what is sent. Called for each model that may be asked, so
pixels are touched only when a reference of the cut is read."""


@dataclass(frozen=True)
class Request:
    """One frame's worth of pictures."""

    operation: Operation
    prompt: str
    options: Options
    seed: int = 0
    num_images: int = 1
    references: tuple[Picture, ...] = field(default=(), repr=False)
    frame: int = 0
    """Which frame of the batch this is, from 0; 0 where there is only one."""
    cutter: Cutter | None = field(default=None, repr=False)
    """Cuts out the part of the frame that is sent; None where all of it is. `references` then stand for the whole frame."""
    sources: tuple[tuple[str, int], ...] = ()
    """Where each reference comes from: the name of an input, and which of its frames, from 0."""
    branch: Branch | None = None
    """The turns that it goes on from; None where it is a first request."""
    first_slot: int = 0
    """The index of its first picture among those of its frame: each may go on from another branch."""

    def slots(self) -> list[Slot]:
        indexes = range(self.first_slot, self.first_slot + self.num_images)
        return [Slot(self.frame, index, mixed_seed(self.seed, index)) for index in indexes]


@dataclass(frozen=True)
class Slot:
    """One picture of a request."""

    frame: int
    index: int
    """From 0 within its frame."""
    seed: int


def folded_seed(seed: int) -> int:
    """A linked seed of any size brought into 0..2**31-1; equal seeds stay equal."""
    return seed if 0 <= seed <= MAX_SEED else seed & MAX_SEED


def mixed_seed(seed: int, slot: int) -> int:
    """The seed of a slot: the widget's own for slot 0, a fixed mix for the others.

    Not seed + slot: the second picture of seed 1 would be the first of seed 2, paid twice.
    """
    if slot == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{slot}".encode()).digest()[:4], "big") & MAX_SEED
