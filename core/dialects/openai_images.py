"""The DALL-E-compatible images API that many resellers serve for these models.

Document: "Nano-Banana API Reference". Text goes as JSON to the generations route. References go one of two ways:

    multipart   to the edits route, each reference a part named `image`, never `image[]`: gateways read only one spelling
    json        to the generations route, in an array `image`, each reference a data URI or base64 alone

The document has one `image` on edits and an array on generations. Several references go as multipart first all the same:
clients of the hosts that serve this API repeat `image` (up to 14 parts) and New-API gateways read all of them, while nobody
has reported which spelling of base64 the array takes. A base that follows its document refuses the second part, and is led
to the array. Each way leads to the other, once, after a refusal (`allows_other_variant`) about the route, the body or the
field; of several references also after one that says nothing at all. Within the array one that speaks of URLs or base64 leads
from one spelling to the other. A missing route is a fact about the base and becomes its form; a refused field is one about
"one reference" or "several references". A model that isn't there leads nowhere: the other route would say the same.

The form "async" asks with `?async=true` and follows a task; a task in any reply is followed whatever was asked.
"""

from __future__ import annotations

from typing import Any

from ..errors import Fault
from ..http.body import json_body, multipart_body
from ..images.picture import Encoded
from ..providers.spec import ReferenceEncoding
from .base.polling import follow, lost, path_segment, task_id_of
from .base.step import Failed, Job, Reply, Send, State, Step
from .base.variants import another, begin, inside, remembered
from .parsing.error_parsing import fault_of, unreadable
from .parsing.reading import NotJson, read_object
from .parsing.refusals import names_nothing, wants_addresses, wants_other_body, wants_other_encoding

REFERENCES: tuple[ReferenceEncoding, ...] = ("multipart", "data_uri", "base64")

_HEAD = 64 << 10


def start(job: Job) -> Step:
    forms = (job.api_variant or " ".join(job.spec.api_variants[:1])).split()
    form = "json" if "json" in forms and _knows_json(job) else "multipart"
    state: State = {"at": "submit", "form": form, "async": "async" in forms}
    if job.operation == "edit":
        encoding = "base64" if job.spec.reference_encoding == "base64" else "data_uri"
        state |= begin(job, {_topic(job): form, "encoding": encoding})
    return _submit(job, state)


def next(job: Job, state: State, reply: Reply) -> Step:
    task = state.get("task", "")
    if not reply.ok:
        if task:
            return Failed(lost(reply, task) if reply.status == 404 else fault_of(reply), task)
        return _refused(job, state, reply)
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    learned = "" if task or not job.spec.api_variants else state["form"] + (" async" if state["async"] else "")
    step = follow(
        job,
        reply,
        value,
        task or task_id_of(_without_request_id(value), asked_for_task=state["async"]),
        _poll,
        polled=state,
        learned=learned,
    )
    return remembered(step, state)


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _submit(job: Job, state: State) -> Send:
    query = "?async=true" if state["async"] else ""
    fields = {"model": job.model, "prompt": job.prompt, **job.fields()}
    if job.operation == "edit" and state["variants"][_topic(job)] == "multipart":
        parts: list[tuple[str, str | Encoded]] = [(name, _text(value)) for name, value in fields.items()]
        parts += [(job.endpoint.references_field, picture) for picture in job.references]
        return Send("POST", job.url(job.endpoint.path) + query, state, paid=True, body=multipart_body(parts))
    # The edits route of the document takes a form only; a row whose references travel in JSON names the one that takes them.
    route = job.spec.endpoints["generate"] if job.spec.reference_encoding == "multipart" else job.endpoint
    value: dict[str, Any] = dict(fields)
    if job.references:
        value[job.endpoint.references_field] = inside(job, [""] * len(job.references), state["variants"]["encoding"])
    return Send("POST", job.url(route.path) + query, state, paid=True, body=json_body(value))


def _refused(job: Job, state: State, reply: Reply) -> Step:
    """Another variant of an edit that was refused for the way it was sent, or the failure."""
    fault = fault_of(reply)
    if job.operation != "edit" or not _knows_json(job) or b"model_not_found" in reply.body[:_HEAD]:
        return Failed(fault)
    in_json = state["variants"][_topic(job)] == "json"
    unread = in_json and (wants_addresses(reply, fault) or wants_other_encoding(reply, fault))
    led = another(state, "encoding", ("data_uri", "base64")) if unread else None
    if led is None and (unread or _blames_the_way(job, reply, fault)):
        led = another(state, _topic(job), ("json", "multipart"))
        if led and reply.status in (404, 405):
            led["form"] = led["variants"][_topic(job)]
    return _submit(job, led) if led else Failed(fault)


def _blames_the_way(job: Job, reply: Reply, fault: Fault) -> bool:
    if wants_other_body(reply, fault, job.endpoint.references_field):
        return True
    return len(job.references) > 1 and names_nothing(reply, fault)


def _poll(job: Job, state: State) -> Send:
    return Send("GET", job.url(f"/v1/images/tasks/{path_segment(state['task'])}"), state, accepted=state)


def _topic(job: Job) -> str:
    return "one reference" if len(job.references) == 1 else "several references"


def _knows_json(job: Job) -> bool:
    return any("json" in form for form in job.spec.api_variants)


def _without_request_id(value: dict[str, Any]) -> dict[str, Any]:
    # A finished reply without a picture may name its request: that is no task.
    return {name: item for name, item in value.items() if name != "request_id"}


def _text(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
