"""Google's Batch API: orders of many `generateContent` requests, made when they are asked about often enough.

Follows the batch guide, the API reference and the SDK (google-genai 3.6, which judges it in `tests/conformance`). Each poll
moves an order one step on, as with the tasks of other doubles, so that tests never wait. The pictures of an order are made and
billed, at half the price and one record each, when its last step is over. A rule for a piece of an order's display name acts on
the order: `status`, `drop`, `hold` and `slow` on the request that creates it, `steps` and `task` (`hang`, `fail`, `expired`,
`cancelled`) on the order. Directives in a prompt act on that request alone. Two equal requests are two orders.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, json_object, text, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem

from .faults import FaultOptions, FaultRules, UnknownFault
from .gemini_request import camel_names
from .request_log import RequestLog

if TYPE_CHECKING:
    from .api import Call

LARGEST_INLINE = 20_000_000
PRICE_SHARE = 0.5
MAKING = threading.Lock()
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main."
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 500: 13, 503: 14, 504: 4}
Read = Callable[["Call"], ImageRequest]
Load = Callable[["Call", str], bytes]
"""The bytes of an uploaded file by its name. Raises Problem."""
Save = Callable[["Call", bytes], str]
"""Keeps a file of answers; gives its name."""


@dataclass
class Batch:
    """An order and how far it has come."""

    id: str
    model: str
    display_name: str
    items: list[tuple[str, dict[str, Any]]]
    """Key and body of each request."""
    inline: bool
    ending: str
    steps: int
    made: float = field(default_factory=time.time)
    polls: int = 0
    state: str = "PENDING"
    answers: list[dict[str, Any]] = field(default_factory=list)
    file: str = ""

    @property
    def ended(self) -> bool:
        return self.state not in ("PENDING", "RUNNING")


class BatchStore:
    """Thread-safe store of orders, newest last."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.batches: OrderedDict[str, Batch] = OrderedDict()

    def clear(self) -> None:
        """Forgets every order."""
        with self.lock:
            self.batches.clear()

    def finish(self) -> int:
        """Lets the hanging orders be done at their next poll; returns how many there were."""
        with self.lock:
            hanging = [batch for batch in self.batches.values() if batch.ending == "hang" and not batch.ended]
            for batch in hanging:
                batch.ending, batch.steps = "done", 0
        return len(hanging)


@dataclass
class Services:
    """What the routes of batches use of the server."""

    batches: BatchStore
    faults: FaultRules
    request_log: RequestLog


