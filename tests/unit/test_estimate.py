"""The dry run: what it says is what a run then does, and it sends, reserves and writes nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from dialect_driver import QUICK_SPECS, keyed, request, tiny
from long_rows import every_value
from pack.core.custom_providers.settings_form import save
from pack.core.engine import Engine
from pack.core.errors import ConfigError, Impossible
from pack.core.estimate import Estimate, elsewhere, estimate
from pack.core.execution.run import Run
from pack.core.images.picture import Picture
from pack.core.planning.choice import ProviderChoice
from pack.core.providers.spec import OPERATIONS, UNKNOWN_PRICE_USD
from pack.core.request import Request
from pack.tests.doubles.server import Doubles

KEYED = ("onerouter", "apiframe", "nanobanana", "runflow")
KEY = "sim-canary-90ab"


def machine(doubles: Doubles, home: Path, *names: str, own: bool = False, **more: str) -> Engine:
    environ = {f"NANO_BANANA_{name}": value for name, value in more.items()}
    environ |= keyed(doubles, *names, key=KEY)
    specs = None if own else QUICK_SPECS
    return Engine(home, local_address=lambda: doubles.base_url("offline"), specs=specs, environ=environ)


@pytest.fixture
def engine(doubles: Doubles, tmp_path: Path) -> Engine:
    """A machine with a key for every provider of the doubles."""
    doubles.reset()
    doubles.fault("small")
    return machine(doubles, tmp_path, *KEYED, ALLOW_MODELS="onerouter:vendor/new-model")


def estimated(
    engine: Engine, choice: ProviderChoice | None, *asked: Request, pixels: bool = True, sends: bool = True
) -> Estimate:
    return estimate(engine, choice, asked, pixels=pixels, sends=sends)


def made(engine: Engine, choice: ProviderChoice | None, *asked: Request) -> Run:
    run = engine.run(asked, engine.plan(choice, asked))
    assert run.done.wait(30), "the run didn't end"
    if run.error is not None:
        raise run.error
    assert not run.report.failed, [r.error for r in run.report.failed]
    return run


def fields_of(send: dict[str, Any]) -> dict[str, Any]:
    """The fields of a shown body, JSON or multipart; of files only that they are there."""
    if send["headers"]["Content-Type"] == "application/json":
        found: dict[str, Any] = json.loads(send["body"])
        return found
    fields: dict[str, Any] = {}
    boundary, _, _ = send["body"].partition("\r\n")
    for part in send["body"].split(boundary)[1:-1]:
        head, _, value = part.strip("\r\n").partition("\r\n\r\n")
        name = re.search(r'name="([^"]*)"', head)
        assert name
        if "filename=" in head:
            fields.setdefault(name[1], []).append(value)
        else:
            fields[name[1]] = value
    return fields


def without_pictures(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: without_pictures(item, names) for key, item in value.items() if key not in names}
    return value


PLAIN: list[dict[str, Any]] = [
    {},
    {"aspect_ratio": "16:9", "resolution": "2K", "seed": 77},
    {"safety_tolerance": "4", "limit_generations": "on", "output_format": "jpeg", "thinking": "high", "web_search": True,
     "system_prompt": "Be brief.", "prompt": 'a "fox"\n\\ in {snow} ❄'},
]  # fmt: skip


@pytest.mark.parametrize(("provider", "operation", "options"), every_value([*KEYED, "offline"], OPERATIONS, PLAIN))
def test_the_request_that_is_shown_is_the_one_that_is_sent(
    provider: str, operation: Any, options: dict[str, Any], engine: Engine, doubles: Doubles
) -> None:
    """For every provider and operation: method, address, content type and every field; pictures named, the key starred."""
    if provider == "nanobanana":  # this shop's model for everything takes no resolution
        options = {name: value for name, value in options.items() if name != "resolution"}
    choice = ProviderChoice(provider, "nano-banana-pro" if provider == "onerouter" else "recommended")
    asked = replace(request(operation, references=None if operation == "generate" else 2, **options), num_images=3)
    shown = estimated(engine, choice, asked)
    assert not doubles.request_log()["requests"] and not doubles.request_log()["free"] and engine.ledger.is_empty
    made(engine, choice, asked)
    got = sorted(doubles.request_log()["requests"], key=lambda entry: str(entry["fields"]))
    want = sorted(shown.sends, key=lambda send: str(without_pictures(fields_of(send), set())))
    assert len(want) == len(got) and sum(len(send["slots"]) for send in want) == 3
    pictures = {QUICK_SPECS[provider].endpoints[operation].references_field} - {""}

    def facts(method: str, path: str, query: str, kind: str, fields: Any) -> str:
        return json.dumps([method, path, query, kind, without_pictures(fields, pictures)], sort_keys=True)

    sent = sorted(
        facts(e["method"], e["route"], e["query"], e["headers"]["content-type"].partition(";")[0], e["fields"])
        for e in got
    )
    promised = []
    for send in want:
        parts = urlsplit(send["url"])
        assert f"{parts.scheme}://{parts.netloc}" == doubles.origin
        promised.append(
            facts(send["method"], parts.path, parts.query, send["headers"]["Content-Type"], fields_of(send))
        )
    assert sorted(promised) == sent
    for send, entry in zip(want, got, strict=True):
        assert KEY not in json.dumps(send)
        header = send["headers"].get(QUICK_SPECS[provider].auth_header)
        assert header == (
            None if provider == "offline" else QUICK_SPECS[provider].auth_template.replace("{key}", "***")
        )
        assert (
            len(re.findall(r"picture \d", send["body"]))
            == len(entry["references"])
            == (2 if pictures and operation == "edit" else 0)
        )


def test_references_are_shown_by_number_and_size(engine: Engine) -> None:
    """Not one byte of them; a dry run decodes and encodes nothing."""

    def load() -> Any:
        raise AssertionError("the pixels were looked at")

    pictures = (Picture(load, 40, 30, 3), Picture(load, 7, 9, 4))
    asked = replace(request("edit"), references=pictures)
    shown = estimated(engine, ProviderChoice("onerouter"), asked, pixels=False)
    (send,) = shown.sends
    first, second = fields_of(send)["image_urls"]
    assert first.endswith("<picture 1: 40x30>") and second.endswith("<picture 2: 7x9>") and len(send["body"]) < 1000
    assert shown.stored is None and shown.usd == shown.usd_each


def test_what_is_stored_is_counted_and_costs_nothing(engine: Engine, doubles: Doubles) -> None:
    """Before, in between and after: pictures, price and the requests that are left."""
    choice = ProviderChoice("onerouter", "nano-banana-2")
    asked = request(prompt="counted", seed=5, resolution="1K")
    six = replace(asked, num_images=6)
    before = estimated(engine, choice, six)
    assert (before.pictures, before.stored) == (6, 0) and [len(s["slots"]) for s in before.sends] == [4, 2]
    assert before.usd_each and before.usd == pytest.approx(6 * before.usd_each)
    made(engine, choice, replace(asked, num_images=4))
    between = estimated(engine, choice, six)
    assert (between.pictures, between.stored) == (6, 4) and between.usd == pytest.approx(2 * before.usd_each)
    assert [send["slots"] for send in between.sends] == [[4, 5]]
    doubles.reset()
    report = made(engine, choice, six).report
    assert doubles.request_log()["paid_images"] == 2
    assert report.usd == pytest.approx(between.usd) and report.provider == between.provider
    after = estimated(engine, choice, six)
    assert after.stored == 6 and after.usd == 0 and not after.sends
    assert estimated(engine, choice, replace(six, seed=6)).stored == 0


def test_the_price_is_that_of_the_run(engine: Engine) -> None:
    """Where the provider's price is known, the run says the same; what it counts as against a cap is never less."""
    for provider, model, resolution in (
        ("onerouter", "nano-banana-pro", "1K"),
        ("onerouter", "nano-banana-2", "1K"),
        ("runflow", "nano-banana-2", "1K"),
    ):
        choice = ProviderChoice(provider, model)
        asked = request(prompt=f"price of {provider} {model}", resolution=resolution)
        shown = estimated(engine, choice, asked, sends=False)
        run = made(engine, choice, asked)
        assert (
            shown.usd == pytest.approx(run.report.usd) and shown.usd_each and shown.price_source and shown.price_dated
        )
        assert shown.usd_counted >= shown.usd_each and (shown.model_id, shown.resolution) == (
            run.report.model_id,
            resolution,
        )
        assert shown.sends == ()


