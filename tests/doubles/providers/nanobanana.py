"""The generic DALL-E-compatible Nano-Banana API, and the asynchronous mode its resellers add.

Generations take JSON with an array `image`; edits take a form whose field `image` is repeated, or, as
gateways read it and the client `openai` writes it, `image[]` in its place; both in one form are refused.
`image_size` belongs to `nano-banana-2` alone. As on the gateways that serve it, an empty balance is a 403 and a model
without a channel is a 503.
"""

from __future__ import annotations

import time
from typing import Any

from pack.simulator.api import Route, error_object, route
from pack.simulator.fields import Check, check_fields, choice, strings, text, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import Reference, from_part
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, nearest_ratio, pixels
from pack.tests.doubles.api import Api, Call
from pack.tests.doubles.references import from_url
from pack.tests.doubles.tasks import Task

# No price is published: what most resellers take for the models behind the names is used.
PRICES = {"nano-banana": 0.039, "nano-banana-2": 0.15, "nano-banana-hd": 0.15}
MOST = 14
FILES = ("image", "image[]")
GATEWAY_CODES = {
    401: "invalid_api_key",
    403: "insufficient_user_quota",
    429: "rate_limit_exceeded",
    500: "do_request_failed",
    502: "bad_response_status_code",
    503: "model_not_found",
    504: "bad_response_status_code",
}


class NanoBanana(Api):
    """See the module."""

    id = "nanobanana"
    auth = "bearer"

    def routes(self) -> tuple[Route, ...]:
        """Generations, edits and the tasks of `?async=true`."""
        query = ("async=true",)
        return (
            route("generations", "POST", "/v1/images/generations", read=self._generation, query=query),
            route("edits", "POST", "/v1/images/edits", read=self._edit, body="multipart", query=query, files=FILES),
            route("tasks", "GET", r"/v1/images/tasks/(?P<id>[^/]+)", answer=self._task, kind="poll", body="none"),
        )

    def _generation(self, call: Call) -> ImageRequest:
        fields = self._checked(call.fields, {"image": strings(1, MOST)}, ("model", "prompt"))
        return self._order(call, fields, call.references("image", fields.get("image", []), bare=True))

    def _edit(self, call: Call) -> ImageRequest:
        fields = self._checked(call.fields, {}, ("model", "prompt"))
        references: list[Reference] = []
        if len({part.name for part in call.parts if part.name in FILES}) > 1:
            raise wrong("image", "is given under two names, of which one would be overlooked")
        for part in call.parts:
            if part.name in FILES:
                plain = part.filename is None
                references.append(from_url("image", part.text(), call.files, call.hosts) if plain else from_part(part))
                call.note(references)
        if not 1 <= len(references) <= MOST:
            raise wrong("image", f"needs 1 to {MOST} files or addresses")
        return self._order(call, fields, references)

    def _checked(self, given: dict[str, Any], more: dict[str, Check], required: tuple[str, ...]) -> dict[str, Any]:
        checks: dict[str, Check] = {
            "model": text(),
            "prompt": text(),
            "aspect_ratio": choice(*RATIOS_10),
            "response_format": choice("url", "b64_json"),
            **more,
        }
        model = given.get("model")
        if isinstance(model, str) and model not in PRICES:
            message = f"No available channel for model {model[:80]} under the current group"
            raise Problem(503, message, field="model", code="model_not_found")
        if model == "nano-banana-2":
            checks["image_size"] = choice("1K", "2K", "4K")
        return check_fields(given, checks, required)

    def _order(self, call: Call, fields: dict[str, Any], references: list[Reference]) -> ImageRequest:
        model = fields["model"]
        ratio = fields.get("aspect_ratio", "")
        if not ratio:
            ratio = nearest_ratio(references[0].width, references[0].height) if references else "1:1"
        tiers = {"nano-banana": "", "nano-banana-hd": "4K"}
        tier = tiers.get(model, fields.get("image_size", "1K"))
        return ImageRequest(
            model=model,
            prompt=fields["prompt"],
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=PRICES[model],
            encoding="b64" if fields.get("response_format") == "b64_json" else "url",
            references=references,
            asynchronous=call.request.query == "async=true",
        )

    def _task(self, call: Call) -> Reply:
        return self.task_of(call, call.path_params["id"], Problem(400, "task_not_exist", code="task_not_exist"))

    def problem(self, problem: Problem) -> Reply:
        """The document's shape for wrong requests, the gateways' words for everything else."""
        status = 403 if problem.status == 402 else problem.status
        if problem.code == "content_policy_violation" or problem.field or status in (400, 404, 405, 413, 415):
            code = problem.code if problem.named else "invalid_parameter"
            if not problem.field and not problem.named and status != 400:
                code = problem.code
            kind = "new_api_error" if status >= 500 else "invalid_request_error"
            return error_object(status, problem.message, kind, code, problem.headers)
        message = f"{problem.message} (request id: {time.time_ns()})"
        return error_object(status, message, "new_api_error", GATEWAY_CODES.get(status, problem.code), problem.headers)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """`created` and `data`."""
        data: list[dict[str, str]] = [result.entry() for result in results]
        if revised is not None:
            data = [{"revised_prompt": revised}]
        return json_reply(200, {"created": int(time.time()), "data": data})

    def started(self, call: Call, task: Task) -> Reply:
        """Only the id."""
        return json_reply(200, {"task_id": task.id})

    def polled(self, call: Call, task: Task) -> Reply:
        """`data` three levels deep, or flat on the gateways that do it so."""
        status, reason = ("NOT_START" if task.polls == 1 else "IN_PROGRESS"), ""
        if task.failed:
            status, reason = "FAILURE", "the model returned no image"
        elif task.finished:
            status = "SUCCESS"
        elif task.ending == "unknown":
            status = "DISPATCHED_V2"
        pictures = [result.entry() for result in task.results] if status == "SUCCESS" else []
        if task.flat:
            answer: dict[str, Any] = {"task_id": task.id, "status": status}
            if pictures:
                answer["data"] = pictures
            if reason:
                answer["fail_reason"] = reason
            return json_reply(200, answer)
        inner = {"created": int(time.time()), "data": pictures} if status == "SUCCESS" else None
        data = {"task_id": task.id, "status": status, "progress": f"{task.percent}%", "fail_reason": reason}
        return json_reply(200, {"code": "success", "message": "", "data": {**data, "data": inner}})


API = NanoBanana()
