"""Records which outside judge has accepted what of which provider; `docs/judges.md` is made from the record.

A judge is something that this project did not write: a vendor's SDK, a schema or document that the vendor publishes, a
public report of what the provider answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version as installed_version
from typing import Literal

from pack.core.providers import BUILT_IN
from pack.dev.provider_tables import judges_page

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


def page() -> str:
    """docs/judges.md for the record."""
    names = ("provider", "kind", "judge", "version", "what")
    return judges_page(BUILT_IN.values(), [dict(zip(names, entry, strict=True)) for entry in record()])


def add(entries: Iterable[Entry]) -> None:
    """Adds the record of another process: one of pytest-xdist's workers."""
    _RECORD.update(entries)
