"""kie.ai: tasks, uploads at `/api/file-stream-upload`, and errors as a `code` inside a 200.

The real one ignores unknown ids and fields; here they are refused with 422, because that would hide our mistakes. The
fields differ per model: on the first Nano Banana `image_size` is an older name of the ratio, and may stand for it. What a
task made is JSON inside a string. Two uploads of one name overwrite each other, as they do there.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, choice, flag, json_object, strings, text, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import from_part
from pack.simulator.sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from pack.tests.doubles.api import DECLINED, Call, TaskApi
from pack.tests.doubles.tasks import Task

CREDIT_USD = 0.005
INSIDE = frozenset({400, 401, 402, 404, 422, 429, 500})
"""Statuses that travel as `code` inside a 200; the others are those of a gateway in front."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,120}")


@dataclass(frozen=True)
class Model:
    """What one model takes."""

    prices: dict[str, float]
    """By resolution; "" for a model that has no such field."""
    older_ratio: str = ""
    """Another name of `aspect_ratio` that is still taken."""
    ratios: tuple[str, ...] = RATIOS_10
    auto: bool = True
    references: str = "image_input"
    fewest: int = 0
    most: int = 0
    formats: tuple[str, ...] = ("png", "jpg")
    search: bool = False
    needs_ratio: bool = False
    longest: int = 20_000
    """Characters of a prompt."""


MODELS = {
    "google/nano-banana": Model({"": 0.02}, "image_size", formats=("png", "jpeg"), references="", longest=5_000),
    "google/nano-banana-edit": Model(
        {"": 0.02}, "image_size", references="image_urls", fewest=1, most=10, formats=("png", "jpeg"), longest=5_000
    ),
    "nano-banana-pro": Model({"1K": 0.09, "2K": 0.09, "4K": 0.12}, most=8, longest=10_000),
    "nano-banana-2": Model({"1K": 0.04, "2K": 0.06, "4K": 0.09}, ratios=RATIOS_14, most=14, search=True),
    "nano-banana-2-1": Model({"1K": 0.02, "2K": 0.03, "4K": 0.045}, ratios=RATIOS_14, most=10),
    "nano-banana-2-lite": Model(
        {"": 0.02}, ratios=RATIOS_14, references="image_urls", most=10, formats=(), needs_ratio=True
    ),
}


