"""APIFRAME, version 1: `POST /<model>`, then, if it isn't finished at once, `POST /fetch` with the task's id.

Documents: its pages for Nano Banana Pro and Nano Banana. The 200 of the submission is labelled "the task has been
submitted" and yet shows the finished pictures: both are read. 401 and 500 come with an empty object. References are
addresses or base64; clients send data URIs.
"""

from __future__ import annotations

from typing import Any

from ..http.body import json_body
from ..providers.spec import ReferenceEncoding
from .base.polling import follow, lost, task_id_of
from .base.step import Failed, Job, Reply, Send, State, Step
from .parsing.error_parsing import fault_of, unreadable
from .parsing.reading import NotJson, read_object

REFERENCES: tuple[ReferenceEncoding, ...] = ("data_uri", "base64")


def start(job: Job) -> Step:
    value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
    if job.references:
        value[job.endpoint.references_field] = [job.inline(picture) for picture in job.references]
    return Send("POST", job.url(job.endpoint.path), {"at": "submit"}, paid=True, body=json_body(value))


def next(job: Job, state: State, reply: Reply) -> Step:
    task = state.get("task", "")
    if not reply.ok:
        return Failed(lost(reply, task) if task and reply.status == 404 else fault_of(reply), task)
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    return follow(job, reply, value, task or task_id_of(value), _poll, polled=state)


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _poll(job: Job, state: State) -> Send:
    return Send("POST", job.url("/fetch"), state, body=json_body({"task_id": state["task"]}), accepted=state)
