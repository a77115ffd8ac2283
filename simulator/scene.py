"""A picture made from words alone: a subject in a place, under a light, in a style.

The same words, size and number give the same picture. Used by `drawing.py` and `edit.py`.
"""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import numpy as np
from PIL import Image, ImageFilter

from .backdrop import Ground, backdrop
from .effects import relight, stylize, to_image, vignette, weather
from .prompt_words import PromptWords, read
from .subjects import colour_of, draw_subject

INDOORS = {
    "bottle": "studio",
    "cup": "room",
    "armchair": "studio",
    "banana": "studio",
    "sphere": "studio",
    "flower": "room",
}
"""Where a subject is when the prompt doesn't say."""
SIZES = {"banana": 0.5, "cup": 0.5, "sphere": 0.5, "car": 0.62, "bird": 0.5, "balloon": 0.55, "lighthouse": 0.78}
"""A subject's height as a share of the shorter side; the others are 0.66."""
LIGHT_ORDER = ("day", "dusk", "day", "grey", "dusk", "night")
PANELS = 4


def scene(width: int, height: int, prompt: str, variety: int) -> Image.Image:
    """An RGB picture of the prompt."""
    words = read(prompt)
    if words.sheet and min(width, height) >= 96:
        return _sheet(width, height, prompt, variety, words)
    return _single(width, height, prompt, variety, words)


def chance_of(prompt: str, variety: int) -> np.random.Generator:
    """Random numbers that are the same for the same words and number."""
    return np.random.default_rng([variety % 2**32, crc32(prompt.encode("utf-8", "replace"))])


def _single(width: int, height: int, prompt: str, variety: int, words: PromptWords) -> Image.Image:
    chance = chance_of(prompt, variety)
    place = words.place or INDOORS.get(words.subject, "")
    light = words.light or ("grey" if words.weather else "day" if place == "studio" else LIGHT_ORDER[variety % 6])
    ground = enlarged(backdrop(place, light, *background_size(width, height), chance), width, height)
    picture = to_image(ground.pixels)
    if words.subject:
        size = round(min(width, height) * SIZES.get(words.subject, 0.66))
        thing = draw_subject(words.subject, size, colour_of(prompt, variety), light in ("night", "dusk"))
        thing = lit_as(thing, light if place != "studio" else "")
        floor = (
            0.5 + SIZES.get(words.subject, 0.66) * 0.5
            if words.subject == "balloon" and place != "studio"
            else ground.floor
        )
        stand(picture, thing, width // 2, round(height * floor), ground.mirrors, words.subject != "balloon")
    pixels = weather(np.asarray(picture, np.float32) / 255, words.weather, chance)
    if place != "studio":
        pixels = vignette(pixels)
    return to_image(stylize(pixels, words.style, chance))


def background_size(width: int, height: int) -> tuple[int, int]:
    """What a background is drawn at: at most 0.35 million pixels."""
    scale = min(1.0, (350_000 / (width * height)) ** 0.5)
    return max(16, round(width * scale)), max(16, round(height * scale))


def enlarged(ground: Ground, width: int, height: int) -> Ground:
    """The background at the picture's size."""
    big = to_image(ground.pixels).resize((width, height), Image.Resampling.BICUBIC)
    return replace(ground, pixels=np.asarray(big, np.float32) / 255)


def lit_as(thing: Image.Image, light: str) -> Image.Image:
    """A cut-out under the light of the picture that it comes into; as it is for an empty name or by day."""
    if light in ("", "day"):
        return thing
    pixels = np.asarray(thing.convert("RGB"), np.float32) / 255
    result = to_image(pixels + (relight(pixels, light) - pixels) * 0.7)
    result.putalpha(thing.getchannel("A"))
    return result


def scaled(thing: Image.Image, scale: float) -> Image.Image:
    """A cut-out `scale` times as large."""
    size = (max(8, round(thing.width * scale)), max(8, round(thing.height * scale)))
    return thing.resize(size, Image.Resampling.BICUBIC)


def stand(picture: Image.Image, thing: Image.Image, x: int, feet: int, mirrors: bool, shadow: bool = True) -> None:
    """Puts a cut-out into a picture, its feet at `feet`, with a shadow or a reflection under it."""
    left, top = x - thing.width // 2, feet - thing.height
    if mirrors:
        below = thing.transpose(Image.Transpose.FLIP_TOP_BOTTOM).filter(ImageFilter.GaussianBlur(thing.height / 90))
        fade = Image.linear_gradient("L").rotate(180).resize(below.size).point(lambda value: value * 0.42)
        faded = Image.fromarray(
            (np.asarray(below.getchannel("A"), np.float32) * np.asarray(fade) / 255).astype(np.uint8)
        )
        picture.paste(below.convert("RGB"), (left, feet - 1), faded)
    elif shadow:
        _shadow(picture, thing, x, feet)
    picture.paste(thing.convert("RGB"), (left, top), thing.getchannel("A"))


def _shadow(picture: Image.Image, thing: Image.Image, x: int, feet: int) -> None:
    """The dark and soft patch that a thing has under it."""
    extent = thing.getchannel("A").crop((0, thing.height * 4 // 5, thing.width, thing.height)).getbbox()
    if extent is None:
        return
    wide, tall = max(8, round((extent[2] - extent[0]) * 1.15)), max(6, thing.height // 14)
    room = (wide * 2, tall * 4)
    patch = Image.radial_gradient("L").resize(room).point(lambda value: max(0, 150 - value) * 0.75)
    middle = x - thing.width // 2 + (extent[0] + extent[2]) // 2
    picture.paste((22, 22, 30), (middle - room[0] // 2, feet - room[1] // 2 - tall // 4), patch)


def _sheet(width: int, height: int, prompt: str, variety: int, words: PromptWords) -> Image.Image:
    """Several pictures on one: a contact sheet of four, or the views of a character."""
    if words.sheet == "turnaround":
        plain = replace(words, sheet="", place="studio", subject=words.subject or "person")
        whole = _single(width, height, prompt, variety, replace(plain, subject=""))
        thing = draw_subject(plain.subject, round(min(height * 0.8, width * 0.36)), colour_of(prompt, variety))
        turnaround(whole, thing)
        return whole
    gap = max(2, min(width, height) // 110)
    wide, tall = (width - gap) // 2, (height - gap) // 2
    whole = Image.new("RGB", (width, height), "white")
    lights = [words.light] * PANELS if words.light else ["day", "dusk", "night", "grey"]
    for number, light in enumerate(lights):
        one = replace(words, sheet="", light=light, weather=words.weather or ("fog" if light == "grey" else ""))
        picture = _single(wide, tall, prompt, variety + number, one)
        whole.paste(picture, ((number % 2) * (wide + gap), (number // 2) * (tall + gap)))
    return whole


def turnaround(picture: Image.Image, thing: Image.Image) -> None:
    """Front, half, side and back view of a cut-out, side by side."""
    views = ((1.0, False, 1.0), (0.84, False, 0.97), (0.55, False, 0.93), (1.0, True, 0.72))
    for number, (narrow, turned, bright) in enumerate(views):
        view = thing.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if turned else thing
        view = view.resize((max(8, round(thing.width * narrow)), thing.height), Image.Resampling.BICUBIC)
        shaded = view.convert("RGB").point(lambda value, bright=bright: value * bright)
        shaded.putalpha(view.getchannel("A"))
        stand(
            picture, shaded, round(picture.width * (0.5 + (number - 1.5) * 0.235)), round(picture.height * 0.9), False
        )
