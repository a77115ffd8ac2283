"""A simulated picture: a landscape that says SIMULATION and what it was made from.

The card says everything a person comparing runs wants to see: provider, model, ratio, resolution, pixels, seed, which
picture of how many, the prompt, and the references in their order, numbered. Deterministic: the same card gives the
same bytes. Used by `generation.py`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from .landscape import Palette, hsl, landscape, palette
from .text_layout import Block, draw_block, draw_tracked, drawable, fit, font, pack, text_width, tracked_width

TITLE = "SIMULATION"
TRACKING = 0.14
Box = tuple[int, int, int, int]
"""Left, top, width, height."""


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
    """Selects the landscape; the seed where there is one."""
    slot: int
    count: int
    prompt: str
    footnote: str = ""
    """Drawn small, under the prompt."""
    thumbnails: list[Image.Image] = field(default_factory=list)
    mode: str = "RGB"
    """`RGB`, `RGBA` (with real transparency) or `L`."""

    def facts(self) -> list[str]:
        """The short pieces of the bottom line."""
        tier = [self.resolution] if self.resolution else []
        seed = "no seed" if self.seed is None else f"seed {self.seed}"
        size = f"{self.width} x {self.height}"
        return [self.provider, self.model, self.ratio, *tier, size, seed, f"picture {self.slot + 1} of {self.count}"]


def draw_card(card: Card) -> Image.Image:
    """The picture at its full size."""
    width, height = card.width, card.height
    variety = (card.variety * 31 + card.slot) % 2**32
    colours = palette(variety)
    margin = max(8, round(min(width, height) * 0.06))
    strip, pole = width > height * 2.6, height > width * 2.6
    small = max(10, round(min(width * (0.055 if pole else 0.034), height * (0.07 if strip else 0.034))))
    lines = pack(card.facts(), width - 2 * margin, small)
    while len(lines) > 8 and small > 8:
        small -= 1
        lines = pack(card.facts(), width - 2 * margin, small)
    facts = Block(small, lines)
    ground = facts.height + round(small * 1.5)
    image = landscape(width, height, variety, colours, ground)
    draw = ImageDraw.Draw(image)
    draw_block(draw, (margin, height - facts.height - round(small * 0.6)), facts, "#ffffff")
    body = (margin, margin, width - 2 * margin, height - ground - margin - round(small * 0.6))
    if strip:
        _draw_strip(image, draw, card, body, colours, small)
    else:
        _draw_page(image, draw, card, body, colours, small)
    return _in_mode(image, card.mode)


def _draw_page(
    image: Image.Image, draw: ImageDraw.ImageDraw, card: Card, body: Box, colours: Palette, small: int
) -> None:
    """Title, prompt and references below each other."""
    left, top, width, height = body
    share = 0.62 if card.width > card.height * 1.2 else 0.86
    size = _title_size(round(width * share), round(height * 0.16))
    _draw_title(draw, (left, top), size, colours)
    below = top + round(size * 1.42)
    room = top + height - below
    shown = room
    if card.thumbnails:
        shelf = round(room * (0.52 if len(card.thumbnails) < 6 else 0.6))
        _draw_references(image, card.thumbnails, (left, top + height - shelf, width, shelf), small)
        shown = room - shelf - small
    else:
        # Words across the hills would be hard to read: keep the prompt in the sky.
        shown = round(room * 0.66)
    share = 0.9 if card.height > card.width * 2.6 else 0.5
    _draw_prompt(draw, card, (left, below, width, shown), colours, small, round(size * share))


def _draw_strip(
    image: Image.Image, draw: ImageDraw.ImageDraw, card: Card, body: Box, colours: Palette, small: int
) -> None:
    """Title and prompt on the left, references on the right."""
    left, top, width, height = body
    side = round(width * (0.5 if card.thumbnails else 0.0))
    text_width = width - side - (2 * small if side else 0)
    size = _title_size(round(text_width * 0.9), round(height * 0.36))
    _draw_title(draw, (left, top - round(size * 0.1)), size, colours)
    below = top + round(size * 1.3)
    _draw_prompt(draw, card, (left, below, text_width, top + height - below), colours, small, round(size * 0.62))
    if side:
        _draw_references(image, card.thumbnails, (left + width - side, top, side, height), small)


def _title_size(width: int, height: int) -> int:
    size = max(8, height)
    while size > 8 and tracked_width(TITLE, size, TRACKING) > width:
        size = max(8, min(size - 1, int(size * width / tracked_width(TITLE, size, TRACKING))))
    return size


def _draw_title(draw: ImageDraw.ImageDraw, spot: tuple[int, int], size: int, colours: Palette) -> None:
    ink = _hex(colours.ink)
    draw_tracked(draw, spot, TITLE, size, TRACKING, ink, max(0, round(size / 34)))


def _draw_prompt(draw: ImageDraw.ImageDraw, card: Card, box: Box, colours: Palette, small: int, largest: int) -> None:
    """The prompt as large as it fits, and under it, small, the footnote."""
    left, top, width, height = box
    note = drawable(card.footnote)
    if note:
        height -= round(small * 1.6)
    block = fit(drawable(card.prompt) or " ", width, max(1, height), max(small, largest), max(9, small - 2))
    draw_block(draw, (left, top), block, _hex(colours.ink))
    if note:
        line = fit(note, width, round(small * 1.3), max(8, round(small * 0.8)), 7)
        draw_block(draw, (left, top + block.height + round(small * 0.4)), line, _hex(colours.hills[2]))


def _draw_references(image: Image.Image, pictures: list[Image.Image], box: Box, small: int) -> None:
    """The references as framed prints in reading order, numbered from 1, as large as the box lets them be."""
    left, top, width, height = box
    gap = max(3, round(small * 0.6))
    rows, tall = _grid(pictures, width, height, gap)
    down = top + height - len(rows) * tall - (len(rows) - 1) * gap
    number = 1
    for row in rows:
        across = left
        for picture in row:
            wide = _print_width(picture, tall)
            image.paste(_print(picture, wide, tall, number, small), (across, down))
            across += wide + gap
            number += 1
        down += tall + gap


def _print_width(picture: Image.Image, tall: int) -> int:
    """Extreme shapes are cropped to between 1:2 and 2:1."""
    shape = min(2.0, max(0.5, picture.width / picture.height))
    return max(8, round(tall * shape))


def _grid(pictures: list[Image.Image], width: int, height: int, gap: int) -> tuple[list[list[Image.Image]], int]:
    """The rows, and the height of each, that make the prints largest."""
    best: tuple[list[list[Image.Image]], int] = ([pictures], 8)
    for count in range(1, min(len(pictures), 7) + 1):
        per_row = -(-len(pictures) // count)
        rows = [pictures[start : start + per_row] for start in range(0, len(pictures), per_row)]
        tall = (height - gap * (len(rows) - 1)) // len(rows)
        for row in rows:
            natural = sum(_print_width(picture, 1000) for picture in row)
            tall = min(tall, int((width - gap * (len(row) - 1)) * 1000 / max(1, natural)))
        if tall > best[1]:
            best = (rows, tall)
    return best


def _print(picture: Image.Image, wide: int, tall: int, number: int, small: int) -> Image.Image:
    """One framed print with its number in the corner."""
    edge = max(2, round(min(wide, tall) * 0.03))
    inner = (max(1, wide - 2 * edge), max(1, tall - 2 * edge))
    scale = max(inner[0] / picture.width, inner[1] / picture.height)
    crop_wide, crop_tall = inner[0] / scale, inner[1] / scale
    # Rounding may put a corner a hair outside, which Pillow refuses.
    left, top = max(0.0, (picture.width - crop_wide) / 2), max(0.0, (picture.height - crop_tall) / 2)
    region = (left, top, min(left + crop_wide, picture.width), min(top + crop_tall, picture.height))
    photo = picture.resize(inner, Image.Resampling.BILINEAR, box=region)
    framed = Image.new("RGB", (wide, tall), "#ffffff")
    if photo.mode == "RGBA":
        # White shows through transparent references, as on paper.
        framed.paste(photo, (edge, edge), photo)
    else:
        framed.paste(photo, (edge, edge))
    size = max(9, min(small, round(min(wide, tall) * 0.3)))
    label = str(number)
    badge_wide = text_width(label, size) + round(size * 0.8)
    draw = ImageDraw.Draw(framed)
    spot = (edge, tall - edge - round(size * 1.35), edge + badge_wide, tall - edge)
    draw.rectangle(spot, fill="#ffffff")
    draw.text((spot[0] + round(size * 0.4), spot[1] + size * 0.05), label, fill=_hex(hsl(0, 0, 13)), font=font(size))
    return framed


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
        if image.mode == "RGBA":
            flat = Image.new("RGB", image.size, "#ffffff")
            flat.paste(image, (0, 0), image)
            image = flat
        image.save(out, "JPEG", quality=93, subsampling=0)
    elif form == "webp":
        image.save(out, "WEBP", lossless=True, quality=0, method=0)
    else:
        image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
