"""One file per dialect, with a `DIALECT` in it. Dialects are pure: no I/O, no clock, no policy; see `base.step`."""

from __future__ import annotations

from importlib import import_module

from ..images.picture import sniff
from .base.step import Dialect, Done, ImageRef, Job, Reply, Send, Step
from .parsing.error_parsing import error_in
from .parsing.reading import NotJson, read_object
from .parsing.result_images import result_images

_SHORTEST_PICTURE = 64


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
    if about_result and reply.status >= 500 and (found := _picture_in_error(reply)) is not None:
        return found
    return dialect.next(job, send.state, reply)


def _picture_in_error(reply: Reply) -> Done | None:
    """The picture of an answer whose status says that the server failed and whose body is a success; None without one.

    A gateway may fail after the provider behind it has answered, and some numbers are no status of HTTP at all.
    """
    if len(reply.body) < _SHORTEST_PICTURE:
        return None
    if sniff(reply.body):
        return Done((ImageRef(data=reply.body),), request_id=reply.request_id)
    try:
        value = read_object(reply)
    except NotJson:
        return None
    if error_in(reply, value) is not None:
        return None
    found = result_images(value, anywhere=False)
    images = tuple(image for image in found.images if not image.url)
    return Done(images, found.text, request_id=reply.request_id) if images and not found.is_draft else None
