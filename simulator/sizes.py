"""Which picture size a ratio and a resolution give: Google's published table, and the nearest ratio to a picture.

Pure data and arithmetic; asked by the APIs and by tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

RATIOS_10 = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
RATIOS_14 = (*RATIOS_10, "1:4", "4:1", "1:8", "8:1")

COLUMNS = ("0.5K", "1K", "2K", "4K")

# Ratio -> size at 0.5K, at 1K, and for the first Nano Banana, which knows no resolutions.
# 2K and 4K are multiples of 1K.
# 21:9 at 0.5K is as published, though half of 1K would be 792x336.
_TABLE: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "1:1": ((512, 512), (1024, 1024), (1024, 1024)),
    "2:3": ((424, 632), (848, 1264), (832, 1248)),
    "3:2": ((632, 424), (1264, 848), (1248, 832)),
    "3:4": ((448, 600), (896, 1200), (864, 1184)),
    "4:3": ((600, 448), (1200, 896), (1184, 864)),
    "4:5": ((464, 576), (928, 1152), (896, 1152)),
    "5:4": ((576, 464), (1152, 928), (1152, 896)),
    "9:16": ((384, 688), (768, 1376), (768, 1344)),
    "16:9": ((688, 384), (1376, 768), (1344, 768)),
    "21:9": ((792, 168), (1584, 672), (1536, 672)),
    "1:4": ((256, 1024), (512, 2048), (512, 2048)),
    "4:1": ((1024, 256), (2048, 512), (2048, 512)),
    "1:8": ((192, 1536), (384, 3072), (384, 3072)),
    "8:1": ((1536, 192), (3072, 384), (3072, 384)),
}


def pixels(ratio: str, resolution: str) -> tuple[int, int]:
    """(width, height) for a ratio of the table at `0.5K`, `1K`, `2K`, `4K`, or `""` for the first Nano Banana.

    Raises KeyError for a ratio or resolution outside the table.
    """
    half, one, first = _TABLE[ratio]
    if resolution == "":
        return first
    if resolution == "0.5K":
        return half
    times = {"1K": 1, "2K": 2, "4K": 4}[resolution]
    return one[0] * times, one[1] * times


def nearest_ratio(width: int, height: int, ratios: Sequence[str] = RATIOS_10) -> str:
    """The ratio closest to a picture's shape, by the distance of the logarithms."""

    def distance(ratio: str) -> float:
        across, down = ratio.split(":")
        return abs(math.log(width / height) - math.log(int(across) / int(down)))

    return min(ratios, key=distance)
