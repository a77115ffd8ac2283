"""Drives a dialect in a test: builds its job as a run does, and takes its steps without waiting.

Nothing here decides anything: what is sent is what `negotiate` and the dialect say.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Done, Failed, Job, Reply, Send, Step, Wait
from pack.core.http.transport import Transport
from pack.core.images.picture import Picture, encode
from pack.core.planning.negotiate import ResolvedRequest, negotiate
from pack.core.planning.references import encode_references
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import Operation, Option, ProviderSpec
from pack.core.request import Options, Request

BASE = "https://api.example.com"
QUICK_SPECS = {name: replace(spec, poll_seconds=(0.02, 0.05)) for name, spec in BUILT_IN.items()}
"""The built-in providers, polled without a pause worth waiting for."""

EVERY_OPTION: dict[str, Any] = {
    "web_search": True,
    "safety_tolerance": "2",
    "limit_generations": "on",
    "output_format": "webp",
    "thinking": "high",
    "system_prompt": "be brief",
}
"""A value for each option that a provider may lack."""
INPUTS_OF_OPTIONS = tuple("enable_web_search" if name == "web_search" else name for name in EVERY_OPTION)
"""What the nodes call them."""


def keyed(doubles: Any, *names: str, key: str = "sim-run") -> dict[str, str]:
    """Environment variables of a machine with keys for these providers of the doubles."""
    environ = {f"NANO_BANANA_{name.upper()}_API_KEY": key for name in names}
    return environ | {f"NANO_BANANA_{name.upper()}_BASE_URL": doubles.base_url(name) for name in names}


def tiny(number: int = 0, width: int = 5, height: int = 4, channels: int = 3) -> Picture:
    """A small picture, another one for each number."""
    values = np.random.default_rng(number).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Picture.of(values)


PNG = encode(np.full((3, 2, 3), 90, np.uint8), "png")
"""A complete picture file of 2x3."""


def request(operation: Operation = "generate", references: int | None = None, **changes: Any) -> Request:
    """A request with a prompt; an edit has one reference unless told otherwise. Options by name."""
    options = {name: changes.pop(name) for name in list(changes) if name in Options.__dataclass_fields__}
    count = (1 if operation == "edit" else 0) if references is None else references
    changes.setdefault("prompt", "a fox in snow")
    return Request(
        operation, options=Options(**options), references=tuple(tiny(i) for i in range(count)), num_images=1, **changes
    )


def negotiated(spec: ProviderSpec, asked: Request, model: str = "recommended") -> ResolvedRequest:
    """How `spec` would do it. Raises Impossible."""
    found = spec.model(model)
    assert found is not None
    return negotiate(asked, spec, found)


def job(
    spec: ProviderSpec,
    asked: Request,
    model: str = "recommended",
    *,
    base_url: str = BASE,
    count: int = 1,
    api_variant: str = "",
    uploaded: Mapping[int, str] | None = None,
    wants_drafts: bool = False,
) -> Job:
    """The job that a run would hand to the dialect."""
    how = negotiated(spec, asked, model)
    files, _ = encode_references(asked.references, spec)
    options: dict[Option, str | int | bool] = dict(how.options)
    if how.sends_seed:
        options["seed"] = asked.seed
    return Job(
        spec,
        base_url,
        how.model_id,
        asked.operation,
        asked.prompt,
        options,
        count,
        tuple(files),
        api_variant,
        uploaded or {},
        model_endpoint=how.capabilities.endpoint,
        project="sim-project",
        asks_for_drafts=wants_drafts and how.capabilities.drafts,
    )


def sent_json(send: Step) -> Any:
    """The JSON body of a step that sends one."""
    assert isinstance(send, Send) and send.body is not None
    return json.loads(b"".join(bytes(piece) for piece in send.body))


def reply(status: int = 200, value: Any = None, *, raw: bytes | None = None, **headers: str) -> Reply:
    """A reply by hand; header names with _ for -."""
    body = raw if raw is not None else json.dumps({} if value is None else value).encode()
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


@dataclass
class Played:
    """What a dialect did with a list of replies."""

    sends: list[Send] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    end: Step | None = None

    @property
    def paths(self) -> list[str]:
        return [f"{send.method} {send.url.removeprefix(BASE)}" for send in self.sends]

    @property
    def done(self) -> Done:
        assert isinstance(self.end, Done), self.end
        return self.end

    @property
    def failed(self) -> Failed:
        assert isinstance(self.end, Failed), self.end
        return self.end


def play(work: Job, *replies: Reply, accepted: dict[str, Any] | None = None) -> Played:
    """Answers a dialect's sends with `replies` in order, until it ends or they do; states go through JSON on the way.

    With `accepted` it resumes instead of starting.
    """
    its_dialect = dialect(work.spec.dialect)
    played = Played()
    step: Step = (
        its_dialect.start(work) if accepted is None else its_dialect.resume(work, json.loads(json.dumps(accepted)))
    )
    left = list(replies)
    while True:
        if isinstance(step, Wait):
            played.waits.append(step)
            step = step.then
        if not isinstance(step, Send):
            played.end = step
            assert not left, "a reply was not asked for"
            return played
        played.sends.append(step)
        if not left:
            played.end = step
            return played
        step = its_dialect.next(work, json.loads(json.dumps(step.state)), left.pop(0))


def drive(work: Job, transport: Transport, key: str) -> tuple[Step, int]:
    """Does all of a job over the network, without pausing; the last step and how many paid requests were sent."""
    spec = work.spec
    its_dialect = dialect(spec.dialect)
    header = (spec.auth_header, spec.auth_template.replace("{key}", key)) if spec.needs_key else None
    step, paid = its_dialect.start(work), 0
    while not isinstance(step, (Done, Failed)):
        send = step.then if isinstance(step, Wait) else step
        paid += send.paid
        headers = dict(send.headers)
        if send.body is not None:
            headers["Content-Type"] = send.body.content_type
        answer = transport.send(
            send.method,
            send.url,
            headers=headers,
            body=send.body,
            key=header if send.with_key else None,
            deadline=time.monotonic() + 20,
        )
        step = its_dialect.next(work, send.state, answer)
    return step, paid
