"""Bases that serve their document alone, over a real socket: what leads to another variant is free and is remembered.

Every test counts the paid requests and the bills at the server.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, job, keyed, reply, request, tiny
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Failed, Send
from pack.core.engine import Engine
from pack.core.estimate import estimate
from pack.core.execution.run import Run
from pack.core.http.status import allows_other_variant, is_missing_route
from pack.core.planning.choice import ProviderChoice
from pack.core.planning.references import encode_references
from pack.core.providers import BUILT_IN
from pack.core.request import Request
from pack.tests.doubles.server import Doubles
from pack.tests.stub_provider import Answer, ReceivedRequest, StubProvider, stub_provider, unwrapped

ONLY = "takes addresses only for reference images"
NB2 = "nano-banana-2"


def machine(home: Path, name: str, provider: StubProvider) -> Engine:
    """An engine with a key for one provider, which is reached at `provider`; nothing learned yet."""
    there = {f"NANO_BANANA_{name.upper()}_API_KEY": "k-1", f"NANO_BANANA_{name.upper()}_BASE_URL": provider.url}
    return Engine(home, specs=QUICK_SPECS, environ=there)


def run(engine: Engine, name: str, asked: Request, model: str = "recommended") -> Run:
    """A run to its end."""
    begun = engine.run([asked], engine.plan(ProviderChoice(name, model), [asked]))
    assert begun.done.wait(40), "the run didn't end"
    if begun.error is not None:
        raise begun.error
    return begun


def complete(engine: Engine, name: str, asked: Request, model: str = "recommended") -> Run:
    """A run that gives its picture."""
    done = run(engine, name, asked, model)
    assert done.tasks[0].result, str(done.tasks[0].error)
    return done


def refused(engine: Engine, name: str, asked: Request, model: str = "recommended") -> str:
    """The message of a run that fails and surely costs nothing."""
    error = run(engine, name, asked, model).tasks[0].error
    assert error is not None and error.charged == "no", str(error)
    return str(error)


def files(name: str, asked: Request) -> list[bytes]:
    """The references as the provider's spec has them encoded."""
    return [bytes(file.data) for file in encode_references(asked.references, QUICK_SPECS[name])[0]]


def edit(prompt: str, references: int = 2, first: int = 0) -> Request:
    pictures = tuple(tiny(first + n, 6 + n, 5) for n in range(references))
    return replace(request("edit", 0, prompt=prompt), references=pictures)


# -------------------------------------------------------------------------------------------------------- Runflow

RUN = "/v1/run/google/nano-banana-2/edit"
ONLY_HTTP = (422, {"code": "VALIDATION_ERROR", "message": "media URL must use HTTP(S)", "errors": None})


def uploads(provider: StubProvider, asked: ReceivedRequest, fails: str = "", status: int = 404) -> Answer | None:
    """Runflow's three steps of an upload, one of which may not be there."""
    steps = {"/v1/asset-uploads": "announce", "/put/1": "put", "/v1/asset-uploads/a1/confirmations": "confirm"}
    step = steps.get(asked.path)
    if step is not None and step == fails:
        return status, {"code": "NOT_FOUND", "message": "no"}
    if step == "announce":
        return 201, {"asset_id": "a1", "upload_url": f"{provider.url}/put/1"}
    if step == "put":
        return 200, b""
    return (200, {"id": "a1", "url": f"{provider.url}/served/up.png"}) if step else None


def runflow(
    fails: str = "announce", status: int = 404, inside: bool = True
) -> Callable[[StubProvider, ReceivedRequest], Answer | None]:
    """A base with the one page's route; `inside`: whether it takes references inside the request."""

    def serve(provider: StubProvider, asked: ReceivedRequest) -> Answer | None:
        if asked.path != RUN:
            return uploads(provider, asked, fails, status)
        if not inside and not all(url.startswith("http") for url in asked.json["image_urls"]):
            return ONLY_HTTP
        return 200, {"images": [{"url": provider.picture()}]}

    return serve


