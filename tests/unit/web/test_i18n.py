"""The texts of the browser side: every one that a page shows is there, every one there is shown, and in every language."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
from pack.core.custom_providers.mapping_reader import FILE
from pack.core.custom_providers.templates import AUTH
from pack.core.errors import Charged
from pack.dev import cache, node
from pack.dev.env import clean
from pack.nodes.origin import OPTIONS

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "web"
FILES = sorted(WEB.rglob("*.*js"))
TRANSLATED = sorted(path.stem for path in (WEB / "i18n").glob("*.json") if path.stem != "en")
SIDEBAR = "Workspace_ToggleSidebarTab_nano-banana-results"  # the frontend's own command for the results panel


def read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / path).read_text("utf-8"))
    return found


def texts(language: str) -> dict[str, str]:
    return read(f"web/i18n/{language}.json")


ENGLISH = texts("en")


def gaps(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


class Modules:
    """What the modules of `web/` say, as `dev/javascript/messages.cjs` reads it from their syntax trees."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def __getitem__(self, name: str) -> dict[str, Any]:
        facts: dict[str, Any] = self._found[name]
        return facts

    def strings(self) -> set[str]:
        return {text for facts in self._found.values() for text in facts["strings"]}

    def templates(self) -> set[str]:
        return {text for facts in self._found.values() for text in facts["templates"]}

    def ids(self) -> list[dict[str, list[str]]]:
        """The strings and templates in the first argument of each `t(...)`."""
        return [call for facts in self._found.values() for call in facts["calls"].get("t", ())]

    def first_strings(self, name: str, function: str) -> list[str]:
        """The strings that a function of a module is called with; there has to be one."""
        found = [text for call in self[name]["calls"][function] for text in call["strings"]]
        assert found, function
        return found

    def array(self, name: str, constant: str) -> list[str]:
        """The strings of the only array of that name in a module."""
        [found] = self[name]["arrays"][constant]
        return [text for text in found if text]

    def composed(self) -> dict[str, list[str]]:
        """Ids that are put together, and what comes into their gap: from the module itself, or from the server."""
        actions = self.first_strings("results/actions.mjs", "add")
        return {
            "results.${name}": [f"results.{name}" for name in actions],
            "filter.${name}": [f"filter.{name}" for name in self.first_strings("results/filters.mjs", "select")],
            "results.view_${view}": [f"results.view_{name}" for name in ("grid", "list")],
            "results.${name}_title": [f"results.{name}_title" for name in actions],
            "prices.${name}": [f"prices.{name}" for name in self.first_strings("dry_run.mjs", "labelled")],
            "placeholder.${name}": [f"placeholder.{name}" for name in self.array("placeholders.mjs", "FIELDS")],
            "form.auth.${name}": [f"form.auth.{name}" for name in AUTH],
            "option.${name}": [f"option.{name}" for name in OPTIONS],
            "charged.${failed.charged}": [f"charged.{name}" for name in get_args(Charged)],
        }


@pytest.fixture(scope="module")
def modules() -> Modules:
    tools = node.ready(cache.opened())
    if tools is None:
        pytest.skip("there is no Node in the cache: `python3 dev.py test --lint` fetches it")
    done = subprocess.run(
        [str(tools.program), str(ROOT / "dev" / "javascript" / "messages.cjs"), *map(str, FILES)],
        env=clean(os.environ, {"NODE_PATH": str(tools.packages)}),
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout)
    return Modules({Path(path).relative_to(WEB).as_posix(): facts for path, facts in found.items()})


def test_every_text_that_a_page_asks_for_is_there(modules: Modules) -> None:
    """A page would show the id of a missing text instead of it."""
    ids = {text for call in modules.ids() for text in call["strings"]}
    ids |= {name for names in modules.composed().values() for name in names}
    groups = {name.partition(".")[0] for name in ENGLISH if "." in name}
    # Ids that reach `t` by way of a variable are known by their group.
    ids |= {text for text in modules.strings() if re.fullmatch(rf"({'|'.join(groups)})\.[a-z_]+", text)}
    ids.discard(FILE)  # the user's own file looks like one, and is called so in every language
    assert ids - set(ENGLISH) == set()


