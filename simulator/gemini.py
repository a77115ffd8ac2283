"""What Google's two APIs share: `generateContent` with its checks, its answers and its errors.

Follows the Gemini image guide and the SDK, and refuses every field that neither names. A request holds one turn of the
user, and gives one picture. Models that think send a draft first, marked as a thought. A declined request is an HTTP 200
without a picture, as there; the fault word `reason` chooses the reason. Subclassed by the APIs `google` and `vertex`.
"""

from __future__ import annotations

import base64
import binascii
import functools
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from .api import DECLINED, Api, Call
from .fields import Check, check_fields, choice, json_object, text, whole, wrong
from .files import MIME
from .message import Reply, json_reply
from .order import Order
from .problem import Problem
from .references import FORMATS, Reference, decode
from .results import Result
from .sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from .tasks import Task

LARGEST_BODY = 20_000_000
MOST = 14
CATEGORIES = tuple(
    f"HARM_CATEGORY_{name}"
    for name in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")
)
THRESHOLDS = ("BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF")
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

    output_formats = False
    """Whether the file format can be asked for."""

    def _read(self, call: Call) -> Order:
        model = call.pieces["model"]
        spec = MODELS.get(model)
        if spec is None:
            raise Problem(404, f"models/{model[:80]} is not found, or is not supported for generateContent.")
        if len(call.request.body) > LARGEST_BODY:
            raise Problem(400, f"Request payload size exceeds the limit: {LARGEST_BODY} bytes.")
        fields = check_fields(
            call.fields,
            {
                "contents": _contents,
                "generationConfig": self._config(spec),
                "tools": _tools(spec),
                "safetySettings": _safety,
                "systemInstruction": _instruction(spec),
            },
            ("contents", "generationConfig"),
        )
        prompt, references = self._parts(call, fields["contents"])
        config = fields["generationConfig"]
        image = config.get("imageConfig", {})
        tier = TIERS[image["imageSize"]] if "imageSize" in image else "1K" if "1K" in spec.prices else ""
        ratio = image.get("aspectRatio")
        if ratio is None:
            # Nobody documents whose ratio several references give; that of the last one is what a reseller says.
            last = references[-1] if references else None
            ratio = nearest_ratio(last.width, last.height, spec.ratios) if last else "1:1"
        level = config.get("thinkingConfig", {}).get("thinkingLevel", "high" if spec.thinks else "minimal")
        mime = image.get("imageOutputOptions", {}).get("mimeType", "image/png")
        return Order(
            model=model,
            prompt=prompt,
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=spec.prices[tier],
            seed=config.get("seed"),
            file_format="jpeg" if mime == "image/jpeg" else "png",
            transport="b64",
            references=references,
            extras={"thinks": level != "minimal", "searches": "tools" in fields},
        )

    def prompt_of(self, fields: dict[str, Any]) -> object:
        """The first text of the first turn."""
        try:
            return next(part["text"] for part in fields["contents"][0]["parts"] if "text" in part)
        except (LookupError, TypeError, StopIteration):
            return None

    def file(self, call: Call, field: str, uri: str, mime: str) -> Reference:
        """The picture behind a `fileUri`; raises Problem."""
        raise wrong(field, "only addresses of Google Cloud Storage are read here, and the simulator has none")

    def _parts(self, call: Call, contents: list[dict[str, Any]]) -> tuple[str, list[Reference]]:
        prompts: list[str] = []
        references: list[Reference] = []
        for number, part in enumerate(contents[0]["parts"]):
            where = f"contents[0].parts[{number}]"
            if "text" in part:
                prompts.append(text()(f"{where}.text", part["text"]))
            elif "inlineData" in part:
                data = check_fields(part["inlineData"], {"mimeType": _mime, "data": text()}, ("mimeType", "data"))
                references.append(decode(where, _unbase64(where, data["data"]), data["mimeType"], "base64"))
            else:
                data = check_fields(part["fileData"], {"mimeType": _mime, "fileUri": text()}, ("mimeType", "fileUri"))
                references.append(self.file(call, where, data["fileUri"], data["mimeType"]))
            call.note(references)
        if len(prompts) != 1:
            raise wrong("contents[0].parts", "exactly one text is expected by the simulator")
        if len(references) > MOST:
            raise wrong("contents[0].parts", f"more than {MOST} pictures")
        return prompts[0], references

    def _config(self, spec: Spec) -> Check:
        image: dict[str, Check] = {"aspectRatio": choice(*spec.ratios)}
        if spec.sizes:
            image["imageSize"] = choice(*spec.sizes)
        if self.output_formats:
            image["imageOutputOptions"] = _inside({"mimeType": choice("image/png", "image/jpeg")}, ("mimeType",))
        checks: dict[str, Check] = {
            "responseModalities": _modalities,
            "imageConfig": _inside(image),
            "seed": whole(-(2**31), 2**31 - 1),
        }
        if spec.levels:
            checks["thinkingConfig"] = _inside({"thinkingLevel": choice(*spec.levels)}, ("thinkingLevel",))
        return _inside(checks, ("responseModalities",))

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
            wish = dict(headers).get("Retry-After", "")
            details = [_quota("GenerateRequestsPerMinutePerProjectPerModel")]
            if wish.isdecimal():
                # Google asks for a pause in the body, and not in a header.
                headers = ()
                details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{wish}s"})
        error: dict[str, Any] = {"code": status, "message": message, "status": word}
        if details:
            error["details"] = details
        return json_reply(status, {"error": error}, headers)

    def refused(self, call: Call, order: Order, status: int) -> Reply:
        """By default a finished answer whose picture was held back; 200 is one in words alone."""
        if status not in (0, 200):
            return self.problem(Problem(status, DECLINED))
        reason = str(order.extras.get("reason", "IMAGE_SAFETY" if status == 0 else "STOP"))
        if reason.startswith("block:"):
            return json_reply(200, {"promptFeedback": {"blockReason": reason.removeprefix("block:")}, **_tail(order)})
        candidate: dict[str, Any] = {"finishReason": reason, "index": 0}
        if status == 200:
            candidate["content"] = {"role": "model", "parts": [{"text": DECLINED}]}
        else:
            candidate["finishMessage"] = "Unable to show the generated image. " + DECLINED
        return json_reply(200, {"candidates": [candidate], **_tail(order)})

    def finished(self, call: Call, order: Order, results: list[Result], revised: str | None = None) -> Reply:
        """One candidate: a draft where the model thinks, a word, then the pictures."""
        parts: list[dict[str, Any]] = []
        if order.extras["thinks"]:
            parts.append({"text": "I sketch the composition first.", "thought": True})
            parts.append({"inlineData": {"mimeType": "image/png", "data": _draft()}, "thought": True})
        parts += [_part(result, order) for result in results]
        candidate: dict[str, Any] = {
            "content": {"role": "model", "parts": parts},
            "finishReason": "STOP" if results else "NO_IMAGE",
            "index": 0,
        }
        if not results:
            del candidate["content"]
        if order.extras["searches"] and results:
            page = {"uri": "https://example.com/facts", "title": "Facts"}
            candidate["groundingMetadata"] = {"webSearchQueries": ["facts"], "groundingChunks": [{"web": page}]}
        return json_reply(200, {"candidates": [candidate], **_tail(order)})

    def started(self, call: Call, task: Task) -> Reply:
        """This API has no tasks; the fault word for them is answered as what it would be here."""
        return self.problem(Problem(400, "This API has no tasks."))


