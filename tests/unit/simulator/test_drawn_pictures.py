"""What the simulator's pictures show: the words of the prompt, and in an edit the references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pack.simulator.caption import PAPER, caption_height, without_caption
from pack.simulator.drawing import Card, draw_card
from pack.simulator.edit import cut_out, edit
from pack.simulator.prompt_words import read
from pack.simulator.scene import scene
from pack.simulator.subjects import PAINTED, draw_subject
from PIL import Image, ImageOps


def array(image: Image.Image) -> Any:
    return np.asarray(image.convert("RGB"), np.float32)


def likeness(first: Image.Image, second: Image.Image) -> float:
    """How far two pictures have their light and dark in the same places, 1 for equal ones."""
    a, b = (np.asarray(each.convert("L").resize((60, 40)), np.float32).ravel() for each in (first, second))
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("A tram in the rain at night", ("tram", "city", "night", "rain", "")),
        ("a Lighthouse, watercolour", ("lighthouse", "water", "", "", "watercolour")),
        ("Make it winter", ("", "", "day", "snow", "")),
        ("灯塔，黄昏", ("lighthouse", "water", "dusk", "", "")),
        ("careful category", ("", "", "", "", "")),
    ],
)
def test_words_are_found_as_whole_words_in_two_languages(prompt: str, expected: tuple[str, ...]) -> None:
    found = read(prompt)
    assert (found.subject, found.place, found.light, found.weather, found.style) == expected


@pytest.mark.parametrize("name", sorted(PAINTED))
def test_every_subject_is_drawn_and_leaves_the_rest_clear(name: str) -> None:
    alpha = np.asarray(draw_subject(name, 96, (200, 60, 50)).getchannel("A"), np.float32) / 255
    assert 0.02 < alpha.mean() < 0.8 and alpha[0, 0] == 0


def test_prompts_seeds_and_times_of_day_give_different_pictures() -> None:
    pictures = [scene(96, 64, prompt, 1) for prompt in ("a cat by day", "a cat at night", "a boat by day")]
    pictures.append(scene(96, 64, "a cat by day", 2))
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert array(pictures[0]).mean() > array(pictures[1]).mean() + 40


@pytest.mark.parametrize(
    "prompt",
    ["Make it a rainy night", "snow", "fog", "as a pencil drawing", "as an oil painting", "comic", "nicer", ""],
)
def test_an_edit_changes_the_picture_and_keeps_it_recognizable(prompt: str) -> None:
    before = scene(240, 160, "a house by a lake, day", 3)
    after = edit(240, 160, prompt, 1, [before])
    assert np.abs(array(after) - array(before)).mean() > 4
    assert likeness(before, after) > (0.45 if "pencil" in prompt else 0.6)


def test_an_upscale_changes_nothing_but_detail() -> None:
    before = scene(240, 160, "a house by a lake, day", 3)
    assert np.abs(array(edit(240, 160, "Upscale", 1, [before])) - array(before)).mean() < 4


def test_a_mask_sent_along_says_what_may_change() -> None:
    before = scene(240, 160, "a house by a lake, day", 3)
    mask = Image.new("RGB", (240, 160))
    mask.paste((255, 255, 255), (80, 40, 160, 120))
    after = array(
        edit(240, 160, "Make it night. The last picture is the mask of the first picture.", 1, [before, mask])
    )
    changed = np.abs(after - array(before)).max(2)
    assert changed[:30].max() <= 1 and changed[60:100, 100:140].mean() > 20


def test_what_stands_before_an_even_background_is_put_into_the_photograph() -> None:
    product = scene(160, 160, "a red armchair, studio photograph on a white background", 1)
    place = scene(240, 160, "a beach by day", 2)
    assert cut_out(place) is None
    thing = cut_out(product)
    assert thing is not None and thing.width < 150
    result = edit(240, 160, "Put the chair of picture 1 into picture 2", 1, [product, place])
    changed = np.abs(array(result) - array(place)).max(2) > 12
    assert 0.05 < changed.mean() < 0.6 and changed[90:140, 90:150].mean() > 0.7


def test_grey_padding_is_filled_with_more_of_the_picture() -> None:
    inner = scene(120, 96, "a beach at dusk", 2)
    padded = ImageOps.expand(inner, (40, 0), (127, 127, 127))
    result = array(edit(200, 96, "Continue the picture", 1, [padded]))
    assert np.abs(result[:, 44:156] - array(inner)[:, 4:116]).max() <= 2
    assert (np.abs(result[:, :36] - 127).max(2) > 8).mean() > 0.8


def test_the_views_of_a_character_are_side_by_side() -> None:
    girl = scene(120, 160, "a girl in a green jacket, plain background", 1)
    result = array(edit(320, 160, "Character turnaround: front, side, back", 1, [girl]))
    filled = (np.abs(result - result[0, 0]).max(2) > 30).any(0)
    assert np.count_nonzero(np.diff(filled.astype(int)) == 1) == 4


def test_the_caption_of_an_edit_covers_that_of_its_reference() -> None:
    values: dict[str, Any] = {"provider": "offline", "model": "offline", "ratio": "3:2", "resolution": "0.5K"}
    more: dict[str, Any] = {"seed": 1, "variety": 1, "slot": 0, "count": 1}
    first = draw_card(Card(632, 424, prompt="a boat", **values, **more))
    second = draw_card(Card(632, 424, prompt="night", thumbnails=[first], **values, **more))
    height = 424 - caption_height(632, 424)
    assert second.getpixel((2, height + 2)) == PAPER and second.getpixel((2, height - 2)) != PAPER
    assert without_caption(second).size == (632, height - 1)
    assert without_caption(first.crop((0, 0, 632, height - 20))).height == height - 20
