"""Records which outside judge has accepted what of which provider; `docs/judges.md` is made from the record.

A judge is something that this project did not write: a vendor's SDK, a schema or document that the vendor publishes, a
public report of what the provider answered.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal

VARIABLE = "NANO_BANANA_JUDGED"
"""The file that the record is written to; without it nothing is written."""

Kind = Literal["SDK", "schema", "document", "report"]
Entry = tuple[str, str, str, str, str]
_RECORD: set[Entry] = set()


def judged(provider: str, judge: str, version: str, what: str, kind: Kind = "SDK") -> None:
    """Records a judgement. Called at the end of a test, when it has passed.

    `provider` is a provider's id, `judge` a package (`google-genai`), a schema or the title of a document, `version` the
    package's version or the date of the document, "" for the installed version of the package `judge`. `what` says in a
    few words what was judged, for a table: "makes and edits a picture", "every request validated".
    """
    _RECORD.add((provider, kind, judge, version or installed_version(judge), what))


def record() -> list[Entry]:
    """What was judged in this process, sorted."""
    return sorted(_RECORD)


def add(entries: Iterable[Entry]) -> None:
    """Adds the record of another process: one of pytest-xdist's workers."""
    _RECORD.update(entries)


def write() -> None:
    """Writes the record as a JSON list of objects to the file that the environment variable names."""
    if not os.environ.get(VARIABLE):
        return
    names = ("provider", "kind", "judge", "version", "what")
    rows = [dict(zip(names, row, strict=True)) for row in record()]
    Path(os.environ[VARIABLE]).write_text(json.dumps(rows, indent=1), encoding="utf-8")
