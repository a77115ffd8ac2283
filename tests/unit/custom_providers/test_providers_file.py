"""providers.yaml: the user's custom providers and changes, what they promise, and errors with their lines."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from dialect_driver import job, play, request, sent_json
from example_count import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.custom_providers.endpoints import with_fields_of
from pack.core.custom_providers.providers_file import FILE, ProvidersFile, read_providers_file
from pack.core.custom_providers.templates import AUTH, dialects
from pack.core.engine import Engine
from pack.core.errors import Impossible
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN

EXAMPLES = Path(__file__).resolve().parents[3] / "example_providers"
SHOP = """\
providers:
  shop:
    dialect: openai_images
    base_url: https://api.shop.example
    models:
      nano-banana: {wire: nb, price: 0.02}
"""


def read(home: Path, text: str) -> ProvidersFile:
    (home / FILE).write_text(text, "utf-8")
    return read_providers_file(home, BUILT_IN)


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_the_examples_are_read_without_an_error(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, (EXAMPLES / f"{name}.yaml").read_text("utf-8"))
    assert found.errors == () and found.specs


def test_a_shop_has_what_is_said_and_the_rest_of_its_dialect(tmp_path: Path) -> None:
    spec = read(tmp_path, (EXAMPLES / "openai_shaped.yaml").read_text("utf-8")).specs["example_shop"]
    assert (spec.dialect, spec.base_url, spec.max_parallel) == ("openai_images", "https://api.shop.example", 4)
    assert [model.name for model in spec.models] == ["nano-banana-pro", "nano-banana"]
    pro = spec.model("recommended")
    assert pro and pro.generate and pro.edit and pro.price
    assert pro.generate.model_id == pro.edit.model_id == "nano-banana-2" and pro.family == "pro"
    assert pro.edit.max_references == 6 and pro.price.usd_for("4K") == 0.11
    assert not spec.key_env_vars and not spec.failures_unbilled and not spec.idempotency_header


def test_a_shop_may_spell_everything_in_its_own_way(tmp_path: Path) -> None:
    """Names, values, paths, constants; a field that is taken away can't be asked for."""
    more = """\
    paths: {generate: /v2/make}
    references: pictures
    constants: {n: 1}
    fields:
      aspect_ratio: {name: size, values: {"1:1": 1x1, "16:9": 16x9}}
      resolution: null
"""
    spec = read(tmp_path, SHOP + more).specs["shop"]
    text, edit = spec.endpoints["generate"], spec.endpoints["edit"]
    assert (text.path, edit.path) == ("/v2/make", "/v1/images/edits")
    assert text.fields["aspect_ratio"].name == "size" and text.fields["aspect_ratio"].spell("16:9") == "16x9"
    assert "resolution" not in text.fields and edit.references_field == "pictures" and text.constants["n"] == 1


def test_an_overlay_adds_a_model_and_changes_a_price(tmp_path: Path) -> None:
    """Everything else of the built-in provider stays; its spec in the program is not changed."""
    specs = read(tmp_path, (EXAMPLES / "gemini_shaped.yaml").read_text("utf-8")).specs
    google = specs["google"]
    new, pro = google.model("nano-banana-3"), google.model("nano-banana-pro")
    assert new and new.generate and new.generate.model_id == "gemini-nano-banana-3" and new.family == "flash3"
    assert pro and pro.price and pro.price.usd_for("1K") == 0.12
    assert google.base_url == BUILT_IN["google"].base_url and google.recommended == BUILT_IN["google"].recommended
    assert BUILT_IN["google"].model("nano-banana-3") is None
    relay = specs["example_relay"]
    assert relay.auth_header == "Authorization" and relay.auth_template == "Bearer {key}" and relay.upload_above == 0


