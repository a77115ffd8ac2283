"""kie.ai: references are uploaded to a second address, `createTask` gives a task, `recordInfo` says how it stands.

Documents: its page on file streams for the upload; the rest from clients. An error is a `code` inside a 200. What a task
made is JSON inside a string, `resultJson`. `creditsConsumed` counts credits whose price isn't published: it only tells
whether a failed task was billed. Two uploads of one name overwrite each other, so the name is that of the content.
Unknown fields are ignored without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import Fault
from ..http.body import json_body
from ..images.picture import Encoded
from ..providers.spec import ReferenceEncoding
from .base.polling import SUCCEEDED, follow, lost, path_segment, status_of, task_id_of
from .base.step import Failed, Job, Reply, Send, State, Step
from .base.uploads import Fresh, known_urls, next_upload, placed, without_upload
from .parsing.error_kinds import Codes
from .parsing.error_parsing import error_in, fault_of, unreadable
from .parsing.long_text import LongText
from .parsing.reading import NotJson, read_json, read_object

REFERENCES: tuple[ReferenceEncoding, ...] = ("upload",)

_CODES: Codes = {"433": "credit", "455": "busy"}
"""Of the codes in its answers those that are no HTTP status: the key's own limit is used up, and maintenance (the list of
response codes on its pages of the models)."""


def start(job: Job) -> Step:
    return _upload_or_submit(job, known_urls(job))


def next(job: Job, state: State, reply: Reply) -> Step:
    task = state.get("task", "")
    if not reply.ok:
        return _failed(fault_of(reply, _CODES), reply, state)
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    fault = error_in(reply, value, _CODES)
    if fault:
        return _failed(fault, reply, state)
    data = value.get("data")
    if task and not (isinstance(data, dict) and "state" in data):
        return follow(job, reply, value, task, _poll, polled=state)
    if not isinstance(data, dict):
        return Failed(unreadable(reply))
    if state["at"] == "upload":
        found = placed(state, data.get("downloadUrl") or data.get("fileUrl"))
        return _upload_or_submit(job, *found) if found else Failed(unreadable(reply))
    if not task:
        accepted = task_id_of({"data": data})
        return follow(job, reply, {}, accepted, _poll) if accepted else Failed(unreadable(reply))
    return _look(job, state, reply, data)


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _upload_or_submit(job: Job, urls: list[str], fresh: Fresh | None = None) -> Send:
    upload = next_upload(job, "/api/file-stream-upload", _form, urls, fresh)
    if upload:
        return upload
    wishes: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
    if urls:
        wishes[job.endpoint.references_field] = urls
    value = {"model": job.model, "input": wishes}
    return Send("POST", job.url(job.endpoint.path), {"at": "submit"}, paid=True, body=json_body(value), uploaded=fresh)


def _form(picture: Encoded) -> Sequence[tuple[str, str | Encoded]]:
    name = f"{hashlib.sha256(picture.data).hexdigest()[:32]}.{picture.name.rsplit('.', 1)[1]}"
    return [("file", picture), ("uploadPath", "images/nano-banana"), ("fileName", name)]


def _poll(job: Job, state: State) -> Send:
    query = path_segment(state["task"])
    return Send("GET", job.url(f"/api/v1/jobs/recordInfo?taskId={query}"), state, accepted=state)


def _look(job: Job, state: State, reply: Reply, data: dict[str, Any]) -> Step:
    """The step after a poll."""
    seen = {name: data[name] for name in ("state", "progress", "failCode", "failMsg") if data.get(name)}
    made = data.get("resultJson")
    if status_of(data) in SUCCEEDED and made:
        try:
            if isinstance(made, str):
                made = read_json(made.encode())
            elif isinstance(made, LongText):
                made = read_json(made.read())
            seen["result"] = made
        except ValueError:
            return Failed(unreadable(reply), state["task"])
    step = follow(job, reply, seen, state["task"], _poll, polled=state)
    credits = data.get("creditsConsumed")
    if isinstance(step, Failed) and isinstance(credits, (int, float)) and not isinstance(credits, bool):
        return replace(step, fault=replace(step.fault, unbilled=credits == 0))
    return step


def _failed(fault: Fault, reply: Reply, state: State) -> Failed:
    task = state.get("task", "")
    if state["at"] == "upload":
        return Failed(without_upload(fault))
    # Its page on task details has 404 for an unknown task; "recordInfo is null" with 422 is what it was seen to answer.
    if task and (fault.status == 404 or "recordinfo is null" in fault.words.lower()):
        return Failed(lost(replace(reply, status=404), task), task)
    return Failed(fault, task)
