"""fal: a request goes into its queue, its status is asked for, and the result is fetched from a third address.

Documents: its client's types and its pages on the queue, on errors and on reliability. `POST /<endpoint>` with a flat body
gives `request_id` and the addresses of status, result and cancel. They are used where they are at the provider's own
origin; otherwise they are built from owner and app, for they leave out what follows (`/edit`). IN_QUEUE and IN_PROGRESS
come with 202, COMPLETED with 200. There is no word for a failed request: it is COMPLETED too, and then the address of the
result answers with the status and the error of the run, and the status may carry `error` and `error_type`. Errors are
`{"detail": [{"loc", "msg", "type"}]}`, or `detail` is a string; `X-Fal-Error-Type` names the kind.

Money: a run that failed with 5xx isn't billed, as its page on reliability says; a 4xx may be, after work has begun.
`x-fal-billable-units` is believed where it is there. fal's queue tries a run again by itself after 429, 503 and 504: those
cost nothing, so it isn't kept from it. No deadline for the start is sent either: a late picture is still collected. Cancel
removes what waits in the queue; what has begun could be billed without a picture, so it is let finish. How a removed
request looks afterwards isn't documented: a 404 and an error are both read as removed, unless it was seen at work.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import Kind, ProviderFailure
from ..errors.messages import msg
from ..http.body import Body, Raw, json_body
from ..http.status import is_missing_route
from .base.polling import PollingDialect, follow_task, path_segment, same_origin_url, unknown_task
from .base.step import Done, Failed, Job, Reply, Send, State, Step, Wait
from .base.task_status import status_of, task_id_of
from .base.uploads import (
    NewUpload,
    is_web_address,
    known_urls,
    largest_to_upload,
    reference_values,
    with_uploaded_url,
)
from .base.variants import first_variants, next_variant, with_learned_variants
from .parsing.error_message import message_and_codes
from .parsing.error_parsing import failure_of, no_picture, unreadable
from .parsing.reading import NotJson, read_object
from .parsing.result_images import result_images

_QUEUED = frozenset({"in_queue", "queued"})
_KINDS: dict[str, Kind] = {
    "content_policy_violation": "content",
    "no_media_generated": "empty",
    "file_download_error": "invalid",
    "image_load_error": "invalid",
    "image_too_large": "invalid",
    "image_too_small": "invalid",
    "unsupported_image_format": "invalid",
}
"""What fal's error types mean; every other one is a run that failed."""
_HEAD = 64 << 10
_RESULT_RETRIES = 5
"""How often a result is asked for again that answers 500 in fal's shape but without a type: then it is the run's end."""


