"""Runflow: references are uploaded, then one of two forms asks for the pictures.

Documents: its page for Nano Banana Pro Edit, form "run": `POST /v1/run/<model>` with a flat body, answered with
`images[]`. Its general reference, form "runs": `POST /v1/models/<model>/runs` with `{"input": ...}`, then
`GET /v1/runs/<id>` until `status_code` ends, `output.outputs[]`. A 404 or 405 on one leads to the other; nothing was paid
by then. A run object in reply to either form is followed, pictures in reply to either are taken.

The first page knows no uploads. Where a step of an upload has no address (`is_missing_route`), the references go inside
the request, as data URIs in the same field: the reference and the SDK accept those. A base that then wants http(s) addresses
has no way for pictures of this machine, unless its uploads haven't been tried in this call because they were missing
earlier. Model ids are written with `google/` in every document of it, so another spelling is not tried.
"""

from __future__ import annotations

from typing import Any

from ..http.body import Body, Raw, json_body
from ..http.status import is_missing_route
from ..providers.spec import ReferenceEncoding
from .base.polling import follow, lost, path_segment, task_id_of
from .base.step import Failed, Job, Reply, Send, State, Step
from .base.uploads import Fresh, is_web_address, known_urls
from .base.variants import another, begin, inside, remembered
from .parsing.error_kinds import Codes
from .parsing.error_parsing import fault_of, unreadable
from .parsing.reading import NotJson, read_object
from .parsing.refusals import wants_addresses

REFERENCES: tuple[ReferenceEncoding, ...] = ("upload", "data_uri")

_CODES: Codes = {
    "email_not_verified": "account",
    "insufficient_credit": "credit",
    "model_unavailable": "model",
    "rate_limited": "rate",
}
"""Codes of its errors, from its page on errors."""

_UPLOADS = "/v1/asset-uploads"
_OTHER = {"run": "runs", "runs": "run"}
_TOPIC = "references"
_UPLOAD, _INSIDE = "upload", "inside"


def start(job: Job) -> Step:
    state = begin(
        job, {_TOPIC: _UPLOAD if job.spec.reference_encoding == "upload" else _INSIDE} if job.references else {}
    )
    return _upload_or_submit(
        job, {**state, "form": job.api_variant or job.spec.api_variants[0], "urls": known_urls(job)}
    )


def next(job: Job, state: State, reply: Reply) -> Step:
    at = state["at"]
    if at in ("announce", "put", "confirm"):
        return _uploading(job, state, reply)
    task = state.get("task", "")
    if not reply.ok:
        if task:
            return Failed(lost(reply, task) if reply.status == 404 else fault_of(reply, _CODES), task)
        return _refused(job, state, reply)
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    step = follow(
        job,
        reply,
        value,
        task or task_id_of(value),
        _poll,
        polled=state,
        usd=_cost(value),
        learned="" if task else state["form"],
    )
    return remembered(step, state)


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _upload_or_submit(job: Job, state: State, fresh: Fresh | None = None) -> Send:
    """The upload of the first reference without an address, where they are uploaded; else the paid request."""
    missing = [index for index, url in enumerate(state["urls"]) if not url]
    if not missing or state["variants"][_TOPIC] == _INSIDE:
        return _submit(job, state, fresh)
    picture = job.references[missing[0]]
    value = {
        "filename": f"picture-{missing[0] + 1}.{picture.name.rsplit('.', 1)[1]}",
        "mime_type": picture.mime,
        "size_bytes": len(picture.data),
    }
    announced: State = {**state, "at": "announce", "index": missing[0]}
    return Send("POST", job.upload_url(_UPLOADS), announced, body=json_body(value), uploaded=fresh)


def _uploading(job: Job, state: State, reply: Reply) -> Step:
    """The three steps of an upload: announce, put the bytes, confirm."""
    if not reply.ok:
        led = another(state, _TOPIC, (_INSIDE,)) if is_missing_route(reply.status) else None
        return _submit(job, led) if led else Failed(fault_of(reply, _CODES))
    index = state["index"]
    if state["at"] == "put":
        confirm = {**state, "at": "confirm"}
        where = f"{job.upload_url(_UPLOADS)}/{path_segment(state['asset'])}/confirmations"
        return Send("POST", where, confirm, body=json_body({"folder_id": None}))
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply))
    if state["at"] == "announce":
        asset, address = task_id_of({"id": value.get("asset_id")}), value.get("upload_url")
        if not asset or not is_web_address(address):
            return Failed(unreadable(reply))
        picture = job.references[index]
        body = Body((Raw(picture.data),), picture.mime)
        return Send("PUT", address, {**state, "at": "put", "asset": asset}, body=body, with_key=False)
    url = value.get("url")
    if not is_web_address(url):
        return Failed(unreadable(reply))
    urls = [*state["urls"][:index], url, *state["urls"][index + 1 :]]
    return _upload_or_submit(job, {**state, "urls": urls}, (index, url))


def _submit(job: Job, state: State, fresh: Fresh | None = None) -> Send:
    value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
    if job.references:
        value[job.endpoint.references_field] = inside(job, state["urls"], job.spec.reference_encoding)
    if state["form"] == "runs":
        path, value = "/v1/models/{model}/runs", {"input": value}
    else:
        path = job.endpoint.path
    return Send("POST", job.url(path), {**state, "at": "submit"}, paid=True, body=json_body(value), uploaded=fresh)


def _refused(job: Job, state: State, reply: Reply) -> Step:
    """Another variant of a paid request that was refused for the way it was sent, or the failure."""
    if reply.status in (404, 405) and "tried" not in state:
        return _submit(job, {**state, "form": _OTHER[state["form"]], "tried": True})
    fault = fault_of(reply, _CODES)
    if not job.references or "" not in state["urls"] or not wants_addresses(reply, fault):
        return Failed(fault)
    led = another(state, _TOPIC, (_UPLOAD,))
    return _upload_or_submit(job, led) if led else Failed(fault)


def _poll(job: Job, state: State) -> Send:
    return Send("GET", job.url(f"/v1/runs/{path_segment(state['task'])}"), state, accepted=state)


def _cost(value: dict[str, Any]) -> float | None:
    """The run's `cost` in US dollars, a string."""
    try:
        cost = float(value["cost"])
    except (KeyError, TypeError, ValueError):
        return None
    return cost if 0 <= cost < 1000 else None
