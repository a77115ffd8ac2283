"""What Google's two APIs share: `generateContent` with its checks, its answers and its errors.

Follows the Gemini image guide and the SDK; `gemini_request.py` reads the body. A request gives one picture. Models that
think send a draft first, marked as a thought; where text may be answered, a few words come before the picture. A declined
request is an HTTP 200 without a picture, as there; the fault option `reason` chooses the reason. Subclassed by the APIs
`google` and `vertex`. Judged by google-genai 3.6 (`tests/conformance`).
"""

from __future__ import annotations

import base64
import functools
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pack.simulator.fields import wrong
from pack.simulator.files import MIME
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import Reference
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from pack.tests.doubles.api import DECLINED, Api, Call
from pack.tests.doubles.delivery import delivery_of
from pack.tests.doubles.gemini_request import Takes, checked, first_text, read_turns, signature, unbase64
from pack.tests.doubles.tasks import Task
from PIL import Image

LARGEST_BODY = 20_000_000
TIERS = {"512": "0.5K", "1K": "1K", "2K": "2K", "4K": "4K"}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_RPC = "type.googleapis.com/google.rpc."


@dataclass(frozen=True)
class Spec:
    """What one model takes."""

    prices: dict[str, float]
    """US dollars by resolution."""
    ratios: tuple[str, ...] = RATIOS_10
    sizes: tuple[str, ...] = ()
    """Values of `imageSize`; empty where the field itself is an error."""
    levels: tuple[str, ...] = ()
    """Values of `thinkingLevel`."""
    thinks: bool = False
    """Whether it thinks without being asked to."""
    searches: bool = False
    instructed: bool = True
    """Whether it takes a `systemInstruction`."""

    def takes(self, formats: bool) -> Takes:
        """What a request to it may hold."""
        return Takes(self.ratios, self.sizes, self.levels, self.thinks, self.searches, self.instructed, formats)


MODELS = {
    "gemini-3-pro-image": Spec(
        {"1K": 0.134, "2K": 0.134, "4K": 0.24}, sizes=("1K", "2K", "4K"), thinks=True, searches=True
    ),
    "gemini-nano-banana-2.1": Spec(
        {"1K": 0.0336, "2K": 0.0504, "4K": 0.1134},
        RATIOS_14,
        ("1K", "2K", "4K"),
        ("minimal", "medium", "high"),
        thinks=True,
        searches=True,
    ),
    "gemini-3.1-flash-image": Spec(
        {"0.5K": 0.045, "1K": 0.067, "2K": 0.101, "4K": 0.151},
        RATIOS_14,
        ("512", "1K", "2K", "4K"),
        ("minimal", "high"),
        searches=True,
    ),
    "gemini-3.1-flash-lite-image": Spec({"1K": 0.0336}, levels=("minimal", "high")),
    "gemini-2.5-flash-image": Spec({"": 0.039}, instructed=False),
}