@pytest.mark.parametrize(
    ("fails", "status"),
    [("announce", 404), ("announce", 405), ("announce", 410), ("announce", 501), ("put", 404), ("put", 405),
     ("confirm", 404), ("confirm", 405)],
)  # fmt: skip
def test_uploads_that_are_not_there_lead_to_references_inside(tmp_path: Path, fails: str, status: int) -> None:
    """In their order, as data URIs; one paid request, one bill, and the next edit asks for no upload."""
    with stub_provider(runflow(fails, status)) as provider:
        engine = machine(tmp_path, "runflow", provider)
        for number in range(2):
            provider.forget()
            asked = edit(f"inside {number}", first=10 * number)
            done = complete(engine, "runflow", asked, NB2)
            sent = provider.asked[-1].json["image_urls"]
            assert [unwrapped(url) for url in sent] == files("runflow", asked)
            assert all(url.startswith("data:image/") for url in sent)
            assert provider.paths().count(RUN) == 1 and provider.bills == 1 and done.report.requests[0]["attempts"] == 1
        assert provider.paths() == [RUN], "what was learned is not asked for again"


@pytest.mark.parametrize("status", [401, 402, 403, 422])
def test_an_upload_that_is_refused_leads_nowhere(tmp_path: Path, status: int) -> None:
    """Its address is there: the key, the account or the file is wrong."""
    with stub_provider(runflow("announce", status)) as provider:
        refused(machine(tmp_path, "runflow", provider), "runflow", edit("no"), NB2)
        assert RUN not in provider.paths() and provider.bills == 0


def test_a_base_that_has_no_uploads_and_takes_addresses_only_is_told_so(tmp_path: Path) -> None:
    """Nothing is billed, nothing wrong is remembered, and the message says what to do."""
    with stub_provider(runflow(inside=False)) as provider:
        engine = machine(tmp_path, "runflow", provider)
        for number in range(2):
            provider.forget()
            message = refused(engine, "runflow", edit(f"nowhere {number}"), NB2)
            assert ONLY in message and "providers.yaml" in message and "Nothing was charged" in message
            assert provider.paths() == ["/v1/asset-uploads", RUN] and provider.bills == 0


def test_a_base_that_gets_its_uploads_back_is_led_to_them(tmp_path: Path) -> None:
    """What was learned has become wrong: it costs a refused request, once."""
    with stub_provider(runflow()) as provider:
        engine = machine(tmp_path, "runflow", provider)
        complete(engine, "runflow", edit("without", 1), NB2)
        provider.forget()
        serve = runflow(fails="", inside=False)
        provider.serve = lambda asked: serve(provider, asked)
        complete(engine, "runflow", edit("with again", 1, first=5), NB2)
        assert (
            provider.paths() == [RUN, "/v1/asset-uploads", "/v1/asset-uploads/a1/confirmations", RUN]
            and provider.bills == 1
        )
        complete(engine, "runflow", edit("with still", 1, first=6), NB2)
        assert provider.paths().count(RUN) == 3 and provider.bills == 2


# --------------------------------------------------------------------------------------------- the images API

EDITS, GENERATIONS = "/v1/images/edits", "/v1/images/generations"


def error_answer(message: str, status: int = 400, **more: Any) -> Answer:
    return status, {"error": {"message": message, "type": "invalid_request_error", **more}}


def images(
    several: Answer | None = None, spelled: str = "any", array: Answer | None = None
) -> Callable[[StubProvider, ReceivedRequest], Answer | None]:
    """The two routes of the document. `several`: the refusal of a second file on edits; `spelled`: how the array wants its
    pictures ("any", "base64", "http"); `array`: the refusal of any array."""

    def serve(provider: StubProvider, asked: ReceivedRequest) -> Answer | None:
        if asked.path == EDITS:
            if several and len(asked.files("image")) > 1:
                return several
        elif asked.path == GENERATIONS:
            pictures = asked.json.get("image", [])
            if array and pictures:
                return array
            if spelled == "base64" and any(one.startswith("data:") for one in pictures):
                return error_answer("illegal base64 data at input byte 4")
            if spelled == "http" and any(not one.startswith("http") for one in pictures):
                return error_answer("image must be a valid URL")
        else:
            return None
        return 200, {"created": 1, "data": [{"url": provider.picture()}]}

    return serve


@pytest.mark.parametrize(
    "answer",
    [
        error_answer("Unexpected field"),
        error_answer("image must be a single file"),
        error_answer("Too many files", code="LIMIT_FILE_COUNT"),
        error_answer("only one image is supported"),
        error_answer("The number of images exceeds the limit of 1"),
        error_answer("'image': expected a file, got an array"),
        error_answer("Bad Request"),
        error_answer("Invalid type", param="image"),
        (422, {"detail": [{"loc": ["body", "image"], "msg": "Input should be a valid file", "type": "x"}]}),
        error_answer("Unsupported Media Type", 415),
        error_answer("Invalid URL (POST /v1/images/edits)", 404),
    ],
)
def test_an_edits_route_with_one_file_leads_to_the_array(tmp_path: Path, answer: Answer) -> None:
    """Order kept, refused for nothing, billed once; the next edit of several begins there."""
    with stub_provider(images(several=answer)) as provider:
        engine = machine(tmp_path, "nanobanana", provider)
        for number, paths in enumerate(([EDITS, GENERATIONS], [GENERATIONS])):
            provider.forget()
            asked = edit(f"two {number}", first=10 * number)
            complete(engine, "nanobanana", asked)
            assert provider.paths() == paths and provider.bills == 1
            assert [unwrapped(one) for one in provider.asked[-1].json["image"]] == files("nanobanana", asked)


