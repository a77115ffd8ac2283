"""References that go up one by one, a form each, before the paid request names their addresses.

Called by the dialects whose providers take addresses only and answer an upload with one. Every upload is free; what an
earlier call has uploaded is not sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..pictures import Encoded
from .body import multipart_body
from .step import Job, Send, State

Form = Callable[[Encoded], Sequence[tuple[str, str | Encoded]]]
"""The fields of the form that carries one reference."""
Fresh = tuple[int, str]
"""A reference index and the address that it has just got."""


def known_urls(job: Job) -> list[str]:
    """The address of each reference, "" where it has none yet."""
    return [job.uploaded.get(index, "") for index in range(len(job.references))]


def next_upload(job: Job, path: str, form: Form, urls: list[str], fresh: Fresh | None) -> Send | None:
    """The upload of the first reference without an address; None when every one has its own."""
    for index, url in enumerate(urls):
        if not url:
            state: State = {"at": "upload", "index": index, "urls": urls}
            body = multipart_body(form(job.references[index]))
            return Send("POST", job.upload_url(path), state, body=body, uploaded=fresh)
    return None


def placed(state: State, url: object) -> tuple[list[str], Fresh] | None:
    """The addresses after an upload gave `url`, and what is new; None when that is no address."""
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    index = state["index"]
    return [*state["urls"][:index], url, *state["urls"][index + 1 :]], (index, url)
