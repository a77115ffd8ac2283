"""The texts of the browser side: every one that a page says is there, every one there is said, and in every language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pack.core.custom_providers.mapping_reader import FILE
from pack.core.custom_providers.templates import AUTH
from pack.core.errors import Charged

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "web"
MODULES = {path.relative_to(WEB).as_posix(): path.read_text("utf-8") for path in sorted(WEB.rglob("*.*js"))}
CODE = "\n".join(MODULES.values())
TRANSLATED = sorted(path.stem for path in (WEB / "i18n").glob("*.json") if path.stem != "en")


def read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / path).read_text("utf-8"))
    return found


def words(language: str) -> dict[str, str]:
    return read(f"web/i18n/{language}.json")


ENGLISH = words("en")
SIDEBAR = "Workspace_ToggleSidebarTab_nano-banana-results"  # the frontend's own command for the results panel


def gaps(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def one(pattern: str, text: str) -> str:
    """The only thing in a module that a pattern finds; what these tests read of the code is really there."""
    [found] = re.findall(pattern, text)
    return str(found)


def quoted(text: str) -> list[str]:
    return re.findall(r'"([^"\n]*)"', text)


def asked() -> Iterator[str]:
    """First argument of each `t(...)`, as it is written."""
    for call in re.finditer(r"\bt\(", CODE):
        depth, end = 0, call.end()
        while depth > 0 or CODE[end] not in ",)":
            depth += (CODE[end] in "([{") - (CODE[end] in ")]}")
            end += 1
        yield CODE[call.end() : end].strip()


def filled() -> dict[str, list[str]]:
    """Names that are put together, and what comes into their gap: from the module itself, or from the server."""
    actions = re.findall(r'\badd\(\s*"(\w+)"', MODULES["results.mjs"])
    columns = [name for name in quoted(one(r"\.\.\.\[([^\]]*)\]\.map\(\(n\)", MODULES["pricing.mjs"])) if name]
    sums = re.findall(r'priced\("(\w+)"', MODULES["dry_run.mjs"])
    fields = quoted(one(r"FIELDS = \[([^\]]*)\]", MODULES["placeholders.mjs"]))
    return {
        "results.${name}": [f"results.{name}" for name in actions],
        "results.${name}_title": [f"results.{name}_title" for name in actions],
        "prices.${n}": [f"prices.{name}" for name in columns],
        "prices.${name}": [f"prices.{name}" for name in sums],
        "placeholder.${name}": [f"placeholder.{name}" for name in fields],
        "form.auth.${name}": [f"form.auth.{name}" for name in AUTH],
        "charged.${failed.charged}": [f"charged.{name}" for name in get_args(Charged)],
    }


def test_every_text_that_a_page_asks_for_is_there() -> None:
    """A page would show the name of a missing text instead of it."""
    names = {name for call in asked() for name in quoted(re.sub(r'===\s*"[^"]*"', "", call))}
    names |= {name for made in filled().values() for name in made}
    groups = {name.partition(".")[0] for name in ENGLISH if "." in name}
    # Names that reach `t` by way of a variable are known by their group.
    names |= {name for name in quoted(CODE) if re.fullmatch(rf"({'|'.join(groups)})\.[a-z_]+", name)}
    names.discard(FILE)  # the user's own file looks like one, and is called so in every language
    assert names - set(ENGLISH) == set()


def test_names_that_are_put_together_are_known_here() -> None:
    """A new `t(`group.${x}`)` needs a line in `filled`, or its texts could be missing without a word."""
    assert {call.strip("`") for call in asked() if "${" in call} == set(filled())


def test_every_text_is_said_somewhere() -> None:
    said = set(quoted(CODE)) | {name for made in filled().values() for name in made}
    assert {name for name in ENGLISH if name.removesuffix(".one") not in said} == set()


def test_no_page_has_words_of_its_own() -> None:
    """Words in the code would stay English; what the entry registers by its English label is looked up by the host."""
    registered = {*labels("en").values(), "Nano Banana:"}
    written = re.sub(r"/\*.*?\*/|//[^\n\"]*$", "", CODE, flags=re.DOTALL | re.MULTILINE)
    sentences = re.findall(r'["`]([A-Z][a-z]+ [^"`\n]*)["`]', written)
    assert set(sentences) - registered == {"Nano Banana"}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_language_has_every_text_and_no_other(language: str) -> None:
    """A singular of its own may be left out: the plural is shown where a language makes no difference."""
    theirs = set(words(language))
    assert theirs - set(ENGLISH) == set()
    assert {name for name in ENGLISH if not name.endswith(".one")} - theirs == set()


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_fills_the_same_gaps(language: str) -> None:
    for name, text in words(language).items():
        assert gaps(text) == gaps(ENGLISH.get(name, text)), name


def test_a_singular_has_no_gap_that_its_plural_lacks() -> None:
    for name in (name for name in ENGLISH if name.endswith(".one")):
        assert gaps(ENGLISH[name]) == gaps(ENGLISH[name.removesuffix(".one")]) - {"n"}, name


@pytest.mark.parametrize("language", ["en", *TRANSLATED])
def test_texts_are_plain(language: str) -> None:
    """They are put into elements as text: markup would be read as it is written. None is empty or frayed."""
    for name, text in words(language).items():
        assert text and text == text.strip(), name
        assert not re.search(r"[<>`]|&\w+;|\*\*|\]\(", text), name


def test_every_language_is_offered() -> None:
    assert quoted(one(r"LANGUAGES = \[([^\]]*)\]", MODULES["i18n.mjs"])) == TRANSLATED
    assert sorted(path.name for path in (ROOT / "locales").iterdir()) == ["en", *TRANSLATED]


def test_an_empty_prompt_asks_the_same_in_english_whoever_is_asked() -> None:
    """English placeholders come from the schema; the text here is what translators start from."""
    assert f'placeholder="{ENGLISH["placeholder.prompt"]}"' in (ROOT / "nodes" / "inputs.py").read_text("utf-8")


def labels(locale: str) -> dict[str, str]:
    """What the frontend looks up for the entry's commands and setting: id -> label."""
    found = {name: entry["label"] for name, entry in read(f"locales/{locale}/commands.json").items()}
    return found | {name: entry["name"] for name, entry in read(f"locales/{locale}/settings.json").items()}


def test_what_the_entry_registers_is_listed_for_translators() -> None:
    entry = MODULES["nano_banana.js"]
    registered = dict(re.findall(r'\bid: "([\w.]+)",\s*(?:label|name): "([^"]+)"', entry))
    assert len(registered) == entry.count('id: "')
    assert f'id: "{SIDEBAR.rpartition("_")[2]}"' in MODULES["results.mjs"]
    listed = {name: label for name, label in labels("en").items() if name != SIDEBAR}
    assert listed == {name.replace(".", "_"): label for name, label in registered.items()}


@pytest.mark.parametrize("locale", TRANSLATED)
def test_commands_and_settings_are_translated(locale: str) -> None:
    english, translated = labels("en"), labels(locale)
    assert list(translated) == list(english)
    assert not set(translated.values()) & set(english.values())


@pytest.mark.parametrize("locale", ["en", *TRANSLATED])
def test_the_menu_says_what_the_commands_say(locale: str) -> None:
    """The frontend's menu looks a command up by its English label, and reads every text as a message with a syntax."""
    english, translated = labels("en"), labels(locale)
    commands = set(read("locales/en/commands.json")) - {SIDEBAR}
    assert read(f"locales/{locale}/main.json") == {"menuLabels": {english[name]: translated[name] for name in commands}}
    assert not any(set("{}@|") & set(text) for text in translated.values())
