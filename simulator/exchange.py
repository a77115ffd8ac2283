"""From a request to a reply: which API, which route, which checks, in which order.

Order of checks: address, method, key, query, content type, body, fields, pictures. Every refusal is written in the
API's own documented shape. Called by `connection.py`; touches no socket.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from .api import Api, Call, Route
from .faults import FaultBook, UnknownWord, Words
from .fields import parse_json
from .files import FileStore
from .generation import generate
from .message import Reply, Request, json_reply
from .multipart import parse_multipart, single_texts
from .offline import API as OFFLINE
from .problem import Problem
from .request_log import Record, RequestLog, authorization_form
from .tasks import TaskBook

KEY = re.compile(r"sim-[A-Za-z0-9_-]+")
SCHEMES = {"bearer": "Bearer", "key": "Key"}
"""What stands before the key, by the API's kind of authorization."""
_JSON_PROMPT = re.compile(rb'"(?:prompt|text)"\s*:\s*("(?:[^"\\]|\\.)*")')
_FORM_PROMPT = re.compile(rb'name="prompt"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)


class Exchange:
    """Everything the simulator knows, and the answer to every request."""

    def __init__(self, keys_required: bool) -> None:
        self.keys_required = keys_required
        self.apis: dict[str, Api] = {OFFLINE.id: OFFLINE}
        self.files = FileStore()
        self.tasks = TaskBook()
        self.faults = FaultBook()
        self.request_log = RequestLog()
        self.forms: dict[tuple[str, str], int] = {}
        self.retired: set[tuple[str, str]] = set()
        """Provider ids and wire model ids that are answered as unknown."""

    def reset(self) -> None:
        """Forget requests, faults, tasks, files, switched-off forms and retired models."""
        self.faults.clear()
        self.request_log.reset()
        self.tasks.clear()
        self.files.clear()
        self.forms.clear()
        self.retired.clear()

    def locate(self, request: Request) -> tuple[Api | None, Route | None, dict[str, str], list[Route]]:
        """The API and route of an address, and every route that address has whatever the method."""
        mount, _, below = request.path.removeprefix("/").partition("/")
        api = self.apis.get(mount)
        if api is None:
            return None, None, {}, []
        here: list[Route] = []
        chosen: Route | None = None
        pieces: dict[str, str] = {}
        for route in api.routes():
            match = route.pattern.fullmatch("/" + below)
            if match is None:
                continue
            here.append(route)
            if route.method == request.method and chosen is None:
                chosen, pieces = route, match.groupdict()
        return api, chosen, pieces, here

    def begin(self, request: Request) -> Record | None:
        """Open the ledger's record for a request to a route that costs money; None for every other."""
        api, route, _, here = self.locate(request)
        if api is None or not any(known.read for known in here) or (route is not None and route.read is None):
            return None
        headers = {name: str(value) for name, value in request.headers.items()}
        record = self.request_log.open(api.id, request.path, request.method, request.query, headers, request.at)
        record.form = route.form if route is not None else here[0].form
        return record

    def early_words(self, record: Record, start: bytes | None) -> Words:
        """The faults that act before the body is in: None for `start` means before any of it has been read."""
        prompt = "" if start is None else _prompt_in(start)
        try:
            words = self.faults.look(record.provider, prompt)
            wanted = ("connect",) if start is None else ("connect", "upload")
            if words.get("drop") not in wanted:
                return {}
            words = self.faults.take(record.provider, prompt)
        except UnknownWord:
            return {}
        if words.get("drop") not in wanted:
            return {}
        record.prompt = prompt
        record.outcome = f"drop={words['drop']}"
        if "paid" in words:
            self.request_log.bill(record, 1, 0.0)
        return words

    def answer(self, request: Request, record: Record | None, origin: str, hosts: tuple[str, ...]) -> Reply:
        """The reply to a request whose body is in."""
        api, route, pieces, here = self.locate(request)
        if api is None:
            self._free("", "unknown", request, 404)
            return json_reply(404, {"error": "no provider is mounted here", "mounted": sorted(self.apis)})
        if request.path.startswith(f"/{api.id}/files/"):
            return self._file(api, request)
        if route is None:
            problem = Problem(404, f"Invalid URL ({request.method} {request.path})")
            if here:
                allowed = ", ".join(sorted({known.method for known in here}))
                problem = Problem(405, headers=(("Allow", allowed),))
            reply = api.problem(problem)
            if record is None:
                self._free(api.id, "unknown", request, reply.status)
            else:
                self.request_log.received(record, _prompt_in(request.body), {})
                record.outcome = reply.status
            return reply
        call = Call(request, api, route, pieces, origin, hosts, self.files, self.tasks, record=record)
        try:
            reply = self._paid(call, record) if record is not None else self._unpaid(call)
        except Problem as problem:
            reply = api.problem(problem)
            if record is not None:
                record.outcome = reply.status
        if record is None:
            self._free(api.id, route.kind, request, reply.status)
        return reply

    def _paid(self, call: Call, record: Record) -> Reply:
        late: Problem | None = None
        try:
            self._read_body(call)
        except Problem as problem:
            late = problem
        found = call.api.prompt_of(call.fields)
        prompt = found if isinstance(found, str) and found else _prompt_of(call.fields)
        prompt = prompt or (_prompt_in(call.request.body) if late else "")
        # Before it counts as received: whoever waits for that and then releases means this one, too.
        released = self.faults.released
        self.request_log.received(record, prompt, _without_pictures(call.fields))
        self._check_head(call)
        if late is not None:
            raise late
        try:
            call.ratio_typo = "ratio_typo" in self.faults.look(call.api.id, prompt)
            assert call.route.read is not None
            order = call.route.read(call)
            if (call.api.id, order.model) in self.retired:
                raise Problem(404, call.api.unknown_model(order.model))
            words = self.faults.take(call.api.id, prompt)
            if "hold" in words:
                words["hold"] = released
        except UnknownWord as problem:
            raise Problem(400, str(problem), code="unknown_simulator_word") from None
        return generate(call, order, words, self.request_log)

    def _unpaid(self, call: Call) -> Reply:
        self._check_head(call)
        if call.route.kind == "upload":
            status = self.faults.take_word(call.api.id, "upload_status")
            if status:
                raise Problem(status)
        self._read_body(call)
        assert call.route.answer is not None
        return call.route.answer(call)

    def _check_head(self, call: Call) -> None:
        switched = self.forms.get((call.api.id, call.route.form), 0)
        if switched:
            raise Problem(switched)
        if call.route.auth:
            self._check_key(call)
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

    def _check_key(self, call: Call) -> None:
        values = call.request.headers.get_all(call.api.auth_header) or []
        if call.api.auth == "none":
            if values:
                raise Problem(400, "This API takes no key: leave the Authorization header out.", field="Authorization")
            return
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

    def _read_body(self, call: Call) -> None:
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

    def _file(self, api: Api, request: Request) -> Reply:
        if request.method not in ("GET", "HEAD"):
            reply = api.problem(Problem(405, headers=(("Allow", "GET, HEAD"),)))
        elif request.query:
            reply = api.problem(Problem(400, "Result files take no query."))
        else:
            reply = self.files.serve(request) or Reply(404, b"no such file\n", "text/plain")
        self._free(api.id, "file", request, "drop" if reply.manner.drop else reply.status)
        return reply

    def _free(self, provider: str, kind: str, request: Request, outcome: int | str) -> None:
        api = self.apis.get(provider)
        authorization = request.header(api.auth_header if api else "authorization")
        form = "" if authorization is None else authorization_form(authorization)
        self.request_log.free(provider, kind, request.method, request.path, outcome, form)


def _prompt_in(start: bytes | bytearray) -> str:
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
    """The fields as received, with picture data replaced by how much there was."""

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
