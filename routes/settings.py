"""GET, PUT and DELETE settings. A PUT names what changes; null takes a setting back to its default.

DELETE sets aside a settings.json that can't be read; one that can be read is never deleted.
"""

from __future__ import annotations

from typing import Any

from .. import comfyui
from ..core.config import host_names, settings_file
from ..core.config.settings import Settings
from ..core.errors import NanoBananaError
from ..core.errors.messages import msg
from ..core.ledger.history import History
from . import models
from .security import ApiError, RouteRequest


def get(request: RouteRequest) -> dict[str, Any]:
    engine = comfyui.engine()
    settings = engine.settings()
    found: dict[str, Any] = {
        "settings": settings_file.shown(settings),
        "damage": settings.damage,
        "multi_user": comfyui.multi_user(),
        "hosts": _hosts(settings),
        "allowed_models": models.list_allowed(engine),
    }
    if not engine.ledger.is_empty:
        try:
            files, used, free = History(engine.ledger).sizes()
            found["results"] = {"pictures": files, "bytes": used, "free": free}
        except NanoBananaError as error:  # the settings are there all the same
            found["results_problem"] = error.what
    return found


def _hosts(settings: Settings) -> dict[str, Any]:
    """The names under which pages are this machine's own: accepted with a code, and named in the environment."""
    named = settings.environ.get(host_names.VARIABLE, "").strip()
    return {"accepted": host_names.accepted(settings), "named": named, "variable": host_names.VARIABLE}


def put(request: RouteRequest) -> dict[str, Any]:
    engine = comfyui.engine()
    settings_file.change(engine.home, request.body, engine.specs())
    engine.apply_limits()
    return get(request)


def set_aside(request: RouteRequest) -> dict[str, Any]:
    """Begins again where settings.json is damaged; `set_aside` is the name that the old file has now."""
    engine = comfyui.engine()
    name = settings_file.set_aside(engine.home)
    if not name:
        raise ApiError(409, msg("settings.settings_file_not_damaged"), msg("settings.change_values_singly"))
    engine.apply_limits()
    return {**get(request), "set_aside": name}


ROUTES = [("GET", "/settings", get), ("PUT", "/settings", put), ("DELETE", "/settings", set_aside)]
