"""PUT and DELETE keys/{provider}/{profile}; POST keys/{provider}/{profile}/test. No answer has anything of a key in it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from .. import comfyui
from ..core.errors import ConfigError
from ..core.execution.key_check import check_key
from ..core.keys.sources import checked_profile
from ..core.providers.spec import Provider
from .security import Ask, Wrong

TESTS, TESTS_SECONDS = 10, 60.0
"""So many tests in so much time, in all: a stranger's page must not be able to try out keys or tire a provider."""
_tests: deque[float] = deque()
_lock = threading.Lock()


def put(ask: Ask) -> dict[str, Any]:
    """Body: {"key": "..."}. The key is bound to the address that the provider has now."""
    row, profile = _named(ask)
    key = ask.body.get("key")
    if not isinstance(key, str) or set(ask.body) != {"key"}:
        raise Wrong(400, "The body is an object with a key and nothing else")
    engine = comfyui.engine()
    engine.keys.put(row.id, profile, key, engine.settings().base_url(row), row)
    return {"provider": row.id, "profile": profile, "state": "stored"}


def delete(ask: Ask) -> dict[str, Any]:
    row, profile = _named(ask, known=False)
    if not comfyui.engine().keys.delete(row, profile):
        raise Wrong(404, "There is no stored key of that name", "A key from the environment is removed there")
    return {"provider": row, "profile": profile, "state": "none"}


def test(ask: Ask) -> dict[str, Any]:
    """Asks the provider, at no cost: {"verdict", "text"}."""
    row, profile = _named(ask)
    _count()
    engine = comfyui.engine()
    shelf = engine.shelf()
    if row.needs_key and shelf.keys.key(row, profile) is None:
        raise shelf.no_key(row, profile)
    found = check_key(shelf.target(row, profile))
    if row.needs_key:
        engine.keys.note_test(row.id, profile, found.verdict, found.text)
    return {"provider": row.id, "profile": profile, "verdict": found.verdict, "text": found.text}


def _named(ask: Ask, *, known: bool = True) -> Any:
    """The row and the profile, or with `known=False` the bare id: a key outlives its provider's row."""
    name, profile = ask.path["provider"], ask.path["profile"]
    problem = checked_profile(profile)
    if problem:
        raise ConfigError(problem, kind="config")
    rows = comfyui.engine().rows()
    if not known:
        return name, profile
    row: Provider | None = rows.get(name)
    if row is None:
        raise Wrong(404, "There is no provider of that id")
    if row.local:
        raise Wrong(400, f"{row.label} needs no key")
    return row, profile


def _count() -> None:
    now = time.monotonic()
    with _lock:
        while _tests and now - _tests[0] > TESTS_SECONDS:
            _tests.popleft()
        if len(_tests) >= TESTS:
            wait = int(TESTS_SECONDS - (now - _tests[0])) + 1
            raise Wrong(429, f"Too many tests of keys: wait {wait} s", kind="rate", retry_after=wait)
        _tests.append(now)


ROUTES = [
    ("PUT", "/keys/{provider}/{profile}", put),
    ("DELETE", "/keys/{provider}/{profile}", delete),
    ("POST", "/keys/{provider}/{profile}/test", test),
]
