"""Google's Batch API: many `generateContent` requests as one order, made later at half the price.

Documents: Google's batch guide, its API reference and its SDK (google-genai 3.6, which judges these requests). An order is
created by `POST models/{m}:batchGenerateContent`, with the requests in the body or with the name of a JSONL file that the Files
API has. The answer is an operation called `batches/{id}`; `metadata.state` says how far it is, and once it has ended the
answers are in `response` or `metadata.output`: inside, in the order of the requests, or as a file of JSON lines.

Creating an order twice makes two, and there is no idempotency key. So our own id is in `displayName`, and after a lost answer
the list of batches says whether the order is there. Pure: requests as `Send`, answers as data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import ProviderFailure
from ...errors.messages import msg
from ...http.body import Body, Part, Raw, json_body
from ...http.long_json import NotJson, read_json
from ...http.long_text import LongText
from ...providers.spec import BatchApi
from ..base.step import Done, Failed, Job, Reply, Send
from ..gemini import DIALECT
from ..parsing import gemini_errors
from ..parsing.error_parsing import unreadable

BatchState = Literal["pending", "running", "succeeded", "failed", "cancelled", "expired"]

_STATES: dict[str, BatchState] = {
    "PENDING": "pending",
    "QUEUED": "pending",
    "RUNNING": "running",
    "CANCELLING": "running",
    "SUCCEEDED": "succeeded",
    "PARTIALLY_SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}
"""The last words of `BATCH_STATE_...` and of the SDK's `JOB_STATE_...`."""
_BATCH = re.compile(r"batches/[\w.-]{1,200}")
_FILE = re.compile(r"files/[\w.-]{1,200}")
_VERSION = "/v1beta"
_PAGE = 100
KEPT_SECONDS = 72 * 3600.0
"""An order that waits for 48 hours expires, and its end is known for a while after that."""
_HTTP_OF_CODE = {
    1: 499,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    14: 503,
    16: 401,
}
"""The codes of google.rpc.Status, in which a single request of a batch fails, as HTTP statuses."""
_WORDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"} | {
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@dataclass(frozen=True)
class BatchStatus:
    """How far an order is."""

    state: BatchState
    made: int | None = None
    """How many requests have succeeded, None where Google doesn't say."""
    total: int | None = None
    answers: tuple[Mapping[str, Any], ...] | None = None
    """The answers where they are inside, in the order of the requests."""
    file: str = ""
    """The file with the answers, where they are in one."""
    error: Mapping[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        return self.state not in ("pending", "running")

    @property
    def has_answers(self) -> bool:
        return self.answers is not None or bool(self.file)


@dataclass(frozen=True)
class BatchAnswer:
    """The answer to one request of an order."""

    key: str
    """The key that the request had, "" where the answer has none."""
    step: Done | Failed


# --------------------------------------------------------------------------------------------------- requests


def request_body(job: Job) -> Body:
    """One `generateContent` request with all its references inside."""
    return DIALECT.body(job)


def file_line(key: str, request: Body) -> Iterator[bytes | memoryview]:
    """A request as a line of the JSONL file, in pieces."""
    yield f'{{"key":{json.dumps(key)},"request":'.encode()
    yield from request
    yield b"}\n"


def request_of_line(key: str, line: bytes) -> bytes:
    """The request in a line that `file_line` has made for `key`."""
    return line[len(next(file_line(key, json_body({})))) : -len(b"}\n")]


def create_inline(job: Job, name: str, requests: Sequence[tuple[str, bytes]]) -> Send:
    """Creates an order called `name` of `requests`: key and JSON of each."""
    parts: list[Part] = [
        Raw(f'{{"batch":{{"displayName":{json.dumps(name)},"inputConfig":{{"requests":{{"requests":['.encode())
    ]
    for index, (key, request) in enumerate(requests):
        metadata = json.dumps({"key": key})
        parts.append(Raw(b"," * bool(index) + b'{"request":'))
        parts.append(Raw(request))
        parts.append(Raw(f',"metadata":{metadata}}}'.encode()))
    parts.append(Raw(b"]}}}}"))
    return _create(job, Body(tuple(parts), "application/json"))


def create_of_file(job: Job, name: str, file: str) -> Send:
    """Creates an order called `name` of the requests in an uploaded file."""
    return _create(job, json_body({"batch": {"displayName": name, "inputConfig": {"fileName": file}}}))


def _create(job: Job, body: Body) -> Send:
    return Send("POST", job.url(batch_api(job).path), {"at": "create"}, paid=True, body=body)


def announce_file(job: Job, size: int, name: str) -> Send:
    """Opens the upload of a JSONL file of `size` bytes."""
    return Send(
        "POST",
        job.upload_url(f"/upload{_VERSION}/files"),
        {"at": "announce"},
        body=json_body({"file": {"display_name": name}}),
        headers={
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": "application/jsonl",
        },
    )


def put_file(reply: Reply, content: Part) -> Send | Failed:
    """Sends the file to the address that the answer to `announce_file` names."""
    # Some answers repeat the key in this address. It needs none, and none goes along: the address is the permission.
    address = re.sub(r"([?&])key=[^&]*(&|$)", r"\1", reply.headers.get("x-goog-upload-url", "")).rstrip("?&")
    if not address.startswith(("http://", "https://")):
        return Failed(unreadable(reply))
    body = Body((content,), "application/jsonl")
    headers = {"X-Goog-Upload-Offset": "0", "X-Goog-Upload-Command": "upload, finalize"}
    return Send("POST", address, {"at": "put"}, body=body, headers=headers, with_key=False)


def poll(job: Job, batch: str) -> Send:
    """Asks how far an order is."""
    return Send("GET", job.url(f"{_VERSION}/{batch}"), {"at": "poll"})


def cancel(job: Job, batch: str) -> Send:
    """Cancels an order: what isn't made yet is not made any more."""
    return Send("POST", job.url(f"{_VERSION}/{batch}:cancel"), {"at": "cancel"}, body=json_body({}))


def list_page(job: Job, page: str = "") -> Send:
    """Asks for a page of the account's batches."""
    more = f"&pageToken={page}" if page else ""
    return Send("GET", job.url(f"{_VERSION}/batches?pageSize={_PAGE}{more}"), {"at": "list"})


def download(job: Job, file: str) -> Send:
    """Fetches a file of answers."""
    return Send("GET", job.url(f"{_VERSION}/{file}:download?alt=media"), {"at": "download"})


def batch_api(job: Job) -> BatchApi:
    """What the provider says of its batches."""
    found = job.spec.batch
    assert found is not None
    return found


# --------------------------------------------------------------------------------------------------- answers


def failure(job: Job, reply: Reply) -> ProviderFailure:
    """What an error says."""
    return DIALECT.failure(job, reply)


def uploaded_file(reply: Reply) -> str:
    """The name of an uploaded file, "" where the answer has none."""
    return _named(_value(reply).get("file"), _FILE)


def created_batch(reply: Reply) -> str:
    """The name of the batch that was created, "" where the answer has none."""
    return _named(_value(reply), _BATCH)


def batches_of_page(reply: Reply) -> tuple[dict[str, str], str] | None:
    """The batches of a page: our display name -> their name; and the token of the next page, "" after the last.

    None where the answer is no list.
    """
    value = _value(reply)
    if not value and reply.body.strip() != b"{}":
        return None
    found: dict[str, str] = {}
    for operation in gemini_errors.objects(value, "operations") + gemini_errors.objects(value, "batches"):
        inner = operation.get("metadata")
        name = _named(operation, _BATCH) or _named(inner, _BATCH)
        shown = gemini_errors.text_of(inner, "displayName") or gemini_errors.text_of(operation, "displayName")
        if name and shown:
            found[shown] = name
    token = gemini_errors.text_of(value, "nextPageToken")
    return found, token if re.fullmatch(r"[\w=.~+/-]{1,2000}", token) else ""


def status_of(reply: Reply) -> BatchStatus | None:
    """How far an order is; None where the answer doesn't say."""
    value = _value(reply)
    metadata = value.get("metadata") if isinstance(value.get("metadata"), dict) else value
    assert isinstance(metadata, dict)
    word = gemini_errors.text_of(metadata, "state").upper().partition("_STATE_")[2]
    error = value.get("error")
    state = _STATES.get(word)
    stats = metadata.get("batchStats")
    answers, file = None, ""
    for output in (value.get("response"), metadata.get("output")):
        inlined = output.get("inlinedResponses") if isinstance(output, dict) else None
        if answers is None and isinstance(inlined, dict):
            listed = inlined.get("inlinedResponses")
            # What is no object keeps its place: answers without keys are told by it.
            objects = listed if isinstance(listed, list) else []
            answers = tuple(each if isinstance(each, dict) else {"unread": each} for each in objects)
        file = file or _file_of(output)
    if state is None:
        # Where the state isn't known, answers or a file show that the order has ended.
        if value.get("done") is not True and not (answers or file):
            return None
        state = "failed" if isinstance(error, dict) and not (answers or file) else "succeeded"
    return BatchStatus(
        state,
        _count(stats, "successfulRequestCount"),
        _count(stats, "requestCount"),
        answers,
        file,
        error if isinstance(error, dict) else None,
    )


def answer_of(job: Job, value: Mapping[str, Any], reply: Reply) -> BatchAnswer:
    """One answer of an order. `reply` is what it was read from."""
    metadata = value.get("metadata")
    key = gemini_errors.text_of(value, "key") or gemini_errors.text_of(metadata, "key")
    response, error = value.get("response"), value.get("error")
    if isinstance(response, dict):
        step = DIALECT.parse(job, {"at": "poll"}, reply, response)
        return BatchAnswer(key, step if isinstance(step, (Done, Failed)) else Failed(unreadable(reply)))
    if isinstance(error, dict):
        return BatchAnswer(key, Failed(error_of_request(job, error)))
    return BatchAnswer(key, Failed(unreadable(reply)))


def answer_of_line(job: Job, line: bytes) -> BatchAnswer | None:
    """The answer in a line of the file; None where the line is none."""
    reply = Reply(200, {}, line)
    value = _value(reply)
    return answer_of(job, value, reply) if value else None


def answer_bytes(value: Mapping[str, Any]) -> bytes:
    """One answer that came inside, as a line of the file would have it."""
    return json.dumps(value, default=_long_text).encode()


def _long_text(value: Any) -> str:
    """A long text of the answer. Raises TypeError for anything else."""
    if not isinstance(value, LongText):
        raise TypeError(type(value).__name__)
    return value.read().decode("utf-8", "replace")


_KEY = re.compile(rb'"key"\s*:\s*"(\d{1,9})"')


def key_in(line: bytes) -> str:
    """The key in a line that is no JSON, "" where it shows none: it is the first or the last field."""
    found = _KEY.search(line[:400]) or _KEY.search(line[-400:])
    return found[1].decode() if found else ""


def error_of_request(job: Job, error: Mapping[str, Any]) -> ProviderFailure:
    """Why one request of an order, or the whole order, failed: an error object, whose code may be one of google.rpc.Status.

    Google's billing page says that a request which fails is not charged; an error of its own servers is left in doubt.
    """
    code = error.get("code")
    known = code if isinstance(code, int) and not isinstance(code, bool) else 13
    status = known if 400 <= known < 600 else _HTTP_OF_CODE.get(known, 500)
    word = gemini_errors.text_of(error, "status") or _WORDS.get(status, "INTERNAL")
    message = gemini_errors.text_of(error, "message")
    body = json.dumps({"error": {"code": status, "message": message, "status": word}})
    found = DIALECT.failure(job, Reply(status, {}, body.encode()))
    return ProviderFailure(
        found.kind,
        found.message,
        unbilled=True if status < 500 else None,
        cure=found.cure,
        opening=msg("order.request_failed"),
    )


def _value(reply: Reply) -> dict[str, Any]:
    """The object in an answer, {} where there is none."""
    try:
        value = read_json(reply.body)
    except NotJson:
        return {}
    return value if isinstance(value, dict) else {}


def _named(value: Any, pattern: re.Pattern[str]) -> str:
    name = gemini_errors.text_of(value, "name") if isinstance(value, dict) else ""
    return name if pattern.fullmatch(name) else ""


def _file_of(output: Any) -> str:
    name = gemini_errors.text_of(output, "responsesFile") if isinstance(output, dict) else ""
    return name if _FILE.fullmatch(name) else ""


def _count(stats: Any, name: str) -> int | None:
    """A 64-bit number, which the JSON of protocol buffers has in a string. A field that is 0 is left out there."""
    if not isinstance(stats, dict):
        return None
    value = stats.get(name, 0)
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
