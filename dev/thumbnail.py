"""`python thumbnail.py TARGET SIZE BEFORE [BEFORE ...] -- AFTER [AFTER ...]`: the square picture of a template.

One picture before and one after are shown as the two halves of one; several in columns, as a grid, or with what went in below
the result.
`demo_command.py` runs it where Pillow is.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

GAP = 6
Pictures = list[Any]
"""Pillow images: Pillow isn't needed to read this file."""


def main(target: str, size: int, before: list[str], after: list[str]) -> None:
    """Writes `target`, a JPEG of `size` pixels each way."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    composed(size, _opened(before), _opened(after)).save(target, quality=84, optimize=True)


def composed(size: int, before: Pictures, after: Pictures) -> Any:
    """The square that shows what goes in and what comes out."""
    if len(before) == len(after) == 1 and _alike(before[0], after[0]):
        return _halves(size, before[0], after[0])
    if before and len(before) == len(after):
        return _columns(size, before, after)
    if len(after) == 1 and before:
        return _inserted(size, before, after[0])
    return _grid(size, [*before, *after])


def _alike(first: Any, second: Any) -> bool:
    """Whether both show the same scene in the same shape, so that the half of each is one picture."""
    if abs(first.width / first.height - second.width / second.height) > 0.1:
        return False
    numpy = import_module("numpy")
    values = [numpy.asarray(each.convert("L").resize((48, 48)), numpy.float32).ravel() for each in (first, second)]
    return bool(numpy.corrcoef(*values)[0, 1] > 0.3)


def _halves(size: int, before: Any, after: Any) -> Any:
    """The left half of what was, the right half of what became of it."""
    square = _cut(before, size, size)
    square.paste(_cut(after, size, size).crop((size // 2, 0, size, size)), (size // 2, 0))
    square.paste("white", (size // 2 - GAP // 2, 0, size // 2 + GAP // 2, size))
    return square


def _columns(size: int, before: Pictures, after: Pictures) -> Any:
    """Each pair in a column: what was above what became of it."""
    square = _white(size)
    wide, tall = (size - GAP * (len(before) - 1)) // len(before), (size - GAP) // 2
    for number, pair in enumerate(zip(before, after, strict=True)):
        for row, picture in enumerate(pair):
            whole = len(before) == 1 and picture.width < picture.height * 1.3
            square.paste(
                _whole(picture, wide, tall) if whole else _cut(picture, wide, tall),
                (number * (wide + GAP), row * (tall + GAP)),
            )
    return square


def _inserted(size: int, before: Pictures, after: Any) -> Any:
    """The result, and below it in a row what it was made from."""
    square = _white(size)
    low = size * 3 // 10
    square.paste(_cut(after, size, size - low - GAP), (0, 0))
    wide = (size - GAP * (len(before) - 1)) // len(before)
    for number, picture in enumerate(before):
        square.paste(_cut(picture, wide, low), (number * (wide + GAP), size - low))
    return square


def _grid(size: int, pictures: Pictures) -> Any:
    """All of them; one alone fills the square."""
    square = _white(size)
    across = 1 if len(pictures) == 1 else 2
    rows = -(-len(pictures) // across)
    tall = (size - GAP * (rows - 1)) // rows
    for number, picture in enumerate(pictures):
        alone = number == len(pictures) - 1 and number % across == 0
        wide = size if alone else (size - GAP) // across
        square.paste(
            _cut(picture, wide, tall), (number % across * (size // across + GAP // 2), number // across * (tall + GAP))
        )
    return square


def _cut(picture: Any, width: int, height: int) -> Any:
    """The middle of a picture at this size."""
    ops = import_module("PIL.ImageOps")
    return ops.fit(picture, (width, height))


def _whole(picture: Any, width: int, height: int) -> Any:
    """All of a picture at this size, beside it a light grey."""
    ops = import_module("PIL.ImageOps")
    return ops.pad(picture, (width, height), color=(236, 236, 240))


def _opened(paths: list[str]) -> Pictures:
    """RGB, alpha on white, without the caption of the simulation."""
    image_module = import_module("PIL.Image")
    caption = import_module("simulator.caption")
    found = []
    for path in paths:
        with image_module.open(path) as opened:
            picture = opened.convert("RGBA")
        white = image_module.new("RGBA", picture.size, "white")
        white.alpha_composite(picture)
        found.append(caption.without_caption(white.convert("RGB")))
    return found


def _white(size: int) -> Any:
    return import_module("PIL.Image").new("RGB", (size, size), "white")


if __name__ == "__main__":
    split = sys.argv.index("--")
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:split], sys.argv[split + 1 :])
