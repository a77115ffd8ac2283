"""APIFRAME v1: the path is the model, the key goes raw into Authorization, the answer is usually finished at once.

Its document shows the errors 400, 401 and 500, two of them with an empty object as body. Resolution defaults to 2K
here, unlike anywhere else.

Judged by apiframe-sdk 1.0.0, which speaks this version, though it takes the other's host for its own: it sends the key as
`Bearer`, where the pages say that it goes as it is. Both are taken here. Of a failed task it reads `message` or `error`.
"""

from __future__ import annotations

import secrets
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, choice, strings, text, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import from_part
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, nearest_ratio, pixels
from pack.tests.doubles.api import Api, Call
from pack.tests.doubles.tasks import Task

# No price is published for these routes: what most resellers take for the models behind them is used.
PRICES = {"nano-banana-pro": 0.15, "nano-banana": 0.039}
LARGEST_UPLOAD = 2 * 1024 * 1024


class Apiframe(Api):
    """See the module."""

    id = "apiframe"
    auth = "raw"
    also_bearer = True

    def routes(self) -> tuple[Route, ...]:
        """The two models, fetching a task, the small upload, and the account for testing a key."""
        return (
            route("nano-banana-pro", "POST", "/nano-banana-pro", read=self._pro),
            route("nano-banana", "POST", "/nano-banana", read=self._first),
            route("fetch", "POST", "/fetch", answer=self._fetch, kind="poll"),
            route("upload", "POST", "/upload", answer=self._upload, kind="upload", body="multipart"),
            route("account", "GET", "/account", answer=self._account, kind="other", body="none"),
        )

    def _pro(self, call: Call) -> ImageRequest:
        checks: dict[str, Check] = {"resolution": choice("1K", "2K", "4K"), "images": strings(1, 14)}
        return self._order(call, "nano-banana-pro", checks, ("prompt",), call.fields.get("resolution", "2K"))

    def _first(self, call: Call) -> ImageRequest:
        return self._order(call, "nano-banana", {"images": strings(1, 14)}, ("prompt", "images"), "")

    def _order(
        self, call: Call, model: str, checks: dict[str, Check], required: tuple[str, ...], tier: str
    ) -> ImageRequest:
        checks |= {"prompt": text(), "aspect_ratio": choice("match_input_image", *RATIOS_10)}
        fields = check_fields(call.fields, checks, required)
        references = call.references("images", fields.get("images", []), bare=True)
        ratio = fields.get("aspect_ratio", "match_input_image")
        if ratio == "match_input_image":
            ratio = nearest_ratio(references[0].width, references[0].height) if references else "1:1"
        return ImageRequest(
            model=model,
            prompt=fields["prompt"],
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=PRICES[model],
            references=references,
        )

    def _fetch(self, call: Call) -> Reply:
        fields = check_fields(call.fields, {"task_id": text()}, ("task_id",))
        return self.task_of(call, fields["task_id"], Problem(404, "task not found"))

    def _upload(self, call: Call) -> Reply:
        if len(call.parts) != 1 or call.parts[0].name != "image" or call.parts[0].filename is None:
            raise wrong("image", "exactly one file is required")
        part = call.parts[0]
        if len(part.content) > LARGEST_UPLOAD:
            raise Problem(413, "image: is larger than 2 MB", field="image")
        from_part(part)
        path = call.files.add_upload(self.id, f"upload-{secrets.token_hex(8)}", part.content_type, part.content)
        return json_reply(200, {"imageURL": call.address(path)})

    def _account(self, _call: Call) -> Reply:
        return json_reply(200, {"email": "simulator@localhost", "credits": 1000})

    def problem(self, problem: Problem) -> Reply:
        """401 and 5xx carry an empty object, the rest `{"errors": [{"msg"}]}`."""
        status = 400 if problem.status == 415 else problem.status
        if status == 401 or status >= 500:
            return json_reply(status, {}, problem.headers)
        return json_reply(status, {"errors": [{"msg": problem.message}]}, problem.headers)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """Finished already in the answer to the submit, as documented."""
        number = call.record.id if call.record is not None else 0
        return json_reply(
            200,
            {
                "task_id": f"34f439ce-b545-4c57-a5bd-{number:012x}",
                "image_urls": [result.address() for result in results],
                "status": "finished",
                "task_type": image_request.model,
            },
        )

    def started(self, call: Call, task: Task) -> Reply:
        """As the rest of this API's routes answer."""
        return json_reply(200, {"task_id": task.id, "task_type": task.image_request.model, "status": "pending"})

    def polled(self, call: Call, task: Task) -> Reply:
        """The percentage is a string."""
        states = ("staged", "pending", "starting", "processing")
        answer: dict[str, Any] = {"task_id": task.id, "task_type": task.image_request.model}
        if task.failed:
            answer |= {"status": "failed", "message": "The model returned no image"}
        elif task.finished:
            answer |= {"status": "finished", "image_urls": [result.address() for result in task.results]}
        elif task.ending == "unknown":
            answer |= {"status": "reticulating", "percentage": str(task.percent)}
        else:
            state = "processing" if task.polls >= task.steps else states[min(task.polls - 1, 3)]
            answer |= {"status": state, "percentage": str(task.percent)}
        return json_reply(200, answer)


API = Apiframe()
