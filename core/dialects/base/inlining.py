"""Which references travel inside a request and which are uploaded first, where a provider takes both.

Small ones go inside: that is one request less each. Once they fill more of the body than the row allows, the largest are
uploaded until the rest fits. A row without `upload_above`, such as that of a reseller, takes all of them inside. Used by
the dialects of rows that have it; nothing here is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...http.body import Base64, Inline
from .step import Job


def next_upload(job: Job, addresses: Sequence[str]) -> int | None:
    """Index of the reference to upload next; None when all that have no address fit into the body, or nothing is uploaded."""
    inside = {
        index: len(Base64(picture.data))
        for index, (picture, address) in enumerate(zip(job.references, addresses, strict=True))
        if not address
    }
    if not job.spec.upload_above or sum(inside.values()) <= job.spec.upload_above:
        return None
    return max(inside, key=lambda index: (inside[index], -index))


def in_order(job: Job, addresses: Sequence[str]) -> list[str | Inline]:
    """All references in their order, each as its address or as a data URI."""
    return [address or Inline(picture) for picture, address in zip(job.references, addresses, strict=True)]