def test_one_reference_still_goes_as_a_file(tmp_path: Path) -> None:
    """What is refused of several says nothing about one."""
    with stub_provider(images(several=error_answer("Unexpected field"))) as provider:
        engine = machine(tmp_path, "nanobanana", provider)
        complete(engine, "nanobanana", edit("two"))
        provider.forget()
        asked = edit("one", 1, first=30)
        complete(engine, "nanobanana", asked)
        assert provider.paths() == [EDITS] and provider.asked[0].files("image") == files("nanobanana", asked)


def test_the_array_is_spelled_as_the_base_reads_it(tmp_path: Path) -> None:
    """Bare base64 after a data URI was refused; both facts are remembered together."""
    with stub_provider(images(several=error_answer("Unexpected field"), spelled="base64")) as provider:
        engine = machine(tmp_path, "nanobanana", provider)
        for number, paths in enumerate(([EDITS, GENERATIONS, GENERATIONS], [GENERATIONS])):
            provider.forget()
            asked = edit(f"bare {number}", first=10 * number)
            done = complete(engine, "nanobanana", asked)
            assert (
                provider.paths() == paths and provider.bills == 1 and done.report.requests[0]["attempts"] == len(paths)
            )
            assert [unwrapped(one) for one in provider.asked[-1].json["image"]] == files("nanobanana", asked)


def test_when_every_variant_is_refused_each_was_tried_once(tmp_path: Path) -> None:
    """The message says that addresses only are taken; nothing was charged and nothing is remembered."""
    with stub_provider(images(several=error_answer("Unexpected field"), spelled="http")) as provider:
        engine = machine(tmp_path, "nanobanana", provider)
        for number in range(2):
            provider.forget()
            message = refused(engine, "nanobanana", edit(f"none {number}"))
            assert ONLY in message and "providers.yaml" in message
            assert provider.paths() == [EDITS, GENERATIONS, GENERATIONS] and provider.bills == 0


def test_an_array_that_is_refused_leads_to_the_files(tmp_path: Path) -> None:
    """The form that the user chose is the first; the way back is as free."""
    with stub_provider(images(array=error_answer("image is not supported on this route"))) as provider:
        there = {"NANO_BANANA_NANOBANANA_API_KEY": "k-1", "NANO_BANANA_NANOBANANA_BASE_URL": provider.url}
        engine = Engine(tmp_path, specs=QUICK_SPECS, environ=there | {"NANO_BANANA_NANOBANANA_FORM": "json"})
        for number, paths in enumerate(([GENERATIONS, EDITS], [EDITS])):
            provider.forget()
            asked = edit(f"back {number}", first=10 * number)
            complete(engine, "nanobanana", asked)
            assert provider.paths() == paths and provider.bills == 1
            assert provider.asked[-1].files("image") == files("nanobanana", asked)


@pytest.mark.parametrize(
    "answer",
    [
        error_answer("The image was rejected by the safety system", code="content_policy_violation"),
        error_answer("Incorrect API key provided", code="invalid_api_key"),
        error_answer("insufficient credits"),
        error_answer("Image is too large: at most 4 MB"),
        error_answer("image size must be 1024x1024"),
        error_answer("The image exceeds the maximum of 4096 pixels a side"),
        error_answer("Invalid aspect ratio", code="invalid_parameter"),
        error_answer("Unexpected field", 409),
        error_answer("Unexpected field", 401),
        error_answer("Unexpected field", 500),
        error_answer("no channel", 503, code="model_not_found"),
        error_answer("no such model", 404, code="model_not_found"),
    ],
)
def test_what_is_not_about_the_way_leads_nowhere(tmp_path: Path, answer: Answer) -> None:
    """Content, key, credit, the picture itself, another field, and answers that may have cost money: one paid request."""
    with stub_provider(images(several=answer)) as provider:
        engine = machine(tmp_path, "nanobanana", provider)
        done = run(engine, "nanobanana", edit("only once"))
        assert done.tasks[0].error and provider.bills == 0
        tries = {one.body for one in provider.asked}
        assert len(tries) == 1 and set(provider.paths()) == {EDITS}


