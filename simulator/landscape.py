"""The background of a simulated picture: sky, sun and hills in the hues of one number.

The same number and size always give the same pixels. Flat areas and straight gradients only, so that even the largest
picture is drawn and compressed quickly. Used by `drawing.py`.
"""

from __future__ import annotations

import colorsys
import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]


def hsl(hue: float, saturation: float, lightness: float) -> Rgb:
    """Hue in degrees, the others in per cent."""
    red, green, blue = colorsys.hls_to_rgb(hue / 360 % 1, lightness / 100, saturation / 100)
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True)
class Palette:
    """The colours of one picture."""

    sky_top: Rgb
    sky_low: Rgb
    sun: Rgb
    hills: tuple[Rgb, ...]
    """From the farthest to the nearest; the nearest is dark enough for white letters."""
    ink: Rgb


def palette(variety: int) -> Palette:
    """Neighbouring numbers give hues far apart."""
    hue = (38 + variety * 137.508) % 360
    # Yellows and greens look muddy when dark: bend their hills towards teal.
    land = hue + (55 if 35 <= hue <= 95 else 0)
    return Palette(
        sky_top=hsl(hue + 12, 58, 83),
        sky_low=hsl(36 + variety % 3 * 6, 92, 93),
        sun=hsl(18 + variety % 4 * 9, 98, 76),
        hills=(hsl(land + 12, 42, 76), hsl(land + 6, 38, 62), hsl(land, 38, 45), hsl(land - 6, 44, 23)),
        ink=hsl(land - 4, 48, 17),
    )


def landscape(width: int, height: int, variety: int, colours: Palette, ground: int) -> Image.Image:
    """An RGB picture whose lowest `ground` pixels are the nearest hill."""
    scale = 2 if width * height <= 1_700_000 else 1
    wide, tall = width * scale, height * scale
    chance = random.Random(variety)
    image = _gradient(wide, tall, colours.sky_top, colours.sky_low)
    draw = ImageDraw.Draw(image)
    short = min(wide, tall)
    horizon = tall - ground * scale
    rise = min(tall * 0.24, wide * (1.0 if tall > wide * 2.6 else 0.34))
    radius = short * chance.uniform(0.12, 0.16)
    sun_x = wide * chance.uniform(0.72, 0.88)
    sun_y = max(radius * 0.4, horizon - rise * 0.62 - radius * chance.uniform(0.1, 0.5))
    for ring, strength in ((1.6, 0.12), (1.28, 0.28), (1.0, 1.0)):
        colour = _mix(colours.sky_low, colours.sun, strength)
        reach = radius * ring
        draw.ellipse((sun_x - reach, sun_y - reach, sun_x + reach, sun_y + reach), fill=colour)
    for number, colour in enumerate(colours.hills):
        level = horizon - rise * (0.62, 0.38, 0.17, 0.0)[number]
        swing = rise * (0.24, 0.2, 0.14, 0.05)[number]
        points = _ridge(wide, level, swing, short, chance)
        draw.polygon([(0, tall), *points, (wide, tall)], fill=colour)
    return image.reduce(scale) if scale > 1 else image


def _ridge(wide: int, level: float, swing: float, short: int, chance: random.Random) -> list[tuple[float, float]]:
    """A soft line of hills across the whole width."""
    length = max(short * 1.6, wide / 5)
    waves = [(chance.uniform(0.7, 1.2) * factor, chance.uniform(0, 6.28), 1 / factor) for factor in (1.0, 2.1)]
    step = max(4, wide // 400)
    points = []
    for across in range(0, wide + step, step):
        bump = sum(math.sin(across / length * 6.28 * pace + phase) * weight for pace, phase, weight in waves)
        points.append((float(across), level - swing * bump / 1.5))
    return points


def _mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _gradient(wide: int, tall: int, top: Rgb, low: Rgb) -> Image.Image:
    rows = np.linspace(np.array(top, np.float32), np.array(low, np.float32), tall)
    column = np.rint(rows).astype(np.uint8).reshape(tall, 1, 3)
    return Image.fromarray(column).resize((wide, tall), Image.Resampling.NEAREST)
