"""The registry's pictures: of the size that it takes, small, drawn by the code that is here, and named in pyproject.toml."""

import re
from pathlib import Path

import numpy as np
import pytest
from pack.dev import art
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[3]
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
NAMES = ("Icon", "Banner")


def file_of(name: str) -> Path:
    """The file behind an address in pyproject.toml."""
    repository = re.search(r'^Repository = "https://github\.com/(.+)"$', PROJECT, re.M)
    address = re.search(rf'^{name} = "https://raw\.githubusercontent\.com/(.+)/main/(.+)"$', PROJECT, re.M)
    assert repository and address and address[1] == repository[1]
    return ROOT / address[2]


def test_sizes() -> None:
    """A square of up to 400 pixels, and 21:9."""
    with Image.open(file_of("Icon")) as icon, Image.open(file_of("Banner")) as banner:
        assert icon.width == icon.height <= 400
        assert banner.width * 9 == banner.height * 21


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_the_one_that_is_drawn(name: str) -> None:
    path = file_of(name)
    assert path.stat().st_size < 20_000
    drawn = (art.icon if name == "Icon" else art.banner)(Image, ImageDraw)
    with Image.open(path) as kept:
        difference = np.asarray(kept.convert("RGBA"), float) - np.asarray(drawn.convert("RGBA"), float)
    assert np.abs(difference).mean() < 3, "stale: run `python3 dev.py art`"
