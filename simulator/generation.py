"""From a validated request to its pictures and its answer."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from functools import partial

from .api import Call
from .drawing import Card, encode
from .image_request import ImageRequest
from .message import Reply
from .results import Result


def generate(call: Call, image_request: ImageRequest) -> Reply:
    """The answer to a valid request: `image_request.count` pictures."""
    results = []
    for slot in range(image_request.count):
        card = card_of(call, image_request, slot, image_request.count)
        result = _result(call, image_request, card)
        result.drafts = [_result(call, image_request, draft) for draft in drafts_of(card, image_request.drafts)]
        results.append(result)
    return call.api.finished(call, image_request, results)


def drafts_of(card: Card, count: int) -> list[Card]:
    """What is drawn before a picture: grey, and half as large."""
    return [
        replace(
            card,
            width=max(16, card.width // 2),
            height=max(16, card.height // 2),
            footnote=f"draft {number} of {count}",
            variety=card.variety + 7 * number,
            mode="L",
        )
        for number in range(1, count + 1)
    ]


def _result(call: Call, image_request: ImageRequest, card: Card) -> Result:
    """A picture by its address, or drawn at once and in the answer itself."""
    if image_request.encoding == "url":
        make = partial(encode, card, image_request.file_format)
        path = call.files.add_result(call.api.id, file_stem(image_request), image_request.file_format, make)
        return Result(card.width, card.height, url=call.address(path))
    text = base64.b64encode(encode(card, image_request.file_format)).decode("ascii")
    return Result(card.width, card.height, b64=text)


def card_of(call: Call, image_request: ImageRequest, slot: int, count: int) -> Card:
    """What picture `slot` of `count` shows."""
    return Card(
        width=image_request.size[0],
        height=image_request.size[1],
        provider=call.api.id,
        model=image_request.model,
        ratio=image_request.ratio,
        resolution=image_request.resolution,
        # Without a seed every picture is another one, as with the real models.
        seed=image_request.seed,
        variety=image_request.seed if image_request.seed is not None else call.number * 7919,
        slot=slot,
        count=count,
        prompt=image_request.prompt,
        thumbnails=[reference.thumbnail for reference in image_request.references],
    )


def file_stem(image_request: ImageRequest) -> str:
    """The beginning of a result's file name."""
    return re.sub(r"[^a-z0-9]+", "-", image_request.model.lower()).strip("-")
