"""Google's Gemini API: `x-goog-api-key`, `generateContent`, batches, and the Files API for what large requests hold.

A missing key is a 403 without details, a wrong one a 400 whose detail says so. An upload is opened with headers, filled
at the address that comes back in one, and named by the address in its answer.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, choice, json_object, text, whole
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import FORMATS, Reference, decode
from pack.tests.doubles.api import Call
from pack.tests.doubles.batches import BatchRoutes
from pack.tests.doubles.gemini import MODELS, Gemini
from pack.tests.doubles.gemini_request import camel_names

VERSION = "/v1(?:beta)?"
"""Where the API is served: the image guide names v1beta, and the SDK's own default is v1."""
KEPT_SECONDS = 48 * 3600
LARGEST_UPLOAD = 2_000_000_000
JSONL = ("application/jsonl", "jsonl")


@dataclass
class Upload:
    """A file that was announced, and then filled."""

    id: str
    mime: str
    size: int
    made: float = field(default_factory=time.time)
    path: str = ""
    """Where its bytes are kept, once they are here."""


class Google(Gemini):
    """See the module."""

    id = "google"
    auth = "raw"
    auth_header = "x-goog-api-key"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uploads: dict[str, Upload] = {}
        self._batches = BatchRoutes(self._read, self._content, self._save)

    def routes(self) -> tuple[Route, ...]:
        """Generation, files, and the models."""
        upload, files, models = f"/upload{VERSION}/files", f"{VERSION}/files", f"{VERSION}/models"
        one, file = r"/(?P<model>[^/:]+)", "/(?P<id>[0-9a-f]+)"
        pages = ("pageSize=*", "pageToken=*")
        return (
            route("generate", "POST", f"{models}{one}:generateContent", read=self._read),
            route("stream", "POST", f"{models}{one}:streamGenerateContent", read=self._read, query=("alt=sse",)),
            route("files", "POST", upload, answer=self._announce, kind="upload"),
            route("put", "POST", upload + file, answer=self._put, kind="upload", body="raw", auth=False),
            route("file", "GET", files + file, answer=self._file, kind="other", body="none"),
            route("file", "DELETE", files + file, answer=self._delete, kind="other", body="none"),
            route(
                "download",
                "GET",
                r"/v1(?:beta)?/files/(?P<id>[\w-]+):download",
                answer=self._download,
                kind="other",
                body="none",
                query=("alt=media",),
            ),
            *self._batches.routes(VERSION),
            route("models", "GET", models, answer=self._models, kind="other", body="none", query=pages),
            route("model", "GET", models + one, answer=self._model, kind="other", body="none"),
        )

    def without_key(self) -> Problem:
        """Told apart from a wrong one."""
        return Problem(403, "Method doesn't allow unregistered callers (callers without established identity).")

    def problem(self, problem: Problem) -> Reply:
        """As Google's APIs do, but for a wrong key."""
        if problem.status != 401:
            return super().problem(problem)
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
        }
        message = "API key not valid. Please pass a valid API key."
        error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": [detail]}
        return json_reply(400, {"error": error}, problem.headers)

    def file(self, call: Call, field: str, uri: str, mime: str) -> Reference:
        """An uploaded file by its address."""
        upload = self._uploads.get(uri.rpartition("/")[2])
        if upload is None or uri != self._uri(call, upload) or not upload.path:
            raise Problem(403, f"You do not have permission to access the File {uri[-40:]} or it may not exist.")
        content = call.files.content_at(upload.path)
        if content is None:
            raise Problem(403, f"You do not have permission to access the File {uri[-40:]} or it may not exist.")
        return decode(field, content, mime, "url")

    def _announce(self, call: Call) -> Reply:
        given = check_fields(camel_names(call.fields), {"file": json_object}, ("file",))["file"]
        checks: dict[str, Check] = {
            "displayName": text(longest=512),
            "mimeType": choice(*FORMATS.values(), *JSONL),
            "sizeBytes": _size,
        }
        check_fields(given, checks, ())
        head = call.request.header
        if head("x-goog-upload-protocol") != "resumable" or head("x-goog-upload-command") != "start":
            raise Problem(400, "An upload begins with the protocol resumable and the command start.")
        mime, size = head("x-goog-upload-header-content-type") or "", head("x-goog-upload-header-content-length") or ""
        if mime not in (*FORMATS.values(), *JSONL):
            raise Problem(400, f"Unsupported MIME type: {mime[:60]}")
        if not size.isdecimal() or not 0 < int(size) <= LARGEST_UPLOAD:
            raise Problem(400, "X-Goog-Upload-Header-Content-Length must be the number of bytes.")
        upload = Upload(secrets.token_hex(8), mime, int(size))
        with self._lock:
            self._uploads[upload.id] = upload
            while len(self._uploads) > 1000:
                self._uploads.pop(next(iter(self._uploads)))
        address = call.address(f"/{self.id}/upload/v1beta/files/{upload.id}")
        return json_reply(200, {}, (("X-Goog-Upload-Status", "active"), ("X-Goog-Upload-URL", address)))

    def _put(self, call: Call) -> Reply:
        upload = self._known(call)
        head = call.request.header
        if head("x-goog-upload-command") != "upload, finalize" or head("x-goog-upload-offset") != "0":
            raise Problem(400, "The whole file is expected at once: command 'upload, finalize', offset 0.")
        if len(call.request.body) != upload.size:
            raise Problem(400, f"The upload was announced with {upload.size} bytes.")
        content = bytes(call.request.body)
        if upload.mime not in JSONL:
            decode("file", content, upload.mime, "url")
        upload.path = call.files.add_upload(self.id, upload.id, upload.mime, content)
        return json_reply(200, {"file": self._shown(call, upload)}, (("X-Goog-Upload-Status", "final"),))

    def _content(self, call: Call, name: str) -> bytes:
        """The bytes of an uploaded file by its name; raises Problem."""
        upload = self._uploads.get(name.removeprefix("files/"))
        content = call.files.content_at(upload.path) if upload is not None and upload.path else None
        if content is None or not name.startswith("files/"):
            raise Problem(403, f"You do not have permission to access the File {name[-40:]} or it may not exist.")
        return content

    def _save(self, call: Call, content: bytes) -> str:
        """Keeps a file of answers, which can be downloaded; gives its name."""
        name = f"batch-{secrets.token_hex(8)}"
        call.files.add_upload(self.id, name, "application/jsonl", content)
        return f"files/{name}"

    def _download(self, call: Call) -> Reply:
        """A file that Google has made; an uploaded one can't be downloaded."""
        name = call.path_params["id"]
        content = call.files.content_at(f"/{self.id}/files/{name}.png") if name.startswith("batch-") else None
        if content is None:
            raise Problem(403, f"You do not have permission to access the File {name[-40:]} or it may not exist.")
        return Reply(200, content, "application/jsonl")

    def _file(self, call: Call) -> Reply:
        return json_reply(200, self._shown(call, self._known(call)))

    def _delete(self, call: Call) -> Reply:
        with self._lock:
            self._uploads.pop(self._known_locked(call).id)
        return json_reply(200, {})

    def _shown(self, call: Call, upload: Upload) -> dict[str, str]:
        return {
            "name": f"files/{upload.id}",
            "mimeType": upload.mime,
            "sizeBytes": str(upload.size),
            "createTime": _time(upload.made),
            "expirationTime": _time(upload.made + KEPT_SECONDS),
            "uri": self._uri(call, upload),
            "state": "ACTIVE" if upload.path else "PROCESSING",
        }

    def _uri(self, call: Call, upload: Upload) -> str:
        return call.address(f"/{self.id}/v1beta/files/{upload.id}")

    def _known(self, call: Call) -> Upload:
        with self._lock:
            return self._known_locked(call)

    def _known_locked(self, call: Call) -> Upload:
        upload = self._uploads.get(call.path_params["id"])
        if upload is None:
            raise Problem(403, "You do not have permission to access the File or it may not exist.")
        return upload

    def _models(self, call: Call) -> Reply:
        asked = dict(parse_qsl(call.request.query))
        size, start = asked.get("pageSize", "50"), asked.get("pageToken", "0")
        if not size.isdecimal() or not start.isdecimal() or not int(size):
            raise Problem(400, "pageSize must be a positive number, pageToken one that was answered.")
        names, end = list(MODELS), int(start) + int(size)
        answer: dict[str, Any] = {"models": [_described(name) for name in names[int(start) : end]]}
        if end < len(names):
            answer["nextPageToken"] = str(end)
        return json_reply(200, answer)

    def _model(self, call: Call) -> Reply:
        name = call.path_params["model"]
        if name not in MODELS:
            raise Problem(404, f"Model is not found: models/{name[:80]}")
        return json_reply(200, _described(name))


def _described(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
    }


def _size(name: str, value: Any) -> int:
    """A 64-bit integer: a number, or one in a string, as the JSON of protocol buffers has it."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    return int(whole(1, LARGEST_UPLOAD)(name, value))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


API = Google()
