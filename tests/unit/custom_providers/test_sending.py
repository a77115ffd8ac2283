"""providers.yaml: how references travel, uploads, repetition, own headers; and words that would change nothing."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import drive, job, play, request, sent_json, tiny
from long_rows import every_value
from pack.core.custom_providers.providers_file import FILE, ProvidersFile, read_providers_file
from pack.core.custom_providers.sending import REFERENCE_ENCODINGS
from pack.core.custom_providers.templates import dialects
from pack.core.dialects import dialect
from pack.core.dialects.base.step import Done, Send
from pack.core.engine import Engine
from pack.core.http.transport import Transport
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import OPERATIONS, ProviderSpec
from pack.tests.doubles.server import Doubles

DIALECTS = list(dialects())
CAN = [(name, encoding) for name in DIALECTS for encoding in dialect(name).reference_encodings]
UNDOCUMENTED = {("onerouter", "base64")}
"""What the provider itself doesn't document, and its double refuses: for those who copy its API."""
CAN_T = [(name, t) for name in DIALECTS for t in REFERENCE_ENCODINGS if t not in dialect(name).reference_encodings]


def read(home: Path, text: str) -> ProvidersFile:
    (home / FILE).write_text(text, "utf-8")
    return read_providers_file(home, BUILT_IN)


def shop(home: Path, like: str, *lines: str) -> ProviderSpec:
    """A provider like a built-in one, with more lines; the key is sent as the built-in one's."""
    text = f"providers:\n  shop:\n    like: {like}\n    base_url: https://shop.example\n"
    if "{project}" in BUILT_IN[like].endpoints["generate"].path:
        text += "    paths: {generate: '/{model}', edit: '/{model}'}\n"
    found = read(home, text + "".join(f"    {line}\n" for line in lines))
    assert found.errors == ()
    known = BUILT_IN[like]
    return replace(found.specs["shop"], auth_header=known.auth_header, auth_template=known.auth_template)


def error_of(home: Path, *lines: str, like: str = "nanobanana") -> str:
    """What is said about a provider with these lines, the first of which is line 5."""
    text = f"providers:\n  shop:\n    like: {like}\n    base_url: https://shop.example\n"
    found = read(home, text + "".join(f"    {line}\n" for line in lines))
    assert len(found.errors) == 1 and not found.specs, found
    return found.errors[0]


# ---------------------------------------------------------------------------------------------------- references


@pytest.mark.parametrize(("name", "encoding"), CAN)
def test_references_travel_as_the_file_says(doubles: Doubles, tmp_path: Path, name: str, encoding: str) -> None:
    """Every reference encoding that a dialect names, against the strict double, which writes down how they came."""
    doubles.reset()
    known = dialects()[name]
    spec = shop(tmp_path, known.id, f"references: {encoding}")
    base = doubles.base_url(known.id)
    work = job(spec, request("edit", 2, prompt=f"{name} {encoding}"), base_url=base)
    if (name, encoding) in UNDOCUMENTED:
        sent = sent_json(play(work).sends[0])[spec.endpoints["edit"].references_field]
        assert [base64.b64decode(each) for each in sent] == [picture.data for picture in work.references]
        return
    end, paid = drive(work, Transport(base), "sim-way")
    assert isinstance(end, Done) and paid == 1, end
    (asked,) = doubles.request_log(f"{name} {encoding}")["requests"]
    came = {each["encoding"] for each in asked["references"]}
    assert came == {"url" if encoding == "upload" else encoding}
    uploads = [call for call in doubles.request_log()["free"] if call["kind"] == "upload"]
    assert bool(uploads) == (encoding == "upload")


@pytest.mark.parametrize(("name", "encoding"), CAN_T)
def test_a_reference_encoding_that_a_dialect_can_t_do_is_an_error(tmp_path: Path, name: str, encoding: str) -> None:
    error = error_of(tmp_path, "label: A", f"references: {encoding}", like=dialects()[name].id)
    assert error.startswith(f"{FILE} line 6: references can't be {encoding}")
    assert all(each in error for each in dialect(name).reference_encodings)


def test_the_reference_says_what_every_dialect_can() -> None:
    readme = Path(__file__).resolve().parents[3] / "example_providers" / "README.md"
    chapters = readme.read_text("utf-8").split("\n## ")
    table = next(each for each in chapters if each.startswith("Dialects\n"))
    cells = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")][1:]
    listed = {(each[0].strip("| `"), word) for each in cells for word in re.findall(r"`(\w+)`", each[1])}
    assert listed == set(CAN)
    explained = next(each for each in chapters if each.startswith("References\n"))
    assert all(f"\n| `{encoding}` |" in explained for encoding in REFERENCE_ENCODINGS)


