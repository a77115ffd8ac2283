"""Which reference images go into which request of an edit, as `batch_mode` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..core.errors import InvalidInput
from ..core.errors.messages import listed, msg
from ..core.request import Request

TOGETHER, EACH, PAIRED = "together", "each", "each paired"
MAX_IMAGES = 14
SOCKETS = {f"image_{i}": i for i in range(1, MAX_IMAGES + 1)}
"""Name of an image input -> its number."""

T = TypeVar("T")
Groups = tuple[list[list[T]], list[str]]
"""The references of each request, and a notice where a prompt can't tell which picture has which number."""


def reference_groups(mode: str, sockets: Sequence[str], frames: Mapping[str, Sequence[T]]) -> Groups[T]:
    """Groups the frames of the connected `sockets`, the first of which is image_1. Raises InvalidInput."""
    if mode == TOGETHER:
        return _together(sockets, frames)
    if mode == EACH:
        return _each(sockets, frames)
    if mode == PAIRED:
        return _paired(sockets, frames)
    raise InvalidInput(
        msg("reference_groups.unknown_batch_mode", mode=mode[:40]),
        cure=msg("reference_groups.choose_batch_mode", together=TOGETHER, each=EACH, paired=PAIRED),
    )


def reference_sources(mode: str, sockets: Sequence[str], counts: Mapping[str, int]) -> list[list[tuple[str, int]]]:
    """(socket, frame) of each reference of each request, in the order of `reference_groups`. `counts`: frames by socket."""
    return reference_groups(mode, sockets, {name: [(name, i) for i in range(counts[name])] for name in sockets})[0]


def reference_facts(requests: Sequence[Request]) -> list[dict[str, Any]]:
    """Which picture has which number in the requests of a run, for `info`.

    `frame` is None where each request has another frame of the input there.
    """
    numbered = zip(*(request.sources for request in requests), strict=False)
    return [
        {"picture": number, "input": found[0][0], "frame": found[0][1] if len(set(found)) == 1 else None}
        for number, found in enumerate(numbered, 1)
    ]


def frame_name(socket: str, index: int, count: int) -> str:
    """How a notice names a frame, of `count` at its socket."""
    return socket if count == 1 else msg("reference_groups.frame", socket=socket, number=index + 1)


def _together(sockets: Sequence[str], frames: Mapping[str, Sequence[T]]) -> Groups[T]:
    order = [(name, i) for name in sockets for i in range(len(frames[name]))]
    obvious = _has_no_gap(sockets) and all(len(frames[name]) == 1 for name in sockets)
    return [[frames[name][i] for name, i in order]], [] if obvious else [_numbering(order, frames, 1)]


def _each(sockets: Sequence[str], frames: Mapping[str, Sequence[T]]) -> Groups[T]:
    others = [(name, i) for name in sockets[1:] for i in range(len(frames[name]))]
    shared = [frames[name][i] for name, i in others]
    obvious = not others or (_has_no_gap(sockets) and all(len(frames[name]) == 1 for name in sockets[1:]))
    notices = [] if obvious else [msg("reference_groups.picture_numbering", numbering=_numbering(others, frames, 2))]
    return [[frame, *shared] for frame in frames["image_1"]], notices


def _paired(sockets: Sequence[str], frames: Mapping[str, Sequence[T]]) -> Groups[T]:
    lengths = {name: len(frames[name]) for name in sockets}
    count = max(lengths.values())
    if any(length not in (1, count) for length in lengths.values()):
        each = [msg("reference_groups.has_frames", name=name, count=length) for name, length in lengths.items()]
        raise InvalidInput(
            msg("reference_groups.paired_needs_equal_counts", listed=listed(", ", each)),
            cure=msg("reference_groups.cut_batches_to_one_length"),
        )
    if lengths["image_1"] != count:
        raise InvalidInput(
            msg("reference_groups.paired_follows_image_1", count=count),
            cure=msg("reference_groups.connect_batch_to_image_1"),
        )
    groups = [[frames[name][i if lengths[name] > 1 else 0] for name in sockets] for i in range(count)]
    return groups, [] if _has_no_gap(sockets) else [_numbers(sockets, 1)]


def _has_no_gap(sockets: Sequence[str]) -> bool:
    return list(sockets) == list(SOCKETS)[: len(sockets)]


def _numbering(order: Sequence[tuple[str, int]], frames: Mapping[str, Sequence[Any]], first: int) -> str:
    names = (frame_name(name, i, len(frames[name])) for name, i in order)
    return _numbers(names, first)


def _numbers(names: Iterable[str], first: int) -> str:
    """The number of each picture, counted from `first`."""
    return listed(
        ", ", (msg("reference_groups.picture_is", number=number, name=name) for number, name in enumerate(names, first))
    )
