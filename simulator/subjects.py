"""The things a simulated picture can show, each drawn from simple shapes in one main colour.

`draw_subject` gives a transparent square; its feet are at the bottom edge. Used by `scene.py` and `edit.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PIL import Image

from .painter import Painter, Rgb, around, shade

WHITE: Rgb = (246, 244, 238)
DARK: Rgb = (44, 42, 50)
SKIN: Rgb = (232, 184, 150)
COLOURS: tuple[Rgb, ...] = (
    (206, 66, 56),
    (46, 120, 150),
    (226, 158, 52),
    (88, 136, 84),
    (132, 92, 160),
    (212, 108, 140),
)
NAMED: Mapping[str, Rgb] = {
    "red": (206, 54, 48), "blue": (44, 104, 176), "green": (70, 140, 82), "yellow": (238, 190, 50), "orange": (230, 130, 46),
    "purple": (126, 78, 162), "pink": (226, 124, 152), "white": WHITE, "black": (52, 50, 58), "brown": (134, 90, 60),
}  # fmt: skip


def colour_of(prompt: str, variety: int) -> Rgb:
    """The first colour named in the prompt, else one by the number."""
    words = [word.strip(".,;:") for word in prompt.lower().split()]
    return next((NAMED[word] for word in words if word in NAMED), COLOURS[variety % len(COLOURS)])


def draw_subject(name: str, size: int, colour: Rgb, lit: bool = False) -> Image.Image:
    """A subject as a transparent square of `size` pixels. `lit`: its windows and lamps are on. Raises KeyError."""
    painter = Painter(size)
    PAINTED[name](painter, colour, lit)
    return painter.finished(0.25 if name in ("house", "tram", "lighthouse") else 0.45)


def _glass(lit: bool) -> Rgb:
    return (255, 220, 130) if lit else (120, 160, 186)


def _lighthouse(p: Painter, colour: Rgb, lit: bool) -> None:
    rock = (86, 80, 84)
    p.polygon(
        [(0.12, 1), (0.2, 0.9), (0.34, 0.86), (0.42, 0.83), (0.62, 0.84), (0.74, 0.89), (0.86, 0.92), (0.92, 1)], rock
    )
    p.polygon([(0.4, 0.86), (0.445, 0.28), (0.555, 0.28), (0.6, 0.86)], WHITE)
    for top in (0.34, 0.54, 0.74):
        low = top + 0.1
        left, right = 0.45 - (top - 0.28) * 0.08, 0.45 - (low - 0.28) * 0.08
        p.polygon([(left, top), (1 - left, top), (1 - right, low), (right, low)], colour)
    p.box(0.42, 0.255, 0.58, 0.285, DARK)
    p.box(0.455, 0.16, 0.545, 0.255, (255, 236, 160) if lit else (180, 206, 220))
    p.polygon([(0.435, 0.16), (0.5, 0.08), (0.565, 0.16)], colour)
    p.box(0.478, 0.76, 0.522, 0.85, DARK, 0.02)
    p.box(0.485, 0.46, 0.515, 0.5, _glass(lit))
    p.polygon([(0.62, 0.85), (0.62, 0.74), (0.7, 0.68), (0.78, 0.74), (0.78, 0.88)], shade(WHITE, 0.9))
    p.polygon([(0.6, 0.75), (0.7, 0.66), (0.8, 0.75)], shade(colour, 0.7))
    p.box(0.68, 0.77, 0.72, 0.81, _glass(lit))


def _boat(p: Painter, colour: Rgb, lit: bool) -> None:
    p.polygon([(0.5, 0.1), (0.5, 0.76), (0.16, 0.76)], WHITE)
    p.polygon([(0.53, 0.22), (0.53, 0.76), (0.84, 0.76)], shade(colour, 1.1))
    p.box(0.505, 0.06, 0.525, 0.82, (110, 78, 52))
    p.polygon([(0.06, 0.81), (0.94, 0.81), (0.8, 0.97), (0.22, 0.97)], colour)
    p.polygon([(0.06, 0.81), (0.94, 0.81), (0.92, 0.85), (0.09, 0.85)], WHITE)
    if lit:
        p.oval(0.515, 0.06, 0.02, 0.02, (255, 230, 150))


def _tram(p: Painter, colour: Rgb, lit: bool) -> None:
    p.line([(0.4, 0.38), (0.5, 0.26), (0.6, 0.38)], 0.012, DARK)
    p.box(0.04, 0.38, 0.96, 0.9, colour, 0.06)
    p.box(0.04, 0.64, 0.96, 0.68, WHITE)
    for left in (0.1, 0.26, 0.58, 0.74):
        p.box(left, 0.45, left + 0.13, 0.61, _glass(lit), 0.015)
    p.box(0.43, 0.45, 0.54, 0.86, shade(colour, 0.75), 0.01)
    p.box(0.445, 0.47, 0.525, 0.7, _glass(lit))
    for x in (0.2, 0.34, 0.66, 0.8):
        p.oval(x, 0.92, 0.055, 0.055, DARK)
        p.oval(x, 0.92, 0.022, 0.022, (150, 150, 156))
    p.oval(0.91, 0.78, 0.025, 0.025, (255, 240, 180))


def _car(p: Painter, colour: Rgb, lit: bool) -> None:
    p.polygon([(0.2, 0.74), (0.32, 0.56), (0.66, 0.56), (0.8, 0.74)], shade(colour, 0.92))
    p.polygon([(0.25, 0.73), (0.35, 0.59), (0.48, 0.59), (0.48, 0.73)], _glass(lit))
    p.polygon([(0.51, 0.73), (0.51, 0.59), (0.64, 0.59), (0.74, 0.73)], _glass(lit))
    p.box(0.04, 0.71, 0.96, 0.9, colour, 0.06)
    for x in (0.24, 0.76):
        p.oval(x, 0.9, 0.1, 0.1, DARK)
        p.oval(x, 0.9, 0.055, 0.055, (186, 188, 194))
    p.oval(0.92, 0.78, 0.028, 0.028, (255, 242, 190))
    p.box(0.04, 0.76, 0.07, 0.81, (220, 60, 50))


def _animal(p: Painter, coat: Rgb, chest: Rgb, tail: float, ears: float) -> None:
    """An animal that sits and looks ahead."""
    p.line(p.curve((0.66, 0.93), (0.98, 0.96), (0.9, 0.58)), tail, shade(coat, 0.9))
    p.polygon([*p.curve((0.28, 1.0), (0.24, 0.5), (0.5, 0.44)), *p.curve((0.5, 0.44), (0.78, 0.5), (0.74, 1.0))], coat)
    p.oval(0.5, 0.78, 0.12, 0.19, chest)
    for x in (0.38, 0.62):
        p.oval(x, 0.965, 0.09, 0.035, shade(coat, 1.1))
    for side in (-1, 1):
        p.polygon([(0.5 + side * 0.06, 0.2), (0.5 + side * 0.19, ears), (0.5 + side * 0.22, 0.32)], shade(coat, 0.85))
        p.polygon(
            [(0.5 + side * 0.1, 0.2), (0.5 + side * 0.175, ears + 0.05), (0.5 + side * 0.18, 0.28)], (222, 150, 140)
        )
    p.oval(0.5, 0.34, 0.21, 0.18, coat)
    p.oval(0.5, 0.41, 0.11, 0.085, chest)
    for x in (0.415, 0.585):
        p.oval(x, 0.325, 0.036, 0.042, (250, 236, 190))
        p.oval(x, 0.328, 0.02, 0.036, DARK)
        p.oval(x + 0.008, 0.315, 0.008, 0.008, WHITE)
    p.polygon([(0.478, 0.385), (0.522, 0.385), (0.5, 0.41)], (80, 50, 50))
    p.line([(0.47, 0.435), (0.5, 0.425), (0.53, 0.435)], 0.007, DARK)


def _cat(p: Painter, colour: Rgb, lit: bool) -> None:
    _animal(p, (216, 138, 66) if colour in COLOURS else colour, WHITE, 0.07, 0.06)


def _fox(p: Painter, colour: Rgb, lit: bool) -> None:
    _animal(p, (214, 98, 44) if colour in COLOURS else colour, WHITE, 0.14, 0.02)


def _bird(p: Painter, colour: Rgb, lit: bool) -> None:
    p.line([(0.06, 0.9), (0.5, 0.88), (0.96, 0.93)], 0.035, (104, 78, 58))
    p.polygon([(0.3, 0.6), (0.02, 0.8), (0.1, 0.86), (0.4, 0.76)], shade(colour, 0.6))
    p.oval(0.46, 0.62, 0.22, 0.24, colour)
    p.oval(0.53, 0.7, 0.14, 0.15, (242, 210, 150))
    p.oval(0.58, 0.36, 0.15, 0.14, colour)
    p.polygon([(0.71, 0.34), (0.86, 0.39), (0.71, 0.42)], (238, 176, 60))
    p.oval(0.62, 0.34, 0.028, 0.028, DARK)
    p.oval(0.628, 0.333, 0.009, 0.009, WHITE)
    p.polygon([*p.curve((0.36, 0.5), (0.62, 0.62), (0.3, 0.84)), (0.26, 0.66)], shade(colour, 0.72))
    for x in (0.44, 0.54):
        p.line([(x, 0.84), (x, 0.89)], 0.016, (190, 130, 60))


def _bottle(p: Painter, colour: Rgb, lit: bool) -> None:
    p.box(0.42, 0.06, 0.58, 0.2, (58, 54, 60), 0.02)
    p.box(0.45, 0.19, 0.55, 0.3, shade(colour, 0.9))
    p.box(0.29, 0.28, 0.71, 0.99, colour, 0.09)
    p.box(0.32, 0.32, 0.36, 0.94, shade(colour, 1.5), 0.02)
    p.box(0.34, 0.52, 0.66, 0.82, WHITE, 0.015)
    p.box(0.4, 0.58, 0.6, 0.6, DARK)
    p.box(0.43, 0.64, 0.57, 0.652, (150, 146, 150))
    p.oval(0.5, 0.735, 0.045, 0.045, colour)


def _cup(p: Painter, colour: Rgb, lit: bool) -> None:
    for x in (0.38, 0.5):
        p.line(
            [*p.curve((x, 0.3), (x - 0.07, 0.2), (x, 0.12)), *p.curve((x, 0.12), (x + 0.06, 0.06), (x, 0.0))],
            0.012,
            (226, 226, 226),
        )
    p.oval(0.46, 0.95, 0.42, 0.05, shade(WHITE, 0.92))
    p.line(
        [*p.curve((0.7, 0.48), (0.98, 0.46), (0.9, 0.62)), *p.curve((0.9, 0.62), (0.84, 0.78), (0.64, 0.78))],
        0.055,
        colour,
    )
    p.polygon(
        [
            (0.18, 0.38),
            (0.74, 0.38),
            *p.curve((0.74, 0.38), (0.74, 0.94), (0.46, 0.94)),
            *p.curve((0.46, 0.94), (0.18, 0.94), (0.18, 0.38)),
        ],
        colour,
    )
    p.oval(0.46, 0.38, 0.28, 0.065, shade(colour, 1.25))
    p.oval(0.46, 0.385, 0.24, 0.048, (88, 54, 34))


def _armchair(p: Painter, colour: Rgb, lit: bool) -> None:
    for x in (0.2, 0.76):
        p.polygon([(x, 0.86), (x + 0.06, 0.86), (x + 0.045, 1.0), (x + 0.015, 1.0)], (96, 64, 42))
    p.box(0.2, 0.16, 0.8, 0.72, shade(colour, 0.86), 0.12)
    p.box(0.27, 0.23, 0.73, 0.66, colour, 0.08)
    for x in (0.42, 0.58):
        p.oval(x, 0.36, 0.014, 0.014, shade(colour, 0.6))
    p.box(0.22, 0.62, 0.78, 0.78, shade(colour, 1.14), 0.05)
    p.box(0.14, 0.74, 0.86, 0.9, shade(colour, 0.82), 0.05)
    for left in (0.06, 0.76):
        p.box(left, 0.48, left + 0.18, 0.9, colour, 0.08)


def _banana(p: Painter, colour: Rgb, lit: bool) -> None:
    yellow = (244, 204, 66)
    p.polygon(
        [*p.curve((0.2, 0.22), (0.28, 0.98), (0.92, 0.74)), *p.curve((0.95, 0.8), (0.3, 1.22), (0.09, 0.26))], yellow
    )
    p.polygon(
        [*p.curve((0.15, 0.25), (0.28, 1.02), (0.92, 0.77)), *p.curve((0.92, 0.79), (0.27, 1.08), (0.12, 0.26))],
        shade(yellow, 0.82),
    )
    p.polygon([(0.09, 0.26), (0.2, 0.22), (0.19, 0.1), (0.13, 0.1)], (122, 92, 40))
    p.oval(0.935, 0.77, 0.03, 0.03, (92, 70, 36))


def _flower(p: Painter, colour: Rgb, lit: bool) -> None:
    green = (76, 126, 66)
    p.line(p.curve((0.5, 0.4), (0.44, 0.7), (0.5, 1.0)), 0.03, green)
    p.polygon([*p.curve((0.48, 0.86), (0.2, 0.8), (0.14, 0.6)), *p.curve((0.14, 0.6), (0.4, 0.6), (0.48, 0.86))], green)
    p.polygon(
        [*p.curve((0.5, 0.78), (0.74, 0.74), (0.82, 0.54)), *p.curve((0.82, 0.54), (0.56, 0.56), (0.5, 0.78))],
        shade(green, 1.15),
    )
    for turn, radius, tone in ((0.0, 0.19, 0.8), (0.26, 0.15, 1.0)):
        for x, y in around(0.5, 0.32, radius, 9, turn):
            p.oval(x, y, 0.085, 0.085, shade(colour, tone))
    p.oval(0.5, 0.32, 0.1, 0.1, (242, 194, 74))
    p.oval(0.5, 0.32, 0.06, 0.06, (150, 96, 40))


def _balloon(p: Painter, colour: Rgb, lit: bool) -> None:
    p.oval(0.5, 0.36, 0.34, 0.34, colour)
    p.polygon([(0.2, 0.52), (0.8, 0.52), (0.58, 0.78), (0.42, 0.78)], colour)
    for across, tone in ((0.24, 1.18), (0.11, 0.86)):
        p.oval(0.5, 0.36, across, 0.34, shade(colour, tone))
        p.polygon(
            [
                (0.5 - across * 0.9, 0.5),
                (0.5 + across * 0.9, 0.5),
                (0.5 + across * 0.24, 0.78),
                (0.5 - across * 0.24, 0.78),
            ],
            shade(colour, tone),
        )
    for x, end in ((0.43, 0.455), (0.57, 0.545)):
        p.line([(x, 0.78), (end, 0.9)], 0.006, DARK)
    p.box(0.44, 0.88, 0.56, 0.98, (136, 92, 54), 0.015)
    if lit:
        p.oval(0.5, 0.81, 0.02, 0.03, (255, 210, 100))


def _sphere(p: Painter, colour: Rgb, lit: bool) -> None:
    tint = (150, 200, 214)
    p.oval(0.5, 0.52, 0.46, 0.46, shade(tint, 0.55))
    for step in range(40):
        part = step / 39
        p.oval(
            0.5 - 0.05 * part, 0.52 - 0.06 * part, 0.45 - 0.3 * part, 0.45 - 0.3 * part, shade(tint, 0.6 + 0.5 * part)
        )
    p.polygon(
        [*p.curve((0.2, 0.76), (0.5, 1.02), (0.8, 0.76)), *p.curve((0.8, 0.76), (0.5, 0.9), (0.2, 0.76))],
        (228, 244, 248),
    )
    p.oval(0.34, 0.3, 0.1, 0.07, (252, 254, 255))
    p.oval(0.46, 0.23, 0.03, 0.02, (252, 254, 255))


def _robot(p: Painter, colour: Rgb, lit: bool) -> None:
    steel = (176, 184, 192)
    p.line([(0.5, 0.12), (0.5, 0.05)], 0.014, DARK)
    p.oval(0.5, 0.04, 0.024, 0.024, (240, 90, 70))
    for side in (-1, 1):
        p.line([(0.5 + side * 0.2, 0.46), (0.5 + side * 0.3, 0.6), (0.5 + side * 0.27, 0.72)], 0.06, steel)
        p.box(0.5 + side * 0.1 - 0.055, 0.72, 0.5 + side * 0.1 + 0.055, 0.95, steel, 0.02)
        p.box(0.5 + side * 0.12 - 0.085, 0.93, 0.5 + side * 0.12 + 0.085, 1.0, DARK, 0.03)
    p.box(0.3, 0.4, 0.7, 0.76, colour, 0.06)
    p.box(0.38, 0.5, 0.62, 0.64, shade(colour, 0.6), 0.02)
    for x, lamp in ((0.43, (240, 200, 80)), (0.5, (110, 210, 140)), (0.57, (230, 100, 90))):
        p.oval(x, 0.57, 0.02, 0.02, lamp)
    p.box(0.32, 0.12, 0.68, 0.38, steel, 0.06)
    p.box(0.36, 0.18, 0.64, 0.31, (38, 48, 60), 0.04)
    for x in (0.43, 0.57):
        p.oval(x, 0.245, 0.034, 0.034, (120, 230, 240))


def _person(p: Painter, colour: Rgb, lit: bool) -> None:
    hair, trousers = (84, 54, 40), (62, 72, 96)
    p.oval(0.5, 0.17, 0.115, 0.13, hair)
    for side in (-1, 1):
        p.line([(0.5 + side * 0.05, 0.62), (0.5 + side * 0.06, 0.92)], 0.085, trousers)
        p.box(0.5 + side * 0.065 - 0.06, 0.93, 0.5 + side * 0.065 + 0.06, 1.0, (92, 62, 44), 0.025)
        p.line(
            [(0.5 + side * 0.115, 0.38), (0.5 + side * 0.17, 0.52), (0.5 + side * 0.155, 0.62)],
            0.062,
            shade(colour, 0.88),
        )
        p.oval(0.5 + side * 0.155, 0.65, 0.03, 0.03, SKIN)
    p.polygon([(0.37, 0.4), (0.42, 0.335), (0.58, 0.335), (0.63, 0.4), (0.62, 0.68), (0.38, 0.68)], colour)
    p.box(0.38, 0.6, 0.62, 0.635, (70, 52, 40))
    p.box(0.465, 0.27, 0.535, 0.35, shade(SKIN, 0.88))
    p.oval(0.5, 0.19, 0.09, 0.11, SKIN)
    p.polygon(
        [*p.curve((0.4, 0.17), (0.46, 0.02), (0.6, 0.17)), *p.curve((0.6, 0.17), (0.54, 0.13), (0.4, 0.17))], hair
    )
    for x in (0.465, 0.535):
        p.oval(x, 0.195, 0.013, 0.016, DARK)
    p.line([(0.475, 0.25), (0.5, 0.257), (0.525, 0.25)], 0.008, (176, 96, 88))
    p.polygon([(0.4, 0.34), (0.6, 0.34), (0.57, 0.4), (0.43, 0.4)], (236, 200, 92))
    p.polygon([(0.53, 0.38), (0.6, 0.4), (0.585, 0.52), (0.545, 0.52)], (226, 186, 80))


def _house(p: Painter, colour: Rgb, lit: bool) -> None:
    p.box(0.66, 0.2, 0.75, 0.45, (120, 84, 72))
    p.box(0.14, 0.48, 0.86, 1.0, shade(WHITE, 0.94))
    p.polygon([(0.05, 0.52), (0.5, 0.14), (0.95, 0.52)], colour)
    p.polygon([(0.05, 0.52), (0.95, 0.52), (0.92, 0.55), (0.08, 0.55)], shade(colour, 0.65))
    p.box(0.43, 0.7, 0.57, 1.0, (104, 70, 50), 0.01)
    for left in (0.21, 0.65):
        p.box(left, 0.64, left + 0.15, 0.82, _glass(lit), 0.008)
        p.box(left + 0.068, 0.64, left + 0.082, 0.82, WHITE)
        p.box(left, 0.723, left + 0.15, 0.737, WHITE)


def _tree(p: Painter, colour: Rgb, lit: bool) -> None:
    p.polygon([(0.45, 1.0), (0.47, 0.5), (0.53, 0.5), (0.56, 1.0)], (98, 70, 52))
    p.line([(0.5, 0.72), (0.36, 0.52)], 0.03, (98, 70, 52))
    green = (74, 122, 62)
    for x, y, radius, tone in (
        *((0.32, 0.48, 0.2, 0.72), (0.68, 0.48, 0.2, 0.72), (0.5, 0.4, 0.26, 0.85)),
        *((0.36, 0.34, 0.19, 1.0), (0.64, 0.36, 0.18, 0.95), (0.48, 0.22, 0.18, 1.15)),
    ):
        p.oval(x, y, radius, radius * 0.9, shade(green, tone))


PAINTED: Mapping[str, Callable[[Painter, Rgb, bool], None]] = {
    "lighthouse": _lighthouse,
    "boat": _boat,
    "tram": _tram,
    "car": _car,
    "cat": _cat,
    "fox": _fox,
    "bird": _bird,
    "bottle": _bottle,
    "cup": _cup,
    "armchair": _armchair,
    "banana": _banana,
    "flower": _flower,
    "balloon": _balloon,
    "sphere": _sphere,
    "robot": _robot,
    "person": _person,
    "house": _house,
    "tree": _tree,
}
