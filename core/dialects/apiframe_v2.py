"""APIFRAME, version 2: references are uploaded, `POST /v2/images/generate` gives a job, `GET /v2/jobs/<id>` its result.

Documents: the vendor's OpenAPI file and its SDK. The shape of `result` is in neither: every known place of a picture is
looked into, then every address in it. The same `Idempotency-Key` twice is one job, and the second answer may name the
state that the job has reached, but never its pictures: a submission is always followed by a poll. Results are purged
after 24 hours, which a job then says with `expired`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import ProviderFailure
from ..errors.messages import msg
from ..http.body import json_body
from ..http.long_text import LongText
from ..redaction.text import redact
from .base.polling import PollingDialect, follow_task, path_segment
from .base.step import Done, Failed, ImageRef, Job, Reply, Send, State, Step
from .base.task_status import SUCCEEDED, status_of, task_id_of
from .base.uploads import NewUpload, explain_missing_upload, form_upload, known_urls, with_uploaded_url
from .parsing.error_parsing import failure_of, no_picture, unreadable
from .parsing.reading import NotJson, read_json
from .parsing.result_images import images_in, result_images
from .parsing.text_images import image_of

_ECHOES = frozenset({"input", "params", "nanoBananaParams", "image_input", "thumbnail", "thumbnails", "webhookUrl"})
"""Names under which a result may repeat what was sent, or show it smaller."""


class ApiframeV2(PollingDialect):
    reference_encodings = ("upload",)

    def first_state(self, job: Job) -> State:
        return {"urls": known_urls(job)}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        urls = state["urls"]
        upload = form_upload(job, "/v2/uploads", lambda picture: [("file", picture)], urls, uploaded)
        if upload:
            return upload
        options: dict[str, Any] = dict(job.fields())
        if urls:
            options[job.endpoint.references_field] = urls
        value: dict[str, Any] = {"model": job.model, "prompt": job.prompt}
        if options:
            value["nanoBananaParams"] = options
        body = json_body(value)
        return Send("POST", job.url(job.endpoint.path), {"at": "submit"}, paid=True, body=body, uploaded=uploaded)

    def parse_upload(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        found = with_uploaded_url(state, value.get("url"))
        return self.submit(job, {"urls": found[0]}, found[1]) if found else Failed(unreadable(reply))

    def parse_upload_error(self, job: Job, state: State, reply: Reply) -> Step:
        return Failed(explain_missing_upload(self.failure(job, reply)))

    def poll(self, job: Job, state: State) -> Send:
        return Send("GET", job.url(f"/v2/jobs/{path_segment(state['task'])}"), state, accepted=state)

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        if "task" not in state:
            accepted = task_id_of(value)
            return (
                follow_task(job, reply, {}, accepted, self.poll, polled=state)
                if accepted
                else Failed(unreadable(reply))
            )
        task = state["task"]
        if not status_of(value):
            return follow_task(job, reply, value, task, self.poll, polled=state)
        if status_of(value) in SUCCEEDED:
            return _finished(reply, value, task)
        seen = {name: value[name] for name in ("status", "progress", "error") if value.get(name) is not None}
        step = follow_task(job, reply, seen, task, self.poll, polled=state)
        return _with_cost(step, value) if isinstance(step, Failed) else step

    def failure(self, job: Job, reply: Reply) -> ProviderFailure:
        """`{error, details: {path: [message]}}`, and for an empty account how many credits it takes and there are."""
        failure = failure_of(reply)
        try:
            value = read_json(reply.body)
        except NotJson:
            return failure
        if not isinstance(value, dict):
            return failure
        more: list[str] = []
        details = value.get("details")
        if isinstance(details, dict):
            more = [f"{path}: {_joined(messages)}" for path, messages in list(details.items())[:5]]
        required, available = value.get("creditsRequired"), value.get("creditsAvailable")
        if isinstance(required, (int, float)) and isinstance(available, (int, float)):
            more.append(msg("apiframe_v2.too_few_credits", required=required, available=available))
        return replace(failure, message=redact("; ".join([failure.message, *more] if failure.message else more)))


def _finished(reply: Reply, value: dict[str, Any], task: str) -> Step:
    """The step after a job that says to have succeeded."""
    result = value.get("result")
    found = result_images(result, prompt=reply.prompt)
    images = found.images or _addresses(result) or images_in(value)
    if images:
        return Done(tuple(images), found.text, None, task)
    if value.get("expired") is True:
        return Failed(ProviderFailure("download", msg("apiframe_v2.results_kept_one_day"), unbilled=False), task)
    return _with_cost(Failed(no_picture(reply, value), task), value)


def _with_cost(failed: Failed, value: dict[str, Any]) -> Failed:
    """A cost of nothing is the provider's word that nothing was charged; any other may have been given back."""
    cost = value.get("creditCost")
    free = cost == 0 and not isinstance(cost, bool)
    return replace(failed, failure=replace(failed.failure, unbilled=True)) if free else failed


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


def _joined(messages: Any) -> str:
    return ", ".join(str(each) for each in messages[:3]) if isinstance(messages, list) else str(messages)


DIALECT = ApiframeV2()
