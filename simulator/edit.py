"""A picture made from references: the first that is a photograph stays, changed as the words say; cut-outs are put into it.

Nothing is understood: words name a light, a weather, a style or a subject, and what stands alone before an even background is
cut out. The same references, words, size and number give the same picture. Used by `drawing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from .backdrop import Array, backdrop
from .caption import on_white, without_caption
from .effects import recolour, relight, stylize, to_image, weather
from .prompt_words import PromptWords, read
from .scene import background_size, chance_of, enlarged, lit_as, scaled, stand, turnaround
from .subjects import colour_of, draw_subject

GREY = (126, 129)
"""What ComfyUI's padding for outpainting is filled with, after rounding."""
MASK_WORDS = "mask of the first picture"
CUT_SIZE = 900


def edit(width: int, height: int, prompt: str, variety: int, references: Sequence[Image.Image]) -> Image.Image:
    """An RGB picture of the references, changed as the prompt says."""
    words = read(prompt)
    chance = chance_of(prompt, variety)
    mask = references[-1] if MASK_WORDS in prompt and len(references) > 1 else None
    pictures = list(references[:-1] if mask is not None else references)
    like = pictures.pop(words.style_picture - 1) if 1 < words.style_picture <= len(pictures) else None
    cut = [cut_out(picture) for picture in pictures]
    if words.sheet == "turnaround":
        return _turnaround(width, height, words, cut[0] or _framed(pictures[0]), chance)
    things = [thing for thing in cut if thing is not None]
    photographs = [picture for picture, thing in zip(pictures, cut, strict=True) if thing is None]
    if not photographs and len(things) == 1 and not words.place:
        photographs, things = pictures, []
    base = covering(photographs[0], width, height) if photographs else _background(width, height, words, chance)
    before = np.asarray(base, np.float32) / 255
    after = _changed(before, base, words, prompt, variety, [*things, *map(_framed, photographs[1:])], chance)
    if like is not None:
        after = recolour(after, np.asarray(on_white(like).resize((64, 64)), np.float32) / 255)
    if mask is not None:
        share = np.asarray(covering(mask, width, height).convert("L"), np.float32)[..., None] / 255
        after = before + (after - before) * share
    return to_image(after)