MISTAKES = {
    "not yaml: [": (1, ""),
    "providers:\n  shop: 5\n": (2, "shop is a mapping"),
    "providers:\n  Shop: {}\n": (2, "small letters"),
    "providers:\n  auto: {}\n": (2, "built-in"),
    "providers:\n  onerouter_team: {dialect: onerouter}\n": (2, "followed by _"),
    "providers:\n  shop: {base_url: https://x.example}\n": (2, "needs a dialect"),
    "providers:\n  shop: {dialect: smoke}\n": (2, "dialect is one of"),
    "providers:\n  shop: {dialect: openai_images}\n": (2, "needs a base_url"),
    "providers:\n  shop:\n    dialect: openai_images\n    base_url: http://x.example\n": (4, "plain http"),
    "providers:\n  shop:\n    dialect: openai_images\n    base_url: https://k:v@x.example\n": (
        4,
        "user name or password",
    ),
    SHOP.replace("price: 0.02", "price: cheap"): (6, "a price is a number"),
    SHOP.replace("price: 0.02", "price: -1"): (6, "a price is a number"),
    SHOP.replace("price: 0.02", "cost: 1"): (6, "has no cost"),
    SHOP.replace("wire: nb", "wire: a//b"): (6, "is an id"),
    SHOP + "    key_url: javascript:alert(1)\n": (7, "key_url is a web address"),
    SHOP + "    colour: red\n": (7, "has no colour"),
    SHOP + "    recommended: other\n": (7, "recommended is one of: nano-banana"),
    SHOP + "    max_parallel: 100\n": (7, "from 1 to 64"),
    SHOP + "    fields: {colour: c}\n": (7, "fields has no colour"),
    SHOP + "    paths: {generate: v1}\n": (7, "begins with /"),
    SHOP + "    paths: {generate: /v 1}\n": (7, "no spaces"),
    SHOP + "    key_check: v1/models\n": (7, "begins with /"),
    SHOP + "    proxy: my proxy\n": (7, "proxy is an address"),
    SHOP + "    proxy: http://\n": (7, "proxy is an address"),
    SHOP + "    proxy: htp://proxy.example:1\n": (7, "proxy is an address"),
    SHOP + "    label: a\n    label: b\n": (8, "occurs twice"),
    "overlays:\n  nobody: {}\n": (2, "there is no built-in provider nobody"),
    "overlays:\n  offline: {}\n": (2, "there is no built-in provider offline"),
    "overlays:\n  google:\n    models:\n      x: {ratios: [5:6]}\n": (4, "ratios has no 5:6"),
    "more: {}\n": (1, "has no more"),
    # A block begins a line after its name: it is the name's line that is told.
    "providers:\n  shop:\n    label: A shop\n": (2, "shop needs a dialect"),
    "providers:\n  shop:\n    label: A shop\n    dialect: fal\n": (2, "needs a base_url"),
    "providers:\n  shop:\n    dialect: fal\n    base_url:\n": (4, "needs a base_url"),
    SHOP + "    modles:\n      nb:\n        wire: nb\n": (7, "has no modles"),
    SHOP + "    fields:\n      colour:\n        name: c\n": (8, "fields has no colour"),
    SHOP + "    fields:\n      seed:\n        values: {}\n": (8, "the field of seed needs a name"),
    SHOP + "    reads:\n      - png\n      - bmp\n": (9, "reads has no bmp"),
    SHOP + "      nb 2:\n        wire: nb\n": (7, "the model's name"),
    # What no field can say is not promised; another model's id is not sent in place of one that isn't given.
    SHOP + "      nano-banana-9:\n        price: 0.1\n": (7, "nano-banana-9 needs a wire"),
    SHOP + "      nb:\n        wire: {edit: nb}\n": (7, "nb needs a wire"),
    SHOP + "      nb:\n        wire: nb\n        max_count: 4\n": (9, "name it as count in fields"),
    SHOP + "      nb:\n        wire: nb\n        options: [seed]\n": (9, "there is no field for seed"),
    SHOP.replace("price: 0.02", "resolutions: [1K]") + "    fields: {resolution: null}\n": (6, "to ask for 1K with"),
    SHOP.replace("price: 0.02", 'ratios: ["1:1", "4:3"]')
    + '    fields: {aspect_ratio: {name: size, values: {"1:1": 1x1}}}\n': (6, "to ask for 4:3 with"),
    SHOP + "    fields: {resolution: {name: size, values: {1k: 1K}}}\n": (7, "not of 1k"),
    SHOP + "    fields: {seed: {name: seed, values: {1: one}}}\n": (7, "no values of its own"),
    "providers:\n  shop:\n    like: vertex\n    base_url: https://x.example\n": (2, "in place of {project}"),
    SHOP + "    label: a\ab\n": (7, "not allowed in a text"),
}


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_an_error_is_reported_with_its_line(tmp_path: Path, text: str) -> None:
    line, words = MISTAKES[text]
    found = read(tmp_path, text)
    assert len(found.errors) == 1 and found.errors[0].startswith(f"{FILE} line {line}"), found.errors
    assert words in found.errors[0]


