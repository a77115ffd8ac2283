"""What weather, light and style do to a picture: arrays in, arrays out, the same number giving the same result.

Arrays are float32, height x width x 3, 0 to 1. Used by `scene.py` and `edit.py`.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .backdrop import Array, noise

LUMA = np.array((0.299, 0.587, 0.114), np.float32)
GRADES = {
    "night": ((0.36, 0.42, 0.58), (0.01, 0.02, 0.06)),
    "dusk": ((1.04, 0.78, 0.7), (0.06, 0.0, 0.03)),
    "grey": ((0.78, 0.82, 0.86), (0.05, 0.05, 0.06)),
    "day": ((1.1, 1.08, 1.0), (0.03, 0.03, 0.02)),
}
"""Light by which a picture is multiplied, and what is added."""


def relight(pixels: Array, light: str) -> Array:
    """A picture under another light."""
    times, plus = (np.array(part, np.float32) for part in GRADES[light])
    result = pixels * times + plus
    if light == "night":
        # What was bright stays bright, as lamps are.
        lamps = np.clip((pixels @ LUMA - 0.86) * 5, 0, 1)[..., None]
        result = result + (np.array((1.0, 0.86, 0.56), np.float32) - result) * lamps * 0.55
    if light == "grey":
        result = result + ((result @ LUMA)[..., None] - result) * 0.45
    return np.clip(result, 0, 1)


def weather(pixels: Array, kind: str, chance: np.random.Generator) -> Array:
    """Rain, snow or fog over a picture; unchanged for an empty name."""
    height, width = pixels.shape[:2]
    if kind == "fog":
        low = np.linspace(0.25, 1, height, dtype=np.float32)[:, None]
        veil = np.clip(low * (0.35 + 0.75 * noise(width, height, 3, chance)), 0, 0.85)[..., None]
        return pixels + (np.array((0.86, 0.88, 0.89), np.float32) - pixels) * veil
    if kind == "rain":
        drops = Image.fromarray(((chance.random((height, width)) > 0.988) * 255).astype(np.uint8))
        long = max(5, height // 42)
        drawn = np.asarray(drops, np.float32)
        streaks = np.max([np.roll(drawn, (step, -step // 4), (0, 1)) for step in range(long)], axis=0) / 255
        shine = np.clip(streaks, 0, 1)[..., None] * 0.28
        return _wet(pixels + (np.array((0.88, 0.92, 0.96), np.float32) - pixels) * shine)
    if kind == "snow":
        return _snow(pixels, chance)
    return pixels


def _wet(pixels: Array) -> Array:
    """The lowest quarter shines: it reflects, faintly, what is above it."""
    height = pixels.shape[0]
    line = height * 3 // 4
    mirror = pixels[2 * line - height : line][::-1][: height - line]
    result = pixels.copy()
    part = np.linspace(0.5, 0.15, len(mirror), dtype=np.float32)[:, None, None]
    result[line : line + len(mirror)] += (mirror - result[line : line + len(mirror)]) * part
    return result


def _snow(pixels: Array, chance: np.random.Generator) -> Array:
    """White where something faces up, paler colours, and flakes of three sizes."""
    height, width = pixels.shape[:2]
    grey = (pixels @ LUMA)[..., None]
    result = pixels + (grey * 0.6 + 0.4 - pixels) * 0.3
    low = np.clip((np.linspace(0, 1, height, dtype=np.float32) - 0.55) * 3, 0, 1)[:, None]
    cover = np.clip(low * (0.2 + 1.1 * noise(width, height, 6, chance)), 0, 0.85)[..., None]
    result = result + (np.array((0.94, 0.96, 0.99), np.float32) - result) * cover
    flakes = Image.new("L", (width, height))
    draw = ImageDraw.Draw(flakes)
    for x, y, size in chance.random((260, 3)):
        radius = (0.0015 + 0.006 * size**3) * (width + height) / 2
        draw.ellipse((x * width - radius, y * height - radius, x * width + radius, y * height + radius), fill=230)
    blurred = flakes.filter(ImageFilter.GaussianBlur((width + height) / 1600))
    return result + (1 - result) * (np.asarray(blurred, np.float32) / 255)[..., None]


def stylize(pixels: Array, style: str, chance: np.random.Generator) -> Array:
    """A picture in a technique; unchanged for an empty name."""
    if not style:
        return pixels
    height, width = pixels.shape[:2]
    short = min(width, height)
    grey = pixels @ LUMA
    if style == "grey":
        return np.repeat(np.clip((grey - 0.5) * 1.15 + 0.5, 0, 1)[..., None], 3, 2)
    if style == "sepia":
        return np.clip(grey[..., None] * np.array((1.08, 0.88, 0.64), np.float32) + 0.04, 0, 1)
    paper = noise(width, height, max(24, short // 8), chance, 2)
    lines = _lines(pixels, short)
    if style == "pencil":
        tone = 0.98 - 0.62 * np.clip(0.85 - grey, 0, 1) * (0.7 + 0.5 * paper) - 0.7 * lines
        return np.clip(tone[..., None] * np.array((1.0, 0.985, 0.955), np.float32), 0, 1)
    flat = _simplified(pixels, 5 if style == "oil" else 3)
    if style == "oil":
        strokes = np.asarray(to_image(flat).convert("L").filter(ImageFilter.EMBOSS), np.float32)[..., None] / 255 - 0.5
        return np.clip((flat - 0.5) * 1.15 + 0.52 + strokes * 0.5 + (paper[..., None] - 0.5) * 0.08, 0, 1)
    if style in ("paper", "comic"):
        levels = 4 if style == "paper" else 6
        light = np.maximum(flat @ LUMA, 0.02)[..., None]
        flat = np.clip(flat / light * (np.round(light * levels) / levels * 0.94 + 0.05), 0, 1)
        ink = lines[..., None] * (1.0 if style == "comic" else 0.3)
        return np.clip(flat * (1 - ink) + (paper[..., None] - 0.5) * 0.05, 0, 1)
    pale = 1 - (1 - flat) * (0.72 + 0.2 * paper[..., None])
    return np.clip(pale - 0.22 * lines[..., None], 0, 1)


def _simplified(pixels: Array, reach: int) -> Array:
    """A picture in soft patches; `reach`: their size, 3 or 5 of 300 across."""
    height, width = pixels.shape[:2]
    scale = min(1.0, (90_000 / (width * height)) ** 0.5)
    small = to_image(pixels).resize((max(8, round(width * scale)), max(8, round(height * scale))), Image.Resampling.BOX)
    plain = small.filter(ImageFilter.MedianFilter(reach))
    return np.asarray(plain.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255


def _lines(pixels: Array, short: int) -> Array:
    """Where edges are, 0 to 1."""
    soft = to_image(pixels).convert("L").filter(ImageFilter.GaussianBlur(max(0.8, short / 700)))
    down, across = np.gradient(np.asarray(soft, np.float32) / 255)
    return np.clip(np.hypot(down, across) * 9 - 0.12, 0, 1)


def recolour(pixels: Array, like: Array) -> Array:
    """A picture with the mean and the spread of another one's colours."""
    own, other = pixels.reshape(-1, 3), like.reshape(-1, 3)
    spread = (other.std(0) + 0.05) / (own.std(0) + 0.05)
    return np.clip((pixels - own.mean(0)) * np.clip(spread, 0.6, 1.7) + other.mean(0), 0, 1).astype(np.float32)


def vignette(pixels: Array) -> Array:
    """Darker corners, as a lens gives."""
    height, width = pixels.shape[:2]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return pixels * (1 - 0.16 * np.clip(down**2 + across**2 - 0.5, 0, 2))[..., None]


def to_image(pixels: Array) -> Image.Image:
    """An array as a picture."""
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
