"""OneRouter's two published documents, as schemas, against what the dialect sends and what the doubles answers."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import job, play, request, sent_json
from jsonschema import Draft202012Validator, ValidationError
from judging import judged
from pack.core.dialects.base.step import Send
from pack.core.http.transport import Transport
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import Model, Operation
from pack.core.request import MAX_SEED
from pack.tests.doubles import start

SPEC = BUILT_IN["onerouter"]
DOCUMENTS = Path(__file__).parent / "documents"
PAGE = {"generate": "onerouter_generations.json", "edit": "onerouter_edits.json"}
OFFERS = [
    pytest.param(model, operation, id=f"{model.name}-{operation}")
    for model in SPEC.models
    for operation in ("generate", "edit")
]


def document(operation: str) -> Any:
    return json.loads((DOCUMENTS / PAGE[operation]).read_text("utf-8"))


def validator(operation: Operation, model: Model) -> Draft202012Validator:
    """The page's request schema with the resolutions of this model; its own model needs no change."""
    schema = deepcopy(document(operation)["request"])
    offer = model.capabilities(operation)
    assert offer is not None
    page_of = {"generate": "nano-banana-2", "edit": "nano-banana-pro"}[operation]
    if model.name == page_of:
        assert schema["properties"]["resolution"]["enum"] == list(offer.resolutions), "the spec and its page differ"
    elif offer.resolutions:
        schema["properties"]["resolution"]["enum"] = list(offer.resolutions)
    else:
        del schema["properties"]["resolution"]
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize(("model", "operation"), OFFERS)
def test_every_body_that_is_sent_is_a_documented_one(model: Model, operation: Operation) -> None:
    """All ratios x resolutions x counts x references, with all options on and with none."""
    check = validator(operation, model)
    offer = model.capabilities(operation)
    assert offer is not None
    path = document(operation)["path"]
    options = [
        {},
        {"seed": MAX_SEED, "web_search": True, "safety_tolerance": "1", "limit_generations": "on"},
        {"seed": 1, "safety_tolerance": "6", "limit_generations": "off", "output_format": "webp", "thinking": "high"},
    ]
    references = (0,) if operation == "generate" else (1, 14)
    bodies = 0
    for ratio, resolution, count, chosen, number in product(
        ("auto", *offer.ratios),
        ("auto", *offer.all_resolutions),
        range(1, offer.max_count + 1),
        options,
        references,
    ):
        asked = request(operation, number, aspect_ratio=ratio, resolution=resolution, **chosen)
        send = play(job(SPEC, asked, model.name, count=count)).sends[0]
        assert send.url.endswith(path)
        check.validate(sent_json(send))
        bodies += 1
    assert bodies >= 11 * 2 * 4 * 3
    judged("onerouter", "its OpenAPI pages of two models", "2026-10-15", "every paid request", "schema")


def test_every_documented_field_is_used_or_has_a_reason() -> None:
    """A field of the document that we never send would be a promise less than the provider's."""
    for operation, page in PAGE.items():
        documented = set(json.loads((DOCUMENTS / page).read_text())["request"]["properties"])
        route = SPEC.endpoints["generate" if operation == "generate" else "edit"]
        ours = {field.name for field in route.fields.values()} | set(route.constants) | {"model", "prompt"}
        assert documented == ours | ({route.references_field} if route.references_field else set())


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ("generate", {"n": 5}),
        ("generate", {"n": "1"}),
        ("generate", {"size": "1:1"}),
        ("generate", {"aspect_ratio": " 3:2"}),
        ("generate", {"safety_tolerance": 4}),
        ("edit", {"aspect_ratio": "1:1"}),
        ("edit", {"seed": 1}),
        ("edit", {"image_urls": "x"}),
        ("edit", {"resolution": "0.5K"}),
    ],
)
def test_the_schemas_notice_what_the_documents_do_not_allow(operation: str, change: dict[str, Any]) -> None:
    """Guards the tests above: a schema that accepts anything proves nothing."""
    good: dict[str, Any] = {"model": "m", "prompt": "p"} | ({"image_urls": ["u"]} if operation == "edit" else {})
    check = Draft202012Validator(document(operation)["request"])
    check.validate(good)
    with pytest.raises(ValidationError):
        check.validate(good | change)


@pytest.mark.parametrize("operation", ["generate", "edit"])
@pytest.mark.parametrize("fault", ["", "b64", "more", "fewer", "empty", "datauri", "refuse=200"])
def test_the_simulator_answers_as_documented(operation: Operation, fault: str) -> None:
    """Its successes, plain and odd, have the fields of the document and no others."""
    answers = Draft202012Validator(document(operation)["response"])
    with start() as doubles:
        work = job(
            SPEC,
            request(operation, prompt=f"a fox [[sim: {fault}]]" if fault else "a fox", resolution="1K"),
            base_url=doubles.base_url("onerouter"),
            count=2,
        )
        send = play(work).sends[0]
        assert isinstance(send, Send) and send.body is not None
        answer = Transport(work.base_url).send(
            "POST",
            send.url,
            headers={"Content-Type": send.body.content_type},
            body=send.body,
            key=("Authorization", "Bearer sim-documents"),
            deadline=time.monotonic() + 20,
        )
        assert answer.status == 200
        answers.validate(json.loads(answer.body))
    judged("onerouter", "its OpenAPI pages of two models", "2026-10-15", "the double's answers", "schema")
