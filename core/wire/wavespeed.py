"""WaveSpeed: references are uploaded, the model's own path gives a prediction, `/predictions/<id>/result` its pictures.

Documents: its pages on the models and on uploading files, and its own ComfyUI nodes. The reply is wrapped into
`{code, message, data}`, and an error may be a `code` inside a 200. Whether `images` takes anything but addresses is said
nowhere. The same shape is served by resellers at addresses of their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ..providers.row import Transport
from .body import json_body
from .error_parsing import claimed_status, error_in, fault_of, unreadable
from .reading import NotJson, read_object
from .step import Failed, Job, Reply, Send, State, Step
from .tasks import SUCCEEDED, follow, lost, status_of
from .uploads import Fresh, known_urls, next_upload, placed

REFERENCES: tuple[Transport, ...] = ("upload",)

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
    fault = error_in(reply, value) if claimed_status(value) else None
    if fault:
        return Failed(lost(replace(reply, status=404), task) if task and fault.status == 404 else fault, task)
    data = value.get("data")
    inner = data if isinstance(data, dict) else {} if "data" in value else value
    if state["at"] == "upload":
        found = placed(state, inner.get("download_url") or inner.get("url"))
        return _upload_or_submit(job, *found) if found else Failed(unreadable(reply))
    accepted = task or str(inner.get("id") or "")
    seen = {name: inner[name] for name in _SEEN if inner.get(name)}
    if not accepted and not seen:
        return Failed(error_in(reply, value) or unreadable(reply))
    # A reply about a prediction may repeat what was sent: of such a one only the outputs are looked at.
    own = not task or "outputs" in inner or ("status" in inner and status_of(inner) not in SUCCEEDED)
    if not own and "status" in inner:
        sent = job.row.routes["edit"].references
        value = {"data": {name: told for name, told in inner.items() if name != sent}}
    return follow(job, reply, seen if own else value, accepted, _poll, polled=state)


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
    return Send("GET", job.url(f"/api/v3/predictions/{quote(state['task'], safe='')}/result"), state, accepted=state)
