"""The APIs of the providers in `example_providers/`, one class each, by the id that the example gives its provider.

Each is written from the provider's public document, which the example names with its date, and refuses what that
document doesn't name. A double proves nothing about a provider: nobody here has a key for one, and no vendor's SDK or
published schema has judged these, except for the Gemini bodies, whose shape google-genai judges at the double of Google.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pack.simulator.api import Route, route
from pack.simulator.fields import Check, check_fields, choice, strings, text, wrong
from pack.simulator.image_request import ImageRequest
from pack.simulator.message import Reply, json_reply
from pack.simulator.problem import Problem
from pack.simulator.results import Result
from pack.simulator.sizes import RATIOS_10, nearest_ratio, pixels
from pack.tests.doubles.api import Api, Call
from pack.tests.doubles.gemini import MODELS, Gemini, Spec
from pack.tests.doubles.providers.openrouter import PRICES, OpenRouter
from pack.tests.doubles.tasks import Task

GENERATE = r"/v1beta/models/(?P<model>[^/:]+):generateContent"


class GeminiReseller(Gemini):
    """`generateContent` as Google has it, with the key as a Bearer token."""

    auth = "bearer"

    def routes(self) -> tuple[Route, ...]:
        return (route("generate", "POST", GENERATE, read=self._read),)

    def unknown_model(self, model: str) -> str:
        return f"No available channel for model {model}"


class ApiYi(GeminiReseller):
    """The preview ids stay. No size below 1K is in its table of the Pro model, and none at all for the first one."""

    id = "apiyi"
    models = {
        "gemini-3-pro-image-preview": replace(
            MODELS["gemini-3-pro-image"], prices={"1K": 0.09, "2K": 0.09, "4K": 0.09}
        ),
        "gemini-3.1-flash-image-preview": MODELS["gemini-3.1-flash-image"],
        "gemini-3.1-flash-lite-image": MODELS["gemini-3.1-flash-lite-image"],
        "gemini-2.5-flash-image": MODELS["gemini-2.5-flash-image"],
    }


class LaoZhang(GeminiReseller):
    """Google's own ids, one price a call."""

    id = "laozhang"


class LiteLlm(GeminiReseller):
    """A proxy whose owner names the models; these names are the example's."""

    id = "litellm"


class ComfyRouter(Gemini):
    """ComfyUI's router: the model's native body at a path of its own, errors in a header and `detail`."""

    id = "comfy_router"
    auth = "raw"
    auth_header = "X-API-Key"
    output_formats = True
    models: Mapping[str, Spec] = {
        name: replace(
            MODELS[name],
            sizes=tuple(size for size in MODELS[name].sizes if size != "512"),
            searches=False,  # `tools` has function declarations only
        )
        for name in ("gemini-3-pro-image", "gemini-nano-banana-2.1", "gemini-3.1-flash-image")
    }

    def routes(self) -> tuple[Route, ...]:
        return (route("generate", "POST", r"/v2/models/vertexai/(?P<model>[^/:]+)", read=self._read),)

    def _read(self, call: Call) -> ImageRequest:
        image_request = super()._read(call)
        level = call.fields["generationConfig"].get("thinkingConfig", {}).get("thinkingLevel", "HIGH")
        if level != level.upper():
            raise wrong("generationConfig.thinkingConfig.thinkingLevel", "must be one of MINIMAL, LOW, MEDIUM, HIGH")
        return image_request

    def replay_key(self, call: Call) -> str:
        """`Idempotency-Key`: the same one again is the same generation and the same charge."""
        key = (call.request.header("idempotency-key") or "").strip()
        if call.request.header("idempotency-key") is not None and not 1 <= len(key) <= 255:
            raise wrong("Idempotency-Key", "must have 1 to 255 characters")
        return key

    def started(self, call: Call, task: Task) -> Reply:
        """What an earlier request with the same key was answered with."""
        reply = self.finished(call, task.image_request, task.results)
        reply.headers.append(("Idempotent-Replayed", "true"))
        return reply

    def problem(self, problem: Problem) -> Reply:
        """A 422 names the fields, everything else is a sentence; the kind is in a header."""
        kinds = {401: "authentication_failed", 402: "insufficient_credits", 404: "model_not_found", 429: "rate_limited"}
        status = 422 if problem.field and problem.status == 400 else problem.status
        kind = kinds.get(status, "internal_error" if status >= 500 else "invalid_input")
        detail: Any = problem.message
        if status == 422:
            detail = [{"loc": ["body", problem.field], "msg": problem.message, "type": "value_error"}]
        return json_reply(status, {"detail": detail}, (*problem.headers, ("X-Comfy-Error-Type", kind)))