def test_an_interrupt_between_two_variants_sends_nothing_more(tmp_path: Path) -> None:
    """The refusal was free, so the run stops there; the next run pays once, without a question."""
    arrived, stopped = threading.Event(), threading.Event()

    def serve(provider: StubProvider, asked: ReceivedRequest) -> Answer | None:
        if asked.path != EDITS:
            return images()(provider, asked)
        arrived.set()
        stopped.wait(30)
        return error_answer("Unexpected field")

    with stub_provider(serve) as provider:
        engine = machine(tmp_path, "nanobanana", provider)
        asked = edit("interrupted")
        begun = engine.run([asked], engine.plan(ProviderChoice("nanobanana"), [asked]))
        assert arrived.wait(30)
        begun.stop()
        stopped.set()
        (call,) = begun.calls
        assert begun.done.wait(40) and call.done.wait(40)  # the run ends first, where its call takes longer
        error = call.outcome.error
        assert (
            error is not None and error.charged == "no" and GENERATIONS not in provider.paths() and provider.bills == 0
        )
        provider.serve = lambda one: images()(provider, one)
        complete(engine, "nanobanana", asked)
        assert provider.bills == 1


# --------------------------------------------------------------------------------------------------- OneRouter


def onerouter(
    ratios: tuple[str, ...] = ("3:2", " 3:2", "16:9"),
    complaint: Answer = (400, {"message": "invalid request"}),
    prefix: str = "google/",
    references: Answer | None = None,
) -> Callable[[StubProvider, ReceivedRequest], Answer | None]:
    """The two routes of the documents: the ratios it knows, how it refuses another, the prefix of its ids, and its refusal
    of references."""

    def serve(provider: StubProvider, asked: ReceivedRequest) -> Answer | None:
        if asked.path not in (EDITS, GENERATIONS):
            return None
        value = asked.json
        if value["model"].startswith("google/") != bool(prefix):
            return error_answer(f"The model `{value['model']}` does not exist", 404, code="model_not_found")
        if "aspect_ratio" in value and value["aspect_ratio"] not in ratios:
            return complaint
        if "image_urls" in value and references:
            return references
        return 200, {"created": 1, "data": [{"url": provider.picture()}]}

    return serve


def ratios_sent(provider: StubProvider) -> list[str]:
    return [one.json.get("aspect_ratio", "") for one in provider.asked]


@pytest.mark.parametrize(
    "complaint",
    [
        (400, {"message": "invalid request"}),
        (400, {"error": {"message": "Bad Request", "type": "invalid_request_error", "code": "invalid_parameter"}}),
        (422, {"detail": "Unprocessable Entity"}),
        (422, {"error": {"message": "Validation error (request id: 2026a)", "code": 422}}),
        (400, {}),
        (400, b"Bad Request"),
        (400, {"timestamp": "2026-11-27T10:00:00Z", "status": 400, "error": "Bad Request", "path": GENERATIONS}),
        (400, {"type": "https://tools.example/400", "title": "One or more validation errors occurred.", "status": 400}),
        (400, {"code": 400, "message": "参数错误"}),
        (400, {"error": {"message": "Invalid input", "param": "aspect_ratio"}}),
        (422, {"detail": [{"loc": ["body", "aspect_ratio"], "msg": "Input should be 'auto'", "type": "enum"}]}),
        (200, {"code": 400, "message": "invalid request"}),
    ],
)
def test_a_refusal_of_3_2_that_says_nothing_leads_to_the_published_spelling(tmp_path: Path, complaint: Answer) -> None:
    """Once, for nothing; the next 3:2 at this base begins with it, and other ratios are as they were."""
    with stub_provider(onerouter((" 3:2", "16:9"), complaint)) as provider:
        engine = machine(tmp_path, "onerouter", provider)
        complete(engine, "onerouter", request(prompt="first", aspect_ratio="3:2"))
        assert ratios_sent(provider) == ["3:2", " 3:2"] and provider.bills == 1
        complete(engine, "onerouter", request(prompt="second", aspect_ratio="3:2"))
        complete(engine, "onerouter", request(prompt="third", aspect_ratio="16:9"))
        assert ratios_sent(provider)[2:] == [" 3:2", "16:9"] and provider.bills == 3
        assert complete(engine, "onerouter", request(prompt="first", aspect_ratio="3:2")).tasks[0].source == "store"


