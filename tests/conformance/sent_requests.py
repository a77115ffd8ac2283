"""Every request that our dialects send to make a picture, parsed, for judges from outside.

`sent_requests(provider)` gives each model, operation and variant with nothing set, with every value of every option
alone, and with all pairs of values together (a covering array: each pair is in at least one request).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dialect_driver import BASE, job, request
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Job, Send
from pack.core.planning.negotiate import options_of
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import Model, Operation, Option, ProviderSpec
from pack.simulator.multipart import Part, parse_multipart
from pairwise import pairwise

PROMPT = "a fox in snow, “für Élise”, 狐"
_ALL: dict[Option, tuple[Any, ...]] = {
    "safety_tolerance": tuple("123456"),
    "limit_generations": ("on", "off"),
    "output_format": ("png", "jpeg", "webp"),
    "thinking": ("minimal", "medium", "high"),
    "system_prompt": ("Draw nothing but animals.",),
    "web_search": (True,),
    "with_text": (True,),
    "temperature": (0.0, 0.7, 2.0),
    "top_p": (0.0, 0.95, 1.0),
    "seed": (0, 2**31 - 1),
}
"""What a graph can ask of each option that isn't a ratio, a size or a count."""
_UNSET: dict[str, Any] = {
    "aspect_ratio": "auto",
    "resolution": "auto",
    "output_format": "auto",
    "web_search": False,
    "system_prompt": "",
    "with_text": False,
    "temperature": None,
    "top_p": None,
}


@dataclass(frozen=True)
class Sent:
    """One request that costs money, as it leaves."""

    provider: str
    model: str
    """Our name of the model; `job.model` is the wire id."""
    operation: Operation
    variant: str
    """Which of the provider's forms, "" where there is one only; "uploaded" marks references that went up before."""
    options: Mapping[str, Any]
    """What was set, `references` and `count` included."""
    job: Job
    method: str
    path: str
    """Path and query below the base URL."""
    headers: Mapping[str, str]
    """Without the key, with the content type."""
    body: Any
    """The parsed JSON, or the parts of a multipart form as `Part`s (name, filename, content_type, content)."""

    @property
    def url(self) -> str:
        return BASE + self.path

    @property
    def key_header(self) -> tuple[str, str]:
        """The header that carries the key, and its value for the key `KEY`."""
        spec = self.job.spec
        return spec.auth_header, spec.auth_template.replace("{key}", "KEY")

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return " ".join(part for part in (self.provider, self.model, self.operation, self.variant, options) if part)


@functools.cache
def sent_requests(provider: str) -> tuple[Sent, ...]:
    """Every request of one provider; see the module."""
    spec = BUILT_IN[provider]
    return tuple(
        sent(spec, model, operation, api_variant, uploaded, options)
        for model in spec.models
        for operation in ("generate", "edit")
        if model.capabilities(operation) is not None
        for api_variant in spec.api_variants or ("",)
        for uploaded in _uploads(spec, operation)
        for options in _options(spec, model, operation)
    )


def sent(
    spec: ProviderSpec, model: Model, operation: Operation, api_variant: str, uploaded: bool, options: Mapping[str, Any]
) -> Sent:
    """The paid request for these options; the uploads before it are done already. Raises AssertionError."""
    asked = dict(options)
    references, count = asked.pop("references", 0), asked.pop("count", 1)
    if uploaded and spec.upload_above:
        spec = replace(spec, upload_above=1)
    work = job(
        spec,
        request(operation, references, prompt=PROMPT, **asked),
        model.name,
        count=count,
        api_variant=api_variant,
        uploaded={index: f"{BASE}/files/{index}.png" for index in range(references)} if uploaded else {},
    )
    variant = f"{api_variant} uploaded".strip() if uploaded and operation == "edit" else api_variant
    return sent_job(work, model.name, variant, options)


def sent_job(work: Job, model: str, variant: str, options: Mapping[str, Any]) -> Sent:
    """The paid request of a job. Raises AssertionError where something else comes first."""
    spec = work.spec
    step = dialect(spec.dialect).start(work)
    assert isinstance(step, Send) and step.paid, step
    raw = b"" if step.body is None else b"".join(bytes(piece) for piece in step.body)
    content_type = "" if step.body is None else step.body.content_type
    body: Any = parse_multipart(content_type, raw) if content_type.startswith("multipart/") else None
    if content_type == "application/json":
        body = json.loads(raw)
    return Sent(
        spec.id,
        model,
        work.operation,
        variant,
        options,
        work,
        step.method,
        step.url.removeprefix(BASE),
        {**step.headers, **({"Content-Type": content_type} if content_type else {})},
        body,
    )


def options_possible(spec: ProviderSpec, model: Model, operation: Operation) -> dict[str, tuple[Any, ...]]:
    """Every option of this model and the values that can be asked for, all of them sent."""
    offer = model.capabilities(operation)
    assert offer is not None
    possible: dict[str, tuple[Any, ...]] = {"aspect_ratio": offer.ratios, "resolution": offer.all_resolutions}
    for option, values in sorted(options_of(spec, operation, offer).items()):
        possible[option] = tuple(value for value in _ALL[option] if values is None or str(value) in values)
    if operation == "edit":
        possible["references"] = tuple(sorted({1, 2, offer.max_references} - {0}))
    if offer.max_count > 1:
        possible["count"] = tuple(range(1, offer.max_count + 1))
    return {option: values for option, values in possible.items() if values}


def _uploads(spec: ProviderSpec, operation: Operation) -> tuple[bool, ...]:
    """Whether references went up before: always, never, or both ways."""
    if spec.reference_encoding != "upload" or operation == "generate":
        return (False,)
    return (False, True) if spec.upload_above else (True,)


def _options(spec: ProviderSpec, model: Model, operation: Operation) -> Iterator[dict[str, Any]]:
    possible = options_possible(spec, model, operation)
    always = {"references": 1} if operation == "edit" else {}
    yield always
    for option, values in possible.items():
        for value in values:
            yield always | {option: value}
    # Not set is a value, too: what is left out with what is a pair as good as any.
    choices = {
        option: values if option in ("references", "count", "seed") else (_UNSET.get(option, "default"), *values)
        for option, values in possible.items()
    }
    for spec_ in pairwise(choices):
        yield always | spec_


def text_fields(parts: list[Part]) -> dict[str, str]:
    """The text fields of a multipart form; each name once. Raises AssertionError."""
    plain = [part for part in parts if part.filename is None]
    assert len({part.name for part in plain}) == len(plain), [part.name for part in plain]
    return {part.name: part.text() for part in plain}