def test_an_error_leaves_out_its_own_provider_alone(tmp_path: Path) -> None:
    text = (
        SHOP + "  broken: {dialect: smoke}\noverlays:\n  google: {max_parallel: 3}\n  runflow: {max_parallel: none}\n"
    )
    found = read(tmp_path, text)
    assert set(found.specs) == {"shop", "google"} and len(found.errors) == 2
    assert found.specs["google"].max_parallel == 3


def test_an_error_between_the_providers_leaves_out_none_of_them(tmp_path: Path) -> None:
    """A word that isn't known at the top, a name that occurs twice, a section that is none."""
    twice = SHOP + SHOP.removeprefix("providers:\n").replace("api.shop", "second") + "  5: {}\n"
    found = read(tmp_path, "version: 2\n" + twice + "overlays:\n  google: {max_parallel: 3}\nproviders: {}\n")
    assert set(found.specs) == {"shop", "google"} and found.specs["shop"].base_url == "https://api.shop.example"
    lines = [error.partition(":")[0].rpartition(" ")[2] for error in found.errors]
    assert sorted(lines, key=int) == ["1", "8", "13", "16"], found.errors
    found = read(tmp_path, SHOP + "overlays:\n  - google\n")
    assert set(found.specs) == {"shop"} and "line 8" in found.errors[0]


@pytest.mark.parametrize("coding", ["latin-1", "utf-16"])
def test_a_file_in_another_coding_is_told_with_its_line(tmp_path: Path, coding: str) -> None:
    """As an old editor saves it: a word with an accent, or all of it."""
    (tmp_path / FILE).write_bytes((SHOP + "    label: Caf\u00e9\n").encode(coding))
    found = read_providers_file(tmp_path, BUILT_IN)
    assert found.errors == (f"{FILE} line {7 if coding == 'latin-1' else 1}: it is not UTF-8 text",)


def test_text_is_what_was_written(tmp_path: Path) -> None:
    """To YAML 2.10 is a number, and no a refusal."""
    spec = read(tmp_path, SHOP.replace("wire: nb", "wire: 2.10, family: no") + "    label: 0x10\n").specs["shop"]
    (model,) = spec.models
    assert model.generate and (model.generate.model_id, model.family, spec.label) == ("2.10", "no", "0x10")


def test_every_built_in_provider_has_fields_for_its_options() -> None:
    """A copied provider loses nothing."""
    for spec in BUILT_IN.values():
        assert tuple(with_fields_of(spec, model, spec.endpoints) for model in spec.models) == spec.models


def test_what_a_field_can_t_say_can_t_be_asked_for(tmp_path: Path) -> None:
    """It would be paid for, and be another picture than the one that was asked for."""
    more = """\
    fields:
      aspect_ratio: {name: size, values: {"1:1": 1x1, "16:9": 16x9}}
      resolution: null
"""
    spec = read(tmp_path, SHOP.partition("    models:")[0] + more).specs["shop"]
    body = sent_json(play(job(spec, request(aspect_ratio="16:9"), "nano-banana-2")).sends[0])
    assert body["size"] == "16x9" and "image_size" not in body
    for wish in ({"aspect_ratio": "4:3"}, {"resolution": "4K"}):
        with pytest.raises(Impossible):
            job(spec, request(**wish), "nano-banana-2")


