"""What every asynchronous API has in common: a task with an id and a status word that is asked for until it ends.

Status words differ in case, spelling and place; an unknown word means "still running" until the deadline.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ...errors import Fault
from ...http.url_policy import origin
from ...redaction.text import redact
from ..parsing.error_kinds import kind_by_words
from ..parsing.error_parsing import error_in, no_picture, said_in
from ..parsing.result_images import result_images
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

_FAILED_STEMS = re.compile(
    r"fail|error|cancel|abort|reject|expir|time[sd]?_?out|moderated|nsfw|blocked|denied|interrupt|terminated|violat|refus"
    r"|killed|invalid|unable"
)
_SUCCEEDED_STEMS = re.compile(r"^(ready|ok|finish|ended|generated|resolved)$|succe(ss|ed)|complete|finished")
_RUNNING_STEMS = re.compile(
    r"ing$|progress|queue|sched|accept|throttl|retry|^(in|not|un)_|^(new|init|active|started?|open)$"
)
"""What words of providers that aren't listed above sound like, such as BFL's "Content Moderated" and "Ready"."""
_STATUS_NAMES = ("status_code", "state", "status", "task_status")

MOST_ID = 1000
"""Characters of a task's id."""
NAMELESS_POLLS = 6
"""Answers about a task, one after the other, that name no state: more are not waited for."""


def status_of(value: dict[str, Any]) -> str:
    """The status word of a task, lower case; "" when there is none."""
    for place in _places(value):
        for name in _STATUS_NAMES:
            word = place.get(name)
            if isinstance(word, str) and word:
                return re.sub(r"[\s-]+", "_", word[:100].strip().lower())
    return ""


def _places(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a reply may say something about its task: itself, and what it is wrapped in."""
    data = value.get("data")
    inner = data.get("task") if isinstance(data, dict) else None
    return [place for place in (value, data, value.get("task"), inner, value.get("output")) if isinstance(place, dict)]


def meaning_of(status: str) -> str:
    """ "failed", "succeeded" or "running" for a provider's status word; "" for one that says none of them."""
    for meaning, known, stems in (
        ("failed", FAILED, _FAILED_STEMS),
        ("running", RUNNING, _RUNNING_STEMS),
        ("succeeded", SUCCEEDED, _SUCCEEDED_STEMS),
    ):
        if status in known or (status not in FAILED | RUNNING | SUCCEEDED and stems.search(status)):
            return meaning
    return ""


def task_id_of(value: dict[str, Any], *, asked_for_task: bool = True) -> str:
    """The id of an accepted task; "" when the reply has none.

    `asked_for_task`: whether the request asked for a task. Where it didn't, an `id` may be that of the answer itself: it
    names a task only beside the status of one.
    """
    data = value.get("data")
    known = asked_for_task or status_of(value) in SUCCEEDED | FAILED | RUNNING
    names = ("task_id", "taskId", "id", "jobId", "request_id") if known else ("task_id", "taskId")
    for place in _places(value):
        for name in names:
            found = place.get(name)
            if isinstance(found, (str, int)) and not isinstance(found, bool) and _usable(str(found)):
                return str(found).strip()
    if known and isinstance(data, str) and 8 <= len(data) <= 80 and " " not in data:
        return data
    return ""


def _usable(task: str) -> bool:
    """Whether a text can be the id of a task: not empty, not endless, and no way out of the path it is put into."""
    return task.strip() not in ("", ".", "..") and len(task) <= MOST_ID


def path_segment(task: str) -> str:
    """An id as one segment of a path or one value of a query, whatever characters it has."""
    return quote(task.encode("utf-8", "surrogatepass"), safe="")


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
    polled: State | None = None,
    extra: State | None = None,
    usd: float | None = None,
    learned: str = "",
) -> Step:
    """The step after a reply about a task: done, failed, or wait and poll again.

    `polled` is the state of the poll that brought this reply, None for the reply to the submission itself. An answer that
    names no state is asked for again `NAMELESS_POLLS` times, then it is unreadable.
    """
    pause = (polled or {}).get("pause")
    status = status_of(value)
    meaning = meaning_of(status)
    if meaning == "failed":
        said = said_in(value)
        fault = Fault(
            kind_by_words(f"{said.text}; {status.replace('_', ' ')}", "task", said.codes, prompt=reply.prompt),
            said.words or f"status {status}",
            None,
            unbilled=_unbilled(usd),
            request_id=reply.request_id,
        )
        return Failed(fault, task)
    if meaning != "running" or not task:
        found = result_images(value)
        if found.images:
            return Done(found.images, found.text, usd, task or _request_id(value) or reply.request_id, learned)
        if meaning == "succeeded" or not task:
            return Failed(replace(no_picture(reply, value), unbilled=_unbilled(usd)), task)
    refused = error_in(reply, value) if not status and pause is None else None
    if refused is not None:
        return Failed(replace(refused, unbilled=_unbilled(usd)))
    seen = "" if status else _seen(value)
    alive = bool(seen) and seen != (polled or {}).get("seen", seen)
    nameless = (polled or {}).get("nameless", 0) + 1 if not status and pause is not None and not alive else 0
    if nameless >= NAMELESS_POLLS:
        nothing = Fault("unreadable", "no status, no picture and no error", reply.status, request_id=reply.request_id)
        return Failed(replace(error_in(reply, value) or nothing, final=True), task)
    first, longest = job.spec.poll_seconds
    seconds = first if pause is None else min(longest, pause * 1.5)
    state: State = {"at": "poll", "task": task, "pause": seconds, **(extra or {})}
    if nameless:
        state["nameless"] = nameless
    if seen:
        state["seen"] = seen
    send = replace(poll(job, state), accepted=state, api_variant=learned)
    return Wait(seconds, send, progress=_progress(value, status))


def _seen(value: dict[str, Any]) -> str:
    """The numbers by which a task without a status word shows that it goes on; "" where it has none."""
    names = (*_STATUS_NAMES, "progress", "percentage")
    found = [place.get(name) for place in _places(value) for name in names]
    return " ".join(str(each)[:40] for each in found if isinstance(each, (int, float, str)) and each != "")


def _request_id(value: dict[str, Any]) -> str:
    found = value.get("request_id")
    return redact(found, 80) if isinstance(found, str) else ""


def lost(reply: Reply, task: str) -> Fault:
    """A provider that doesn't know a task which it accepted."""
    return Fault("task_lost", f"unknown task {task}", reply.status, request_id=reply.request_id)


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