class Kie(TaskApi):
    """See the module."""

    id = "kie"
    auth = "bearer"

    def routes(self) -> tuple[Route, ...]:
        """Tasks, their records, the upload, and the credits for testing a key."""
        record = "/api/v1/jobs/recordInfo"
        return (
            route("createTask", "POST", "/api/v1/jobs/createTask", read=self._create),
            route("recordInfo", "GET", record, answer=self._record, kind="poll", body="none", query=("taskId=*",)),
            route(
                "upload",
                "POST",
                "/api/file-stream-upload",
                answer=self._upload,
                kind="upload",
                body="multipart",
                files="file",
            ),
            route("credit", "GET", "/api/v1/chat/credit", answer=self._credit, kind="other", body="none"),
        )

    def _create(self, call: Call) -> ImageRequest:
        checks: dict[str, Check] = {"model": choice(*MODELS), "input": json_object, "callBackUrl": text()}
        given = check_fields(call.fields, checks, ("model", "input"))
        name = given["model"]
        model = MODELS[name]
        ratios = choice(*(("auto",) if model.auto else ()), *model.ratios)
        inner: dict[str, Check] = {"prompt": text(longest=model.longest), "aspect_ratio": ratios}
        if model.older_ratio:
            inner[model.older_ratio] = ratios
        if "" not in model.prices:
            inner["resolution"] = choice(*model.prices)
        if model.formats:
            inner["output_format"] = choice(*model.formats)
        if model.search:
            inner["google_search"] = flag
        if model.most:
            inner[model.references] = strings(model.fewest, model.most)
        required: tuple[str, ...] = ("prompt", model.references) if model.fewest else ("prompt",)
        required += ("aspect_ratio",) if model.needs_ratio else ()
        fields = check_fields(given["input"], inner, required)
        urls = fields.get(model.references, [])
        for number, url in enumerate(urls):
            if not url.startswith(("http://", "https://")):
                raise wrong(f"{model.references}[{number}]", "must be a public URL")
        references = call.references(model.references, urls, bare=False)
        ratio = fields.get("aspect_ratio", fields.get(model.older_ratio, "auto"))
        if ratio == "auto":
            ratio = nearest_ratio(references[0].width, references[0].height, model.ratios) if references else "1:1"
        first = "google/" in name
        tier = fields.get("resolution", "" if first else "1K")
        return ImageRequest(
            model=name,
            prompt=fields["prompt"],
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=model.prices.get(tier, next(iter(model.prices.values()))),
            file_format="jpeg" if fields.get("output_format", "png") in ("jpg", "jpeg") else "png",
            references=references,
            asynchronous=True,
        )

    def _record(self, call: Call) -> Reply:
        task_id = call.request.query.partition("=")[2]
        return self.task_of(call, task_id, Problem(404, "The task was not found"))

    def _upload(self, call: Call) -> Reply:
        files = [part for part in call.parts if part.name == "file"]
        if len(files) != 1 or files[0].filename is None:
            raise wrong("file", "exactly one file is required")
        check_fields(call.fields, {"uploadPath": text(longest=200), "fileName": _file_name}, ("uploadPath",))
        from_part(files[0])
        name = call.fields.get("fileName", files[0].filename)
        folder, stem = call.fields["uploadPath"].strip("/"), name.rpartition(".")[0] or name
        path = call.files.add_upload(self.id, f"{folder}/{stem}", files[0].content_type, files[0].content)
        data = {
            "fileName": name,
            "filePath": f"{folder}/{name}",
            "downloadUrl": call.address(path),
            "fileSize": len(files[0].content),
            "mimeType": files[0].content_type,
            "uploadedAt": "2026-11-21T12:00:00.000Z",
        }
        return json_reply(200, {"success": True, "code": 200, "msg": "File uploaded successfully", "data": data})

    def _credit(self, _call: Call) -> Reply:
        return json_reply(200, {"code": 200, "msg": "success", "data": 1000})

    def problem(self, problem: Problem) -> Reply:
        """`{code, msg, data}` inside a 200; what comes from a gateway has a status of its own."""
        status = 422 if problem.field and problem.status == 400 else problem.status
        answer = {"code": status, "msg": problem.message, "data": None}
        return json_reply(200 if status in INSIDE else status, answer, problem.headers)

    def started(self, call: Call, task: Task) -> Reply:
        """Only the id."""
        return json_reply(200, {"code": 200, "msg": "success", "data": {"taskId": task.id}})

    def polled(self, call: Call, task: Task) -> Reply:
        """The record, with what was asked as a string too."""
        data: dict[str, Any] = {
            "taskId": task.id,
            "model": task.image_request.model,
            "state": ("waiting", "queuing", "generating")[min(task.polls - 1, 2)],
            "param": json.dumps({"model": task.image_request.model, "input": {"prompt": task.image_request.prompt}}),
            "resultJson": "",
            "failCode": "",
            "failMsg": "",
            "creditsConsumed": round(task.cost_usd / CREDIT_USD, 2) if task.finished else 0,
            "createTime": int(time.time() * 1000),
        }
        if task.failed:
            refused = task.ending == "refuse"
            words = DECLINED if refused else "The model returned no image"
            data |= {"state": "fail", "failCode": "422" if refused else "501", "failMsg": words}
        elif task.finished:
            urls = [result.address() for result in task.results]
            data |= {"state": "success", "resultJson": json.dumps({"resultUrls": urls})}
        elif task.ending == "unknown":
            data["state"] = "reviewing"
        return json_reply(200, {"code": 200, "msg": "success", "data": data})


def _file_name(name: str, value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise wrong(name, "must be a plain file name")
    return value


API = Kie()
