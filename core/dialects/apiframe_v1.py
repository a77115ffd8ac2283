"""APIFRAME, version 1: `POST /<model>`, then, if it isn't finished at once, `POST /fetch` with the task's id.

Documents: its pages for Nano Banana Pro and Nano Banana. The 200 of the submission is labelled "the task has been
submitted" and yet shows the finished pictures: both are read. 401 and 500 come with an empty object. References are
addresses or base64; clients send data URIs.
"""

from __future__ import annotations

from typing import Any

from ..http.body import json_body
from .base.polling import PollingDialect
from .base.step import Job, Send, State
from .base.uploads import NewUpload


class ApiframeV1(PollingDialect):
    reference_encodings = ("data_uri", "base64")

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        value: dict[str, Any] = {"prompt": job.prompt, **job.fields()}
        if job.references:
            value[job.endpoint.references_field] = [job.inline(picture) for picture in job.references]
        return Send("POST", job.url(job.endpoint.path), {"at": "submit"}, paid=True, body=json_body(value))

    def poll(self, job: Job, state: State) -> Send:
        return Send("POST", job.url("/fetch"), state, body=json_body({"task_id": state["task"]}), accepted=state)


DIALECT = ApiframeV1()
