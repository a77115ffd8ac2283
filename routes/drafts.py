"""POST drafts: whether a page shows what models draw while thinking, so that drafts are asked for when it queues a node."""

from __future__ import annotations

from typing import Any

from .. import comfyui
from ..core.errors.messages import msg
from .security import ApiError, RouteRequest


def show(request: RouteRequest) -> dict[str, Any]:
    """Body: {"client": the id of the page's websocket, "show": bool}. `show` in the answer is what holds from now on."""
    client, wanted = request.body.get("client"), request.body.get("show")
    if not isinstance(client, str) or not isinstance(wanted, bool):
        raise ApiError(400, msg("drafts.client_and_show_expected"))
    return {"show": comfyui.set_shows_drafts(client, wanted)}


ROUTES = [("POST", "/drafts", show)]
