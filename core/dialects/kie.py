"""kie.ai: references are uploaded to a second address, `createTask` gives a task, `recordInfo` says its state.

Documents: its page on file streams for the upload; the rest from clients. An error is a `code` inside a 200. What a task
made is JSON inside a string, `resultJson`. `creditsConsumed` counts credits whose price isn't published: it only tells
whether a failed task was billed. Two uploads of one name overwrite each other, so the name is that of the content.
Unknown fields are ignored without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import ProviderFailure
from ..http.body import Raw, json_body
from ..http.long_text import LongText
from ..images.picture import Encoded
from .base.polling import PollingDialect, follow_task, path_segment, unknown_task
from .base.step import Failed, Job, Reply, Send, State, Step
from .base.task_status import SUCCEEDED, status_of, task_id_of
from .base.uploads import NewUpload, explain_missing_upload, form_upload, known_urls, with_uploaded_url
from .parsing.error_parsing import error_in, unreadable
from .parsing.reading import read_json
from .parsing.text_images import image_of


class Kie(PollingDialect):
    reference_encodings = ("upload",)
    codes = {"433": "credit", "455": "busy"}
    # Of the codes in its answers those that are no HTTP status: the key's own limit is used up, and maintenance (the list
    # of response codes on its pages of the models).

    def first_state(self, job: Job) -> State:
        return {"urls": known_urls(job)}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        urls = state["urls"]
        upload = form_upload(job, "/api/file-stream-upload", _upload_form, urls, uploaded)
        if upload:
            return upload
        options: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
        if urls:
            options[job.endpoint.references_field] = urls
        body = json_body({"model": job.model, "input": options})
        return Send("POST", job.url(job.endpoint.path), {"at": "submit"}, paid=True, body=body, uploaded=uploaded)

    def parse_upload(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        failure = error_in(reply, value, self.codes)
        if failure:
            return Failed(explain_missing_upload(failure))
        data = value.get("data")
        url = (data.get("downloadUrl") or data.get("fileUrl")) if isinstance(data, dict) else None
        found = with_uploaded_url(state, url)
        return self.submit(job, {"urls": found[0]}, found[1]) if found else Failed(unreadable(reply))

    def parse_upload_error(self, job: Job, state: State, reply: Reply) -> Step:
        return Failed(explain_missing_upload(self.failure(job, reply)))

    def poll(self, job: Job, state: State) -> Send:
        query = path_segment(state["task"])
        return Send("GET", job.url(f"/api/v1/jobs/recordInfo?taskId={query}"), state, accepted=state)

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        failure = error_in(reply, value, self.codes)
        if failure:
            return _failed(failure, reply, state)
        data, task = value.get("data"), state.get("task", "")
        if task:
            if isinstance(data, dict) and "state" in data:
                return self._polled(job, state, reply, data)
            return follow_task(job, reply, value, task, self.poll, polled=state)
        accepted = task_id_of({"data": data}) if isinstance(data, dict) else ""
        return follow_task(job, reply, {}, accepted, self.poll, polled=state) if accepted else Failed(unreadable(reply))

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        return _failed(self.failure(job, reply), reply, state)

    def _polled(self, job: Job, state: State, reply: Reply, data: dict[str, Any]) -> Step:
        """The step after a poll that says how the task is."""
        seen = {name: data[name] for name in ("state", "progress", "failCode", "failMsg") if data.get(name)}
        result = data.get("resultJson")
        if status_of(data) in SUCCEEDED and result:
            try:
                if isinstance(result, str):
                    result = read_json(result.encode())
                elif isinstance(result, LongText):
                    result = read_json(result.read())
                seen["result"] = result
            except ValueError:
                if image_of(result) is None:
                    return Failed(unreadable(reply), state["task"])
                seen["result"] = result
        elif status_of(data) in SUCCEEDED:
            seen["result"] = {name: item for name, item in data.items() if name not in ("param", "resultJson")}
        step = follow_task(job, reply, seen, state["task"], self.poll, polled=state)
        credits = data.get("creditsConsumed")
        if isinstance(step, Failed) and isinstance(credits, (int, float)) and not isinstance(credits, bool):
            return replace(step, failure=replace(step.failure, unbilled=credits == 0))
        return step


def _upload_form(picture: Encoded) -> Sequence[tuple[str, str | Encoded]]:
    digest = hashlib.sha256()
    for piece in Raw(picture.data):
        digest.update(piece)
    name = f"{digest.hexdigest()[:32]}.{picture.name.rsplit('.', 1)[1]}"
    return [("file", picture), ("uploadPath", "images/nano-banana"), ("fileName", name)]


def _failed(failure: ProviderFailure, reply: Reply, state: State) -> Failed:
    task = state.get("task", "")
    # Its page on task details has 404 for an unknown task; "recordInfo is null" with 422 is what it was seen to answer.
    if task and failure.status == 501:
        # "Generation failed" in its list of response codes: the end of the task, and no fault of a server that passes.
        return Failed(replace(failure, kind="task", status=None, final=True), task)
    if task and (failure.status == 404 or "recordinfo is null" in failure.message.lower()):
        return Failed(unknown_task(replace(reply, status=404), task), task)
    return Failed(failure, task)


DIALECT = Kie()
