"""PUT and DELETE models/{provider}: ids that graphs may name in model_override although nobody has described them.

PUT {"wire": id, "price": US dollars or null}; DELETE ?wire=id takes it back.
"""

from __future__ import annotations

from typing import Any

from .. import comfyui
from ..core.config import allowed_models
from ..core.engine import Engine
from .security import Ask, Wrong


def allow(ask: Ask) -> dict[str, Any]:
    engine = comfyui.engine()
    row = engine.rows().get(ask.path["provider"])
    if row is None:
        raise Wrong(404, "There is no provider of that id")
    if set(ask.body) - {"wire", "price"}:
        raise Wrong(400, "The body is an object with wire and price")
    allowed_models.allow(engine.home, row, ask.body.get("wire"), ask.body.get("price"))
    return {"allowed_models": listed(engine)}


def forbid(ask: Ask) -> dict[str, Any]:
    engine = comfyui.engine()
    wire = ask.query.get("wire") or ask.body.get("wire")
    if not isinstance(wire, str) or not allowed_models.forbid(engine.home, ask.path["provider"], wire):
        cure = f"Say ?wire=<id>; what {allowed_models.VARIABLE} allows is taken back there"
        raise Wrong(404, "That id is not allowed in Settings", cure)
    return {"allowed_models": listed(engine)}


def listed(engine: Engine) -> list[dict[str, Any]]:
    """Every permission, as Settings shows it."""
    rows = engine.rows()
    return [
        {
            "provider": each.provider,
            "label": rows[each.provider].label if each.provider in rows else each.provider,
            "wire": each.wire,
            "price": each.usd,
            "source": each.source,
        }
        for each in allowed_models.allowed(engine.settings())
    ]


ROUTES = [("PUT", "/models/{provider}", allow), ("DELETE", "/models/{provider}", forbid)]