@pytest.mark.parametrize(
    "complaint",
    [
        (400, {"error": {"message": "Invalid request: prompt is too long"}}),
        (400, {"error": {"message": "Invalid parameter", "param": "prompt"}}),
        (400, {"message": "Validation failed", "errors": {"prompt": ["too long"]}}),
        (400, {"message": "Bad Request", "details": "the prompt holds a forbidden character"}),
        (422, {"detail": [{"loc": ["body", "seed"], "msg": "Input should be a valid integer"}]}),
        (400, {"error": {"message": "Invalid request", "code": "invalid_api_key"}}),
        (400, {"error": {"message": "insufficient credits"}}),
        (400, {"error": {"message": "Bad request", "code": "content_policy_violation"}}),
        (400, b"<html><head><title>400 Bad Request</title></head></html>"),
        (409, {"message": "invalid request"}),
        (408, {"message": "invalid request"}),
        (500, {"message": "invalid request"}),
    ],
)
def test_a_refusal_of_3_2_that_names_something_else_leads_nowhere(tmp_path: Path, complaint: Answer) -> None:
    """Nor does an answer that may have cost money, or a web page."""
    with stub_provider(onerouter((), complaint)) as provider:
        done = run(machine(tmp_path, "onerouter", provider), "onerouter", request(prompt="no", aspect_ratio="3:2"))
        assert done.tasks[0].error and ratios_sent(provider) == ["3:2"] and provider.bills == 0


def test_a_ratio_that_neither_spelling_helps_is_refused_after_two(tmp_path: Path) -> None:
    """Nothing was charged, and nothing is remembered."""
    with stub_provider(onerouter(())) as provider:
        engine = machine(tmp_path, "onerouter", provider)
        for number in range(2):
            provider.forget()
            refused(engine, "onerouter", request(prompt=f"never {number}", aspect_ratio="3:2"))
            assert ratios_sent(provider) == ["3:2", " 3:2"] and provider.bills == 0


@pytest.mark.parametrize("operation", ["generate", "edit"])
def test_a_model_id_is_asked_for_without_its_prefix_once(tmp_path: Path, operation: Any) -> None:
    """The summary of the edits' document has none. The picture stays known by the id of the spec."""
    with stub_provider(onerouter(prefix="")) as provider:
        engine = machine(tmp_path, "onerouter", provider)
        name = f"nano-banana-pro-{'text' if operation == 'generate' else 'image'}-to-image"
        complete(engine, "onerouter", request(operation, prompt="one"), "nano-banana-pro")
        assert [one.json["model"] for one in provider.asked] == [f"google/{name}", name] and provider.bills == 1
        again = complete(engine, "onerouter", request(operation, prompt="one"), "nano-banana-pro")
        assert again.tasks[0].source == "store" and provider.bills == 1
        complete(engine, "onerouter", request(operation, prompt="two"), "nano-banana-pro")
        assert [one.json["model"] for one in provider.asked][2:] == [name] and provider.bills == 2


def test_a_model_that_is_not_there_is_asked_for_twice(tmp_path: Path) -> None:
    """And no more often, and for nothing."""
    with stub_provider(
        lambda provider, asked: error_answer("model not found", 404, code="model_not_found")
    ) as provider:
        refused(machine(tmp_path, "onerouter", provider), "onerouter", request(prompt="nobody"))
        assert len(provider.asked) == 2 and provider.bills == 0


def test_a_route_that_is_not_there_is_not_about_the_model(tmp_path: Path) -> None:
    """No other id would find it."""
    with stub_provider(lambda provider, asked: (404, {"detail": "Not Found"})) as provider:
        refused(machine(tmp_path, "onerouter", provider), "onerouter", request(prompt="nowhere"))
        assert len(provider.asked) == 1


def test_an_edits_route_that_is_not_there_leads_to_generations(tmp_path: Path) -> None:
    """With the references and the id of an edit, as the vendor's plugin asks; remembered, and text is as it was."""

    def serve(provider: StubProvider, asked: ReceivedRequest) -> Answer | None:
        return onerouter()(provider, asked) if asked.path == GENERATIONS else None

    with stub_provider(serve) as provider:
        engine = machine(tmp_path, "onerouter", provider)
        for number, paths in enumerate(([EDITS, GENERATIONS], [GENERATIONS])):
            provider.forget()
            asked = edit(f"route {number}", first=10 * number)
            complete(engine, "onerouter", asked)
            assert provider.paths() == paths and provider.bills == 1
            sent = provider.asked[-1].json
            assert [unwrapped(one) for one in sent["image_urls"]] == files("onerouter", asked)
            assert sent["model"].endswith("-image-to-image")


