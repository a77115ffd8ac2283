"""The caption under a simulated picture: SIMULATION, what was asked, and the references, numbered.

Its height follows from the picture's size alone, so that the caption of an edit covers that of the picture it was made from.
Used by `drawing.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from .text_layout import LINE, draw_block, drawable, fit, font, text_width

TITLE = "SIMULATION"
PAPER = (24, 26, 32)
TITLE_INK = "#ffd75e"
INK = "#ffffff"
PROMPT_INK = "#b9c0cc"
CHARACTERS = 46
"""Half the length of what is said about a picture: a letter is about half as wide as it is high."""


def letters(width: int, height: int) -> int:
    """The size of the caption's letters, px."""
    return max(8, round(min(width * 0.019, height * 0.042, (width * height) ** 0.5 * 0.019)))


def caption_height(width: int, height: int) -> int:
    """The height of the caption of a picture, px."""
    size = letters(width, height)
    return min(height // 2, round(_rows(width, size) * size * LINE + size * 0.9))


def _rows(width: int, size: int) -> int:
    return 1 + min(8, math.ceil(CHARACTERS * size / (width * 0.95)))


def draw_caption(image: Image.Image, facts: Sequence[str], prompt: str, pictures: Sequence[Image.Image]) -> None:
    """Draws the caption over the lowest part of a picture."""
    width, height = image.size
    size, tall = letters(width, height), caption_height(width, height)
    top = height - tall
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, top, width, height), fill=PAPER)
    margin = round(size * 0.8)
    room = width - 2 * margin
    if pictures:
        room -= _draw_pictures(image, pictures, tall, size) + margin
    left, down = margin, top + round(size * 0.35)
    rows = _rows(width, size) - 1
    title = fit(TITLE, room, round(size * LINE), size, 6)
    draw_block(draw, (left, down), title, TITLE_INK)
    beside = text_width(TITLE + "  ", title.size)
    line = "  ·  ".join(facts)
    if rows == 1:
        draw_block(draw, (left + beside, down), fit(line, max(8, room - beside), round(size * LINE), size, 6), INK)
    else:
        block = fit(line, room, round((rows - 1) * size * LINE), size, 6)
        draw_block(draw, (left, down + round(size * LINE)), block, INK)
    words = fit(drawable(prompt) or " ", max(8, room), round(size * LINE), size, max(6, round(size * 0.85)))
    draw_block(draw, (left, down + round(rows * size * LINE)), words, PROMPT_INK)


def _draw_pictures(image: Image.Image, pictures: Sequence[Image.Image], tall: int, size: int) -> int:
    """The references in their order, numbered from 1, at the right; the width they take."""
    gap = max(2, size // 5)
    rows = next((count for count in (1, 2, 3) if -(-len(pictures) // count) * tall / count <= image.width * 0.45), 3)
    across = -(-len(pictures) // rows)
    side = max(6, min((tall - gap) // rows - gap, int(image.width * 0.45) // across - gap))
    whole = across * (side + gap)
    for number, picture in enumerate(pictures):
        left = image.width - whole - gap + (number % across) * (side + gap)
        top = image.height - tall + gap + (number // across) * (side + gap)
        image.paste(_square(picture, side), (left, top))
        _draw_number(image, number + 1, left, top + side, max(7, min(size, side * 2 // 5)))
    return whole + gap


def _square(picture: Image.Image, side: int) -> Image.Image:
    """The middle of a picture."""
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    small = picture.resize((side, side), Image.Resampling.BILINEAR, box=(left, top, left + short, top + short))
    return on_white(small)


def on_white(picture: Image.Image) -> Image.Image:
    """An RGB picture: white shows through what is transparent, as on paper."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, (0, 0), picture)
    return white


def _draw_number(image: Image.Image, number: int, left: int, bottom: int, size: int) -> None:
    label = str(number)
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, bottom - round(size * 1.25), left + text_width(label, size) + size // 2, bottom), fill=PAPER)
    draw.text((left + size // 4, bottom - round(size * 1.22)), label, fill=INK, font=font(size))


def without_caption(picture: Image.Image) -> Image.Image:
    """A picture without the caption that a simulation before gave it; as it is where there is none."""
    tall = caption_height(*picture.size)
    if picture.height - tall < 8:
        return picture
    spots = [(2, picture.height - tall + max(2, tall // 8)), (2, picture.height - 3), (1, picture.height - tall // 2)]
    corner = [picture.convert("RGB").getpixel(spot) for spot in spots]
    if all(max(abs(a - b) for a, b in zip(colour, PAPER, strict=True)) <= 6 for colour in corner):  # type: ignore[arg-type]
        return picture.crop((0, 0, picture.width, picture.height - tall - 1))
    return picture
