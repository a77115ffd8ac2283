"""Pictures that repeat themselves, in which a movement by one repetition can't be told from none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

Plane = np.ndarray

KINDS: dict[str, Callable[[Plane, Plane, float], Plane]] = {
    "waves": lambda x, y, period: _wave(x, period),
    "crossed waves": lambda x, y, period: _wave(x, period) * _wave(y, period),
    "woven": lambda x, y, period: _wave(x, period) + 0.5 * _wave(x, period / 2) + _wave(y, period),
    "stripes": lambda x, y, period: np.sign(_wave(x, period)),
    "checkers": lambda x, y, period: np.sign(_wave(x, period) * _wave(y, period)),
    "tiles": lambda x, y, period: _joint(x, period) + _joint(y, period),
    "bricks": lambda x, y, period: _joint(y, period / 2) + _joint(x + np.floor(y * 2 / period) * period / 2, period),
    "dots": lambda x, y, period: np.sign(0.35 * period - np.hypot(x % period - period / 2, y % period - period / 2)),
    "hexagons": lambda x, y, period: sum(
        (_wave(x * np.cos(turn) + y * np.sin(turn), period) for turn in np.arange(3) * np.pi / 3), np.zeros_like(x)
    ),
}
"""Name -> the brightness at x, y (px) of a pattern with a period in px, of any range."""


def _wave(at: Plane, period: float) -> Plane:
    return np.sin(at * 2 * np.pi / period)


def _joint(at: Plane, period: float) -> Plane:
    return (at % period < max(1.0, period / 8)).astype(np.float32)


def repeating(kind: str, period: float, width: int, height: int, random: np.random.Generator) -> Image.Image:
    """A picture of one pattern, turned half of the time, in two colours, with light that changes over it."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    turn = random.uniform(0, np.pi) if random.random() < 0.5 else 0.0
    across, down = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    pattern = KINDS[kind](across, down, period)
    pattern = ((pattern - pattern.min()) / max(float(np.ptp(pattern)), 1e-6))[..., None]
    dark, bright = random.uniform(0, 0.35, 3), random.uniform(0.6, 1, 3)
    light = 1 - 0.25 * random.uniform(-1, 1) * (x / width - 0.5)[..., None]
    return Image.fromarray((((dark + (bright - dark) * pattern) * light).clip(0, 1) * 255).astype(np.uint8))
