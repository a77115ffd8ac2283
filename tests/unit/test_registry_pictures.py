"""The registry's pictures: of the size that it takes, small, and named in pyproject.toml."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")


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


@pytest.mark.parametrize("name", ["Icon", "Banner"])
def test_they_are_small_and_have_the_shape_of_their_drawing(name: str) -> None:
    path = file_of(name)
    assert path.stat().st_size < 20_000
    drawing = ElementTree.parse(path.with_suffix(".svg")).getroot()
    with Image.open(path) as picture:
        assert (drawing.get("width"), drawing.get("height")) == tuple(map(str, picture.size))