def test_two_facts_about_one_base_are_both_remembered(tmp_path: Path) -> None:
    """The ratio's spelling and the id's, learned in one call or in two."""
    with stub_provider(onerouter((" 3:2",), prefix="")) as provider:
        engine = machine(tmp_path, "onerouter", provider)
        complete(engine, "onerouter", request("edit", prompt="id"))
        complete(engine, "onerouter", request(prompt="ratio", aspect_ratio="3:2"))
        assert len(provider.asked) == 4 and provider.bills == 2
        provider.forget()
        complete(engine, "onerouter", request(prompt="both", aspect_ratio="3:2"))
        assert len(provider.asked) == 1 and provider.bills == 1
        fresh = machine(tmp_path / "fresh", "onerouter", provider)
        provider.forget()
        complete(fresh, "onerouter", request(prompt="at once", aspect_ratio="3:2"))
        complete(fresh, "onerouter", request(prompt="then", aspect_ratio="3:2"))
        assert len(provider.asked) == 4 and provider.bills == 2


@pytest.mark.parametrize(
    "answer",
    [
        error_answer("image_urls must be http(s) URLs"),
        error_answer("image_urls[0]: URL scheme should be 'http' or 'https'", 422),
    ],
)
def test_a_base_that_takes_addresses_only_is_told_so(tmp_path: Path, answer: Answer) -> None:
    """There is no other way for a picture of this machine."""
    with stub_provider(onerouter(references=answer)) as provider:
        message = refused(machine(tmp_path, "onerouter", provider), "onerouter", edit("addresses", 1))
        assert ONLY in message and "providers.yaml" in message and "Nothing was charged" in message
        assert len(provider.asked) == 1 and provider.bills == 0


# --------------------------------------------------------------------------------------------------- WaveSpeed

BINARY, TICKETS, FORM = "/api/v3/media/upload/binary", "/api/v3/media/uploads", "/api/v3/upload"
MODEL = "/api/v3/google/nano-banana-2/edit"


def wrapped(data: Any, code: int = 200) -> Answer:
    return code, {"code": code, "message": "success" if code == 200 else "no", "data": data}


def wavespeed(
    there: set[str], inside: bool = True, result: str = "/result"
) -> Callable[[StubProvider, ReceivedRequest], Answer | None]:
    """The model's route, the uploads that are `there`, and the address of a prediction with or without its end."""
    put: dict[str, bytes] = {}

    def serve(provider: StubProvider, asked: ReceivedRequest) -> Answer | None:
        if asked.path in (BINARY, FORM) and asked.path in there:
            (content,) = asked.files("file")
            put[f"{provider.url}/served/{len(put)}-up"] = content
            return wrapped({"url" if asked.path == FORM else "download_url": list(put)[-1]})
        if asked.path == TICKETS and TICKETS in there:
            address = f"{provider.url}/served/{len(put)}-up"
            put[address] = b""
            upload = {"method": "PUT", "url": f"{provider.url}/put/{len(put)}", "headers": {"x-goog-meta": "7"}}
            return wrapped({"download_url": address, "upload": upload, "size": asked.json["size"]})
        if asked.path.startswith("/put/"):
            assert not asked.authorized, "a signed address gets no key"
            put[list(put)[-1]] = asked.body
            return 200, b""
        if asked.path == MODEL:
            pictures = [put.get(one, b"") if one.startswith("http") else unwrapped(one) for one in asked.json["images"]]
            if not all(pictures) or not (inside or all(one in put for one in asked.json["images"])):
                return 400, {"code": 400, "message": "images must be a list of URLs"}
            provider.seen = pictures
            return wrapped({"id": "p1", "status": "created"})
        if asked.path == f"/api/v3/predictions/p1{result}":
            return wrapped({"id": "p1", "status": "completed", "outputs": [provider.picture()]})
        return 404, b"404 page not found"

    return serve


@pytest.mark.parametrize(
    ("there", "tried"),
    [({BINARY, TICKETS, FORM}, [BINARY]), ({TICKETS, FORM}, [BINARY, TICKETS]), ({FORM}, [BINARY, TICKETS, FORM])],
)
def test_an_upload_route_that_is_not_there_leads_to_the_next(tmp_path: Path, there: set[str], tried: list[str]) -> None:
    """The three that are documented, in this order, free; the last one that worked is the first next time."""
    with stub_provider(wavespeed(there)) as provider:
        engine = machine(tmp_path, "wavespeed", provider)
        asked = edit("up")
        complete(engine, "wavespeed", asked, NB2)
        assert provider.paths() == [*tried, tried[-1], MODEL] and provider.bills == 1
        assert provider.seen == files("wavespeed", asked)
        provider.forget()
        complete(engine, "wavespeed", edit("up again", 1, first=20), NB2)
        assert provider.paths() == [tried[-1], MODEL] and provider.bills == 1


