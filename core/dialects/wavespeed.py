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

from ..errors import ProviderFailure
from ..http.body import Body, Raw, json_body, multipart_body
from ..http.status import is_missing_route
from .base.polling import PollingDialect, follow_task, path_segment, unknown_task
from .base.step import Failed, Job, Reply, Send, State, Step
from .base.task_status import SUCCEEDED, status_of, task_id_of
from .base.uploads import NewUpload, known_urls, reference_values, with_uploaded_url
from .base.variants import first_variants, next_variant, with_learned_variants
from .parsing.error_parsing import claimed_status, error_in, unreadable
from .parsing.reading import NotJson, read_object
from .parsing.refusals import wants_addresses

_SEEN = ("status", "outputs", "error", "progress")
_TOPIC, _RESULT = "references", "result"
_UPLOAD_PATHS = {"binary": "/api/v3/media/upload/binary", "form": "/api/v3/upload"}
_UPLOADS = ("binary", "ticket", "form")
_HEADER = re.compile(r"(?i)x-[a-z0-9-]{1,60}|cache-control|content-disposition")
"""What a ticket may set beside the content type: nothing that says who asks, or where."""


class WaveSpeed(PollingDialect):
    reference_encodings = ("upload",)

    def first_state(self, job: Job) -> State:
        way = _UPLOADS[0] if job.spec.reference_encoding == "upload" else "inside"
        return {**first_variants(job, {_TOPIC: way} if job.references else {}), "urls": known_urls(job)}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        missing = [index for index, url in enumerate(state["urls"]) if not url]
        way = state["variants"].get(_TOPIC, "inside")
        if missing and way != "inside":
            return _upload(job, state, missing[0], way, uploaded)
        value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
        if job.references:
            value[job.endpoint.references_field] = reference_values(job, state["urls"], job.spec.reference_encoding)
        url = job.url(job.endpoint.path)
        return Send("POST", url, {**state, "at": "submit"}, paid=True, body=json_body(value), uploaded=uploaded)

    def parse_upload(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        if state["at"] == "put":
            return self._uploaded(job, state, reply, state["file"])
        failure = error_in(reply, value) if claimed_status(value) else None
        if failure:
            return self._other_upload(job, state, failure)
        data = _unwrapped(value)
        if state["at"] == "ticket":
            return _to_put(job, state, reply, data)
        return self._uploaded(job, state, reply, data.get("download_url") or data.get("url"))

    def parse_upload_error(self, job: Job, state: State, reply: Reply) -> Step:
        return self._other_upload(job, state, self.failure(job, reply))

    def _uploaded(self, job: Job, state: State, reply: Reply, url: object) -> Step:
        found = with_uploaded_url(state, url)
        return self.submit(job, {**state, "urls": found[0]}, found[1]) if found else Failed(unreadable(reply))

    def _other_upload(self, job: Job, state: State, failure: ProviderFailure) -> Step:
        """Another way for the references, where this one has no route here, or the failure."""
        other = next_variant(state, _TOPIC, (*_UPLOADS, "inside")) if is_missing_route(failure.status) else None
        return self.submit(job, other) if other else Failed(failure)

    def poll(self, job: Job, state: State) -> Send:
        end = "" if state.get("variants", {}).get(_RESULT) == "plain" else "/result"
        return Send("GET", job.url(f"/api/v3/predictions/{path_segment(state['task'])}{end}"), state, accepted=state)

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        failure = error_in(reply, value) if claimed_status(value) else None
        if failure:
            return self._refused(job, state, reply, failure)
        task, data = state.get("task", ""), _unwrapped(value)
        accepted = task or task_id_of({"id": data.get("id")})
        seen = {name: data[name] for name in _SEEN if data.get(name)}
        if task and "outputs" not in seen and data.get("output"):
            seen["outputs"] = data["output"]
        if not accepted and not seen:
            return Failed(error_in(reply, value) or unreadable(reply))
        if accepted and status_of(data) == "deleted":
            return Failed(unknown_task(replace(reply, status=410), accepted), accepted)
        # A reply about a prediction may repeat what was sent: of such a one only the outputs are looked at.
        known_shape = not task or "outputs" in data or ("status" in data and status_of(data) not in SUCCEEDED)
        if not known_shape and "status" in data:
            echoed = job.spec.endpoints["edit"].references_field
            value = {"data": {name: item for name, item in data.items() if name != echoed}}
        carried = state if task else first_variants(job, {_RESULT: "result"})
        extra: State = {name: carried[name] for name in ("variants", "refused") if name in carried}
        answer = seen if known_shape else value
        step = follow_task(job, reply, answer, accepted, self.poll, polled=state, extra=extra)
        return with_learned_variants(step, state)

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        return self._refused(job, state, reply, self.failure(job, reply))

    def _refused(self, job: Job, state: State, reply: Reply, failure: ProviderFailure) -> Step:
        """Another variant of what was refused for the way it was sent, or has no route here; or the failure."""
        if state.get("task"):
            return self._poll_refused(job, state, reply, failure)
        other: State | None = None
        if job.references and "" in state["urls"] and wants_addresses(reply, failure):
            other = next_variant(state, _TOPIC, _UPLOADS)
        return self.submit(job, other) if other else Failed(failure)

    def _poll_refused(self, job: Job, state: State, reply: Reply, failure: ProviderFailure) -> Step:
        """The other address of the result, or the failure."""
        task = state["task"]
        if is_missing_route(reply.status) and not (failure.status == 404 and _is_wrapped(reply)):
            other = next_variant(
                {"variants": {_RESULT: "result"}, "refused": {}, **state}, _RESULT, ("result", "plain")
            )
            if other:
                return self.poll(job, other)
        return Failed(unknown_task(replace(reply, status=404), task) if failure.status == 404 else failure, task)


def _upload(job: Job, state: State, index: int, way: str, uploaded: NewUpload | None) -> Send:
    """The first request of an upload."""
    picture = job.references[index]
    if way == "ticket":
        ticket = {"filename": picture.name, "size": len(picture.data), "content_type": picture.mime}
        asked: State = {**state, "at": "ticket", "index": index}
        url = job.upload_url("/api/v3/media/uploads")
        return Send("POST", url, asked, body=json_body(ticket), uploaded=uploaded)
    sent: State = {**state, "at": "upload", "index": index}
    body = multipart_body([("file", picture)])
    return Send("POST", job.upload_url(_UPLOAD_PATHS[way]), sent, body=body, uploaded=uploaded)


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


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """What is in `data`; the value itself where it has none."""
    data = value.get("data")
    return data if isinstance(data, dict) else {} if "data" in value else value


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


DIALECT = WaveSpeed()
