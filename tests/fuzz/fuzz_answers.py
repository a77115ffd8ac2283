"""Feeds every provider's dialect with answers: it must give a well-formed step to any of them, and never raise.

An input is text:

    google edit                     provider, operation, and `redirect` to answer addresses out of replies as well
    200                             the status of the first answer
    content-type: application/json  its headers
                                    an empty line, then its body as it is
    {"candidates": []}
    %%%                             between two answers
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from random import Random
from typing import Any, get_args

import dialect_driver
import inputs
from harness import Harness
from pack.core.dialects import dialect, step_after
from pack.core.dialects.base.step import Cancels, Done, Failed, ImageRef, Job, Reply, Send, Step, Wait
from pack.core.dialects.base.task_status import MOST_ID
from pack.core.errors import Kind, ProviderFailure, provider_error
from pack.core.execution import charge, retry_policy
from pack.core.http.url_policy import origin
from pack.core.images.picture import sniff
from pack.core.providers import BUILT_IN

PROVIDERS = tuple(sorted(BUILT_IN))
BETWEEN = b"\n%%%\n"
BODIES: dict[str, list[bytes]] = {}
_JOBS: dict[tuple[str, str], Job] = {}
_KINDS = get_args(Kind)
_HEADERS = inputs.words("answers", "headers")


def job_of(provider: str, operation: Any) -> Job:
    """The job whose answers are read; made once for each."""
    key = (provider, operation)
    if key not in _JOBS:
        spec = BUILT_IN[provider]
        _JOBS[key] = dialect_driver.job(
            spec, dialect_driver.request(operation, references=2 if operation == "edit" else 0)
        )
    return _JOBS[key]


def parsed(data: bytes) -> tuple[str, str, list[Reply]]:
    """An input as provider, operation and answers; whatever the bytes are, it is some input."""
    first, _, rest = data.partition(b"\n")
    words = first.decode("utf-8", "replace").split()
    provider = words[0] if words and words[0] in BUILT_IN else PROVIDERS[len(data) % len(PROVIDERS)]
    operation = words[1] if len(words) > 1 and words[1] in ("generate", "edit") else "generate"
    return provider, operation, [reply_of(part) for part in rest.split(BETWEEN)[:12]]


def reply_of(part: bytes) -> Reply:
    head, _, body = part.partition(b"\n\n")
    lines = head.decode("utf-8", "surrogateescape").split("\n")
    try:
        status = int(lines[0][:12])
    except ValueError:
        status = 200
    headers = {}
    for line in lines[1:]:
        field, colon, text = line.partition(":")
        if colon:
            headers[field.strip().lower()] = text.strip()
    return Reply(status, headers, body, request_id=headers.get("x-request-id", "")[:100], prompt="a fox in snow")


def run(data: bytes) -> None:
    """Plays the answers; raises AssertionError for a step that is none."""
    provider, operation, replies = parsed(data)
    job = job_of(provider, operation)
    spoken_dialect = dialect(job.spec.dialect)
    step: Step = spoken_dialect.start(job)
    for reply in replies:
        check_step(job, step)
        accepted = None
        if isinstance(step, Wait):
            step = step.then
        if not isinstance(step, Send):
            break
        accepted = step.accepted
        state = json.loads(json.dumps(step.state))
        step = step_after(spoken_dialect, job, _with_state(step, state), reply)
        if accepted is not None:
            check_step(job, spoken_dialect.resume(job, json.loads(json.dumps(accepted))))
            if isinstance(spoken_dialect, Cancels):
                cancel = spoken_dialect.cancel(job, json.loads(json.dumps(accepted)))
                if cancel is not None:
                    check_step(job, cancel)
                    check_step(job, spoken_dialect.next(job, json.loads(json.dumps(cancel.state)), reply))
    check_step(job, step)


def _with_state(send: Send, state: dict[str, Any]) -> Send:
    # As after a restart: what JSON can't carry is lost.
    return Send(send.method, send.url, state, send.paid, accepted=send.accepted, with_key=send.with_key)


# ------------------------------------------------------------------------------------------------ what a step is


def check_step(job: Job, step: Any) -> None:
    """Raises AssertionError where the engine could not do this step, or should not."""
    if isinstance(step, Wait):
        assert math.isfinite(step.seconds) and 0 <= step.seconds <= 3600, f"a wait of {step.seconds} s"
        assert isinstance(step.progress, str) and len(step.progress) <= 200, "progress is no short text"
        check_step(job, step.then)
    elif isinstance(step, Send):
        _check_send(job, step)
    elif isinstance(step, Done):
        _check_done(step)
    elif isinstance(step, Failed):
        check_failure(job, step.failure, step.task)
    else:
        raise AssertionError(f"no step but {type(step).__name__}")


def _check_send(job: Job, send: Send) -> None:
    assert send.method in ("GET", "POST", "PUT", "DELETE"), "a method of its own"
    for state in (send.state, send.accepted):
        if state is not None:
            assert isinstance(state, dict) and json.loads(json.dumps(state)) == _plain(state), "a state that is no JSON"
            task = state.get("task", "")
            assert isinstance(task, str) and len(task) <= MOST_ID, "a task's id is no short text"
    assert isinstance(send.url, str) and send.url.startswith(("http://", "https://")), "no address"
    if send.with_key:
        assert origin(send.url) in (origin(job.base_url), origin(job.upload_url(""))), "the key goes elsewhere"
    if send.paid:
        assert send.body is not None, "a paid request without a body"
        assert send.with_key and origin(send.url) == origin(job.base_url), "paid elsewhere"


def _plain(value: Any) -> Any:
    """A state as JSON has it: tuples are lists there, and NaN differs from itself."""
    return json.loads(json.dumps(value))


def _check_done(done: Done) -> None:
    assert done.images, "done without a picture"
    for found in done.images:
        assert isinstance(found, ImageRef) and bool(found.url) != bool(found.data), "neither an address nor bytes"
        if found.data:
            assert sniff(found.data), "bytes that are no picture"
        else:
            assert isinstance(found.url, str) and found.url == found.url.strip(), "an address that is no text"
    assert isinstance(done.text, str) and isinstance(done.request_id, str), "words that are no text"
    assert done.usd is None or (math.isfinite(done.usd) and done.usd >= 0), f"it cost {done.usd}"
    assert all(isinstance(notice, str) and notice for notice in done.notices), "notices that are no text"


def check_failure(job: Job, failure: ProviderFailure, task: str = "") -> None:
    """Raises AssertionError for a failure that can't be shown or judged."""
    assert isinstance(failure, ProviderFailure) and failure.kind in _KINDS, "a kind of its own"
    assert isinstance(failure.message, str) and len(failure.message) <= 2000, "words that are no short text"
    assert failure.status is None or isinstance(failure.status, int), "a status that is no number"
    assert failure.retry_after is None or (math.isfinite(failure.retry_after) and failure.retry_after >= 0), (
        "an odd wait"
    )
    assert failure.unbilled is None or isinstance(failure.unbilled, bool), "billed neither yes nor no"
    assert isinstance(failure.request_id, str) and isinstance(task, str), "an id that is no text"
    for accepted in (False, True):
        charged = charge.charged_by(job.spec, failure, accepted=accepted)
        assert charged in ("no", "maybe", "yes") and charge.disposition_of(failure, accepted=accepted) in (
            "final",
            "unresolved",
            "resumable",
        )
        error = provider_error(failure, job.spec.label, charged, task=task)
        assert error.message and "{label}" not in error.message.replace(failure.message, ""), "a sentence with a gap"
    charge.is_task_lost(failure)
    for paid in (False, True):
        decision = retry_policy.after_failure(
            job.spec, failure, {}, paid=paid, attempt=1, now=1.7e9, jitter=0.5, remaining_patience=60.0
        )
        seconds = decision.seconds if isinstance(decision, retry_policy.Retry) else decision.wait
        assert seconds is None or seconds >= 0, "a pause into the past"


