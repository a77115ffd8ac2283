"""What one provider's API is to its double: beyond routes and answers, its keys, refusals, tasks and idempotency keys.

A module in `providers/` defines a subclass and one instance named `API`. A subclass holds what its provider's document
says and nothing about sockets, faults or billing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from pack.simulator import api
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import Reference
from pack.simulator.results import Result

from .batches import Services
from .files import FileStore
from .references import from_text
from .request_log import Record
from .result_shapes import shaped
from .tasks import Task, TaskStore

DECLINED = "I can't create this picture: the request was declined by the content policy."


@dataclass
class Call(api.Call):
    """One request on its way through an API."""

    api: Api
    files: FileStore
    tasks: TaskStore = field(default_factory=TaskStore)
    hosts: tuple[str, ...] = ()
    """The names under which this server's own files may be given as references."""
    ratio_typo: bool = False
    batch_services: Services | None = None

    @property
    def services(self) -> Services:
        """What the routes of batches use of the server."""
        assert self.batch_services is not None
        return self.batch_services

    @property
    def record(self) -> Record | None:
        """The request's entry in the log, None for what costs nothing."""
        record: Record | None = self.request.record
        return record

    def references(self, name: str, values: list[str], *, bare: bool) -> list[Reference]:
        """Every reference of a JSON array, decoded; raises Problem. Those decoded so far are in the request log."""
        found: list[Reference] = []
        for number, value in enumerate(values):
            found.append(from_text(f"{name}[{number}]", value, self.files, self.hosts, bare=bare))
            self.note(found)
        return found

    def note(self, references: list[Reference]) -> None:
        """Write the references into the request log."""
        if self.record is not None:
            self.record.references = [reference.shown() for reference in references]


class Api(api.Api[Call]):
    """Base of every double; subclasses override what differs between documents."""

    auth: Literal["bearer", "key", "raw", "none"] = "bearer"
    also_bearer = False
    """Whether a key that goes without a scheme may have `Bearer` before it."""

    def without_key(self) -> Problem:
        """A request that carries no key at all, where that is told apart from a wrong one."""
        return Problem(401)

    def unknown_model(self, model: str) -> str:
        """What it says about a model id that it doesn't know."""
        return f"The model {model} was not found."

    def prompt_of(self, fields: dict[str, Any]) -> object:
        """What is where the prompt belongs; anything but a string when there is none."""
        nested = fields.get("input", fields)
        return nested.get("prompt") if isinstance(nested, dict) else None

    def started(self, call: Call, task: Task) -> Reply:
        """The answer to a request that became a task."""
        raise NotImplementedError

    def polled(self, call: Call, task: Task) -> Reply:
        """The answer to a poll."""
        raise NotImplementedError

    def refused(self, call: Call, image_request: ImageRequest, status: int) -> Reply:
        """The model declined for the content; `status` 0 is this API's likeliest, 200 an answer without pictures."""
        if status == 200:
            return self.finished(call, image_request, [], revised=DECLINED)
        return self.problem(Problem(status or 400, DECLINED, code="content_policy_violation"))

    def replay_key(self, call: Call) -> str:
        """The idempotency key of a paid request, "" where there is none or the API knows none; raises Problem."""
        return ""

    def task_of(self, call: Call, task_id: str, unknown: Problem) -> Reply:
        """Poll a task by id: unknown ids and faulty polls become problems."""
        task, status = call.tasks.poll(self.id, task_id)
        if task is None:
            raise unknown
        if status:
            raise Problem(status)
        if task.shape and task.finished and not task.failed:
            return json_reply(200, shaped(task.shape, task.results))
        return self.polled(call, task)

    def cancel(self, call: Call, task_id: str, unknown: Problem) -> bool:
        """Whether a task was taken back; one that has begun goes on. Raises Problem as its fault says."""
        task, taken_back = call.tasks.cancel(self.id, task_id)
        if task is None:
            raise unknown
        if task.cancel_fault == "500":
            raise Problem(500)
        return taken_back


class TaskApi(Api):
    """An API without answers at once: what a model makes of a prompt is known only when its task has ended."""

    def refused(self, call: Call, image_request: ImageRequest, status: int) -> Reply:
        """A task that fails."""
        if status:
            return super().refused(call, image_request, status)
        return self.started(call, self.ended(call, image_request, [], "refuse"))

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """There is no answer without a task: one that ends at once."""
        return self.started(call, self.ended(call, image_request, results, "done"))

    def ended(self, call: Call, image_request: ImageRequest, results: list[Result], ending: str) -> Task:
        """A task that has come to its end, in the book."""
        task = Task(secrets.token_hex(16), self.id, image_request, results, ending, 0)
        call.tasks.add(task)
        return task
