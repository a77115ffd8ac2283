"""Removes the reference images from an answer that repeats them: an input is no result.

Some copies of an API list the inputs of an edit beside its results, or in their place, some of them encoded again. An image is
one of the inputs where its bytes or its address are those that were sent. One that only shows the same (`images/comparison.py`)
is taken for an input where that can't cost a result: beside others, and where it was found in no place of a result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace

from ..dialects.base.step import Done, Failed, ImageRef, Job, Reply
from ..errors import ProviderFailure
from ..errors.messages import msg
from ..images.comparison import is_repeated, may_repeat
from ..images.decoding import Pixels
from ..images.file_data import HEAD, FileData, UnreadableFile
from ..images.picture import Encoded, UnreadablePicture, decode, measure, pixel_digest
from ..redaction.text import redact

MOST_DECODED = 16 << 20
"""Bytes of an image that are decoded to compare it."""
MOST_COMPARED = 32
"""Images of one answer that are."""


def reference_marks(job: Job, uploads: Collection[str]) -> list[str]:
    """What identifies the references of a call in an answer, also in a later process: marks of their bytes, and addresses."""
    return [*(_mark(picture.data) for picture in job.all_references), *sorted(uploads)]


def without_repeated_references(
    done: Done, reply: Reply, job: Job, digests: Collection[str], marks: Collection[str], task: str = ""
) -> Done | Failed:
    """`done` without the references of its call; a failure where nothing else came.

    `digests`: the pixel digests of the references. `marks`: what `reference_marks` gave.
    """
    if not marks:
        return done
    sizes = {size for mark in marks if (size := mark.partition(":")[0]).isdecimal()}
    comparison, many = _Comparison(job.all_references, digests), len(done.images) > job.count

    def is_reference(found: ImageRef) -> bool:
        if found.url:
            return found.url in marks
        return str(_size(found)) in sizes and _mark(found.read()) in marks

    def looks_like_reference(found: ImageRef) -> bool:
        is_compared = (many or found.is_guess) and not found.url and _size(found) <= MOST_DECODED
        return is_compared and comparison.shows_reference(found)

    others = [found for found in done.images if not is_reference(found)]
    kept = [found for found in others if not looks_like_reference(found)]
    # An edit may change next to nothing: what came where results come is one, if nothing else is.
    kept = kept or [found for found in others if not found.is_guess]
    if kept:
        return replace(done, images=tuple(kept))
    # No message of the provider's: nobody said that there is no picture, so it is asked about before it is paid again.
    failure = ProviderFailure(
        "empty",
        redact(done.text),
        reply.status,
        request_id=done.request_id or reply.request_id,
        opening=msg("repeated_references.no_other_image"),
    )
    return Failed(failure, task)


def _size(found: ImageRef) -> int:
    return found.coded.size if found.coded is not None else len(found.data)


class _Comparison:
    """Compares images of one answer with the references by what they show."""

    def __init__(self, references: list[Encoded], digests: Collection[str]) -> None:
        """`digests`: the pixel digests of the references."""
        self._references, self._digests = references, digests
        self._decoded: dict[int, Pixels] = {}
        self._remaining = MOST_COMPARED

    def shows_reference(self, found: ImageRef) -> bool:
        data = found.read()
        try:
            size = measure(data)
            alike = [i for i, each in enumerate(self._references) if self._may_be(size, (each.width, each.height))]
            if not alike or self._remaining <= 0:
                return False
            self._remaining -= 1
            pixels = decode(data)
            if pixel_digest(pixels) in self._digests:
                return True
            return any(may_repeat(size, self._sides(i)) and is_repeated(pixels, self._pixels(i)) for i in alike)
        except (UnreadablePicture, UnreadableFile):  # a reference may be on a disk that fails
            return False

    def _sides(self, index: int) -> tuple[int, int]:
        return self._references[index].width, self._references[index].height

    @staticmethod
    def _may_be(size: tuple[int, int], original: tuple[int, int]) -> bool:
        return size == original or may_repeat(size, original)

    def _pixels(self, index: int) -> Pixels:
        if index not in self._decoded:
            self._decoded[index] = decode(bytes(self._references[index].data))
        return self._decoded[index]


def _mark(data: FileData) -> str:
    # Size and first bytes identify an image, and large references are not hashed as a whole for each answer.
    return f"{len(data)}:{hashlib.sha256(data[:HEAD]).hexdigest()}"
