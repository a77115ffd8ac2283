"""The DALL-E-compatible images API that many resellers serve for these models.

Document: "Nano-Banana API Reference". Text goes as JSON to the generations route. References go one of two ways:

    multipart   to the edits route, each reference a part named `image`, never `image[]`: gateways read only one spelling
    json        to the generations route, in an array `image`, each reference a data URI or base64 alone

The document has one `image` on edits and an array on generations. Several references go as multipart first all the same:
clients of the hosts that serve this API repeat `image` (up to 14 parts) and New-API gateways read all of them, while nobody
has reported which spelling of base64 the array takes. A base that follows its document refuses the second part, and gets
the array. The other way is tried, once, after a refusal (`allows_other_variant`) about the route, the body or the field; of
several references also after one that says nothing at all. Within the array the other spelling is tried after a refusal
that speaks of URLs or base64. What follows from a missing route is kept for the base, what follows from a refused field for
"one reference" or "several references" at it. Nothing is tried after a missing model: the other route would say the same.

The pack's own simulator also draws drafts: those of a picture are in its entry of `data`, in a list `drafts`.

The variant "async" asks with `?async=true` and follows a task; a task in any reply is followed whatever was asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import ProviderFailure
from ..http.body import json_body, multipart_body
from ..images.picture import Encoded
from ..providers.spec import OptionValue
from .base.polling import PollingDialect, follow_task, path_segment, unknown_task
from .base.step import Done, Failed, Job, Reply, Send, State, Step
from .base.task_status import task_id_of
from .base.uploads import NewUpload, reference_values
from .base.variants import API_VARIANT, first_variants, next_variant, with_learned_variants
from .parsing.refusals import names_nothing, wants_addresses, wants_other_body, wants_other_encoding
from .parsing.result_images import images_in

_HEAD = 64 << 10


class OpenAIImages(PollingDialect):
    reference_encodings = ("multipart", "data_uri", "base64")

    def first_state(self, job: Job) -> State:
        parts = (job.api_variant or " ".join(job.spec.api_variants[:1])).split()
        way = "json" if "json" in parts and _knows_json(job) else "multipart"
        state: State = {"at": "submit", API_VARIANT: way, "async": "async" in parts}
        if job.operation == "edit":
            encoding = "base64" if job.spec.reference_encoding == "base64" else "data_uri"
            state |= first_variants(job, {_topic(job): way, "encoding": encoding})
        return state

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        query = "?async=true" if state["async"] else ""
        fields = {"model": job.model, "prompt": job.prompt, **job.fields()}
        if job.operation == "edit" and state["variants"][_topic(job)] == "multipart":
            parts: list[tuple[str, str | Encoded]] = [(name, _text(value)) for name, value in fields.items()]
            parts += [(job.endpoint.references_field, picture) for picture in job.references]
            return Send("POST", job.url(job.endpoint.path) + query, state, paid=True, body=multipart_body(parts))
        # The edits route of the document takes a form only; a spec whose references travel in JSON names the one for them.
        endpoint = job.spec.endpoints["generate"] if job.spec.reference_encoding == "multipart" else job.endpoint
        value: dict[str, Any] = dict(fields)
        if job.references:
            urls = [""] * len(job.references)
            value[job.endpoint.references_field] = reference_values(job, urls, state["variants"]["encoding"])
        return Send("POST", job.url(endpoint.path) + query, state, paid=True, body=json_body(value))

    def poll(self, job: Job, state: State) -> Send:
        return Send("GET", job.url(f"/v1/images/tasks/{path_segment(state['task'])}"), state, accepted=state)

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        task, variant = state.get("task", ""), ""
        if not task:
            task = task_id_of(_without_request_id(value), asked_for_task=state["async"])
            if job.spec.api_variants:
                variant = state[API_VARIANT] + (" async" if state["async"] else "")
        step = follow_task(job, reply, value, task, self.poll, polled=state, api_variant=variant)
        return with_learned_variants(_with_drafts(step, value) if job.asks_for_drafts else step, state)

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        task = state.get("task", "")
        if task:
            return Failed(unknown_task(reply, task) if reply.status == 404 else self.failure(job, reply), task)
        return self._other_variant(job, state, reply, self.failure(job, reply))

    def _other_variant(self, job: Job, state: State, reply: Reply, failure: ProviderFailure) -> Step:
        """Another variant of an edit that was refused for the way it was sent, or the failure."""
        if job.operation != "edit" or not _knows_json(job) or b"model_not_found" in reply.body[:_HEAD]:
            return Failed(failure)
        in_json = state["variants"][_topic(job)] == "json"
        unread = in_json and (wants_addresses(reply, failure) or wants_other_encoding(reply, failure))
        other = next_variant(state, "encoding", ("data_uri", "base64")) if unread else None
        if other is None and (unread or _is_about_body(job, reply, failure)):
            other = next_variant(state, _topic(job), ("json", "multipart"))
            if other and reply.status in (404, 405):
                other[API_VARIANT] = other["variants"][_topic(job)]
        return self.submit(job, other) if other else Failed(failure)


def _with_drafts(step: Step, value: dict[str, Any]) -> Step:
    """`step` with the drafts of its pictures, where each entry of `data` is one of them."""
    entries = value.get("data")
    if not isinstance(step, Done) or not isinstance(entries, list) or len(entries) != len(step.images):
        return step
    listed = [entry.get("drafts") if isinstance(entry, dict) else None for entry in entries]
    images = [
        replace(image, drafts=tuple(images_in(drafts))) if isinstance(drafts, list) else image
        for image, drafts in zip(step.images, listed, strict=True)
    ]
    return replace(step, images=tuple(images))


def _is_about_body(job: Job, reply: Reply, failure: ProviderFailure) -> bool:
    """Whether a refusal is about how the references travel; of several also one that says nothing at all."""
    if wants_other_body(reply, failure, job.endpoint.references_field):
        return True
    return len(job.references) > 1 and names_nothing(reply, failure)


def _topic(job: Job) -> str:
    return "one reference" if len(job.references) == 1 else "several references"


def _knows_json(job: Job) -> bool:
    return any("json" in variant for variant in job.spec.api_variants)


def _without_request_id(value: dict[str, Any]) -> dict[str, Any]:
    # A finished reply without a picture may name its request: that is no task.
    return {name: item for name, item in value.items() if name != "request_id"}


def _text(value: OptionValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


DIALECT = OpenAIImages()
