"""providers.yaml: the user's own rows and changes, what they promise, and mistakes with their lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pack.core.choice import ProviderChoice
from pack.core.engine import Engine
from pack.core.errors import Impossible
from pack.core.own_file import FILE, Own, read_own
from pack.core.providers import BUILT_IN

EXAMPLES = Path(__file__).resolve().parents[2] / "example_providers"
SHOP = """\
providers:
  shop:
    dialect: openai_images
    base_url: https://api.shop.example
    models:
      nano-banana: {wire: nb, price: 0.02}
"""


def read(home: Path, text: str) -> Own:
    (home / FILE).write_text(text, "utf-8")
    return read_own(home, BUILT_IN)


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_the_examples_are_read_without_a_mistake(tmp_path: Path, name: str) -> None:
    own = read(tmp_path, (EXAMPLES / f"{name}.yaml").read_text("utf-8"))
    assert own.mistakes == () and own.rows


def test_a_shop_has_what_is_said_and_the_rest_of_its_dialect(tmp_path: Path) -> None:
    row = read(tmp_path, (EXAMPLES / "openai_shaped.yaml").read_text("utf-8")).rows["example_shop"]
    assert (row.dialect, row.base_url, row.max_parallel) == ("openai_images", "https://api.shop.example", 4)
    assert [model.name for model in row.models] == ["nano-banana-pro", "nano-banana"]
    pro = row.model("recommended")
    assert pro and pro.generate and pro.edit and pro.price
    assert pro.generate.wire == pro.edit.wire == "nano-banana-2" and pro.family == "pro"
    assert pro.edit.max_references == 6 and pro.price.of("4K") == 0.11
    assert not row.key_variables and not row.failures_unbilled and not row.idempotency_header


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
    row = read(tmp_path, SHOP + more).rows["shop"]
    text, edit = row.routes["generate"], row.routes["edit"]
    assert (text.path, edit.path) == ("/v2/make", "/v1/images/edits")
    assert text.fields["aspect_ratio"].name == "size" and text.fields["aspect_ratio"].spell("16:9") == "16x9"
    assert "resolution" not in text.fields and edit.references == "pictures" and text.constants["n"] == 1


def test_an_overlay_adds_a_model_and_changes_a_price(tmp_path: Path) -> None:
    """Everything else of the built-in row stays; the row in the program itself is not touched."""
    rows = read(tmp_path, (EXAMPLES / "gemini_shaped.yaml").read_text("utf-8")).rows
    google = rows["google"]
    new, pro = google.model("nano-banana-3"), google.model("nano-banana-pro")
    assert new and new.generate and new.generate.wire == "gemini-nano-banana-3" and new.family == "flash3"
    assert pro and pro.price and pro.price.of("1K") == 0.12
    assert google.base_url == BUILT_IN["google"].base_url and google.recommended == BUILT_IN["google"].recommended
    assert BUILT_IN["google"].model("nano-banana-3") is None
    relay = rows["example_relay"]
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
    SHOP + "    colour: red\n": (7, "has no colour"),
    SHOP + "    recommended: other\n": (7, "recommended is one of: nano-banana"),
    SHOP + "    max_parallel: 100\n": (7, "from 1 to 64"),
    SHOP + "    fields: {colour: c}\n": (7, "fields has no colour"),
    SHOP + "    paths: {generate: v1}\n": (7, "begins with /"),
    SHOP + "    label: a\n    label: b\n": (8, "stands twice"),
    "overlays:\n  nobody: {}\n": (2, "there is no built-in provider nobody"),
    "overlays:\n  offline: {}\n": (2, "there is no built-in provider offline"),
    "overlays:\n  google:\n    models:\n      x: {ratios: [5:6]}\n": (4, "ratios has no 5:6"),
    "more: {}\n": (1, "has no more"),
}


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    line, words = MISTAKES[text]
    own = read(tmp_path, text)
    assert len(own.mistakes) == 1 and own.mistakes[0].startswith(f"{FILE} line {line}"), own.mistakes
    assert words in own.mistakes[0]


def test_a_mistake_costs_only_its_own_provider(tmp_path: Path) -> None:
    text = (
        SHOP + "  broken: {dialect: smoke}\noverlays:\n  google: {max_parallel: 3}\n  runflow: {max_parallel: none}\n"
    )
    own = read(tmp_path, text)
    assert set(own.rows) == {"shop", "google"} and len(own.mistakes) == 2
    assert own.rows["google"].max_parallel == 3


def test_a_ratio_without_quotes_is_the_ratio(tmp_path: Path) -> None:
    """YAML 1.1 reads 16:9 as a number in base 60."""
    own = read(tmp_path, SHOP.replace("price: 0.02", "price: 0.02, ratios: [16:9, 1:1]"))
    model = own.rows["shop"].models[0]
    assert model.generate and model.generate.ratios == ("16:9", "1:1")


def test_the_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    """And never written."""
    assert "shop" in read(tmp_path, SHOP).rows
    before = os.stat(tmp_path / FILE).st_mtime_ns
    assert read_own(tmp_path, BUILT_IN).rows["shop"].label == "shop"
    assert "store" in read(tmp_path, SHOP.replace("shop:", "store:")).rows
    (tmp_path / FILE).unlink()
    assert read_own(tmp_path, BUILT_IN) == Own()
    assert before


def test_a_graph_that_names_a_broken_provider_is_told_the_line(tmp_path: Path) -> None:
    read(tmp_path, "providers:\n  shop: {dialect: smoke}\n")
    engine = Engine(tmp_path, environ={})
    with pytest.raises(Impossible, match=r"providers\.yaml line 2: dialect is one of"):
        engine.shelf().check(ProviderChoice("shop"))


def test_the_environment_and_the_settings_have_the_last_word(tmp_path: Path) -> None:
    """environment, settings, yaml, row."""
    read(tmp_path, "overlays:\n  onerouter: {base_url: https://yaml.example, proxy: http://yaml.example:1}\n")
    environ = {"NANO_BANANA_ONEROUTER_API_KEY": "sim-1"}
    engine = Engine(tmp_path, environ=environ)
    target = engine.shelf().target(engine.rows()["onerouter"], "default")
    assert (target.base_url, target.proxy) == ("https://yaml.example", "http://yaml.example:1")
    more = {"NANO_BANANA_ONEROUTER_BASE_URL": "https://env.example", "NANO_BANANA_PROXY": "http://env.example:1"}
    engine = Engine(tmp_path, environ=environ | more)
    target = engine.shelf().target(engine.rows()["onerouter"], "default")
    assert (target.base_url, target.proxy) == ("https://env.example", "http://env.example:1")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("providers:overlays \n-{}[],shopgoogle0.12\"'#&*!|>\t"), max_size=200))
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    home = tmp_path_factory.mktemp("own")
    own = read(home, text)
    assert all(mistake.startswith(FILE) for mistake in own.mistakes)
