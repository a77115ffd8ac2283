"""The sizes in px that the models' makers document, by model family, resolution and aspect ratio.

From Google's image generation guide (read August to October 2026), which agrees with pictures that were measured: 16:9 at all
resolutions, 3:2 at 1K, 1:1 at 1K. At 0.5K its 21:9 is printed as 792x168; half of 1K would be 792x336, so both count as
documented. A provider may give other sizes: they are for what is told, never for refusing a result.
"""

from __future__ import annotations

from collections.abc import Mapping

Size = tuple[int, int]
"""Width and height in px."""
SizeTable = Mapping[str, Mapping[str, tuple[Size, ...]]]
"""Resolution -> ratio -> the documented sizes."""

_AT_1K: dict[str, Size] = {
    "1:1": (1024, 1024),
    "2:3": (848, 1264),
    "3:2": (1264, 848),
    "3:4": (896, 1200),
    "4:3": (1200, 896),
    "4:5": (928, 1152),
    "5:4": (1152, 928),
    "9:16": (768, 1376),
    "16:9": (1376, 768),
    "21:9": (1584, 672),
    "1:4": (512, 2048),
    "4:1": (2048, 512),
    "1:8": (384, 3072),
    "8:1": (3072, 384),
}
_AT_HALF_K: dict[str, tuple[Size, ...]] = {
    "1:1": ((512, 512),),
    "2:3": ((424, 632),),
    "3:2": ((632, 424),),
    "3:4": ((448, 600),),
    "4:3": ((600, 448),),
    "4:5": ((464, 576),),
    "5:4": ((576, 464),),
    "9:16": ((384, 688),),
    "16:9": ((688, 384),),
    "21:9": ((792, 168), (792, 336)),
    "1:4": ((256, 1024),),
    "4:1": ((1024, 256),),
    "1:8": ((192, 1536),),
    "8:1": ((1536, 192),),
}
_FIRST: dict[str, Size] = {
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:2": (1248, 832),
    "3:4": (864, 1184),
    "4:3": (1184, 864),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "9:16": (768, 1344),
    "16:9": (1344, 768),
    "21:9": (1536, 672),
}


def _times(factor: int) -> dict[str, tuple[Size, ...]]:
    return {ratio: ((width * factor, height * factor),) for ratio, (width, height) in _AT_1K.items()}


_THIRD_GENERATION: SizeTable = {"0.5K": _AT_HALF_K, "1K": _times(1), "2K": _times(2), "4K": _times(4)}
SIZES_BY_FAMILY: Mapping[str, SizeTable] = {
    "pro": _THIRD_GENERATION,
    "flash": _THIRD_GENERATION,
    "flash2.1": _THIRD_GENERATION,
    "first": {"1K": {ratio: (size,) for ratio, size in _FIRST.items()}},
}
"""Model family -> its sizes. For a family that isn't here none are known."""

USUAL_SIDES = {"0.5K": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Resolution -> about the side in px of a square of the same area, for models whose sizes aren't documented."""


def documented_sizes(ratio: str) -> tuple[Size, ...]:
    """Every size that any model documents for a ratio, at whichever resolution."""
    tables = [*_THIRD_GENERATION.values(), *SIZES_BY_FAMILY["first"].values()]
    return tuple(size for table in tables for size in table.get(ratio, ()))
