"""docs/judges.md: who outside this project has judged what we believe of each provider, from the conformance tests' record.

`python3 dev.py judges` writes it; `dev.py test --conformance` fails when it is stale. Called by `test_command.py`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .cache import ROOT

PATH = ROOT / "docs" / "judges.md"
NOBODY = "nobody"
HEAD = ("Provider", "SDK", "Published schema or document", "Public report")
KINDS = (("SDK",), ("schema", "document"), ("report",))
"""What stands in the last three columns."""
INTRODUCTION = """\
# Who has judged each provider

Made by `python3 dev.py judges` from what the tests in `tests/conformance` record when they pass. The specs, the dialects
and the doubles were written here, so they prove nothing about a provider; what stands in the last three columns was
written by others. "SDK" is the vendor's own client, or the one its document names, at the pinned version
(`dev/requirements/judges.txt`). The documents that a provider's data was written from are named in it
(`core/providers/`); one is listed here only where a test holds every request against it.
"""


def read(record: Path) -> list[dict[str, str]]:
    """The record of a run; empty where it wrote none."""
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [dict(entry) for entry in found]


def is_current(made: str, path: Path = PATH) -> bool:
    """Whether the page in the tree is this one."""
    return path.is_file() and path.read_text(encoding="utf-8") == made


def page(record: Sequence[Mapping[str, str]]) -> str:
    """The whole page for a record of `provider`, `kind`, `judge`, `version`, `what`."""
    from core.providers import BUILT_IN  # the clone's own root is the import path of dev.py

    specs = [spec for spec in BUILT_IN.values() if not spec.local]
    return f"{INTRODUCTION}\n{table(specs, record)}\n"


def table(specs: Iterable[Any], record: Sequence[Mapping[str, str]]) -> str:
    """The table as Markdown, a line per provider."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for spec in specs:
        own = [entry for entry in record if entry["provider"] == spec.id]
        cells = [_judges([entry for entry in own if entry["kind"] in kinds]) for kinds in KINDS]
        if not any(cells):
            cells[0] = NOBODY
        lines.append("| " + " | ".join((f"**{spec.label}** `{spec.id}`", *cells)) + " |")
    return "\n".join(lines)


def _judges(entries: Sequence[Mapping[str, str]]) -> str:
    """One cell: each judge with its version, and what it has judged."""
    judged: dict[str, list[str]] = {}
    for entry in entries:
        judged.setdefault(f"{entry['judge']} {entry['version']}".strip(), []).append(entry["what"])
    return "<br>".join(f"{judge}: {', '.join(sorted(what))}" for judge, what in sorted(judged.items()))
