"""POST hosts {"name", "code"}: accepts the name that the page was opened under; DELETE hosts/{name} takes it back.

The POST is the one route that a page under an unknown name may call, and only for the name that it is under. Without a
code it is answered with whether one is in the console.
"""

from __future__ import annotations

import math
from typing import Any

from .. import comfyui
from ..core.config import host_names
from ..core.errors.messages import msg
from .host_codes import TooManyTries, codes
from .security import ApiError, RouteRequest


def accept(request: RouteRequest) -> dict[str, Any]:
    name, code = request.body.get("name"), request.body.get("code", "")
    if (
        set(request.body) - {"name", "code"}
        or not isinstance(name, str)
        or not isinstance(code, str)
        or len(code) > 100
    ):
        raise ApiError(400, msg("hosts.body_needs_name_and_code"))
    if name.lower().rstrip(".") != request.name:
        raise ApiError(400, msg("hosts.only_own_name_accepted"))
    if request.known:
        return {"name": request.name, "known": True, "code": False}
    try:
        if code.strip() and codes.is_right(request.name, code):
            host_names.accept(comfyui.engine().home, request.name)
            return {"name": request.name, "known": True, "code": False}
        there = codes.announce(request.name)
    except TooManyTries as error:
        wait = math.ceil(error.seconds)
        what = msg("hosts.too_many_wrong_codes", wait=wait)
        raise ApiError(429, what, kind="rate", retry_after=wait) from None
    if code.strip():
        raise ApiError(403, msg("hosts.wrong_code"), msg("hosts.look_for_newest_code"), kind="code")
    return {"name": request.name, "known": False, "code": there}


def withdraw(request: RouteRequest) -> dict[str, Any]:
    name = request.path["name"].lower()
    if not host_names.withdraw(comfyui.engine().home, name):
        raise ApiError(
            404,
            msg("hosts.name_not_accepted"),
            msg("hosts.removed_in_environment_only", variable=host_names.VARIABLE),
        )
    return {"name": name, "known": False}


ROUTES = [("POST", "/hosts", accept), ("DELETE", "/hosts/{name}", withdraw)]
OPEN = accept
"""What a page under an unknown name may call."""
