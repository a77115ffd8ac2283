"""The small copies that nodes show after a run: written once for a picture, and never more than so many bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from pack import comfyui
from pack.core.execution.image_task import ImageTask
from pack.core.request import Options, Request
from pack.nodes import preview_files
from pack.nodes.output_image import OutputImage
from PIL import Image

REQUEST = Request("generate", "a hat", Options())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the previews are written; nothing is known of it at the beginning, as after a start."""
    monkeypatch.setattr(comfyui, "temp_folder", lambda: tmp_path)
    monkeypatch.setattr(preview_files, "_unchecked_bytes", preview_files.MOST_BYTES)
    return tmp_path / preview_files.SUBFOLDER


def picture(seed: int, side: int = 64) -> OutputImage:
    """Noise, which is about as large as JPEG gets."""
    generator = torch.Generator().manual_seed(seed)
    (slot,) = REQUEST.slots()
    image = torch.rand(side, side, 3, generator=generator)
    return OutputImage(image, torch.zeros(side, side), ImageTask(slot, REQUEST), "provider")


def shown(*images: OutputImage) -> list[str]:
    """The names of the files that were written for these pictures."""
    return [json.loads(each)["filename"] for each in preview_files.preview_files(images)]


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def test_a_picture_that_is_shown_again_is_written_once(folder: Path) -> None:
    first, second = shown(picture(1), picture(2))
    assert shown(picture(2)) == [second] and first != second
    assert names(folder) == {first, second}
    with Image.open(folder / first) as image:
        image.load()
        assert image.size == (64, 64)


def test_pictures_of_two_sizes_have_files_of_their_own(folder: Path) -> None:
    """One colour: their small copies are the same, and the page keeps the size by the file's name."""
    black = [picture(1, side) for side in (1024, 2048)]
    for each in black:
        each.image.zero_()
    assert len(set(shown(*black))) == 2


def test_what_was_shown_longest_ago_is_deleted_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = shown(picture(0))
    size = (folder / first).stat().st_size
    monkeypatch.setattr(preview_files, "MOST_BYTES", 4 * size + size // 2)
    others = [shown(picture(number))[0] for number in range(1, 4)]
    for age, name in enumerate((*reversed(others), first)):
        os.utime(folder / name, (1000 - age, 1000 - age))
    assert shown(picture(0)) == [first]  # the oldest becomes the newest
    (new,) = shown(picture(4))
    assert names(folder) == {first, new, *others[1:]}


def test_an_output_that_is_larger_than_all_of_it_is_shown_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the node would show gaps."""
    (old,) = shown(picture(0))
    monkeypatch.setattr(preview_files, "MOST_BYTES", 1)
    new = shown(*(picture(number) for number in range(1, 4)))
    assert names(folder) == set(new) and old not in new


def test_what_a_crash_left_half_written_is_deleted_in_its_turn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True)
    (folder / "0123.part").write_bytes(b"x" * 5000)
    os.utime(folder / "0123.part", (1, 1))
    monkeypatch.setattr(preview_files, "MOST_BYTES", 1)
    (new,) = shown(picture(1))
    assert names(folder) == {new}


def test_a_folder_that_cannot_be_written_shows_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures themselves are in the results."""
    (tmp_path / "temp").write_text("a file where the folder should be")
    monkeypatch.setattr(comfyui, "temp_folder", lambda: tmp_path / "temp")
    assert shown(picture(1)) == []
