"""PUT and DELETE keys/{provider}/{profile}; POST keys/{provider}/{profile}/test. No answer has anything of a key in it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from .. import comfyui
from ..core.errors import ConfigError
from ..core.errors.messages import msg
from ..core.execution.key_check import check_key
from ..core.keys.sources import checked_profile
from ..core.providers.spec import ProviderSpec
from .security import ApiError, RouteRequest

TESTS, TESTS_SECONDS = 10, 60.0
"""Tests per seconds, in all: another web site must not be able to try out keys or to load a provider."""
_tests: deque[float] = deque()
_lock = threading.Lock()


def put(request: RouteRequest) -> dict[str, Any]:
    """Body: {"key": "..."}. The key is bound to the address that the provider has now."""
    spec, profile = _named(request)
    key = request.body.get("key")
    if not isinstance(key, str) or set(request.body) != {"key"}:
        raise ApiError(400, msg("keys.body_needs_key_only"))
    engine = comfyui.engine()
    engine.keys.put(spec.id, profile, key, engine.settings().base_url(spec), spec)
    engine.balances.forget(spec.id, profile)
    return {"provider": spec.id, "profile": profile, "state": "stored"}


def delete(request: RouteRequest) -> dict[str, Any]:
    spec, profile = _named(request, known=False)
    if not comfyui.engine().keys.delete(spec, profile):
        raise ApiError(404, msg("keys.no_such_stored_key"), msg("keys.removed_in_environment_only"))
    comfyui.engine().balances.forget(spec, profile)
    return {"provider": spec, "profile": profile, "state": "none"}


def test(request: RouteRequest) -> dict[str, Any]:
    """Asks the provider, at no cost: {"verdict", "text", "balance"}; the last is null where the answer names none."""
    spec, profile = _named(request)
    _count()
    engine = comfyui.engine()
    resolver = engine.resolver()
    if spec.needs_key and resolver.keys.key(spec, profile) is None:
        raise resolver.missing_key_error(spec, profile)
    target = resolver.target(spec, profile)
    found = check_key(target)
    if spec.needs_key:
        engine.keys.record_test(spec.id, profile, found.verdict, found.text)
    if found.balance:
        engine.balances.remember(spec.id, profile, target.base_url, found.balance)
    return {
        "provider": spec.id,
        "profile": profile,
        "verdict": found.verdict,
        "text": found.text,
        "balance": found.balance.facts() if found.balance else None,
    }


def _named(request: RouteRequest, *, known: bool = True) -> Any:
    """The provider's spec and the profile; with `known=False` its id alone, because a key may be older than its provider."""
    name, profile = request.path["provider"], request.path["profile"]
    problem = checked_profile(profile)
    if problem:
        raise ConfigError(problem)
    specs = comfyui.engine().specs()
    if not known:
        return name, profile
    spec: ProviderSpec | None = specs.get(name)
    if spec is None:
        raise ApiError(404, msg("keys.unknown_provider"))
    if spec.local:
        raise ApiError(400, msg("keys.needs_no_key", provider=spec.label))
    return spec, profile


def _count() -> None:
    now = time.monotonic()
    with _lock:
        while _tests and now - _tests[0] > TESTS_SECONDS:
            _tests.popleft()
        if len(_tests) >= TESTS:
            wait = int(TESTS_SECONDS - (now - _tests[0])) + 1
            raise ApiError(429, msg("keys.too_many_key_tests", wait=wait), kind="rate", retry_after=wait)
        _tests.append(now)


ROUTES = [
    ("PUT", "/keys/{provider}/{profile}", put),
    ("DELETE", "/keys/{provider}/{profile}", delete),
    ("POST", "/keys/{provider}/{profile}/test", test),
]
