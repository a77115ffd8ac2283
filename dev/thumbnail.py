"""`python thumbnail.py SOURCE TARGET WIDTH`: a small JPEG of a picture. `demo_command.py` runs it where Pillow is."""

import sys
from importlib import import_module


def main(source: str, target: str, width: int) -> None:
    """Writes `target`, `width` pixels wide, alpha on white."""
    image_module = import_module("PIL.Image")
    with image_module.open(source) as opened:
        picture = opened.convert("RGBA")
    white = image_module.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    height = max(1, round(picture.height * width / picture.width))
    small = white.convert("RGB").resize((width, height), image_module.Resampling.LANCZOS)
    small.save(target, quality=85, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
