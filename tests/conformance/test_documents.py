"""Every request of every provider without types of its own, against what the provider publishes.

The judges are the files in `documents/`, see the README there. Held against them is everything that leaves with a key: the
paid requests in all combinations of options, and the uploads and polls around them.
"""

from __future__ import annotations

import functools
import json
import re
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, drive, job, request
from jsonschema import Draft202012Validator, ValidationError
from judging import judged
from pack.core.dialects.base.step import Done
from pack.core.http.body import Body
from pack.core.http.transport import Transport
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import Operation
from pack.simulator.multipart import Part, parse_multipart
from pack.tests.doubles.server import Doubles
from sent_requests import sent_requests

DOCUMENTS = Path(__file__).parent / "documents"
PROVIDERS = ("apiframe", "apiframe_v2", "fal", "kie", "nanobanana", "replicate", "runflow", "wavespeed")
NO_BODY = {"type": "null"}


@functools.cache
def document(provider: str) -> Any:
    return json.loads((DOCUMENTS / f"{provider}.json").read_text("utf-8"))


@dataclass(frozen=True)
class Documented:
    """A request that a provider documents."""

    name: str
    place: re.Pattern[str]
    """Of method and address."""
    model: str
    """The `model` of the body, where the fields depend on it; else ""."""
    body: Draft202012Validator

    def means(self, method: str, path: str, body: Any) -> bool:
        """Whether a request is this one; its fields may be wrong."""
        model = body.get("model") if isinstance(body, dict) else None
        return bool(self.place.fullmatch(f"{method} {path}")) and self.model in ("", model)


@functools.cache
def requests(provider: str) -> list[Documented]:
    """Every request of a document."""
    found = []
    for name, schema in document(provider)["requests"].items():
        method, path, *model = name.split(" ")
        pieces = re.split(r"(\{\w+\})", f"{method} {path}")
        pattern = "".join("[^/?&]+" if piece.startswith("{") else re.escape(piece) for piece in pieces)
        Draft202012Validator.check_schema(schema or NO_BODY)
        body = Draft202012Validator(schema or NO_BODY)
        found.append(Documented(name, re.compile(pattern), "".join(model), body))
    return found


def check(provider: str, method: str, path: str, body: Any) -> str:
    """The name of the documented request that this one is. Raises AssertionError, ValidationError."""
    meant = [request for request in requests(provider) if request.means(method, path, body)]
    assert meant, f"{provider} documents no {method} {path}"
    [documented] = meant
    documented.body.validate(readable(body))
    return documented.name


def readable(body: Any) -> Any:
    """A form as the object that the documents describe; everything else as it is."""
    if not isinstance(body, list):
        return body
    value: dict[str, Any] = {}
    for part in body:
        assert isinstance(part, Part)
        shown: Any = part.text() if part.filename is None else {"file": part.content_type, "name": part.filename}
        if part.name in value:
            known = value[part.name]
            shown = [*(known if isinstance(known, list) else [known]), shown]
        value[part.name] = shown
    return value


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_paid_request_is_a_documented_one(provider: str) -> None:
    """And between them they use every field that is documented, but for those with a reason."""
    used: set[str] = set()
    paid: set[str] = set()
    for sent in sent_requests(provider):
        paid.add(check(provider, sent.method, sent.path, sent.body))
        used |= names_in(readable(sent.body))
    documented = {name for place in paid for name in properties_in(document(provider)["requests"][place])}
    unused = set(document(provider)["unused"])
    assert documented - used == unused & documented, "a documented field is neither sent nor named with a reason"
    assert not unused & used, "a field is sent that is named as unused"
    judged(provider, document(provider)["title"], document(provider)["dated"], "every paid request", "document")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_longest_prompt_that_we_let_through_is_one_that_the_document_allows(provider: str) -> None:
    seen: set[tuple[str, str]] = set()
    for sent in sent_requests(provider):
        place = (sent.path, sent.job.model)
        if place not in seen:
            seen.add(place)
            model = sent.job.spec.model(sent.model)
            offer = model and model.capabilities(sent.operation)
            assert offer is not None
            body = deepcopy(readable(sent.body))
            body.get("input", body)["prompt"] = "x" * (offer.max_prompt or 60_000)
            check(provider, sent.method, sent.path, body)