class Fal(PollingDialect):
    reference_encodings = ("data_uri", "upload")

    def first_state(self, job: Job) -> State:
        return {**first_variants(job, {"references": "upload"}), "urls": known_urls(job)}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        urls = state["urls"]
        index = largest_to_upload(job, urls) if state["variants"]["references"] == "upload" else None
        if index is not None:
            picture = job.references[index]
            name = f"picture-{index + 1}.{picture.name.rsplit('.', 1)[1]}"
            value: dict[str, Any] = {"content_type": picture.mime, "file_name": name}
            url = job.upload_url("/storage/upload/initiate?storage_type=fal-cdn-v3")
            announced: State = {**state, "at": "announce", "index": index}
            return Send("POST", url, announced, body=json_body(value), uploaded=uploaded)
        value = {"prompt": job.prompt, **job.fields()}
        if job.references:
            value[job.endpoint.references_field] = reference_values(job, urls)
        submitted: State = {**state, "at": "submit"}
        url = job.url(job.endpoint.path)
        return Send("POST", url, submitted, paid=True, body=json_body(value), uploaded=uploaded)

    def parse_upload(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        """The two steps of an upload: announce it, then put the bytes at the address that came back."""
        if state["at"] == "put":
            found = with_uploaded_url(state, state["file"])
            return self.submit(job, {**state, "urls": found[0]}, found[1]) if found else Failed(unreadable(reply))
        address, file = value.get("upload_url"), value.get("file_url")
        if not is_web_address(address) or not is_web_address(file):
            return Failed(unreadable(reply))
        picture = job.references[state["index"]]
        body = Body((Raw(picture.data),), picture.mime)
        return Send("PUT", address, {**state, "at": "put", "file": file}, body=body, with_key=False)

    def parse_upload_error(self, job: Job, state: State, reply: Reply) -> Step:
        """Where a step has no route, all references go inside the request, as its documents have it for smaller ones."""
        other = next_variant(state, "references", ("inside",)) if is_missing_route(reply.status) else None
        return self.submit(job, other) if other else Failed(self.failure(job, reply))

    def poll(self, job: Job, state: State) -> Send:
        """The status, and for a run that has ended the result."""
        if state["at"] == "result":
            return Send("GET", _task_url(job, state, "response_url", ""), state, accepted=state)
        state = {**state, "at": "status"}
        return Send("GET", _task_url(job, state, "status_url", "/status"), state, accepted=state)

    def next(self, job: Job, state: State, reply: Reply) -> Step:
        if state["at"] == "cancel":
            return Wait(job.spec.poll_seconds[0], self.poll(job, {**state, "at": "status", "removed": reply.ok}))
        return super().next(job, state, reply)

    def cancel(self, job: Job, accepted: State) -> Send | None:
        if accepted.get("status") not in _QUEUED:
            return None
        return Send("PUT", _task_url(job, accepted, "cancel_url", "/cancel"), {**accepted, "at": "cancel"})

    # ------------------------------------------------------------------------------------------------- answers

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        if state["at"] == "submit":
            names = ("status_url", "response_url", "cancel_url")
            urls = {name: same_origin_url(job, value.get(name)) for name in names}
            return with_learned_variants(self._follow(job, reply, value, task_id_of(value), urls), state)
        return (self._result if state["at"] == "result" else self._status)(job, state, reply, value)

    def _follow(self, job: Job, reply: Reply, value: dict[str, Any], task: str, state: State) -> Step:
        status = status_of(value)
        extra = {name: state.get(name, "") for name in ("status_url", "response_url", "cancel_url")}
        extra |= {"status": status, "removed": bool(state.get("removed")) and status in _QUEUED}
        return follow_task(job, reply, value, task, self.poll, polled=state, extra=extra)

    def _status(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        if status_of(value) != "completed":
            return self._follow(job, reply, value, state["task"], state)
        message, _ = message_and_codes({"error": value.get("error")})
        error_type = value.get("error_type")
        metrics = value.get("metrics")
        begun = bool(metrics.get("inference_time")) if isinstance(metrics, dict) else False
        # Its result is asked for whatever the status says: a picture that is there has been paid.
        result: State = {
            **state,
            "at": "result",
            "status": "completed",
            "error": message,
            "error_type": error_type if isinstance(error_type, str) else "",
            "removed": bool(state.get("removed")) and not begun,
        }
        return self.poll(job, result)

    def _result(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        found = result_images(value, prompt=reply.prompt)
        if found.images:
            return Done(found.images, found.text, request_id=state["task"])
        if reply.status == 202:
            return self._follow(job, reply, value, state["task"], state)
        return Failed(replace(no_picture(reply, value), unbilled=_unbilled(reply)), state["task"])

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        task = state.get("task", "")
        if state["at"] == "result":
            return self._result_error(job, state, reply)
        if state["at"] == "submit":
            failure = _with_fal_kind(reply, failure_of(reply))
            if failure.kind in ("rate", "busy") and reply.headers.get("x-fal-retryable", "").strip().lower() == "false":
                failure = replace(failure, kind="server")  # it says itself that asking again won't help
            return Failed(failure)
        if reply.status == 404:
            return Failed(_removed() if state.get("removed") else unknown_task(reply, task), task)
        return Failed(self.failure(job, reply), task)

    def _result_error(self, job: Job, state: State, reply: Reply) -> Step:
        """How a run failed, or another request for its result."""
        failure = _failure(state, reply)
        if reply.status == 400 and "still in progress" in failure.message.lower():
            return Wait(job.spec.poll_seconds[0], self.poll(job, {**state, "at": "status"}))
        retries = state.get("looks", 0)
        untyped = reply.status == 500 and not _is_about_run(state, reply)
        if untyped and retries < _RESULT_RETRIES and b'"detail"' in reply.body[:_HEAD]:
            return Wait(job.spec.poll_seconds[1], self.poll(job, {**state, "looks": retries + 1}))
        return Failed(failure, state["task"])


def _task_url(job: Job, state: State, name: str, end: str) -> str:
    """The URL that the provider gave for one of a task's three requests, or the one that it should have given."""
    app = "/".join(job.model.split("/")[:2])
    return state.get(name) or job.url(f"/{app}/requests/{path_segment(state['task'])}{end}")


def _failure(state: State, reply: Reply) -> ProviderFailure:
    """What an error at the address of a finished request's result means: mostly, how its run ended."""
    failure = _with_fal_kind(reply, failure_of(reply))
    named = _is_about_run(state, reply)
    locked = failure.kind == "credit" and reply.status in (402, 403)
    if failure.kind == "key" or locked or (reply.status == 429 and not named):
        return failure  # about us who ask, not about the run: this very picture may have emptied the account
    given_up = state.get("looks", 0) >= _RESULT_RETRIES and reply.status == 500
    if reply.status >= 500 and not named and not given_up:
        return failure  # a gateway's words: it is asked for again
    if state.get("removed"):
        return _removed()
    if reply.status in (404, 410) and not named:
        return unknown_task(reply, state["task"])
    message = "; ".join(dict.fromkeys(word for word in (failure.message, state.get("error", "")) if word))
    kind = _KINDS.get(str(state.get("error_type"))) or failure.kind
    if kind not in ("content", "empty", "invalid", "credit", "model"):
        kind = "task"
    unbilled = _unbilled(reply)
    if unbilled is None and reply.status >= 500 and named:
        unbilled = True
    # Without its status: that is the run's, and says nothing about whether asking again would help.
    return ProviderFailure(kind, message, None, unbilled=unbilled, request_id=failure.request_id)


def _is_about_run(state: State, reply: Reply) -> bool:
    """Whether fal says of an error that it is the run's."""
    return bool(state.get("error_type") or state.get("error") or _error_types(reply))


def _with_fal_kind(reply: Reply, failure: ProviderFailure) -> ProviderFailure:
    """`failure` by the type that fal gives it, in a header or in the body."""
    kinds = [_KINDS[name] for name in _error_types(reply) if name in _KINDS]
    return replace(failure, kind=kinds[0]) if kinds else failure


def _error_types(reply: Reply) -> list[str]:
    """fal's types for an error, from the header and the body; [] for what isn't its own answer."""
    found: list[Any] = [reply.headers.get("x-fal-error-type")]
    try:
        value = read_object(reply)
    except NotJson:
        value = {}
    detail = value.get("detail")
    entries = detail if isinstance(detail, list) else []
    found += [value.get("error_type"), *(entry.get("type") for entry in entries if isinstance(entry, dict))]
    return [name for name in found if isinstance(name, str) and name]


def _removed() -> ProviderFailure:
    return ProviderFailure("task", msg("fal.cancelled_in_queue"), None, unbilled=True)


def _unbilled(reply: Reply) -> bool | None:
    """What fal says about the bill of this very request; None when it says nothing."""
    try:
        return float(reply.headers["x-fal-billable-units"]) <= 0
    except (KeyError, ValueError):
        return None


DIALECT = Fal()