def _changed(
    before: Array,
    base: Image.Image,
    words: PromptWords,
    prompt: str,
    variety: int,
    things: list[Image.Image],
    chance: np.random.Generator,
) -> Array:
    """The base with what the words ask for."""
    filled = _grown(before)
    if filled is not None:
        return filled
    if words.upscales and not (things or words.style or words.weather):
        sharp = base.filter(ImageFilter.UnsharpMask(max(1, base.width // 600), 90, 1))
        return np.asarray(sharp, np.float32) / 255
    picture = base.copy()
    drawn = words.adds and bool(words.subject) and not things
    if drawn:
        size = round(min(base.size) * 0.42)
        things = [draw_subject(words.subject, size, colour_of(prompt, variety), words.light in ("night", "dusk"))]
        feet = base.height // 2 + size // 2
    else:
        feet = round(base.height * 0.87)
    _put(picture, things, feet, 0.42 if drawn else 0.58)
    pixels = np.asarray(picture, np.float32) / 255
    if words.light:
        pixels = relight(pixels, words.light)
    pixels = stylize(weather(pixels, words.weather, chance), words.style, chance)
    if not (things or words.light or words.weather or words.style):
        # An edit is to be seen, whatever its words, and another one with each seed: warm light from one side.
        lit, dark = chance.permutation([chance.uniform(1.2, 1.35), chance.uniform(0.7, 0.85)])
        warm = np.linspace(lit, dark, base.width, dtype=np.float32)[None, :, None]
        pixels = np.clip(pixels * warm * np.array((1.1, 1.0, 0.86), np.float32), 0, 1)
    return pixels


def _put(picture: Image.Image, things: list[Image.Image], feet: int, tallest: float) -> None:
    """Cut-outs side by side on one line, at most `tallest` of the height of the picture."""
    share = picture.width / max(1, len(things))
    for number, thing in enumerate(things):
        scale = min(picture.height * tallest / thing.height, share * 0.8 / thing.width)
        stand(picture, scaled(thing, scale), round(share * (number + 0.5)), min(feet, picture.height - 2), False)


def _background(width: int, height: int, words: PromptWords, chance: np.random.Generator) -> Image.Image:
    small = backdrop(words.place, words.light or "day", *background_size(width, height), chance)
    return to_image(enlarged(small, width, height).pixels)


def _turnaround(
    width: int, height: int, words: PromptWords, thing: Image.Image, chance: np.random.Generator
) -> Image.Image:
    """The views of a character on an even ground."""
    picture = to_image(enlarged(backdrop("studio", "day", 64, 64, chance), width, height).pixels)
    scale = min(height * 0.8 / thing.height, width * 0.23 / thing.width)
    turnaround(picture, lit_as(scaled(thing, scale), words.light))
    return to_image(stylize(np.asarray(picture, np.float32) / 255, words.style, chance))


def covering(picture: Image.Image, width: int, height: int) -> Image.Image:
    """A picture scaled to cover a size, cut at its centre."""
    scale = max(width / picture.width, height / picture.height)
    wide, tall = width / scale, height / scale
    left, top = max(0.0, (picture.width - wide) / 2), max(0.0, (picture.height - tall) / 2)
    # Rounding may put a corner a hair outside, which Pillow refuses.
    box = (left, top, min(left + wide, picture.width), min(top + tall, picture.height))
    return on_white(picture).resize((width, height), Image.Resampling.BICUBIC, box=box)


def cut_out(picture: Image.Image) -> Image.Image | None:
    """What stands before an even background, without it; None where there is no such background."""
    plain = on_white(without_caption(picture))
    plain.thumbnail((CUT_SIZE, CUT_SIZE))
    pixels = np.asarray(plain, np.float32)
    edge = max(1, min(plain.size) // 40)
    rim = np.concatenate([part.reshape(-1, 3) for part in (pixels[:edge], pixels[:, :edge], pixels[:, -edge:])])
    if rim.std(0).max() > 4 or min(plain.size) < 32:
        return None
    even = np.median(rim, 0)
    distance = np.abs(pixels - even).max(2)
    # The background in the shadow of the thing: darker, and of the same tint.
    share = pixels / np.maximum(even, 1)
    shadow = (np.ptp(share, 2) < 0.07) & (share.mean(2) > 0.42) & (share.mean(2) < 1)
    alpha = Image.fromarray(np.where(shadow, 0, np.clip((distance - 10) * 9, 0, 255)).astype(np.uint8))
    # Holes that are as bright as the background, such as a label, belong to the thing.
    closed = alpha.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.MinFilter(9))
    inside = _filled(np.asarray(closed) > 128)
    box = Image.fromarray(inside).getbbox()
    if box is None or not 0.01 < inside.mean() < 0.9:
        return None
    soft = Image.fromarray(inside.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(0.8))
    plain.putalpha(soft)
    return plain.crop(box)


def _filled(shape: Array) -> Array:
    """A shape with its holes filled: what is between its first and last pixel both in its row and in its column."""
    rows = np.maximum.accumulate(shape, 1) & np.maximum.accumulate(shape[:, ::-1], 1)[:, ::-1]
    columns = np.maximum.accumulate(shape, 0) & np.maximum.accumulate(shape[::-1], 0)[::-1]
    return shape | (rows & columns & _near(shape))


def _near(shape: Array) -> Array:
    """Within a sixth of the picture of the shape."""
    small = Image.fromarray(shape.astype(np.uint8) * 255)
    half = max(1, min(small.size) // 24)
    little = small.reduce(4).filter(ImageFilter.MaxFilter(half // 2 * 2 + 1))
    return np.asarray(little.resize(small.size)) > 64


def _grown(pixels: Array) -> Array | None:
    """The picture continued into even grey at its sides, as padding for outpainting leaves it; None without such a side."""
    levels = np.round(pixels * 255)
    grey = ((levels >= GREY[0]) & (levels <= GREY[1])).all(2)
    rows, columns = np.flatnonzero(grey.mean(1) < 0.97), np.flatnonzero(grey.mean(0) < 0.97)
    if not (len(rows) and len(columns)):
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    height, width = grey.shape
    if min(bottom - top, right - left) < 8 or (bottom - top) * (right - left) > 0.97 * height * width:
        return None
    room = ((top, height - bottom), (left, width - right), (0, 0))
    # The outermost pixels are mixed with the grey.
    inner = pixels[
        top + 2 * (top > 0) : bottom - 2 * (bottom < height), left + 2 * (left > 0) : right - 2 * (right < width)
    ]
    more = tuple((a + 2 * (a > 0), b + 2 * (b > 0)) for a, b in room)
    return np.pad(inner, more, mode="symmetric")[:height, :width]


def _framed(picture: Image.Image) -> Image.Image:
    """A photograph as a framed print, where it can't be cut out."""
    plain = on_white(without_caption(picture))
    plain.thumbnail((420, 420))
    edge = max(4, min(plain.size) // 24)
    framed = Image.new("RGBA", (plain.width + 2 * edge, plain.height + 2 * edge), "white")
    framed.paste(plain, (edge, edge))
    return framed
