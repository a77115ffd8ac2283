"""Removes the reference images from an answer that repeats them: an input is no result.

Some copies of an API list the inputs of an edit beside its results, or in their place. An image is one of the inputs where
its bytes or its address are those that were sent, or its pixels where more images came than were asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace

from ..dialects.base.step import Done, Failed, ImageRef, Job, Reply
from ..errors import ProviderFailure
from ..errors.messages import msg
from ..images.picture import UnreadablePicture, decode, measure, pixel_digest
from ..redaction.text import redact

MOST_DECODED = 16 << 20
"""Bytes of an image that are decoded to compare it."""
_HEAD = 64 << 10
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
    shapes = {(picture.width, picture.height) for picture in job.all_references}
    many = len(done.images) > job.count
    remaining_comparisons = MOST_COMPARED

    def is_reference(found: ImageRef) -> bool:
        if found.url:
            return found.url in marks
        size = found.coded.size if found.coded is not None else len(found.data)
        if str(size) not in sizes and not (many and size <= MOST_DECODED):
            return False
        data = found.read()
        if str(size) in sizes and _mark(data) in marks:
            return True
        nonlocal remaining_comparisons
        try:
            if not many or remaining_comparisons <= 0 or measure(data) not in shapes:
                return False
            remaining_comparisons -= 1
            return pixel_digest(decode(data)) in digests
        except UnreadablePicture:
            return False

    kept = tuple(found for found in done.images if not is_reference(found))
    if kept:
        return replace(done, images=kept)
    provider_message = redact(done.text) or msg("repeated_references.no_other_image")
    failure = ProviderFailure("empty", provider_message, reply.status, request_id=done.request_id or reply.request_id)
    return Failed(failure, task)


def _mark(data: bytes) -> str:
    # Size and first bytes identify an image, and large references are not hashed as a whole for each answer.
    return f"{len(data)}:{hashlib.sha256(data[:_HEAD]).hexdigest()}"