def test_a_price_that_nobody_knows_is_none_and_counts_as_the_dearest(engine: Engine) -> None:
    """Not published, or another model's id: no number is invented."""
    for choice in (ProviderChoice("apiframe"), ProviderChoice("onerouter", model_override="vendor/new-model")):
        shown = estimated(engine, choice, replace(request(), num_images=2))
        assert shown.usd_each is None and shown.usd is None and shown.price_source == ""
        assert shown.usd_counted == pytest.approx(2 * UNKNOWN_PRICE_USD)
    assert shown.model == shown.model_id == "vendor/new-model"
    assert json.loads(shown.sends[0]["body"])["model"] == "vendor/new-model"


def test_a_picture_that_another_of_the_chain_has_made_is_stored_too(engine: Engine) -> None:
    """As the run takes it: from a fallback, and from whom `auto` would have chosen before."""
    asked = request(prompt="made elsewhere")
    made(engine, ProviderChoice("runflow"), asked)
    chain = ProviderChoice("onerouter", fallback=ProviderChoice("runflow"))
    for choice in (chain, ProviderChoice(), None):
        assert estimated(engine, choice, asked).stored == 1
        assert made(engine, choice, asked).report.usd == 0
    assert estimated(engine, ProviderChoice("onerouter"), asked).stored == 0


