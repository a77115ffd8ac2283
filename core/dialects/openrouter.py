"""OpenRouter, answered at once, by one of two APIs.

Variant "chat": `POST /v1/chat/completions` with modalities and `image_config`; the pictures are data URIs in
`choices[0].message.images[]`. Variant "images": `POST /v1/images` with `input_references`; base64 in `data[]`. The first
is from the vendor's SDK, the second from clients. After a 404 or 405 on one the other is tried, but not after a 500,
which models that make pictures only give on chat: it may have been billed. Errors are `{error: {message, code,
metadata}}`, also inside a 200 and inside a choice. `usage.cost` is in US dollars and always there; where the account
brings its own key for whoever runs the model (`is_byok`), it is OpenRouter's fee alone, and
`cost_details.upstream_inference_cost` is the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import Kind, ProviderFailure
from ..errors.messages import listed, msg
from ..http.body import Inline, json_body
from ..providers.option_names import option_name
from ..providers.spec import Option, OptionValue
from ..redaction.text import redact
from .base.dialect import BaseDialect
from .base.step import Done, Failed, Job, Reply, Send, State, Step
from .base.uploads import NewUpload
from .base.variants import API_VARIANT
from .parsing.error_parsing import error_in, failure_of, no_picture
from .parsing.error_phrases import declines
from .parsing.event_stream import BROKEN_OFF
from .parsing.reading import NotJson, read_json
from .parsing.result_images import result_images

_OTHER = {"chat": "images", "images": "chat"}
_PATHS = {"chat": "/v1/chat/completions", "images": "/v1/images"}
_IN_CHAT = {"resolution": "image_size"}
"""What the spec's names, which are those of the images API, are called inside `image_config`."""
_ONLY_IN_CHAT: frozenset[Option] = frozenset({"with_text", "temperature", "top_p"})
_PLAIN_ENDS = frozenset({"stop", "end_turn", "completed", "null", "none"})
"""Reasons of an end that is none."""
_OF_THE_PICTURE = frozenset({"aspect_ratio", "resolution", "output_format"})
"""Options that are inside `image_config`; the others, which only a user's own provider has, are beside it."""


class OpenRouter(BaseDialect):
    reference_encodings = ("data_uri",)
    ignored_settings = ("paths", "references", "poll_seconds")

    def first_state(self, job: Job) -> State:
        return {"at": "submit", API_VARIANT: job.api_variant or job.spec.api_variants[0]}

    def submit(self, job: Job, state: State, uploaded: NewUpload | None = None) -> Send:
        variant = state[API_VARIANT]
        value = _chat_body(job) if variant == "chat" else _images_body(job)
        return Send("POST", job.url(_PATHS[variant]), state, paid=True, body=json_body(value))

    def parse(self, job: Job, state: State, reply: Reply, value: dict[str, Any]) -> Step:
        usd = _cost(value)
        found = result_images(value, prompt=reply.prompt)
        if found.images:
            name = value.get("id")
            request_id = redact(name, 80) if isinstance(name, str) else reply.request_id
            notices = _left_out(job) if state[API_VARIANT] == "images" else ()
            return Done(found.images, found.text, usd, request_id, state[API_VARIANT], notices)
        return Failed(replace(_why_none(reply, value, found.text), unbilled=None if usd is None else usd == 0))

    def parse_error(self, job: Job, state: State, reply: Reply) -> Step:
        other = _OTHER[state[API_VARIANT]]
        if reply.status in (404, 405) and "tried" not in state and other in job.spec.api_variants:
            return self.submit(job, {"at": "submit", API_VARIANT: other, "tried": True})
        failure = self.failure(job, reply)
        if state[API_VARIANT] == "chat" and failure.kind == "server" and failure.status == 500:
            name = f"NANO_BANANA_{job.spec.id.upper()}_FORM"
            cure = msg("openrouter.queue_again_or_image_only", name=name)
            failure = replace(failure, cure=cure)
        return Failed(failure)

    def failure(self, job: Job, reply: Reply) -> ProviderFailure:
        failure = failure_of(reply)
        try:
            value = read_json(reply.body)
        except NotJson:
            return failure
        error = value.get("error") if isinstance(value, dict) else None
        return _flagged(failure, error) if isinstance(error, dict) else failure


