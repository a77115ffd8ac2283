"""Text on pictures: the fonts, wrapping, and finding the largest size that fits.

Pillow's own default font is used, so that no font file is needed; a line with a character that it lacks is drawn in a font of
the system that has Chinese, Japanese and Korean, where there is one. What neither has is drawn as a box, so that nothing of a
prompt vanishes silently. Used by `caption.py`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
BOX = "\u25a1"
PLAIN = str.maketrans({"\u2013": "-", "\u2014": "-", "\u00d7": "x", "\u00df": "ss", "\u00f8": "o", "\u2022": "·"})
ELLIPSIS = "…"
WIDE_FONTS = (
    *("msyh.ttc", "simhei.ttf"),  # Windows
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Light.ttc"),  # macOS
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc"),  # Linux
)
"""Files of fonts with Chinese characters, as the systems have them."""
LONGEST = 900
"""Characters of a prompt that are laid out at all."""
_RULER = 64
LINE = 1.28
"""Line height as a multiple of the font size."""


def font(size: int, text: str = "") -> Font:
    """The font in which a line is drawn, at a size in pixels."""
    if not all(_has_glyph(character) for character in text) and (wide := _wide_font(size)) is not None:
        return wide
    return _bundled_font(size)


@lru_cache(maxsize=64)
def _bundled_font(size: int) -> Font:
    return ImageFont.load_default(max(6, size))


@lru_cache(maxsize=64)
def _wide_font(size: int) -> Font | None:
    """A font of the system that has the characters of East Asia; None where none is found."""
    found = _find_wide_font()
    return found.font_variant(size=max(6, size)) if found else None


@lru_cache(maxsize=1)
def _find_wide_font() -> ImageFont.FreeTypeFont | None:
    for name in WIDE_FONTS:
        try:
            return ImageFont.truetype(name, _RULER, layout_engine=ImageFont.Layout.BASIC)
        except OSError:
            continue
    return None


@lru_cache(maxsize=4096)
def _width(text: str) -> float:
    """Width at a size of one pixel; widths scale with the size closely enough."""
    return font(_RULER, text).getlength(text) / _RULER


@lru_cache(maxsize=4096)
def _has_glyph(character: str, wide: bool = False) -> bool:
    if character.isascii():
        return True
    ruler = _wide_font(24) if wide else _bundled_font(24)
    if ruler is None:
        return False
    # Private-use characters have no glyph in any font: what they look like is what missing looks like.
    missing = ruler.getmask("\U000f0000")
    mask = ruler.getmask(character)
    return mask.size != missing.size or bytes(mask) != bytes(missing)


def drawable(text: str) -> str:
    """The text on one line, with boxes in place of what no font has a glyph for."""
    shown = []
    for character in " ".join(text[: LONGEST * 2].translate(PLAIN).split())[:LONGEST]:
        if unicodedata.category(character) in ("Cc", "Cf", "Mn", "Cs"):
            continue
        # An accented letter the font doesn't have is drawn without its accent rather than as a box.
        plain = unicodedata.normalize("NFD", character)[0]
        if _has_glyph(character):
            shown.append(character)
        elif _has_glyph(plain):
            shown.append(plain)
        else:
            shown.append(character if _has_glyph(character, wide=True) else BOX)
    return "".join(shown) + (ELLIPSIS if len(text) > LONGEST else "")


@dataclass
class Block:
    """Lines of text at one size."""

    size: int
    lines: list[str]

    @property
    def height(self) -> int:
        """Pixels from the first line's top to the last line's bottom."""
        return round(self.size * LINE * len(self.lines))


def _wrap(text: str, limit: float) -> list[str]:
    """Lines no wider than `limit` (width at size one); words that are too long are broken."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        candidate = f"{line} {word}" if line else word
        if _width(candidate) <= limit:
            line = candidate
            continue
        if line:
            lines.append(line)
        line = word
        while _width(line) > limit and len(line) > 1:
            cut = max(1, min(len(line) - 1, int(len(line) * limit / _width(line))))
            while cut > 1 and _width(line[:cut]) > limit:
                cut -= 1
            lines.append(line[:cut])
            line = line[cut:]
    if line:
        lines.append(line)
    return lines


def fit(text: str, width: int, height: int, largest: int, smallest: int) -> Block:
    """The text at the largest size that fits the box; cut with an ellipsis when even the smallest doesn't."""
    low, high = min(smallest, largest), max(smallest, largest)
    while low < high:
        middle = (low + high + 1) // 2
        if len(_wrap(text, width / middle)) * middle * LINE <= height:
            low = middle
        else:
            high = middle - 1
    lines = _wrap(text, width / low)
    room = max(1, int(height / (low * LINE)))
    if len(lines) > room:
        lines = lines[:room]
        while lines[-1] and _width(lines[-1] + ELLIPSIS) * low > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] = lines[-1].rstrip() + ELLIPSIS
    return Block(low, lines)


def text_width(text: str, size: int) -> int:
    """Width in pixels."""
    return round(_width(text) * size)


def draw_block(draw: ImageDraw.ImageDraw, spot: tuple[int, int], block: Block, ink: str) -> None:
    """The lines from the top left corner down."""
    across, down = spot
    for number, line in enumerate(block.lines):
        draw.text((across, down + number * block.size * LINE), line, fill=ink, font=font(block.size, line))
