"""Tells where a result has another size or shape than was asked for.

Compared is what the graph asked for, with the sizes that the model's makers document; where none are known, the shape, and
roughly the resolution. What was left to the provider is not compared. A result is never refused for its size.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors.messages import msg
from ..planning.negotiate import ResolvedRequest, by_distance, ratio_value
from ..providers.sizes import USUAL_SIDES, Size, SizeTable, documented_sizes
from ..providers.spec import RATIOS
from ..request import Request
from .image_task import ImageTask

SIDE_TOLERANCE = 0.10
RATIO_TOLERANCE = 0.02
ROUGH_FACTOR = 1.6
"""How far a side may be off where only the name of the resolution is known: 3840x2160 is called 4K, too."""


def size_notices(tasks: Sequence[ImageTask]) -> dict[str, list[int]]:
    """A notice for each way in which results differ from what was asked for -> the frames that it is about.

    It has both sizes, and how many results it is where it isn't all of them.
    """
    found: dict[tuple[str, Size], list[int]] = {}
    results = 0
    for task in tasks:
        if task.result is None or task.made_by is None:
            continue
        results += 1
        height, width = task.result.pixels.shape[:2]
        asked = mismatch(task.made_by, task.request, (width, height))
        if asked:
            found.setdefault((asked, (width, height)), []).append(task.slot.frame)
    return {
        msg("size_check.other_size", asked=asked, width=width, height=height)
        if len(frames) == results
        else msg(
            "size_check.other_size_of_some", asked=asked, width=width, height=height, count=len(frames), total=results
        ): frames
        for (asked, (width, height)), frames in found.items()
    }


def mismatch(resolved: ResolvedRequest, request: Request, size: Size) -> str:
    """What was asked for, in words, where a result of `size` is something else; "" where it is that."""
    ratio = str(dict(resolved.options).get("aspect_ratio", ""))
    ratio = ratio if ":" in ratio else ""  # the provider's own word for the ratio of the first image
    resolution = "" if request.options.resolution == "auto" else request.options.resolution
    is_own_id = resolved.model_id == resolved.capabilities.model_id  # of another one nothing is known
    table = resolved.model.sizes if is_own_id else {}
    if resolution and not _has_resolution(size, ratio, resolution, table):
        return _words(ratio, resolution, table)
    first = resolved.first_picture if request.operation == "edit" else None
    if ratio:
        # On an edit with auto it is only the nearest that could be asked for: the first image's own shape is better.
        is_auto = first is not None and request.options.aspect_ratio == "auto"
        own = [(first.width, first.height)] if first is not None and is_auto else []
        return "" if _has_shape(size, [ratio], *own) else _words(ratio, resolution, table)
    if first is None or _has_shape(size, _nearest(first.width, first.height, resolved), (first.width, first.height)):
        return ""
    return msg("size_check.ratio_of_first_image", width=first.width, height=first.height)


def _words(ratio: str, resolution: str, table: SizeTable) -> str:
    """16:9 at 4K (5504x3072)"""
    if not ratio or not resolution:
        return ratio or resolution
    sizes = table.get(resolution, {}).get(ratio)
    if not sizes:
        return msg("size_check.ratio_at_resolution", ratio=ratio, resolution=resolution)
    width, height = sizes[-1]
    return msg("size_check.ratio_at_size", ratio=ratio, resolution=resolution, width=width, height=height)


def _has_resolution(size: Size, ratio: str, resolution: str, table: SizeTable) -> bool:
    """Whether a size is documented for a ratio at a resolution; where no ratio was asked for, whether its area is."""
    if resolution not in table:
        usual = USUAL_SIDES[resolution]
        return usual / ROUGH_FACTOR <= _mean_side(size) <= usual * ROUGH_FACTOR
    wanted = table[resolution].get(ratio, ())
    if wanted:
        return any(
            all(abs(have - want) <= SIDE_TOLERANCE * want for have, want in zip(size, each, strict=True))
            for each in wanted
        )
    sides = [_mean_side(each) for sizes in table[resolution].values() for each in sizes]
    return min(sides) * (1 - SIDE_TOLERANCE) <= _mean_side(size) <= max(sides) * (1 + SIDE_TOLERANCE)


def _mean_side(size: Size) -> float:
    """The side of a square of the same area."""
    return float((size[0] * size[1]) ** 0.5)


def _has_shape(size: Size, ratios: Sequence[str], *others: Size) -> bool:
    """Whether a size has one of `ratios`, as they are written or as any model documents them, or the shape of `others`."""
    shape = size[0] / size[1]
    documented = [other for ratio in ratios for other in documented_sizes(ratio)]
    wanted = [*map(ratio_value, ratios), *(width / height for width, height in (*documented, *others))]
    return any(abs(shape / each - 1) <= RATIO_TOLERANCE for each in wanted)


def _nearest(width: int, height: int, resolved: ResolvedRequest) -> list[str]:
    """The ratios that a provider may take for the nearest to that of a picture: two where it is between them."""
    found = []
    for ratios in (resolved.capabilities.ratios, RATIOS):
        nearest = by_distance(width, height, ratios)[:2]
        distances = [
            max(width / height / ratio_value(each), ratio_value(each) * height / width) - 1 for each in nearest
        ]
        found += nearest if len(nearest) > 1 and distances[1] <= 1.5 * distances[0] else nearest[:1]
    return found
