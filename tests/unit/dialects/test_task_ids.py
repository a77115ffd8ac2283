"""The id of a provider's task becomes a part of a path: it can't change which address is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialect_driver import BASE, QUICK_SPECS, job, play, reply, request
from hypothesis import given
from hypothesis import strategies as st
from pack.core.dialects.base.polling import path_segment
from pack.core.dialects.base.step import Send, Wait
from pack.core.dialects.base.task_status import task_id_of, task_state

TASKS: dict[str, Any] = {
    "apiframe_v2": lambda task: {"jobId": task, "status": "QUEUED"},
    "fal": lambda task: {"request_id": task, "status": "IN_QUEUE"},
    "kie": lambda task: {"code": 200, "data": {"taskId": task}},
    "onerouter": lambda task: {"data": {"task_id": task, "status": "created"}},
    "nanobanana": lambda task: {"task_id": task, "status": "SUBMITTED"},
    "replicate": lambda task: {"id": task, "status": "starting"},
    "runflow": lambda task: {"id": task, "status_code": "queued"},
    "wavespeed": lambda task: {"data": {"id": task, "status": "created"}},
}
IDS = ["../../../v1/admin?x=", "a/../../b", "\ud800x", "a b#c?d=e&f", "%2e%2e/%2e%2e", "ü\u202e", "x" * 999]


def polled(provider: str, task: str) -> Send:
    """The poll that follows a submission which named that task."""
    played = play(job(QUICK_SPECS[provider], request()), reply(value=TASKS[provider](task)))
    end = played.end
    send = end.then if isinstance(end, Wait) else end
    assert isinstance(send, Send), end
    return send


@pytest.mark.parametrize("provider", TASKS)
@pytest.mark.parametrize("task", IDS)
def test_a_task_s_id_stays_one_segment_of_its_path(provider: str, task: str) -> None:
    """No id leads a request with the key to another address, and none is lost over its characters."""
    plain, odd = polled(provider, "plain-task"), polled(provider, task)
    assert odd.url == plain.url.replace("plain-task", path_segment(task))
    assert odd.url.startswith(BASE) and odd.url.isascii() and json.loads(json.dumps(odd.state))["task"] == task


@pytest.mark.parametrize("provider", TASKS)
@pytest.mark.parametrize("task", [".", "..", " .. ", "", "x" * 5000])
def test_what_can_be_no_id_is_none(provider: str, task: str) -> None:
    """A dot segment would be taken out of the path on its way, whatever it is quoted as."""
    played = play(job(QUICK_SPECS[provider], request()), reply(value=TASKS[provider](task)))
    assert not isinstance(played.end, (Send, Wait)) and played.failed.failure.kind in ("unreadable", "empty", "server")


@given(st.text(st.characters(), min_size=1, max_size=40))
def test_a_segment_has_no_character_with_a_meaning(task: str) -> None:
    """Also for halves of surrogate pairs, which JSON can carry."""
    assert not set(path_segment(task)) & set("/?#&= \\") and path_segment(task).isascii()
    assert task_id_of({"task_id": task}) in ("", task.strip())


NAMES: dict[str, Any] = {
    "capitals": {"taskID": "t-1", "status": "queued"},
    "a mark": {"task-id": "t-1", "status": "queued"},
    "a list of one": {"task_ids": ["t-1"], "status": "queued"},
    "another word": {"prediction_id": "t-1", "status": "queued"},
    "a number": {"generationId": 17, "status": "queued"},
    "a list of tasks": {"code": 200, "data": [{"status": "submitted", "task_id": "t-1"}]},
    "no status": {"taskid": "t-1"},
}


@pytest.mark.parametrize("shape", NAMES)
def test_an_accepted_task_is_found_by_other_names_of_its_id(shape: str) -> None:
    """A task whose id is not seen is a paid picture that is lost."""
    task = "17" if shape == "a number" else "t-1"
    assert task_id_of(NAMES[shape], asked_for_task=False) == task
    played = play(job(QUICK_SPECS["nanobanana"], request()), reply(value=NAMES[shape]))
    assert isinstance(played.end, Send) and played.end.url.endswith(f"/{task}")


@pytest.mark.parametrize(
    "value",
    [
        {"userId": "u-1", "status": "queued"},
        {"request_id": "r-1"},
        {"prediction_id": "t-1"},
        {"order": "large", "status": "queued"},
        {"task_ids": ["t-1", "t-2"], "status": "queued"},
        {"data": [{"task_id": "t-1"}, {"task_id": "t-2"}]},
    ],
)
def test_another_id_is_none_of_a_task(value: dict[str, Any]) -> None:
    """Nor is one of several."""
    assert task_id_of(value, asked_for_task=False) == ""


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("失败", "failed"),
        ("已取消", "failed"),
        ("完成", "succeeded"),
        ("成功", "succeeded"),
        ("未完成", ""),
        ("排队", ""),
    ],
)
def test_a_state_in_chinese_is_read(word: str, state: str) -> None:
    """A task that has failed is not waited for until the time is up."""
    assert task_state(word) == state
