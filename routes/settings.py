"""GET and PUT settings. A PUT names what changes; null takes a setting back to its default."""

from __future__ import annotations

from typing import Any

from .. import host
from ..core import settings_file
from ..core.ledger.history import History
from .guard import Ask


def get(ask: Ask) -> dict[str, Any]:
    engine = host.engine()
    found: dict[str, Any] = {"settings": settings_file.shown(engine.settings())}
    if not engine.ledger.is_empty:
        files, used, free = History(engine.ledger).sizes()
        found["results"] = {"pictures": files, "bytes": used, "free": free}
    return found


def put(ask: Ask) -> dict[str, Any]:
    engine = host.engine()
    settings_file.change(engine.home, ask.body, engine.rows())
    engine.ledger.storage.limit = engine.settings().results_bytes
    return get(ask)


ROUTES = [("GET", "/settings", get), ("PUT", "/settings", put)]
