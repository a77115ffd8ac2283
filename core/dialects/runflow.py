"""Runflow: references are uploaded, then one of two forms asks for the pictures.

Documents: its page for Nano Banana Pro Edit, variant "run": `POST /v1/run/<model>` with a flat body, answered with
`images[]`. Its general reference, variant "runs": `POST /v1/models/<model>/runs` with `{"input": ...}`, then
`GET /v1/runs/<id>` until `status_code` ends, `output.outputs[]`. After a 404 or 405 on one the other is tried; nothing was paid
by then. A run object in reply to either is followed, pictures in reply to either are taken.

The first page knows no uploads. Where a step of an upload has no address (`is_missing_route`), the references go inside
the request, as data URIs in the same field: the reference and the SDK accept those. A base that then wants http(s) addresses
has no way for pictures of this machine, unless its uploads haven't been tried in this call because they were missing
earlier. Model ids are written with `google/` in every document of it, so another spelling is not tried.
"""

from __future__ import annotations

from typing import Any

from ..http.body import Body, Raw, json_body
from ..http.status import is_missing_route
from .base.polling import PollingDialect, follow_task, path_segment, unknown_task
from .base.step import Failed, Job, Reply, Send, State, Step
from .base.task_status import task_id_of
from .base.uploads import NewUpload, is_web_address, known_urls, reference_values, with_uploaded_url
from .base.variants import API_VARIANT, first_variants, next_variant, with_learned_variants
from .parsing.error_parsing import unreadable
from .parsing.refusals import wants_addresses

_UPLOADS = "/v1/asset-uploads"
_OTHER = {"run": "runs", "runs": "run"}
_TOPIC = "references"
_UPLOAD, _INSIDE = "upload", "inside"


class Runflow(PollingDialect):
    reference_encodings = ("upload", "data_uri")
    # From its page on errors.
    codes = {
        "email_not_verified": "account",
        "insufficient_credit": "credit",
        "model_unavailable": "model",
        "rate_limited": "rate",
    }

    def first_state(self, job: Job) -> State:
        way = _UPLOAD if job.spec.reference_encoding == "upload" else _INSIDE
        state = first_variants(job, {_TOPIC: way} if job.references else {})
        return {**state, API_VARIANT: job.api_variant or job.spec.api_variants[0], "urls": known_urls(job)}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        missing = [index for index, url in enumerate(state["urls"]) if not url]
        if missing and state["variants"][_TOPIC] != _INSIDE:
            return _announce_upload(job, state, missing[0], uploaded)
        value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
        if job.references:
            value[job.endpoint.references_field] = reference_values(job, state["urls"], job.spec.reference_encoding)
        path = job.endpoint.path
        if state[API_VARIANT] == "runs":
            path, value = "/v1/models/{model}/runs", {"input": value}
        submitted: State = {**state, "at": "submit"}
        return Send("POST", job.url(path), submitted, paid=True, body=json_body(value), uploaded=uploaded)

    def parse_upload(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        """The three steps of an upload: announce, put the bytes, confirm."""
        if state["at"] == "put":
            url = f"{job.upload_url(_UPLOADS)}/{path_segment(state['asset'])}/confirmations"
            return Send("POST", url, {**state, "at": "confirm"}, body=json_body({"folder_id": None}))
        if state["at"] == "announce":
            asset, address = task_id_of({"id": value.get("asset_id")}), value.get("upload_url")
            if not asset or not is_web_address(address):
                return Failed(unreadable(reply))
            picture = job.references[state["index"]]
            body = Body((Raw(picture.data),), picture.mime)
            return Send("PUT", address, {**state, "at": "put", "asset": asset}, body=body, with_key=False)
        found = with_uploaded_url(state, value.get("url"))
        return self.submit(job, {**state, "urls": found[0]}, found[1]) if found else Failed(unreadable(reply))

    def parse_upload_error(self, job: Job, state: State, reply: Reply) -> Step:
        other = next_variant(state, _TOPIC, (_INSIDE,)) if is_missing_route(reply.status) else None
        return self.submit(job, other) if other else Failed(self.failure(job, reply))

    def poll(self, job: Job, state: State) -> Send:
        return Send("GET", job.url(f"/v1/runs/{path_segment(state['task'])}"), state, accepted=state)

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        task = state.get("task", "")
        step = follow_task(
            job,
            reply,
            value,
            task or task_id_of(value),
            self.poll,
            polled=state,
            usd=_cost(value),
            api_variant="" if task else state[API_VARIANT],
        )
        return with_learned_variants(step, state)

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        """Another variant of a paid request that was refused for the way it was sent, or the failure."""
        task = state.get("task", "")
        if task:
            return Failed(unknown_task(reply, task) if reply.status == 404 else self.failure(job, reply), task)
        if reply.status in (404, 405) and "tried" not in state:
            return self.submit(job, {**state, API_VARIANT: _OTHER[state[API_VARIANT]], "tried": True})
        failure = self.failure(job, reply)
        if not job.references or "" not in state["urls"] or not wants_addresses(reply, failure):
            return Failed(failure)
        other = next_variant(state, _TOPIC, (_UPLOAD,))
        return self.submit(job, other) if other else Failed(failure)


def _announce_upload(job: Job, state: State, index: int, uploaded: NewUpload | None) -> Send:
    picture = job.references[index]
    value = {
        "filename": f"picture-{index + 1}.{picture.name.rsplit('.', 1)[1]}",
        "mime_type": picture.mime,
        "size_bytes": len(picture.data),
    }
    announced: State = {**state, "at": "announce", "index": index}
    return Send("POST", job.upload_url(_UPLOADS), announced, body=json_body(value), uploaded=uploaded)


def _cost(value: dict[str, Any]) -> float | None:
    """The run's `cost` in US dollars, a string."""
    try:
        cost = float(value["cost"])
    except (KeyError, TypeError, ValueError):
        return None
    return cost if 0 <= cost < 1000 else None


DIALECT = Runflow()