# ------------------------------------------------------------------------------------------------ inputs


def written(provider: str, operation: str, replies: Sequence[tuple[int, Sequence[str], bytes]]) -> bytes:
    """An input out of its parts."""
    parts = [
        "\n".join([str(status), *headers]).encode("utf-8", "surrogatepass") + b"\n\n" + body
        for status, headers, body in replies
    ]
    return f"{provider} {operation}\n".encode() + BETWEEN.join(parts)


def made_body(rng: Random) -> bytes:
    draw = rng.random()
    if draw < 0.75:
        return inputs.made_json(rng)
    if draw < 0.85:
        pieces = [inputs.dumped(inputs.value(rng, 1), rng).replace(b"\n", b" ") for _ in range(rng.randrange(1, 5))]
        return b"".join(b"data: " + piece + rng.choice((b"\n\n", b"\r\n\r\n", b"\n")) for piece in pieces)
    if draw < 0.9:
        return b"".join(inputs.dumped(inputs.value(rng, 1), rng) + b"\n" for _ in range(rng.randrange(1, 5)))
    if draw < 0.95:
        return b"<html><title>" + inputs.text(rng).encode("utf-8", "replace") + b"</title>" * rng.randrange(3)
    return inputs.text(rng).encode("utf-8", "surrogatepass")


def make(rng: Random) -> bytes:
    replies = [
        (rng.choice(inputs.STATUSES), rng.sample(_HEADERS, rng.choice((0, 0, 1, 2))), made_body(rng))
        for _ in range(rng.choice((1, 1, 2, 3, 5)))
    ]
    return written(rng.choice(PROVIDERS), rng.choice(("generate", "edit")), replies)


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    if rng.random() < 0.05:
        return inputs.mutated_bytes(data, rng, others)
    first, _, rest = data.partition(b"\n")
    if rng.random() < 0.1:
        first = f"{rng.choice(PROVIDERS)} {rng.choice(('generate', 'edit'))}".encode()
    parts = rest.split(BETWEEN)
    index = rng.randrange(len(parts))
    head, _, body = parts[index].partition(b"\n\n")
    draw = rng.random()
    if draw < 0.7:
        lent = [part.partition(b"\n\n")[2] for part in rng.choice(others).split(BETWEEN)] if others else []
        parts[index] = head + b"\n\n" + inputs.mutated_json(body, rng, lent)
    elif draw < 0.8:
        lines = head.split(b"\n")
        lines[0] = str(rng.choice(inputs.STATUSES)).encode()
        parts[index] = b"\n".join(lines) + b"\n\n" + body
    elif draw < 0.88:
        parts[index] = head + b"\n" + rng.choice(_HEADERS).encode("utf-8", "surrogatepass") + b"\n\n" + body
    elif draw < 0.94:
        parts.insert(index, parts[rng.randrange(len(parts))])
    else:
        parts.insert(index, rng.choice(others).split(BETWEEN)[-1] if others else parts[0])
    return first + b"\n" + BETWEEN.join(parts[:12])


HARNESS = Harness(
    "answers",
    run,
    make,
    mutate,
    (
        *(f"core/dialects/{name}.py" for name in sorted({BUILT_IN[each].dialect for each in PROVIDERS})),
        *(f"core/dialects/base/{name}.py" for name in ("dialect", "polling", "task_status", "variants", "uploads")),
        *inputs.PARSERS,
        "core/execution/charge.py",
        "core/execution/retry_policy.py",
    ),
    inputs_in_suite=6000,
)
