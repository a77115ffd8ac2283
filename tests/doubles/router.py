"""From a request to a reply of a double: which faults apply, what is logged, and the checks of keys.

The order of checks is the simulator's. Called by `connection.py`; touches no socket.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pack.simulator import router
from pack.simulator.api import Route
from pack.simulator.message import Reply, Request
from pack.simulator.problem import Problem

from .api import Api, Call
from .batches import BatchStore, Services
from .delivery import delivery_of
from .faults import FaultOptions, FaultRules, UnknownFault
from .files import FileStore
from .generation import generate
from .providers import find_apis
from .request_log import Record, RequestLog, authorization_form
from .tasks import TaskStore

KEY = re.compile(r"sim-[A-Za-z0-9_-]+")
SCHEMES = {"bearer": "Bearer", "key": "Key"}
"""The scheme before the key, by the API's kind of authorization."""
_JSON_PROMPT = re.compile(rb'"(?:prompt|text)"\s*:\s*("(?:[^"\\]|\\.)*")')
_FORM_PROMPT = re.compile(rb'name="prompt"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)


class Router(router.Router):
    """The mounted doubles, their state, and the answer to every request."""

    apis: dict[str, Api]  # type: ignore[assignment]
    files: FileStore

    def __init__(self, keys_required: bool, always: str) -> None:
        super().__init__()
        self.keys_required = keys_required
        self.apis = find_apis()
        self.files = FileStore()
        self.tasks = TaskStore()
        self.batches = BatchStore()
        self.faults = FaultRules(always)
        self.request_log = RequestLog()
        self.switched_routes: dict[tuple[str, str], int] = {}
        """Statuses that routes answer with, by provider id and the route's name; 0 is normal service."""
        self.retired: set[tuple[str, str]] = set()
        """Provider ids and wire model ids that are answered as unknown."""

    def reset(self) -> None:
        """Forget requests, faults, tasks, files, switched-off routes and retired models."""
        self.faults.clear()
        self.request_log.reset()
        self.tasks.clear()
        self.batches.clear()
        self.files.clear()
        self.switched_routes.clear()
        self.retired.clear()

    def begin(self, request: Request) -> Record | None:
        """Open the log's record for a request to a route that costs money; None for every other."""
        api, route, _, here = self.locate(request)
        if api is None or not any(known.read for known in here) or (route is not None and route.read is None):
            return None
        headers = {name: str(value) for name, value in request.headers.items()}
        record = self.request_log.open(api.id, request.path, request.method, request.query, headers, request.at)
        record.route_name = route.name if route is not None else here[0].name
        return record

    def early_fault(self, record: Record, start: bytes | None) -> FaultOptions:
        """The faults that act before the body is in: None for `start` means before any of it has been read."""
        prompt = "" if start is None else prompt_in(start)
        try:
            options = self.faults.look(record.provider, prompt)
            wanted = ("connect",) if start is None else ("connect", "upload")
            if options.get("drop") not in wanted:
                return {}
            options = self.faults.take(record.provider, prompt)
        except UnknownFault:
            return {}
        if options.get("drop") not in wanted:
            return {}
        record.prompt = prompt
        record.outcome = f"drop={options['drop']}"
        if "paid" in options:
            self.request_log.bill(record, 1, 0.0)
        return options

    def answer(self, request: Request, origin: str, hosts: tuple[str, ...]) -> Reply:
        """The reply to a request whose body is in, written into the log."""
        api, route, _, _ = self.locate(request)
        record: Record | None = request.record
        if record is not None and route is None:
            self.request_log.received(record, prompt_in(request.body), {})
        reply = super().answer(request, origin, hosts)
        if record is None:
            self._log_free(request, api, route, reply)
        elif record.outcome is None:
            record.outcome = reply.status
        return reply

    def call(
        self, request: Request, api: Any, route: Route, path_params: dict[str, str], origin: str, hosts: tuple[str, ...]
    ) -> Call:
        """The call that a route's functions take."""
        number = request.record.id if request.record is not None else 0
        services = Services(self.batches, self.faults, self.request_log)
        return Call(
            request,
            api,
            route,
            path_params,
            origin,
            number,
            self.files,
            tasks=self.tasks,
            hosts=hosts,
            batch_services=services,
        )

    def serve(self, call: Call) -> Reply:
        """The reply of a route under the faults in force; raises Problem."""
        return self._unpaid(call) if call.record is None else self._paid(call, call.record)

    def _paid(self, call: Call, record: Record) -> Reply:
        late: Problem | None = None
        try:
            self.read_body(call)
        except Problem as problem:
            late = problem
        found = call.api.prompt_of(call.fields)
        prompt = found if isinstance(found, str) and found else _prompt_of(call.fields)
        prompt = prompt or (prompt_in(call.request.body) if late else "")
        # Before it counts as received: whoever waits for that and then releases means this one, too.
        released = self.faults.released
        self.request_log.received(record, prompt, _without_pictures(call.fields))
        self.check_head(call)
        if late is not None:
            raise late
        try:
            call.ratio_typo = "ratio_typo" in self.faults.look(call.api.id, prompt)
            assert call.route.read is not None
            image_request = call.route.read(call)
            if (call.api.id, image_request.model) in self.retired:
                raise Problem(404, call.api.unknown_model(image_request.model))
            options = self.faults.take(call.api.id, prompt)
            options |= {name: released for name in ("hold", "pause") if name in options}
        except UnknownFault as problem:
            raise Problem(400, str(problem), code="unknown_fault") from None
        return generate(call, image_request, options, self.request_log)

    def _unpaid(self, call: Call) -> Reply:
        self.check_head(call)
        if call.route.kind == "upload":
            status = self.faults.take_option(call.api.id, "upload_status")
            if status:
                raise Problem(status)
        self.read_body(call)
        assert call.route.answer is not None
        return call.route.answer(call)

    def check_head(self, call: Call) -> None:
        """Whether the route is switched off, then as the simulator checks; raises Problem."""
        switched = self.switched_routes.get((call.api.id, call.route.name), 0)
        if switched:
            raise Problem(switched)
        super().check_head(call)

    def check_key(self, call: Call) -> None:
        """Raises Problem for a key that is missing, wrong, or sent in another way than documented."""
        if call.api.auth == "none":
            super().check_key(call)
            return
        values = call.request.headers.get_all(call.api.auth_header) or []
        if not values:
            if not self.keys_required:
                return
            raise call.api.without_key()
        if len(values) != 1:
            raise Problem(401)
        key = str(values[0])
        wanted = SCHEMES.get(call.api.auth)
        if wanted:
            scheme, _, key = key.partition(" ")
            if scheme != wanted:
                raise Problem(401)
        elif call.api.also_bearer:
            key = key.removeprefix("Bearer ")
        if not KEY.fullmatch(key):
            raise Problem(401)

    def _log_free(self, request: Request, api: Any, route: Route | None, reply: Reply) -> None:
        """Log a request that costs nothing."""
        kind = "unknown" if route is None else route.kind
        outcome: int | str = reply.status
        if api is not None and request.path.startswith(f"/{api.id}/files/"):
            kind = "file"
            outcome = "drop" if delivery_of(reply).drop else reply.status
        authorization = request.header(api.auth_header if api else "authorization")
        scheme = "" if authorization is None else authorization_form(authorization)
        self.request_log.free(api.id if api else "", kind, request.method, request.path, outcome, scheme)


def prompt_in(start: bytes | bytearray) -> str:
    """The prompt in the first bytes of a body, JSON or form; empty when it isn't there yet."""
    match = _JSON_PROMPT.search(start, 0, 200_000)
    if match is not None:
        try:
            return str(json.loads(match.group(1)))
        except ValueError:
            return ""
    match = _FORM_PROMPT.search(start, 0, 200_000)
    return match.group(1).decode("utf-8", "replace") if match is not None else ""


def _prompt_of(fields: dict[str, Any]) -> str:
    """The prompt of a request: at its top, inside `input`, or the first text of its messages."""
    nested = fields.get("input")
    if isinstance(nested, dict):
        fields = nested
    found = fields.get("prompt")
    if isinstance(found, str):
        return found
    for message in fields["messages"] if isinstance(fields.get("messages"), list) else ():
        parts = message.get("content") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                return str(part["text"])
    return ""


def _without_pictures(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as received, with picture data replaced by its length."""

    def shown(value: Any) -> Any:
        if isinstance(value, str) and len(value) > 60_000:
            return f"({len(value)} characters)"
        if isinstance(value, str) and value.startswith("data:"):
            return f"(data URI, {len(value)} characters)"
        if isinstance(value, dict):
            return {name: shown(inner) for name, inner in value.items() if name not in PICTURE_FIELDS}
        if isinstance(value, list):
            return [shown(inner) for inner in value]
        return value

    return {name: shown(value) for name, value in fields.items() if name not in PICTURE_FIELDS}


PICTURE_FIELDS = ("image", "images", "image_urls", "inlineData", "inline_data")
