"""What one provider API is to the simulator: its routes, its checks, its words.

A module in `apis/` defines a subclass and one instance named `API`; that is all it takes to add an API. A subclass
holds what its document says and nothing about sockets, faults or billing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .files import FileStore
from .message import Reply, Request, json_reply
from .multipart import Part
from .order import Order
from .problem import Problem
from .references import Reference, from_text
from .request_log import Record
from .results import Result, shaped
from .tasks import Task, TaskBook

Reader = Callable[["Call"], Order]
Answer = Callable[["Call"], Reply]


@dataclass(frozen=True)
class Route:
    """One address of an API."""

    form: str
    """The name under which the control routes can switch it off."""
    method: str
    pattern: re.Pattern[str]
    """Matched against the path below the API's mount; its groups go into `Call.pieces`."""
    read: Reader | None = None
    """For what costs money: check everything, return the order."""
    answer: Answer | None = None
    """For what is free."""
    kind: str = "paid"
    """`paid`, `poll`, `upload`, `cancel` or `other`; shown in the ledger."""
    body: Literal["json", "multipart", "raw", "none"] = "json"
    query: frozenset[str] = frozenset()
    """Documented query parameters, each as `name=value`, or `name=*` for any value."""
    auth: bool = True
    """Whether it asks for the API's key."""
    files: tuple[str, ...] = ("image",)
    """The fields of a multipart body that carry files."""


def route(
    form: str,
    method: str,
    pattern: str,
    *,
    read: Reader | None = None,
    answer: Answer | None = None,
    kind: str = "paid",
    body: Literal["json", "multipart", "raw", "none"] = "json",
    query: tuple[str, ...] = (),
    auth: bool = True,
    files: str | tuple[str, ...] = "image",
) -> Route:
    """A route from the pattern's text."""
    named = (files,) if isinstance(files, str) else files
    return Route(form, method, re.compile(pattern), read, answer, kind, body, frozenset(query), auth, named)


@dataclass
class Call:
    """One request on its way through an API."""

    request: Request
    api: Api
    route: Route
    pieces: dict[str, str]
    origin: str
    """Where this simulator is reached, for addresses in answers."""
    hosts: tuple[str, ...]
    """The names under which its own files may be given as references."""
    files: FileStore
    tasks: TaskBook
    fields: dict[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    record: Record | None = None
    ratio_typo: bool = False

    def address(self, path: str) -> str:
        """The full address of a path on this server."""
        return self.origin + path

    def references(self, name: str, values: list[str], *, bare: bool) -> list[Reference]:
        """Every reference of a JSON array, decoded; raises Problem. Those decoded so far are in the ledger."""
        found: list[Reference] = []
        for number, value in enumerate(values):
            found.append(from_text(f"{name}[{number}]", value, self.files, self.hosts, bare=bare))
            self.note(found)
        return found

    def note(self, references: list[Reference]) -> None:
        """Write the references down in the ledger."""
        if self.record is not None:
            self.record.references = [reference.shown() for reference in references]


class Api:
    """Base of every API; the methods are the places where documents differ."""

    id = ""
    auth: Literal["bearer", "key", "raw", "none"] = "bearer"
    auth_header = "Authorization"
    """The header that carries the key."""
    also_bearer = False
    """Whether a key that goes without a scheme may have `Bearer` before it."""

    def routes(self) -> tuple[Route, ...]:
        """Every address this API has."""
        raise NotImplementedError

    def problem(self, problem: Problem) -> Reply:
        """A refused request in the documented status and shape."""
        raise NotImplementedError

    def without_key(self) -> Problem:
        """A request that carries no key at all, where that is told apart from a wrong one."""
        return Problem(401)

    def unknown_model(self, model: str) -> str:
        """What it says about a model id that it doesn't know."""
        return f"The model {model} was not found."

    def prompt_of(self, fields: dict[str, Any]) -> object:
        """What stands where the prompt belongs; anything but a string when there is none."""
        nested = fields.get("input", fields)
        return nested.get("prompt") if isinstance(nested, dict) else None

    def finished(self, call: Call, order: Order, results: list[Result], revised: str | None = None) -> Reply:
        """The answer with pictures; `revised` is the model's own text where the API carries one."""
        raise NotImplementedError

    def started(self, call: Call, task: Task) -> Reply:
        """The answer to a request that became a task."""
        raise NotImplementedError

    def polled(self, call: Call, task: Task) -> Reply:
        """The answer to a poll."""
        raise NotImplementedError

    def refused(self, call: Call, order: Order, status: int) -> Reply:
        """The model declined for the content; `status` 0 is this API's likeliest, 200 an answer without pictures."""
        if status == 200:
            return self.finished(call, order, [], revised=DECLINED)
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

    def refused(self, call: Call, order: Order, status: int) -> Reply:
        """A task that fails."""
        if status:
            return super().refused(call, order, status)
        return self.started(call, self.ended(call, order, [], "refuse"))

    def finished(self, call: Call, order: Order, results: list[Result], revised: str | None = None) -> Reply:
        """There is no answer without a task: one that ends at once."""
        return self.started(call, self.ended(call, order, results, "done"))

    def ended(self, call: Call, order: Order, results: list[Result], ending: str) -> Task:
        """A task that has come to its end, in the book."""
        task = Task(secrets.token_hex(16), self.id, order, results, ending, 0)
        call.tasks.add(task)
        return task


DECLINED = "I can't create this picture: the request was declined by the content policy."


def error_object(status: int, message: str, kind: str, code: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """The error shape of the images family: `{"error": {"message", "type", "code"}}`."""
    return json_reply(status, {"error": {"message": message, "type": kind, "code": code}}, headers)
