"""The OneRouter / Infron images API: JSON in, JSON out, on edits too.

Documents: its OpenAPI pages for `/v1/images/generations` and `/v1/images/edits`. References are strings in
`image_urls`; data URIs are what clients send there. Some models of the same host answer with a task
(`data.task_id`) that `GET /v1/images/tasks/{id}` follows, and it can report an error inside a 200.

The two documents leave some things open, and after a refusal (`allows_other_variant`) the other variant is tried, once each:

    ratio        the enum of /generations holds " 3:2", with a space, while its prose says 3:2. A refusal of a 3:2 that is
                 about the ratio is tried in the other spelling, and so is one that says nothing, but none that names
                 something else
    model id     no document gives a value; one's summary is `google/nano-banana-2-text-to-image`, the other's
                 `nano-banana-pro-image-to-image`. A model that isn't there is asked for in the other spelling
    route        a client of the vendor posts edits, with `image_urls`, to /generations; after an edits route that isn't there
                 that one is tried. The model id says that it is an edit
    encoding     clients wrap base64 into data URIs; a base that says it can't read base64 so gets it bare

A base that wants http(s) addresses has no way for pictures of this machine: it has no upload for images.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import ProviderFailure
from ..http.body import json_body
from .base.polling import PollingDialect, follow_task, path_segment, unknown_task
from .base.step import Failed, Job, Reply, Send, State, Step
from .base.task_status import task_id_of
from .base.uploads import NewUpload, reference_values
from .base.variants import first_variants, next_variant, with_learned_variants
from .parsing.error_parsing import claimed_status, error_in, unreadable
from .parsing.refusals import (
    is_refusal,
    message_without_prompt,
    names_field,
    names_model,
    names_nothing,
    wants_addresses,
    wants_other_encoding,
)
from .parsing.result_images import result_images

_ID, _RATIO, _ROUTE, _ENCODING = "model id", "ratio", "route", "encoding"
_PREFIX = "google/"
_RATIO_WORDS = re.compile(r"(?i)aspect|\bratio\b|\b\d{1,2}:\d{1,2}\b")


class OneRouter(PollingDialect):
    reference_encodings = ("data_uri", "base64")

    def first_state(self, job: Job) -> State:
        first = {_ID: "prefixed" if job.model.startswith(_PREFIX) else "bare"}
        if job.operation == "generate" and job.options.get("aspect_ratio") == "3:2":
            first[_RATIO] = "plain"
        if job.references:
            first[_ROUTE] = "edits"
            first[_ENCODING] = "base64" if job.spec.reference_encoding == "base64" else "data_uri"
        return first_variants(job, first)

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        variants = state["variants"]
        value: dict[str, Any] = {"model": _model_id(job, state), "prompt": job.prompt, **job.fields()}
        if variants.get(_RATIO) == "spaced":
            value["aspect_ratio"] = " 3:2"
        if job.endpoint.references_field and job.references:
            urls = [""] * len(job.references)
            value[job.endpoint.references_field] = reference_values(job, urls, variants[_ENCODING])
        endpoint = job.spec.endpoints["generate"] if variants.get(_ROUTE) == "generations" else job.endpoint
        return Send("POST", job.url(endpoint.path), {**state, "at": "submit"}, paid=True, body=json_body(value))

    def poll(self, job: Job, state: State) -> Send:
        return Send("GET", job.url(f"/v1/images/tasks/{path_segment(state['task'])}"), state, accepted=state)

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        task = state.get("task", "")
        if claimed_status(value) and not result_images(value, anywhere=False).images:
            error = error_in(reply, value) or unreadable(reply)
            return Failed(error, task) if task else self._other_variant(job, state, reply, error)
        data = value.get("data")
        task = task or (task_id_of({"data": data}) if isinstance(data, dict) else "")
        return with_learned_variants(follow_task(job, reply, value, task, self.poll, polled=state), state)

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        task = state.get("task", "")
        if task:
            return Failed(unknown_task(reply, task) if reply.status == 404 else self.failure(job, reply), task)
        return self._other_variant(job, state, reply, self.failure(job, reply))

    def _other_variant(self, job: Job, state: State, reply: Reply, failure: ProviderFailure) -> Step:
        """Another variant of a paid request that was refused for the way it was sent, or the failure."""
        other = None
        if names_model(reply, failure):
            other = next_variant(state, _ID, ("prefixed", "bare"))
            if other and _model_id(job, other) == _model_id(job, state):
                other = None
        elif _RATIO in state["variants"] and _is_about_ratio(reply, failure):
            other = next_variant(state, _RATIO, ("plain", "spaced"))
        elif _ROUTE in state["variants"] and reply.status in (404, 405) and is_refusal(failure):
            other = next_variant(state, _ROUTE, ("edits", "generations"))
        elif (
            _ENCODING in state["variants"]
            and wants_other_encoding(reply, failure)
            and not wants_addresses(reply, failure)
        ):
            other = next_variant(state, _ENCODING, ("data_uri", "base64"))
        return self.submit(job, other) if other else Failed(failure)


def _is_about_ratio(reply: Reply, failure: ProviderFailure) -> bool:
    """Whether a refusal is about the ratio, or says nothing that speaks against it."""
    if not is_refusal(failure) or failure.kind != "invalid" or failure.status not in (400, 422):
        return False
    named = _RATIO_WORDS.search(message_without_prompt(reply, failure)) is not None or names_field(
        reply, "aspect_ratio"
    )
    return named or names_nothing(reply, failure)


def _model_id(job: Job, state: State) -> str:
    """The model id with or without `google/`; one of another maker stays as it is."""
    if state["variants"][_ID] == "bare":
        return job.model.removeprefix(_PREFIX)
    return job.model if "/" in job.model else _PREFIX + job.model


DIALECT = OneRouter()
