"""Replicate: a prediction is made, asked for until it ends, and its output is one address.

Documents: its API reference. `POST /v1/models/<owner>/<name>/predictions` with `{"input": ...}` gives a prediction with
`urls.get` and `urls.cancel`, which are used where they are at the provider's own origin; else `/v1/predictions/<id>`.
Statuses: starting, processing, succeeded, failed, canceled, aborted. `output` is a string for these models, a list for
others. A failed one tells why in `error`, a sentence with a code such as E005 for content. Other errors are
`{"detail", "status", "title"}`, a 429 with `retry_after` or with the seconds in its sentence. The answer is never waited
for on the submission itself (`Prefer: wait`): what breaks off then would be in doubt, and asking is free.

Money: what a failed or a cancelled prediction costs isn't documented, except that one which never started can't have cost
anything; `started_at` says so where it is there. Cancel is asked only while it is starting: what runs could be billed
without a picture, so it is let finish. Files are uploaded as `content` to `/v1/files`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ..http.body import json_body, multipart_body
from ..http.status import is_missing_route
from ..providers.spec import ReferenceEncoding
from .base.inlining import in_order, next_upload
from .base.polling import follow, lost, own_address, path_segment, status_of, task_id_of
from .base.step import Failed, Job, Reply, Send, State, Step, Wait
from .base.uploads import is_web_address, known_urls
from .base.variants import another, begin, remembered
from .parsing.error_parsing import fault_of, unreadable
from .parsing.reading import NotJson, read_object

REFERENCES: tuple[ReferenceEncoding, ...] = ("data_uri", "upload")

_CONTENT = re.compile(r"\bE005\b")


def start(job: Job) -> Step:
    return _upload_or_submit(job, {**begin(job, {"references": "upload"}), "urls": known_urls(job)})


def next(job: Job, state: State, reply: Reply) -> Step:
    at, task = state["at"], state.get("task", "")
    if at == "upload":
        return _uploaded(job, state, reply)
    if at == "cancel":
        return Wait(job.spec.poll_seconds[0], _poll(job, {**state, "at": "poll"}))
    if not reply.ok:
        if task:
            return Failed(lost(reply, task) if reply.status == 404 else fault_of(reply), task)
        return Failed(fault_of(reply))
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    urls = value["urls"] if isinstance(value.get("urls"), dict) else {}
    extra: State = {"status": status_of(value)}
    for name in ("get", "cancel"):
        extra[f"{name}_url"] = own_address(job, urls.get(name)) or state.get(f"{name}_url", "")
    task = task or task_id_of(value)
    step = follow(job, reply, value, task, _poll, polled=state, extra=extra)
    return _understood(step, value) if isinstance(step, Failed) else remembered(step, state)


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def cancel(job: Job, accepted: State) -> Send | None:
    if accepted.get("status") != "starting":
        return None
    return Send("POST", _address(job, accepted, "cancel_url", "/cancel"), {**accepted, "at": "cancel"})


def _upload_or_submit(job: Job, state: State, fresh: tuple[int, str] | None = None) -> Send:
    urls = state["urls"]
    index = next_upload(job, urls) if state["variants"]["references"] == "upload" else None
    if index is not None:
        body = multipart_body([("content", job.references[index])])
        sent: State = {**state, "at": "upload", "index": index}
        return Send("POST", job.upload_url("/v1/files"), sent, body=body, uploaded=fresh)
    value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
    if job.references:
        value[job.endpoint.references_field] = in_order(job, urls)
    body = json_body({"input": value})
    return Send("POST", job.url(job.endpoint.path), {**state, "at": "submit"}, paid=True, body=body, uploaded=fresh)


def _uploaded(job: Job, state: State, reply: Reply) -> Step:
    """The step after an upload; where there is no address for it, all references go inside the request, as small ones do."""
    if not reply.ok:
        led = another(state, "references", ("inside",)) if is_missing_route(reply.status) else None
        return _upload_or_submit(job, led) if led else Failed(fault_of(reply))
    try:
        urls = read_object(reply).get("urls")
    except NotJson:
        return Failed(unreadable(reply))
    url = urls.get("get") if isinstance(urls, dict) else None
    if not is_web_address(url):
        return Failed(unreadable(reply))
    index = state["index"]
    urls = [*state["urls"][:index], url, *state["urls"][index + 1 :]]
    return _upload_or_submit(job, {**state, "urls": urls}, fresh=(index, url))


def _poll(job: Job, state: State) -> Send:
    return Send("GET", _address(job, state, "get_url", ""), state, accepted=state)


def _address(job: Job, state: State, name: str, end: str) -> str:
    return state.get(name) or job.url(f"/v1/predictions/{path_segment(state['task'])}{end}")


def _understood(failed: Failed, value: dict[str, Any]) -> Failed:
    """A failed prediction by its code, and by whether it had started."""
    fault = failed.fault
    if fault.kind == "task" and _CONTENT.search(fault.words):
        fault = replace(fault, kind="content")
    if value.get("data_removed") is True:
        # It was made and paid; an hour later it is gone.
        words = fault.words or "its output has been deleted"
        gone = replace(fault, kind="download", words=words, status=None, unbilled=False, cure=_TOO_LATE)
        return replace(failed, fault=gone)
    status = status_of(value)
    never_started = "started_at" in value and value["started_at"] is None
    if status == "aborted" or (status in ("canceled", "cancelled") and never_started):
        fault = replace(fault, unbilled=True)
    return replace(failed, fault=fault)


_TOO_LATE = "Replicate keeps a picture for an hour only: queue again to pay for a new one"
