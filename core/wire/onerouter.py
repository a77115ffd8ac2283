"""The OneRouter / Infron images API: JSON in, JSON out, on edits too.

Documents: its OpenAPI pages for `/v1/images/generations` and `/v1/images/edits`. References are strings in
`image_urls`; data URIs are what clients send there. Some models of the same host answer with a task
(`data.task_id`) that `GET /v1/images/tasks/{id}` follows, and it can report an error inside a 200.
"""

from __future__ import annotations

from typing import Any

from ..providers.row import Transport
from .body import json_body
from .error_parsing import claimed_status, error_in, fault_of, unreadable
from .reading import NotJson, read_object
from .step import Failed, Job, Reply, Send, State, Step
from .tasks import follow, lost, task_id_of

REFERENCES: tuple[Transport, ...] = ("data_uri", "base64")


def start(job: Job) -> Step:
    return _submit(job, {"at": "submit"})


def next(job: Job, state: State, reply: Reply) -> Step:
    if not reply.ok:
        fault = fault_of(reply)
        if state["at"] == "poll":
            return Failed(lost(reply, state["task"]) if reply.status == 404 else fault, state["task"])
        if _blames_the_ratio(job, reply, fault.words) and "typo" not in state:
            # The published enum of /generations holds " 3:2", with a space, while its prose says 3:2.
            return _submit(job, {"at": "submit", "typo": True})
        return Failed(fault)
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply))
    if claimed_status(value):
        return Failed(error_in(reply, value) or unreadable(reply))
    data = value.get("data")
    task = state.get("task") or (task_id_of({"data": data}) if isinstance(data, dict) else "")
    return follow(job, reply, value, task, _poll, polled=state)


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _submit(job: Job, state: State) -> Send:
    value: dict[str, Any] = {"model": job.model, "prompt": job.prompt, **job.fields()}
    if state.get("typo"):
        value["aspect_ratio"] = " 3:2"
    if job.route.references and job.references:
        value[job.route.references] = [job.inline(picture) for picture in job.references]
    return Send("POST", job.url(job.route.path), state, paid=True, body=json_body(value))


def _poll(job: Job, state: State) -> Send:
    return Send("GET", job.url(f"/v1/images/tasks/{state['task']}"), state, accepted=state)


def _blames_the_ratio(job: Job, reply: Reply, words: str) -> bool:
    blamed = reply.status in (400, 422) and ("aspect" in words.lower() or "3:2" in words)
    return blamed and job.operation == "generate" and job.options.get("aspect_ratio") == "3:2"
