"""APIFRAME v2: jobs, the key in X-API-Key, one strict block of fields for four models, and real idempotency.

An unknown field is a 400 at both levels, references are addresses only, and the same Idempotency-Key twice is one job and
one bill. States are in upper case. The shape of `result` is documented nowhere: each model has one of those that are
thinkable, the first model that of the tests of the vendor's SDK, an address alone.

Judged by the vendor's OpenAPI file, as a schema in `tests/conformance/documents`: its SDK for this version is in no registry,
and apiframe-sdk speaks the other version.
"""

from __future__ import annotations

import secrets
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, choice, flag, json_object, strings, text, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import from_part
from pack.simulator.sizes import RATIOS_10, nearest_ratio, pixels
from pack.tests.doubles.api import DECLINED, Call, TaskApi
from pack.tests.doubles.tasks import Task

# No price is published: what most resellers take for the models behind the names is used.
PRICES = {"nano-banana": 0.039, "nano-banana-2": 0.08, "nano-banana-2-lite": 0.034, "nano-banana-pro": 0.15}
CREDIT_USD = 0.01
MOST = 14
LONGEST_PROMPT = 2000
LONGEST_KEY = 255
LARGEST_UPLOAD = 25 * 1024 * 1024
FORMATS = {"jpg": "jpeg", "png": "png", "webp": "webp"}


