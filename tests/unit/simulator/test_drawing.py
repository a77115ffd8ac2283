"""The simulator's pictures: exact sizes, every shape, any prompt."""

from __future__ import annotations

import io

import pytest
from long_rows import every_value, first
from pack.simulator.drawing import Card, encode
from pack.simulator.sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from pack.simulator.text_layout import BOX, drawable, fit, font
from PIL import Image


def card(width: int, height: int, **more: object) -> Card:
    """A card with plain values."""
    values: dict[str, object] = {
        "provider": "offline",
        "model": "offline",
        "ratio": "1:1",
        "resolution": "1K",
        "seed": 1,
        "variety": 1,
        "slot": 0,
        "count": 1,
        "prompt": "a cat",
    }
    return Card(width, height, **{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(("ratio", "thumbnails"), every_value(RATIOS_14, [0, 1, 14], most=6))
def test_every_ratio_with_and_without_references(ratio: str, thumbnails: int) -> None:
    width, height = pixels(ratio, "0.5K")
    pictures = [Image.new("RGB", (64, 30 + 20 * (number % 3)), "red") for number in range(thumbnails)]
    image = Image.open(io.BytesIO(encode(card(width, height, thumbnails=pictures), "png")))
    assert (image.size, image.mode) == ((width, height), "RGB")


@pytest.mark.parametrize(
    "prompt", first(3, ["", "猫とバナナ " * 50, "🍌\n\n\u200d\x00", " ", "x" * 5000, "word " * 2000, "été"])
)
def test_any_prompt_can_be_drawn(prompt: str) -> None:
    assert encode(card(512, 512, prompt=prompt, footnote="status=429 times=1"), "png")


def test_what_no_font_has_is_shown_as_a_box_and_accents_are_dropped() -> None:
    assert drawable("été \U000f0001") == f"ete {BOX}"
    assert drawable("a\n  b") == "a b"


def test_chinese_is_drawn_in_a_font_of_the_system_where_there_is_one() -> None:
    """A row of boxes under the first picture looks broken."""
    shown = drawable("湖边的小屋 house")
    assert shown in ("湖边的小屋 house", f"{BOX * 5} house")
    looks = {bytes(font(24, each).getmask(each)) for each in "甲丙"}
    assert (len(looks) == 2) == (BOX not in shown)


def test_text_that_does_not_fit_ends_in_an_ellipsis() -> None:
    block = fit("word " * 200, 100, 50, 40, 10)
    assert block.size == 10 and block.lines[-1].endswith("…") and block.height <= 50


@pytest.mark.parametrize(("mode", "form"), [("RGBA", "png"), ("RGBA", "webp"), ("RGBA", "jpeg"), ("L", "png")])
def test_modes_and_formats(mode: str, form: str) -> None:
    image = Image.open(io.BytesIO(encode(card(300, 200, mode=mode), form)))
    assert image.size == (300, 200) and image.format == form.upper()
    assert image.mode == (mode if form != "jpeg" else "RGB")


def test_seeds_and_slots_give_different_pictures_and_the_same_give_equal_ones() -> None:
    first = encode(card(200, 200), "png")
    assert first == encode(card(200, 200), "png")
    assert len({first, encode(card(200, 200, variety=2), "png"), encode(card(200, 200, slot=1), "png")}) == 3


def test_sizes() -> None:
    assert pixels("16:9", "4K") == (5504, 3072)
    assert pixels("2:3", "") == (832, 1248)
    assert pixels("21:9", "0.5K") == (792, 168)
    assert [nearest_ratio(*pixels(ratio, "1K"), RATIOS_14) for ratio in RATIOS_14] == list(RATIOS_14)
    assert nearest_ratio(100, 800, RATIOS_10) == "9:16"
