"""The English words in `locales/` and in the help are those of the schemas, and the host serves every translation."""

from __future__ import annotations

import json

from pack.dev.locales import ENGLISH, ours, words, written
from pack.tests.host.kit import Bench

ROOT = ENGLISH.parents[2]
SPOKEN_FOR = {"provider", "model", "profile", "aspect_ratio", "resolution"}
"""Combos whose options explain themselves or change with the providers."""


def test_the_english_words_are_fresh(bench: Bench) -> None:
    made = written(words(ours(bench.host.get("/object_info"))))
    assert ENGLISH.read_text("utf-8") == made, "stale: run `python3 dev.py words`, then translate what changed"


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
