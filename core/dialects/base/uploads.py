"""References that go up one by one, a form each, before the paid request names their addresses.

Called by the dialects whose providers take addresses only and answer an upload with one. Every upload is free; what an
earlier call has uploaded is not sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeGuard

from ...errors import Fault
from ...http.body import multipart_body
from ...http.status import is_missing_route
from ...images.picture import Encoded
from .step import Job, Send, State

Form = Callable[[Encoded], Sequence[tuple[str, str | Encoded]]]
"""The fields of the form that carries one reference."""
Fresh = tuple[int, str]
"""A reference index and the address that it has just got."""


def known_urls(job: Job) -> list[str]:
    """The address of each reference that was uploaded earlier, "" for the others."""
    return [job.uploaded.get(index, "") for index in range(len(job.references))]


def next_upload(job: Job, path: str, form: Form, urls: list[str], fresh: Fresh | None) -> Send | None:
    """The upload of the first reference without an address; None when every one has its own."""
    for index, url in enumerate(urls):
        if not url:
            state: State = {"at": "upload", "index": index, "urls": urls}
            body = multipart_body(form(job.references[index]))
            return Send("POST", job.upload_url(path), state, body=body, uploaded=fresh)
    return None


def is_web_address(value: object) -> TypeGuard[str]:
    """Whether a value out of an answer is an address that something can be put at or fetched from."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def placed(state: State, url: object) -> tuple[list[str], Fresh] | None:
    """The addresses after an upload gave `url`, and what is new; None when that is no address."""
    if not is_web_address(url):
        return None
    index = state["index"]
    return [*state["urls"][:index], url, *state["urls"][index + 1 :]], (index, url)


def without_upload(fault: Fault) -> Fault:
    """`fault` of an upload that has no address at this base, where references can't go any other way; others as they are."""
    if not is_missing_route(fault.status):
        return fault
    opening = "{label} has no upload for reference images at this address{status}, and takes addresses of them only."
    cure = (
        "Check the base URL; a provider of your own in providers.yaml can name the path of its upload (upload_path) or another "
        "transport; else choose another provider"
    )
    return replace(fault, opening=opening, cure=cure)
