"""fal: every request goes into the queue; status, result and cancel are addresses of their own, without the `/edit`.

Submitting answers 200, a status 202 until it is COMPLETED. There is no status for a failure: the result's address then
answers with the error, and the status names it. Errors are `{"detail": ...}`, a list with `loc`, `msg`, `type` for a wrong
field, else a string. A cancelled request is removed from the queue: it isn't known any more. The storage that larger
references go through is mounted here too.

Judged by fal-client: it asks the status with `?logs=` and reads `logs` of a request that runs or is finished, null unless
asked for. It uploads to fal's CDN with a token that its storage hands out, and else by an announced upload of the kind
`gcs`, to whose signed address it sends its key as well.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, any_text, check_fields, choice, flag, strings, text, whole
from pack.simulator.files import SUFFIX
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import FORMATS, decode
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from pack.tests.doubles.api import DECLINED, Api, Call
from pack.tests.doubles.delivery import delivery_of
from pack.tests.doubles.result_shapes import shaped
from pack.tests.doubles.tasks import Task, new_task_id

MOST = 14
STATUSES = {"generation_timeout": 504, "internal_server_error": 500, "downstream_service_error": 502}
"""Of the ways that a run ends, those that aren't a 422."""
LARGEST_UPLOAD = 90_000_000
"""Beyond it the storage wants uploads in parts."""


@dataclass(frozen=True)
class Model:
    """What one endpoint takes, with and without `/edit`."""

    prices: dict[str, float]
    """By resolution; `""` alone where the endpoint has none."""
    ratios: tuple[str, ...]
    search: bool = False
    levels: tuple[str, ...] = ()
    system: bool = True
    auto: bool = True
    """Whether `auto` is a ratio without a picture, too."""
    needs_picture: bool = False
    """Whether the edit endpoint insists on one."""


_LITE = Model({"": 0.042}, RATIOS_14, levels=("minimal", "high"))
MODELS = {
    "fal-ai/nano-banana": Model({"": 0.039}, RATIOS_10, system=False, auto=False, needs_picture=True),
    "fal-ai/nano-banana-2": Model(
        {"0.5K": 0.06, "1K": 0.08, "2K": 0.12, "4K": 0.16}, RATIOS_14, search=True, levels=("minimal", "high")
    ),
    "fal-ai/nano-banana-pro": Model({"1K": 0.15, "2K": 0.15, "4K": 0.30}, RATIOS_10, search=True, needs_picture=True),
    "google/nano-banana-2.1": Model(
        {"1K": 0.08, "2K": 0.08, "4K": 0.16}, RATIOS_14, search=True, levels=("minimal", "medium", "high")
    ),
    "google/nano-banana-2-lite": _LITE,
    "google/nano-banana-lite": _LITE,
}


