"""The DALL-E-compatible images API that many resellers serve for these models.

Document: "Nano-Banana API Reference". Text goes as JSON to the generations route. Edits go as multipart to the edits
route, each reference a part named `image` (never `image[]`: gateways read only one of the two spellings). The form
"json" sends references inside the generations route instead; it is also where a 404 or 405 on the edits route leads. The
form "async" asks with `?async=true` and follows a task; a task in any reply is followed whatever was asked.
"""

from __future__ import annotations

from typing import Any

from ..pictures import Encoded
from ..providers.row import Transport
from .body import json_body, multipart_body
from .error_parsing import fault_of, unreadable
from .reading import NotJson, read_object
from .step import Failed, Job, Reply, Send, State, Step
from .tasks import follow, lost, task_id_of

REFERENCES: tuple[Transport, ...] = ("multipart", "data_uri", "base64")


def start(job: Job) -> Step:
    forms = (job.form or " ".join(job.row.forms[:1])).split()
    return _submit(job, {"at": "submit", "json": "json" in forms, "async": "async" in forms})


def next(job: Job, state: State, reply: Reply) -> Step:
    task = state.get("task", "")
    if not reply.ok:
        if task:
            return Failed(lost(reply, task) if reply.status == 404 else fault_of(reply), task)
        fault = fault_of(reply)
        other_form = job.operation == "edit" and not state["json"] and any("json" in form for form in job.row.forms)
        if reply.status in (404, 405) and other_form and b"model_not_found" not in reply.body:
            return _submit(job, {**state, "json": True})
        return Failed(fault)
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    learned = "" if task or not job.row.forms else _form(state)
    return follow(
        job,
        reply,
        value,
        task or task_id_of(_without_request_id(value), asked_for_task=state["async"]),
        _poll,
        polled=state,
        learned=learned,
    )


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _submit(job: Job, state: State) -> Send:
    query = "?async=true" if state["async"] else ""
    fields = {"model": job.model, "prompt": job.prompt, **job.fields()}
    if job.operation == "edit" and not state["json"]:
        parts: list[tuple[str, str | Encoded]] = [(name, _text(value)) for name, value in fields.items()]
        parts += [(job.route.references, picture) for picture in job.references]
        return Send("POST", job.url(job.route.path) + query, state, paid=True, body=multipart_body(parts))
    # The edits route of the document takes a form only; a row whose references travel in JSON names the one that takes them.
    route = job.row.routes["generate"] if job.row.references == "multipart" else job.route
    value: dict[str, Any] = dict(fields)
    if job.references:
        value[job.route.references] = [job.inline(picture) for picture in job.references]
    return Send("POST", job.url(route.path) + query, state, paid=True, body=json_body(value))


def _poll(job: Job, state: State) -> Send:
    return Send("GET", job.url(f"/v1/images/tasks/{state['task']}"), state, accepted=state)


def _form(state: State) -> str:
    return ("json" if state["json"] else "multipart") + (" async" if state["async"] else "")


def _without_request_id(value: dict[str, Any]) -> dict[str, Any]:
    # A finished reply without a picture may name its request: that is no task.
    return {name: item for name, item in value.items() if name != "request_id"}


def _text(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
