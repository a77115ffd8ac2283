"""The background of a simulated picture: a place under a sky, as an array of light.

Arrays are float32, height x width x 3, 0 to 1. The same place, light, size and number give the same array. Drawn small and
enlarged, as out of focus behind the subject. Used by `scene.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

Array = Any
"""A numpy array; its element type isn't worth a parameter here."""
SKIES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "day": ((64, 126, 196), (142, 190, 230), (226, 238, 246)),
    "dusk": ((48, 50, 104), (206, 106, 110), (255, 204, 138)),
    "night": ((7, 11, 30), (20, 32, 68), (56, 72, 118)),
    "grey": ((112, 124, 138), (158, 168, 178), (206, 212, 216)),
}
"""From the top to the horizon."""
NEAR: dict[str, tuple[int, int, int]] = {
    "day": (42, 74, 52),
    "dusk": (44, 36, 62),
    "night": (9, 13, 26),
    "grey": (54, 64, 70),
}
"""The nearest ground under each light."""
GROUNDS: dict[str, tuple[int, int, int]] = {
    "hills": (88, 122, 66),
    "forest": (62, 92, 52),
    "desert": (214, 172, 112),
    "city": (92, 94, 102),
}
STUDIO = ((236, 234, 230), (226, 233, 238), (238, 228, 222), (228, 234, 226))
WALLS = ((214, 200, 180), (178, 194, 190), (206, 184, 170), (188, 190, 206))


@dataclass(frozen=True)
class Ground:
    """A background and where things stand in it."""

    pixels: Array
    horizon: float
    """Share of the height above it."""
    floor: float
    """Where the feet of the subject are, as a share of the height."""
    mirrors: bool
    """Things are reflected below the floor."""


def backdrop(place: str, light: str, width: int, height: int, chance: np.random.Generator) -> Ground:
    """The background of a place; an unknown place is open country."""
    if place == "studio":
        return Ground(_studio(width, height, chance), 0.62, 0.86, False)
    if place == "room":
        return Ground(_room(width, height, light, chance), 0.66, 0.86, False)
    tall = height > width
    horizon = 0.58 if tall else 0.62
    sky = _sky(width, height, horizon, light, chance)
    pixels = _hills(sky, horizon, light, chance, 1.0 if place in ("hills", "") else 0.45)
    if place == "water":
        return Ground(_water(pixels, horizon, light, chance), horizon, 0.8, True)
    if place == "city":
        pixels = _city(pixels, horizon, light, chance)
    return Ground(_land(pixels, horizon, place, light, chance), horizon, 0.86, place == "city")


def noise(
    width: int, height: int, cells: int, chance: np.random.Generator, octaves: int = 3, flat: float = 1.0
) -> Array:
    """Soft noise, 0 to 1, with about `cells` patches across. `flat`: how many times wider than high a patch is."""
    total = np.zeros((height, width), np.float32)
    weight, whole = 1.0, 0.0
    for octave in range(octaves):
        across = cells * 2**octave + 2
        down = max(2, round(across * height / width * flat)) + 1
        small = Image.fromarray((chance.random((down, across)) * 255).astype(np.uint8))
        big = small.resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(big, np.float32) / 255 * weight
        whole += weight
        weight /= 2
    return total / whole


def _light(colour: tuple[int, int, int]) -> Array:
    return np.array(colour, np.float32) / 255