class Fal(Api):
    """See the module."""

    id = "fal"
    auth = "key"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._announced: dict[str, tuple[str, bool]] = {}
        """Name of a file that is to be uploaded -> its MIME type, and whether its address may be sent a key."""
        self._tokens: list[str] = []
        """Tokens for the CDN that were handed out."""

    def routes(self) -> tuple[Route, ...]:
        """The storage, the CDN, the three addresses of a request, and every endpoint."""
        request = r"/(?P<app>(?:fal-ai|google)/[a-z0-9.-]+)/requests/(?P<id>[^/]+)"
        status = request + "/status"
        storage = "storage_type=fal-cdn-v3"
        announced = (storage, "storage_type=gcs")
        logs = ("logs=true", "logs=false", "logs=1", "logs=0")
        return (
            route("storage", "POST", "/storage/upload/initiate", answer=self._announce, kind="upload", query=announced),
            route("token", "POST", "/storage/auth/token", answer=self._token, kind="other", query=(storage,)),
            # The CDN has an authorization of its own.
            route("cdn", "POST", "/cdn/files/upload", answer=self._upload, kind="upload", body="raw", auth=False),
            # The address to put the file to is signed by itself: a key has no business there.
            route("put", "PUT", r"/put/(?P<id>[^/]+)", answer=self._put, kind="upload", body="raw", auth=False),
            route("status", "GET", status, answer=self._status, kind="poll", body="none", query=logs),
            route("cancel", "PUT", request + "/cancel", answer=self._cancel, kind="cancel", body="none"),
            route("result", "GET", request, answer=self._result, kind="poll", body="none"),
            route("submit", "POST", r"/(?P<model>(?:fal-ai|google)/[a-z0-9.-]+(?:/edit)?)", read=self._submit),
        )

    def _submit(self, call: Call) -> ImageRequest:
        endpoint = call.path_params["model"]
        edit = endpoint.endswith("/edit")
        model = MODELS.get(endpoint.removesuffix("/edit"))
        if model is None:
            raise Problem(404, f"Application '{endpoint[:80]}' not found")
        checks: dict[str, Check] = {
            "prompt": text(),
            "num_images": whole(1, 4),
            "seed": whole(-(2**63), 2**63 - 1),
            "aspect_ratio": choice(*(("auto",) if edit or model.auto else ()), *model.ratios),
            "output_format": choice("jpeg", "png", "webp"),
            "safety_tolerance": choice("1", "2", "3", "4", "5", "6"),
            "sync_mode": flag,
            "limit_generations": flag,
        }
        if "" not in model.prices:
            checks["resolution"] = choice(*model.prices)
        if model.search:
            checks["enable_web_search"] = flag
        if model.levels:
            checks["thinking_level"] = choice(*model.levels)
        if model.system:
            checks["system_prompt"] = any_text
        required: tuple[str, ...] = ("prompt",)
        if edit:
            checks["image_urls"] = strings(1, MOST)
            required += ("image_urls",) if model.needs_picture else ()
        fields = check_fields(call.fields, checks, required)
        references = call.references("image_urls", fields.get("image_urls", []), bare=False)
        ratio = fields.get("aspect_ratio", "auto")
        if ratio == "auto":
            first = references[0] if references else None
            ratio = nearest_ratio(first.width, first.height, model.ratios) if first else "1:1"
        tier = fields.get("resolution", "" if "" in model.prices else "1K")
        price = model.prices[tier]
        price += 0.015 * bool(fields.get("enable_web_search")) + 0.002 * (fields.get("thinking_level") == "high")
        return ImageRequest(
            model=endpoint,
            prompt=fields["prompt"],
            # Lite makes 1K pictures and has no field for it; the first model's sizes are its own.
            size=pixels(ratio, tier if tier or endpoint.startswith("fal-ai/nano-banana") else "1K"),
            ratio=ratio,
            resolution=tier,
            price=price,
            count=fields.get("num_images", 1),
            seed=fields.get("seed"),
            file_format=fields.get("output_format", "png"),
            encoding="datauri" if fields.get("sync_mode") else "url",
            references=references,
            asynchronous=True,
        )

    def _task(self, call: Call) -> Task:
        task = call.tasks.find(self.id, call.path_params["id"])
        if task is None or task.ending == "cancelled" or _app(task) != call.path_params["app"]:
            raise Problem(404, "Request not found")
        return task

    def _status(self, call: Call) -> Reply:
        task = self._task(call)
        return _named(self.task_of(call, task.id, Problem(404, "Request not found")), task)

    def _cancel(self, call: Call) -> Reply:
        task = self._task(call)
        if not self.cancel(call, task.id, Problem(404, "Request not found")):
            return json_reply(400, {"status": "ALREADY_COMPLETED"})
        reply = json_reply(202, {"status": "CANCELLATION_REQUESTED"})
        if task.cancel_fault == "drop":
            delivery_of(reply).drop = "headers"
        return reply

    def _result(self, call: Call) -> Reply:
        task = self._task(call)
        return _named(self._ended(call, task), task)

    def _ended(self, call: Call, task: Task) -> Reply:
        if not task.finished:
            raise Problem(400, "Request is still in progress")
        if task.ending == "refuse":
            status, kind = task.image_request.extras["refusal"]
            words = DECLINED if kind == "content_policy_violation" else f"The run ended with {kind}."
            return _failed(status, [{"loc": ["body", "prompt"], "msg": words, "type": kind}], kind, retryable=False)
        if task.failed:
            return _failed(502, "The downstream service failed.", "downstream_service_error", retryable=True)
        if task.shape:
            return json_reply(200, shaped(task.shape, task.results))
        return self.finished(call, task.image_request, task.results, task.image_request.extras.get("words"))

    def _announce(self, call: Call) -> Reply:
        checks: dict[str, Check] = {"content_type": choice(*FORMATS.values()), "file_name": text(longest=255)}
        fields = check_fields(call.fields, checks, tuple(checks))
        name, mime = secrets.token_hex(16), fields["content_type"]
        with self._lock:
            self._announced[name] = (mime, "storage_type=gcs" in call.request.query)
            while len(self._announced) > 1000:
                self._announced.pop(next(iter(self._announced)))
        file = f"/{self.id}/files/{name}{SUFFIX[mime.partition('/')[2]]}"
        return json_reply(200, {"upload_url": call.address(f"/{self.id}/put/{name}"), "file_url": call.address(file)})

    def _put(self, call: Call) -> Reply:
        name = call.path_params["id"]
        with self._lock:
            mime, with_key = self._announced.get(name, ("", False))
        if not mime:
            raise Problem(404, "This upload was not announced")
        if not with_key and call.request.header("authorization") is not None:
            raise Problem(400, "Only one auth mechanism is allowed: this address is signed.")
        if (call.request.header("content-type") or "").lower() != mime:
            raise Problem(403, f"The upload was announced as {mime}.")
        content = bytes(call.request.body)
        if len(content) > LARGEST_UPLOAD:
            raise Problem(413)
        decode("file", content, mime, "url")
        call.files.add_upload(self.id, name, mime, content)
        return Reply(200, b"", "text/plain")

    def _token(self, call: Call) -> Reply:
        """A token for the CDN, good for an hour."""
        check_fields(call.fields, {}, ())
        token = secrets.token_hex(16)
        with self._lock:
            self._tokens = [*self._tokens[-99:], token]
        shown = {"token": token, "token_type": "Bearer", "base_url": call.address(f"/{self.id}/cdn")}
        expires = datetime.now(timezone.utc) + timedelta(hours=1)
        return json_reply(200, {**shown, "expires_at": expires.isoformat(timespec="microseconds")})

    def _upload(self, call: Call) -> Reply:
        """A file as the whole body, for the CDN."""
        scheme, _, token = (call.request.header("authorization") or "").partition(" ")
        with self._lock:
            known = token in self._tokens
        if scheme != "Bearer" or not known:
            raise Problem(401)
        mime = (call.request.header("content-type") or "").lower()
        content = bytes(call.request.body)
        if len(content) > LARGEST_UPLOAD:
            raise Problem(413)
        decode("file", content, mime, "url")
        path = call.files.add_upload(self.id, secrets.token_hex(16), mime, content)
        return json_reply(200, {"access_url": call.address(path)})

    def problem(self, problem: Problem) -> Reply:
        """A wrong field is a 422 with a list, everything else a string; both under `detail`."""
        if problem.field and problem.status == 400:
            loc = ["body", *problem.field.removesuffix("]").replace("[", ".").split(".")]
            kind = "image_load_error" if problem.code == "invalid_image" else "value_error"
            entry = {"loc": loc, "msg": problem.message, "type": kind, "input": "(as sent)"}
            return _failed(422, [entry], "", False, problem.headers)
        kind = "internal_server_error" if problem.status == 500 else ""
        return _failed(problem.status, problem.message, kind, problem.status in (429, 503, 504), problem.headers)

    def refused(self, call: Call, image_request: ImageRequest, status: int) -> Reply:
        """Declined by the run: the queue takes the request and its result tells, by one of fal's types (the fault option
        `reason`); 200 is a result without pictures."""
        ending = "done" if status == 200 else "refuse"
        image_request.extras["words"] = DECLINED
        kind = str(image_request.extras.get("reason", "content_policy_violation"))
        image_request.extras["refusal"] = (status or STATUSES.get(kind, 422), kind)
        task = Task(new_task_id(), self.id, image_request, [], ending, 0)
        call.tasks.add(task)
        return self.started(call, task)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """`images`, each with an address, and the model's words."""
        images = [
            {
                "url": result.address(),
                "content_type": f"image/{image_request.file_format}",
                "file_name": f"{number}.{image_request.file_format}",
                "width": result.width,
                "height": result.height,
            }
            for number, result in enumerate(results)
        ]
        return json_reply(200, {"images": images, "description": revised or ""})

    def started(self, call: Call, task: Task) -> Reply:
        """In the queue, with its addresses."""
        shown = {**self._shown(call, task), "status": "IN_QUEUE", "queue_position": 0}
        return _named(json_reply(200, shown), task)

    def polled(self, call: Call, task: Task) -> Reply:
        """202 until it is COMPLETED, well or not."""
        shown = self._shown(call, task)
        if task.finished:
            if task.failed:
                shown |= {"error": "The run failed", "error_type": "downstream_service_error"}
                if task.ending == "refuse":
                    kind = task.image_request.extras["refusal"][1]
                    shown |= {"error": f"The run ended with {kind}.", "error_type": kind}
            shown |= {"logs": _logs(call), "metrics": {"inference_time": 1.25}}
            return json_reply(200, {**shown, "status": "COMPLETED"})
        if task.ending == "unknown":
            return json_reply(202, {**shown, "status": "PERCOLATING"})
        if task.waiting:
            return json_reply(202, {**shown, "status": "IN_QUEUE", "queue_position": 1})
        return json_reply(202, {**shown, "status": "IN_PROGRESS", "logs": _logs(call)})

    def _shown(self, call: Call, task: Task) -> dict[str, Any]:
        address = call.address(f"/{self.id}/{_app(task)}/requests/{task.id}")
        return {
            "request_id": task.id,
            "response_url": address,
            "status_url": f"{address}/status",
            "cancel_url": f"{address}/cancel",
        }


def _named(reply: Reply, task: Task) -> Reply:
    """An answer about a request, which names it in a header, too: its JavaScript client takes the id from there."""
    reply.headers.append(("x-fal-request-id", task.id))
    return reply


def _logs(call: Call) -> list[dict[str, str]] | None:
    """What the run has said, where it is asked for."""
    if call.request.query not in ("logs=true", "logs=1"):
        return None
    return [{"message": "drawing", "level": "INFO", "source": "USER", "timestamp": "2026-11-21T10:00:01.000000"}]


def _app(task: Task) -> str:
    return "/".join(task.image_request.model.split("/")[:2])


def _failed(
    status: int, detail: object, kind: str, retryable: bool, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    body: dict[str, Any] = {"detail": detail}
    named: tuple[tuple[str, str], ...] = ()
    if kind:
        named = (("X-Fal-Error-Type", kind),)
        if isinstance(detail, str):
            body["error_type"] = kind
    retry = ("X-Fal-Retryable", "true" if retryable else "false")
    return json_reply(status, body, (*headers, *named, retry))


API = Fal()
