"""The provider `offline` as it is shipped, with tasks for tests that let its requests take long."""

from __future__ import annotations

from typing import Any, Literal

from pack.simulator import offline
from pack.simulator.api import Route, route
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.tests.doubles.api import Api, Call
from pack.tests.doubles.tasks import Task


class Offline(offline.Offline, Api):
    """See the module."""

    auth: Literal["bearer", "key", "raw", "none"] = "none"

    def routes(self) -> tuple[Route, ...]:
        """Those of the shipped API, and the polls of a task."""
        tasks = route("tasks", "GET", r"/v1/images/tasks/(?P<id>[^/]+)", answer=self._task, kind="poll", body="none")
        return (*super().routes(), tasks)

    def _task(self, call: Call) -> Reply:
        return self.task_of(call, call.path_params["id"], Problem(404, "There is no such task."))

    def started(self, call: Call, task: Task) -> Reply:
        """Only the id."""
        return json_reply(200, {"task_id": task.id})

    def polled(self, call: Call, task: Task) -> Reply:
        """`status`, `progress` and, at the end, `data` or `fail_reason`."""
        answer: dict[str, Any] = {"task_id": task.id, "status": "IN_PROGRESS", "progress": f"{task.percent}%"}
        if task.failed:
            answer |= {"status": "FAILURE", "fail_reason": "asked to fail"}
        elif task.finished:
            answer |= {"status": "SUCCESS", "data": [result.entry() for result in task.results]}
        elif task.ending == "unknown":
            answer["status"] = "PONDERING"
        return json_reply(200, answer)


API = Offline()
