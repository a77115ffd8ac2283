"""Reads a task: its status word, its id, how far it is. Status words differ in case, spelling and place."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeGuard

TaskState = Literal["failed", "succeeded", "running", ""]

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
    r"|killed|invalid|unable|失败|失敗|取消|超时|超時|拒绝|异常|错误|违规"
)
_SUCCEEDED_STEMS = re.compile(
    r"^(ready|ok|finish|ended|generated|resolved)$|succe(ss|ed)|complete|finished|^已?完成$|成功"
)
_RUNNING_STEMS = re.compile(
    r"ing$|progress|queue|sched|accept|throttl|retry|^(in|not|un)_|^(new|init|active|started?|open)$"
)
"""Parts of status words that aren't listed above, such as BFL's "Content Moderated" and "Ready"."""
_TASK_ID = re.compile(r"task(id|uuid)s?")
_SOME_ID = re.compile(r"(task|job|prediction|generation|process|run|order|work)(id|uuid)s?")
"""Names of ids without capitals and marks: `taskID`, `task-id`, `prediction_id`, `task_ids`."""
_STATUS_NAMES = ("status_code", "state", "status", "task_status")

MOST_ID = 1000
"""Characters of a task's id."""


def status_of(value: dict[str, Any]) -> str:
    """The status word of a task, lower case; "" when there is none."""
    for layer in _layers(value):
        for name in _STATUS_NAMES:
            word = layer.get(name)
            if isinstance(word, str) and word:
                return re.sub(r"[\s-]+", "_", word[:100].strip().lower())
    return ""


def _layers(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a reply may say something about its task: itself, and what it is wrapped in."""
    data = value.get("data")
    data = data[0] if isinstance(data, list) and len(data) == 1 else data
    inner = data.get("task") if isinstance(data, dict) else None
    layers = (value, data, value.get("task"), inner, value.get("output"))
    return [layer for layer in layers if isinstance(layer, dict)]


def task_state(status: str) -> TaskState:
    """ "failed", "succeeded" or "running" for a provider's status word; "" for one that says none of them."""
    states: tuple[tuple[TaskState, frozenset[str], re.Pattern[str]], ...] = (
        ("failed", FAILED, _FAILED_STEMS),
        ("running", RUNNING, _RUNNING_STEMS),
        ("succeeded", SUCCEEDED, _SUCCEEDED_STEMS),
    )
    for state, words, stems in states:
        if status in words or (status not in FAILED | RUNNING | SUCCEEDED and stems.search(status)):
            return state
    return ""


def task_id_of(value: dict[str, Any], *, asked_for_task: bool = True) -> str:
    """The id of an accepted task; "" when the reply has none.

    `asked_for_task`: whether the request asked for a task. Where it didn't, an `id` may be that of the answer itself: it
    names a task only beside the status of one.
    """
    data = value.get("data")
    known = asked_for_task or status_of(value) in SUCCEEDED | FAILED | RUNNING
    names = ("task_id", "taskId", "id", "jobId", "request_id") if known else ("task_id", "taskId")
    for layer in _layers(value):
        for name in names:
            found = layer.get(name)
            if _is_id(found):
                return str(found).strip()
    for layer in _layers(value):
        for name, item in layer.items():
            plain = re.sub(r"[^a-z]", "", name[:40].lower())
            item = item[0] if isinstance(item, list) and len(item) == 1 else item
            if (_SOME_ID if known else _TASK_ID).fullmatch(plain) and _is_id(item):
                return str(item).strip()
    if known and isinstance(data, str) and 8 <= len(data) <= 80 and " " not in data:
        return data
    return ""


def _is_id(found: Any) -> TypeGuard[str | int]:
    return isinstance(found, (str, int)) and not isinstance(found, bool) and _is_usable(str(found))


def _is_usable(task: str) -> bool:
    """Whether a text can be the id of a task: not empty, not endless, and no way out of the path it is put into."""
    return task.strip() not in ("", ".", "..") and len(task) <= MOST_ID


def progress_marks(value: dict[str, Any]) -> str:
    """The numbers by which a task without a status word shows that it goes on; "" where it has none."""
    names = (*_STATUS_NAMES, "progress", "percentage")
    found = [layer.get(name) for layer in _layers(value) for name in names]
    return " ".join(str(each)[:40] for each in found if isinstance(each, (int, float, str)) and each != "")


def progress_text(value: dict[str, Any], status: str) -> str:
    """How far a task is, to be shown: its percentage, else its status word."""
    for layer in (value, value.get("data")):
        if isinstance(layer, dict):
            for name in ("progress", "percentage"):
                found = layer.get(name)
                known = isinstance(found, (str, int, float)) and not isinstance(found, bool)
                text = _shown(str(found)) if known else ""
                if text:
                    return text if text.endswith("%") else f"{text}%"
    return _shown(status.replace("_", " "))


def _shown(word: str) -> str:
    """A provider's word as it may be on a node, where a renderer reads Markdown: short, and without its marks."""
    return " ".join(re.sub(r"[^\w .,%/-]", " ", word[:200]).split())[:40].strip()
