"""PUT and DELETE models/{provider}: model ids that graphs may name in model_override although no provider describes them.

PUT {"wire": id, "price": US dollars or null}; DELETE ?wire=id takes it back.
"""

from __future__ import annotations

from typing import Any

from .. import comfyui
from ..core.config import allowed_models
from ..core.engine import Engine
from ..core.errors.messages import msg
from .security import ApiError, RouteRequest


def allow(request: RouteRequest) -> dict[str, Any]:
    engine = comfyui.engine()
    spec = engine.specs().get(request.path["provider"])
    if spec is None:
        raise ApiError(404, msg("models.unknown_provider"))
    if set(request.body) - {"wire", "price"}:
        raise ApiError(400, msg("models.body_needs_wire_and_price"))
    allowed_models.allow(engine.home, spec, request.body.get("wire"), request.body.get("price"))
    return {"allowed_models": list_allowed(engine)}


def forbid(request: RouteRequest) -> dict[str, Any]:
    engine = comfyui.engine()
    wire = request.query.get("wire") or request.body.get("wire")
    if not isinstance(wire, str) or not allowed_models.forbid(engine.home, request.path["provider"], wire):
        cure = msg("models.wire_query_expected", variable=allowed_models.VARIABLE)
        raise ApiError(404, msg("models.id_not_allowed"), cure)
    return {"allowed_models": list_allowed(engine)}


def list_allowed(engine: Engine) -> list[dict[str, Any]]:
    """Every permission, as Settings shows it."""
    specs = engine.specs()
    return [
        {
            "provider": each.provider,
            "label": specs[each.provider].label if each.provider in specs else each.provider,
            "wire": each.model_id,
            "price": each.usd,
            "source": each.source,
        }
        for each in allowed_models.allowed(engine.settings())
    ]


ROUTES = [("PUT", "/models/{provider}", allow), ("DELETE", "/models/{provider}", forbid)]
