"""A simulated picture: what its prompt names, drawn by code, over a caption that says SIMULATION.

The caption says everything a person comparing runs wants to see: provider, model, ratio, resolution, pixels, seed, which
picture of how many, the prompt, and the references in their order, numbered. Deterministic: the same card gives the
same bytes. Used by `generation.py`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from PIL import Image

from .caption import draw_caption, on_white
from .edit import edit
from .scene import scene

LARGEST = 1_250_000
"""Pixels that a picture is drawn at; larger ones are enlarged from it, so that 4K takes no minute."""


@dataclass
class Card:
    """What a picture shows."""

    width: int
    height: int
    provider: str
    model: str
    ratio: str
    resolution: str
    seed: int | None
    variety: int
    """Selects the picture; the seed where there is one."""
    slot: int
    count: int
    prompt: str
    footnote: str = ""
    """Drawn after the prompt."""
    thumbnails: list[Image.Image] = field(default_factory=list)
    drawn_pixels: int = LARGEST
    """Pixels that the picture is drawn at; a larger one is enlarged from it."""
    mode: str = "RGB"
    """`RGB`, `RGBA` (with real transparency) or `L`."""

    def facts(self) -> list[str]:
        """The short pieces of the caption."""
        tier = [self.resolution] if self.resolution else []
        model = [self.model] if self.model != self.provider else []
        seed = "no seed" if self.seed is None else f"seed {self.seed}"
        size = f"{self.width} x {self.height}"
        return [self.provider, *model, self.ratio, *tier, size, seed, f"picture {self.slot + 1} of {self.count}"]


def draw_card(card: Card) -> Image.Image:
    """The picture at its full size."""
    variety = (card.variety * 31 + card.slot) % 2**32
    scale = min(1.0, (card.drawn_pixels / (card.width * card.height)) ** 0.5)
    width, height = max(16, round(card.width * scale)), max(16, round(card.height * scale))
    if card.thumbnails:
        image = edit(width, height, card.prompt, variety, card.thumbnails)
    else:
        image = scene(width, height, card.prompt, variety)
    if image.size != (card.width, card.height):
        image = image.resize((card.width, card.height), Image.Resampling.BICUBIC)
    draw_caption(image, card.facts(), f"{card.prompt}   {card.footnote}".strip(), card.thumbnails)
    return _in_mode(image, card.mode)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The picture in the mode asked for; transparency is real: clear at the left edge, full from a third on."""
    if mode == "RGBA":
        ramp = Image.linear_gradient("L").rotate(90).point(lambda value: min(255, value * 3))
        image.putalpha(ramp.resize(image.size, Image.Resampling.BILINEAR))
        return image
    return image.convert(mode) if mode != "RGB" else image


def encode(card: Card, form: str) -> bytes:
    """The picture's bytes as `png`, `jpeg` or `webp`."""
    image = draw_card(card)
    out = io.BytesIO()
    if form == "jpeg":
        flat = on_white(image) if image.mode == "RGBA" else image
        flat.save(out, "JPEG", quality=93, subsampling=0)
    elif form == "webp":
        image.save(out, "WEBP", lossless=True, quality=0, method=0)
    else:
        image.save(out, "PNG", compress_level=1)
    return out.getvalue()