class VercelGateway(OpenRouter):
    """Chat completions whose images come in `message.images`; no field for ratio or size is documented there."""

    id = "vercel_gateway"

    def routes(self) -> tuple[Route, ...]:
        return (route("chat", "POST", "/v1/chat/completions", read=self._plain_chat),)

    def _plain_chat(self, call: Call) -> ImageRequest:
        if "image_config" in call.fields:
            raise wrong("image_config", "is not known here")
        return self._chat(call)


class LaoZhangChat(VercelGateway):
    """The same request, answered with the image as base64 inside the words."""

    id = "laozhang_chat"

    def _model(self, call: Call) -> str:
        """Ids without the maker's name before them."""
        name = call.fields.get("model")
        if not isinstance(name, str) or f"google/{name}" not in PRICES:
            raise Problem(404, f"No available channel for model {str(name)[:80]}")
        return f"google/{name}"

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        pictures = [f"![image]({result.url or f'data:image/png;base64,{result.b64}'})" for result in results]
        message = {"role": "assistant", "content": revised or "\n".join(pictures)}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "model": image_request.model}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return json_reply(200, {**answer, "choices": choices, "usage": {"total_tokens": 1302}})


class GrsAi(Api):
    """Its drawing API without a webhook: the answer is a stream of task states, the last of which has the addresses."""

    id = "grsai"
    auth = "bearer"
    PRICES = {"nano-banana-pro": 0.1, "nano-banana": 0.03}

    def routes(self) -> tuple[Route, ...]:
        return (route("draw", "POST", "/v1/draw/nano-banana", read=self._draw),)

    def _draw(self, call: Call) -> ImageRequest:
        checks: dict[str, Check] = {
            "model": choice(*self.PRICES),
            "prompt": text(),
            "urls": strings(1, 14),
            "aspectRatio": choice("auto", *RATIOS_10),
            "shutProgress": lambda _, value: value,
        }
        if call.fields.get("model") == "nano-banana-pro":
            checks["imageSize"] = choice("1K", "2K", "4K")
        fields = check_fields(call.fields, checks, ("model", "prompt"))
        references = call.references("urls", fields.get("urls", []), bare=True)
        ratio = fields.get("aspectRatio", "auto")
        if ratio == "auto":
            ratio = nearest_ratio(references[0].width, references[0].height) if references else "1:1"
        tier = fields.get("imageSize", "1K")
        return ImageRequest(
            model=fields["model"],
            prompt=fields["prompt"],
            size=pixels(ratio, tier),
            ratio=ratio,
            resolution=tier,
            price=self.PRICES[fields["model"]],
            encoding="url",
            references=references,
        )

    def problem(self, problem: Problem) -> Reply:
        return json_reply(problem.status, {"code": -1, "msg": problem.message}, problem.headers)

    def finished(
        self, call: Call, image_request: ImageRequest, results: list[Result], revised: str | None = None
    ) -> Reply:
        state: dict[str, Any] = {"id": "14-sim", "progress": 100, "failure_reason": "", "error": ""}
        state["results"] = [{"url": result.address(), "content": image_request.prompt} for result in results]
        state["status"] = "succeeded" if results else "failed"
        if not results:
            state |= {"failure_reason": "output_moderation", "error": revised or ""}
        states = [state] if call.fields.get("shutProgress") else [{**state, "results": [], "status": "running"}, state]
        events = "".join(f"data: {json.dumps(each)}\n\n" for each in states)
        return Reply(200, events.encode(), "text/event-stream")

    def started(self, call: Call, task: Task) -> Reply:
        return self.finished(call, task.image_request, [] if task.ending in ("fail", "cancelled") else task.results)


DOUBLES: dict[str, Api] = {
    api.id: api for api in (ApiYi(), LaoZhang(), LiteLlm(), ComfyRouter(), VercelGateway(), LaoZhangChat(), GrsAi())
}
"""By the id of the example's provider."""
