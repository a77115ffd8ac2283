"""WaveSpeed: the model is the path, everything is wrapped into `{code, message, data}`, and work is a prediction.

Resolutions are in lower case, references are addresses only and go up through `/api/v3/media/upload/binary`, as its page on
uploads says, or, as the package wavespeed does, through a ticket of `/api/v3/media/uploads` and a PUT to its signed address.
"""

from __future__ import annotations

import secrets
import threading
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, choice, flag, strings, text, whole, wrong
from pack.simulator.files import SUFFIX
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import decode, from_part
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from pack.tests.doubles.api import DECLINED, Call, TaskApi
from pack.tests.doubles.tasks import Task

# Prices are on the models' pages and in no list: what most resellers take for the same models is used.
PRICES = {
    "nano-banana": 0.038,
    "nano-banana-2": 0.08,
    "nano-banana-2.1": 0.04,
    "nano-banana-2-lite": 0.04,
    "nano-banana-pro": 0.15,
}
MOST = {"nano-banana": 10, "nano-banana-2": 14, "nano-banana-2.1": 14, "nano-banana-pro": 14}
"""References of an edit; a model that isn't here has none."""
ONE_SIZE = ("nano-banana", "nano-banana-2-lite")
WIDE = ("nano-banana-2", "nano-banana-2.1", "nano-banana-2-lite")
"""Models with all 14 ratios."""
NEWER = ("nano-banana-2", "nano-banana-2.1")
LARGEST_UPLOAD = 200 * 1024 * 1024
"""As the package wavespeed has it."""
TIERS = {"1k": "1K", "2k": "2K", "4k": "4K"}