def names_in(value: Any) -> set[str]:
    """Every name of a field in a body."""
    if isinstance(value, dict):
        return set(value).union(*(names_in(item) for item in value.values()))
    return set()


def properties_in(schema: Any) -> set[str]:
    """Every name of a field in a schema; those that a file is described with don't count."""
    if isinstance(schema, list):
        return set().union(*(properties_in(item) for item in schema))
    if not isinstance(schema, dict) or "file" in schema.get("properties", {}):
        return set()
    return set(schema.get("properties", {})).union(*(properties_in(item) for item in schema.values()))


class Recording(Transport):
    """Sends as usual and remembers what left with a key."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        self.base = base_url
        self.sent: list[tuple[str, str, Any]] = []

    def send(self, method: str, url: str, *, body: Any = None, key: Any = None, **more: Any) -> Any:
        if key is not None:
            self.sent.append((method, url.removeprefix(self.base), _parsed(body)))
        return super().send(method, url, body=body, key=key, **more)


def _parsed(body: Body | None) -> Any:
    if body is None:
        return None
    raw = b"".join(bytes(piece) for piece in body)
    return json.loads(raw) if body.content_type == "application/json" else parse_multipart(body.content_type, raw)


CONVERSATIONS = [
    (provider, operation, api_variant)
    for provider in PROVIDERS
    for operation in ("generate", "edit")
    for api_variant in BUILT_IN[provider].api_variants or ("",)
]


@pytest.mark.parametrize(("provider", "operation", "api_variant"), CONVERSATIONS)
def test_every_step_of_a_call_is_a_documented_one(
    doubles: Doubles, provider: str, operation: Operation, api_variant: str
) -> None:
    """Uploads, the request itself and the polls, up to the picture; larger references are uploaded where both ways exist."""
    spec = QUICK_SPECS[provider]
    if spec.upload_above:
        spec = replace(spec, upload_above=1)
    base = doubles.base_url(provider)
    asked = request(operation, 2 if operation == "edit" else 0, prompt="a fox [[sim: task=done steps=3]]")
    transport = Recording(base)
    work = job(spec, asked, base_url=base, api_variant=api_variant)
    step, paid = drive(work, transport, "sim-documents")
    assert isinstance(step, Done) and paid == 1
    names = [check(provider, method, path, body) for method, path, body in transport.sent]
    assert len(names) >= 3, names
    judged(provider, document(provider)["title"], document(provider)["dated"], "uploads and polls", "document")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_schemas_notice_what_the_documents_do_not_allow(provider: str) -> None:
    """Guards the tests above, at every paid request: an unknown field, a missing prompt, a value of another type."""
    seen: set[tuple[str, str]] = set()
    for sent in sent_requests(provider):
        place = (sent.path, sent.job.model)
        if place in seen or not sent.options:
            continue
        seen.add(place)
        for spoil in (_unknown_field, _no_prompt, _number_as_prompt, _wrong_value):
            body = deepcopy(readable(sent.body))
            if spoil(body.get("input", body)):
                with pytest.raises(ValidationError):
                    check(provider, sent.method, sent.path, body)
    assert len(seen) >= 2


def _unknown_field(fields: dict[str, Any]) -> bool:
    fields["size_of_picture"] = "1K"
    return True


def _no_prompt(fields: dict[str, Any]) -> bool:
    del fields["prompt"]
    return True


def _number_as_prompt(fields: dict[str, Any]) -> bool:
    fields["prompt"] = 5
    return True


def _wrong_value(fields: dict[str, Any]) -> bool:
    ratio = next((name for name in ("aspect_ratio", "image_size", "resolution") if name in fields), "")
    if ratio:
        fields[ratio] = 7
    return bool(ratio)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_address_that_nobody_documents_is_noticed(provider: str) -> None:
    with pytest.raises(AssertionError, match="documents no"):
        check(provider, "POST", "/v1/nothing", {})