def _inside(checks: dict[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with these fields."""

    def check(name: str, value: Any) -> dict[str, Any]:
        return check_fields(json_object(name, value), checks, required)

    return check


def _contents(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) != 1:
        raise wrong(name, "must hold one turn here")
    turn = check_fields(json_object(name, value[0]), {"role": choice("user"), "parts": _part_list}, ("role", "parts"))
    return [turn]


def _part_list(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise wrong(name, "must be an array with something in it")
    for part in value:
        if not isinstance(part, dict) or len(part) != 1 or next(iter(part)) not in ("text", "inlineData", "fileData"):
            raise wrong(name, "each holds one of text, inlineData, fileData")
        if "text" not in part and not isinstance(next(iter(part.values())), dict):
            raise wrong(name, "inlineData and fileData are objects")
    return value


def _modalities(name: str, value: Any) -> list[str]:
    if value not in (["IMAGE"], ["TEXT", "IMAGE"]):
        raise wrong(name, "must be IMAGE, or TEXT and IMAGE")
    return list(value)


def _tools(spec: Spec) -> Check:
    def check(name: str, value: Any) -> Any:
        if not spec.searches:
            raise wrong(name, "Search as tool is not enabled for this model")
        if value != [{"googleSearch": {}}]:
            raise wrong(name, "only googleSearch with an empty object is known here")
        return value

    return check


def _safety(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        raise wrong(name, "must be an array")
    checks: dict[str, Check] = {"category": choice(*CATEGORIES), "threshold": choice(*THRESHOLDS)}
    found = [check_fields(json_object(name, entry), checks, tuple(checks))["category"] for entry in value]
    if len(set(found)) != len(found):
        raise wrong(name, "a category is given twice")
    return value


def _instruction(spec: Spec) -> Check:
    def check(name: str, value: Any) -> Any:
        if not spec.instructed:
            raise wrong(name, "Developer instruction is not enabled for this model")
        parts = check_fields(json_object(name, value), {"parts": _part_list}, ("parts",))["parts"]
        for part in parts:
            check_fields(part, {"text": text()}, ("text",))
        return value

    return check


def _mime(name: str, value: Any) -> Any:
    return choice(*FORMATS.values())(name, value)


def _unbase64(field: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise wrong(field, "Base64 decoding failed") from None


def _part(result: Result, order: Order) -> dict[str, Any]:
    mime = MIME[order.file_format]
    if result.url.startswith("http"):
        return {"fileData": {"mimeType": mime, "fileUri": result.url}}
    return {"inlineData": {"mimeType": mime, "data": result.address()}, "thoughtSignature": "c2ltdWxhdGVk"}


def _tail(order: Order) -> dict[str, Any]:
    return {
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1120, "totalTokenCount": 1129},
        "modelVersion": order.model,
        "responseId": "simulated",
    }


def _quota(name: str) -> dict[str, Any]:
    metric = "generativelanguage.googleapis.com/generate_content_requests"
    return {"@type": f"{_RPC}QuotaFailure", "violations": [{"quotaMetric": metric, "quotaId": name}]}


@functools.cache
def _draft() -> str:
    """A small grey picture that nobody should take for the result."""
    out = io.BytesIO()
    Image.new("RGB", (32, 32), "#777777").save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode("ascii")
