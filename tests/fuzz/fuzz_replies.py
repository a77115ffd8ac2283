"""Feeds the readers of single answers: JSON, event streams, result images, errors. None may raise, none may be slow.

An input is a status and headers, an empty line and a body, as one answer of `fuzz_answers`; most are repetitions of a
fragment, because repetition is what makes a search quadratic.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import fuzz_answers
import inputs
from harness import Harness
from pack.core.dialects.base import task_status
from pack.core.dialects.parsing import (
    bot_protection,
    error_kinds,
    error_parsing,
    error_phrases,
    gemini_errors,
    refusals,
)
from pack.core.dialects.parsing.event_stream import join_chunks, parse_events, parse_json_lines
from pack.core.dialects.parsing.reading import NotJson, read_json, read_object
from pack.core.dialects.parsing.result_images import result_images, text_beside_images
from pack.core.dialects.parsing.text_images import image_of, split_text
from pack.core.http.long_json import LongJson
from pack.core.images.picture import sniff
from pack.core.providers import BUILT_IN
from pack.core.redaction.text import redact

SPEC = BUILT_IN["nanobanana"]
JOB = fuzz_answers.job_of("nanobanana", "edit")
FRAGMENTS = inputs.words("replies", "fragments")


def run(data: bytes) -> None:
    """Reads the answer in one of three ways, by its length, so that three times as many answers are read."""
    reply = fuzz_answers.reply_of(data)
    (_as_result, _as_error, _as_text)[len(data) % 3](reply)


def _as_result(reply: fuzz_answers.Reply) -> None:
    for value in (_json(reply.body), _object(reply)):
        found = result_images(value)
        for image in found.images:
            assert bool(image.url) != bool(image.data), "neither an address nor bytes"
            assert not image.data or sniff(image.data), "bytes that are no picture"
        assert isinstance(found.text, str) and isinstance(text_beside_images(value), str), "words that are no text"
        for failure in (error_parsing.error_in(reply, value), error_parsing.no_picture(reply, value)):
            if failure is not None:
                fuzz_answers.check_failure(JOB, failure)
        refusals.named_fields(value)
        if isinstance(value, dict):
            task_status.status_of(value)
            assert len(task_status.task_id_of(value)) <= task_status.MOST_ID, "a task's id is no short text"


def _as_error(reply: fuzz_answers.Reply) -> None:
    for failure in (
        error_parsing.failure_of(reply),
        error_parsing.unreadable(reply),
        gemini_errors.failure(reply, "google"),
    ):
        fuzz_answers.check_failure(JOB, failure)
        refusals.wants_addresses(reply, failure)
        refusals.wants_other_encoding(reply, failure)
        refusals.wants_other_body(reply, failure, "image")
        refusals.names_model(reply, failure)
        refusals.names_nothing(reply, failure)
    bot_protection.protection_of(reply)


def _as_text(reply: fuzz_answers.Reply) -> None:
    text = reply.body.decode("utf-8", "replace")
    split_text(text)
    image_of(text)
    source = LongJson(reply.body)
    join_chunks(parse_events(source))
    join_chunks(parse_json_lines(source, source.text()))
    seconds = error_phrases.seconds_in(text)
    assert seconds is None or seconds >= 0, "a pause into the past"
    error_phrases.declines(text, "a fox")
    error_kinds.kind_by_message(text, "server")
    assert len(redact(text)) <= 400, "too many words"


def _json(body: bytes) -> object:
    try:
        return read_json(body)
    except NotJson:
        return None


def _object(reply: fuzz_answers.Reply) -> object:
    try:
        return read_object(reply)
    except NotJson:
        return None


def make(rng: Random) -> bytes:
    draw = rng.random()
    head = str(rng.choice(inputs.STATUSES)).encode() + b"\n\n"
    if draw < 0.6:
        return head + fuzz_answers.made_body(rng)
    times = rng.choice((2, 5, 12, 30) if draw < 0.99 else (300, 1000, 3000, 10000))
    pieces = [rng.choice(FRAGMENTS) for _ in range(rng.choice((1, 1, 2, 3)))]
    repeated = ("".join(pieces) * times)[:60_000]
    if draw < 0.75:
        return head + inputs.dumped({inputs.name(rng): {inputs.name(rng): repeated}}, rng)
    if draw < 0.8:
        return head + inputs.dumped({"choices": [{"message": {"content": repeated}}]}, rng)
    return head + (rng.choice(("", "data: ", '{"error":"')) + repeated).encode("utf-8", "surrogatepass")


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    head, _, body = data.partition(b"\n\n")
    if rng.random() < 0.1:
        head = str(rng.choice(inputs.STATUSES)).encode()
    lent = [other.partition(b"\n\n")[2] for other in others[:5]]
    return head + b"\n\n" + inputs.mutated_json(body, rng, lent)


HARNESS = Harness(
    "replies",
    run,
    make,
    mutate,
    (
        *inputs.PARSERS,
        "core/http/long_json.py",
        "core/http/long_text.py",
        "core/redaction/text.py",
    ),
    inputs_in_suite=3000,
)
