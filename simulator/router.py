"""From a request to a reply: which API, which route, which checks, in which order.

Order of checks: address, method, key, query, content type, body, fields, pictures. Every refusal is written in the
API's own documented shape. Called by `connection.py`; touches no socket.
"""

from __future__ import annotations

from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from .api import Api, Call, Route
from .fields import parse_json
from .files import FileStore
from .generation import generate
from .image_request import ImageRequest
from .message import Reply, Request, json_reply
from .multipart import parse_multipart, single_texts
from .offline import API as OFFLINE
from .problem import Problem


class Router:
    """The mounted APIs, and the answer to every request."""

    def __init__(self) -> None:
        self.apis: dict[str, Api[Any]] = {OFFLINE.id: OFFLINE}
        self.files = FileStore()
        self._numbers = count(1)

    def locate(self, request: Request) -> tuple[Api[Any] | None, Route | None, dict[str, str], list[Route]]:
        """The API and route of an address, and every route that address has whatever the method."""
        mount, _, below = request.path.removeprefix("/").partition("/")
        api = self.apis.get(mount)
        if api is None:
            return None, None, {}, []
        here: list[Route] = []
        chosen: Route | None = None
        path_params: dict[str, str] = {}
        for route in api.routes():
            match = route.pattern.fullmatch("/" + below)
            if match is None:
                continue
            here.append(route)
            if route.method == request.method and chosen is None:
                chosen, path_params = route, match.groupdict()
        return api, chosen, path_params, here

    def answer(self, request: Request, origin: str, hosts: tuple[str, ...]) -> Reply:
        """The reply to a request whose body is in. `hosts` are the names that this server has."""
        api, route, path_params, here = self.locate(request)
        if api is None:
            return json_reply(404, {"error": "no provider is mounted here", "mounted": sorted(self.apis)})
        if request.path.startswith(f"/{api.id}/files/"):
            return self._file(api, request)
        if route is None:
            if here:
                allowed = ", ".join(sorted({known.method for known in here}))
                return api.problem(Problem(405, headers=(("Allow", allowed),)))
            return api.problem(Problem(404, f"Invalid URL ({request.method} {request.path})"))
        try:
            return self.serve(self.call(request, api, route, path_params, origin, hosts))
        except Problem as problem:
            return api.problem(problem)

    def call(
        self,
        request: Request,
        api: Api[Any],
        route: Route,
        path_params: dict[str, str],
        origin: str,
        hosts: tuple[str, ...],
    ) -> Call:
        """The call that a route's functions take."""
        return Call(request, api, route, path_params, origin, next(self._numbers), self.files)

    def serve(self, call: Any) -> Reply:
        """The reply of a route; raises Problem."""
        self.check_head(call)
        self.read_body(call)
        if call.route.read is not None:
            image_request: ImageRequest = call.route.read(call)
            return generate(call, image_request)
        reply: Reply = call.route.answer(call)
        return reply

    def check_head(self, call: Any) -> None:
        """Key, query and content type; raises Problem."""
        if call.route.auth:
            self.check_key(call)
        query = call.request.query
        if query:
            try:
                pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
            except ValueError:
                pairs = [("?", "")]
            for name, value in pairs:
                if not {f"{name}={value}", f"{name}=*"} & call.route.query:
                    raise Problem(400, f"The query parameter '{name}' is not known here.", field=name)
        if call.route.body in ("json", "multipart"):
            declared = (call.request.header("content-type") or "").strip()
            wanted = "application/json" if call.route.body == "json" else "multipart/form-data"
            bare, _, parameters = declared.partition(";")
            if bare.strip().lower() != wanted:
                raise Problem(415, f"Content-Type must be {wanted}, not '{declared[:60]}'.")
            if wanted == "application/json" and parameters.strip().lower() not in ("", "charset=utf-8"):
                raise Problem(415, "JSON is read as UTF-8 only.")

    def check_key(self, call: Any) -> None:
        """Raises Problem for a request with a key."""
        if call.request.headers.get_all(call.api.auth_header):
            raise Problem(400, "This API takes no key: leave the Authorization header out.", field="Authorization")

    def read_body(self, call: Any) -> None:
        """Parse the body into the call's fields and parts; raises Problem."""
        request = call.request
        if call.route.body == "json":
            call.fields = parse_json(request.body)
        elif call.route.body == "multipart":
            call.parts = parse_multipart(request.header("content-type") or "", request.body)
            # The parts hold their own copies: don't keep large uploads twice.
            request.body = b""
            call.fields = dict(single_texts(call.parts, files=call.route.files))
        elif call.route.body == "none" and request.body:
            raise Problem(400, "This request takes no body.")

    def _file(self, api: Api[Any], request: Request) -> Reply:
        if request.method not in ("GET", "HEAD"):
            return api.problem(Problem(405, headers=(("Allow", "GET, HEAD"),)))
        if request.query:
            return api.problem(Problem(400, "Result files take no query."))
        return self.files.serve(request) or Reply(404, b"no such file\n", "text/plain")