class BatchRoutes:
    """The routes of one API, which reads requests with `read`, and loads and saves files."""

    def __init__(self, read: Read, load: Load, save: Save) -> None:
        self._read, self._load, self._save = read, load, save

    def routes(self, version: str) -> tuple[Route, ...]:
        """Create, look, list, cancel, delete."""
        batches, one = f"{version}/batches", r"/(?P<id>[\w-]+)"
        pages = ("pageSize=*", "pageToken=*")
        create = f"{version}/models/(?P<model>[^/:]+):batchGenerateContent"
        return (
            route("batch", "POST", create, answer=self._create, kind="batch"),
            route("batches", "GET", batches, answer=self._list, kind="poll", body="none", query=pages),
            route("batch_poll", "GET", batches + one, answer=self._poll, kind="poll", body="none"),
            route("batch_cancel", "POST", f"{batches}{one}:cancel", answer=self._cancel, kind="cancel", body="raw"),
            route("batch_delete", "DELETE", batches + one, answer=self._delete, kind="other", body="none"),
        )

    # ------------------------------------------------------------------------------------------------ creating

    def _create(self, call: Call) -> Reply:
        from .generation import dressed, problem_of

        services = call.services
        fields = {name: value for name, value in call.fields.items() if name != "batch"}
        check_fields(fields, {}, ())
        given = call.fields.get("batch")
        if not isinstance(given, dict):
            raise wrong("batch", "an object is expected")
        checks: dict[str, Check] = {"displayName": text(longest=512), "inputConfig": json_object, "model": text()}
        batch = check_fields(given, checks, ("displayName", "inputConfig"))
        config = check_fields(batch["inputConfig"], {"fileName": text(), "requests": json_object}, ())
        if len(config) != 1:
            raise wrong("batch.inputConfig", "either requests or fileName")
        released = services.faults.released
        try:
            options = services.faults.take("google", batch["displayName"])
        except UnknownFault as problem:
            raise Problem(400, str(problem)) from None
        if "hold" in options:
            options["hold"] = released
        if (refused := problem_of(call, options)) is not None:
            return dressed(refused, options)
        made = self._made(call, batch["displayName"], config, options)
        with services.batches.lock:
            services.batches.batches[made.id] = made
        return dressed(json_reply(200, self._shown(made)), options)

    def _made(self, call: Call, name: str, config: dict[str, Any], options: FaultOptions) -> Batch:
        model = call.path_params["model"]
        if "requests" in config:
            if len(call.request.body) > LARGEST_INLINE:
                raise Problem(400, f"Request payload size exceeds the limit: {LARGEST_INLINE} bytes.")
            items = list(_inlined(config["requests"]))
        else:
            items = list(_lines(self._load(call, config["fileName"])))
        if not items:
            raise wrong("batch.inputConfig", "no requests")
        for _, body in items:  # strict: what is wrong in a request is known at once here
            self._read(self._part_of(call, model, body))
        ending, steps = str(options.get("task", "done")), int(options.get("steps", 1))
        return Batch(secrets.token_hex(12), model, name, items, "requests" in config, ending, steps)

    def _part_of(self, call: Call, model: str, body: dict[str, Any]) -> Call:
        """The call that one request of an order would be by itself."""
        named = body.get("model", f"models/{model}")
        if named != f"models/{model}":
            raise wrong("request.model", "not the model of the batch")
        fields = {name: value for name, value in body.items() if name != "model"}
        request = replace(call.request, body=b"", record=None)
        return replace(call, request=request, path_params={"model": model}, fields=fields)

    # ------------------------------------------------------------------------------------------------ looking

    def _poll(self, call: Call) -> Reply:
        with MAKING:
            batch = self._known(call)
            with call.services.batches.lock:
                batch.polls += 1
                due = not batch.ended and batch.polls > batch.steps and batch.ending != "hang"
                if not batch.ended:
                    batch.state = "PENDING" if batch.polls == 1 and not due else "RUNNING"
            if due:
                self._end(call, batch)
            return json_reply(200, self._shown(batch))

    def _end(self, call: Call, batch: Batch) -> None:
        ended = {"fail": "FAILED", "expired": "EXPIRED", "cancelled": "CANCELLED"}.get(batch.ending)
        if ended is None:
            batch.answers = [self._answer(call, batch, key, body) for key, body in batch.items]
            if not batch.inline:
                lines = [json.dumps(answer, separators=(",", ":")).encode() for answer in batch.answers]
                batch.file = self._save(call, b"\n".join(lines) + b"\n")
        batch.state = ended or "SUCCEEDED"

    def _answer(self, call: Call, batch: Batch, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Makes and bills one request of an order."""
        from .generation import generate

        part, log = self._part_of(call, batch.model, body), call.services.request_log
        image_request = self._read(part)
        image_request.price *= PRICE_SHARE
        record = log.open("google", call.request.path, "BATCH", "", {}, time.monotonic())
        record.references = [reference.shown() for reference in image_request.references]
        part.request.record = record
        log.received(record, image_request.prompt, {})
        options = call.services.faults.take("google", image_request.prompt)
        reply = generate(part, image_request, options, log)
        log.answered(record)
        value = json.loads(reply.body)
        if batch.inline:
            keyed: dict[str, Any] = {"metadata": {"key": key}} if key else {}
        else:
            keyed = {"key": key}
        if reply.status == 200:
            return {"response": value, **keyed}
        error = value["error"]
        code = _RPC_CODES.get(int(error["code"]), 13)
        return {"error": {"code": code, "message": error["message"]}, **keyed}

    def _list(self, call: Call) -> Reply:
        asked = dict(parse_qsl(call.request.query))
        size, start = asked.get("pageSize", "50"), asked.get("pageToken", "0")
        if not size.isdecimal() or not start.isdecimal() or not 0 < int(size) <= 1000:
            raise Problem(400, "pageSize must be a positive number, pageToken one that was answered.")
        with call.services.batches.lock:
            newest_first = list(reversed(call.services.batches.batches.values()))
        end = int(start) + int(size)
        answer: dict[str, Any] = {}
        if found := newest_first[int(start) : end]:
            answer["operations"] = [self._shown(batch, with_answers=False) for batch in found]
        if end < len(newest_first):
            answer["nextPageToken"] = str(end)
        return json_reply(200, answer)

    def _cancel(self, call: Call) -> Reply:
        if bytes(call.request.body).strip() not in (b"", b"{}"):  # the SDK sends none
            raise Problem(400, "This request takes no fields.")
        batch = self._known(call)
        with call.services.batches.lock:
            if batch.ended:
                raise Problem(400, "The batch has ended already and can't be cancelled.")
            batch.state = "CANCELLED"
        return json_reply(200, {})

    def _delete(self, call: Call) -> Reply:
        with call.services.batches.lock:
            call.services.batches.batches.pop(self._known(call).id)
        return json_reply(200, {})

    def _known(self, call: Call) -> Batch:
        with call.services.batches.lock:
            found = call.services.batches.batches.get(call.path_params["id"])
        if found is None:
            raise Problem(404, "Requested entity was not found.")
        return found

    def _shown(self, batch: Batch, *, with_answers: bool = True) -> dict[str, Any]:
        """An order as its operation."""
        good = sum("response" in answer for answer in batch.answers)
        stats = {"requestCount": str(len(batch.items))}
        if batch.ended and batch.answers:
            stats |= {"successfulRequestCount": str(good)} if good else {}
            failed = len(batch.answers) - good
            stats |= {"failedRequestCount": str(failed)} if failed else {}
        else:
            stats["pendingRequestCount"] = str(len(batch.items))
        metadata: dict[str, Any] = {
            "@type": f"{_TYPE}GenerateContentBatch",
            "model": f"models/{batch.model}",
            "displayName": batch.display_name,
            "createTime": _time(batch.made),
            "updateTime": _time(time.time()),
            "batchStats": stats,
            "state": f"BATCH_STATE_{batch.state}",
            "name": f"batches/{batch.id}",
        }
        shown: dict[str, Any] = {"name": f"batches/{batch.id}", "metadata": metadata}
        if not batch.ended:
            return shown
        metadata["endTime"] = _time(time.time())
        shown["done"] = True
        if batch.state == "SUCCEEDED" and with_answers:
            output: dict[str, Any] = (
                {"inlinedResponses": {"inlinedResponses": batch.answers}}
                if batch.inline
                else {"responsesFile": batch.file}
            )
            metadata["output"] = output
            shown["response"] = {"@type": f"{_TYPE}GenerateContentBatchOutput", **output}
        elif batch.state != "SUCCEEDED":
            shown["error"] = {
                "code": 1 if batch.state == "CANCELLED" else 13,
                "message": f"Batch {batch.state.lower()}.",
            }
        return shown


def _inlined(given: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and body of each request in a list."""
    requests = check_fields(given, {"requests": _objects}, ("requests",))["requests"]
    for entry in requests:
        found = check_fields(entry, {"request": json_object, "metadata": json_object}, ("request",))
        metadata = check_fields(found.get("metadata", {}), {"key": text()}, ())
        yield metadata.get("key", ""), found["request"]


def _lines(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and body of each line of a file."""
    keys: set[str] = set()
    for number, line in enumerate(content.splitlines(), 1):
        try:
            value = json.loads(line)
        except ValueError:
            raise wrong(f"line {number}", "is not JSON") from None
        found = check_fields(value, {"key": text(), "request": json_object}, ("key", "request"))
        if found["key"] in keys:
            raise wrong(f"line {number}", "has the key of another line")
        keys.add(found["key"])
        yield found["key"], camel_names(found["request"])


def _objects(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise wrong(name, "a list of objects is expected")
    return value


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")
