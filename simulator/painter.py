"""Draws a subject on a transparent square, in coordinates from 0 to 1 with the feet at the bottom, and shades it.

Used by `subjects.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Rgb = tuple[int, int, int]
Point = tuple[float, float]
SCALE = 2
"""Drawn this many times as large and reduced, so that edges are smooth."""


class Painter:
    """A transparent square of `size` pixels."""

    def __init__(self, size: int) -> None:
        self.size = max(16, size)
        self._wide = self.size * SCALE
        self._image = Image.new("RGBA", (self._wide, self._wide), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Point], colour: Rgb) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * self._wide, y * self._wide) for x, y in points], fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Rgb, round_by: float = 0.0) -> None:
        """A rectangle with round corners."""
        self._draw.rounded_rectangle(self._scaled(left, top, right, bottom), round_by * self._wide, fill=colour)

    def oval(self, x: float, y: float, across: float, down: float, colour: Rgb) -> None:
        """An ellipse about a centre, by its two radii."""
        self._draw.ellipse(self._scaled(x - across, y - down, x + across, y + down), fill=colour)

    def line(self, points: Sequence[Point], thick: float, colour: Rgb) -> None:
        """A line with round ends and joints."""
        scaled = [(x * self._wide, y * self._wide) for x, y in points]
        wide = max(1, round(thick * self._wide))
        self._draw.line(scaled, fill=colour, width=wide, joint="curve")
        for x, y in (scaled[0], scaled[-1]):
            self._draw.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=colour)

    def _scaled(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * self._wide, top * self._wide, right * self._wide, bottom * self._wide

    def curve(self, start: Point, bend: Point, end: Point) -> list[Point]:
        """The points of a quadratic curve."""
        steps = [number / 16 for number in range(17)]
        return [
            (
                (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * bend[0] + t * t * end[0],
                (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * bend[1] + t * t * end[1],
            )
            for t in steps
        ]

    def finished(self, depth: float = 0.4) -> Image.Image:
        """The picture, lit from the upper left. `depth`: how strong the light models it."""
        small = self._image.reduce(SCALE)
        alpha = small.getchannel("A")
        # A blurred outline taken as a height: its slope against the light is what makes the shape look round.
        soft = np.asarray(alpha.filter(ImageFilter.GaussianBlur(self.size * 0.035)), np.float32) / 255
        down, across = np.gradient(soft)
        relief = (across + down) * self.size * 0.16
        rows, columns = np.mgrid[0 : self.size, 0 : self.size].astype(np.float32) / self.size
        light = 1.1 + depth * (np.clip(relief, -0.9, 0.7) - 0.25 * (columns + rows - 1))
        pixels = np.asarray(small.convert("RGB"), np.float32)
        shaded = np.clip(pixels * np.clip(light, 0.35, 1.45)[..., None], 0, 255).astype(np.uint8)
        result = Image.fromarray(shaded)
        result.putalpha(alpha)
        return result


def shade(colour: Rgb, by: float) -> Rgb:
    """Darker below 1, lighter above."""
    red, green, blue = (min(255, max(0, round(part * by))) for part in colour)
    return red, green, blue


def around(x: float, y: float, radius: float, count: int, turn: float = 0.0) -> list[Point]:
    """Points on a circle."""
    return [
        (x + radius * math.cos(turn + math.tau * k / count), y + radius * math.sin(turn + math.tau * k / count))
        for k in range(count)
    ]
