"""WaveSpeed: references are uploaded, the model's own path gives a prediction, whose result has its pictures.

Documents: its pages on the models, on predictions and on uploading files, its own ComfyUI nodes, and its SDK (`wavespeed`
2.0.5). The reply is wrapped into `{code, message, data}`, and an error may be a `code` inside a 200. The same shape is served
by resellers at addresses of their own. Its documents disagree about two addresses; where one isn't there, the next is tried:

    references   "binary": a form with `file` to `/api/v3/media/upload/binary` (page "Media Upload API", its nodes).
                 "ticket": `/api/v3/media/uploads` with `{filename, size, content_type}` gives `upload`, where the bytes are
                 put without the key, and `download_url` (the SDK's only way). "form": a form with `file` to `/api/v3/upload`
                 (page "How to Upload Files"). "inside": data URIs in the request, for a base without uploads; whether
                 `images` takes anything but addresses is said nowhere
    result       `/api/v3/predictions/<id>/result` (SDK, nodes), or without `/result` (page "How to Get Result")

A 404 in its own wrapping is about the prediction, any other one about the address. `deleted` is an end that only the SDK
knows. Such a prediction may have been finished and billed, and its pictures are gone: it counts as lost. The model is a part
of the path and is written with `google/` in every document, so no other spelling is tried.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ..errors import Fault
from ..http.body import Body, Raw, json_body, multipart_body
from ..http.status import is_missing_route
from ..providers.spec import ReferenceEncoding
from .base.polling import SUCCEEDED, follow, lost, path_segment, status_of, task_id_of
from .base.step import Failed, Job, Reply, Send, State, Step
from .base.uploads import Fresh, known_urls, placed
from .base.variants import another, begin, inside, remembered
from .parsing.error_parsing import claimed_status, error_in, fault_of, unreadable
from .parsing.reading import NotJson, read_object
from .parsing.refusals import wants_addresses

REFERENCES: tuple[ReferenceEncoding, ...] = ("upload",)

_SEEN = ("status", "outputs", "error", "progress")
_TOPIC, _RESULT = "references", "result"
_FORMS = {"binary": "/api/v3/media/upload/binary", "form": "/api/v3/upload"}
_UPLOADS = ("binary", "ticket", "form")
_HEADER = re.compile(r"(?i)x-[a-z0-9-]{1,60}|cache-control|content-disposition")
"""What a ticket may set beside the content type: nothing that says who asks, or where."""


def start(job: Job) -> Step:
    state = begin(
        job, {_TOPIC: _UPLOADS[0] if job.spec.reference_encoding == "upload" else "inside"} if job.references else {}
    )
    return _upload_or_submit(job, {**state, "urls": known_urls(job)})


def next(job: Job, state: State, reply: Reply) -> Step:
    task, at = state.get("task", ""), state["at"]
    if at == "put":
        return _put(job, state, reply)
    if not reply.ok:
        return _refused(job, state, reply, fault_of(reply))
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    fault = error_in(reply, value) if claimed_status(value) else None
    if fault:
        return _refused(job, state, reply, fault)
    data = value.get("data")
    inner = data if isinstance(data, dict) else {} if "data" in value else value
    if at == "ticket":
        return _to_put(job, state, reply, inner)
    if at == "upload":
        found = placed(state, inner.get("download_url") or inner.get("url"))
        return _upload_or_submit(job, {**state, "urls": found[0]}, found[1]) if found else Failed(unreadable(reply))
    accepted = task or task_id_of({"id": inner.get("id")})
    seen = {name: inner[name] for name in _SEEN if inner.get(name)}
    if not accepted and not seen:
        return Failed(error_in(reply, value) or unreadable(reply))
    if accepted and status_of(inner) == "deleted":
        return Failed(lost(replace(reply, status=410), accepted), accepted)
    # A reply about a prediction may repeat what was sent: of such a one only the outputs are looked at.
    own = not task or "outputs" in inner or ("status" in inner and status_of(inner) not in SUCCEEDED)
    if not own and "status" in inner:
        sent = job.spec.endpoints["edit"].references_field
        value = {"data": {name: told for name, told in inner.items() if name != sent}}
    carried = state if task else begin(job, {_RESULT: "result"})
    extra: State = {name: carried[name] for name in ("variants", "refused") if name in carried}
    step = follow(job, reply, seen if own else value, accepted, _poll, polled=state, extra=extra)
    return remembered(step, state)


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


# ---------------------------------------------------------------------------------------------------------- uploads


def _upload_or_submit(job: Job, state: State, fresh: Fresh | None = None) -> Send:
    """The upload of the first reference without an address, where they are uploaded; else the paid request."""
    missing = [index for index, url in enumerate(state["urls"]) if not url]
    way = state["variants"].get(_TOPIC, "inside")
    if not missing or way == "inside":
        return _submit(job, state, fresh)
    picture = job.references[missing[0]]
    if way == "ticket":
        announced = {"filename": picture.name, "size": len(picture.data), "content_type": picture.mime}
        asked: State = {**state, "at": "ticket", "index": missing[0]}
        url = job.upload_url("/api/v3/media/uploads")
        return Send("POST", url, asked, body=json_body(announced), uploaded=fresh)
    sent: State = {**state, "at": "upload", "index": missing[0]}
    return Send("POST", job.upload_url(_FORMS[way]), sent, body=multipart_body([("file", picture)]), uploaded=fresh)


def _to_put(job: Job, state: State, reply: Reply, ticket: dict[str, Any]) -> Step:
    """Where a ticket says that the bytes go, with the headers that it asks for."""
    upload, address = ticket.get("upload"), ticket.get("download_url")
    upload = upload if isinstance(upload, dict) else {}
    target = upload.get("url")
    if str(upload.get("method", "PUT")).upper() != "PUT" or not isinstance(target, str) or not isinstance(address, str):
        return Failed(unreadable(reply))
    asked = upload.get("headers")
    headers = {name: text for name, text in asked.items() if isinstance(text, str)} if isinstance(asked, dict) else {}
    picture = job.references[state["index"]]
    mime = _header(headers, "content-type") or picture.mime
    kept = {name: text for name, text in headers.items() if _HEADER.fullmatch(name) and text.isprintable()}
    body = Body((Raw(picture.data),), mime if mime.isprintable() else picture.mime)
    return Send("PUT", target, {**state, "at": "put", "file": address}, body=body, headers=kept, with_key=False)


def _put(job: Job, state: State, reply: Reply) -> Step:
    """The step after the bytes of a ticket were put."""
    if not reply.ok:
        return _refused(job, state, reply, fault_of(reply))
    found = placed(state, state["file"])
    return _upload_or_submit(job, {**state, "urls": found[0]}, found[1]) if found else Failed(unreadable(reply))


# ----------------------------------------------------------------------------------------------------------- asking


def _submit(job: Job, state: State, fresh: Fresh | None = None) -> Send:
    value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
    if job.references:
        value[job.endpoint.references_field] = inside(job, state["urls"], job.spec.reference_encoding)
    submitted: State = {**state, "at": "submit"}
    return Send("POST", job.url(job.endpoint.path), submitted, paid=True, body=json_body(value), uploaded=fresh)


def _poll(job: Job, state: State) -> Send:
    end = "" if state.get("variants", {}).get(_RESULT) == "plain" else "/result"
    return Send("GET", job.url(f"/api/v3/predictions/{path_segment(state['task'])}{end}"), state, accepted=state)


def _refused(job: Job, state: State, reply: Reply, fault: Fault) -> Step:
    """Another variant of what has no address here or was refused for the way it was sent, or the failure."""
    at, task = state["at"], state.get("task", "")
    led: State | None = None
    if task:
        return _not_told(job, state, reply, fault)
    if at in ("upload", "ticket", "put"):
        led = another(state, _TOPIC, (*_UPLOADS, "inside")) if is_missing_route(fault.status) else None
    elif job.references and "" in state["urls"] and wants_addresses(reply, fault):
        led = another(state, _TOPIC, _UPLOADS)
    return _upload_or_submit(job, led) if led else Failed(fault)


def _not_told(job: Job, state: State, reply: Reply, fault: Fault) -> Step:
    """The step after a poll without an answer: the other address of the result, or the failure."""
    task = state["task"]
    own = fault.status == 404 and _is_wrapped(reply)
    if is_missing_route(reply.status) and not own:
        led = another({"variants": {_RESULT: "result"}, "refused": {}, **state}, _RESULT, ("result", "plain"))
        if led:
            return _poll(job, led)
    return Failed(lost(replace(reply, status=404), task) if fault.status == 404 else fault, task)


def _is_wrapped(reply: Reply) -> bool:
    """Whether an answer is in WaveSpeed's own wrapping."""
    try:
        value = read_object(reply)
    except NotJson:
        return False
    return "code" in value and "message" in value


def _header(headers: dict[str, str], name: str) -> str:
    """A header by its name in lower case; "" where there is none."""
    return {key.lower(): text for key, text in headers.items()}.get(name, "")
