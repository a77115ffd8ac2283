"""`python thumbnail.py TARGET SIZE BEFORE [BEFORE ...] -- AFTER [AFTER ...]`: the square picture of a template.

One scene before and after is shown as the two halves of one picture; others in rows: what went in above or below what came out.
`demo_command.py` runs it where Pillow is.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

GAP = 6
Pictures = list[Any]
"""Pillow images: Pillow isn't needed to read this file."""


def composed(size: int, before: Pictures, after: Pictures) -> Any:
    """The square that shows what goes in and what comes out."""
    ops = import_module("PIL.ImageOps")
    square = import_module("PIL.Image").new("RGB", (size, size), "white")
    pair = len(before) == len(after) == 1
    if pair and _alike(before[0], after[0]):
        square.paste(ops.fit(before[0], (size, size)))
        square.paste("white", (size // 2 - GAP // 2, 0, size, size))
        square.paste(
            ops.fit(after[0], (size, size)).crop((size // 2 + GAP // 2, 0, size, size)), (size // 2 + GAP // 2, 0)
        )
        return square
    top, rows = 0, _rows(before, after)
    for share, pictures in rows:
        tall = round(share * (size - GAP * (len(rows) - 1)))
        wide = (size - GAP * (len(pictures) - 1)) // len(pictures)
        for number, picture in enumerate(pictures):
            whole = pair and picture.width < picture.height * 1.3
            drawn = ops.pad(picture, (wide, tall), color=(236, 236, 240)) if whole else ops.fit(picture, (wide, tall))
            square.paste(drawn, (number * (wide + GAP), top))
        top += tall + GAP
    return square


def _rows(before: Pictures, after: Pictures) -> list[tuple[float, Pictures]]:
    """The pictures of each row, and the row's share of the height."""
    if before and len(before) == len(after):
        return [(0.5, before), (0.5, after)]
    if before and len(after) == 1:
        return [(0.7, after), (0.3, before)]
    every = [*before, *after]
    pairs = [every[start : start + 2] for start in range(0, len(every), 2)]
    return [(1 / len(pairs), pair) for pair in pairs]


def _alike(first: Any, second: Any) -> bool:
    """Whether both show the same scene in the same shape, so that the half of each is one picture."""
    if abs(first.width / first.height - second.width / second.height) > 0.1:
        return False
    numpy = import_module("numpy")
    values = [numpy.asarray(each.convert("L").resize((48, 48)), numpy.float32).ravel() for each in (first, second)]
    return bool(numpy.corrcoef(*values)[0, 1] > 0.3)


def _opened(path: str) -> Any:
    """RGB, alpha on white, without the caption of the simulation."""
    image_module = import_module("PIL.Image")
    with image_module.open(path) as opened:
        picture = opened.convert("RGBA")
    white = image_module.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return import_module("simulator.caption").without_caption(white.convert("RGB"))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    target, size, *paths = sys.argv[1:]
    split = paths.index("--")
    made = composed(
        int(size), [_opened(path) for path in paths[:split]], [_opened(path) for path in paths[split + 1 :]]
    )
    made.save(target, quality=84, optimize=True)
