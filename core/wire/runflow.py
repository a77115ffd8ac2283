"""Runflow: references are uploaded, then one of two forms asks for the pictures.

Documents: its page for Nano Banana Pro Edit, form "run": `POST /v1/run/<model>` with a flat body, answered with
`images[]`. Its general reference, form "runs": `POST /v1/models/<model>/runs` with `{"input": ...}`, then
`GET /v1/runs/<id>` until `status_code` ends, `output.outputs[]`. A 404 or 405 on one leads to the other; nothing was paid
by then. A run object in reply to either form is followed, pictures in reply to either are taken.
"""

from __future__ import annotations

from typing import Any

from ..providers.row import Transport
from .body import Body, Raw, json_body
from .error_parsing import fault_of, unreadable
from .reading import NotJson, read_object
from .step import Failed, Job, Reply, Send, State, Step
from .tasks import follow, lost, task_id_of

REFERENCES: tuple[Transport, ...] = ("upload",)

_UPLOADS = "/v1/asset-uploads"
_OTHER = {"run": "runs", "runs": "run"}


def start(job: Job) -> Step:
    known = [job.uploaded.get(index, "") for index in range(len(job.references))]
    return _upload_or_submit(job, known)


def next(job: Job, state: State, reply: Reply) -> Step:
    at = state["at"]
    if at in ("announce", "put", "confirm"):
        return _uploading(job, state, reply)
    task = state.get("task", "")
    if not reply.ok:
        if task:
            return Failed(lost(reply, task) if reply.status == 404 else fault_of(reply), task)
        if reply.status in (404, 405) and "tried" not in state:
            return _submit(job, state["urls"], _OTHER[state["form"]], tried=True)
        return Failed(fault_of(reply))
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply), task)
    return follow(
        job,
        reply,
        value,
        task or task_id_of(value),
        _poll,
        polled=state,
        usd=_cost(value),
        learned="" if task else state["form"],
    )


def resume(job: Job, accepted: State) -> Step:
    return _poll(job, accepted)


def _upload_or_submit(job: Job, urls: list[str], fresh: tuple[int, str] | None = None) -> Send:
    for index, url in enumerate(urls):
        if not url:
            picture = job.references[index]
            value = {
                "filename": f"picture-{index + 1}.{picture.name.rsplit('.', 1)[1]}",
                "mime_type": picture.mime,
                "size_bytes": len(picture.data),
            }
            state: State = {"at": "announce", "index": index, "urls": urls}
            return Send("POST", job.upload_url(_UPLOADS), state, body=json_body(value), uploaded=fresh)
    return _submit(job, urls, job.form or job.row.forms[0], fresh=fresh)


def _uploading(job: Job, state: State, reply: Reply) -> Step:
    """The three steps of an upload: announce, put the bytes, confirm."""
    if not reply.ok:
        return Failed(fault_of(reply))
    index = state["index"]
    if state["at"] == "put":
        confirm = {**state, "at": "confirm"}
        where = f"{job.upload_url(_UPLOADS)}/{state['asset']}/confirmations"
        return Send("POST", where, confirm, body=json_body({"folder_id": None}))
    try:
        value = read_object(reply)
    except NotJson:
        return Failed(unreadable(reply))
    if state["at"] == "announce":
        asset, address = value.get("asset_id"), value.get("upload_url")
        if not isinstance(asset, str) or not isinstance(address, str):
            return Failed(unreadable(reply))
        picture = job.references[index]
        body = Body((Raw(picture.data),), picture.mime)
        return Send("PUT", address, {**state, "at": "put", "asset": asset}, body=body, with_key=False)
    url = value.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return Failed(unreadable(reply))
    urls = [*state["urls"][:index], url, *state["urls"][index + 1 :]]
    return _upload_or_submit(job, urls, fresh=(index, url))


def _submit(job: Job, urls: list[str], form: str, *, tried: bool = False, fresh: tuple[int, str] | None = None) -> Send:
    value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
    if urls:
        value[job.route.references] = urls
    state: State = {"at": "submit", "form": form, "urls": urls}
    if tried:
        state["tried"] = True
    if form == "runs":
        path, value = "/v1/models/{model}/runs", {"input": value}
    else:
        path = job.route.path
    return Send("POST", job.url(path), state, paid=True, body=json_body(value), uploaded=fresh)


def _poll(job: Job, state: State) -> Send:
    return Send("GET", job.url(f"/v1/runs/{state['task']}"), state, accepted=state)


def _cost(value: dict[str, Any]) -> float | None:
    """The run's `cost` in US dollars, a string."""
    try:
        cost = float(value["cost"])
    except (KeyError, TypeError, ValueError):
        return None
    return cost if 0 <= cost < 1000 else None
