"""Replicate: predictions that are polled, cancelled while they start, and files that references go through.

Submitting answers 201. `output` is one address. Errors are `{"title", "detail", "status"}`; a 429 also has `retry_after`.
The fields of the three models are those of schemas that clients carry. `allow_fallback_model` may only be false: a request
that lets another maker's model answer is a mistake here. Nothing is waited for: `Prefer` is ignored.

Judged by the package replicate: it insists on `version` in a prediction, and on `etag`, `checksums`, `metadata` and
`created_at` of a file, with which it may send `metadata`. A file without a name of its own is sent as
`application/octet-stream`, and read as what it is.
"""

from __future__ import annotations

import json
import secrets
from hashlib import sha256
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, choice, flag, json_object, strings, text, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import MEANINGS, Problem
from pack.simulator.references import FORMATS, decode
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from pack.tests.doubles.api import Api, Call
from pack.tests.doubles.delivery import delivery_of
from pack.tests.doubles.tasks import Task, new_task_id

# No price is published for these models: what most resellers take for them is used.
PRICES = {"google/nano-banana": 0.039, "google/nano-banana-2": 0.08, "google/nano-banana-pro": 0.15}
MOST = 14
ENDED = ("succeeded", "failed", "canceled")
LEVELS = ("block_low_and_above", "block_medium_and_above", "block_only_high")


