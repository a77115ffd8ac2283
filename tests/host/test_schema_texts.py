"""The English words in `locales/` and in the help are those of the schemas, and the host serves every translation.

`locales/en/nodeDefs.json` is what translators start from. It adds nothing to the schemas but one thing that they can't say:
a tooltip for each socket of a growing input, which the frontend looks up by the socket's own name.

How the frontend looks words up (1.47, read in its source and tried): `nodeDefs.<node>.inputs.<id>.name` and `.tooltip`,
`outputs.<index>.name` and `.tooltip`, dots in an id replaced by underscores; labels of combo options are not looked up.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pack.tests.host.kit import Bench

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = ROOT / "locales" / "en" / "nodeDefs.json"
GROWING = "COMFY_AUTOGROW_V3"
SPOKEN_FOR = {"provider", "model", "profile", "aspect_ratio", "resolution"}
"""Combos whose options explain themselves or change with the providers."""


def ours(definitions: dict[str, Any]) -> dict[str, Any]:
    """The pack's own definitions of a host's `/object_info`."""
    module = f"custom_nodes.{ROOT.name}"
    return {name: definition for name, definition in definitions.items() if definition["python_module"] == module}


def words(definitions: dict[str, Any]) -> dict[str, Any]:
    """Every word that a person sees of these nodes, in the form of a `nodeDefs.json`."""
    return {
        name: {
            "display_name": definition["display_name"],
            "description": definition["description"],
            "inputs": inputs(definition),
            "outputs": {
                str(index): entry(label, tooltip)
                for index, (label, tooltip) in enumerate(
                    zip(definition["output_name"], definition["output_tooltips"], strict=True)
                )
            },
        }
        for name, definition in sorted(definitions.items())
    }


def inputs(definition: dict[str, Any]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for group in ("required", "optional"):
        for name, (kind, *rest) in definition["input"].get(group, {}).items():
            options = rest[0] if rest else {}
            tooltip = options.get("tooltip")
            if kind == GROWING:
                # Without a name: the frontend labels these sockets itself, and finds the tooltip by the id only then.
                entries |= {f"{name}_{socket}": entry(None, tooltip) for socket in options["template"]["names"]}
            else:
                entries[name] = entry(name, tooltip)
    return entries


def entry(name: str | None, tooltip: str | None) -> dict[str, str]:
    return {key: text for key, text in (("name", name), ("tooltip", tooltip)) if text}


def test_the_english_words_are_fresh(bench: Bench, assert_fresh: Callable[..., None]) -> None:
    """What changed has to be translated, too."""
    found = words(ours(bench.host.get("/object_info")))
    assert_fresh(ENGLISH, json.dumps(found, indent=2, ensure_ascii=False) + "\n", "words")


def test_the_host_serves_the_words_of_each_language(bench: Bench) -> None:
    served = bench.host.get("/i18n")
    for path in ENGLISH.parents[1].glob("*/nodeDefs.json"):
        for name, node in json.loads(path.read_text("utf-8")).items():
            assert served[path.parent.name]["nodeDefs"][name] == node


def test_the_help_explains_every_option(bench: Bench) -> None:
    """In each language, under the value that the widget shows."""
    for name, definition in ours(bench.host.get("/object_info")).items():
        pages = [ROOT / "web" / "docs" / f"{name}.md", *(ROOT / "web" / "docs" / name).glob("*.md")]
        for key, (kind, *rest) in definition["input"].get("optional", {}).items():
            if kind != "COMBO" or key in SPOKEN_FOR:
                continue
            options = [option for option in rest[0]["options"] if not option.isdigit() and option != rest[0]["default"]]
            for page in pages:
                missing = [option for option in options if f"`{option}`" not in page.read_text("utf-8")]
                assert missing == [], f"{page}: {key}"