def test_an_option_with_a_field_of_its_own_is_sent(tmp_path: Path) -> None:
    """As the example says of a seed; a model may still leave it out."""
    more = "      other: {wire: o, options: []}\n    fields:\n      seed: seed\n"
    more += "      web_search: {name: search, values: {true: web}}\n      count: n\n"
    spec = read(tmp_path, SHOP.replace("price: 0.02", "max_count: 2") + more).specs["shop"]
    asked = request(seed=7, web_search=True)
    body = sent_json(play(job(spec, asked, "nano-banana", count=2)).sends[0])
    assert (body["seed"], body["search"], body["n"]) == (7, "web", 2)
    assert not {"seed", "search"} & set(sent_json(play(job(spec, asked, "other")).sends[0]))


def test_a_new_model_does_not_stand_in_for_the_one_that_it_is_like(tmp_path: Path) -> None:
    """Both are of one family: `auto` takes the one that was named."""
    read(tmp_path, "overlays:\n  google:\n    models:\n      nano-banana-3: {like: nano-banana-2.1, wire: nb3}\n")
    engine = Engine(tmp_path, environ={"GEMINI_API_KEY": "sim-1"})
    for name in ("nano-banana-2.1", "nano-banana-3"):
        ((target, _), *_) = engine.plan(ProviderChoice(model=name), [request()]).targets
        assert (target.spec.id, target.model.name) == ("google", name)


def test_a_ratio_without_quotes_is_the_ratio(tmp_path: Path) -> None:
    """YAML 1.1 reads 16:9 as a number in base 60."""
    found = read(tmp_path, SHOP.replace("price: 0.02", "price: 0.02, ratios: [16:9, 1:1]"))
    model = found.specs["shop"].models[0]
    assert model.generate and model.generate.ratios == ("16:9", "1:1")


def test_the_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    """And never written."""
    assert "shop" in read(tmp_path, SHOP).specs
    before = os.stat(tmp_path / FILE).st_mtime_ns
    assert read_providers_file(tmp_path, BUILT_IN).specs["shop"].label == "shop"
    assert "store" in read(tmp_path, SHOP.replace("shop:", "store:")).specs
    (tmp_path / FILE).unlink()
    assert read_providers_file(tmp_path, BUILT_IN) == ProvidersFile()
    assert before


def test_a_graph_that_names_a_broken_provider_is_told_the_line(tmp_path: Path) -> None:
    read(tmp_path, "providers:\n  shop: {dialect: smoke}\n")
    engine = Engine(tmp_path, environ={})
    with pytest.raises(Impossible, match=r"providers\.yaml line 2: dialect is one of"):
        engine.resolver().check(ProviderChoice("shop"))


def test_the_environment_and_the_settings_have_the_last_word(tmp_path: Path) -> None:
    """environment, settings, providers.yaml, spec."""
    read(tmp_path, "overlays:\n  onerouter: {base_url: https://yaml.example, proxy: http://yaml.example:1}\n")
    environ = {"NANO_BANANA_ONEROUTER_API_KEY": "sim-1"}
    engine = Engine(tmp_path, environ=environ)
    target = engine.resolver().target(engine.specs()["onerouter"], "default")
    assert (target.base_url, target.proxy) == ("https://yaml.example", "http://yaml.example:1")
    more = {"NANO_BANANA_ONEROUTER_BASE_URL": "https://env.example", "NANO_BANANA_PROXY": "http://env.example:1"}
    engine = Engine(tmp_path, environ=environ | more)
    target = engine.resolver().target(engine.specs()["onerouter"], "default")
    assert (target.base_url, target.proxy) == ("https://env.example", "http://env.example:1")


@settings(max_examples=examples(200), deadline=None)
@given(st.text(alphabet=st.sampled_from("providers:overlays \n-{}[],shopgoogle0.12\"'#&*!|>\t"), max_size=200))
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    home = tmp_path_factory.mktemp("own")
    found = read(home, text)
    assert all(error.startswith(FILE) for error in found.errors)


