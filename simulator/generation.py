"""From a validated request to its pictures and its answer."""

from __future__ import annotations

import base64
import re
from functools import partial

from .api import Call
from .drawing import Card, encode
from .message import Reply
from .order import Order
from .results import Result


def generate(call: Call, order: Order) -> Reply:
    """The answer to a valid request: `order.count` pictures."""
    results = []
    for slot in range(order.count):
        card = card_of(call, order, slot, order.count)
        if order.transport == "url":
            make = partial(encode, card, order.file_format)
            path = call.files.add_result(call.api.id, file_stem(order), order.file_format, make)
            results.append(Result(card.width, card.height, url=call.address(path)))
        else:
            text = base64.b64encode(encode(card, order.file_format)).decode("ascii")
            results.append(Result(card.width, card.height, b64=text))
    return call.api.finished(call, order, results)


def card_of(call: Call, order: Order, slot: int, count: int) -> Card:
    """What picture `slot` of `count` shows."""
    return Card(
        width=order.size[0],
        height=order.size[1],
        provider=call.api.id,
        model=order.model,
        ratio=order.ratio,
        resolution=order.resolution,
        # Without a seed every picture is another one, as with the real models.
        seed=order.seed,
        variety=order.seed if order.seed is not None else call.number * 7919,
        slot=slot,
        count=count,
        prompt=order.prompt,
        thumbnails=[reference.thumbnail for reference in order.references],
    )


def file_stem(order: Order) -> str:
    """The beginning of a result's file name."""
    return re.sub(r"[^a-z0-9]+", "-", order.model.lower()).strip("-")