class Gemini(Api):
    """See the module."""

    models: Mapping[str, Spec] = MODELS
    """What it serves, by wire model id."""
    output_formats = False
    """Whether the file format can be asked for."""

    def _read(self, call: Call) -> ImageRequest:
        model = call.path_params["model"]
        spec = self.models.get(model)
        if spec is None:
            raise Problem(404, self.unknown_model(model[:80]))
        if len(call.request.body) > LARGEST_BODY:
            raise Problem(400, f"Request payload size exceeds the limit: {LARGEST_BODY} bytes.")
        fields = checked(call.fields, spec.takes(self.output_formats))
        prompt, references = read_turns(
            fields["contents"], lambda *where: self.file(call, *where), call.note, signed=spec.thinks
        )
        config = fields["generationConfig"]
        image = config.get("imageConfig", {})
        tier = TIERS[image["imageSize"]] if "imageSize" in image else "1K" if "1K" in spec.prices else ""
        ratio = image.get("aspectRatio")
        if ratio is None:
            # Nobody documents whose ratio several references give; that of the last one is what a reseller says.
            last = references[-1] if references else None
            ratio = nearest_ratio(last.width, last.height, spec.ratios) if last else "1:1"
        thinking = config.get("thinkingConfig", {})
        level = thinking.get("thinkingLevel", "high" if spec.thinks else "minimal")
        words = "TEXT" in config.get("responseModalities", ("TEXT", "IMAGE"))
        mime = image.get("imageOutputOptions", {}).get("mimeType", "image/png")
        return ImageRequest(
            model=model,
            prompt=prompt,
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=spec.prices[tier],
            seed=config.get("seed"),
            file_format="jpeg" if mime == "image/jpeg" else "png",
            encoding="b64",
            references=references,
            drafts=int(level.lower() != "minimal" and thinking.get("includeThoughts", True)),
            extras={
                "searches": "tools" in fields,
                "words": words,
            },
        )

    def unknown_model(self, model: str) -> str:
        """As Google's answer says it."""
        return f"models/{model} is not found, or is not supported for generateContent."

    def prompt_of(self, fields: dict[str, Any]) -> object:
        """The first text of the last turn."""
        return first_text(fields)

    def file(self, call: Call, field: str, uri: str, mime: str) -> Reference:
        """The picture behind a `fileUri`; raises Problem."""
        raise wrong(field, "only addresses of Google Cloud Storage are read here, and the simulator has none")

    # ------------------------------------------------------------------------------------------------ answers

    def problem(self, problem: Problem) -> Reply:
        """`error` with `code`, `message`, `status` and, for some, `details`."""
        status, message, details = problem.status, problem.message, []
        headers = problem.headers
        word = STATUSES.get(status, "INVALID_ARGUMENT")
        if status == 402:
            # Google's answer to a key without billing.
            status, word = 429, "RESOURCE_EXHAUSTED"
            message = "You exceeded your current quota, please check your plan and billing details."
            details = [_quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")]
        elif status == 451:
            status, word, message = 400, "FAILED_PRECONDITION", "User location is not supported for the API use."
        elif status == 415:
            status = 400
        elif status == 429:
            seconds = dict(headers).get("Retry-After", "")
            details = [_quota("GenerateRequestsPerMinutePerProjectPerModel")]
            if seconds.isdecimal():
                # Google asks for a pause in the body, and not in a header.
                headers = ()
                details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{seconds}s"})
        error: dict[str, Any] = {"code": status, "message": message, "status": word}
        if details:
            error["details"] = details
        return json_reply(status, {"error": error}, headers)

    def refused(self, call: Call, image_request: ImageRequest, status: int) -> Reply:
        """By default a finished answer whose picture was held back; 200 is one in words alone."""
        if status not in (0, 200):
            return self.problem(Problem(status, DECLINED))
        reason = str(image_request.extras.get("reason", "IMAGE_SAFETY" if status == 0 else "STOP"))
        if reason.startswith("block:"):
            blocked = {"promptFeedback": {"blockReason": reason.removeprefix("block:")}}
            return _answer(call, {**blocked, **_tail(image_request)})
        candidate: dict[str, Any] = {"finishReason": reason, "index": 0}
        if status == 200:
            candidate["content"] = {"role": "model", "parts": [{"text": DECLINED}]}
        else:
            candidate["finishMessage"] = "Unable to show the generated image. " + DECLINED
        return _answer(call, {"candidates": [candidate], **_tail(image_request)})

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """One candidate: a draft where the model thinks, a word, then the pictures."""
        parts: list[dict[str, Any]] = []
        if image_request.drafts:
            parts.append({"text": "I sketch the composition first.", "thought": True})
        for number in range(image_request.drafts):
            parts.append({"inlineData": {"mimeType": "image/png", "data": _draft(number)}, "thought": True})
        if image_request.extras["words"] and results:
            words = "Here is the picture."
            parts.append({"text": words, "thoughtSignature": signature(words.encode())})
        parts += [_part(result, image_request) for result in results]
        candidate: dict[str, Any] = {
            "content": {"role": "model", "parts": parts},
            "finishReason": "STOP" if results else "NO_IMAGE",
            "index": 0,
        }
        if not results:
            del candidate["content"]
        if image_request.extras["searches"] and results:
            page = {"uri": "https://example.com/facts", "title": "Facts"}
            candidate["groundingMetadata"] = {"webSearchQueries": ["facts"], "groundingChunks": [{"web": page}]}
        return _answer(call, {"candidates": [candidate], **_tail(image_request)})

    def started(self, call: Call, task: Task) -> Reply:
        """This API has no tasks; the fault option for them is answered as what it would be here."""
        return self.problem(Problem(400, "This API has no tasks."))


def _answer(call: Call, value: dict[str, Any]) -> Reply:
    """An answer as a whole; on the route for streams a chunk for each part, and one for the end with the use of tokens.

    Chunks are server-sent events where the query says so, and a list else, as in the documents of the two APIs.
    """
    if call.route.name != "stream":
        return json_reply(200, value)
    chunks = list(_chunks(value))
    if call.request.query != "alt=sse":
        return json_reply(200, chunks)
    events = [b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\r\n\r\n" for chunk in chunks]
    reply = Reply(200, b"".join(events), "text/event-stream")
    delivery_of(reply).events = tuple(itertools.accumulate(map(len, events)))
    return reply


def _chunks(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    named = {name: value[name] for name in ("modelVersion", "responseId")}
    for candidate in value.get("candidates", ()):
        for part in candidate.pop("content", {}).get("parts", ()):
            yield {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], **named}
    yield value


def _part(result: Result, image_request: ImageRequest) -> dict[str, Any]:
    mime = MIME[image_request.file_format]
    if result.url.startswith("http"):
        return {"fileData": {"mimeType": mime, "fileUri": result.url}}
    data = result.address()
    try:
        content = unbase64("data", data)
    except Problem:  # a fault has damaged it
        content = b""
    return {"inlineData": {"mimeType": mime, "data": data}, "thoughtSignature": signature(content)}


def _tail(image_request: ImageRequest) -> dict[str, Any]:
    return {
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1120, "totalTokenCount": 1129},
        "modelVersion": image_request.model,
        "responseId": "simulated",
    }


def _quota(name: str) -> dict[str, Any]:
    metric = "generativelanguage.googleapis.com/generate_content_requests"
    return {"@type": f"{_RPC}QuotaFailure", "violations": [{"quotaMetric": metric, "quotaId": name}]}


@functools.cache
def _draft(number: int) -> str:
    """A small grey picture, the lighter the later: a draft, which is no result."""
    out = io.BytesIO()
    Image.new("RGB", (256, 256), (0x77 + 16 * number,) * 3).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode("ascii")