@pytest.mark.parametrize(
    "line",
    [
        "label: 2026-99-99",
        "label: !unknown x",
        "label: !!bool maybe",
        "label: !!timestamp x",
        "max_parallel: 0b_",
        "max_parallel: !!float many",
        "models: {}",
        "models: {nb: {price: 2026-13-01}}",
    ],
)
def test_what_yaml_itself_can_t_read_is_an_error_too(tmp_path: Path, line: str) -> None:
    """The nodes are made with this file at hand: one odd value must not keep the pack from being loaded."""
    found = read(
        tmp_path, f"providers:\n  shop:\n    dialect: fal\n    base_url: https://api.shop.example\n    {line}\n"
    )
    assert found.specs == {} and len(found.errors) == 1 and "providers.yaml line 5" in found.errors[0]


@pytest.mark.parametrize("name", ["fal", "kie"])
def test_a_provider_at_another_address_takes_its_uploads_along(tmp_path: Path, name: str) -> None:
    """The key for that address is not shown to the upload address of the provider that it is like."""
    moved = "https://gateway.example"
    spec = read(tmp_path, f"overlays:\n  {name}: {{base_url: {moved}}}\n").specs[name]
    assert BUILT_IN[name].upload_base_url(BUILT_IN[name].base_url) != BUILT_IN[name].base_url
    assert spec.upload_base_url(moved) == moved


def test_a_model_without_ratios_takes_the_picture_s_own(tmp_path: Path) -> None:
    read(tmp_path, SHOP.replace("price: 0.02", "ratios: []"))
    engine = Engine(tmp_path, environ={"NANO_BANANA_SHOP_API_KEY": "sim-1"})
    (_, fits), *_ = engine.plan(ProviderChoice("shop"), [request("edit")]).targets
    assert dict(fits[0].options) == {}


def test_turns_are_sent_where_the_file_says_so_and_the_dialect_can(tmp_path: Path) -> None:
    """A copy of Google's API need not take them; another dialect would leave them out in silence."""
    entry = "providers:\n  copy: {{dialect: {0}, base_url: https://x.example{1}}}\n"
    assert not read(tmp_path, entry.format("gemini", "")).specs["copy"].conversations
    assert read(tmp_path, entry.format("gemini", ", conversations: true")).specs["copy"].conversations
    (error,) = read(tmp_path, entry.format("fal", ", conversations: true")).errors
    assert "conversations is for the dialect gemini" in error


UNKNOWN = """\
providers:
  shop: {like: nanobanana, base_url: "https://x.example", zz: 1}
  models: {like: nanobanana, base_url: "https://x.example", models: {m: {wire: m, zz: 1}}}
  fields: {like: nanobanana, base_url: "https://x.example", fields: {zz: a}}
zz: 1
"""


@pytest.mark.parametrize(
    ("section", "owner"), [("The file", "the file"), ("A provider", "shop"), ("Fields", "fields"), ("A model", "m")]
)
def test_the_reference_has_every_word_and_no_other(tmp_path: Path, section: str, owner: str) -> None:
    """A wrong word is answered with the right ones: these are what the reader knows."""
    error = next(each for each in read(tmp_path, UNKNOWN).errors if f" {owner} has no zz: " in each)
    known = set(error.partition(" has no zz: ")[2].split(", "))
    chapters = (EXAMPLES / "README.md").read_text("utf-8").split("\n## ")
    chapter = next(each for each in chapters if each.startswith(section + "\n"))
    first = [line.split(" | ")[0] for line in chapter.splitlines() if line.startswith("| `")]
    assert {word for cell in first for word in re.findall(r"`(\w+)`", cell)} == known


def test_the_reference_names_every_dialect_and_every_way_of_a_key() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    lines = text.splitlines()
    chapter = next(each for each in text.split("\n## ") if each.startswith("Dialects\n"))
    assert set(re.findall(r"^\| `(\w+)`", chapter, re.M)) == {"dialect", *dialects()}
    auth = next(line for line in lines if line.startswith("| `auth` |"))
    assert set(re.findall(r"`([\w-]+)`", auth)) == {"auth", *AUTH}
    families = next(line for line in lines if line.startswith("| `family` |"))
    ours = {model.family for spec in BUILT_IN.values() for model in spec.models}
    assert set(re.findall(r"`([\w.]+)`", families)) == {"family", *ours}


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    found = read(tmp_path, SHOP + "# and so on\n" * 40_000)
    assert not found.specs and found.errors == (f"{FILE} is larger than 256 kB, and is not read",)
