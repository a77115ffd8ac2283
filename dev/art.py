"""`dev.py art`: draws the pack's icon and banner for the registry, docs/icon.png and docs/banner.png.

The registry takes a square icon of up to 400 pixels and a banner of 21:9. Everything is drawn here; nobody else has a right
in them. `python art.py FOLDER` runs where Pillow is.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ICON = 400
BANNER = (1260, 540)
INK, PAPER, YELLOW, SHADE, STEM, WIRE = "#1f2233", "#f7efd9", "#f6c945", "#d9a227", "#6b4f2a", "#7fb2ff"
FINE = 4
"""Drawn this many times as large and reduced, so that edges are smooth."""
COLOURS = 64
"""Colours of the files' palettes: few, so that they stay small."""


def curve(start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    """Points of a quadratic curve."""
    steps = [number / 40 for number in range(41)]
    return [
        (
            (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * bend[0] + t * t * end[0],
            (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * bend[1] + t * t * end[1],
        )
        for t in steps
    ]


class Sheet:
    """A drawing in coordinates of a unit of `unit` pixels, moved to `left`, `top` in pixels."""

    def __init__(self, draw: Any, unit: float, left: float, top: float) -> None:
        self.draw, self.unit, self.left, self.top = draw, unit * FINE, left * FINE, top * FINE

    def at(self, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """Points in pixels."""
        return [(self.left + x * self.unit, self.top + y * self.unit) for x, y in points]

    def polygon(self, points: list[tuple[float, float]], colour: str) -> None:
        """A filled polygon."""
        self.draw.polygon(self.at(points), fill=colour)

    def circle(self, x: float, y: float, radius: float, colour: str) -> None:
        """A circle."""
        self.draw.ellipse(
            [*self.at([(x - radius, y - radius)])[0], *self.at([(x + radius, y + radius)])[0]], fill=colour
        )

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, by: float = 0.0) -> None:
        """A rectangle with corners rounded by `by`."""
        corners = [*self.at([(left, top)])[0], *self.at([(right, bottom)])[0]]
        self.draw.rounded_rectangle(corners, by * self.unit, fill=colour)

    def line(self, points: list[tuple[float, float]], thick: float, colour: str) -> None:
        """A line with round ends."""
        self.draw.line(self.at(points), fill=colour, width=round(thick * self.unit), joint="curve")
        for x, y in (points[0], points[-1]):
            self.circle(x, y, thick / 2, colour)


def banana_with_keyhole(sheet: Sheet) -> None:
    """A banana with a keyhole, in a unit square."""
    inner = curve((0.27, 0.14), (0.36, 0.58), (0.88, 0.6))
    outer = curve((0.94, 0.7), (0.2, 1.22), (0.1, 0.2))
    sheet.polygon([*inner, *outer], YELLOW)
    sheet.polygon([*curve((0.14, 0.18), (0.24, 1.06), (0.92, 0.66)), *outer], SHADE)
    sheet.polygon([(0.1, 0.2), (0.27, 0.14), (0.23, 0.03), (0.14, 0.05)], STEM)
    sheet.polygon([(0.88, 0.6), (0.94, 0.7), (0.97, 0.66), (0.93, 0.59)], STEM)
    sheet.circle(0.38, 0.58, 0.07, INK)
    sheet.polygon([(0.36, 0.6), (0.4, 0.6), (0.445, 0.76), (0.335, 0.76)], INK)


def icon(image_module: Any, draw_module: Any) -> Any:
    """The icon: transparent outside of its rounded square."""
    picture = image_module.new("RGBA", (ICON * FINE, ICON * FINE), (0, 0, 0, 0))
    draw = draw_module.Draw(picture)
    draw.rounded_rectangle([0, 0, ICON * FINE - 1, ICON * FINE - 1], 84 * FINE, fill=INK)
    banana_with_keyhole(Sheet(draw, 300, 42, 44))
    return picture.reduce(FINE)


def banner(image_module: Any, draw_module: Any) -> Any:
    """The banner: the icon's banana in a node, wires to two pictures."""
    picture = image_module.new("RGB", (BANNER[0] * FINE, BANNER[1] * FINE), INK)
    draw = draw_module.Draw(picture)
    sheet = Sheet(draw, 1, 0, 0)
    for x in range(30, BANNER[0], 60):
        for y in range(30, BANNER[1], 60):
            sheet.circle(x, y, 1.6, "#33374f")
    for y in (160, 380):
        sheet.line(
            [*curve((560, 270), (660, 270), (690, (270 + y) / 2)), *curve((690, (270 + y) / 2), (720, y), (820, y))],
            7,
            WIRE,
        )
    sheet.box(180, 80, 560, 460, "#2c3048", 34)
    sheet.circle(560, 270, 13, WIRE)
    banana_with_keyhole(Sheet(draw, 320, 208, 106))
    for y in (160, 380):
        sheet.circle(804, y, 13, WIRE)
    landscape(sheet, 820, 60, "#9fd3ff", "#58a06b", "#ffe08a")
    landscape(sheet, 820, 280, "#2f3b7a", "#24503f", "#f7efd9")
    return picture.reduce(FINE)


def landscape(sheet: Sheet, left: float, top: float, sky: str, hill: str, light: str) -> None:
    """A framed picture of a hill, by day or by night."""
    sheet.box(left, top, left + 290, top + 200, PAPER, 16)
    sheet.box(left + 12, top + 12, left + 278, top + 188, sky)
    sheet.circle(left + 210, top + 62, 26, light)
    slope = curve((left + 12, top + 150), (left + 110, top + 60), (left + 278, top + 160))
    sheet.polygon([*slope, (left + 278, top + 188), (left + 12, top + 188)], hill)


def main(folder: Path) -> None:
    """Writes both pictures into the folder."""
    image_module, draw_module = import_module("PIL.Image"), import_module("PIL.ImageDraw")
    icon(image_module, draw_module).quantize(COLOURS).save(folder / "icon.png", optimize=True)
    banner(image_module, draw_module).quantize(COLOURS).save(folder / "banner.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