def test_the_field_and_the_encoding_may_be_said_together(tmp_path: Path) -> None:
    spec = shop(tmp_path, "onerouter", "references: {name: pictures, as: base64}")
    body = sent_json(play(job(spec, request("edit"))).sends[0])
    assert not body["pictures"][0].startswith("data:") and "image_urls" not in body
    assert "references is written data_uri" in error_of(tmp_path, "references: data-URI", like="onerouter")
    assert "as is one of" in error_of(tmp_path, "references: {name: a, as: post}", like="onerouter")


def test_json_references_of_the_images_api_go_where_text_goes_unless_paths_says_otherwise(tmp_path: Path) -> None:
    """Its edits route takes a form: a body of JSON there would be refused."""
    spec = shop(tmp_path, "nanobanana", "references: data_uri")
    assert play(job(spec, request("edit"))).paths == ["POST /v1/images/generations"]
    assert spec.api_variants == ("json", "json async")
    spec = shop(tmp_path, "nanobanana", "references: base64", "paths: {edit: /v1/images/edits}", "forms: [json async]")
    assert play(job(spec, request("edit"))).paths == ["POST /v1/images/edits?async=true"]


def test_what_is_uploaded_goes_to_the_named_route_and_only_from_the_named_size(tmp_path: Path) -> None:
    spec = shop(tmp_path, "fal", "upload_above: 1000000", "upload_url: https://up.example", "upload_path: /files/new")
    assert spec.reference_encoding == "data_uri" and spec.upload_above == 1_000_000
    small = job(spec, request("edit"), base_url=spec.base_url)
    assert [send.paid for send in play(small).sends] == [True]
    spec = replace(spec, upload_above=1)
    (send,) = play(job(spec, request("edit"), base_url=spec.base_url)).sends
    assert (send.method, send.url, send.paid) == ("POST", "https://up.example/files/new", False)


def test_an_overlay_may_keep_google_from_uploading(tmp_path: Path) -> None:
    """Then what fits into one request is the limit."""
    found = read(tmp_path, "overlays:\n  google: {references: base64}\n")
    spec = found.specs["google"]
    assert found.errors == () and spec.upload_above == 0 and spec.max_request_bytes < 20_000_000


# ------------------------------------------------------------------------------------------------------ headers


def test_the_key_may_stand_in_a_header_of_its_own(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'providers:\n  shop: {like: fal, base_url: https://s.example, auth: {header: X-Token, value: "Token {key}"}}\n',
    )
    assert found.errors == () and found.specs["shop"].header("k") == ("X-Token", "Token k")


def test_a_request_with_an_idempotency_header_is_repeated_with_the_same_value(doubles: Doubles, tmp_path: Path) -> None:
    """It says that the same value twice is one job and one bill: only then is a broken paid request sent again."""
    doubles.reset()
    for name, line in (("plain", ""), ("safe", "    idempotency_header: Idempotency-Key\n")):
        home = tmp_path / name
        home.mkdir()
        base = doubles.base_url("apiframe_v2")
        text = f"providers:\n  shop:\n    like: apiframe_v2\n    base_url: {base}\n{line}    poll_seconds: [0.1, 0.2]\n"
        assert read(home, text).errors == ()
        engine = Engine(home, environ={"NANO_BANANA_SHOP_API_KEY": "sim-run"})
        asked = [request(prompt=f"repeat {name} [[sim: drop=headers paid times=1]]")]
        run = engine.run(asked, engine.plan(ProviderChoice("shop"), asked))
        assert run.done.wait(30)
        sent = doubles.request_log(f"repeat {name}")["requests"]
        keys = [each["headers"].get("idempotency-key", "") for each in sent]
        assert len(sent) == (1 if name == "plain" else 2), keys
        assert len(set(keys)) == 1 and bool(keys[0]) == (name == "safe")