class WaveSpeed(TaskApi):
    """See the module."""

    id = "wavespeed"
    auth = "bearer"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[str, tuple[str, int]] = {}
        """Name of a file that is to be uploaded -> its MIME type, "" where it isn't told, and its size."""

    def routes(self) -> tuple[Route, ...]:
        """The models, predictions, uploads, and the balance for testing a key."""
        result = r"/api/v3/predictions/(?P<id>[^/]+)/result"
        upload = "/api/v3/media/upload/binary"
        return (
            route("models", "POST", r"/api/v3/(?P<model>google/[^/]+)/(?P<does>text-to-image|edit)", read=self._order),
            route("result", "GET", result, answer=self._result, kind="poll", body="none"),
            route("upload", "POST", upload, answer=self._upload, kind="upload", body="multipart", files="file"),
            route("ticket", "POST", "/api/v3/media/uploads", answer=self._ticket, kind="upload"),
            # The address to put the file to is signed by itself: a key has no business there.
            route("put", "PUT", r"/put/(?P<id>[^/]+)", answer=self._put, kind="upload", body="raw", auth=False),
            route("balance", "GET", "/api/v3/balance", answer=self._balance, kind="other", body="none"),
        )

    def _order(self, call: Call) -> ImageRequest:
        name, edits = call.path_params["model"].removeprefix("google/"), call.path_params["does"] == "edit"
        if name not in (MOST if edits else PRICES):
            raise Problem(404, f"model '{call.path_params['model'][:80]}/{call.path_params['does']}' not found")
        ratios = RATIOS_14 if name in WIDE else RATIOS_10
        checks: dict[str, Check] = {
            "prompt": text(),
            "aspect_ratio": choice(*ratios),
            "output_format": choice("png", "jpeg"),
            "enable_sync_mode": flag,
            "enable_base64_output": flag,
        }
        if name not in ONE_SIZE:
            checks["resolution"] = choice(*TIERS)
        if name in NEWER:
            checks |= {"enable_web_search": flag, "enable_image_search": flag}
        if edits:
            checks["images"] = strings(1, MOST[name])
        fields = check_fields(call.fields, checks, ("prompt", "images") if edits else ("prompt",))
        for number, url in enumerate(fields.get("images", [])):
            if not url.startswith(("http://", "https://")):
                raise wrong(f"images[{number}]", "must be a URL")
        references = call.references("images", fields.get("images", []), bare=False)
        ratio = fields.get("aspect_ratio", "")
        if not ratio:
            ratio = nearest_ratio(references[0].width, references[0].height, ratios) if references else "1:1"
        tier = "" if name == "nano-banana" else TIERS[fields.get("resolution", "1k")]
        return ImageRequest(
            model=f"{call.path_params['model']}/{call.path_params['does']}",
            prompt=fields["prompt"],
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=PRICES[name],
            file_format=fields.get("output_format", "png"),
            encoding="b64" if fields.get("enable_base64_output") else "url",
            references=references,
            asynchronous=not fields.get("enable_sync_mode"),
        )

    def _result(self, call: Call) -> Reply:
        return self.task_of(call, call.path_params["id"], Problem(404, "prediction not found"))

    def _upload(self, call: Call) -> Reply:
        if len(call.parts) != 1 or call.parts[0].name != "file" or call.parts[0].filename is None:
            raise wrong("file", "exactly one file is required")
        part = call.parts[0]
        from_part(part)
        path = call.files.add_upload(self.id, f"media-{secrets.token_hex(8)}", part.content_type, part.content)
        data = {
            "type": "image",
            "download_url": call.address(path),
            "filename": part.filename,
            "size": len(part.content),
        }
        return json_reply(200, {"code": 200, "message": "success", "data": data})

    def _ticket(self, call: Call) -> Reply:
        """Where to put a file, and where it will be."""
        checks: dict[str, Check] = {
            "filename": text(longest=255),
            "size": whole(1, LARGEST_UPLOAD),
            "content_type": text(longest=255),
        }
        fields = check_fields(call.fields, checks, ("filename", "size"))
        name, mime = f"media-{secrets.token_hex(8)}", fields.get("content_type", "")
        with self._lock:
            self._tickets[name] = (mime, fields["size"])
            while len(self._tickets) > 1000:
                self._tickets.pop(next(iter(self._tickets)))
        address = call.address(f"/{self.id}/put/{name}")
        headers = {"Content-Type": mime} if mime else {}
        # Nothing serves this address before the file is there.
        file = call.address(f"/{self.id}/files/{name}{SUFFIX.get(mime.partition('/')[2], '.png')}")
        upload = {"method": "PUT", "url": address, "headers": headers}
        data = {"upload": upload, "download_url": file, "filename": fields["filename"], "size": fields["size"]}
        return json_reply(200, {"code": 200, "message": "success", "data": data})

    def _put(self, call: Call) -> Reply:
        name = call.path_params["id"]
        with self._lock:
            mime, size = self._tickets.get(name, ("", 0))
        if not size:
            raise Problem(404, "no ticket was given for this upload")
        if call.request.header("authorization") is not None:
            raise Problem(400, "only one auth mechanism is allowed: this address is signed")
        content = bytes(call.request.body)
        if len(content) != size or (mime and (call.request.header("content-type") or "").lower() != mime):
            raise Problem(403, "the upload is not what its ticket says")
        decode("file", content, mime, "url")
        call.files.add_upload(self.id, name, mime or "image/png", content)
        return Reply(200, b"", "text/plain")

    def _balance(self, _call: Call) -> Reply:
        return json_reply(200, {"code": 200, "message": "success", "data": {"balance": 100.0}})

    def problem(self, problem: Problem) -> Reply:
        """`{code, message}` with the same status."""
        answer = {"code": problem.status, "message": problem.message}
        return json_reply(problem.status, answer, problem.headers)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """The answer of `enable_sync_mode`: completed at once."""
        task = self.ended(call, image_request, results, "done")
        outputs = [result.address() for result in results]
        return json_reply(200, _wrapped(call, task, "completed", outputs))

    def started(self, call: Call, task: Task) -> Reply:
        """A prediction that has just been created."""
        return json_reply(200, _wrapped(call, task, "created", []))

    def polled(self, call: Call, task: Task) -> Reply:
        """The prediction with its `outputs`, or with its `error`."""
        if task.failed:
            error = DECLINED if task.ending == "refuse" else "the model returned no image"
            return json_reply(200, _wrapped(call, task, "failed", [], error))
        if task.finished:
            return json_reply(200, _wrapped(call, task, "completed", [result.address() for result in task.results]))
        state = "created" if task.polls == 1 else "processing"
        return json_reply(200, _wrapped(call, task, "warming" if task.ending == "unknown" else state, []))


def _wrapped(call: Call, task: Task, status: str, outputs: list[str], error: str = "") -> dict[str, Any]:
    get = call.address(f"/{task.provider}/api/v3/predictions/{task.id}/result")
    data = {
        "id": task.id,
        "model": task.image_request.model,
        "outputs": outputs,
        "urls": {"get": get},
        "has_nsfw_contents": [],
        "status": status,
        "error": error,
    }
    return {"code": 200, "message": "success", "data": data}


API = WaveSpeed()