def test_frames_of_a_batch_are_counted_one_by_one(engine: Engine, doubles: Doubles) -> None:
    """A frame that was made before is not asked for again."""
    choice = ProviderChoice("onerouter", "nano-banana-2")
    frames = [replace(request("edit", prompt="batch"), references=(tiny(n),), frame=n, num_images=2) for n in range(3)]
    made(engine, choice, replace(frames[1], frame=0))
    shown = estimated(engine, choice, *frames)
    assert (shown.pictures, shown.stored) == (6, 2)
    assert sorted((send["frame"], send["slots"]) for send in shown.sends) == [(0, [0, 1]), (2, [0, 1])]
    doubles.reset()
    made(engine, choice, *frames)
    assert doubles.request_log()["paid_images"] == 4 and doubles.request_log()["paid_calls"] == len(shown.sends)


def test_a_variant_that_was_learned_is_shown(engine: Engine, doubles: Doubles) -> None:
    """After a 404 has led to the other form, that is what is sent."""
    doubles.switch("nanobanana", "edits", 404)
    choice = ProviderChoice("nanobanana")
    assert "/images/edits" in estimated(engine, choice, request("edit")).sends[0]["url"]
    made(engine, choice, request("edit"))
    (send,) = estimated(engine, choice, request("edit", prompt="another")).sends
    made(engine, choice, request("edit", prompt="another"))
    (entry,) = doubles.request_log(prompt="another")["requests"]
    assert urlsplit(send["url"]).path == entry["route"] and send["headers"]["Content-Type"] == "application/json"


def test_a_variant_from_the_environment_is_shown(doubles: Doubles, tmp_path: Path) -> None:
    """Runflow's other one: the same fields, inside `input`."""
    doubles.reset()
    engine = machine(doubles, tmp_path, "runflow", RUNFLOW_VARIANT="runs")
    (send,) = estimated(engine, ProviderChoice("runflow"), request(prompt="runs")).sends
    made(engine, ProviderChoice("runflow"), request(prompt="runs"))
    (entry,) = doubles.request_log(prompt="runs")["requests"]
    assert urlsplit(send["url"]).path == entry["route"] and fields_of(send) == entry["fields"]


def test_what_is_left_out_or_changed_is_said_as_in_the_run(engine: Engine) -> None:
    """The same notices in the same words."""
    choice = ProviderChoice("apiframe")
    asked = request(prompt="notices", seed=3, thinking="high", output_format="webp")
    shown = estimated(engine, choice, asked)
    assert shown.notices and set(shown.notices) <= set(made(engine, choice, asked).report.notices)


def test_what_a_run_would_refuse_is_refused_alike(engine: Engine, doubles: Doubles, tmp_path: Path) -> None:
    """The same error, and nothing on the way to it."""
    nobody = machine(doubles, tmp_path / "empty")
    cases: list[tuple[Engine, ProviderChoice | None, Request]] = [
        (engine, ProviderChoice("onerouter"), request(prompt=" ")),
        (engine, ProviderChoice("onerouter"), request(aspect_ratio="1:8")),
        (engine, ProviderChoice("onerouter"), request("edit", references=15)),
        (engine, ProviderChoice("nobody"), request()),
        (nobody, ProviderChoice("onerouter"), request()),
        (nobody, None, request()),
    ]
    for where, choice, asked in cases:
        with pytest.raises((ConfigError, Impossible)) as dry:
            estimated(where, choice, asked)
        with pytest.raises((ConfigError, Impossible)) as wet:
            where.run([asked], where.plan(choice, [asked]))
        assert str(dry.value) == str(wet.value)
    assert not doubles.request_log()["requests"] and not (tmp_path / "empty").exists()