def test_a_base_without_any_upload_gets_the_references_inside(tmp_path: Path) -> None:
    """And is told to take addresses only when it refuses them."""
    with stub_provider(wavespeed(set())) as provider:
        engine = machine(tmp_path, "wavespeed", provider)
        asked = edit("inside")
        complete(engine, "wavespeed", asked, NB2)
        assert provider.paths() == [BINARY, TICKETS, FORM, MODEL] and provider.bills == 1
        assert provider.seen == files("wavespeed", asked)
    with stub_provider(wavespeed(set(), inside=False)) as provider:
        message = refused(machine(tmp_path / "other", "wavespeed", provider), "wavespeed", edit("inside"), NB2)
        assert ONLY in message and provider.bills == 0


def test_a_prediction_is_found_at_the_address_of_the_other_page(tmp_path: Path) -> None:
    """One page has `/result` at its end, another hasn't: a paid prediction isn't lost for it."""
    with stub_provider(wavespeed({BINARY}, result="")) as provider:
        engine = machine(tmp_path, "wavespeed", provider)
        complete(engine, "wavespeed", edit("short"), NB2)
        assert (
            provider.paths("GET") == ["/api/v3/predictions/p1/result", "/api/v3/predictions/p1"] and provider.bills == 1
        )
        complete(engine, "wavespeed", edit("short again", first=7), NB2)
        assert provider.paths("GET")[2:] == ["/api/v3/predictions/p1"]


def test_a_deleted_prediction_is_over_and_maybe_charged(tmp_path: Path) -> None:
    """It is not polled for ever, and is asked about before it is paid again."""

    def serve(provider: StubProvider, asked: ReceivedRequest) -> Answer | None:
        if asked.method == "GET":
            return wrapped({"id": "p1", "status": "deleted", "outputs": []})
        return wrapped({"id": "p1", "status": "created"})

    with stub_provider(serve) as provider:
        engine = machine(tmp_path, "wavespeed", provider)
        asked = request(prompt="gone")
        error = run(engine, "wavespeed", asked, NB2).tasks[0].error
        assert error is not None and error.charged == "maybe" and "p1" in str(error)
        again = run(engine, "wavespeed", asked, NB2).tasks[0].error
        assert again is not None and again.kind == "doubt" and len(provider.paths()) == 1


# ------------------------------------------------------------------------------------- uploads of the other providers


@pytest.mark.parametrize(("name", "form"), [("fal", "storage"), ("replicate", "files")])
def test_where_small_references_travel_inside_large_ones_do_without_uploads(
    doubles: Doubles, tmp_path: Path, name: str, form: str
) -> None:
    """fal and Replicate document data URIs: only their length asks for uploads. One request, one bill, remembered."""
    doubles.reset()
    doubles.switch(name, form, 404)
    specs = QUICK_SPECS | {name: replace(QUICK_SPECS[name], upload_above=1)}
    engine = Engine(tmp_path, specs=specs, environ=keyed(doubles, name))
    for number in range(2):
        complete(engine, name, edit(f"large {number}", first=10 * number), NB2)
        seen = doubles.request_log(f"large {number}")
        assert seen["paid_calls"] == 1 and len(seen["requests"]) == 1
        assert [one["encoding"] for one in seen["requests"][0]["references"]] == ["data_uri"] * 2
    assert [one["kind"] for one in doubles.request_log()["free"]].count("upload") == 1


@pytest.mark.parametrize(("name", "form"), [("kie", "upload"), ("apiframe_v2", "uploads")])
def test_where_references_are_addresses_a_missing_upload_is_said(
    doubles: Doubles, tmp_path: Path, name: str, form: str
) -> None:
    """Their documents take addresses only: nothing is paid on a guess."""
    doubles.reset()
    doubles.switch(name, form, 404)
    engine = Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, name))
    message = refused(engine, name, edit("no upload", 1))
    assert "has no upload for reference images" in message and "providers.yaml" in message
    assert not doubles.request_log("no upload")["requests"]