class Replicate(Api):
    """See the module."""

    id = "replicate"
    auth = "bearer"

    def routes(self) -> tuple[Route, ...]:
        """Predictions, files, and the account for testing a key."""
        one = r"/v1/predictions/(?P<id>[^/]+)"
        make = r"/v1/models/(?P<model>[^/]+/[^/]+)/predictions"
        return (
            route("predictions", "POST", make, read=self._predict),
            route("poll", "GET", one, answer=self._poll, kind="poll", body="none"),
            route("cancel", "POST", one + "/cancel", answer=self._cancel, kind="cancel", body="none"),
            route("files", "POST", "/v1/files", answer=self._upload, kind="upload", body="multipart", files="content"),
            route("account", "GET", "/v1/account", answer=self._account, kind="other", body="none"),
        )

    def _predict(self, call: Call) -> ImageRequest:
        model = call.path_params["model"]
        if model not in PRICES:
            raise Problem(404, "The requested resource could not be found.")
        checks: dict[str, Check] = {
            "input": json_object,
            "webhook": text(),
            "webhook_events_filter": strings(1, 4),
        }
        outer = check_fields(call.fields, checks, ("input",))
        second, pro = model == "google/nano-banana-2", model == "google/nano-banana-pro"
        inner: dict[str, Check] = {
            "prompt": text(),
            "image_input": strings(0, MOST),
            "aspect_ratio": choice("match_input_image", *(RATIOS_14 if second else RATIOS_10)),
            "output_format": choice("jpg", "png"),
        }
        if second:
            inner |= {"resolution": choice("512px", "1K", "2K", "4K"), "google_search": flag, "image_search": flag}
        if pro:
            inner |= {
                "resolution": choice("1K", "2K", "4K"),
                "safety_filter_level": choice(*LEVELS),
                "allow_fallback_model": _never,
            }
        fields = check_fields(outer["input"], inner, ("prompt",))
        references = call.references("image_input", fields.get("image_input", []), bare=False)
        ratio = fields.get("aspect_ratio", "match_input_image")
        if ratio == "match_input_image":
            ratios = RATIOS_14 if second else RATIOS_10
            ratio = nearest_ratio(references[0].width, references[0].height, ratios) if references else "1:1"
        tier = fields.get("resolution", "2K" if pro else "1K" if second else "")
        tier = "0.5K" if tier == "512px" else tier
        return ImageRequest(
            model=model,
            prompt=fields["prompt"],
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=PRICES[model],
            file_format={"jpg": "jpeg"}.get(form := fields.get("output_format", "jpg"), form),
            references=references,
            asynchronous=True,
            extras={"input": {"prompt": fields["prompt"], "image_input": _addresses(fields.get("image_input", []))}},
        )

    def _poll(self, call: Call) -> Reply:
        return self.task_of(call, call.path_params["id"], _unknown())

    def _cancel(self, call: Call) -> Reply:
        task = call.tasks.find(self.id, call.path_params["id"])
        taken_back = self.cancel(call, call.path_params["id"], _unknown())
        assert task is not None
        if not taken_back and not task.finished:
            # What has begun is cancelled as well; only its bill stays.
            task.image_request.extras["begun"] = True
            task.ending = "cancelled"
        reply = self.polled(call, task)
        if task.cancel_fault == "drop":
            delivery_of(reply).drop = "headers"
        return reply

    def _upload(self, call: Call) -> Reply:
        files = [part for part in call.parts if part.name == "content" and part.filename is not None]
        texts = [part for part in call.parts if part.name == "metadata" and part.filename is None]
        if len(files) != 1 or len(texts) > 1 or len(call.parts) != len(files) + len(texts):
            raise wrong("content", "exactly one file is required")
        part = files[0]
        metadata = _metadata(texts[0].text()) if texts else {}
        declared = "" if part.content_type == "application/octet-stream" else part.content_type
        mime = FORMATS[decode("content", part.content, declared, "multipart").format]
        name, digest = secrets.token_hex(8), sha256(part.content).hexdigest()
        path = call.files.add_upload(self.id, name, mime, part.content)
        shown: dict[str, Any] = {"id": name, "name": part.filename, "content_type": part.content_type}
        shown |= {"size": len(part.content), "etag": digest[:32], "checksums": {"sha256": digest}, "metadata": metadata}
        shown |= {"created_at": "2026-11-21T10:00:00.000Z", "expires_at": "2026-11-22T10:00:00.000Z"}
        return json_reply(201, {**shown, "urls": {"get": call.address(path)}})

    def _account(self, _call: Call) -> Reply:
        return json_reply(200, {"type": "user", "username": "simulator"})

    def problem(self, problem: Problem) -> Reply:
        """`title`, `detail`, `status`; a wrong field is a 422."""
        status = 422 if problem.field and problem.status == 400 else problem.status
        title, _ = MEANINGS.get(status, ("error", ""))
        body: dict[str, Any] = {"title": title.replace("_", " ").capitalize(), "detail": problem.message}
        body["status"] = status
        seconds = dict(problem.headers).get("Retry-After", "")
        if status == 429 and seconds.isdecimal():
            body["detail"] = f"Request was throttled. Your rate limit resets in ~{seconds}s."
            body["retry_after"] = int(seconds)
        return json_reply(status, body, problem.headers)

    def refused(self, call: Call, image_request: ImageRequest, status: int) -> Reply:
        """A prediction that fails with the code for content; 200 is one that succeeds without output."""
        if status not in (0, 200):
            return super().refused(call, image_request, status)
        task = Task(new_task_id(), self.id, image_request, [], "done" if status == 200 else "refuse", 0)
        call.tasks.add(task)
        return self.started(call, task)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """Never: every answer is a prediction."""
        raise NotImplementedError

    def started(self, call: Call, task: Task) -> Reply:
        """201 with a prediction that is starting."""
        return json_reply(201, self._shown(call, task, "starting"))

    def polled(self, call: Call, task: Task) -> Reply:
        """The prediction, with its output or its error once it has ended."""
        if task.ending == "cancelled":
            shown = self._shown(call, task, "canceled")
        elif task.failed:
            shown = self._shown(call, task, "failed")
            shown["error"] = "The model returned no image."
            if task.ending == "refuse":
                shown["error"] = "The input or output was flagged as sensitive. Please try again. (E005)"
        elif task.finished:
            shown = self._shown(call, task, "succeeded")
            shown["output"] = next((result.address() for result in task.results), None)
        elif task.ending == "unknown":
            shown = self._shown(call, task, "percolating")
        else:
            shown = self._shown(call, task, "starting" if task.waiting else "processing")
        return json_reply(200, shown)

    def _shown(self, call: Call, task: Task, status: str) -> dict[str, Any]:
        address = call.address(f"/{self.id}/v1/predictions/{task.id}")
        started = status not in ("starting", "canceled") or "begun" in task.image_request.extras
        return {
            "id": task.id,
            "model": task.image_request.model,
            "version": "hidden",
            "input": task.image_request.extras["input"],
            "output": None,
            "error": None,
            "logs": "",
            "status": status,
            "created_at": "2026-11-21T10:00:00.000Z",
            "started_at": "2026-11-21T10:00:01.000Z" if started else None,
            "completed_at": "2026-11-21T10:00:02.250Z" if status in ENDED else None,
            "metrics": {"predict_time": 1.25} if status in ENDED and started else {},
            "urls": {"get": address, "cancel": f"{address}/cancel"},
        }


def _unknown() -> Problem:
    return Problem(404, "The requested resource could not be found.")


def _metadata(text: str) -> Any:
    try:
        return json_object("metadata", json.loads(text))
    except ValueError:
        raise wrong("metadata", "must be a JSON object") from None


def _never(name: str, value: Any) -> bool:
    if value is not False:
        raise wrong(name, "another maker's model must not answer")
    return False


def _addresses(values: list[str]) -> list[str]:
    """What was given, with data cut short."""
    return [value if value.startswith("http") else value[:40] for value in values]


API = Replicate()
