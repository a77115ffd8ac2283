"""The pages that people read: tables are made from the providers, links lead somewhere, the README stays short."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from pack.core.custom_providers.templates import dialects
from pack.core.dialects import dialect
from pack.core.keys.sources import variables
from pack.core.providers import BUILT_IN
from pack.dev.provider_tables import in_page, pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("example_providers/*.md"), *ROOT.glob("web/docs/**/*.md")]
)
LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


@pytest.mark.parametrize("page", pages(BUILT_IN.values()), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_table_of_providers_is_fresh(page: Path) -> None:
    assert in_page(page) == pages(BUILT_IN.values())[page], "stale: run `python3 dev.py table`"
    assert all(f"`{name}`" in in_page(page) for name in BUILT_IN)


def test_the_table_of_dialects_is_true() -> None:
    """It is made from the text of the dialects, the code knows better."""
    lines = in_page(ROOT / "example_providers" / "README.md").splitlines()[2:]
    columns = {cells[1]: cells[2:4] for cells in (re.split(r" ?\| ?", line) for line in lines)}
    assert set(columns) == {f"`{name}`" for name in dialects()}
    for name in dialects():
        encodings = ", ".join(f"`{each}`" for each in dialect(name).reference_encodings)
        variants = {spec.api_variants for spec in BUILT_IN.values() if spec.dialect == name and spec.api_variants}
        assert columns[f"`{name}`"][0].strip() == encodings
        assert [columns[f"`{name}`"][1].strip()] == [", ".join(f"`{each}`" for each in one) for one in variants or [()]]


def test_the_variables_of_keys_are_those_that_are_looked_at() -> None:
    table = in_page(ROOT / "docs" / "settings.md")
    for spec in BUILT_IN.values():
        assert spec.local or all(f"`{name}`" in table for name in (*variables(spec), *spec.shared_env_vars))


def slug(heading: str) -> str:
    """The anchor that a heading gets on a rendered page."""
    text = re.sub(r"[`*_]", "", heading.lower())
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(found) for found in re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    """Links inside the repository: the file is there, and so is the heading."""
    text = re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", page.read_text("utf-8"))
    # Help pages name their pictures from the folder that the host serves, in translations as well.
    base = ROOT / "web" / "docs" if ROOT / "web" / "docs" in page.parents else page.parent
    for match in LINK.finditer(text):
        target = match.group(1) or match.group(2)
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (base / unquote(name)).resolve() if name else page
        assert file.exists(), f"{target} in {page.name}"
        assert not anchor or anchor in anchors(file), f"{target} in {page.name}"


def test_every_page_of_the_docs_is_linked() -> None:
    readme = (ROOT / "README.md").read_text("utf-8") + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert not [page.name for page in ROOT.glob("docs/*.md") if f"docs/{page.name}" not in readme]


def test_the_readme_is_short() -> None:
    """At most 900 words, code blocks and the bars of tables not counted."""
    text = re.sub(r"(?ms)^```.*?^```", "", (ROOT / "README.md").read_text("utf-8"))
    words = re.sub(r"\|[-|]*", " ", text).split()
    assert len(words) <= 900