def _chat_body(job: Job) -> dict[str, Any]:
    content = [{"type": "text", "text": job.prompt}, *_images_of(job)]
    value: dict[str, Any] = {
        "model": job.model,
        "messages": [{"role": "user", "content": content}],
        "modalities": ["image", "text"],
    }
    beside = {field.name for option, field in job.endpoint.fields.items() if option not in _OF_THE_PICTURE}
    options = _fields(job, without=frozenset({"with_text"}))  # the modalities are both in any case
    value |= {name: option for name, option in options.items() if name in beside}
    config = {_IN_CHAT.get(name, name): option for name, option in options.items() if name not in beside}
    if config:
        value["image_config"] = config
    return value


def _images_body(job: Job) -> dict[str, Any]:
    value: dict[str, Any] = {"model": job.model, "prompt": job.prompt, **_fields(job, _ONLY_IN_CHAT)}
    if job.references:
        value[job.endpoint.references_field] = _images_of(job)
    return value


def _fields(job: Job, without: frozenset[Option]) -> dict[str, OptionValue]:
    return replace(
        job, options={option: value for option, value in job.options.items() if option not in without}
    ).fields()


def _left_out(job: Job) -> tuple[str, ...]:
    """Notices for the options that the images API can't carry."""
    names = [option_name(option) for option in job.options if option in _ONLY_IN_CHAT]
    return (msg("openrouter.only_in_chat", names=listed(", ", names)),) if names else ()


def _images_of(job: Job) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": Inline(picture)}} for picture in job.references]


def _first_choice(value: dict[str, Any]) -> dict[str, Any]:
    choices = value.get("choices")
    found = choices[0] if isinstance(choices, list) and choices else None
    return found if isinstance(found, dict) else {}


def _why_none(reply: Reply, value: dict[str, Any], model_text: str) -> ProviderFailure:
    """What a 200 without a picture means."""
    choice = _first_choice(value)
    if not choice:
        error = value.get("error")
        if isinstance(error, dict):
            # It was refused before anything was made: as good as the status that it names.
            return _error_inside(reply, error)
        return no_picture(reply, value)
    error = choice.get("error") or value.get("error")
    if isinstance(error, dict):
        return replace(_error_inside(reply, error), status=reply.status)  # it broke off while it was being made
    ends = " ".join(str(choice.get(name) or "") for name in ("finish_reason", "native_finish_reason"))
    if BROKEN_OFF in ends:
        return ProviderFailure("unreadable", redact(model_text), reply.status, request_id=reply.request_id)
    kind: Kind = (
        "content"
        if "content_filter" in ends.lower() or declines(ends) or declines(model_text, reply.prompt)
        else "empty"
    )
    # A plain end says nothing about why there is no picture: one may be there, in a shape that isn't known.
    why = model_text or " ".join(word for word in ends.split() if word.lower() not in _PLAIN_ENDS)
    return ProviderFailure(kind, redact(why), reply.status, request_id=reply.request_id)


def _error_inside(reply: Reply, error: dict[str, Any]) -> ProviderFailure:
    """What an error inside a 200 says."""
    return _flagged(error_in(reply, {"error": error}) or no_picture(reply, error), error)


def _flagged(failure: ProviderFailure, error: dict[str, Any]) -> ProviderFailure:
    """A 403 whose `metadata` has reasons is an input that was flagged; the reasons belong to the message."""
    metadata = error.get("metadata")
    reasons = metadata.get("reasons") if isinstance(metadata, dict) else None
    if not isinstance(reasons, list) or not reasons:
        return failure
    message = redact(
        "; ".join(part for part in (failure.message, ", ".join(str(reason) for reason in reasons[:5])) if part)
    )
    return replace(failure, kind="content" if failure.status == 403 else failure.kind, message=message)


def _cost(value: dict[str, Any]) -> float | None:
    usage = value.get("usage")
    if not isinstance(usage, dict):
        return None
    cost = _dollars(usage.get("cost"))
    if cost is None or usage.get("is_byok") is not True:
        return cost
    details = usage.get("cost_details")
    more = _dollars(details.get("upstream_inference_cost")) if isinstance(details, dict) else None
    return None if more is None else cost + more


def _dollars(cost: Any) -> float | None:
    """A sum that makes sense; None for anything else."""
    if isinstance(cost, bool) or not isinstance(cost, (int, float)):
        return None
    return float(cost) if 0 <= cost < 1000 else None


DIALECT = OpenRouter()
