"""APIFRAME, version 2: references are uploaded, `POST /v2/images/generate` gives a job, `GET /v2/jobs/<id>` its result.

Documents: the vendor's OpenAPI file and its SDK. The shape of `result` is in neither: every known place of a picture is
looked into, then every address in it. The same `Idempotency-Key` twice is one job, and the second answer may name the
state that the job has reached, but never its pictures: a submission is always followed by a poll. Results are purged
after 24 hours, which a job then says with `expired`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import Fault
from ..http.body import json_body
from ..providers.spec import ReferenceEncoding
from ..redaction.text import redact
from .base.polling import SUCCEEDED, follow, lost, path_segment, status_of, task_id_of
from .base.step import Done, Failed, ImageRef, Job, Reply, Send, State, Step
from .base.uploads import Fresh, known_urls, next_upload, placed, without_upload
from .parsing.error_parsing import fault_of, no_picture, unreadable
from .parsing.long_text import LongText
from .parsing.reading import NotJson, read_json, read_object
from .parsing.result_images import image_of, images_in, result_images

REFERENCES: tuple[ReferenceEncoding, ...] = ("upload",)

_ECHOES = frozenset({"input", "params", "nanoBananaParams", "image_input", "thumbnail", "thumbnails", "webhookUrl"})
"""Names under which a result may repeat what was sent, or show it smaller."""


def start(job: Job) -> Step:
    return _upload_or_submit(job, known_urls(job))


def next(job: Job, state: State, reply: Reply) -> Step:
    task = state.get("task", "")
    if not reply.ok and state["at"] == "upload":
        return Failed(without_upload(_fault(reply)))
    if not reply.ok:
        return Failed(lost(reply, task) if task and reply.status == 404 else _fault(reply), task)
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    if state["at"] == "upload":
        found = placed(state, value.get("url"))
        return _upload_or_submit(job, *found) if found else Failed(unreadable(reply))
    if not task:
        accepted = task_id_of(value)
        return follow(job, reply, {}, accepted, _poll) if accepted else Failed(unreadable(reply))
    return _look(job, state, reply, value)


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _upload_or_submit(job: Job, urls: list[str], fresh: Fresh | None = None) -> Send:
    upload = next_upload(job, "/v2/uploads", lambda picture: [("file", picture)], urls, fresh)
    if upload:
        return upload
    wishes: dict[str, Any] = dict(job.fields())
    if urls:
        wishes[job.endpoint.references_field] = urls
    value: dict[str, Any] = {"model": job.model, "prompt": job.prompt}
    if wishes:
        value["nanoBananaParams"] = wishes
    return Send("POST", job.url(job.endpoint.path), {"at": "submit"}, paid=True, body=json_body(value), uploaded=fresh)


def _poll(job: Job, state: State) -> Send:
    return Send("GET", job.url(f"/v2/jobs/{path_segment(state['task'])}"), state, accepted=state)


def _look(job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
    """The step after a poll."""
    task = state["task"]
    if not status_of(value):
        return follow(job, reply, value, task, _poll, polled=state)
    if status_of(value) in SUCCEEDED:
        result = value.get("result")
        found = result_images(result)
        pictures = found.images or _addresses(result) or images_in(value)
        if pictures:
            return Done(tuple(pictures), found.text, None, task)
        if value.get("expired") is True:
            return Failed(Fault("download", "results are kept for 24 hours", unbilled=False), task)
        return _costing(Failed(no_picture(reply, value), task), value)
    seen = {name: value[name] for name in ("status", "progress", "error") if value.get(name) is not None}
    step = follow(job, reply, seen, task, _poll, polled=state)
    return _costing(step, value) if isinstance(step, Failed) else step


def _costing(failed: Failed, value: dict[str, Any]) -> Failed:
    """A cost of nothing is the provider's word that nothing was charged; any other may have been given back."""
    cost = value.get("creditCost")
    free = cost == 0 and not isinstance(cost, bool)
    return replace(failed, fault=replace(failed.fault, unbilled=True)) if free else failed


def _addresses(node: Any, name: str = "", depth: int = 0) -> list[ImageRef]:
    """Every address or data URI below `node`, in order, each once."""
    if depth > 8 or name in _ECHOES:
        return []
    found: list[ImageRef] = []
    head = node.head(64).decode("utf-8", "replace") if isinstance(node, LongText) else node
    if isinstance(head, str) and head.lstrip()[:5].lower() in ("http:", "https", "data:"):
        picture = image_of(node)
        found = [picture] if picture else []
    elif isinstance(node, dict):
        found = [each for key, item in node.items() for each in _addresses(item, key, depth + 1)]
    elif isinstance(node, list):
        found = [each for item in node for each in _addresses(item, name, depth + 1)]
    return list(dict.fromkeys(found))


def _fault(reply: Reply) -> Fault:
    """`{error, details: {path: [message]}}`, and for an empty account how many credits it takes and there are."""
    fault = fault_of(reply)
    try:
        value = read_json(reply.body)
    except NotJson:
        return fault
    if not isinstance(value, dict):
        return fault
    more: list[str] = []
    details = value.get("details")
    if isinstance(details, dict):
        more = [f"{path}: {_joined(told)}" for path, told in list(details.items())[:5]]
    wanted, there = value.get("creditsRequired"), value.get("creditsAvailable")
    if isinstance(wanted, (int, float)) and isinstance(there, (int, float)):
        more.append(f"it takes {wanted} credits, and there are {there}")
    return replace(fault, words=redact("; ".join([fault.words, *more] if fault.words else more)))


def _joined(told: Any) -> str:
    return ", ".join(str(each) for each in told[:3]) if isinstance(told, list) else str(told)