def test_the_ticket_of_wavespeed_s_own_client_is_spoken(doubles: Doubles, tmp_path: Path) -> None:
    """The double takes what the package `wavespeed` sends; the same pixels arrive, and the signed address gets no key."""
    doubles.reset()
    doubles.switch("wavespeed", "upload", 405)
    engine = Engine(tmp_path, specs=QUICK_SPECS, environ=keyed(doubles, "wavespeed"))
    asked = edit("ticket")
    complete(engine, "wavespeed", asked, NB2)
    (entry,) = doubles.request_log("ticket")["requests"]
    pixels = [sha256(picture._load().tobytes()).hexdigest() for picture in asked.references]
    assert [one["sha256_pixels"] for one in entry["references"]] == pixels and entry["paid"] == 1
    uploads = [
        (one["method"], one["authorization"]) for one in doubles.request_log()["free"] if one["kind"] == "upload"
    ]
    assert uploads[0][0] == "POST" and ("PUT", "") in uploads and ("PUT", "bearer sim-…") not in uploads


# ------------------------------------------------------------------------------------------- the journal, the page


def test_the_journal_takes_a_refused_variant_back_before_the_next(tmp_path: Path) -> None:
    """A process that dies between the two leaves nothing that may have been paid."""
    with stub_provider(images(several=error_answer("Unexpected field"))) as provider:
        engine = machine(tmp_path, "nanobanana", provider)
        written: list[str] = []
        ledger = engine.ledger
        for step in ("mark_sent", "mark_retryable", "mark_answered"):
            known = getattr(ledger, step)

            def noted(*facts: Any, known: Any = known, step: str = step, **named: Any) -> Any:
                written.append(step)
                return known(*facts, **named)

            setattr(ledger, step, noted)
        complete(engine, "nanobanana", edit("written"))
        assert written == ["mark_sent", "mark_retryable", "mark_sent", "mark_answered"]


def test_what_was_learned_is_shown_before_the_run(tmp_path: Path) -> None:
    """The dry run shows the request as it will be sent."""
    with stub_provider(onerouter((" 3:2",), prefix="")) as provider:
        engine = machine(tmp_path, "onerouter", provider)
        complete(engine, "onerouter", request(prompt="first", aspect_ratio="3:2"))
        asked = request(prompt="second", aspect_ratio="3:2")
        shown = estimate(engine, ProviderChoice("onerouter"), [asked], pixels=True, sends=True).sends[0]
        provider.forget()
        complete(engine, "onerouter", asked)
        assert json.loads(shown["body"]) == provider.asked[0].json


# --------------------------------------------------------------------------------------------------- the money

_WORDS = (
    "invalid request", "Unexpected field", "image must be a valid URL", "illegal base64 data at input byte 4",
    "model not found", "aspect_ratio is wrong", "media URL must use HTTP(S)", "prompt is too long", "",
)  # fmt: skip


@settings(max_examples=examples(300))
@given(
    name=st.sampled_from(["runflow", "nanobanana", "onerouter", "wavespeed", "fal", "replicate", "openrouter"]),
    references=st.integers(0, 3),
    answers=st.lists(
        st.tuples(
            st.sampled_from([400, 401, 402, 403, 404, 405, 408, 409, 415, 422, 429, 499, 500, 501, 502, 503, 504]),
            st.sampled_from(_WORDS),
        ),
        min_size=12,
        max_size=12,
    ),
)
def test_no_variant_follows_an_answer_that_may_have_cost_money(
    name: str, references: int, answers: list[tuple[int, str]]
) -> None:
    """Whatever a base answers: each paid request follows a surely free refusal, none is sent twice, and they end."""
    spec = replace(BUILT_IN[name], upload_above=1 if BUILT_IN[name].upload_above else 0)
    operation: Any = "edit" if references else "generate"
    work = job(spec, request(operation, references or None, aspect_ratio="3:2"), NB2)
    its_dialect = dialect(spec.dialect)
    step = its_dialect.start(work)
    sent: set[tuple[str, bytes]] = set()
    last: tuple[bool, int] | None = None
    for status, message in answers:
        if not isinstance(step, Send):
            break
        if step.paid:
            this = (step.url, b"".join(bytes(piece) for piece in step.body or ()))
            assert this not in sent, "the same request twice"
            sent.add(this)
        if last is not None:
            was_paid, before = last
            assert allows_other_variant(before) if was_paid else is_missing_route(before)
        last = (step.paid, status)
        step = its_dialect.next(work, step.state, reply(status, {"error": {"message": message}}))
    assert isinstance(step, Failed) and len(sent) <= 4
