"""OneRouter / Infron image API: the two published documents, field by field.

Generations take `aspect_ratio`, edits take `size` and JSON addresses; the model id's ending says the operation and has
to fit the route. `output_format` is the encoding here, not the file format. Errors are in the images family's shape,
as the documents show none.
"""

from __future__ import annotations

import re
import time
from typing import Any

from pack.simulator.api import Route, error_object, route
from pack.simulator.fields import Check, check_fields, choice, flag, strings, text, whole, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, nearest_ratio, pixels
from pack.tests.doubles.api import Api, Call
from pack.tests.doubles.tasks import Task

PRICES = {"nano-banana": 0.039, "nano-banana-2": 0.08, "nano-banana-pro": 0.15}
_MODEL = re.compile(r"google/(nano-banana(?:-2|-pro)?)-(text-to-image|image-to-image)")
TYPES = {
    401: ("authentication_error", "invalid_api_key"),
    402: ("billing_error", "insufficient_balance"),
    403: ("permission_error", "forbidden"),
    404: ("invalid_request_error", "not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def _resolutions(name: str) -> tuple[str, ...]:
    return ("0.5K", "1K", "2K", "4K") if name == "nano-banana-2" else ("1K", "2K", "4K")


class OneRouter(Api):
    """See the module."""

    id = "onerouter"
    auth = "bearer"

    def routes(self) -> tuple[Route, ...]:
        """Generations, edits, and the tasks other models of this host answer with."""
        return (
            route("generations", "POST", "/v1/images/generations", read=self._generation),
            route("edits", "POST", "/v1/images/edits", read=self._edit),
            route("tasks", "GET", r"/v1/images/tasks/(?P<id>[^/]+)", answer=self._task, kind="poll", body="none"),
        )

    def _generation(self, call: Call) -> ImageRequest:
        name = self._model(call.fields, "text-to-image")
        ratios: tuple[str, ...] = ("auto", *RATIOS_10)
        if call.ratio_typo:
            ratios = tuple(" 3:2" if ratio == "3:2" else ratio for ratio in ratios)
        checks: dict[str, Check] = {
            "aspect_ratio": choice(*ratios),
            "seed": whole(-(2**63), 2**63 - 1),
            "safety_tolerance": choice("1", "2", "3", "4", "5", "6"),
            "limit_generations": flag,
        }
        return self._order(call, name, checks, "aspect_ratio")

    def _edit(self, call: Call) -> ImageRequest:
        name = self._model(call.fields, "image-to-image")
        checks: dict[str, Check] = {"size": choice("auto", *RATIOS_10), "image_urls": strings(1, 14)}
        return self._order(call, name, checks, "size")

    def _model(self, fields: dict[str, Any], operation: str) -> str:
        value = fields.get("model")
        if not isinstance(value, str):
            raise wrong("model", "is required" if "model" not in fields else "must be a string")
        match = _MODEL.fullmatch(value)
        if match is None:
            raise Problem(404, f"model: '{value[:80]}' does not exist", field="model", code="model_not_found")
        if match.group(2) != operation:
            raise wrong("model", f"'{value}' does not serve this route, which is {operation}")
        return match.group(1)

    def _order(self, call: Call, name: str, checks: dict[str, Check], ratio_field: str) -> ImageRequest:
        checks |= {
            "model": text(),
            "prompt": text(),
            "enable_web_search": flag,
            "n": whole(1, 4),
            "output_format": choice("url", "b64_json"),
        }
        if name != "nano-banana":
            checks["resolution"] = choice(*_resolutions(name))
        required = ("model", "prompt", "image_urls") if "image_urls" in checks else ("model", "prompt")
        fields = check_fields(call.fields, checks, required)
        references = call.references("image_urls", fields.get("image_urls", []), bare=False)
        ratio = fields.get(ratio_field, "auto").strip()
        if ratio == "auto":
            ratio = nearest_ratio(references[0].width, references[0].height) if references else "1:1"
        resolution = "" if name == "nano-banana" else fields.get("resolution", "1K")
        return ImageRequest(
            model=fields["model"],
            prompt=fields["prompt"],
            size=pixels(ratio, resolution),
            ratio=ratio,
            resolution=resolution,
            price=PRICES[name],
            count=fields.get("n", 1),
            seed=fields.get("seed"),
            encoding="b64" if fields.get("output_format") == "b64_json" else "url",
            references=references,
        )

    def _task(self, call: Call) -> Reply:
        return self.task_of(call, call.path_params["id"], Problem(404, "task not found", code="task_not_found"))

    def problem(self, problem: Problem) -> Reply:
        """`{"error": {"message", "type", "code"}}`; moderation is a 403 on this vendor's hosts."""
        status = 403 if problem.code == "content_policy_violation" and problem.status == 400 else problem.status
        kind, code = TYPES.get(status, ("server_error" if status >= 500 else "invalid_request_error", problem.code))
        if problem.named:
            code = problem.code
        elif problem.field:
            code = "invalid_parameter"
        return error_object(status, problem.message, kind, code, problem.headers)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """`created` and `data`; `request_id` on generations only, as documented."""
        data: list[dict[str, str]] = [result.entry() for result in results]
        if revised is not None:
            data = [{"revised_prompt": revised}]
        answer: dict[str, Any] = {"created": int(time.time()), "data": data}
        if call.route.name == "generations" and call.record is not None:
            answer["request_id"] = f"sim-{call.record.id:08d}"
        return json_reply(200, answer)

    def started(self, call: Call, task: Task) -> Reply:
        """The asynchronous answer this host gives for other models."""
        query = call.address(f"/{self.id}/v1/images/tasks/{task.id}")
        data = {"task_id": task.id, "status": "created", "urls": {"query": query}}
        return json_reply(200, {"code": 200, "message": "success", "data": data})

    def polled(self, call: Call, task: Task) -> Reply:
        """`created`, `in_progress`, `completed` with `outputs`, or `failed` with `fail_reason`."""
        data: dict[str, Any] = {"task_id": task.id, "status": "created" if task.polls == 1 else "in_progress"}
        if task.failed:
            data |= {"status": "failed", "fail_reason": "the model returned no image"}
        elif task.finished:
            data |= {"status": "completed", "outputs": [result.address() for result in task.results]}
        elif task.ending == "unknown":
            data["status"] = "warming_up"
        return json_reply(200, {"code": 200, "message": "success", "data": data})


API = OneRouter()