def test_the_others_are_priced_with_the_same_family(engine: Engine) -> None:
    """The cheapest first, unknown prices behind, those that can't last with their reason; then the simulation, and those
    that have no key."""
    everybody = elsewhere(
        engine.resolver(), ProviderChoice("onerouter", "nano-banana-pro"), [replace(request(), num_images=3)]
    )
    assert {each["provider"] for each in everybody} == set(engine.specs())
    usable = [each["usable"] for each in everybody]
    assert usable == sorted(usable, reverse=True) and everybody[usable.count(True) - 1]["provider"] == "offline"
    found = [each for each in everybody if each["usable"] and not each["local"]]
    assert {each["provider"] for each in found} == set(KEYED)
    priced = [each["usd"] for each in found if each.get("usd") is not None]
    assert priced == sorted(priced) and len(priced) >= 2
    assert all(each["usd"] == pytest.approx(3 * each["usd_each"]) for each in found if each.get("usd") is not None)
    unknown = [each.get("usd") is None for each in found]
    assert unknown == sorted(unknown)
    wide = elsewhere(engine.resolver(), ProviderChoice("runflow", "nano-banana-2"), [request(aspect_ratio="1:8")])
    problems = {each["provider"]: each.get("problem", "") for each in wide}
    assert problems["runflow"] == "" and "1:8" in problems["onerouter"]


def test_a_provider_that_takes_orders_has_both_prices(engine: Engine) -> None:
    """That of an order beside that at once, whichever the node is set to; no other provider names one."""
    now, batch = (elsewhere(engine.resolver(), None, [request(delivery=each)]) for each in ("now", "batch"))
    taking = {spec.id for spec in engine.specs().values() if spec.batch}
    assert taking and {each["provider"] for each in now if each.get("usd_batch_each")} == taking
    for provider in taking:
        at_once, ordered = (
            [
                model
                for each in side
                if each["provider"] == provider
                for model in each["models"]
                if model.get("usd_each")
            ]
            for side in (now, batch)
        )
        assert at_once and len(at_once) == len(ordered)
        for one, other in zip(at_once, ordered, strict=True):
            assert (one["model"], one["usd_now_each"]) == (other["model"], one["usd_each"])
            assert one["usd_batch_each"] == pytest.approx(one["usd_each"] / 2) == other["usd_each"]
            assert (other["usd_now_each"], other["usd_batch_each"]) == (one["usd_now_each"], one["usd_batch_each"])


def test_each_model_of_a_provider_is_priced(engine: Engine) -> None:
    """Whatever model is asked for: a person chooses among all of them, and sees which can't do the request."""
    found = elsewhere(engine.resolver(), None, [request(resolution="4K")])
    for each in found:
        spec = engine.specs()[each["provider"]]
        assert [model["model"] for model in each["models"]] == [m.name for m in spec.models if m.generate]
        assert any(model["model"] == each["model"] for model in each["models"]) if "model" in each else each["problem"]
        assert all(("problem" in model) != ("usd" in model) for model in each["models"])
    assert any("4K" in model.get("problem", "") for each in found for model in each["models"])


def test_a_choice_that_isn_t_known_here_still_gets_prices(engine: Engine) -> None:
    for choice in (ProviderChoice("nobody"), ProviderChoice("onerouter", "no-such-model")):
        found = elsewhere(engine.resolver(), choice, [request()])
        assert {each["provider"] for each in found} == set(engine.specs())


def test_a_price_elsewhere_is_the_price_there(engine: Engine) -> None:
    """What the list promises for a provider is what naming it costs."""
    asked = replace(request(), num_images=2)
    for each in elsewhere(engine.resolver(), ProviderChoice("onerouter", "nano-banana-pro"), [asked]):
        if "problem" not in each and each["usable"]:
            there = estimated(engine, ProviderChoice(each["provider"], each["model"]), asked)
            assert (there.usd, there.resolution) == (each["usd"], each["resolution"])


def test_an_own_provider_is_forecast_and_sends_what_was_shown(doubles: Doubles, tmp_path: Path) -> None:
    """A provider that only the user knows: address, model id and header are theirs."""
    doubles.reset()
    engine = machine(doubles, tmp_path, own=True)
    url = doubles.base_url("onerouter")
    save(tmp_path, "my_shop", {"base_url": url, "dialect": "onerouter", "label": "My shop"})
    engine.keys.put("my_shop", "default", KEY, url)
    shown = estimated(engine, ProviderChoice("my_shop"), request(prompt="own shop"))
    made(engine, ProviderChoice("my_shop"), request(prompt="own shop"))
    (entry,) = doubles.request_log(prompt="own shop")["requests"]
    assert shown.label == "My shop" and shown.usd is None and shown.usd_counted == UNKNOWN_PRICE_USD
    assert fields_of(shown.sends[0]) == entry["fields"] and urlsplit(shown.sends[0]["url"]).path == entry["route"]
    assert shown.sends[0]["headers"]["Authorization"] == "Bearer ***"


