"""One file per dialect. Dialects are pure: no I/O, no clock, no policy; see `step` for their vocabulary."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from ..images.picture import sniff
from .base.step import Dialect, Done, ImageRef, Job, Reply, Send, Step


def dialect(name: str) -> Dialect:
    """The dialect module called `name`: one that has `start`, `next` and `resume`. Raises KeyError for any other name."""
    if not name.isidentifier():
        raise KeyError(name)
    try:
        module = import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name == f"{__name__}.{name}":
            raise KeyError(name) from None
        raise
    if not all(callable(getattr(module, each, None)) for each in ("start", "next", "resume")):
        raise KeyError(name)
    return cast(Dialect, module)


def step_after(dialect: Dialect, job: Job, send: Send, reply: Reply) -> Step:
    """The step after `reply`, which answers `send`: the dialect's, or the picture where the body itself is one.

    Some copies of an API answer with the image file instead of JSON (Segmind documents it, resellers do it unasked).
    """
    about_result = send.paid or send.accepted is not None
    if about_result and reply.ok and sniff(reply.body):
        return Done((ImageRef(data=reply.body),), request_id=reply.request_id)
    return dialect.next(job, send.state, reply)