class ApiframeV2(TaskApi):
    """See the module."""

    id = "apiframe_v2"
    auth = "raw"
    auth_header = "X-API-Key"

    def routes(self) -> tuple[Route, ...]:
        """Generating, jobs, uploads, and the account for testing a key."""
        return (
            route("generate", "POST", "/v2/images/generate", read=self._generate),
            route("jobs", "GET", r"/v2/jobs/(?P<id>[^/]+)", answer=self._job, kind="poll", body="none"),
            route("uploads", "POST", "/v2/uploads", answer=self._upload, kind="upload", body="multipart", files="file"),
            route("me", "GET", "/v2/me", answer=self._me, kind="other", body="none"),
        )

    def replay_key(self, call: Call) -> str:
        """`Idempotency-Key`, up to 255 characters."""
        key = call.request.header("idempotency-key")
        if key is not None and not 1 <= len(key) <= LONGEST_KEY:
            raise wrong("Idempotency-Key", f"must have 1 to {LONGEST_KEY} characters")
        return key or ""

    def _generate(self, call: Call) -> ImageRequest:
        checks: dict[str, Check] = {
            "model": choice(*PRICES),
            "prompt": text(longest=LONGEST_PROMPT),
            "nanoBananaParams": json_object,
            "webhookUrl": text(),
            "webhookEvents": strings(1, 3),
        }
        fields = check_fields(call.fields, checks, ("model", "prompt"))
        inner: dict[str, Check] = {
            "aspect_ratio": text(),
            "resolution": choice("512px", "1K", "2K", "4K"),
            "image_input": strings(0, MOST),
            "output_format": choice(*FORMATS),
            "google_search": flag,
            "image_search": flag,
        }
        params = check_fields(fields.get("nanoBananaParams", {}), inner, ())
        urls = params.get("image_input", [])
        for number, url in enumerate(urls):
            if not url.startswith(("http://", "https://")):
                raise wrong(f"nanoBananaParams.image_input.{number}", "must be a URI")
        references = call.references("image_input", urls, bare=False)
        ratio = params.get("aspect_ratio", "")
        if ratio not in ("", *RATIOS_10):
            raise wrong("nanoBananaParams.aspect_ratio", "is no ratio of this model")
        if not ratio:
            ratio = nearest_ratio(references[0].width, references[0].height) if references else "1:1"
        model = fields["model"]
        tier = params.get("resolution", "1K").replace("512px", "0.5K")
        if tier != "1K" and model in ("nano-banana", "nano-banana-2-lite"):
            raise wrong("nanoBananaParams.resolution", f"{model} has 1K only")
        if tier == "0.5K" and model == "nano-banana-pro":
            raise wrong("nanoBananaParams.resolution", f"{model} has no 512px")
        return ImageRequest(
            model=model,
            prompt=fields["prompt"],
            size=pixels(ratio, "" if model == "nano-banana" else tier),
            ratio=ratio,
            resolution="" if model == "nano-banana" else tier,
            price=PRICES[model],
            file_format=FORMATS[params.get("output_format", "png")],
            references=references,
            asynchronous=True,
        )

    def _upload(self, call: Call) -> Reply:
        if len(call.parts) != 1 or call.parts[0].name != "file" or call.parts[0].filename is None:
            raise wrong("file", "exactly one file is required")
        part = call.parts[0]
        if len(part.content) > LARGEST_UPLOAD:
            raise Problem(413, "file: is larger than 25 MB", field="file")
        from_part(part)
        name = secrets.token_hex(8)
        path = call.files.add_upload(self.id, f"upload-{name}", part.content_type, part.content)
        return json_reply(
            201,
            {
                "id": name,
                "url": call.address(path),
                "kind": "image",
                "contentType": part.content_type,
                "byteSize": len(part.content),
                "expiresAt": "2026-11-21T12:00:00.000Z",
            },
        )

    def _job(self, call: Call) -> Reply:
        return self.task_of(call, call.path_params["id"], Problem(404, "Job not found"))

    def _me(self, _call: Call) -> Reply:
        return json_reply(200, {"email": "simulator@localhost", "credits": 1000})

    def problem(self, problem: Problem) -> Reply:
        """`{error}`, with `details` by path for a wrong field, and the credits that are missing for an empty account."""
        status = 400 if problem.status in (415, 422) else problem.status
        answer: dict[str, Any] = {"error": problem.message}
        if status == 402:
            answer = {"error": "Insufficient credits", "creditsRequired": 12, "creditsAvailable": 3}
        elif problem.field and status == 400:
            answer = {"error": "Validation failed", "details": {problem.field: [problem.message]}}
        return json_reply(status, answer, problem.headers)

    def started(self, call: Call, task: Task) -> Reply:
        """202; a replay names the state that the job has reached."""
        return json_reply(202, {"jobId": task.id, "status": self._state(task)})

    def polled(self, call: Call, task: Task) -> Reply:
        """The job with its `result`, or with `error` as a string."""
        answer: dict[str, Any] = {
            "id": task.id,
            "status": self._state(task),
            "model": task.image_request.model,
            "progress": task.percent,
            "result": None,
            "error": None,
            "creditCost": round(task.cost_usd / CREDIT_USD, 2) if task.finished else None,
            "expired": False,
            "webhookStatus": None,
            "createdAt": "2026-11-21T10:00:00.000Z",
            "completedAt": "2026-11-21T10:01:00.000Z" if task.finished else None,
        }
        if task.failed and task.ending != "cancelled":
            answer["error"] = DECLINED if task.ending == "refuse" else "The model returned no image"
        elif task.finished:
            answer["result"] = _shape(task.image_request.model, [result.address() for result in task.results])
        return json_reply(200, answer)

    def _state(self, task: Task) -> str:
        if task.finished:
            return "CANCELLED" if task.ending == "cancelled" else "FAILED" if task.failed else "COMPLETED"
        if task.ending == "unknown" and task.polls:
            return "RETRYING"
        return "QUEUED" if task.polls < 2 else "PROCESSING"


def _shape(model: str, urls: list[str]) -> Any:
    if model == "nano-banana-pro":
        return {"images": [{"url": url} for url in urls]}
    if model == "nano-banana-2":
        return urls
    if model == "nano-banana-2-lite":
        return {"files": {"thumbnail": "https://cdn.example/small.png", "full": urls}}
    return urls[0] if len(urls) == 1 else {"image_urls": urls}


API = ApiframeV2()
