"""Which pictures of an answer are the results, and which are extra.

A model may draw several times for one request; the last picture is the finished one. Copies of an API drop the mark of a
draft, so the rule is the same for all providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urljoin

from ..dialects.base.step import ImageRef


def choose_results(pictures: Sequence[ImageRef], count: int) -> tuple[list[ImageRef], list[ImageRef]]:
    """The results, at most `count`, and the extra pictures, both in the order of the answer.

    Extra pictures that repeat the bytes or the address of another are dropped; of several that were asked for, equal ones
    are all results.
    """
    first = max(0, len(pictures) - max(count, 1))
    results = list(pictures[first:])
    extras = [each for each in dict.fromkeys(pictures[:first]) if each not in results]
    return results, extras


def with_absolute_url(found: ImageRef, base_url: str) -> ImageRef:
    """`found` with a whole address: one without a host belongs to the provider's own origin; one that is none stays."""
    try:
        return replace(found, url=urljoin(f"{base_url}/", found.url)) if found.url else found
    except ValueError:  # brackets that hold no IPv6 address: whoever fetches it says so
        return found
