"""One file per dialect, with a `DIALECT` in it. Dialects are pure: no I/O, no clock, no policy; see `base.step`."""

from __future__ import annotations

from importlib import import_module

from ..images.picture import sniff
from .base.step import Dialect, Done, ImageRef, Job, Reply, Send, Step


def dialect(name: str) -> Dialect:
    """The dialect called `name`, which is that of its module. Raises KeyError for any other name."""
    if not name.isidentifier():
        raise KeyError(name)
    try:
        module = import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name == f"{__name__}.{name}":
            raise KeyError(name) from None
        raise
    found: Dialect | None = getattr(module, "DIALECT", None)
    if found is None:
        raise KeyError(name)
    return found


def step_after(dialect: Dialect, job: Job, send: Send, reply: Reply) -> Step:
    """The step after `reply`, which answers `send`: the dialect's, or the picture where the body itself is one.

    Some copies of an API answer with the image file instead of JSON (Segmind documents it, resellers do it unasked).
    """
    about_result = send.paid or send.accepted is not None
    if about_result and reply.ok and sniff(reply.body):
        return Done((ImageRef(data=reply.body),), request_id=reply.request_id)
    return dialect.next(job, send.state, reply)
