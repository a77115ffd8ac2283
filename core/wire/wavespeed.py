"""WaveSpeed: references are uploaded, the model's own path gives a prediction, `/predictions/<id>/result` its pictures.

Documents: its pages on the models and on uploading files, and its own ComfyUI nodes. The reply is wrapped into
`{code, message, data}`, and an error may be a `code` inside a 200. Whether `images` takes anything but addresses is said
nowhere. The same shape is served by resellers at addresses of their own.
"""

from __future__ import annotations

from typing import Any

from .body import json_body
from .reading import NotJson, fault_of, inner_fault, read_object, unreadable
from .step import Failed, Job, Reply, Send, State, Step
from .tasks import follow, lost
from .uploads import Fresh, known_urls, next_upload, placed

_SEEN = ("status", "outputs", "error", "progress")


def start(job: Job) -> Step:
    return _upload_or_submit(job, known_urls(job))


def next(job: Job, state: State, reply: Reply) -> Step:
    task = state.get("task", "")
    if not reply.ok:
        return Failed(lost(reply, task) if task and reply.status == 404 else fault_of(reply), task)
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    fault = inner_fault(reply, value)
    if fault:
        return Failed(lost(reply, task) if task and fault.status == 404 else fault, task)
    data = value.get("data", value)
    if not isinstance(data, dict):
        return Failed(unreadable(reply), task)
    if state["at"] == "upload":
        found = placed(state, data.get("download_url") or data.get("url"))
        return _upload_or_submit(job, *found) if found else Failed(unreadable(reply))
    accepted = task or str(data.get("id") or "")
    seen = {name: data[name] for name in _SEEN if data.get(name)}
    if not accepted and not seen:
        return Failed(unreadable(reply))
    return follow(job, reply, seen, accepted, _poll, pause=state.get("pause"))


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _upload_or_submit(job: Job, urls: list[str], fresh: Fresh | None = None) -> Send:
    upload = next_upload(job, "/api/v3/media/upload/binary", lambda picture: [("file", picture)], urls, fresh)
    if upload:
        return upload
    value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
    if urls:
        value[job.route.references] = urls
    return Send("POST", job.url(job.route.path), {"at": "submit"}, paid=True, body=json_body(value), uploaded=fresh)


def _poll(job: Job, state: State) -> Send:
    return Send("GET", job.url(f"/api/v3/predictions/{state['task']}/result"), state, accepted=state)
