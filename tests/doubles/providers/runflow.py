"""Runflow: the published one-request route, the asynchronous runs, and the uploads its references go through.

`/v1/run/{model}` takes a flat body and answers with `images`; `/v1/models/{model}/runs` takes `{"input": ...}` and
answers 201 with a run to poll. Errors are at the top level of the answer. `callback_url` is accepted, never called.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, any_text, check_fields, choice, flag, json_object, strings, text, whole, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import FORMATS, decode
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from pack.tests.doubles.api import DECLINED, Api, Call
from pack.tests.doubles.tasks import Task

MODELS = ("google/nano-banana-pro", "google/nano-banana-pro/edit", "google/nano-banana-2", "google/nano-banana-2/edit")
MOST = 14
LARGEST_UPLOAD = 50 * 1024 * 1024
STATES = ("queued", "dispatching", "running", "succeeded", "failed", "cancelled", "partial_succeeded")
CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    402: "INSUFFICIENT_CREDIT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    502: "UPSTREAM_ERROR",
    503: "MODEL_UNAVAILABLE",
    504: "UPSTREAM_TIMEOUT",
}


@dataclass
class Asset:
    """An upload on its way: announced, then filled, then confirmed."""

    id: str
    mime: str
    size: int
    content: bytes = b""
    path: str = ""


class Runflow(Api):
    """See the module."""

    id = "runflow"
    auth = "bearer"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._assets: dict[str, Asset] = {}

    def routes(self) -> tuple[Route, ...]:
        """The one-request route, runs, uploads, and the free routes for testing a key."""
        uploads = r"/v1/asset-uploads"
        return (
            route("run", "POST", r"/v1/run/(?P<model>.+)", read=self._run),
            route("runs", "POST", r"/v1/models/(?P<model>.+)/runs", read=self._runs),
            route("statuses", "GET", "/v1/runs/statuses", answer=self._statuses, kind="other", body="none"),
            route("poll", "GET", r"/v1/runs/(?P<id>[^/]+)", answer=self._poll, kind="poll", body="none"),
            route("uploads", "POST", uploads, answer=self._announce, kind="upload"),
            route("uploads", "POST", uploads + "/(?P<id>[^/]+)/confirmations", answer=self._confirm, kind="upload"),
            # The address to put the file to is signed by itself: a key has no business there.
            route("put", "PUT", r"/put/(?P<id>[^/]+)", answer=self._put, kind="upload", body="raw", auth=False),
            route("assets", "GET", r"/v1/assets/(?P<id>[^/]+)", answer=self._asset, kind="upload", body="none"),
            route("balance", "GET", "/v1/billing/balance", answer=self._balance, kind="other", body="none"),
            route("health", "GET", "/v1/health", answer=self._health, kind="other", body="none", auth=False),
        )

    def _run(self, call: Call) -> ImageRequest:
        return self._order(call, self._model(call), call.fields)

    def _runs(self, call: Call) -> ImageRequest:
        model = self._model(call)
        checks: dict[str, Check] = {
            "input": json_object,
            "callback_url": text(),
            "metadata": json_object,
            "client_ref": text(longest=255),
        }
        fields = check_fields(call.fields, checks, ("input",))
        if not fields.get("callback_url", "http://").startswith(("http://", "https://")):
            raise wrong("callback_url", "must be an HTTP(S) address")
        image_request = self._order(call, model, fields["input"])
        image_request.asynchronous = True
        image_request.extras = {"client_ref": fields.get("client_ref"), "metadata": fields.get("metadata")}
        return image_request

    def _model(self, call: Call) -> str:
        model = call.path_params["model"]
        if model not in MODELS:
            raise Problem(404, f"Model '{model[:80]}' was not found.", code="MODEL_NOT_FOUND")
        return model

    def _order(self, call: Call, model: str, given: dict[str, Any]) -> ImageRequest:
        second = model.startswith("google/nano-banana-2")
        ratios = RATIOS_14 if second else RATIOS_10
        tiers = ("0.5K", "1K", "2K", "4K") if second else ("1K", "2K", "4K")
        checks: dict[str, Check] = {
            "prompt": text(shortest=3, longest=50_000) if second else text(),
            "aspect_ratio": choice("auto", *ratios),
            "enable_web_search": flag,
            "resolution": choice(*tiers),
            "num_images": whole(1, 4),
            "output_format": choice("jpeg", "png", "webp"),
            "sync_mode": flag,
            "safety_tolerance": choice("1", "2", "3", "4", "5", "6"),
            "seed": whole(-(2**63), 2**63 - 1),
            "limit_generations": flag,
        }
        required: tuple[str, ...] = ("prompt",)
        if second:
            checks["thinking_level"] = choice("minimal", "high")
        if model.endswith("/edit"):
            checks["image_urls"] = strings(1, MOST)
            required = ("prompt", "image_urls")
        fields = check_fields(given, checks, required)
        references = call.references("image_urls", fields.get("image_urls", []), bare=False)
        ratio = fields.get("aspect_ratio", "auto")
        if ratio == "auto":
            ratio = nearest_ratio(references[0].width, references[0].height, ratios) if references else "1:1"
        price = 0.08 if second else 0.15
        price += 0.015 * bool(fields.get("enable_web_search")) + 0.002 * (fields.get("thinking_level") == "high")
        tier = fields.get("resolution", "1K")
        return ImageRequest(
            model=model,
            prompt=fields["prompt"],
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=price,
            count=fields.get("num_images", 1),
            seed=fields.get("seed"),
            file_format=fields.get("output_format", "png"),
            encoding="datauri" if fields.get("sync_mode") else "url",
            references=references,
        )

    def _statuses(self, _call: Call) -> Reply:
        return json_reply(200, {"statuses": list(STATES)})

    def _poll(self, call: Call) -> Reply:
        return self.task_of(call, call.path_params["id"], Problem(404, "Run not found.", code="RUN_NOT_FOUND"))

    def _announce(self, call: Call) -> Reply:
        checks: dict[str, Check] = {
            "filename": text(longest=255),
            "mime_type": choice(*FORMATS.values()),
            "size_bytes": whole(1, LARGEST_UPLOAD),
        }
        fields = check_fields(call.fields, checks, tuple(checks))
        asset = Asset(secrets.token_hex(16), fields["mime_type"], fields["size_bytes"])
        with self._lock:
            self._assets[asset.id] = asset
            while len(self._assets) > 1000:
                self._assets.pop(next(iter(self._assets)))
        upload_url = call.address(f"/{self.id}/put/{asset.id}")
        return json_reply(201, {"asset_id": asset.id, "upload_url": upload_url})

    def _put(self, call: Call) -> Reply:
        asset = self._known(call)
        if call.request.header("authorization") is not None:
            raise Problem(400, "Only one auth mechanism is allowed: this address is signed.", field="Authorization")
        declared = (call.request.header("content-type") or "").lower()
        if declared != asset.mime:
            raise Problem(403, f"The upload was announced as {asset.mime}, not {declared[:60]}.")
        if len(call.request.body) != asset.size:
            raise Problem(400, f"The upload was announced with {asset.size} bytes.", field="size_bytes")
        asset.content = bytes(call.request.body)
        return Reply(200, b"", "text/plain")

    def _confirm(self, call: Call) -> Reply:
        asset = self._known(call)
        check_fields(call.fields, {"folder_id": _folder}, ())
        if not asset.content:
            raise Problem(409, "Nothing has been uploaded yet.")
        decode("file", asset.content, asset.mime, "url")
        asset.path = call.files.add_upload(self.id, asset.id, asset.mime, asset.content)
        asset.content = b""
        return json_reply(200, self._shown(call, asset))

    def _asset(self, call: Call) -> Reply:
        return json_reply(200, self._shown(call, self._known(call)))

    def _shown(self, call: Call, asset: Asset) -> dict[str, Any]:
        return {
            "id": asset.id,
            "ref": f"runflow://assets/{asset.id}",
            "url": call.address(asset.path) if asset.path else None,
            "mime_type": asset.mime,
            "size_bytes": asset.size,
        }

    def _known(self, call: Call) -> Asset:
        with self._lock:
            asset = self._assets.get(call.path_params["id"])
        if asset is None:
            raise Problem(404, "Asset not found.", code="ASSET_NOT_FOUND")
        return asset

    def _balance(self, _call: Call) -> Reply:
        return json_reply(200, {"balance": "100.00", "currency": "USD"})

    def _health(self, _call: Call) -> Reply:
        return json_reply(200, {"status": "ok"})

    def problem(self, problem: Problem) -> Reply:
        """`code`, `message` and `errors` at the top level; a wrong field is a 422 that names it."""
        status, errors = problem.status, None
        if problem.field and status == 400 and problem.field != "Authorization":
            status, errors = 422, [{"field": problem.field, "message": problem.message}]
        code = CODES.get(status, problem.code.upper())
        if problem.named and errors is None:
            code = problem.code.upper()
        return json_reply(status, {"code": code, "message": problem.message, "errors": errors}, problem.headers)

    def refused(self, call: Call, image_request: ImageRequest, status: int) -> Reply:
        """A 422 from the one-request route; otherwise a run that fails."""
        if image_request.asynchronous and status == 0:
            task = Task("declined-" + secrets.token_hex(8), self.id, image_request, [], "refuse", 0)
            call.tasks.add(task)
            return self.started(call, task)
        return super().refused(call, image_request, status or 422)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """`images`, each with an address."""
        images = [
            {
                "url": result.address(),
                "content_type": f"image/{image_request.file_format}",
                "width": result.width,
                "height": result.height,
            }
            for result in results
        ]
        return json_reply(200, {"images": images, "description": revised or ""})

    def started(self, call: Call, task: Task) -> Reply:
        """A run object; 201 from the route `runs`."""
        status = 201 if call.route.name == "runs" else 200
        return json_reply(status, {**self._run_object(task), "status_code": "queued"})

    def polled(self, call: Call, task: Task) -> Reply:
        """The run with its `output`, `cost` as a string, or its failure."""
        run = self._run_object(task)
        if task.failed:
            refused = task.ending == "refuse"
            run |= {
                "status_code": "failed",
                "failure_code": "CONTENT_POLICY_VIOLATION" if refused else "UPSTREAM_ERROR",
                "failure_stage": "inference",
                "failure_message": DECLINED if refused else "The model returned no image.",
            }
        elif task.finished:
            outputs = [
                {"type": "image", "url": result.address(), "width": result.width, "height": result.height}
                for result in task.results
            ]
            cost = f"{task.cost_usd:.4f}"
            run |= {"status_code": "succeeded", "output": {"outputs": outputs}, "cost": cost, "duration_ms": 1234}
        elif task.ending == "unknown":
            run["status_code"] = "percolating"
        else:
            run["status_code"] = ("queued", "dispatching", "running")[min(task.polls, 2)]
        return json_reply(200, run)

    def _run_object(self, task: Task) -> dict[str, Any]:
        return {
            "id": task.id,
            "model": task.image_request.model,
            "client_ref": task.image_request.extras.get("client_ref"),
            "metadata": task.image_request.extras.get("metadata"),
            "output": None,
            "cost": None,
        }


def _folder(name: str, value: Any) -> Any:
    return None if value is None else any_text(name, value)


API = Runflow()