def _sky(width: int, height: int, horizon: float, light: str, chance: np.random.Generator) -> Array:
    """A gradient down to the horizon, a sun or a moon, clouds or stars."""
    top, middle, low = (_light(colour) for colour in SKIES[light])
    down = np.clip(np.linspace(0, 1 / horizon, height, dtype=np.float32), 0, 1)[:, None, None]
    column = np.where(down < 0.5, top + (middle - top) * down * 2, middle + (low - middle) * (down * 2 - 1))
    pixels = np.repeat(column, width, axis=1)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    short = min(width, height)
    x, y = width * chance.uniform(0.62, 0.86), height * horizon * chance.uniform(0.3, 0.72)
    if light != "grey":
        distance = np.hypot(columns - x, rows - y) / short
        glow = _light((255, 246, 214) if light != "night" else (232, 238, 255))
        radius = 0.05 if light == "night" else 0.06
        disc = np.clip((radius - distance) / 0.004 + 0.5, 0, 1)
        halo = np.exp(-distance * (5 if light == "dusk" else 8)) * (0.3 if light == "night" else 0.75)
        pixels += (glow - pixels) * np.maximum(disc, halo)[..., None]
    if light == "night":
        stars = (chance.random((height, width)) > 0.9985) & (rows < height * horizon * 0.9)
        pixels[stars] = np.maximum(pixels[stars], chance.uniform(0.5, 1.0))
    clouds = np.clip((noise(width, height, 3, chance, 4, 2.6) - 0.52) * 5, 0, 1) * np.clip(1.2 - down[..., 0], 0, 1)
    lit = _light(
        {"day": (255, 255, 255), "dusk": (255, 176, 140), "night": (60, 70, 100), "grey": (226, 230, 234)}[light]
    )
    pixels += (lit - pixels) * (clouds * (0.4 if light == "night" else 0.75))[..., None]
    return pixels


def _ridge(width: int, chance: np.random.Generator, rough: int) -> Array:
    """The height of a line of hills for each column, -1 to 1."""
    line = np.zeros(width, np.float32)
    where = np.linspace(0, 1, width)
    for octave in range(rough):
        knots = chance.uniform(-1, 1, 4 * 2**octave + 1)
        line += np.interp(where, np.linspace(0, 1, len(knots)), knots).astype(np.float32) / 2.1**octave
    return line / 1.8


def _hills(pixels: Array, horizon: float, light: str, chance: np.random.Generator, tall: float) -> Array:
    """Mountains before the sky, each nearer line darker and less hazy; `tall`: 1 for high ones."""
    height, width = pixels.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    haze, near = _light(SKIES[light][2]), _light(NEAR[light])
    for depth in (0.2, 0.42, 0.62, 0.8):
        middle = height * (horizon - (0.06 + 0.2 * tall) * (1 - depth) * 0.9)
        line = middle - _ridge(width, chance, 6) * height * (0.07 + 0.14 * tall) * (1.05 - depth)
        edge = np.clip(rows - line[None, :] + 0.5, 0, 1)[..., None]
        colour = haze + (near - haze) * (depth * 0.8)
        foot = np.clip((rows - line[None, :]) / (height * 0.2), 0, 1)[..., None] * 0.45
        pixels = pixels + (colour + (haze - colour) * foot - pixels) * edge
    return pixels


