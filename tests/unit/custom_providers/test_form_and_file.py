"""The Settings form and `providers.yaml` are read alike: the same entry gives the same provider, or the same message."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pack.core.custom_providers import added_models
from pack.core.custom_providers.mapping_reader import FILE
from pack.core.custom_providers.providers_file import ProvidersFile, read_providers_file
from pack.core.custom_providers.settings_form import spec_of
from pack.core.custom_providers.templates import AUTH, dialects
from pack.core.errors import ConfigError
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import ProviderSpec

SHOP = {"label": "A shop", "base_url": "https://shop.example", "dialect": "fal", "auth": "raw"}


def in_file(content: dict[str, Any]) -> ProvidersFile:
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / FILE).write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
        return read_providers_file(Path(home), BUILT_IN)


def from_form(name: str, entry: dict[str, Any]) -> ProviderSpec | str:
    """The provider, or what is wrong with the entry."""
    try:
        return spec_of(name, entry)
    except ConfigError as error:
        return error.what


def from_file(name: str, entry: dict[str, Any]) -> ProviderSpec | str:
    found = in_file({"providers": {name: entry}})
    return found.specs[name] if found.specs else found.errors[0].partition(": ")[2]


@pytest.mark.parametrize("auth", list(AUTH))
@pytest.mark.parametrize("dialect", list(dialects()))
def test_an_entry_is_the_same_provider_in_both(dialect: str, auth: str) -> None:
    for more in ({}, {"model": "vendor/banana:2"}):
        entry = {**SHOP, "dialect": dialect, "auth": auth, **more}
        found = from_form("shop", entry)
        assert isinstance(found, ProviderSpec) and found == from_file("shop", entry)


@pytest.mark.parametrize(
    "change",
    [
        {"dialect": "smtp"},
        {"auth": "cookie"},
        {"model": "../x y"},
        {"base_url": "ftp://shop.example"},
        {"label": ["a", "b"]},
        {"base_url": "https://user:pass@shop.example"},
    ],
)
def test_what_is_wrong_is_said_in_the_same_words(change: dict[str, Any]) -> None:
    form, file = (read("shop", {**SHOP, **change}) for read in (from_form, from_file))
    assert isinstance(form, str) and isinstance(file, str)
    assert file.startswith(form.removesuffix(".").replace("the field", FILE))


@given(st.text(max_size=80), st.text("abcxyz_09-./", max_size=40), st.text("abc/:.-_@ 9", max_size=40))
def test_any_entry_is_taken_or_refused_by_both(label: str, host: str, model: str) -> None:
    entry = {**SHOP, "label": label.strip(), "base_url": f"https://{host}", "model": model.strip()}
    entry = {name: value for name, value in entry.items() if value}
    form, file = from_form("shop", entry), from_file("shop", entry)
    assert isinstance(form, str) == isinstance(file, str)
    if isinstance(form, ProviderSpec):
        assert form == file


@pytest.mark.parametrize("price", [0.05, {"1K": 0.1, "4K": 0.2}])
@pytest.mark.parametrize("wire", ["nine", {"generate": "g", "edit": "e"}])
@pytest.mark.parametrize("like", ["", "nano-banana-pro"])
def test_an_added_model_is_the_same_in_both(price: Any, wire: Any, like: str) -> None:
    entry = {"wire": wire, "price": price} | ({"like": like} if like else {})
    found = in_file({"overlays": {"google": {"models": {"nine": entry}}}})
    assert not found.errors
    in_overlay = found.specs["google"].model("nine")
    in_settings = added_models.model_of(BUILT_IN["google"], "nine", entry)
    assert in_overlay and in_overlay.price and in_settings.price
    assert in_overlay.price.usd == in_settings.price.usd
    assert (in_overlay.price.source, in_settings.price.source) == (FILE, "Settings")
    assert replace(in_overlay, price=None) == replace(in_settings, price=None)


@pytest.mark.parametrize(
    "entry",
    [{"wire": "../x"}, {"wire": "x", "like": "nobody"}, {"wire": "x", "price": -1}, {"wire": "x", "price": {"8K": 1}}],
)
def test_a_model_that_can_t_be_is_refused_in_the_same_words(entry: dict[str, Any]) -> None:
    (message,) = in_file({"overlays": {"google": {"models": {"nine": entry}}}}).errors
    with pytest.raises(ConfigError) as refused:
        added_models.model_of(BUILT_IN["google"], "nine", entry)
    assert message.partition(": ")[2] == refused.value.what.removesuffix(".").replace("A price", "a price")


def test_an_id_for_an_operation_that_the_model_lacks_is_refused_by_both() -> None:
    """Left out in silence, an edit would go to another model."""
    entry = {"wire": {"generate": "g", "edit": "e"}, "like": "nano-banana-lite"}
    (message,) = in_file({"overlays": {"wavespeed": {"models": {"nine": entry}}}}).errors
    with pytest.raises(ConfigError, match="nano-banana-lite can't edit") as refused:
        added_models.model_of(BUILT_IN["wavespeed"], "nine", entry)
    assert message.partition(": ")[2] == refused.value.what.removesuffix(".")


def test_the_id_of_the_recommended_model_stands_in_one_place() -> None:
    message = from_file("shop", {**SHOP, "model": "x", "models": {"nano-banana": {"wire": "y"}}})
    assert isinstance(message, str) and "below models" in message
