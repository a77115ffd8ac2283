"""What a run has learned about a key is kept beside the tests of the keys, so that a page says "refused"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from journal_driver import entry
from pack.core.errors import KeyRefused, NanoBananaError, NetworkError, NoCredit
from pack.core.execution.image_task import ImageTask
from pack.core.execution.key_verdicts import record
from pack.core.keys.store import KeyStore
from pack.core.request import Options, Request, Slot

WORKS: Any = object()


def task(outcome: Any, provider: str = "onerouter", source: str = "provider") -> ImageTask:
    """A picture that was asked for at a provider, and how it ended: with a result, or an error."""
    made = ImageTask(Slot(0, 0, 0), Request("generate", "a fox", Options()), reservation=entry(provider=provider))
    if isinstance(outcome, NanoBananaError):
        made.error = outcome
    else:
        made.result, made.source = outcome, source
    return made


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path)


def verdict(keys: KeyStore, provider: str = "onerouter") -> str | None:
    known = keys.tested(provider, "default")
    return str(known["verdict"]) if known else None


@pytest.mark.parametrize(("error", "kept"), [(KeyRefused("no"), "refused"), (NoCredit("empty"), "no credit")])
def test_a_refused_key_is_remembered_until_it_works(keys: KeyStore, error: NanoBananaError, kept: str) -> None:
    record(keys, [task(WORKS), task(error)], str)
    assert verdict(keys) == kept, "what was refused counts, whatever else came home"
    record(keys, [task(WORKS, source="store")], str)
    assert verdict(keys) == kept, "a stored picture needs no key"
    record(keys, [task(WORKS)], str.upper)
    assert verdict(keys) == "works" and "ONEROUTER" in keys.tested("onerouter", "default")["text"]  # type: ignore[index]


def test_what_says_nothing_about_the_key_writes_nothing(keys: KeyStore, tmp_path: Path) -> None:
    unasked = ImageTask(Slot(0, 0, 0), Request("generate", "a fox", Options()), error=KeyRefused("no"))
    record(keys, [task(WORKS), task(NetworkError("gone")), unasked], str)
    assert verdict(keys) is None and not list(tmp_path.iterdir())


def test_each_provider_has_its_own(keys: KeyStore) -> None:
    record(keys, [task(KeyRefused("no"), "fal"), task(WORKS)], str)
    assert verdict(keys, "fal") == "refused" and verdict(keys) is None


def test_a_damaged_file_of_keys_stops_no_run(keys: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    record(keys, [task(KeyRefused("no"))], str)
