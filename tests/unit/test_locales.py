"""The words in `locales/`: every translation has what the English has, and nothing that the frontend would stumble over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRANSLATED = sorted(path.name for path in (ROOT / "locales").iterdir() if path.name != "en")


def words(locale: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "locales" / locale / "nodeDefs.json").read_text("utf-8"))
    return found


def texts_of(node: dict[str, Any]) -> dict[tuple[str, ...], str]:
    """Every text of a node by its place; without the copies of `echoes`."""
    texts: dict[tuple[str, ...], str] = {(key,): node[key] for key in ("display_name", "description")}
    for group in ("inputs", "outputs"):
        texts |= {
            (group, name, kind): text
            for name, entry in node[group].items()
            for kind, text in entry.items()
            if (group, name) not in echoes(node)
        }
    return texts


def echoes(node: dict[str, Any]) -> set[tuple[str, str]]:
    """Inputs listed a second time under their translated name, where Nodes 2.0 looks for the tooltip of a socket."""
    tooltips = {entry.get("name"): entry.get("tooltip") for entry in node["inputs"].values()}
    return {("inputs", name) for name, entry in node["inputs"].items() if entry == {"tooltip": tooltips.get(name)}}


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_translation_has_every_text_and_no_other(locale: str) -> None:
    """Fails after a change of the schemas: run `python3 dev.py words`, then translate what is named here."""
    english, translated = words("en"), words(locale)
    assert list(translated) == list(english)
    for name in english:
        assert set(texts_of(translated[name])) == set(texts_of(english[name])), name


@pytest.mark.parametrize("locale", TRANSLATED)
def test_what_a_person_reads_is_translated(locale: str) -> None:
    english, translated = words("en"), words(locale)
    for name in english:
        theirs = texts_of(translated[name])
        left = [place for place, text in texts_of(english[name]).items() if theirs[place] == text]
        assert left == [], f"{name}: still English"


@pytest.mark.parametrize("locale", ["en", *TRANSLATED])
def test_no_text_is_taken_for_a_message_format(locale: str) -> None:
    """The frontend compiles titles and names as messages: braces, @ and | would be read as syntax, or throw."""
    for name, node in words(locale).items():
        for place, text in texts_of(node).items():
            assert not set("{}@|") & set(text), (name, place)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_values_of_widgets_are_never_translated(locale: str) -> None:
    """A tooltip explains `each` or 'as last reference' under the very name that the widget shows and the file keeps."""
    english, translated = words("en"), words(locale)
    for option in ("together", "each paired", "match first image"):
        for name, node in english.items():
            for place, text in texts_of(node).items():
                if f"{option}:" in text:
                    assert option in texts_of(translated[name])[place], (name, place)


@pytest.mark.parametrize("locale", ["en", *TRANSLATED])
@pytest.mark.parametrize("name", words("en"))
def test_the_help_explains_every_input_and_output(name: str, locale: str) -> None:
    """Each has its line, beginning with the name that the node shows; a translation adds the id that messages use."""
    path = ROOT / "web" / "docs" / (f"{name}.md" if locale == "en" else f"{name}/{locale}.md")
    page = path.read_text("utf-8")
    node = words(locale)[name]
    assert page.startswith(f"# {node['display_name']}\n")
    entries = [("inputs", key) for key, entry in node["inputs"].items() if "name" in entry]
    for group, key in [*entries, *(("outputs", key) for key in node["outputs"])]:
        label, id_ = node[group][key]["name"], words("en")[name][group][key]["name"]
        line = f"- **{label}**" + ("" if locale == "en" else f"（`{id_}`）")
        assert f"\n{line}" in page, f"{path.name} does not explain {line}"