ERRORS: dict[tuple[str, ...], str] = {
    ("auth: {header: X-Token, value: Token}",): "line 5: value is what is in the header",
    ("auth:", "  header: X Token", '  value: "{key}"'): "line 6: header is the name of a header",
    ("auth: {value: '{key}'}",): "line 5: auth is one of bearer",
    ("auth: {header: Host, value: '{key}'}",): "line 5: header is the name of a header",
    ("label: A", "idempotency_header: 'Idempotency Key'"): "line 6: idempotency_header is the name of a header",
    ("idempotency_header: Authorization",): "line 5: Authorization carries the key already",
    ("upload_url: https://up.example",): "line 5: upload_url would change nothing",
    ("upload_path: /files",): "line 5: upload_path would change nothing",
    ("upload_above: 1000",): "line 5: upload_above would change nothing",
    ("forms: [smoke]",): "line 5: forms has no smoke",
    ("forms: [json]",): "line 5: the form json needs references: data_uri or base64",
    ("references: data_uri", "forms: [multipart]"): "line 6: the form multipart needs references: multipart",
    ("poll_seconds: [5, 2]",): "line 5: poll_seconds is the first pause",
    ("poll_seconds: [soon, 2]",): "line 5: poll_seconds has numbers",
    ("refuses_before_work: [200]",): "line 5: refuses_before_work has numbers from 400 to 599",
    ("retired: {nano-banana-2: nano-banana}",): "line 5: nano-banana-2 is a model that is offered",
    ("retired: {old: older}",): "line 5: old is one of: nano-banana-2",
    ("models: {a: {wire: a, references: base64}}",): "line 5: how references travel is said of the provider",
    ("models: {a: {wire: a, auto_ratio: same}}",): "line 5: auto_ratio is one of",
    ("models: {a: {wire: a, choices: {zz: [a]}}}",): "line 5: choices has no zz",
    ("models: {recommended: {wire: a}}",): "line 5: recommended is a word of its own",
    ("fields: {generate: {zz: a}}",): "line 5: fields has no zz",
}


