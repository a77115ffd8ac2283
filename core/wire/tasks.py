"""What every asynchronous API has in common: a task with an id and a status word that is asked for until it ends.

Status words differ in case, spelling and place; an unknown word means "still running" until the deadline.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..addresses import origin
from ..errors import Fault
from ..redact import redact
from .error_kinds import kind_by_words
from .error_parsing import no_picture, said_in
from .reading import pictures_in, words_in
from .step import Done, Failed, Job, Reply, Send, State, Step, Wait

SUCCEEDED = frozenset(
    {"success", "succeeded", "succeed", "completed", "complete", "finished", "done", "partial_succeeded"}
)
FAILED = frozenset(
    {
        "failure",
        "failed",
        "fail",
        "error",
        "cancelled",
        "canceled",
        "aborted",
        "timeout",
        "expired",
        "rejected",
        "deleted",
    }
)
RUNNING = frozenset(
    {
        "created",
        "pending",
        "queued",
        "queuing",
        "waiting",
        "starting",
        "staged",
        "submitted",
        "not_start",
        "in_progress",
        "in_queue",
        "processing",
        "running",
        "generating",
        "dispatching",
    }
)


def status_of(value: dict[str, Any]) -> str:
    """The status word of a task, lower case; "" when there is none."""
    for place in (value, value.get("data")):
        if isinstance(place, dict):
            for name in ("status_code", "state", "status", "task_status"):
                word = place.get(name)
                if isinstance(word, str) and word:
                    return word.strip().lower()
    return ""


def task_id_of(value: dict[str, Any]) -> str:
    """The id of an accepted task; "" when the reply has none."""
    data = value.get("data")
    for place in (value, data if isinstance(data, dict) else {}):
        for name in ("task_id", "taskId", "id", "jobId", "request_id"):
            found = place.get(name)
            if isinstance(found, (str, int)) and not isinstance(found, bool) and str(found).strip():
                return str(found).strip()
    if isinstance(data, str) and 8 <= len(data) <= 80 and " " not in data:
        return data
    return ""


def own_address(job: Job, address: Any) -> str:
    """An address out of a reply when it is at the provider's own origin, where the key may go; "" for any other."""
    try:
        return address if isinstance(address, str) and origin(address) == origin(job.base_url) else ""
    except ValueError:
        return ""


def follow(
    job: Job,
    reply: Reply,
    value: dict[str, Any],
    task: str,
    poll: Callable[[Job, State], Send],
    *,
    pause: float | None = None,
    extra: State | None = None,
    usd: float | None = None,
    learned: str = "",
) -> Step:
    """The step after a reply about a task: done, failed, or wait and poll again.

    `pause` is the pause before the poll that brought this reply, None for the reply to the submission itself.
    """
    status = status_of(value)
    if status in FAILED:
        said = said_in(value)
        fault = Fault(
            kind_by_words(said.text, "task", said.codes, sent=reply.sent),
            said.words or f"status {status}",
            None,
            unbilled=_unbilled(usd),
            request_id=reply.request_id,
        )
        return Failed(fault, task)
    if status not in RUNNING or not task:
        pictures = pictures_in(value)
        if pictures:
            return Done(tuple(pictures), words_in(value), usd, task or _request_id(value) or reply.request_id, learned)
        if status in SUCCEEDED or not task:
            return Failed(replace(no_picture(reply, value), unbilled=_unbilled(usd)), task)
    first, longest = job.row.poll_seconds
    seconds = first if pause is None else min(longest, pause * 1.5)
    state: State = {"at": "poll", "task": task, "pause": seconds, **(extra or {})}
    send = replace(poll(job, state), accepted=state, learned=learned)
    return Wait(seconds, send, progress=_progress(value, status))


def _request_id(value: dict[str, Any]) -> str:
    found = value.get("request_id")
    return redact(found, 80) if isinstance(found, str) else ""


def lost(reply: Reply, task: str) -> Fault:
    """A provider that doesn't know a task which it accepted."""
    return Fault("task", f"it does not know the task {task} any more", reply.status, request_id=reply.request_id)


def _unbilled(usd: float | None) -> bool | None:
    return None if usd is None else usd == 0


def _progress(value: dict[str, Any], status: str) -> str:
    for place in (value, value.get("data")):
        if isinstance(place, dict):
            for name in ("progress", "percentage"):
                found = place.get(name)
                known = isinstance(found, (str, int, float)) and not isinstance(found, bool)
                text = _shown(str(found)) if known else ""
                if text:
                    return text if text.endswith("%") else f"{text}%"
    return _shown(status.replace("_", " "))


def _shown(word: str) -> str:
    """A provider's word as it may stand on a node, where a renderer reads Markdown: short, and without its marks."""
    return " ".join(re.sub(r"[^\w .,%/-]", " ", word[:200]).split())[:40].strip()