def _water(pixels: Array, horizon: float, light: str, chance: np.random.Generator) -> Array:
    """The sky and the hills upside down below the horizon, broken by waves."""
    height, width = pixels.shape[:2]
    line = int(height * horizon)
    depth = np.arange(height - line, dtype=np.float32)
    far = depth / max(1, height - line)
    source = np.clip(line - 1 - (depth * (0.9 + 0.1 * far)).astype(int), 0, line - 1)
    waves = noise(width, max(2, (height - line) // 6), 26, chance, 2)
    waves = np.asarray(Image.fromarray(waves).resize((width, height - line), Image.Resampling.BICUBIC))
    shift = ((waves - 0.5) * (8 + 60 * far[:, None]) * height / 500).astype(int)
    rows = np.clip(source[:, None] + shift, 0, line - 1)
    mirror = pixels[rows, np.arange(width)[None, :]]
    deep = _light(NEAR[light]) * 0.7 + _light((10, 40, 60)) * 0.3
    mirror = mirror + (deep - mirror) * (0.18 + 0.42 * far)[:, None, None]
    glitter = np.clip((waves - 0.62) * 6, 0, 1)[..., None] * 0.22
    result = pixels.copy()
    result[line:] = mirror + (1 - mirror) * glitter
    return result


def _land(pixels: Array, horizon: float, place: str, light: str, chance: np.random.Generator) -> Array:
    """Open ground from the horizon to the front."""
    height, width = pixels.shape[:2]
    line = int(height * horizon)
    far = np.linspace(0, 1, height - line, dtype=np.float32)[:, None, None]
    own, near, haze = _light(GROUNDS.get(place, GROUNDS["hills"])), _light(NEAR[light]), _light(SKIES[light][2])
    lit = own * {"day": 1.0, "dusk": 0.75, "night": 0.28, "grey": 0.72}[light]
    colour = (haze * 0.45 + lit * 0.55) + (lit * 0.7 + near * 0.3 - (haze * 0.45 + lit * 0.55)) * far**0.6
    texture = noise(width, height - line, 18, chance, 4)[..., None] - 0.5
    stripes = 0.35 if place != "city" else 0.12
    result = pixels.copy()
    result[line:] = np.clip(colour * (1 + texture * stripes * (0.4 + far)), 0, 1)
    return result


def _city(pixels: Array, horizon: float, light: str, chance: np.random.Generator) -> Array:
    """Houses along the horizon, with windows that are lit where it is dark."""
    height, width = pixels.shape[:2]
    line = int(height * horizon)
    result = pixels.copy()
    haze, near = _light(SKIES[light][2]), _light(NEAR[light])
    for depth in (0.4, 0.85):
        x = 0
        while x < width:
            wide = int(chance.uniform(0.06, 0.13) * max(width, height))
            tall = int(height * chance.uniform(0.16, 0.42) * (1.2 - 0.3 * depth))
            wall = (haze + (near - haze) * depth) * chance.uniform(0.85, 1.15)
            result[line - tall : line, x : x + wide - 2] = np.clip(wall, 0, 1)
            step = max(4, wide // 6)
            for up in range(line - tall + step // 2, line - step, step):
                for across in range(x + step // 2, x + wide - step, step):
                    if chance.random() < (0.45 if light in ("night", "dusk") else 0.2):
                        lamp = _light((255, 214, 130)) if light in ("night", "dusk") else haze * 1.05
                        result[up : up + step // 2, across : across + step // 2] = np.clip(lamp, 0, 1)
            x += wide
    return result


def _studio(width: int, height: int, chance: np.random.Generator) -> Array:
    """A seamless backdrop, one even colour to its edges so that what stands before it can be cut out."""
    pixels = np.empty((height, width, 3), np.float32)
    pixels[:] = _light(STUDIO[int(chance.integers(len(STUDIO)))])
    return pixels


def _room(width: int, height: int, light: str, chance: np.random.Generator) -> Array:
    """A wall with the light of a window on it, and a wooden table."""
    wall = _light(WALLS[int(chance.integers(len(WALLS)))]) * {"day": 1, "dusk": 0.85, "night": 0.4, "grey": 0.8}[light]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = columns / width, rows / height
    pixels = wall[None, None] * (1.05 - 0.35 * np.hypot(across - 0.25, down - 0.2))[..., None]
    slant = across - down * 0.5
    pane = ((slant > 0.12) & (slant < 0.4) & (np.abs(slant - 0.26) > 0.012) & (down > 0.1) & (down < 0.52)).astype(
        np.float32
    )
    soft = Image.fromarray((pane * 255).astype(np.uint8)).reduce(8).resize((width, height), Image.Resampling.BICUBIC)
    lamp = _light((255, 240, 206)) if light != "night" else _light((120, 140, 190))
    pixels += (lamp - pixels) * (np.asarray(soft, np.float32) / 255 * 0.5)[..., None]
    line = int(height * 0.66)
    grain = noise(width, height - line, 3, chance, 2) * 0.5 + noise(4, height - line, 2, chance, 3).mean(1)[:, None]
    wood = _light((150, 104, 66)) * wall.mean() * 1.25
    pixels[line:] = wood * (0.7 + 0.35 * grain[..., None])
    return np.clip(pixels, 0, 1)
