"""Asynchronous APIs: a paid request gives a task, which is polled until it ends. An unknown status word means "running"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ...errors import ProviderFailure
from ...errors.messages import msg
from ...http.url_policy import origin
from ...redaction.text import redact
from ..parsing.error_kinds import kind_by_message
from ..parsing.error_message import error_message
from ..parsing.error_parsing import error_in, no_picture
from ..parsing.result_images import result_images
from .dialect import BaseDialect
from .step import Done, Failed, Job, Reply, Send, State, Step, Wait
from .task_status import progress_marks, progress_text, status_of, task_id_of, task_state

NAMELESS_POLLS = 6
"""Answers about a task, one after the other, that name no state: more are not waited for."""


class PollingDialect(BaseDialect):
    """A dialect whose provider answers the paid request with a task; one that is finished at once is read as well."""

    def resume(self, job: Job, accepted: State) -> Step:
        return self.poll(job, accepted)

    def poll(self, job: Job, state: State) -> Send:
        """The request for the task in `state`."""
        raise NotImplementedError

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        return follow_task(job, reply, value, state.get("task") or task_id_of(value), self.poll, polled=state)

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        task = state.get("task", "")
        return Failed(unknown_task(reply, task) if task and reply.status == 404 else self.failure(job, reply), task)


def follow_task(
    job: Job,
    reply: Reply,
    value: dict[str, Any],
    task: str,
    poll: Callable[[Job, State], Send],
    *,
    polled: State,
    extra: State | None = None,
    usd: float | None = None,
    api_variant: str = "",
) -> Step:
    """The step after a reply about a task: done, failed, or wait and poll again.

    `polled` is the state of the request that brought this reply: only that of a poll has a `pause`. `extra` is added to
    the state of the next poll. An answer that names no state is asked for again `NAMELESS_POLLS` times, then it is
    unreadable.
    """
    pause = polled.get("pause")
    status = status_of(value)
    found_state = task_state(status)
    if found_state == "failed":
        message = error_message(value)
        failure = ProviderFailure(
            kind_by_message(f"{message.text}; {status.replace('_', ' ')}", "task", message.codes, prompt=reply.prompt),
            message.shown or f"status {status}",
            None,
            unbilled=_unbilled(usd),
            request_id=reply.request_id,
        )
        return Failed(failure, task)
    if found_state != "running" or not task:
        found = result_images(value, anywhere=found_state == "succeeded" or not task, prompt=reply.prompt)
        if found.images:
            return Done(found.images, found.text, usd, task or _request_id(value) or reply.request_id, api_variant)
        if found_state == "succeeded" or not task:
            return Failed(replace(no_picture(reply, value), unbilled=_unbilled(usd)), task)
    refused = error_in(reply, value) if not status and pause is None else None
    if refused is not None:
        return Failed(replace(refused, unbilled=_unbilled(usd)))
    seen = "" if status else progress_marks(value)
    progressing = bool(seen) and seen != polled.get("seen", seen)
    nameless = polled.get("nameless", 0) + 1 if not status and pause is not None and not progressing else 0
    if nameless >= NAMELESS_POLLS:
        nothing = ProviderFailure(
            "unreadable", msg("polling.answer_says_nothing"), reply.status, request_id=reply.request_id
        )
        return Failed(replace(error_in(reply, value) or nothing, final=True), task)
    first, longest = job.spec.poll_seconds
    seconds = first if pause is None else min(longest, pause * 1.5)
    state: State = {"at": "poll", "task": task, "pause": seconds, **(extra or {})}
    if nameless:
        state["nameless"] = nameless
    if seen:
        state["seen"] = seen
    send = replace(poll(job, state), accepted=state, api_variant=api_variant)
    return Wait(seconds, send, progress=progress_text(value, status))


def _request_id(value: dict[str, Any]) -> str:
    found = value.get("request_id")
    return redact(found, 80) if isinstance(found, str) else ""


def unknown_task(reply: Reply, task: str) -> ProviderFailure:
    """A provider that doesn't know a task which it accepted."""
    return ProviderFailure("task_lost", f"unknown task {task}", reply.status, request_id=reply.request_id)


def path_segment(task: str) -> str:
    """An id as one segment of a path or one value of a query, whatever characters it has."""
    return quote(task.encode("utf-8", "surrogatepass"), safe="")


def same_origin_url(job: Job, url: Any) -> str:
    """A URL out of a reply when it is at the provider's own origin, where the key may go; "" for any other."""
    try:
        return url if isinstance(url, str) and origin(url) == origin(job.base_url) else ""
    except ValueError:
        return ""


def _unbilled(usd: float | None) -> bool | None:
    return None if usd is None else usd == 0