def test_a_model_s_own_field_names_are_shown(doubles: Doubles, tmp_path: Path) -> None:
    """On kie.ai's first Nano Banana references have another name than on its newer models."""
    engine = machine(doubles, tmp_path, "kie")
    asked = request("edit", references=1, aspect_ratio="16:9")
    (shown,) = estimated(engine, ProviderChoice("kie", "nano-banana"), asked).sends
    fields = fields_of(shown)["input"]
    assert fields["aspect_ratio"] == "16:9" and "image_urls" in fields and "image_input" not in fields


def test_the_project_of_the_key_is_in_the_address_that_is_shown(doubles: Doubles, tmp_path: Path) -> None:
    account = {
        "type": "service_account",
        "project_id": "my-project",
        "client_email": "me@x.example",
        "private_key": "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
        "token_uri": "https://token.example",
    }
    engine = Engine(tmp_path, specs=QUICK_SPECS, environ={"NANO_BANANA_VERTEX_API_KEY": json.dumps(account)})
    (shown,) = estimated(engine, ProviderChoice("vertex"), request()).sends
    assert "/projects/my-project/" in shown["url"] and "me@x.example" not in json.dumps(shown)


def test_a_dearer_figure_counts_and_both_are_shown(doubles: Doubles, tmp_path: Path) -> None:
    """fal's 2.1: its guide's price is shown, the one bill that was seen is what a picture counts as against the caps."""
    doubles.reset()
    engine = machine(doubles, tmp_path, "fal")
    choice = ProviderChoice("fal", "nano-banana-2.1")
    asked = replace(request(prompt="both prices", resolution="1K"), num_images=3)
    shown = estimated(engine, choice, asked, sends=False)
    assert (shown.usd_each, shown.usd_counted_each) == (0.04, 0.08)
    assert shown.usd == pytest.approx(0.12) and shown.usd_counted == pytest.approx(0.24)
    assert shown.price_source and shown.counted_source
    (there,) = [each for each in elsewhere(engine.resolver(), choice, [asked]) if each["provider"] == "fal"]
    assert (there["usd_each"], there["usd_counted_each"]) == (0.04, 0.08)
    assert there["usd_counted"] == pytest.approx(0.24)
    largest = estimated(engine, choice, replace(asked, options=replace(asked.options, resolution="4K")), sends=False)
    assert largest.usd_each == largest.usd_counted_each == 0.134 and largest.counted_source == ""


def test_the_dearer_figure_is_what_the_caps_see(doubles: Doubles, tmp_path: Path) -> None:
    """Two pictures of $0.04 that count as $0.08 each don't fit under $0.10; one does."""
    doubles.reset()
    engine = machine(doubles, tmp_path, "fal", CAP_RUN="0.10")
    choice = ProviderChoice("fal", "nano-banana-2.1")
    two = replace(request(prompt="capped", resolution="1K"), num_images=2)
    run = engine.run([two], engine.plan(choice, [two]))
    assert run.done.wait(30) and {r.error.kind for r in run.report.failed if r.error} == {"cap"}
    assert not doubles.request_log("capped")["paid_calls"]
    made(engine, choice, replace(two, num_images=1))


def test_vertex_has_prices_of_its_own(doubles: Doubles) -> None:
    """Where they are established; what isn't stays unknown and counts as the dearest."""
    vertex = QUICK_SPECS["vertex"]
    newest = vertex.model("nano-banana-2.1")
    assert newest is not None and newest.price is not None
    assert (
        newest.price.usd_for("1K") == 0.0336
        and newest.price.usd_for("4K") is None
        and newest.price.counted_usd_for("4K") is None
    )


def test_the_dry_run_shows_the_stream_that_a_look_at_drafts_makes(doubles: Doubles, tmp_path: Path) -> None:
    """As it would be sent; the price is the same."""
    engine, asked = machine(doubles, tmp_path, "google"), request()
    plain, watched = (
        estimate(engine, ProviderChoice("google"), [asked], pixels=True, sends=True, wants_drafts=wants)
        for wants in (False, True)
    )
    assert plain.sends[0]["url"].endswith(":generateContent") and plain.usd == watched.usd
    assert watched.sends[0]["url"].endswith(":streamGenerateContent?alt=sse")
    config = fields_of(watched.sends[0])["generationConfig"]
    assert config.pop("thinkingConfig") == {"includeThoughts": True}
    assert config == fields_of(plain.sends[0])["generationConfig"]