def test_ids_that_are_put_together_are_known_here(modules: Modules) -> None:
    """A new `t(`group.${x}`)` needs a line in `composed`, or its texts could be missing unnoticed."""
    assert {text for call in modules.ids() for text in call["templates"]} == set(modules.composed())


def test_every_text_is_shown_somewhere(modules: Modules) -> None:
    shown = modules.strings() | {name for names in modules.composed().values() for name in names}
    assert {name for name in ENGLISH if name.removesuffix(".one") not in shown} == set()


def test_no_page_has_words_of_its_own(modules: Modules) -> None:
    """Words in the code would stay English; what the entry registers by its English label is looked up by the host."""
    registered = {*labels("en").values(), *tooltips("en").values(), "Nano Banana:"}
    sentences = {text for text in modules.strings() | modules.templates() if re.match(r"[A-Z][a-z]+ ", text)}
    assert sentences - registered == {"Nano Banana"}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_language_has_every_text_and_no_other(language: str) -> None:
    """A singular of its own may be left out: the plural is shown where a language makes no difference."""
    theirs = set(texts(language))
    assert theirs - set(ENGLISH) == set()
    assert {name for name in ENGLISH if not name.endswith(".one")} - theirs == set()


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_fills_the_same_gaps(language: str) -> None:
    for name, text in texts(language).items():
        assert gaps(text) == gaps(ENGLISH.get(name, text)), name


def test_a_singular_has_no_gap_that_its_plural_lacks() -> None:
    for name in (name for name in ENGLISH if name.endswith(".one")):
        assert gaps(ENGLISH[name]) == gaps(ENGLISH[name.removesuffix(".one")]) - {"n"}, name


@pytest.mark.parametrize("language", ["en", *TRANSLATED])
def test_texts_are_plain(language: str) -> None:
    """They are put into elements as text: markup would be read as it is written. None is empty or frayed."""
    for name, text in texts(language).items():
        assert text and text == text.strip(), name
        assert not re.search(r"[<>`]|&\w+;|\*\*|\]\(", text), name


def test_every_language_is_offered(modules: Modules) -> None:
    assert modules.array("i18n.mjs", "LANGUAGES") == TRANSLATED
    assert sorted(path.name for path in (ROOT / "locales").iterdir()) == ["en", *TRANSLATED]


def test_an_empty_prompt_asks_the_same_in_english_whoever_is_asked() -> None:
    """English placeholders come from the schema; the text here is what translators start from."""
    assert f'placeholder="{ENGLISH["placeholder.prompt"]}"' in (ROOT / "nodes" / "inputs.py").read_text("utf-8")


def labels(locale: str) -> dict[str, str]:
    """What the frontend looks up for the entry's commands and setting: id -> label."""
    found = {name: entry["label"] for name, entry in read(f"locales/{locale}/commands.json").items()}
    return found | {name: entry["name"] for name, entry in read(f"locales/{locale}/settings.json").items()}


def tooltips(locale: str) -> dict[str, str]:
    """Those of its settings: id -> text."""
    entries = read(f"locales/{locale}/settings.json")
    return {name: entry["tooltip"] for name, entry in entries.items() if "tooltip" in entry}


def test_what_the_entry_registers_is_listed_for_translators(modules: Modules) -> None:
    registered = modules["nano_banana.js"]["registered"]
    assert SIDEBAR.rpartition("_")[2] in modules["results.mjs"]["strings"]
    listed = {name: label for name, label in labels("en").items() if name != SIDEBAR}
    assert listed == {name.replace(".", "_"): label for name, label in registered.items()}


@pytest.mark.parametrize("locale", TRANSLATED)
def test_commands_and_settings_are_translated(locale: str) -> None:
    for words in (labels, tooltips):
        english, translated = words("en"), words(locale)
        assert list(translated) == list(english)
        assert not set(translated.values()) & set(english.values())


@pytest.mark.parametrize("locale", ["en", *TRANSLATED])
def test_the_menu_says_what_the_commands_say(locale: str) -> None:
    """The frontend's menu looks a command up by its English label, and reads every text as a message with a syntax."""
    english, translated = labels("en"), labels(locale)
    commands = set(read("locales/en/commands.json")) - {SIDEBAR}
    assert read(f"locales/{locale}/main.json") == {"menuLabels": {english[name]: translated[name] for name in commands}}
    assert not any(set("{}@|") & set(text) for text in translated.values())
