"""References: which are uploaded before the paid request, and how the others are in it.

Every upload is free; what an earlier call has uploaded is not sent again. `urls` has a text for each reference: its URL
once it is uploaded, "" before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeGuard

from ...errors import ProviderFailure
from ...errors.messages import msg
from ...http.body import Base64, Inline, multipart_body
from ...http.status import is_missing_route
from ...images.picture import Encoded
from .step import Job, Send, State

FormFields = Callable[[Encoded], Sequence[tuple[str, str | Encoded]]]
"""Gives the fields of the form that carries one reference."""
NewUpload = tuple[int, str]
"""A reference index and the URL that it has just got."""


def known_urls(job: Job) -> list[str]:
    """The URL of each reference that was uploaded earlier, "" for the others."""
    return [job.uploaded.get(index, "") for index in range(len(job.references))]


def form_upload(job: Job, path: str, form: FormFields, urls: list[str], uploaded: NewUpload | None) -> Send | None:
    """The upload, as a form, of the first reference without a URL; None when every one has its own."""
    for index, url in enumerate(urls):
        if not url:
            state: State = {"at": "upload", "index": index, "urls": urls}
            body = multipart_body(form(job.references[index]))
            return Send("POST", job.upload_url(path), state, body=body, uploaded=uploaded)
    return None


def largest_to_upload(job: Job, urls: Sequence[str]) -> int | None:
    """Index of the reference to upload next, where references may also travel in the request; None when the rest fits.

    Small ones travel in the request: that is one request less each. Once they fill more of the body than the spec's
    `upload_above`, the largest are uploaded until the rest fits; without `upload_above`, none is uploaded. Of references
    that are still being encoded, those that are ready come first as soon as they are too much by themselves.
    """
    if not job.spec.upload_above:
        return None
    inside = [index for index, url in enumerate(urls) if not url]
    while True:
        made, pending = by_readiness(job.references, inside)
        sizes = {n: len(Base64(job.references[n].data)) for n in made}
        if sum(sizes.values()) > job.spec.upload_above:
            return max(sizes, key=lambda index: (sizes[index], -index))
        if not pending:
            return None
        job.references[pending[0]].wait()


def by_readiness(references: Sequence[Encoded], indexes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Which of some references are encoded by now, and which are not."""
    made = [index for index in indexes if references[index].is_made]
    return made, [index for index in indexes if index not in made]


def reference_values(job: Job, urls: Sequence[str], encoding: str = "data_uri") -> list[str | Inline]:
    """All references in their order: each as its URL where it has one, else as a data URI, or bare for "base64"."""
    return [
        url or Inline(picture, data_uri=encoding != "base64") for picture, url in zip(job.references, urls, strict=True)
    ]


def is_web_address(value: object) -> TypeGuard[str]:
    """Whether a value out of an answer is an address that something can be put at or fetched from."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def with_uploaded_url(state: State, url: object) -> tuple[list[str], NewUpload] | None:
    """The URLs after an upload gave `url`, and what is new; None when that is no web address."""
    if not is_web_address(url):
        return None
    index = state["index"]
    return [*state["urls"][:index], url, *state["urls"][index + 1 :]], (index, url)


def explain_missing_upload(failure: ProviderFailure) -> ProviderFailure:
    """`failure` of an upload that has no route at this base, where references can't go any other way; others as they are."""
    if not is_missing_route(failure.status):
        return failure
    opening = msg("uploads.no_upload_for_references")
    cure = msg("uploads.check_address_or_upload_path")
    return replace(failure, opening=opening, cure=cure)
