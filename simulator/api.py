"""One HTTP API: its routes, the checks of its requests and the shapes of its answers. Knows nothing about sockets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from .files import FileStore
from .image_request import ImageRequest
from .message import Reply, Request, json_reply
from .multipart import Part
from .problem import Problem
from .references import Reference
from .results import Result

Reader = Callable[[Any], ImageRequest]
Answer = Callable[[Any], Reply]
"""Both take the call; servers that build on this one have a subclass of `Call`."""
C = TypeVar("C", bound="Call")


@dataclass(frozen=True)
class Route:
    """One address of an API."""

    name: str
    """Its name among the routes of the API."""
    method: str
    pattern: re.Pattern[str]
    """Matched against the path below the API's mount; its groups go into `Call.path_params`."""
    read: Reader | None = None
    """For what costs money: check everything, return the image request."""
    answer: Answer | None = None
    """For what is free."""
    kind: str = "paid"
    """`paid`, `poll`, `upload`, `cancel` or `other`."""
    body: Literal["json", "multipart", "raw", "none"] = "json"
    query: frozenset[str] = frozenset()
    """Documented query parameters, each as `name=value`, or `name=*` for any value."""
    auth: bool = True
    """Whether it asks for the API's key."""
    files: tuple[str, ...] = ("image",)
    """The fields of a multipart body that carry files."""


def route(
    name: str,
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
    return Route(name, method, re.compile(pattern), read, answer, kind, body, frozenset(query), auth, named)


@dataclass
class Call:
    """One request on its way through an API."""

    request: Request
    api: Api[Any]
    route: Route
    path_params: dict[str, str]
    origin: str
    """Scheme, host and port of this server, for addresses in answers."""
    number: int
    """Position among the requests so far, from 1."""
    files: FileStore
    fields: dict[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    def address(self, path: str) -> str:
        """The full address of a path on this server."""
        return self.origin + path

    def note(self, references: list[Reference]) -> None:
        """Called with the references decoded so far, also when a later one is refused."""


class Api(Generic[C]):
    """Base of every API; subclasses override what differs between APIs."""

    id = ""
    auth: Literal["bearer", "key", "raw", "none"] = "none"
    """How the key is sent; `none` refuses a key."""
    auth_header = "Authorization"
    """The header that carries the key."""

    def routes(self) -> tuple[Route, ...]:
        """Every address this API has."""
        raise NotImplementedError

    def problem(self, problem: Problem) -> Reply:
        """A refused request in the documented status and shape."""
        raise NotImplementedError

    def finished(
        self, call: C, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """The answer with pictures; `revised` is the model's own text where the API carries one."""
        raise NotImplementedError


def error_object(status: int, message: str, kind: str, code: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """The error shape of OpenAI's images API: `{"error": {"message", "type", "code"}}`."""
    return json_reply(status, {"error": {"message": message, "type": kind, "code": code}}, headers)