@pytest.mark.parametrize("lines", ERRORS, ids=range(len(ERRORS)))
def test_an_error_is_reported_with_its_line(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert error_of(tmp_path, *lines).startswith(f"{FILE} {ERRORS[lines]}")


@pytest.mark.parametrize("like", ["google", "fal"])
def test_an_upload_route_without_uploads_says_what_would_work(tmp_path: Path, like: str) -> None:
    assert "say references: upload" in error_of(tmp_path, "upload_path: /files", like=like)
    assert shop(tmp_path, like, "upload_path: /files", "references: upload").upload_path == "/files"


# ----------------------------------------------------------------------------------------- what would change nothing

NOTHING = {
    "google: {}": (2, "google is changed in nothing"),
    "google: {max_parallel: 8}": (2, "google is changed in nothing"),
    "onerouter: {base_url: https://image.onerouter.pro, auth: bearer}": (2, "onerouter is changed in nothing"),
    "google: {recommended: nano-banana-2.1}": (2, "google is changed in nothing"),
    "google: {models: {nano-banana-2.1: {price: {1K: 0.0336, 2K: 0.0504, 4K: 0.1134}}}}": (
        2,
        "nano-banana-2.1 is changed",
    ),
    "google:\n    max_parallel: 3\n    models:\n      nano-banana-2.1: {}": (
        5,
        "nano-banana-2.1 is changed in nothing",
    ),
    "fal: {fields: {aspect_ratio: aspect_ratio}}": (2, "fal is changed in nothing"),
    "openrouter:\n    max_parallel: 3\n    paths: {generate: /x}": (4, "base_url"),
    "openrouter: {references: pictures}": (2, "never reads it"),
    "openrouter: {poll_seconds: [1, 2]}": (2, "never reads it"),
    "google: {poll_seconds: [1, 2]}": (2, "never reads it"),
    "openrouter: {upload_url: https://up.example}": (2, "upload_url would change nothing"),
    "onerouter: {upload_url: https://up.example}": (2, "upload_url would change nothing"),
    "onerouter: {forms: [a]}": (2, "one form only"),
    "kie: {upload_above: 1000}": (2, "uploads every reference, or none"),
    "kie:\n    paths: {generate: /x}": (3, "nano-banana-lite and nano-banana"),
    "kie:\n    max_parallel: 2\n    fields: {resolution: size}": (4, "say fields below models for each of them"),
    "kie: {references: pictures}": (2, "doesn't reach"),
    "kie: {models: {nano-banana: {paths: {edit: /e}}}, paths: {edit: /e}}": (2, "reach nano-banana-lite,"),
}


@pytest.mark.parametrize("text", NOTHING, ids=range(len(NOTHING)))
def test_an_overlay_that_would_change_nothing_is_an_error(tmp_path: Path, text: str) -> None:
    line, words = NOTHING[text]
    found = read(tmp_path, f"overlays:\n  {text}\n")
    assert found.specs == {} and len(found.errors) == 1
    assert found.errors[0].startswith(f"{FILE} line {line}:") and words in found.errors[0], found.errors


def requests_of(spec: ProviderSpec) -> str:
    """Every paid request that a provider can be sent first, with every option that it has, as text."""
    found: list[Any] = []
    for model in spec.models:
        for operation in OPERATIONS:
            offer = model.capabilities(operation)
            if not offer:
                continue
            for form in spec.api_variants or ("",):
                asked = request(
                    operation,
                    aspect_ratio=offer.ratios[0] if offer.ratios else "auto",
                    resolution=offer.all_resolutions[0] if offer.all_resolutions else "auto",
                    seed=7,
                )
                count = 1 if operation == "edit" else 0
                work = job(
                    spec,
                    asked,
                    model.name,
                    uploaded={n: f"https://u.example/{n}" for n in range(count)},
                    api_variant=form,
                )
                step = dialect(spec.dialect).start(work)
                assert isinstance(step, Send) and step.body is not None
                body = b"".join(bytes(piece) for piece in step.body).decode("latin-1")
                found.append([model.name, operation, form, step.url, body])
    return json.dumps(found)


LINES = [
    "paths: {generate: '/other/{model}', edit: '/another/{model}'}",
    "references: other_field",
    "fields: {aspect_ratio: another_name}",
    "fields: {seed: a_seed}",
    "constants: {always: this}",
]


@pytest.mark.parametrize(
    ("like", "line"), every_value([spec.id for spec in BUILT_IN.values() if not spec.local], LINES)
)
def test_what_is_taken_without_a_word_changes_a_request(tmp_path: Path, like: str, line: str) -> None:
    """Whatever the dialect: a line is either reported as an error, or something else is sent."""
    plain = f"providers:\n  shop:\n    like: {like}\n    base_url: https://shop.example\n"
    if "{project}" in BUILT_IN[like].endpoints["generate"].path:
        plain += "    paths: {generate: '/{model}', edit: '/{model}'}\n"
        if line.startswith("paths"):
            return  # said already, or it would be an error
    before = read(tmp_path, plain)
    assert before.errors == ()
    after = read(tmp_path, f"{plain}    {line}\n")
    if after.errors:
        assert "line " in after.errors[0] and after.specs == {}
    else:
        assert requests_of(after.specs["shop"]) != requests_of(before.specs["shop"])


def test_models_with_paths_of_their_own_are_reached_below_the_model(tmp_path: Path) -> None:
    """As the error says: what works in place of it."""
    found = read(
        tmp_path,
        "overlays:\n  kie:\n    paths: {generate: /a, edit: /a}\n    models:\n"
        "      nano-banana: {paths: {generate: /b, edit: /b}, fields: {aspect_ratio: shape}}\n"
        "      nano-banana-lite: {paths: {generate: /c, edit: /c}}\n",
    )
    assert found.errors == ()
    spec = found.specs["kie"]
    for name, path in (("nano-banana", "/b"), ("nano-banana-lite", "/c"), ("nano-banana-pro", "/a")):
        played = play(job(spec, request(aspect_ratio="16:9"), name))
        assert played.paths == [f"POST {path}"]
    body = sent_json(play(job(spec, request(aspect_ratio="16:9"), "nano-banana")).sends[0])
    assert body["input"]["shape"] == "16:9" and "image_size" not in body["input"]


# ------------------------------------------------------------------------------------------------------- models


def test_a_new_model_of_a_built_in_provider_is_one_line(tmp_path: Path) -> None:
    """Like the recommended one where nothing is said; it is behind those that the pack knows."""
    found = read(tmp_path, "overlays:\n  google: {models: {nano-banana-9: {wire: gemini-nine}}}\n")
    spec = found.specs["google"]
    new, known = spec.model("nano-banana-9"), BUILT_IN["google"].model("recommended")
    assert found.errors == () and new and known and new.generate and known.generate
    assert new.generate == replace(known.generate, model_id="gemini-nine") and new.family == known.family
    assert new.price is None and spec.models[-1] is new and spec.recommended == BUILT_IN["google"].recommended


def test_an_operation_may_have_limits_of_its_own(tmp_path: Path) -> None:
    spec = shop(
        tmp_path,
        "google",
        "fields: {generate: {seed: null}}",
        "models:",
        "  nb:",
        "    wire: {generate: make, edit: change}",
        "    edit: {ratios: ['1:1'], max_references: 3, auto_ratio: none, options: [seed]}",
        "    choices: {thinking: [minimal, high]}",
        "retired: {nb-preview: nb}",
    )
    (model,) = spec.models
    assert model.generate and model.edit
    assert (model.generate.model_id, model.edit.model_id) == ("make", "change")
    assert len(model.generate.ratios) == 14 and model.edit.ratios == ("1:1",) and model.edit.max_references == 3
    assert "seed" not in spec.endpoints["generate"].fields and model.edit.options == {"seed"}
    assert model.generate.option_values == {"thinking": ("minimal", "high")} and spec.retired == {"nb-preview": "nb"}
    body = sent_json(play(job(spec, replace(request("edit", seed=5), references=(tiny(1),)), "nb")).sends[0])
    assert body["generationConfig"]["seed"] == 5


def test_a_constant_can_be_taken_away(tmp_path: Path) -> None:
    spec = shop(tmp_path, "nanobanana", "constants: {response_format: null, user: me}")
    body = sent_json(play(job(spec, request())).sends[0])
    assert "response_format" not in body and body["user"] == "me"
