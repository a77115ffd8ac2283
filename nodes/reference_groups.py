"""Which reference images go into which request of an edit, as `batch_mode` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.errors import Impossible
from ..core.errors.messages import msg
from ..core.images.picture import Picture

TOGETHER, EACH, PAIRED = "together", "each", "each paired"
MAX_IMAGES = 14
SOCKETS = {f"image_{i}": i for i in range(1, MAX_IMAGES + 1)}
"""Name of an image input -> its number."""

Groups = tuple[list[list[Picture]], list[str]]
"""The references of each request, and a notice where a prompt can't tell which picture has which number."""


def reference_groups(mode: str, sockets: Sequence[str], frames: Mapping[str, Sequence[Picture]]) -> Groups:
    """Groups the frames of the connected `sockets`, the first of which is image_1. Raises Impossible."""
    if mode == TOGETHER:
        return _together(sockets, frames)
    if mode == EACH:
        return _each(sockets, frames)
    if mode == PAIRED:
        return _paired(sockets, frames)
    raise Impossible(
        msg("reference_groups.unknown_batch_mode", mode=mode[:40]),
        cure=msg("reference_groups.choose_batch_mode", together=TOGETHER, each=EACH, paired=PAIRED),
    )


def frame_name(socket: str, index: int, count: int) -> str:
    """How a notice names a frame, of `count` at its socket."""
    return socket if count == 1 else f"{socket} frame {index + 1}"


def _together(sockets: Sequence[str], frames: Mapping[str, Sequence[Picture]]) -> Groups:
    order = [(name, i) for name in sockets for i in range(len(frames[name]))]
    obvious = _has_no_gap(sockets) and all(len(frames[name]) == 1 for name in sockets)
    return [[frames[name][i] for name, i in order]], [] if obvious else [_numbering(order, frames, 1)]


def _each(sockets: Sequence[str], frames: Mapping[str, Sequence[Picture]]) -> Groups:
    others = [(name, i) for name in sockets[1:] for i in range(len(frames[name]))]
    shared = [frames[name][i] for name, i in others]
    obvious = not others or (_has_no_gap(sockets) and all(len(frames[name]) == 1 for name in sockets[1:]))
    notices = [] if obvious else [msg("reference_groups.picture_numbering", numbering=_numbering(others, frames, 2))]
    return [[frame, *shared] for frame in frames["image_1"]], notices


def _paired(sockets: Sequence[str], frames: Mapping[str, Sequence[Picture]]) -> Groups:
    lengths = {name: len(frames[name]) for name in sockets}
    count = max(lengths.values())
    if any(length not in (1, count) for length in lengths.values()):
        listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise Impossible(
            msg("reference_groups.paired_needs_equal_counts", listed=listed),
            cure=msg("reference_groups.cut_batches_to_one_length"),
        )
    if lengths["image_1"] != count:
        raise Impossible(
            msg("reference_groups.paired_follows_image_1", count=count),
            cure=msg("reference_groups.connect_batch_to_image_1"),
        )
    groups = [[frames[name][i if lengths[name] > 1 else 0] for name in sockets] for i in range(count)]
    listed = ", ".join(f"picture {number} = {name}" for number, name in enumerate(sockets, 1))
    return groups, [] if _has_no_gap(sockets) else [listed]


def _has_no_gap(sockets: Sequence[str]) -> bool:
    return list(sockets) == list(SOCKETS)[: len(sockets)]


def _numbering(order: Sequence[tuple[str, int]], frames: Mapping[str, Sequence[Picture]], first: int) -> str:
    names = (frame_name(name, i, len(frames[name])) for name, i in order)
    return ", ".join(f"picture {number} = {name}" for number, name in enumerate(names, first))
