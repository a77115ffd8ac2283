"""OpenRouter: pictures through chat completions, and through its images API.

Chat wants both modalities and puts data URIs into `message.images`; images wants `input_references` and answers in base64.
What either says it cost is in `usage.cost`. The real images API tolerates unknown fields; here they are refused,
because that would hide our mistakes. Judged by the vendor's SDK (`tests/conformance`).
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, choice, json_object, number, text, whole, wrong
from pack.simulator.files import MIME
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.references import Reference
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, RATIOS_14, nearest_ratio, pixels
from pack.tests.doubles.api import DECLINED, Api, Call
from pack.tests.doubles.tasks import Task

PRICES = {
    "google/gemini-3-pro-image": 0.134,
    "google/gemini-nano-banana-2.1": 0.0336,
    "google/gemini-3.1-flash-image": 0.067,
    "google/gemini-3.1-flash-lite-image": 0.0336,
    "google/gemini-2.5-flash-image": 0.039,
}
FIRST, LITE = "google/gemini-2.5-flash-image", "google/gemini-3.1-flash-lite-image"
FLASH = ("google/gemini-nano-banana-2.1", "google/gemini-3.1-flash-image")
MOST = 14
KEY: dict[str, Any] = {
    "label": "sim",
    "limit": None,
    "limit_remaining": None,
    "limit_reset": None,
    "creator_user_id": None,
    "organization_id": None,
    "workspace_id": None,
    "effective_budget": None,
    "budgets": [],
    "allowed_data_regions": [],
    "include_byok_in_limit": False,
    "is_free_tier": False,
    "is_management_key": False,
    "is_provisioning_key": False,
    "free_model_daily_requests": {"limit": 50, "remaining": 50, "used": 0},
    "rate_limit": {"interval": "10s", "note": "This field is deprecated and safe to ignore.", "requests": -1},
    **{f"{name}{period}": 0 for name in ("usage", "byok_usage") for period in ("", "_daily", "_weekly", "_monthly")},
}
"""What the API says of a key; every field that the SDK wants is there."""


class OpenRouter(Api):
    """See the module."""

    id = "openrouter"
    auth = "bearer"

    def routes(self) -> tuple[Route, ...]:
        """Chat completions, the images API, and the key itself for testing it."""
        return (
            route("chat", "POST", "/v1/chat/completions", read=self._chat),
            route("images", "POST", "/v1/images", read=self._images),
            route("key", "GET", "/v1/key", answer=self._key, kind="other", body="none"),
        )

    def _chat(self, call: Call) -> ImageRequest:
        name = self._model(call)
        checks: dict[str, Check] = {
            "model": text(),
            "messages": _messages,
            "modalities": _modalities,
            "image_config": json_object,
            "temperature": number(0, 2),
            "top_p": number(0, 1),
            "stream": _off,
        }
        fields = check_fields(call.fields, checks, ("model", "messages", "modalities"))
        shape: dict[str, Check] = {"aspect_ratio": choice(*_ratios(name))}
        if name not in (FIRST, LITE):
            shape["image_size"] = choice("1K", "2K", "4K")
        config = check_fields(fields.get("image_config", {}), shape, ())
        prompt, urls = fields["messages"]
        references = call.references("messages[0].content", urls, bare=False)
        return self._order(name, prompt, references, config, config.get("image_size", "1K"), "datauri")

    def _images(self, call: Call) -> ImageRequest:
        name = self._model(call)
        checks: dict[str, Check] = {
            "model": text(),
            "prompt": text(),
            "n": whole(1, 1),
            "aspect_ratio": choice(*_ratios(name)),
            "seed": whole(0, 2**31 - 1),
            "output_format": choice("png", "jpeg", "webp"),
            "input_references": _references,
        }
        if name not in (FIRST, LITE):
            checks["resolution"] = choice("1K", "2K", "4K")
        fields = check_fields(call.fields, checks, ("model", "prompt"))
        references = call.references("input_references", fields.get("input_references", []), bare=False)
        image_request = self._order(name, fields["prompt"], references, fields, fields.get("resolution", "1K"), "b64")
        image_request.seed, image_request.file_format = fields.get("seed"), fields.get("output_format", "png")
        return image_request

    def _model(self, call: Call) -> str:
        name = call.fields.get("model")
        if not isinstance(name, str):
            raise wrong("model", "is required" if "model" not in call.fields else "must be a string")
        if name not in PRICES:
            raise Problem(404, f"No endpoints found for {name[:80]}.")
        return name

    def _order(
        self, name: str, prompt: str, references: list[Reference], shape: dict[str, Any], tier: str, encoding: str
    ) -> ImageRequest:
        if len(references) > MOST:
            raise wrong("images", f"at most {MOST} are taken")
        ratio = shape.get("aspect_ratio", "")
        if not ratio:
            size = (references[0].width, references[0].height) if references else (1, 1)
            ratio = nearest_ratio(*size, _ratios(name))
        tier = "" if name == FIRST else tier
        return ImageRequest(
            model=name,
            prompt=prompt,
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=PRICES[name],
            encoding=encoding,
            references=references,
        )

    def _key(self, _call: Call) -> Reply:
        return json_reply(200, {"data": KEY})

    def prompt_of(self, fields: dict[str, Any]) -> object:
        """A content that is words alone; parts and a plain prompt are found as everywhere."""
        try:
            return fields["prompt"] if "prompt" in fields else fields["messages"][0]["content"]
        except (LookupError, TypeError):
            return None

    def problem(self, problem: Problem) -> Reply:
        """`{error: {message, code, metadata}}`; moderation is a 403 that says why."""
        status = problem.status
        error: dict[str, Any] = {"message": problem.message, "code": status}
        if problem.code == "content_policy_violation" and status in (400, 403):
            error = {
                "message": "Your chosen model requires moderation and your input was flagged",
                "code": 403,
                "metadata": {"reasons": ["violence"], "flagged_input": "...", "provider_name": "Google"},
            }
        elif status in (502, 503):
            error["metadata"] = {"provider_name": "Google", "raw": problem.message}
        return json_reply(error["code"], {"error": error}, problem.headers)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        """The answer of the route that was asked."""
        usage: dict[str, Any] = {"prompt_tokens": 12, "completion_tokens": 1290, "total_tokens": 1302}
        if results and call.record is not None:
            usage["cost"] = call.record.cost_usd
        if call.route.name == "images":
            mime = MIME[image_request.file_format]
            data = [{"b64_json": r.b64, "media_type": mime} if r.b64 else r.entry() for r in results]
            answer: dict[str, Any] = {"created": int(time.time()), "data": data, "usage": usage}
            if revised is not None:
                answer["error"] = {"message": revised, "code": 200}
            return json_reply(200, answer)
        message: dict[str, Any] = {"role": "assistant", "content": revised or "", "refusal": None}
        if results:
            message["images"] = [
                {"type": "image_url", "index": index, "image_url": {"url": _as_uri(result, image_request)}}
                for index, result in enumerate(results)
            ]
        choice_ = {
            "index": 0,
            "finish_reason": "stop",
            "native_finish_reason": "IMAGE_SAFETY" if revised == DECLINED else "STOP",
            "message": message,
        }
        answer = {
            "id": f"gen-{int(time.time())}-{secrets.token_hex(8)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "system_fingerprint": None,
            "model": image_request.model,
            "provider": "Google",
            "choices": [choice_],
            "usage": usage,
        }
        return json_reply(200, answer)

    def started(self, call: Call, task: Task) -> Reply:
        """This API has no tasks: what would be one is answered at once."""
        return self.finished(call, task.image_request, [] if task.ending in ("fail", "cancelled") else task.results)


def _ratios(name: str) -> tuple[str, ...]:
    return RATIOS_14 if name in FLASH else RATIOS_10


def _as_uri(result: Result, image_request: ImageRequest) -> str:
    return result.url or f"data:image/{image_request.file_format};base64,{result.b64}"


def _modalities(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or sorted(map(str, value)) != ["image", "text"]:
        raise wrong(name, 'must be ["image", "text"] for this model')
    return value


def _off(name: str, value: Any) -> bool:
    """The SDK always says that it wants no stream."""
    if value is not False:
        raise wrong(name, "only false is known here")
    return False


def _messages(name: str, value: Any) -> tuple[str, list[str]]:
    """One message of a user: words alone, or texts and pictures in any order. Gives the text and their addresses."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise wrong(name, "must hold one message")
    message = value[0]
    if set(message) != {"role", "content"} or message["role"] != "user":
        raise wrong(f"{name}[0]", "must have the role user and a content")
    parts, where = message["content"], f"{name}[0].content"
    if isinstance(parts, str):
        return text()(where, parts), []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise wrong(where, "must be a text or an array of parts")
    texts = [part for part in parts if part.get("type") == "text"]
    pictures = [part for part in parts if part.get("type") != "text"]
    if not texts:
        raise wrong(where, "a text is expected by the simulator")
    words = [check_fields(part, {"type": choice("text"), "text": text()}, ("type", "text"))["text"] for part in texts]
    return "\n".join(words), _references(where, pictures, {"detail": choice("auto", "low", "high", "original")})


def _references(name: str, value: Any, more: dict[str, Check] | None = None) -> list[str]:
    """The addresses of pictures; `more` are fields that may be beside the address."""
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise wrong(name, "must be an array of objects")
    checks: dict[str, Check] = {"type": choice("image_url"), "image_url": json_object}
    urls = []
    for part in value:
        found = check_fields(part, checks, ("type", "image_url"))
        urls.append(check_fields(found["image_url"], {"url": text(), **(more or {})}, ("url",))["url"])
    return urls


API = OpenRouter()
