"""Google's Gemini API: `x-goog-api-key`, `generateContent`, and the Files API for references of large requests.

A missing key is a 403 without details, a wrong one a 400 whose detail says so. An upload is opened with headers, filled
at the address that comes back in one, and named by the address in its answer.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass

from ..api import Call, Route, route
from ..fields import Check, check_fields, json_object, text
from ..gemini import MODELS, Gemini
from ..message import Reply, json_reply
from ..problem import Problem
from ..references import FORMATS, Reference, decode

LARGEST_UPLOAD = 2_000_000_000


@dataclass
class Upload:
    """A file that was announced, and then filled."""

    id: str
    mime: str
    size: int
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

    def routes(self) -> tuple[Route, ...]:
        """Generation, files, and the list of models for testing a key."""
        model = r"/v1beta/models/(?P<model>[^/:]+):generateContent"
        return (
            route("generate", "POST", model, read=self._read),
            route("files", "POST", "/upload/v1beta/files", answer=self._announce, kind="upload"),
            route(
                "put",
                "POST",
                "/upload/v1beta/files/(?P<id>[0-9a-f]+)",
                answer=self._put,
                kind="upload",
                body="raw",
                auth=False,
            ),
            route("file", "GET", "/v1beta/files/(?P<id>[0-9a-f]+)", answer=self._file, kind="other", body="none"),
            route(
                "models", "GET", "/v1beta/models", answer=self._models, kind="other", body="none", query=("pageSize=1",)
            ),
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
        checks: dict[str, Check] = {"display_name": text(longest=512)}
        given = check_fields(call.fields, {"file": json_object}, ("file",))["file"]
        check_fields(given, checks, ())
        head = call.request.header
        if head("x-goog-upload-protocol") != "resumable" or head("x-goog-upload-command") != "start":
            raise Problem(400, "An upload begins with the protocol resumable and the command start.")
        mime, size = head("x-goog-upload-header-content-type") or "", head("x-goog-upload-header-content-length") or ""
        if mime not in FORMATS.values():
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
        decode("file", content, upload.mime, "url")
        upload.path = call.files.add_upload(self.id, upload.id, upload.mime, content)
        return json_reply(200, {"file": self._shown(call, upload)}, (("X-Goog-Upload-Status", "final"),))

    def _file(self, call: Call) -> Reply:
        return json_reply(200, self._shown(call, self._known(call)))

    def _shown(self, call: Call, upload: Upload) -> dict[str, str]:
        return {
            "name": f"files/{upload.id}",
            "mimeType": upload.mime,
            "sizeBytes": str(upload.size),
            "uri": self._uri(call, upload),
            "state": "ACTIVE" if upload.path else "PROCESSING",
        }

    def _uri(self, call: Call, upload: Upload) -> str:
        return call.address(f"/{self.id}/v1beta/files/{upload.id}")

    def _known(self, call: Call) -> Upload:
        with self._lock:
            upload = self._uploads.get(call.pieces["id"])
        if upload is None:
            raise Problem(403, "You do not have permission to access the File or it may not exist.")
        return upload

    def _models(self, _call: Call) -> Reply:
        return json_reply(200, {"models": [{"name": f"models/{name}"} for name in MODELS][:1], "nextPageToken": "x"})


API = Google()
