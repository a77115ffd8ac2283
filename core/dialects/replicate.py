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

from ..errors.messages import msg
from ..http.body import json_body, multipart_body
from ..http.status import is_missing_route
from .base.polling import PollingDialect, follow_task, path_segment, same_origin_url
from .base.step import Failed, Job, Reply, Send, State, Step, Wait
from .base.task_status import status_of, task_id_of
from .base.uploads import NewUpload, known_urls, largest_to_upload, reference_values, with_uploaded_url
from .base.variants import first_variants, next_variant, with_learned_variants
from .parsing.error_parsing import unreadable

_CONTENT = re.compile(r"\bE005\b")
_TOO_LATE = msg("replicate.kept_one_hour_only")


class Replicate(PollingDialect):
    reference_encodings = ("data_uri", "upload")

    def first_state(self, job: Job) -> State:
        return {**first_variants(job, {"references": "upload"}), "urls": known_urls(job)}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        urls = state["urls"]
        index = largest_to_upload(job, urls) if state["variants"]["references"] == "upload" else None
        if index is not None:
            body = multipart_body([("content", job.references[index])])
            sent: State = {**state, "at": "upload", "index": index}
            return Send("POST", job.upload_url("/v1/files"), sent, body=body, uploaded=uploaded)
        value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
        if job.references:
            value[job.endpoint.references_field] = reference_values(job, urls)
        body = json_body({"input": value})
        url = job.url(job.endpoint.path)
        return Send("POST", url, {**state, "at": "submit"}, paid=True, body=body, uploaded=uploaded)

    def parse_upload(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        urls = value.get("urls")
        found = with_uploaded_url(state, urls.get("get") if isinstance(urls, dict) else None)
        return self.submit(job, {**state, "urls": found[0]}, found[1]) if found else Failed(unreadable(reply))

    def parse_upload_error(self, job: Job, state: State, reply: Reply) -> Step:
        """Where there is no route for uploads, all references go inside the request, as small ones do."""
        other = next_variant(state, "references", ("inside",)) if is_missing_route(reply.status) else None
        return self.submit(job, other) if other else Failed(self.failure(job, reply))

    def poll(self, job: Job, state: State) -> Send:
        return Send("GET", _task_url(job, state, "get_url", ""), state, accepted=state)

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        urls = value["urls"] if isinstance(value.get("urls"), dict) else {}
        extra: State = {"status": status_of(value)}
        for name in ("get", "cancel"):
            extra[f"{name}_url"] = same_origin_url(job, urls.get(name)) or state.get(f"{name}_url", "")
        task = state.get("task") or task_id_of(value)
        step = follow_task(job, reply, value, task, self.poll, polled=state, extra=extra)
        return _explained(step, value) if isinstance(step, Failed) else with_learned_variants(step, state)

    def next(self, job: Job, state: State, reply: Reply) -> Step:
        if state["at"] == "cancel":
            return Wait(job.spec.poll_seconds[0], self.poll(job, {**state, "at": "poll"}))
        return super().next(job, state, reply)

    def cancel(self, job: Job, accepted: State) -> Send | None:
        if accepted.get("status") != "starting":
            return None
        return Send("POST", _task_url(job, accepted, "cancel_url", "/cancel"), {**accepted, "at": "cancel"})


def _task_url(job: Job, state: State, name: str, end: str) -> str:
    """The URL that the provider gave for one of a task's requests, or the one that it should have given."""
    return state.get(name) or job.url(f"/v1/predictions/{path_segment(state['task'])}{end}")


def _explained(failed: Failed, value: dict[str, Any]) -> Failed:
    """A failed prediction by its code, and by whether it had started."""
    failure = failed.failure
    if failure.kind == "task" and _CONTENT.search(failure.message):
        failure = replace(failure, kind="content")
    if value.get("data_removed") is True:
        # It was made and paid; an hour later it is gone.
        message = failure.message or msg("replicate.output_deleted")
        gone = replace(failure, kind="download", message=message, status=None, unbilled=False, cure=_TOO_LATE)
        return replace(failed, failure=gone)
    status = status_of(value)
    never_started = "started_at" in value and value["started_at"] is None
    if status == "aborted" or (status in ("canceled", "cancelled") and never_started):
        failure = replace(failure, unbilled=True)
    return replace(failed, failure=failure)


DIALECT = Replicate()
